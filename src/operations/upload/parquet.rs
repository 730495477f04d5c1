//! Parquet: whether the file is whole, and its columns against the table.

use crate::error::closest;

use super::{Finding, Findings, Target};

/// Reads the end of the file, which says what is in it; answers how many rows there are.
#[cfg(feature = "rehearse")]
pub(super) fn check(target: &Target<'_>, findings: &mut Findings) -> u64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let opened = std::fs::File::open(&target.path).map_err(|error| error.to_string());
    let opened = opened.and_then(|file| SerializedFileReader::new(file).map_err(|error| error.to_string()));
    let reader = match opened {
        Ok(reader) => reader,
        Err(why) => {
            let finding = Finding::new(format!("the Parquet file cannot be read: {why}"));
            findings.error(finding.hint("write it again, or download it again: it may be incomplete"));
            return 0;
        }
    };
    let about = reader.metadata().file_metadata();
    let names: Vec<String> =
        about.schema_descr().root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    columns(&names, target, findings);
    u64::try_from(about.num_rows()).unwrap_or_default()
}

/// This binary was built without a reader of Parquet.
#[cfg(not(feature = "rehearse"))]
pub(super) fn check(_: &Target<'_>, findings: &mut Findings) -> u64 {
    findings.note(Finding::new("its columns were not checked: this pipectl was built without a reader of Parquet"));
    0
}

#[cfg_attr(not(feature = "rehearse"), expect(dead_code, reason = "only a reader of Parquet knows the names"))]
fn columns(names: &[String], target: &Target<'_>, findings: &mut Findings) {
    let table = target.table;
    let mut found = 0;
    for (name, column) in table.columns.iter().filter(|(_, column)| column.is_in_file()) {
        let expected = column.from().unwrap_or(name);
        if names.iter().any(|name| name == expected.split('.').next().unwrap_or(expected)) {
            found += 1;
            continue;
        }
        let finding = Finding::new(format!("the file lacks `{expected}`"));
        let finding = match closest(expected, names.iter().map(String::as_str)) {
            Some(suggestion) => {
                finding.hint(format!("if `{suggestion}` is meant, declare `from: {suggestion}` for the column"))
            }
            None => finding,
        };
        if column.required() || table.key.contains(name) { findings.error(finding) } else { findings.note(finding) }
    }
    if found == 0 {
        findings.error(Finding::new(format!(
            "the file has none of the columns of `{}`: {}",
            target.name,
            names.join(", ")
        )));
    }
}
