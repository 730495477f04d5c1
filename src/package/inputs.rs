//! What goes into a build: the project's own sources, else the built-in ones.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::digest::hex;

use super::write_if_changed;
use crate::error::{Error, Result};
use crate::{files, limits};

// `LAMBDA_SOURCES`, written by build.rs.
include!(concat!(env!("OUT_DIR"), "/lambda_sources.rs"));

#[derive(RustEmbed)]
#[folder = "glue-src"]
#[include = "jobs/*.py"]
#[include = "pipectl_glue/*.py"]
struct GlueSources;

/// Files by their path, with `/` between the parts on every system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inputs {
    files: BTreeMap<String, Vec<u8>>,
    folder: Option<PathBuf>,
}

impl Inputs {
    /// The workspace of pipectl's Lambdas.
    pub(super) fn built_in() -> Self {
        let files = LAMBDA_SOURCES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        Self { files, folder: None }
    }

    /// The project's own `lambda-src`, when it is a cargo workspace; else nothing.
    pub(super) fn own(root: &Path) -> Result<Self> {
        let folder = root.join("lambda-src");
        if !folder.join("Cargo.toml").is_file() {
            return Ok(Self::none());
        }
        let mut files = BTreeMap::new();
        own_files(root, "lambda-src", "", &mut files)?;
        Ok(Self { files, folder: Some(folder) })
    }

    pub(super) fn none() -> Self {
        Self { files: BTreeMap::new(), folder: None }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The Glue jobs: the built-in ones, and over them the project's own `glue-src`, file by file.
    pub(super) fn glue(root: &Path) -> Result<Self> {
        let mut files = embedded::<GlueSources>();
        let mut own = BTreeMap::new();
        for part in ["jobs", "pipectl_glue"] {
            if root.join("glue-src").join(part).is_dir() {
                own_files(root, &format!("glue-src/{part}"), part, &mut own)?;
            }
        }
        files.extend(own.into_iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|kind| kind == "py")));
        Ok(Self { files, folder: None })
    }

    /// The project's own folder that the files come from.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// A digest of all paths and contents, and of the way in which they are built.
    pub(super) fn digest(&self, way: &str) -> String {
        let mut digest = Sha256::new();
        // Lengths go first, so that no two sets of files run into the same bytes.
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(way.as_bytes());
        for (path, bytes) in &self.files {
            add(path.as_bytes());
            add(bytes);
        }
        hex(&digest.finalize())
    }

    /// Writes the files into a folder, and removes there what does not belong to them.
    pub(super) fn extract(&self, folder: &Path) -> Result<()> {
        fs_err::create_dir_all(folder)?;
        let mut present = BTreeMap::new();
        collect(folder, "", &mut present)?;
        for path in present.keys().filter(|path| !self.files.contains_key(*path)) {
            fs_err::remove_file(folder.join(path))?;
        }
        self.files.iter().try_for_each(|(path, bytes)| write_if_changed(&folder.join(path), bytes))
    }
}

/// Reads the project's own files below one of its folders, without build results and hidden files. A symbolic link may
/// lead to another place of the project, never out of it, and never back to a folder that it is in.
fn own_files(root: &Path, folder: &str, start: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut inside = Vec::new();
    walk(root, folder, start, &mut inside, files)
}

fn walk(
    root: &Path,
    folder: &str,
    start: &str,
    inside: &mut Vec<PathBuf>,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let path = files::within(root, folder)?;
    let canonical = fs_err::canonicalize(&path)?;
    if inside.contains(&canonical) {
        return Err(
            Error::project(format!("`{folder}` is a symbolic link to a folder that it is in")).hint("remove it")
        );
    }
    inside.push(canonical);
    for entry in fs_err::read_dir(path)? {
        let Some((name, key)) = included(&entry?.file_name(), start) else { continue };
        let below = format!("{folder}/{name}");
        let path = files::within(root, &below)?;
        if fs_err::metadata(&path)?.is_dir() {
            walk(root, &below, &key, inside, files)?;
        } else {
            files.insert(key, files::read(&path, limits::CODE_BYTES)?);
        }
    }
    inside.pop();
    Ok(())
}

/// The name of a folder's entry and its path, if it is part of a build.
fn included(name: &OsStr, start: &str) -> Option<(String, String)> {
    let name = name.to_string_lossy().into_owned();
    let hidden = name.starts_with('.') && name != ".cargo";
    let path = if start.is_empty() { name.clone() } else { format!("{start}/{name}") };
    // Tests are no part of a build: those of a crate, and the cases of the contract that only they read.
    let is_tests = path == "contract/cases" || name == "tests" && !start.is_empty() && !start.contains('/');
    let excluded = hidden || is_tests || name == "target" || name == "__pycache__";
    (!excluded).then_some((name, path))
}

/// Reads the files below a folder of pipectl's own, without build results and hidden files.
fn collect(folder: &Path, start: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let Some((_, path)) = included(&entry.file_name(), start) else { continue };
        if fs_err::metadata(entry.path())?.is_dir() {
            collect(&entry.path(), &path, files)?;
        } else {
            files.insert(path, fs_err::read(entry.path())?);
        }
    }
    Ok(())
}

fn embedded<Sources: RustEmbed>() -> BTreeMap<String, Vec<u8>> {
    let file = |path: std::borrow::Cow<'static, str>| Some((path.to_string(), Sources::get(&path)?.data.into_owned()));
    Sources::iter().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(files: &[(&str, &str)]) -> Inputs {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        Inputs { files, folder: None }
    }

    #[test]
    fn digests_differ_for_any_change() {
        let digests = [
            inputs(&[("a", "b"), ("c", "d")]).digest("x"),
            inputs(&[("a", "b"), ("c", "d")]).digest("y"),
            inputs(&[("a", "bc"), ("", "d")]).digest("x"),
            inputs(&[("ab", ""), ("c", "d")]).digest("x"),
            inputs(&[("a", "b")]).digest("x"),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
        assert_eq!(inputs(&[("c", "d"), ("a", "b")]).digest("x"), digests[0]);
    }

    #[test]
    fn the_embedded_workspace_is_complete_without_build_output() {
        let inputs = Inputs::built_in();
        for path in [
            "Cargo.toml",
            "Cargo.lock",
            "shopify/src/main.rs",
            "load/Cargo.toml",
            "pipeline/src/lib.rs",
            "contract/src/lib.rs",
        ] {
            assert!(inputs.files.contains_key(path), "{path} is missing");
        }
        // `.cargo` is part of a build, and of the digest by which a build is known to be current.
        let hidden = |path: &str| path.starts_with('.') && !path.starts_with(".cargo/");
        assert!(inputs.files.keys().all(|path| !path.contains("target/") && !hidden(path)));
    }

    #[test]
    fn the_workspace_of_this_repository_is_built_as_the_embedded_one() {
        let own = Inputs::own(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(own.digest(""), Inputs::built_in().digest(""));
    }

    #[test]
    fn a_packaged_crate_has_all_that_the_binary_embeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = std::process::Command::new(root.join("scripts/package-crate.sh"))
            .args(["--package", "pipectl", "--list", "--offline"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let packaged = String::from_utf8(output.stdout).unwrap();
        let packaged: std::collections::BTreeSet<&str> = packaged.lines().collect();
        // cargo leaves folders with a `Cargo.toml` out.
        let renamed = |path: &str| match path.strip_suffix("Cargo.toml") {
            Some(folder) => format!("packaged/lambda-src/{folder}Cargo.toml.in"),
            None => format!("packaged/lambda-src/{path}"),
        };
        let lambdas: Vec<String> = LAMBDA_SOURCES.iter().map(|(path, _)| renamed(path)).collect();
        let jobs = GlueSources::iter().map(|path| format!("glue-src/{path}"));
        let others = crate::project::built_in_files("");
        let missing: Vec<String> = lambdas
            .iter()
            .cloned()
            .chain(jobs)
            .chain(others)
            .filter(|path| !packaged.contains(path.as_str()))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
        let embedded = packaged.iter().filter(|path| path.starts_with("packaged/")).count();
        assert_eq!(embedded, lambdas.len(), "scripts/package-crate.sh and build.rs select the same files");
    }

    #[test]
    fn extraction_keeps_equal_files_and_removes_deleted_ones() {
        let root = tempfile::tempdir().unwrap();
        inputs(&[("a/b.rs", "1"), ("c.rs", "2")]).extract(root.path()).unwrap();
        let before = fs_err::metadata(root.path().join("a/b.rs")).unwrap().modified().unwrap();
        inputs(&[("a/b.rs", "1"), ("d.rs", "3")]).extract(root.path()).unwrap();
        assert_eq!(fs_err::metadata(root.path().join("a/b.rs")).unwrap().modified().unwrap(), before);
        assert!(!root.path().join("c.rs").exists() && root.path().join("d.rs").exists());
    }

    #[cfg(unix)]
    #[test]
    fn sources_do_not_come_from_outside_of_the_project() {
        use std::os::unix::fs::symlink;
        let outside = tempfile::tempdir().unwrap();
        fs_err::write(outside.path().join("credentials.rs"), "secret").unwrap();
        fs_err::create_dir(outside.path().join("crate")).unwrap();
        let project = |link: &dyn Fn(&Path)| {
            let root = tempfile::tempdir().unwrap();
            crate::project::write(&root.path().join("lambda-src/Cargo.toml"), b"[workspace]").unwrap();
            crate::project::write(&root.path().join("shared/common.rs"), b"common").unwrap();
            link(root.path());
            let read = Inputs::own(root.path());
            read.map(|inputs| inputs.files.into_keys().collect::<Vec<_>>()).map_err(|error| error.message().to_owned())
        };
        let file =
            project(&|root| symlink(outside.path().join("credentials.rs"), root.join("lambda-src/a.rs")).unwrap());
        assert_eq!(file.unwrap_err(), "`lambda-src/a.rs` is a symbolic link out of the project");
        let folder = project(&|root| symlink(outside.path().join("crate"), root.join("lambda-src/weather")).unwrap());
        assert_eq!(folder.unwrap_err(), "`lambda-src/weather` is a symbolic link out of the project");
        let cycle = project(&|root| symlink("..", root.join("lambda-src/up")).unwrap());
        assert_eq!(cycle.unwrap_err(), "`lambda-src/up/lambda-src` is a symbolic link to a folder that it is in");
        let inner = project(&|root| symlink("../shared", root.join("lambda-src/shared")).unwrap());
        assert_eq!(inner.unwrap(), ["Cargo.toml", "shared/common.rs"]);
    }

    #[test]
    fn project_jobs_override_built_in_ones() {
        let root = tempfile::tempdir().unwrap();
        crate::project::write(&root.path().join("glue-src/jobs/clean.py"), b"own").unwrap();
        crate::project::write(&root.path().join("glue-src/jobs/notes.txt"), b"no job").unwrap();
        let inputs = Inputs::glue(root.path()).unwrap();
        assert_eq!(inputs.files["jobs/clean.py"], b"own");
        assert!(!inputs.files.contains_key("jobs/notes.txt"));
    }
}
