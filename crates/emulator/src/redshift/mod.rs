//! A PostgreSQL server that answers as Redshift does.
//!
//! ```text
//! data_api/   the Redshift Data API: requests, statements that run in the background, events
//! session     one connection; executes the rewritten statement
//! rewrite/    Redshift SQL → PostgreSQL, pure          copy/   COPY of Parquet files from the buckets' directories
//! server      the server's process                     binaries, account   which server, as which user
//! ```
//!
//! Redshift's semantics that PostgreSQL does not have are put on top: keys are not enforced, VARCHAR counts bytes,
//! MERGE has its restrictions, COPY converts no type. What is missing is refused by name.

mod copy;
mod data_api;
mod error;
mod rewrite;
mod session;
mod unload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

pub use copy::{Read, ReadAuthorizer};
pub use data_api::{Answer, DataApi, WeakDataApi};
pub use error::SqlError;
pub use session::Isolation;

use self::copy::Files;
use self::error::SqlResult;
use self::rewrite::{Step, literal, quote};
use self::session::Session;
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::postgres::server::{Login, Server, USER};
use crate::postgres::{binaries, data_home};

/// How often a lost server is looked for, 25 ms apart.
const CONNECT_ATTEMPTS: u32 = 40;

/// Redshift's functions, written in PostgreSQL's.
const PRELUDE: &str = include_str!("prelude.sql");

/// The warehouse that the templates describe, and where it lies on this machine.
#[derive(Clone, Default)]
pub struct WarehouseConfig {
    /// Where the server keeps its data between runs.
    pub directory: PathBuf,
    /// A Python virtual environment that may hold a server (the wheel `pgserver`).
    pub environment: Option<PathBuf>,
    pub account: String,
    pub region: String,
    pub workgroup: String,
    pub workgroup_arn: String,
    pub database: String,
    /// The secrets that open the warehouse as its administrator, by name or ARN.
    pub secrets: Vec<String>,
    /// The secrets that open it as another user, each with that user.
    pub readers: BTreeMap<String, String>,
    /// The directory of each bucket of the local account.
    pub buckets: BTreeMap<String, PathBuf>,
    pub isolation: Isolation,
    /// Authorizes what a COPY reads, as IAM would.
    pub authorizer: Option<ReadAuthorizer>,
    /// Receives the EventBridge events of statements that ask for one.
    pub events: Option<UnboundedSender<serde_json::Value>>,
}

/// A running warehouse. Clones share it; the server stops with `stop`, or with the last clone.
#[derive(Clone)]
pub struct Warehouse {
    shared: Arc<Shared>,
}

struct Shared {
    config: WarehouseConfig,
    files: Files,
    login: Login,
    server: Mutex<Option<Server>>,
}

/// Checks that a server can be started here. `environment` is a Python virtual environment that may hold one.
pub fn check(environment: Option<&std::path::Path>) -> Result<()> {
    binaries::find(environment, None).map(drop)
}

/// The rows of a query: the names of the columns, and the values as text.
pub type Rows = (Vec<String>, Vec<Vec<Option<String>>>);

impl Warehouse {
    /// Starts the server and makes the database ready.
    pub async fn start(config: WarehouseConfig) -> Result<Self> {
        let (directory, environment) = (config.directory.clone(), config.environment.clone());
        let start = move || Server::start(&directory, environment.as_deref());
        let server = tokio::task::spawn_blocking(start).await.map_err(|error| Error::new(error.to_string()))??;
        let login = server.login();
        let files = Files {
            buckets: config.buckets.clone(),
            region: config.region.clone(),
            authorizer: config.authorizer.clone(),
        };
        let shared = Arc::new(Shared { config, files, login, server: Mutex::new(Some(server)) });
        let warehouse = Self { shared };
        warehouse.prepare().await?;
        Ok(warehouse)
    }

    pub fn config(&self) -> &WarehouseConfig {
        &self.shared.config
    }

    /// The process of the server, for a report or a test.
    pub fn process(&self) -> Option<u32> {
        self.lock().as_ref().map(Server::process)
    }

    /// How the tests sign in.
    #[cfg(test)]
    fn login(&self) -> Login {
        self.shared.login.clone()
    }

    /// The command line that opens the warehouse, while the server runs.
    pub fn psql(&self) -> Option<String> {
        let command = self.lock().as_ref()?.psql();
        Some(format!("{command} {}", self.shared.config.database))
    }

    /// Whether an earlier run has left a warehouse in `directory`.
    pub fn exists(directory: &Path) -> bool {
        data_home::holds_data(directory)
    }

    /// Stops the server, even if others still hold the warehouse.
    pub fn stop(&self) {
        let server = self.lock().take();
        drop(server);
    }

    /// Runs a Redshift query and returns its rows: for a report.
    pub async fn rows(&self, sql: &str) -> Result<Rows> {
        let translated = rewrite::translate(sql, &BTreeMap::new(), &mut std::collections::BTreeSet::new())?;
        let [Step::Query(sql)] = translated.steps.as_slice() else {
            return Err(Error::new("only a query has rows").note(sql.to_owned()));
        };
        let result = self.session(None).await?.query(sql).await?;
        Ok((result.columns.into_iter().map(|column| column.name).collect(), result.rows))
    }

    /// The values of the key columns that more than one row of the table has, each with its count. Redshift enforces
    /// no key: a table may contain a row twice, and only a check like this shows it.
    pub async fn duplicates(&self, schema: &str, table: &str, key: &[String]) -> Result<Rows> {
        let key = key.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
        let table = format!("{}.{}", quote(schema), quote(table));
        let sql =
            format!("SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 100");
        self.rows(&sql).await
    }

    /// The Redshift Data API on this warehouse.
    pub fn data_api(&self) -> DataApi {
        DataApi::new(self.clone())
    }

    /// Opens a session, as the administrator or as a role. A server that has died is started again.
    async fn session(&self, role: Option<&str>) -> SqlResult<Session> {
        let database = &self.shared.config.database;
        let mut attempts = 0;
        loop {
            match Session::open(&self.shared.login, database, role).await {
                Err(error) if error.is_lost_connection() && attempts < CONNECT_ATTEMPTS => attempts += 1,
                answer => return answer,
            }
            // A server that has just been killed refuses connections a little before its process has ended.
            tokio::time::sleep(Duration::from_millis(25)).await;
            let warehouse = self.clone();
            let revive = move || match warehouse.lock().as_mut() {
                Some(server) => server.revive(),
                None => Err(Error::new("the warehouse is stopped")),
            };
            let revived = tokio::task::spawn_blocking(revive).await;
            revived.map_err(|error| SqlError::new(error.to_string()))?.map_err(|why| SqlError::new(why.message()))?;
        }
    }

    /// Makes the database, and in it the functions, if this version's are not there yet.
    async fn prepare(&self) -> Result<()> {
        let login = &self.shared.login;
        let database = &self.shared.config.database;
        let main = Session::open(login, "postgres", None).await?;
        let found = main.query(&format!("SELECT 1 FROM pg_database WHERE datname = {}", literal(database))).await?;
        if found.rows.is_empty() {
            let name = quote(database);
            main.execute(&format!("CREATE DATABASE {name} OWNER {USER}")).await?;
            let path = "'$user', public, redshift, pg_catalog";
            main.execute(&format!("ALTER DATABASE {name} SET search_path TO {}", path.replace('\'', "\""))).await?;
        }
        let version = sha256(PRELUDE);
        let session = Session::open(login, database, None).await?;
        let applied = session.query("SELECT obj_description(to_regnamespace('redshift'), 'pg_namespace')").await?;
        if applied.rows.first().and_then(|row| row.first()) != Some(&Some(version.clone())) {
            session
                .execute(&format!("BEGIN; {PRELUDE}; COMMENT ON SCHEMA redshift IS {}; COMMIT", literal(&version)))
                .await?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Server>> {
        self.shared.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
