//! The only reader of project files: the user's own, else those that are built in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_core::desired_state::{DesiredState, ProjectFiles};
use pipectl_process::Purpose;
use rust_embed::RustEmbed;

use crate::check;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::files;
use crate::limits;
use crate::plan::saved::Commit;
use crate::quantity::size;
use crate::render::{self, RenderedStack};
use crate::spec::Spec;
use crate::yaml::{Source, Span};

/// What every project has unless it brings its own: the templates, and the reference pipeline that `init` writes.
#[derive(RustEmbed)]
#[folder = "templates"]
#[prefix = "templates/"]
struct Templates;

#[derive(RustEmbed)]
#[folder = "stacks"]
#[prefix = "stacks/"]
struct Stacks;

#[derive(RustEmbed)]
#[folder = "sql"]
#[prefix = "sql/"]
struct Sql;

/// The example that begins with files.
#[derive(RustEmbed)]
#[folder = "examples/files"]
struct FilesExample;

/// What a new project begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Example {
    /// A Shopify shop, and CSV files beside it
    #[default]
    Shopify,
    /// CSV files as a spreadsheet writes them, with a few to try
    Files,
}

/// A folder with `stacks/pipeline.yaml`.
#[derive(Debug, Clone)]
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// Finds the project that a folder is in: itself or the nearest folder above with `stacks/pipeline.yaml`.
    pub fn find(start: &Path) -> Result<Self> {
        let start = fs_err::canonicalize(start)?;
        match start.ancestors().find(|folder| folder.join("stacks/pipeline.yaml").is_file()) {
            Some(root) => Ok(Self { root: root.to_owned() }),
            None => Err(Error::project(format!("no `stacks/pipeline.yaml` in `{}` or above", start.display()))
                .hint("run `pipectl init` to write a project here, or name its folder with `--project DIR`")),
        }
    }

    /// A file by its path within the project: the user's own, else the built-in one, else `None`.
    pub fn file(&self, path: &str) -> Result<Option<Arc<Source>>> {
        Ok(self.own(path)?.or_else(|| built_in(path)))
    }

    /// A file of the user's own; `None` if it is not there. Fails for a path that leads out of the project.
    fn own(&self, path: &str) -> Result<Option<Arc<Source>>> {
        let limit = match Path::new(path).extension().and_then(|ending| ending.to_str()) {
            Some("sql") => limits::SQL_BYTES,
            Some("hbs") => limits::TEMPLATE_BYTES,
            _ => limits::SPEC_BYTES,
        };
        let bytes = match files::read(&files::within(&self.root, path)?, limit) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(Error::project(format!("`{path}` is larger than {}", size(limit)))
                    .hint("split it: no project needs a file of this size"));
            }
            Err(error) => return Err(Error::project(format!("`{path}` cannot be read")).cause(&error)),
        };
        String::from_utf8(bytes).map(|text| Some(Source::new(path, text))).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let source = Source::new(path, String::from_utf8_lossy(error.as_bytes()));
            Error::project(format!("`{path}` is not in UTF-8"))
                .at(&Span::new(&source, at, at + 1), "no character of UTF-8")
                .hint("save the file as UTF-8")
        })
    }

    /// A file that must be there.
    fn needed(&self, path: &str) -> Result<Arc<Source>> {
        self.own(path)?.ok_or_else(|| Error::project(format!("`{path}` does not exist")))
    }

    /// The names of the project's environments, sorted.
    pub fn environments(&self) -> Vec<String> {
        let mut names: Vec<String> = fs_err::read_dir(self.root.join("stacks"))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.path().file_name()?.to_str()?.strip_suffix(".yaml").map(str::to_owned))
            .filter(|name| name != "pipeline")
            .collect();
        names.sort();
        names
    }

    /// The pipeline in one environment, checked, its marts' files included.
    pub fn spec(&self, environment: &str) -> Result<Spec> {
        let environments = self.environments();
        if !environments.iter().any(|name| name == environment) {
            return Err(Error::project(format!("unknown environment `{environment}`"))
                .note(format!("`stacks/{environment}.yaml` is missing"))
                .hint(did_you_mean(environment, environments.iter().map(String::as_str))));
        }
        Spec::load(
            &self.needed("stacks/pipeline.yaml")?,
            &self.needed(&format!("stacks/{environment}.yaml"))?,
            environment,
        )
    }

    /// Runs every rule of `pipectl check` over one environment, and returns what it deploys.
    pub fn check(&self, spec: &Spec) -> Result<DesiredState> {
        check::all(self.files(spec, &|path| self.file(path)), &self.named_environments()?, spec)
    }

    /// The names and accounts of all environments that can be read.
    fn named_environments(&self) -> Result<Vec<check::prefixes::Environment>> {
        let pipeline = self.needed("stacks/pipeline.yaml")?;
        let file = |name: String| Some((self.own(&format!("stacks/{name}.yaml")).ok()??, name));
        let files: Vec<(String, Arc<Source>)> =
            self.environments().into_iter().filter_map(file).map(|(file, name)| (name, file)).collect();
        Ok(check::prefixes::environments(&pipeline, &files))
    }

    /// The templates of all stacks, rendered, each stack after those that it needs.
    pub fn render(&self, spec: &Spec) -> Result<Vec<RenderedStack>> {
        render::stacks(spec, &|path| self.file(path))
    }

    /// The files beside the pipeline file, of which the desired state is made.
    fn files<'a>(&self, spec: &Spec, templates: render::Templates<'a>) -> ProjectFiles<'a> {
        let (marts, mut errors) = self.marts(spec);
        let (transforms, missing) = self.transforms(spec);
        errors.extend(missing);
        errors.extend(self.crates(spec));
        ProjectFiles { marts, transforms, errors, templates }
    }

    /// The stacks and the document of an environment. Fails with everything that prevents a deploy of them.
    pub fn desired_state(&self, spec: &Spec) -> Result<DesiredState> {
        DesiredState::assemble(spec, self.files(spec, &|path| self.file(path)))
    }

    /// The SQL text of each mart, in the order of the spec, and an error for each file that is missing.
    fn marts(&self, spec: &Spec) -> (Vec<(String, Arc<Source>)>, Vec<Error>) {
        let (mut marts, mut errors) = (Vec::new(), Vec::new());
        for (name, mart) in &spec.pipeline.marts {
            match self.query(spec, "marts", name, "sql", &mart.sql) {
                Ok(source) => marts.push((name.clone(), source)),
                Err(error) => errors.push(error),
            }
        }
        (marts, errors)
    }

    /// An error for each source of the user's own whose crate is not there, or cannot be built the same everywhere.
    pub fn crates(&self, spec: &Spec) -> Vec<Error> {
        let folder = self.root.join("lambda-src");
        let mut errors = Vec::new();
        for (name, source) in &spec.pipeline.sources {
            let Some(custom) = source.custom() else { continue };
            let package = &custom.package;
            let wrong = if !folder.join("Cargo.toml").is_file() {
                let hint = format!(
                    "make a cargo workspace: `lambda-src/Cargo.toml` with `[workspace]` and `members = [\"{package}\"]`"
                );
                Some(("`lambda-src/Cargo.toml` is missing".to_owned(), hint))
            } else if !folder.join(package).join("Cargo.toml").is_file() {
                let mut names = self.members();
                names.retain(|name| !pipectl_contract::names::Artifact::LAMBDAS.contains(&name.as_str()));
                let suggestion = if names.is_empty() {
                    String::new()
                } else {
                    format!("; {}", did_you_mean(package, names.iter().map(String::as_str)))
                };
                let hint = format!("make it with `cargo new --vcs none lambda-src/{package}`{suggestion}");
                Some((format!("`lambda-src/{package}/Cargo.toml` is missing"), hint))
            } else if !folder.join("Cargo.lock").is_file() {
                let hint = "run `cargo generate-lockfile` in `lambda-src`, and commit the lock".to_owned();
                Some(("`lambda-src/Cargo.lock` is missing".to_owned(), hint))
            } else {
                None
            };
            if let Some((what, hint)) = wrong {
                let error = Error::project(format!("the source `{name}` has no crate `{package}` to build: {what}"));
                let error = match spec.tree.pointer(&format!("/sources/{name}/lambda/crate")) {
                    Some(node) => error.at(&node.span, "no such crate"),
                    None => error,
                };
                errors.push(error.hint(hint));
            }
        }
        errors
    }

    /// The folders of `lambda-src` that are crates.
    fn members(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.root.join("lambda-src")).into_iter().flatten().flatten();
        let crates = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
        let mut names: Vec<String> = crates.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The SQL text of each table that is made by SQL, and an error for each file that is missing.
    fn transforms(&self, spec: &Spec) -> (Vec<(String, Arc<Source>)>, Vec<Error>) {
        let (mut transforms, mut errors) = (Vec::new(), Vec::new());
        for (name, table) in &spec.pipeline.tables {
            let Some(file) = &table.transform else { continue };
            match self.query(spec, "tables", name, "transform", file) {
                Ok(source) => transforms.push((name.clone(), source)),
                Err(error) => errors.push(error),
            }
        }
        (transforms, errors)
    }

    /// The SQL file that a mart or a table names under a key.
    fn query(&self, spec: &Spec, section: &str, name: &str, key: &str, file: &str) -> Result<Arc<Source>> {
        let (what, folder) = if section == "marts" { ("mart", "sql/marts") } else { ("table", "sql/transform") };
        let node = spec.tree.pointer(&format!("/{section}/{name}/{key}"));
        let at = |error: Error, label: &str| match node {
            Some(node) => error.at(&node.span, label),
            None => error,
        };
        match self.own(file) {
            Ok(Some(source)) => return Ok(source),
            Ok(None) => {}
            // Text that is not UTF-8 is pointed at within the file.
            Err(error) if error.span().is_some() => return Err(error),
            Err(error) => return Err(at(error, &format!("the file of {what} `{name}`"))),
        }
        let error = at(Error::project(format!("{what} `{name}` refers to a missing file: `{file}`")), "no such file");
        let there = self.sql_files(folder);
        let or = if there.is_empty() { String::new() } else { format!(", or name another: {there}") };
        Err(error.hint(format!("write the file with one `SELECT`{or}")))
    }

    fn sql_files(&self, folder: &str) -> String {
        let mut names: Vec<String> = fs_err::read_dir(self.root.join(folder))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(format!("{folder}/{}", entry.ok()?.file_name().to_str()?)))
            .collect();
        names.sort();
        names.join(", ")
    }

    /// The commit that the project's files are at; none outside of a git repository, or without git.
    pub fn commit(&self) -> Option<Commit> {
        let git = |args: &[&str]| {
            let output =
                pipectl_process::query("git", Purpose::Tool).arg("-C").arg(&self.root).args(args).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let sha = git(&["rev-parse", "HEAD"])?;
        Some(Commit { sha, modified: !git(&["status", "--porcelain", "--", "."])?.is_empty() })
    }

    /// Where pipectl keeps what it makes; nothing in it is worth a backup.
    pub fn state(&self) -> PathBuf {
        self.root.join(".pipectl")
    }
}

/// A built-in file by its path.
pub fn built_in(path: &str) -> Option<Arc<Source>> {
    let file = Templates::get(path).or_else(|| Stacks::get(path)).or_else(|| Sql::get(path))?;
    Some(Source::new(path, String::from_utf8_lossy(&file.data).into_owned()))
}

/// The built-in files whose path starts so, sorted.
pub fn built_in_files(start: &str) -> Vec<String> {
    let all = Templates::iter().chain(Stacks::iter()).chain(Sql::iter());
    let mut paths: Vec<String> = all.filter(|path| path.starts_with(start)).map(|path| path.to_string()).collect();
    paths.sort();
    paths
}

/// The files of a new project: what a user edits, each with its text. Templates, Lambdas and jobs stay built in.
pub fn example(example: Example) -> Vec<(String, String)> {
    let shared = |start: &str| {
        let paths = built_in_files(start).into_iter().filter(|path| !path.ends_with(".gitkeep"));
        paths.filter_map(|path| built_in(&path).map(|source| (path, source.text.clone()))).collect::<Vec<_>>()
    };
    let stacks = shared("stacks/");
    let mut workflows = shared("templates/github/");
    for (path, _) in &mut workflows {
        *path = path.replacen("templates/github/", ".github/workflows/", 1);
    }
    match example {
        Example::Shopify => [stacks, shared("sql/"), workflows].concat(),
        Example::Files => {
            let mut files: Vec<(String, String)> = FilesExample::iter()
                .filter_map(|path| {
                    let text = String::from_utf8_lossy(&FilesExample::get(&path)?.data).into_owned();
                    Some((path.into_owned(), text))
                })
                .collect();
            files.extend(stacks.into_iter().filter(|(path, _)| path == "stacks/prod.yaml"));
            files.sort();
            files.extend(workflows);
            files
        }
    }
}

/// Writes a file as a whole or not at all.
pub fn write(path: &Path, text: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let failed = |error: std::io::Error| unwritten(path, &error);
    let mut file = temporary(folder).map_err(failed)?;
    std::io::Write::write_all(&mut file, text).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// That a file cannot be written, by its own name and not by the one that it has until it is whole.
fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    // For its hint where the disk is full.
    let error = Error::from(std::io::Error::from(error.kind()));
    let located = Error::new(format!("cannot write `{}`: {}", path.display(), error.message()));
    error.hints().iter().fold(located, Error::hint)
}

/// Fails if a file could not be written: asked before work whose result must not be lost.
pub fn check_writable(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    temporary(folder).map_err(|error| unwritten(path, &error))?;
    Ok(())
}

/// A file that is given its name later. It is as open as the umask lets it be: see `private::begin`.
pub fn temporary(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Used where a file is the user's mistake.
pub fn misuse(message: impl Into<String>) -> Error {
    Error::new(message).exit(Exit::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_errors_name_the_file() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        insta::assert_snapshot!(unwritten(Path::new("r/iam.yaml"), &full), @"
        error: cannot write `r/iam.yaml`: no storage space
        = hint: free some space on this disk and run the command again: it resumes where it stopped
        ");
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("iam.yaml/other")).unwrap();
        let error = write(&folder.path().join("iam.yaml"), b"a").unwrap_err().to_string();
        let error = error.replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(error, @"error: cannot write `DIR/iam.yaml`: is a directory");
        // And nothing half-written stays.
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }
}
