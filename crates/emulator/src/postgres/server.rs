//! The PostgreSQL server: created once, started with the rehearsal, stopped with it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::binaries::{self, Binaries};
use super::data_home;
use super::os_account::Account;
use super::socket::SocketFolder;
use crate::error::{Error, Result};

/// The database superuser.
pub const USER: &str = "pipectl_admin";
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The prefix of the directory that holds the server's socket.
const SOCKET_PREFIX: &str = "pipectl-warehouse-";

/// Where the server listens, and the superuser's password of this run.
#[derive(Clone)]
pub struct Login {
    /// The directory of the server's socket.
    pub socket: PathBuf,
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.socket.display())
    }
}

/// A running server, stopped when it is dropped.
pub struct Server {
    binaries: Binaries,
    account: Account,
    data: PathBuf,
    /// What the server writes to stdout and stderr.
    log: PathBuf,
    socket: SocketFolder,
    password: String,
    /// The file from which `psql` takes the password.
    password_file: PathBuf,
    child: Child,
    /// Held as long as this process uses the data.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: File,
}

impl std::fmt::Debug for Server {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.data.display())
    }
}

impl Server {
    /// Starts the server on the data in `directory`, which is made if it is missing. `environment` is a Python virtual
    /// environment that may hold the wheel `pgserver`. Waits until the server listens.
    pub fn start(directory: &Path, environment: Option<&Path>) -> Result<Self> {
        pipectl_process::private::folder(directory)?;
        let directory = fs_err::canonicalize(directory)?;
        let lock = lock(&directory, "the warehouse")?;
        let account = Account::choose();
        let data = data_home::open(&account, &directory)?.join("data");
        let binaries = binaries::find(environment, version_of(&data))?.reachable(&account)?;
        end_stale_server(&data)?;
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, &account, &data)?;
        }
        let password = pipectl_process::random_hex(24)?;
        set_password(&binaries, &account, &data, &password)?;
        let socket = SocketFolder::new(SOCKET_PREFIX, &account)?;
        let password_file = socket.write("pgpass", &format!("*:*:*:{USER}:{password}\n"))?;
        let log = directory.join("postgres.log");
        let child = spawn(&binaries, &account, &data, &log, socket.path())?;
        let mut server = Self { binaries, account, data, log, socket, password, password_file, child, lock };
        server.wait_until_listening()?;
        Ok(server)
    }

    /// The command line of `psql` as the superuser, without the database.
    pub fn psql(&self) -> String {
        let (password, psql, socket) =
            (self.password_file.display(), self.binaries.psql(), self.socket.path().display());
        format!("PGPASSFILE={password} {psql} -h {socket} -U {USER}")
    }

    pub fn login(&self) -> Login {
        Login { socket: self.socket.path().to_owned(), password: self.password.clone() }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The folder with the server's data.
    #[cfg(test)]
    pub fn data(&self) -> &Path {
        &self.data
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
            self.child = spawn(&self.binaries, &self.account, &self.data, &self.log, self.socket.path())?;
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
        let text = std::fs::read(&self.log).unwrap_or_default();
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

/// Creates the data in a directory beside its final one, so that an interrupted run leaves nothing that looks complete.
fn initialise(binaries: &Binaries, account: &Account, data: &Path) -> Result<()> {
    let fresh = data.with_extension("new");
    for path in [&fresh, &data.to_owned()] {
        if path.exists() {
            fs_err::remove_dir_all(path)?;
        }
    }
    account.make_folder(&fresh)?;
    let output = account
        .command(&binaries.initdb())
        // Nobody signs in by these: `set_password` replaces them before the server starts.
        .args(["--username", USER, "--auth-local=peer", "--auth-host=reject"])
        .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
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

/// Gives the superuser a new password, and lets nobody sign in without one.
///
/// The server's single-user mode asks for no password and opens no socket. The data may be of an earlier version, whose
/// rules trusted everybody.
fn set_password(binaries: &Binaries, account: &Account, data: &Path, password: &str) -> Result<()> {
    let rules = data.join("pg_hba.conf").display().to_string().replace('\'', "''");
    let sql = format!(
        "SET password_encryption = 'scram-sha-256';\n\
         ALTER ROLE {USER} PASSWORD '{password}';\n\
         COPY (VALUES ('local all all scram-sha-256')) TO '{rules}';\n"
    );
    let mut child = account
        .command(&binaries.postgres())
        .args(["--single", "-F", "-c", "exit_on_error=true", "-c", "log_min_error_statement=panic", "-D"])
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that fails at once reads nothing: what it says is the error then.
        input.write_all(sql.as_bytes()).ok();
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() && !text.contains("ERROR:") && !text.contains("FATAL:") {
        return Ok(());
    }
    Err(Error::new(format!("PostgreSQL could not set its password ({})", output.status))
        .note(text)
        .hint(format!("if the data is broken, delete {} and load again", data.display())))
}

fn spawn(binaries: &Binaries, account: &Account, data: &Path, log: &Path, socket: &Path) -> Result<Child> {
    let log = fs_err::File::create(log)?.into_parts().0;
    let settings = [
        "listen_addresses=",
        "port=5432",
        "unix_socket_permissions=0700",
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

/// Ends a server that a killed run has left behind, and its socket's directory. The lock is ours, so nobody needs it.
fn end_stale_server(data: &Path) -> Result<()> {
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
            let expected = data.as_os_str().as_encoded_bytes();
            command.split(|byte| *byte == 0).any(|argument| argument == expected)
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
