//! Lambda zips and Glue jobs as content-addressed artifacts.
//!
//! ```text
//! mod → cargo (runs cargo) → elf      what may be built, and whether Lambda can start it
//!     → zip, inputs                   pure: bytes in, bytes out; paths and contents in, digest out
//! ```
//!
//! An artifact's key holds its sha256, so equal bytes are uploaded once, and a template changes only when code does.
//! What was built last stands in `.pipectl/package/manifest.json`, under a digest of all that went into it.

mod cargo;
mod elf;
mod inputs;
mod manifest;
#[cfg(feature = "rehearse")]
mod spark_runner;
mod zip;

use std::path::{Path, PathBuf};

use pipectl_contract::names;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::project;
use crate::spec::Architecture;
use inputs::Inputs;
use manifest::{Manifest, Part};
#[cfg(feature = "rehearse")]
pub use spark_runner::runner;

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A zip with a `bootstrap`.
    Lambda,
    /// The entry script of a Glue job.
    Job,
    /// The Python package that the jobs share, as a zip for `--extra-py-files`.
    Library,
}

/// A file for the artifact bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    pub kind: Kind,
    /// `shopify`, `load`, `clean`, `transform`, `pipectl_glue`.
    pub name: String,
    /// The object's key; it holds the sha256.
    pub key: String,
    /// Where the bytes lie on this machine.
    pub path: PathBuf,
    pub sha256: String,
    pub size: u64,
}

/// Whether cargo may be run, and with it the build scripts of the project's crates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    IfChanged,
    Never,
}

impl Compile {
    /// What the flag `--no-build` asks for.
    pub fn unless(no_build: bool) -> Self {
        if no_build { Self::Never } else { Self::IfChanged }
    }
}

/// All that a deployment uploads besides templates and the pipeline document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Sorted by key.
    pub artifacts: Vec<Artifact>,
    /// False when nothing had changed since the last build.
    pub rebuilt: bool,
}

impl Package {
    pub fn find(&self, kind: Kind, name: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.kind == kind && artifact.name == name)
    }
}

/// Builds what has changed, and returns all artifacts. `progress` gets a line now and then while cargo works.
pub fn build(project_root: &Path, architecture: Architecture, progress: &mut dyn FnMut(&str)) -> Result<Package> {
    build_with(project_root, architecture, &[], Compile::IfChanged, progress)
}

/// The same, with the crates of the user's own sources, which are in the project's `lambda-src`.
pub fn build_with(
    project_root: &Path,
    architecture: Architecture,
    crates: &[&str],
    compile: Compile,
    progress: &mut dyn FnMut(&str),
) -> Result<Package> {
    let root = fs_err::canonicalize(project_root)?;
    let folder = root.join(".pipectl/package");
    let mut manifest = Manifest::read(&folder);
    let way = |names: &[&str]| format!("lambda {} release {}", cargo::triple(architecture), names.join(" "));
    let mut rebuilt = false;
    let [built_in, own] = workspaces(&root, crates)?;
    for ((inputs, names), part) in [(built_in, &mut manifest.lambda), (own, &mut manifest.own)] {
        if names.is_empty() {
            *part = Part::default();
            continue;
        }
        let digest = inputs.digest(&way(&names));
        if part.is_current(&folder, &digest) {
            continue;
        }
        if compile == Compile::Never {
            let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(Error::project(format!("nothing is packaged for these sources of the Lambdas {names}"))
                .hint("run `pipectl package` with this pipectl and these files first, or leave out `--no-build`"));
        }
        rebuilt = true;
        *part = Part { digest, artifacts: lambdas(&root, &inputs, &names, architecture, progress)? };
        part.store(&folder)?;
    }
    let glue = Inputs::glue(&root)?;
    let glue_digest = glue.digest("glue");
    if !manifest.glue.is_current(&folder, &glue_digest) {
        rebuilt = true;
        manifest.glue = Part { digest: glue_digest, artifacts: jobs(&glue)? };
        manifest.glue.store(&folder)?;
    }
    if rebuilt {
        manifest.write(&folder)?;
    }
    let mut artifacts: Vec<Artifact> = manifest.artifacts(&folder).collect();
    artifacts.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Package { artifacts, rebuilt })
}

/// What is built from which workspace: pipectl's Lambdas, and what the project's own `lambda-src` has. A crate there
/// with the name of one of pipectl's is taken in its place; a workspace with all of them is the only one.
fn workspaces<'a>(root: &Path, crates: &[&'a str]) -> Result<[(Inputs, Vec<&'a str>); 2]> {
    let own = Inputs::own(root)?;
    let has = |name: &&str| own.has(&format!("{name}/Cargo.toml"));
    let (replaced, built_in): (Vec<&str>, Vec<&str>) = names::Artifact::LAMBDAS.into_iter().partition(has);
    let of_own: Vec<&str> = replaced.into_iter().chain(crates.iter().copied()).collect();
    let none = (Inputs::none(), Vec::new());
    if built_in.is_empty() {
        return Ok([(own, of_own), none]);
    }
    let second = if of_own.is_empty() { none } else { (own, of_own) };
    Ok([(Inputs::built_in(), built_in), second])
}

fn lambdas(
    root: &Path,
    inputs: &Inputs,
    names: &[&str],
    architecture: Architecture,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<manifest::Built>> {
    let source = match inputs.folder() {
        Some(folder) => cargo::Source { folder: folder.to_owned(), target: None },
        None => {
            let folder = root.join(".pipectl/package/source/lambda-src");
            inputs.extract(&folder)?;
            cargo::Source { folder, target: Some(root.join(".pipectl/target/lambda")) }
        }
    };
    let binaries = cargo::build(&source, names, architecture, progress)?;
    let zipped = binaries.into_iter().map(|(name, bytes)| {
        let zip = zip::archive(&[zip::Entry { path: "bootstrap".to_owned(), executable: true, bytes }])?;
        Ok(manifest::Built::new(Kind::Lambda, &name, zip))
    });
    zipped.collect()
}

fn jobs(inputs: &Inputs) -> Result<Vec<manifest::Built>> {
    let mut built = Vec::new();
    let mut library = Vec::new();
    for (path, bytes) in inputs.files() {
        let job = path.strip_prefix("jobs/").and_then(|path| path.strip_suffix(".py"));
        match job {
            Some(name) => built.push(manifest::Built::new(Kind::Job, name, bytes.to_vec())),
            None => library.push(zip::Entry { path: path.to_owned(), executable: false, bytes: bytes.to_vec() }),
        }
    }
    if built.is_empty() || library.is_empty() {
        return Err(Error::project("`glue-src` has no jobs or no `pipectl_glue` package")
            .hint("put the jobs into `glue-src/jobs/*.py`, or remove `glue-src` to use the built-in ones"));
    }
    built.push(manifest::Built::new(Kind::Library, "pipectl_glue", zip::archive(&library)?));
    Ok(built)
}

/// Writes a file as a whole or not at all, unless it is there with the same bytes.
///
/// An untouched file keeps its time, by which cargo knows that it need not compile it again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    match files::read(path, bytes.len() as u64) {
        Ok(present) if present == bytes => Ok(()),
        _ => project::write(path, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            project::write(&root.path().join(path), text.as_bytes()).unwrap();
        }
        root
    }

    /// A workspace with the names of the Lambdas and nothing to compile but `main`.
    fn lambdas() -> Vec<(String, String)> {
        let mut files = vec![(
            "lambda-src/Cargo.toml".to_owned(),
            "[workspace]\nresolver = \"3\"\nmembers = [\"load\", \"shopify\"]\n".to_owned(),
        )];
        let mut lock = "version = 4\n".to_owned();
        for name in names::Artifact::LAMBDAS {
            let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
            files.push((format!("lambda-src/{name}/Cargo.toml"), manifest));
            files.push((format!("lambda-src/{name}/src/main.rs"), "fn main() {}\n".to_owned()));
            lock.push_str("\n[[package]]\nname = \"");
            lock.push_str(name);
            lock.push_str("\"\nversion = \"0.1.0\"\n");
        }
        files.push(("lambda-src/Cargo.lock".to_owned(), lock));
        files.push(("glue-src/jobs/clean.py".to_owned(), "print()\n".to_owned()));
        files.push(("glue-src/pipectl_glue/__init__.py".to_owned(), String::new()));
        files
    }

    #[test]
    fn builds_only_changed_crates() {
        let files = lambdas();
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let root = project(&files);
        let native = cargo::native().unwrap();
        let mut lines = Vec::new();
        let first = build(root.path(), native, &mut |line| lines.push(line.to_owned())).unwrap();
        assert!(first.rebuilt && lines.iter().any(|line| line.contains("Compiling shopify")), "{lines:?}");
        let shopify = first.find(Kind::Lambda, "shopify").unwrap();
        assert_eq!(shopify.key, format!("lambda/shopify-{}.zip", shopify.sha256));
        assert_eq!(fs_err::metadata(&shopify.path).unwrap().len(), shopify.size);
        assert!(first.find(Kind::Job, "clean").unwrap().key.starts_with("glue/clean-"));
        assert!(first.find(Kind::Library, "pipectl_glue").is_some());

        let mut silence = |line: &str| panic!("{line}");
        let second = build(root.path(), native, &mut silence).unwrap();
        assert_eq!(second, Package { rebuilt: false, ..first.clone() });

        // A job's change builds no Lambda again.
        project::write(&root.path().join("glue-src/jobs/clean.py"), b"print(1)\n").unwrap();
        let third = build(root.path(), native, &mut silence).unwrap();
        assert!(third.rebuilt && third.find(Kind::Lambda, "load") == first.find(Kind::Lambda, "load"));
        assert_ne!(third.find(Kind::Job, "clean"), first.find(Kind::Job, "clean"));

        // An artifact that is broken or gone is made again, the same.
        fs_err::write(&shopify.path, "broken").unwrap();
        let fourth = build(root.path(), native, &mut |_| {}).unwrap();
        assert_eq!(fourth.find(Kind::Lambda, "shopify"), Some(shopify));
    }

    #[test]
    fn a_compile_error_contains_the_compilers_output() {
        let mut files = lambdas();
        files.retain(|(path, _)| path != "lambda-src/load/src/main.rs");
        files.push(("lambda-src/load/src/main.rs".to_owned(), "fn main() { nonsense }\n".to_owned()));
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let root = project(&files);
        let error = build(root.path(), cargo::native().unwrap(), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("lambda-src"), "{error}");
    }
}
