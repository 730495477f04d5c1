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
use pipectl_emulator::postgres::data_home;
use pipectl_emulator::postgres::os_account::Account;
use pipectl_emulator::postgres::server::{lock, serves};
use pipectl_emulator::postgres::socket::SocketFolder;
use pipectl_process::private;

const START_LIMIT: Duration = Duration::from_mins(1);
/// How many ports are tried: between the search for a free one and the start, another program may take it.
const PORTS: usize = 5;
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// The prefix of the directory that holds a server's socket.
const SOCKET_PREFIX: &str = "pipectl-source-";
/// The user that the pipeline signs in as.
const USER: &str = "pipectl";

/// The server that is wanted.
#[derive(Debug)]
pub(super) struct ServerConfig {
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
pub struct Server {
    pub engine: Engine,
    /// On 127.0.0.1.
    pub port: u16,
    pub database: String,
    pub schema: String,
    pub credentials: Credentials,
    pub(super) programs: Programs,
    pub(super) socket: SocketFolder,
    /// The password of the superuser.
    pub(super) admin_password: String,
    /// The file from which a client takes that password.
    pub(super) login: PathBuf,
    child: Child,
    /// What is removed with the server.
    folders: [PathBuf; 2],
    log: PathBuf,
    /// Held as long as this process uses the data.
    #[cfg_attr(not(test), expect(dead_code, reason = "held, not read"))]
    lock: File,
}

impl std::fmt::Debug for Server {
    /// Without the passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({}, {})", self.engine, self.endpoint())
    }
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
    /// A file that gives the superuser a password.
    pub(super) secret: &'a Path,
    pub(super) socket: &'a Path,
    pub(super) port: u16,
    pub(super) logged: bool,
}

impl Server {
    /// Makes a server with an empty database and a user that may read it.
    pub(super) async fn start(config: ServerConfig, environment: Option<&Path>) -> Result<Self, Trouble> {
        let programs = match config.engine {
            Engine::Mysql => mysql::find().map(Programs::Mysql),
            Engine::Postgresql => postgresql::find(environment).map(Programs::Postgresql),
        };
        let programs = programs.map_err(Trouble::Missing)?;
        private::folder(&config.directory)?;
        let directory = fs::canonicalize(&config.directory)?;
        let lock = lock(&directory, "the database")?;
        let account = Account::choose();
        let programs = programs.reachable(&account)?;
        let home = data_home::open(&account, &directory)?;
        let folders = [home.join("data"), home.join("scratch")];
        for folder in &folders {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
            pipectl_process::watchdog::remove_when_killed(folder);
            account.make_folder(folder)?;
        }
        let [data, scratch] = &folders;
        let (admin_password, password) = (pipectl_process::random_hex(24)?, pipectl_process::random_hex(24)?);
        let secret = scratch.join("secret");
        private::write(&secret, programs.secret(&admin_password).as_bytes())?;
        account.own(&secret)?;
        made(programs.initialise(&account, data, scratch, &secret), config.engine)?;
        let socket = SocketFolder::new(SOCKET_PREFIX, &account)?;
        let login = socket.write("login", &programs.login(socket.path(), &admin_password))?;
        let log = directory.join("server.log");
        let output = fs::File::create(&log)?.into_parts().0;
        let spawn = |programs: &Programs, socket: &Path, port: u16| -> Result<Child> {
            let plan = Plan { data, scratch, secret: &secret, socket, port, logged: config.logged };
            let mut command = programs.command(&account, &plan);
            let child = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?).spawn()?;
            // For the next run, if this one is killed together with its watchdog.
            fs::write(directory.join("pid"), child.id().to_string())?;
            Ok(child)
        };
        let port = free_port()?;
        let child = spawn(&programs, socket.path(), port)?;
        let mut server = Self {
            engine: config.engine,
            port,
            database: config.database,
            schema: config.schema,
            credentials: Credentials { username: USER.into(), password },
            programs,
            socket,
            admin_password,
            login,
            child,
            folders: folders.clone(),
            log,
            lock,
        };
        let mut tried = 1;
        while let Err(error) = server.wait_until_listening().await {
            if tried == PORTS || !server.lost_its_port() {
                return Err(error.into());
            }
            tried += 1;
            server.port = free_port()?;
            server.child = spawn(&server.programs, server.socket.path(), server.port)?;
        }
        server.prepare(config.logged).await?;
        // It listens before it has read this, but answers nobody.
        fs::remove_file(&secret)?;
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
        let error = Error::new(format!("its {} server stopped", self.engine)).note(self.log_tail());
        Some(error.hint(
            "find out what stopped it (memory, a full disk, a statement of its data), and rehearse again: its data is created again",
        ))
    }

    /// Whether the server says in its data folder that it has come up.
    fn has_written_its_id(&self) -> bool {
        let file = if self.engine == Engine::Mysql { mysql::ID_FILE } else { "postmaster.pid" };
        let text = std::fs::read_to_string(self.folders[0].join(file)).unwrap_or_default();
        text.lines().next().is_some_and(|id| id.trim() == self.child.id().to_string())
    }

    /// Whether the server ended because another program has its port.
    fn lost_its_port(&self) -> bool {
        let log = self.log_tail();
        ["in use", "could not bind", "Bind on TCP/IP port"].iter().any(|words| log.contains(words))
    }

    async fn wait_until_listening(&mut self) -> Result<()> {
        let limit = Instant::now() + START_LIMIT;
        loop {
            if let Some(exit) = self.child.try_wait()? {
                let error = Error::new(format!("the {} server ended while it started ({exit})", self.engine));
                return Err(error.note(self.log_tail()));
            }
            // By itself, a port that answers may be another program's.
            if self.has_written_its_id() && self.listens() {
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
                        for folder in &self.folders {
                            std::fs::remove_dir_all(folder).ok();
                        }
                        std::fs::remove_file(self.log.with_file_name("pid")).ok();
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

    /// The same programs where this account can run them.
    fn reachable(self, account: &Account) -> Result<Self> {
        match self {
            Self::Postgresql(binaries) => Ok(Self::Postgresql(binaries.reachable(account)?)),
            Self::Mysql(_) if !account.reaches(&self.server()) => Err(Error::new(format!(
                "the user that the database server runs as cannot reach `{}`",
                self.server().display()
            ))
            .hint("install MariaDB from the system's packages, or run pipectl as an ordinary user")),
            Self::Mysql(_) => Ok(self),
        }
    }

    /// What the file holds that gives the superuser a password.
    fn secret(&self, password: &str) -> String {
        match self {
            Self::Mysql(programs) => mysql::secret(programs, password),
            Self::Postgresql(_) => password.to_owned(),
        }
    }

    /// What the file holds from which a client takes that password.
    fn login(&self, socket: &Path, password: &str) -> String {
        match self {
            Self::Mysql(_) => mysql::login(socket, password),
            Self::Postgresql(_) => postgresql::login(password),
        }
    }

    fn initialise(&self, account: &Account, data: &Path, scratch: &Path, secret: &Path) -> Command {
        match self {
            Self::Mysql(programs) => programs.initialise(account, data, scratch),
            Self::Postgresql(binaries) => postgresql::initialise(binaries, account, data, secret),
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

/// A port that nobody listens on. Another program may take it before the server does: then the server says so and ends.
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
        let home = data_home::open(&Account::choose(), &directory)?;
        let data = home.join("data");
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
