//! Runs cargo on the Lambdas' workspace, and checks what it made.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use pipectl_process::Purpose;

use super::elf::{self, NEWEST_GLIBC, Unfit};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::spec::Architecture;

/// The most lines of cargo's that an error repeats.
const LINES: usize = 40;

/// A workspace on disk.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) folder: PathBuf,
    /// Where cargo builds; `None` leaves that to the workspace's own configuration.
    pub(super) target: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    /// The compiler and linker of this machine.
    Cargo,
    /// Through zig, which links for any processor and against any C library.
    Zigbuild,
}

/// The architecture of this machine, if Lambda has it.
pub(super) fn native() -> Option<Architecture> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some(Architecture::X86_64),
        ("linux", "aarch64") => Some(Architecture::Arm64),
        _ => None,
    }
}

/// The target that stands for an architecture of Lambda.
pub(super) fn triple(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Builds the binaries of these packages, each fit for Lambda, and returns their bytes by name.
///
/// The machine's own tools are used when they can make it; else cargo-zigbuild, when it is installed.
pub(super) fn build(
    source: &Source,
    packages: &[&str],
    architecture: Architecture,
    progress: &mut dyn FnMut(&str),
) -> Result<BTreeMap<String, Vec<u8>>> {
    if native() == Some(architecture) {
        let binaries = run(source, packages, Tool::Cargo, architecture, progress)?;
        match unfit(&binaries, architecture)? {
            None => return Ok(binaries),
            Some((name, Unfit::Glibc(version))) if !has_zigbuild() => {
                return Err(too_new(&name, version, architecture));
            }
            Some((name, Unfit::Architecture)) => return Err(foreign(&name, architecture)),
            Some((name, Unfit::Glibc(version))) => {
                progress(&format!(
                    "`{name}` needs glibc {version}, Lambda has {NEWEST_GLIBC}: building again with cargo-zigbuild"
                ));
            }
        }
    } else if !has_zigbuild() {
        return Err(Error::new(format!("this machine cannot build Lambdas for {} by itself", triple(architecture)))
            .note("`functions.architecture` is another than this machine's")
            .hint(install(architecture)));
    }
    let binaries = run(source, packages, Tool::Zigbuild, architecture, progress)?;
    match unfit(&binaries, architecture)? {
        None => Ok(binaries),
        Some((name, Unfit::Glibc(version))) => Err(too_new(&name, version, architecture)),
        Some((name, Unfit::Architecture)) => Err(foreign(&name, architecture)),
    }
}

/// Returns the first binary that Lambda could not start.
fn unfit(binaries: &BTreeMap<String, Vec<u8>>, architecture: Architecture) -> Result<Option<(String, Unfit)>> {
    for (name, binary) in binaries {
        if let Err(unfit) = elf::check(elf::read(name, binary)?, architecture) {
            return Ok(Some((name.clone(), unfit)));
        }
    }
    Ok(None)
}

fn run(
    source: &Source,
    packages: &[&str],
    tool: Tool,
    architecture: Architecture,
    progress: &mut dyn FnMut(&str),
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut command = command(source, packages, tool, architecture);
    // Compilers and linkers that are killed leave their temporary files: these go with the folder.
    #[cfg(unix)]
    let work = pipectl_process::TemporaryFolder::new("pipectl-build-")?;
    #[cfg(unix)]
    command.env("TMPDIR", work.path());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::new("cannot find `cargo`, which builds the Lambdas")
            .hint("install Rust: https://rustup.rs, then run the command again"),
        _ => Error::new("cannot run `cargo`").cause(&error),
    })?;
    // Cargo's messages are read beside its talk: a pipe that nobody empties would stop it.
    let stdout = child.stdout.take();
    let messages = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut text)).map(|_| text)
    });
    let mut last = VecDeque::new();
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        let line = line?;
        progress(line.trim());
        last.push_back(line);
        if last.len() > LINES {
            last.pop_front();
        }
    }
    let status = child.wait()?;
    let messages = messages.join().map_err(|_| Error::new("cannot read the messages of `cargo`"))??;
    if was_interrupted(status) {
        return Err(Error::new("interrupted")
            .hint("run it again: what is compiled already is not compiled again")
            .exit(Exit::Interrupted));
    }
    if !status.success() {
        let lines: Vec<String> = last.into();
        let mut error = Error::new(format!("cannot build the Lambdas in `{}`", source.folder.display()));
        error = error.note(lines.join("\n"));
        return Err(error.hint(advice(&lines, architecture)));
    }
    let made = executables(&messages);
    packages.iter().map(|name| Ok(((*name).to_owned(), binary(&made, name)?))).collect()
}

/// Whether Ctrl-C ended it, which on a terminal reaches cargo as well.
fn was_interrupted(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(rustix::process::Signal::INT.as_raw());
    #[cfg(not(unix))]
    return false;
}

fn command(source: &Source, packages: &[&str], tool: Tool, architecture: Architecture) -> Command {
    let mut command = pipectl_process::command("cargo", Purpose::Build);
    command.current_dir(&source.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match tool {
        Tool::Cargo => command.arg("build"),
        Tool::Zigbuild => command.args(["zigbuild", "--target", &format!("{}.{NEWEST_GLIBC}", triple(architecture))]),
    };
    command.args(["--release", "--locked", "--message-format=json-render-diagnostics"]);
    command.args(packages.iter().flat_map(|package| ["-p", package]));
    // The flags of the user's other projects, such as `target-cpu=native`, must not reach the Lambdas; and the places
    // of the sources must not either, so that every machine makes the same bytes.
    command.env("RUSTFLAGS", remap(&source.folder)).env("CARGO_TERM_COLOR", "never");
    if let Some(target) = &source.target {
        command.env("CARGO_TARGET_DIR", target);
    }
    command
}

fn remap(folder: &Path) -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let prefixes = [(Some(folder.to_owned()), "/lambda-src"), (home, "/cargo")];
    let flag = |(prefix, name): (Option<PathBuf>, &str)| {
        let prefix = prefix?.to_str()?.to_owned();
        // Cargo splits the flags at spaces.
        (!prefix.contains(' ')).then(|| format!("--remap-path-prefix={prefix}={name}"))
    };
    prefixes.into_iter().filter_map(flag).collect::<Vec<_>>().join(" ")
}

/// Takes the programs out of cargo's messages, by name.
fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    let executable = |line: &[u8]| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.split(|byte| *byte == b'\n').filter_map(executable).collect()
}

fn binary(made: &BTreeMap<String, PathBuf>, name: &str) -> Result<Vec<u8>> {
    match made.get(name) {
        Some(path) => Ok(fs_err::read(path)?),
        None => Err(Error::project(format!("the package `{name}` of `lambda-src` has no binary `{name}`"))
            .hint(format!("give it a `src/main.rs`, or a `[[bin]]` with `name = \"{name}\"`"))),
    }
}

fn has_zigbuild() -> bool {
    let version = pipectl_process::query("cargo", Purpose::Build).args(["zigbuild", "--version"]).output();
    version.is_ok_and(|output| output.status.success())
}

fn advice(lines: &[String], architecture: Architecture) -> String {
    let says = |words: &str| lines.iter().any(|line| line.contains(words));
    if says("--locked") {
        "`Cargo.toml` and `Cargo.lock` differ: run `cargo generate-lockfile` in `lambda-src`, and commit the lock"
            .to_owned()
    } else if says("can't find crate for `core`") || says("can't find crate for `std`") {
        format!("add the target: `rustup target add {}`", triple(architecture))
    } else if says("failed to download") || says("Could not resolve host") || says("failed to fetch") {
        "cargo needs the network, or a filled cache, the first time".to_owned()
    } else if says("linker `cc` not found") || says("failed to find tool") {
        "install a C compiler, for example `apt install gcc`".to_owned()
    } else {
        "correct what the compiler says above; built-in sources need the Rust version that `pipectl` names".to_owned()
    }
}

fn too_new(name: &str, version: elf::Version, architecture: Architecture) -> Error {
    Error::new(format!("the Lambda `{name}` needs glibc {version}, and Lambda has {NEWEST_GLIBC}"))
        .note("this machine's C library is newer than that of the runtime provided.al2023")
        .hint(install(architecture))
}

fn foreign(name: &str, architecture: Architecture) -> Error {
    Error::new(format!("the Lambda `{name}` was not built for {}", triple(architecture)))
        .hint("remove `build.target` from the cargo configuration of `lambda-src`")
}

fn install(architecture: Architecture) -> String {
    let target = triple(architecture);
    format!(
        "install cargo-zigbuild (`pip install cargo-zigbuild ziglang` and `rustup target add {target}`) and run this again: \
         it then builds with `cargo zigbuild --release --target {target}.{NEWEST_GLIBC}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"pipeline"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"load"},"executable":"/t/release/load"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let made = executables(messages.as_bytes());
        assert_eq!(made, BTreeMap::from([("load".to_owned(), PathBuf::from("/t/release/load"))]));
        assert!(binary(&made, "shopify").unwrap_err().to_string().contains("[[bin]]"));
    }

    #[test]
    fn commands_and_advice_name_the_target() {
        let source = Source { folder: "/project/lambda-src".into(), target: Some("/project/target".into()) };
        let command = command(&source, &["load"], Tool::Zigbuild, Architecture::Arm64);
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        assert_eq!(arguments[..3], ["zigbuild", "--target", "aarch64-unknown-linux-gnu.2.34"]);
        assert!(arguments.contains(&"--locked".into()) && arguments.contains(&"--release".into()));
        let error = too_new("load", elf::Version(2, 38), Architecture::X86_64).to_string();
        assert!(error.contains("cargo zigbuild --release --target x86_64-unknown-linux-gnu.2.34"), "{error}");
    }
}
