//! Zip archives whose bytes are a function of their entries alone: pure.

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipWriter};

use crate::error::{Error, Result};

/// A file in an archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) executable: bool,
    pub(super) bytes: Vec<u8>,
}

/// Makes an archive: entries sorted by path, every time the same moment (1980-01-01, the format's first), fixed modes.
pub(super) fn archive(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in sorted {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if entry.executable { 0o755 } else { 0o644 });
        writer.start_file(&entry.path, options).map_err(|error| failed(&error))?;
        writer.write_all(&entry.bytes)?;
    }
    Ok(writer.finish().map_err(|error| failed(&error))?.into_inner())
}

fn failed(error: &::zip::result::ZipError) -> Error {
    Error::new("cannot make a zip").cause(error)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_depend_on_the_entries_alone(
            files in proptest::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8})?", proptest::collection::vec(any::<u8>(), 0..2000), 1..8),
            rotation in 0_usize..8,
        ) {
            let entries: Vec<Entry> = files.iter()
                .map(|(path, bytes)| Entry { path: path.clone(), executable: path.len() % 2 == 0, bytes: bytes.clone() })
                .collect();
            let mut turned = entries.clone();
            turned.rotate_left(rotation % entries.len());
            turned.reverse();
            let archived = archive(&entries).unwrap();
            prop_assert_eq!(&archived, &archive(&turned).unwrap());

            let mut read = ::zip::ZipArchive::new(Cursor::new(archived)).unwrap();
            let names: Vec<String> = read.file_names().map(|name| name.unwrap().into_owned()).collect();
            prop_assert_eq!(names, files.keys().cloned().collect::<Vec<_>>());
            for (path, bytes) in &files {
                let mut file = read.by_name(path).unwrap();
                let mut unzipped = Vec::new();
                file.read_to_end(&mut unzipped).unwrap();
                prop_assert_eq!(&unzipped, bytes);
                prop_assert_eq!(file.last_modified(), Some(DateTime::default()));
                prop_assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(if path.len() % 2 == 0 { 0o755 } else { 0o644 }));
            }
        }
    }

    /// A change of these bytes means that every Lambda of every user is deployed again.
    #[test]
    fn the_bytes_are_those_of_the_last_release() {
        let bytes = b"#!/bin/sh\necho hello hello hello\n".repeat(100);
        let archived = archive(&[Entry { path: "bootstrap".to_owned(), executable: true, bytes }]).unwrap();
        assert_eq!(
            crate::digest::sha256(&archived),
            "e2e5cee78a744c9cd1532c2ad37a70e0f649f223cf0817da4ea6d2f6cc32b8a4"
        );
    }
}
