//! A server's process: made, started, and ended with the rehearsal.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use pipectl_emulator::dms::{Access, Superuser};

use super::folder::Folder;
use super::{mysql, postgresql};
use crate::error::{Error, Result};
use crate::spec::Engine;
use pipectl_emulator::postgres::os_account::Account;
use pipectl_emulator::postgres::server::{lock, serves};
use pipectl_emulator::postgres::socket::SocketFolder;

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The prefix of the directory that holds a server's socket.
const SOCKET_PREFIX: &str = "pipectl-source-";
/// The user that the pipeline signs in as.
const USER: &str = "pipectl";

/// The server that is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) engine: Engine,
    /// Where it keeps its data. What is there is replaced.
    pub(super) directory: PathBuf,
    pub(super) database: String,
    pub(super) schema: String,
    /// Whether it writes a log that can be followed.
    pub(super) logged: bool,
}

/// Why there is no server.
#[derive(Debug)]
pub(super) enum Trouble {
    /// None is installed.
    Missing(Error),
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// What signs in to a server: made up for this run.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}

/// A running server, ended when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub engine: Engine,
    /// On 127.0.0.1.
    pub port: u16,
    pub database: String,
    pub schema: String,
    pub credentials: Credentials,
    pub(super) programs: Programs,
    pub(super) socket: SocketFolder,
    child: Child,
    log: PathBuf,
    /// Held as long as this process uses the data.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: File,
}

/// The programs of a server.
#[derive(Debug, Clone)]
pub(super) enum Programs {
    Mysql(mysql::Programs),
    Postgresql(pipectl_emulator::postgres::binaries::Binaries),
}

/// How a server is to be started.
pub(super) struct Plan<'a> {
    pub(super) data: &'a Path,
    /// For its temporary files.
    pub(super) scratch: &'a Path,
    pub(super) socket: &'a Path,
    pub(super) port: u16,
    pub(super) logged: bool,
}

impl Server {
    /// Makes a server with an empty database and a user that may read it.
    pub(super) async fn start(wanted: Wanted, environment: Option<&Path>) -> Result<Self, Trouble> {
        let programs = match wanted.engine {
            Engine::Mysql => mysql::find().map(Programs::Mysql),
            Engine::Postgresql => postgresql::find(environment).map(Programs::Postgresql),
        };
        let programs = programs.map_err(Trouble::Missing)?;
        fs::create_dir_all(&wanted.directory)?;
        let directory = fs::canonicalize(&wanted.directory)?;
        let lock = lock(&directory, "the database")?;
        let (data, scratch) = (directory.join("data"), directory.join("scratch"));
        let account = Account::choose(&[&data, programs.server().as_path()])?;
        for folder in [&data, &scratch] {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
            fs::create_dir(folder)?;
            account.own(folder)?;
        }
        made(programs.initialise(&account, &data, &scratch), wanted.engine)?;
        let socket = SocketFolder::new(SOCKET_PREFIX, &account)?;
        let log = directory.join("server.log");
        let output = fs::File::create(&log)?.into_parts().0;
        let port = free_port()?;
        let plan = Plan { data: &data, scratch: &scratch, socket: socket.path(), port, logged: wanted.logged };
        let mut command = programs.command(&account, &plan);
        let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        // What ends it, if this process is killed before it can.
        fs::write(directory.join("pid"), child.id().to_string())?;
        let password = crate::digest::sha256(format!("{port} {} {:?}", child.id(), Instant::now()))[..32].to_owned();
        let mut server = Self {
            engine: wanted.engine,
            port,
            database: wanted.database,
            schema: wanted.schema,
            credentials: Credentials { username: USER.into(), password },
            programs,
            socket,
            child,
            log,
            lock,
        };
        server.wait_until_listening().await?;
        server.prepare(wanted.logged).await?;
        Ok(server)
    }

    /// Where it listens, as `host:port`.
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The command line that opens it, as whom may do everything.
    pub fn client(&self) -> String {
        match &self.programs {
            Programs::Mysql(programs) => mysql::client(self, programs),
            Programs::Postgresql(binaries) => postgresql::client(self, binaries),
        }
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Makes the database, and the user with what a reader needs; with `logged`, also what following the log needs.
    async fn prepare(&self, logged: bool) -> Result<()> {
        match &self.programs {
            Programs::Mysql(programs) => mysql::prepare(self, programs, logged),
            Programs::Postgresql(_) => postgresql::prepare(self, logged).await,
        }
    }

    /// Makes the tables and fills them.
    pub async fn load(&self, folder: &Folder) -> Result<()> {
        self.run_file(&folder.schema).await?;
        for (table, csv) in &folder.tables {
            let loaded = match &self.programs {
                Programs::Mysql(programs) => mysql::load(self, programs, table, csv),
                Programs::Postgresql(_) => postgresql::load(self, table, csv).await,
            };
            loaded.map_err(|error| {
                Error::new(format!("`{}` cannot be loaded into the table `{table}`", csv.display()))
                    .cause(&error)
                    .exit(crate::exit::Exit::Project)
            })?;
        }
        Ok(())
    }

    /// Runs the statements of a file, as whom may do everything.
    pub async fn run_file(&self, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file)?;
        self.run(&text).await.map_err(|error| {
            Error::new(format!("`{}` cannot be run by {}", file.display(), self.engine))
                .cause(&error)
                .exit(crate::exit::Exit::Project)
        })
    }

    /// Where the server answers, and as whom.
    pub fn access(&self) -> Access {
        Access {
            port: self.port,
            database: self.database.clone(),
            username: self.credentials.username.clone(),
            password: self.credentials.password.clone(),
        }
    }

    /// Runs statements, as whom may do everything.
    pub async fn run(&self, sql: &str) -> Result<()> {
        match &self.programs {
            Programs::Mysql(programs) => mysql::run(self, programs, Some(&self.database), sql),
            Programs::Postgresql(_) => postgresql::run(self, sql).await,
        }
    }

    /// Whether somebody listens there.
    pub(super) fn listens(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// What there is to say of a server that has gone away; nothing if it answers.
    pub async fn gone(&self) -> Option<Error> {
        if self.run("SELECT 1").await.is_ok() {
            return None;
        }
        let error = Error::new(format!("its {} server has gone away", self.engine)).note(self.log_tail());
        Some(error.hint(
            "look for what ended it (memory, a full disk, a statement of its data), and rehearse again: its data is made anew",
        ))
    }

    async fn wait_until_listening(&mut self) -> Result<()> {
        let limit = Instant::now() + START_LIMIT;
        loop {
            if let Some(exit) = self.child.try_wait()? {
                let error = Error::new(format!("the {} server ended while it started ({exit})", self.engine));
                return Err(error.note(self.log_tail()));
            }
            if self.listens() {
                return Ok(());
            }
            if Instant::now() > limit {
                let error =
                    Error::new(format!("the {} server did not start within {} s", self.engine, START_LIMIT.as_secs()));
                return Err(error.note(self.log_tail()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the kernel does with the lock of a killed process.
    #[cfg(test)]
    pub(super) fn release(&self) {
        rustix::fs::flock(&self.lock, rustix::fs::FlockOperation::Unlock).unwrap();
    }

    fn log_tail(&self) -> String {
        let text = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

impl Drop for Server {
    /// At once: nothing of the data is needed any more.
    fn drop(&mut self) {
        let Some(process) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // PostgreSQL's processes end with the first; of a killed one they would linger.
        for signal in [Signal::QUIT, Signal::KILL] {
            let signal = if self.engine == Engine::Mysql { Signal::KILL } else { signal };
            kill_process(process, signal).ok();
            let limit = Instant::now() + STOP_LIMIT;
            while Instant::now() < limit {
                match self.child.try_wait() {
                    Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                    Ok(Some(_)) | Err(_) => {
                        let directory = self.log.parent().unwrap_or(Path::new("/nonexistent"));
                        std::fs::remove_dir_all(directory.join("data")).ok();
                        std::fs::remove_dir_all(directory.join("scratch")).ok();
                        std::fs::remove_file(directory.join("pid")).ok();
                        return;
                    }
                }
            }
        }
    }
}

impl Programs {
    fn server(&self) -> PathBuf {
        match self {
            Self::Mysql(programs) => programs.server.clone(),
            Self::Postgresql(binaries) => binaries.postgres(),
        }
    }

    fn initialise(&self, account: &Account, data: &Path, scratch: &Path) -> Command {
        match self {
            Self::Mysql(programs) => programs.initialise(account, data, scratch),
            Self::Postgresql(binaries) => postgresql::initialise(binaries, account, data),
        }
    }

    fn command(&self, account: &Account, plan: &Plan<'_>) -> Command {
        match self {
            Self::Mysql(programs) => programs.command(account, plan),
            Self::Postgresql(binaries) => postgresql::command(binaries, account, plan),
        }
    }
}

fn made(mut command: Command, engine: Engine) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::new(format!("the {engine} server could not create its data directory"))
        .note(String::from_utf8_lossy(&text).trim().to_owned()))
}

/// A port that nobody listens on. Somebody may take it before the server does: then the server says so and ends.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Ends the servers that a killed rehearsal has left behind, and clears their data.
pub(super) fn end_leftovers(home: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(home) else { return Ok(()) };
    for entry in entries.filter_map(std::result::Result::ok) {
        let Ok(directory) = entry.path().canonicalize() else { continue };
        // Of a rehearsal that is alive, nothing is touched.
        let Ok(_held) = lock(&directory, "the database") else { continue };
        let data = directory.join("data");
        let process = std::fs::read_to_string(directory.join("pid")).ok();
        let process = process.and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw);
        if let Some(process) = process.filter(|process| serves(*process, &data)) {
            for signal in [Signal::QUIT, Signal::KILL] {
                kill_process(process, signal).ok();
                let limit = Instant::now() + STOP_LIMIT;
                while Instant::now() < limit && serves(process, &data) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        pipectl_emulator::postgres::server::remove_if_there(&directory.join("pid"))?;
    }
    Ok(())
}

impl Superuser for Server {
    async fn run(&self, sql: &str) -> Result<()> {
        Self::run(self, sql).await
    }
}
