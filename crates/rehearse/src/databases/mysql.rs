//! MySQL as a source: MariaDB, or MySQL itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use pipectl_process::Purpose;

use super::server::{Plan, Server};
use crate::error::{Error, Result};
use pipectl_emulator::postgres::os_account::Account;

/// In the data folder: the id of the server's process.
pub(super) const ID_FILE: &str = "server.pid";

/// Where servers are that the search path often does not name.
const DIRECTORIES: [&str; 8] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/usr/local/opt/mysql/bin",
    "/usr/local/mysql/bin",
];

/// The programs of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) server: PathBuf,
    client: PathBuf,
    /// What makes a data directory, of MariaDB; MySQL's server does it itself.
    install: Option<PathBuf>,
}

/// Finds a server with its client.
pub(super) fn find() -> Result<Programs> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.extend(DIRECTORIES.map(PathBuf::from));
    let program = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file()))
    };
    let missing = |what: &str| {
        Error::new(format!("there is no {what} on this machine"))
            .hint("install MariaDB: `apt-get install mariadb-server`, or `brew install mariadb`")
    };
    let server = program(&["mariadbd", "mysqld"]).ok_or_else(|| missing("MySQL or MariaDB server"))?;
    let client = program(&["mariadb", "mysql"]).ok_or_else(|| missing("client of MySQL or MariaDB"))?;
    let version = pipectl_process::query(&server, Purpose::Tool).arg("--version").stdin(Stdio::null()).output()?;
    let install = if String::from_utf8_lossy(&version.stdout).contains("MariaDB") {
        Some(program(&["mariadb-install-db", "mysql_install_db"]).ok_or_else(|| missing("`mariadb-install-db`"))?)
    } else {
        None
    };
    Ok(Programs { server, client, install })
}

impl Programs {
    #[cfg(test)]
    pub(super) fn client(&self) -> &Path {
        &self.client
    }

    /// `scratch` is for this server alone: one that starts deletes the temporary tables of all that share its folder.
    pub(super) fn initialise(&self, account: &Account, data: &Path, scratch: &Path) -> Command {
        let data = format!("--datadir={}", data.display());
        let mut command;
        if let Some(install) = &self.install {
            command = account.command(install);
            command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &data]);
            command.args(["--skip-name-resolve", "--innodb-log-file-size=8M"]);
        } else {
            command = account.command(&self.server);
            command.args(["--no-defaults", "--initialize-insecure", &data]);
        }
        command.env("TMPDIR", scratch);
        command
    }

    pub(super) fn command(&self, account: &Account, plan: &Plan<'_>) -> Command {
        let mut command = account.command(&self.server);
        command
            .env("TMPDIR", plan.scratch)
            .arg("--no-defaults")
            // Read before the server listens.
            .arg(format!("--init-file={}", plan.secret.display()))
            // On its own line, so that an orphaned server can be recognized by it.
            .arg("--datadir")
            .arg(plan.data)
            .arg(format!("--socket={}", plan.socket.join("s").display()))
            .arg(format!("--pid-file={}", plan.data.join(ID_FILE).display()))
            .arg(format!("--port={}", plan.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4"])
            .args(["--default-time-zone=+00:00", "--local-infile=1", "--innodb-buffer-pool-size=128M"])
            // Nothing here must survive a power cut.
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]);
        if plan.logged {
            command
                .arg(format!("--log-bin={}", plan.data.join("binlog").display()))
                .args(["--server-id=1", "--binlog-format=ROW", "--binlog-row-image=FULL"])
                .args(["--binlog-row-metadata=FULL", "--sync-binlog=0"]);
        } else {
            command.arg("--skip-log-bin");
        }
        command
    }
}

/// What the server does before it listens: `root` gets a password and signs in from this machine's socket alone, and there
/// is no other user.
pub(super) fn secret(programs: &Programs, password: &str) -> String {
    let others = if programs.install.is_some() {
        "DELETE FROM mysql.global_priv WHERE User NOT IN ('root', 'mariadb.sys') OR (User = 'root' AND Host <> 'localhost');\n\
         FLUSH PRIVILEGES;\n"
    } else {
        // MySQL makes no other user that may sign in.
        ""
    };
    format!("{others}ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';\n")
}

/// The options of the client, as root, through the socket. Options in a file are seen by nobody in a list of processes.
pub(super) fn login(socket: &Path, password: &str) -> String {
    format!("[client]\nuser=root\npassword={password}\nsocket={}\n", socket.join("s").display())
}

/// The command line of the client, as root, through the socket.
pub(super) fn client(server: &Server, programs: &Programs) -> String {
    let client = programs.client.display();
    format!("{client} --defaults-file={} {}", server.login.display(), server.database)
}

pub(super) fn prepare(server: &Server, programs: &Programs, logged: bool) -> Result<()> {
    let database = quote(&server.database);
    let (user, password) = (&server.credentials.username, &server.credentials.password);
    let follow = if logged {
        format!("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{user}'@'%';")
    } else {
        String::new()
    };
    run(
        server,
        programs,
        None,
        &format!(
            "CREATE DATABASE {database}; CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';
             GRANT SELECT ON {database}.* TO '{user}'@'%'; {follow}"
        ),
    )
}

/// Runs statements through the client, as root, through the socket.
pub(super) fn run(server: &Server, programs: &Programs, database: Option<&str>, sql: &str) -> Result<()> {
    let mut command = pipectl_process::command(&programs.client, Purpose::Tool);
    command
        // The first of its options.
        .arg(format!("--defaults-file={}", server.login.display()))
        .args(["--batch", "--local-infile=1", "--default-character-set=utf8mb4"])
        .args(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| Error::new("cannot talk to the client of MySQL"))?;
    let sql = sql.to_owned();
    // A client that fails reads no more: what it says is the error then.
    let writer = std::thread::spawn(move || input.write_all(sql.as_bytes()).ok());
    let output = child.wait_with_output()?;
    writer.join().ok();
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Loads a CSV file. An empty cell is no value.
pub(super) fn load(server: &Server, programs: &Programs, table: &str, csv: &Path) -> Result<()> {
    let header = header(csv)?;
    let cells: Vec<String> = (0..header.len()).map(|index| format!("@c{index}")).collect();
    let values: Vec<String> =
        header.iter().zip(&cells).map(|(name, cell)| format!("{} = NULLIF({cell}, '')", quote(name))).collect();
    let path = fs::canonicalize(csv)?.display().to_string();
    let windows = fs::read(csv)?.windows(2).take(64 * 1024).any(|pair| pair == b"\r\n");
    let sql = format!(
        "LOAD DATA LOCAL INFILE {} INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' \
         OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '{}' IGNORE 1 LINES ({}) SET {};\n\
         SHOW WARNINGS LIMIT 5; ANALYZE TABLE {};",
        text(&path),
        quote(table),
        if windows { "\\r\\n" } else { "\\n" },
        cells.join(", "),
        values.join(", "),
        quote(table),
    );
    run(server, programs, Some(&server.database), &sql)
}

/// The names in the first line of a CSV file.
pub(super) fn header(csv: &Path) -> Result<Vec<String>> {
    let failed = |error: csv::Error| Error::new(format!("`{}` is not CSV: {error}", csv.display()));
    let mut reader = csv::Reader::from_path(csv).map_err(failed)?;
    Ok(reader.headers().map_err(failed)?.iter().map(str::to_owned).collect())
}

fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}
