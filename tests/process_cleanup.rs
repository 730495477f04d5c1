//! Processes and files of a killed pipectl, concurrent runs, and a full disk.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::rehearse::{count, made_ready, project, report};
use crate::support::{self, Test, cannot_run};

/// How long the watchdog may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// The processes that this pipectl has started, with their names: they inherit its marker.
pub(crate) fn children_of(pipectl: u32) -> Vec<(PathBuf, String)> {
    let start = format!("PIPECTL_RUN={pipectl}-");
    let marked = |environment: &[u8]| environment.split(|byte| *byte == 0).any(|one| one.starts_with(start.as_bytes()));
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes
        .filter(|process| std::fs::read(process.join("environ")).is_ok_and(|environment| marked(&environment)))
        .map(|process| {
            let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
            (process, name.trim().to_owned())
        })
        .collect()
}

/// Random moments, another for each run. A failure names the seed; `PIPECTL_SEED` repeats it.
struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    fn new() -> Self {
        let given = std::env::var("PIPECTL_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into();
        let seed = given.unwrap_or_else(now);
        Self { seed, state: seed | 1 }
    }

    /// A time up to `most` milliseconds.
    fn next(&mut self, most: u64) -> Duration {
        // Xorshift: any spread will do.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Duration::from_millis(self.state % most)
    }
}

/// A project with its own folder for temporary files.
struct Workspace {
    test: Test,
    temporary: PathBuf,
}

impl Workspace {
    fn new(test: Test) -> Self {
        let temporary = test.path("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let test = test.env("TMPDIR", &temporary.display().to_string());
        Self { test, temporary }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.test.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Kills a run after some time, and returns how many children it had. Nothing may be left of it.
    fn kill(&self, arguments: &[&str], after: Duration, seed: u64) -> usize {
        let mut child = self.start(arguments);
        std::thread::sleep(after);
        let children = children_of(child.id()).len();
        // It may have ended by itself.
        child.kill().unwrap();
        child.wait().unwrap();
        let what = format!("{arguments:?} killed after {after:?}, seed {seed}");
        let began = Instant::now();
        loop {
            let left = self.left(child.id());
            if left.is_empty() {
                return children;
            }
            assert!(began.elapsed() < LIMIT, "{what}: left {left:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The processes and the temporary folders that a run has left.
    fn left(&self, pipectl: u32) -> Vec<String> {
        let mut left: Vec<String> = children_of(pipectl).into_iter().map(|(_, name)| name).collect();
        let temporary = std::fs::read_dir(&self.temporary).unwrap().flatten();
        left.extend(temporary.map(|entry| entry.path().display().to_string()));
        let work = self.test.path(".pipectl/local/work");
        left.extend(work.exists().then(|| work.display().to_string()));
        left
    }
}

#[test]
fn a_killed_package_leaves_no_processes_or_temporary_files() {
    let test = Test::empty();
    let init = test.command(&["init", "."]).output().unwrap();
    assert!(init.status.success(), "{}", test.show(&init));
    let workspace = Workspace::new(test);
    let mut moments = Moments::new();
    // The first of the crates takes longer than this, so it is never done.
    let kills = [300, 1_500, 3_000, 4_000]
        .map(|most| workspace.kill(&["package", "--env", "local"], moments.next(most), moments.seed));
    let last = workspace.kill(&["package", "--env", "local"], Duration::from_secs(3), moments.seed);
    assert!(last > 0, "cargo was at work: {kills:?}");
}

#[test]
fn a_local_deploy_can_be_killed_at_any_time() {
    let Some(test) = project() else { return };
    let workspace = Workspace::new(test);
    let mut moments = Moments::new();
    for _ in 0..6 {
        workspace.kill(&["deploy", "--env", "local", "--yes"], moments.next(1_500), moments.seed);
    }
    let last = workspace.test.command(&["deploy", "--env", "local", "--yes"]).output().unwrap();
    assert!(last.status.success(), "seed {}: {}", moments.seed, workspace.test.show(&last));
    let plan = workspace.test.command(&["plan", "--env", "local", "--exit-code"]).output().unwrap();
    assert_eq!(plan.status.code(), Some(0), "seed {}: {}", moments.seed, workspace.test.show(&plan));
}

/// A few rows for one source: a rehearsal with them is short.
fn stores(test: &Test, count: u32) {
    let rows: String = (0..count).map(|number| format!("s{number},Store {number}\n")).collect();
    support::write(&test.path("erp/stores.csv"), format!("id,name\n{rows}").as_bytes());
}

const SHORT: [&str; 2] = ["--data", "erp=erp"];

#[test]
fn killed_and_concurrent_rehearsals_lose_and_repeat_nothing() {
    let Some(test) = project() else { return };
    let workspace = Workspace::new(test);
    stores(&workspace.test, 40);
    let mut moments = Moments::new();
    let arguments = ["rehearse", "--env", "local", SHORT[0], SHORT[1]];
    for _ in 0..4 {
        workspace.kill(&arguments, moments.next(14_000), moments.seed);
    }
    let mut both = [workspace.start(&arguments), workspace.start(&arguments)];
    let ids = both.each_ref().map(Child::id);
    let codes = both.each_mut().map(|child| child.wait().unwrap().code());
    // The second waits a while for the first, and then says who keeps it waiting.
    assert!(codes.contains(&Some(0)) && codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
    for id in ids {
        // The watchdog ends a moment after the run.
        let began = Instant::now();
        while !workspace.left(id).is_empty() {
            assert!(began.elapsed() < LIMIT, "{:?}", workspace.left(id));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let (code, report) = report(&workspace.test, &SHORT);
    assert_eq!(code, Some(0), "seed {}: {report:#}", moments.seed);
    assert_eq!(count(&report, "stores"), 40, "seed {}: {report:#}", moments.seed);
}

/// A small file system in memory at a folder, as long as this lives. `None` if the test is skipped because it cannot be mounted.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4g,mode=0700", "tmpfs"]).arg(folder).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder.to_owned())),
            other => {
                cannot_run("disk", format!("no small disk can be mounted: {other:?}"), "run it as root, on Linux");
                None
            }
        }
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }

    /// In kilobytes.
    fn used(&self) -> u64 {
        let output = Command::new("df").args(["-k", "--output=used"]).arg(&self.0).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap().trim().parse().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_is_reported_and_the_next_rehearsal_completes() {
    let Some(test) = project() else { return };
    let state = test.path(".pipectl");
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    let Some(disk) = SmallDisk::mount(&state) else { return };
    made_ready(&test, ".");
    stores(&test, 2_000);
    let deployed = test.command(&["deploy", "--env", "local", "--yes"]).output().unwrap();
    assert!(deployed.status.success(), "{}", test.show(&deployed));
    // Too little for anything, for Spark's own files, for the rows.
    for more in [0, 300, 2_000] {
        disk.resize(&format!("{}k", disk.used() + more));
        let output = test.command(&["rehearse", "--env", "local", SHORT[0], SHORT[1]]).output().unwrap();
        let text = test.show(&output);
        assert!(matches!(output.status.code(), Some(0 | 1)) && !text.contains("panicked"), "{more} kB left: {text}");
        assert!(more > 0 || output.status.code() == Some(1), "{text}");
        if output.status.code() == Some(1) {
            assert!(text.to_lowercase().contains("space"), "{more} kB left: {text}");
        }
        disk.resize("4g");
    }
    let (code, report) = report(&test, &SHORT);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(count(&report, "stores"), 2_000, "{report:#}");
}

/// What other users of the machine may read in a folder.
pub(crate) fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let found = entry.metadata().unwrap();
            if found.is_dir() {
                folders.push(entry.path());
            }
            if !found.is_symlink() && found.mode() & 0o077 != 0 {
                open.push(format!("{:o} {}", found.mode() & 0o777, entry.path().display()));
            }
        }
    }
    open
}
