//! The watchdog: a second process of pipectl that survives a `kill -9` of the first, and cleans up after it.
//!
//! It reads from a pipe that only pipectl writes to. The pipe ends when pipectl does, however it does, and not before
//! every child that pipectl was just starting runs with its own environment. Then the watchdog ends all processes that
//! bear the marker of the run, and removes the temporary folders that it was given. If it is killed too, the next run
//! does that.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::environment::{self, Purpose};
use crate::orphans;

/// The argument that makes pipectl a watchdog.
const ARGUMENT: &str = "__watchdog";
/// How often a removal is tried, and the pause between: a process that was just killed may still write for a moment.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Whether this process may start a watchdog: its program must know [`serve`].
static ENABLED: OnceLock<()> = OnceLock::new();
static RUN: OnceLock<Option<Run>> = OnceLock::new();

/// This run, as its watchdog knows it.
struct Run {
    marker: String,
    /// Never closed by this process: the watchdog would think that it has ended.
    pipe: Mutex<ChildStdin>,
}

/// Serves as the watchdog if this process was started as one, and returns whether it was. If not, this process may start
/// one from now on. `main` calls it first of all.
pub fn serve() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == ARGUMENT)
        && let Some(marker) = arguments.next().and_then(|marker| marker.into_string().ok())
    {
        watch(&marker);
        return true;
    }
    ENABLED.set(()).ok();
    false
}

/// The marker for a child, after the watchdog has been started. Nothing in a program that is not pipectl, such as a test.
pub(crate) fn marker() -> Option<(&'static str, &'static str)> {
    run().map(|run| (orphans::MARKER, run.marker.as_str()))
}

/// Removes this folder, or file, when pipectl has been killed. On every other end it is the caller's to remove.
pub fn remove_when_killed(path: &Path) {
    if let Some(run) = run() {
        let mut pipe = run.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = path.as_os_str().as_encoded_bytes().to_vec();
        line.push(0);
        // Without a watchdog, the next run removes it.
        pipe.write_all(&line).ok();
    }
}

fn run() -> Option<&'static Run> {
    ENABLED.get()?;
    RUN.get_or_init(|| start().ok()).as_ref()
}

fn start() -> std::io::Result<Run> {
    orphans::end_orphans();
    let marker = orphans::marker_of_this_process()?;
    // The file that this process runs, also where a new version has replaced it.
    let program =
        if Path::new("/proc/self/exe").exists() { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
    let mut command = Command::new(program);
    command.args([ARGUMENT, &marker]).current_dir("/").env_clear().envs(environment::inherited(Purpose::Tool));
    // A separate process group: Ctrl-C at the terminal is for pipectl.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pipe = child.stdin.take().ok_or_else(|| std::io::Error::other("no pipe to the watchdog"))?;
    Ok(Run { marker, pipe: Mutex::new(pipe) })
}

/// Waits for the end of pipectl, then cleans up.
fn watch(marker: &str) {
    let mut given = Vec::new();
    std::io::stdin().read_to_end(&mut given).ok();
    orphans::end_run(marker);
    for path in given.split(|byte| *byte == 0).filter(|path| path.starts_with(b"/")) {
        remove(&path_of(path));
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from(String::from_utf8_lossy(bytes).into_owned()))
}

/// Removes a folder or a file; links are removed, not followed.
fn remove(path: &Path) {
    for _ in 0..TRIES {
        let Ok(found) = std::fs::symlink_metadata(path) else { return };
        let removed = if found.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        if removed.is_ok() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
