//! The PostgreSQL server: created once, started with the rehearsal, stopped with it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::binaries::{self, Binaries};
use super::os_account::Account;
use super::socket::SocketFolder;
use crate::error::{Error, Result};

/// The database superuser.
pub const USER: &str = "pipectl_admin";
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The prefix of the directory that holds the server's socket.
const SOCKET_PREFIX: &str = "pipectl-warehouse-";

/// A running server, stopped when it is dropped.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    account: Account,
    data: PathBuf,
    socket: SocketFolder,
    child: Child,
    /// Held as long as this process uses the data.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: File,
}

impl Server {
    /// Starts the server on the data in `directory`, which is made if it is missing. `environment` is a Python virtual
    /// environment that may hold the wheel `pgserver`. Waits until the server listens.
    pub fn start(directory: &Path, environment: Option<&Path>) -> Result<Self> {
        fs_err::create_dir_all(directory)?;
        let directory = fs_err::canonicalize(directory)?;
        let lock = lock(&directory, "the warehouse")?;
        let data = directory.join("data");
        let binaries = binaries::find(environment, version_of(&data))?;
        let account = Account::choose(&[&data, &binaries.postgres()])?;
        end_leftover(&data)?;
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, &account, &directory, &data)?;
        }
        let socket = SocketFolder::new(SOCKET_PREFIX, &account)?;
        let child = spawn(&binaries, &account, &data, socket.path())?;
        let mut server = Self { binaries, account, data, socket, child, lock };
        server.wait_until_listening()?;
        Ok(server)
    }

    pub fn psql(&self) -> String {
        self.binaries.psql()
    }

    /// The directory of the server's socket.
    pub fn socket(&self) -> &Path {
        self.socket.path()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Leaves the server running, as a run that is killed does.
    #[cfg(test)]
    pub fn abandon(self) {
        let server = std::mem::ManuallyDrop::new(self);
        // What the kernel does with the files of a killed process.
        rustix::fs::flock(&server.lock, rustix::fs::FlockOperation::Unlock).unwrap();
    }

    /// Starts the server again if it has died.
    pub fn revive(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            return Ok(());
        }
        // The processes of a killed server end when they notice; until then they hold its shared memory.
        let limit = Instant::now() + STOP_LIMIT;
        loop {
            remove_if_there(&self.data.join("postmaster.pid"))?;
            self.child = spawn(&self.binaries, &self.account, &self.data, self.socket.path())?;
            match self.wait_until_listening() {
                Err(error) if Instant::now() > limit => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn wait_until_listening(&mut self) -> Result<()> {
        let limit = Instant::now() + START_LIMIT;
        let status = self.data.join("postmaster.pid");
        loop {
            if let Some(exit) = self.child.try_wait()? {
                return Err(Error::new(format!("PostgreSQL ended while it started ({exit})"))
                    .note(self.log_tail())
                    .hint(format!("if the data is broken, delete {} and load again", self.data.display())));
            }
            // The server writes its state into the last line of this file.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            if text.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if Instant::now() > limit {
                return Err(Error::new(format!("PostgreSQL did not start within {} s", START_LIMIT.as_secs()))
                    .note(self.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read(log_path(&self.data)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

impl Drop for Server {
    /// A fast shutdown: connections are closed and the data is left clean.
    fn drop(&mut self) {
        let Some(process) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            // A process that has ended already is what is wanted.
            kill_process(process, signal).ok();
            let limit = Instant::now() + STOP_LIMIT;
            while Instant::now() < limit {
                match self.child.try_wait() {
                    Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                    Ok(Some(_)) | Err(_) => return,
                }
            }
        }
    }
}

/// Takes the directory for this process. The kernel gives it back when the process ends, however it ends.
pub fn lock(directory: &Path, what: &str) -> Result<File> {
    let path = directory.join("lock");
    let file: File = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?.into_parts().0;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(Error::new(format!("another pipectl is using {what} in {}", directory.display()))
                .hint("wait until it ends, or stop it"))
        }
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

fn version_of(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Creates the data in a directory beside its place, so that an interrupted run leaves nothing that looks complete.
fn initialise(binaries: &Binaries, account: &Account, directory: &Path, data: &Path) -> Result<()> {
    let fresh = directory.join("data.new");
    for path in [&fresh, &data.to_owned()] {
        if path.exists() {
            fs_err::remove_dir_all(path)?;
        }
    }
    fs_err::create_dir(&fresh)?;
    account.own(&fresh)?;
    let output = account
        .command(&binaries.initdb())
        .args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .arg("--pgdata")
        .arg(&fresh)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::new("PostgreSQL could not create its data directory").note(text));
    }
    fs_err::rename(&fresh, data)?;
    Ok(())
}

fn spawn(binaries: &Binaries, account: &Account, data: &Path, socket: &Path) -> Result<Child> {
    let log = fs_err::File::create(log_path(data))?.into_parts().0;
    let settings = [
        "listen_addresses=",
        "port=5432",
        // Nothing here must survive a power cut: it can be loaded again. What is committed does survive a killed
        // server, so commits still write their log.
        "fsync=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "max_wal_size=4GB",
        "shared_buffers=128MB",
        "work_mem=64MB",
        "maintenance_work_mem=128MB",
        "max_connections=100",
        "max_pred_locks_per_transaction=256",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
    ];
    let mut command = account.command(&binaries.postgres());
    command.arg("-D").arg(data).arg("-k").arg(socket);
    for setting in settings {
        command.args(["-c", setting]);
    }
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(child)
}

fn log_path(data: &Path) -> PathBuf {
    data.with_file_name("postgres.log")
}

/// Ends a server that a killed run has left behind, and its socket's directory. The lock is ours, so nobody needs it.
fn end_leftover(data: &Path) -> Result<()> {
    let path = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    let lines: Vec<&str> = text.lines().collect();
    let process = lines.first().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    if let Some(process) = process.filter(|process| serves(*process, data)) {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            kill_process(process, signal).ok();
            let limit = Instant::now() + STOP_LIMIT;
            while Instant::now() < limit && serves(process, data) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    let socket = lines.get(4).map(|line| Path::new(line.trim()));
    if let Some(socket) =
        socket.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SOCKET_PREFIX)))
    {
        // It is in the temporary directory: what cannot be removed is cleaned with that.
        std::fs::remove_dir_all(socket).ok();
    }
    remove_if_there(&path)
}

/// Whether the process is a living server on this data: neither another that has its number now, nor one that has ended
/// and that nobody has waited for.
pub fn serves(process: Pid, data: &Path) -> bool {
    let mut command = Vec::new();
    let path = format!("/proc/{}/cmdline", process.as_raw_nonzero());
    match File::open(path).and_then(|mut file| file.read_to_end(&mut command)) {
        Ok(_) => {
            let wanted = data.as_os_str().as_encoded_bytes();
            command.split(|byte| *byte == 0).any(|argument| argument == wanted)
        }
        // Without /proc (macOS), a living process of that number is taken for the server.
        Err(_) => !Path::new("/proc/self").exists() && test_kill_process(process).is_ok(),
    }
}

pub fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
