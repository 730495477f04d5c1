//! PostgreSQL as a source.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, pin_mut};
use tokio_postgres::{Client, Config, NoTls};

use super::server::{Plan, Server};
use crate::error::{Error, Result};
use pipectl_emulator::postgres::binaries::{self, Binaries};
use pipectl_emulator::postgres::os_account::Account;

const ADMIN: &str = "pipectl_admin";
const START_LIMIT: Duration = Duration::from_secs(30);
/// How much of a CSV file is sent at a time.
const PART: usize = 1024 * 1024;

pub(super) fn find(environment: Option<&Path>) -> Result<Binaries> {
    binaries::find(environment, None).map_err(|_| {
        Error::new("there is no PostgreSQL server on this machine")
            .hint("install one: `apt-get install postgresql`, or `brew install postgresql@16`")
    })
}

/// `secret` is a file with the password of the superuser.
pub(super) fn initialise(binaries: &Binaries, account: &Account, data: &Path, secret: &Path) -> Command {
    let mut command = account.command(&binaries.initdb());
    command
        .args(["--username", ADMIN, "--auth=scram-sha-256", "--pwfile"])
        .arg(secret)
        .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "--pgdata"])
        .arg(data)
        .env("TZ", "UTC");
    command
}

pub(super) fn command(binaries: &Binaries, account: &Account, plan: &Plan<'_>) -> Command {
    let mut command = account.command(&binaries.postgres());
    command.arg("-D").arg(plan.data).arg("-k").arg(plan.socket);
    let port = format!("port={}", plan.port);
    // Nothing here must survive a power cut.
    let plain = [
        "listen_addresses=127.0.0.1",
        "unix_socket_permissions=0700",
        &port,
        "fsync=off",
        "full_page_writes=off",
        "timezone=UTC",
        "jit=off",
    ];
    let logged: &[&str] = if plan.logged {
        &["wal_level=logical", "max_replication_slots=4", "max_wal_senders=4", "wal_sender_timeout=0"]
    } else {
        &["wal_level=minimal", "max_wal_senders=0"]
    };
    for setting in plain.iter().chain(logged) {
        command.args(["-c", setting]);
    }
    command
}

/// The password file of the client.
pub(super) fn login(password: &str) -> String {
    format!("*:*:*:{ADMIN}:{password}\n")
}

/// The command line of the client, as whom may do everything, through the socket.
pub(super) fn client(server: &Server, binaries: &Binaries) -> String {
    let (psql, socket) = (binaries.psql(), server.socket.path().display());
    let login = server.login.display();
    format!("PGPASSFILE={login} {psql} -h {socket} -p {} -U {ADMIN} {}", server.port, server.database)
}

/// Connects as whom may do everything, through the socket.
async fn connect(server: &Server, database: &str) -> Result<Client> {
    let mut config = Config::new();
    config
        .host_path(server.socket.path())
        .port(server.port)
        .user(ADMIN)
        .password(&server.admin_password)
        .dbname(database);
    let limit = Instant::now() + START_LIMIT;
    loop {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return Ok(client);
            }
            // It listens before it answers.
            Err(_) if Instant::now() < limit && server.listens() => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return Err(describe(&error)),
        }
    }
}

pub(super) async fn prepare(server: &Server, logged: bool) -> Result<()> {
    let client = connect(server, "postgres").await?;
    let (user, password) = (&server.credentials.username, &server.credentials.password);
    let may = if logged { " REPLICATION" } else { "" };
    execute(&client, &format!("CREATE ROLE {user} LOGIN{may} PASSWORD '{password}'")).await?;
    execute(&client, &format!("CREATE DATABASE {}", quote(&server.database))).await?;
    let client = connect(server, &server.database).await?;
    let schema = quote(&server.schema);
    execute(
        &client,
        &format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; GRANT USAGE ON SCHEMA {schema} TO {user};
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {user};"
        ),
    )
    .await
}

pub(super) async fn run(server: &Server, sql: &str) -> Result<()> {
    let client = connect(server, &server.database).await?;
    execute(&client, &format!("SET search_path TO {}", quote(&server.schema))).await?;
    execute(&client, sql).await
}

pub(super) async fn load(server: &Server, table: &str, csv: &Path) -> Result<()> {
    let client = connect(server, &server.database).await?;
    let header = super::mysql::header(csv)?;
    let columns: Vec<String> = header.iter().map(|name| quote(name)).collect();
    let copy = format!(
        "COPY {}.{} ({}) FROM STDIN (FORMAT csv, HEADER)",
        quote(&server.schema),
        quote(table),
        columns.join(", ")
    );
    let sink = client.copy_in::<_, Bytes>(&copy).await.map_err(|error| describe(&error))?;
    pin_mut!(sink);
    let mut file = tokio::fs::File::open(csv).await?;
    loop {
        let mut part = bytes::BytesMut::with_capacity(PART);
        if tokio::io::AsyncReadExt::read_buf(&mut file, &mut part).await? == 0 {
            break;
        }
        sink.send(part.freeze()).await.map_err(|error| describe(&error))?;
    }
    sink.finish().await.map_err(|error| describe(&error))?;
    execute(&client, &format!("ANALYZE {}.{}", quote(&server.schema), quote(table))).await
}

async fn execute(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|error| describe(&error))
}

/// The server's own words.
fn describe(error: &tokio_postgres::Error) -> Error {
    let Some(of_server) = error.as_db_error() else { return Error::new(error.to_string()) };
    let describe = Error::new(of_server.message().to_owned());
    match of_server.where_().or(of_server.detail()) {
        Some(more) => describe.note(more.to_owned()),
        None => describe,
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
