//! Finds the processes of a run by the marker in their environment.
//!
//! A process id alone says nothing: the system gives it to another process later. The marker is inherited by all that a
//! child starts, whichever process group it makes for itself. Only Linux shows the environment of a process; elsewhere
//! nothing is found.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that holds the marker of a run: `<process id>-<start time>-<random>`.
pub(crate) const MARKER: &str = "PIPECTL_RUN";

/// PostgreSQL ends its children and gives its shared memory back within this time; then it is killed.
const POSTGRES: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(15);

/// The marker of this process.
pub(crate) fn marker_of_this_process() -> std::io::Result<String> {
    let id = std::process::id();
    let began = start_time(Path::new("/proc/self")).unwrap_or_default();
    Ok(format!("{id}-{began}-{}", crate::random_hex(8)?))
}

/// Ends all processes of a run, and waits until they have ended.
pub(crate) fn end_run(marker: &str) {
    end(|found| found == marker);
}

/// Ends the processes of runs whose pipectl no longer exists.
pub(crate) fn end_orphans() {
    end(|marker| !owner_lives(marker));
}

fn end(belongs: impl Fn(&str) -> bool) {
    let began = Instant::now();
    loop {
        let mut left = false;
        for (process, name) in marked(&belongs) {
            left = true;
            // Killed at once, PostgreSQL would leave shared memory and its own children behind.
            let signal = if name == "postgres" && began.elapsed() < POSTGRES { Signal::QUIT } else { Signal::KILL };
            kill_process(process, signal).ok();
        }
        if !left || began.elapsed() > LIMIT {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The living processes whose marker `belongs`, each with its name.
fn marked(belongs: &impl Fn(&str) -> bool) -> Vec<(Pid, String)> {
    let own = std::fs::read_link("/proc/self/ns/pid").ok();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(process) =
            process.filter(|process| process.as_raw_nonzero().get().unsigned_abs() != std::process::id())
        else {
            continue;
        };
        let folder = entry.path();
        // Of a zombie the environment is empty; those of other users cannot be read.
        let Ok(environment) = std::fs::read(folder.join("environ")) else { continue };
        let marker = environment.split(|byte| *byte == 0).find_map(|variable| {
            std::str::from_utf8(variable).ok()?.strip_prefix(MARKER)?.strip_prefix('=').map(str::to_owned)
        });
        // In a container, process ids mean other processes than they do here.
        let here = || std::fs::read_link(folder.join("ns/pid")).ok() == own;
        if marker.is_some_and(|marker| belongs(&marker)) && here() {
            let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
            found.push((process, name.trim().to_owned()));
        }
    }
    found
}

/// Whether the pipectl that made this marker still exists. True if the marker is of another form.
fn owner_lives(marker: &str) -> bool {
    let mut parts = marker.split('-');
    let (Some(id), Some(began)) = (parts.next(), parts.next()) else { return true };
    if id.parse::<u32>().is_err() || began.parse::<u64>().is_err() {
        return true;
    }
    start_time(&Path::new("/proc").join(id)).is_some_and(|time| time.to_string() == began)
}

/// When a process was started, in ticks since the system was.
fn start_time(folder: &Path) -> Option<u64> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // The name of the program is in parentheses and may hold any character.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn sleeper(marker: &str) -> std::process::Child {
        let mut command = Command::new("sh");
        // Its own child makes another process group, as PostgreSQL's do.
        command.args(["-c", "setsid sleep 300 & echo started; wait"]).env(MARKER, marker);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        child
    }

    #[test]
    fn only_processes_of_the_run_are_ended() {
        let (one, other) = (marker_of_this_process().unwrap(), marker_of_this_process().unwrap());
        let (mut ended, mut kept) = (sleeper(&one), sleeper(&other));
        end_run(&one);
        assert!(!ended.wait().unwrap().success());
        assert_eq!(marked(&|marker: &str| marker == one).len(), 0);
        assert!(kept.try_wait().unwrap().is_none());
        assert!(owner_lives(&other), "this process lives");
        end_run(&other);
        kept.wait().unwrap();
    }

    #[test]
    fn children_of_a_dead_pipectl_are_orphans() {
        let mut gone = Command::new("true").spawn().unwrap();
        let id = gone.id();
        gone.wait().unwrap();
        // Also where its number belongs to another process by now.
        for marker in [format!("{id}-12345-ab"), format!("{}-1-ab", std::process::id())] {
            let mut child = sleeper(&marker);
            assert!(!owner_lives(&marker));
            end_orphans();
            assert!(!child.wait().unwrap().success());
        }
        assert!(owner_lives("of another form"), "what is not understood is not ended");
    }
}
