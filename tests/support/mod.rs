//! Runs the real binary in a temporary project and returns its output.

#[cfg(feature = "rehearse")]
pub(crate) mod cloud;
#[cfg(feature = "rehearse")]
pub(crate) mod fixtures;
#[cfg(feature = "rehearse")]
pub(crate) mod page;
#[cfg(feature = "rehearse")]
pub(crate) mod proxy;
#[cfg(feature = "rehearse")]
pub(crate) mod terminal;
pub(crate) mod test_server;
#[cfg(feature = "rehearse")]
pub(crate) mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) use pipectl_core::testing::{cannot_run, recorded};
use tempfile::TempDir;

/// A project in a temporary folder.
pub(crate) struct Test {
    pub(crate) folder: TempDir,
    environment: Vec<(String, String)>,
}

/// Lets `check` pass a bucket whose name is wrong, so that its creation fails.
pub(crate) const UNCHECKED: &str =
    "    Metadata: {pipectl: {ignore: {schema: the creation must fail, s3-bucket-name: the creation must fail}}}\n";

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Python with Spark: that of `make setup`, unless another is named.
pub(crate) fn python() -> PathBuf {
    std::env::var_os("PIPECTL_PYTHON").map_or_else(|| root().join(".venv/bin/python"), PathBuf::from)
}

/// Whether the repository's Lambdas are packaged. If not, the test fails, unless it is skipped.
pub(crate) fn is_packaged() -> bool {
    let packaged = root().join(".pipectl/package/manifest.json").is_file();
    if !packaged {
        cannot_run("package", "nothing is packaged", "target/debug/pipectl package --env local");
    }
    packaged
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn write(path: &Path, text: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

impl Test {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// The reference project's own files.
    pub(crate) fn reference() -> Self {
        let test = Self::empty();
        copy(&root().join("stacks"), &test.path("stacks"));
        copy(&root().join("sql"), &test.path("sql"));
        test
    }

    /// The reference project with the repository's package: a test does not compile the Lambdas. `None` if the test is
    /// skipped because nothing is packaged.
    pub(crate) fn packaged() -> Option<Self> {
        if !is_packaged() {
            return None;
        }
        let test = Self::reference();
        copy(&root().join(".pipectl/package"), &test.path(".pipectl/package"));
        Some(test)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(self, path: &str, text: &str) -> Self {
        write(&self.path(path), text.as_bytes());
        self
    }

    /// Changes a file; the old text must stand in it.
    pub(crate) fn edit(self, path: &str, old: &str, new: &str) -> Self {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "`{old}` is not in {path}");
        self.write(path, &text.replacen(old, new, 1))
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(env!("CARGO_BIN_EXE_pipectl"), arguments)
    }

    /// Another program in the same surroundings.
    pub(crate) fn wrapped(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).env_clear();
        // The last five are those with which scripts/test-clock.sh shifts the clock.
        for name in [
            "PATH",
            "HOME",
            "JAVA_HOME",
            "TMPDIR",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "LD_PRELOAD",
            "FAKETIME",
            "FAKETIME_DONT_FAKE_MONOTONIC",
            "FAKE_UTIME",
            "PIPECTL_TEST_SHIFT",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("PIPECTL_PYTHON", python());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs and shows exit code, stdout and stderr, with what differs from run to run taken out.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        self.show(&output)
    }

    /// Runs and shows the exit code and the error: the progress before it differs from run to run.
    pub(crate) fn end(&self, arguments: &[&str]) -> String {
        Self::tail(&self.run(arguments))
    }

    /// The exit code and the error of what was shown.
    pub(crate) fn tail(shown: &str) -> String {
        let code = shown.lines().next().unwrap_or_default();
        let error = shown.find("\nerror: ").map_or("no error", |at| &shown[at + 1..]);
        format!("{code}\n{error}")
    }

    pub(crate) fn show(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .replace(&self.folder.path().canonicalize().unwrap().display().to_string(), "[PROJECT]")
                .replace(&self.folder.path().display().to_string(), "[PROJECT]")
        };
        format!(
            "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
            output.status.code().map_or("none".to_owned(), |code| code.to_string()),
            text(&output.stdout),
            text(&output.stderr),
        )
    }
}
