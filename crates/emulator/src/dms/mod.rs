//! The stand-in for DMS: reads a real database as DMS does, and writes the files that DMS documents, as the deployed
//! endpoints and table mappings say.
//!
//! ```text
//! mod (a replication: full load, then changes) → configuration, mapping (what is deployed)
//!                                              → postgres → pgoutput   mysql (the binlog)
//!                                              → write/ (keys, names, columns; Parquet, CSV)
//! ```
//!
//! What it does not show: DMS's own tuning and limits, its cut of large values, and how long anything takes.

pub mod api;
mod configuration;
mod mapping;
mod mysql;
mod pgoutput;
mod postgres;
pub mod row;
mod write;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::account::LocalAccount;
use crate::error::{Error, Result};

use self::mysql::Mysql;
use self::postgres::Postgres;
use self::row::{Change, Operation, Table};
use self::write::{Load, Names, Writer};

pub use configuration::{Configuration, Format, Source, Target, configurations};
pub use mapping::Mappings;
pub use write::File;

/// Where the database answers, and as whom.
#[derive(Debug, Clone)]
pub struct Access {
    pub port: u16,
    pub database: String,
    pub username: String,
    pub password: String,
}

/// Runs statements that take a superuser of the database.
pub trait Superuser {
    fn run(&self, sql: &str) -> impl Future<Output = Result<()>> + Send;
}

/// A replication under way.
pub struct Replication {
    configuration: Configuration,
    database: Database,
    client: aws_sdk_s3::Client,
    directory: TempDir,
    names: Names,
    /// The tables of the full load that are still there.
    followed: BTreeSet<String>,
}

enum Database {
    Mysql(Mysql),
    Postgres(Postgres),
}

impl Replication {
    /// Prepares to read the database, which is on this machine, and to write to the S3 of the account, which answers at `endpoint`. Files
    /// are made in the folder `work`.
    pub fn open(
        configuration: Configuration,
        access: &Access,
        account: &LocalAccount,
        endpoint: &str,
        work: &Path,
    ) -> Result<Self> {
        let database = match configuration.source.engine.as_str() {
            "mysql" => Database::Mysql(Mysql::new(access)),
            "postgres" => Database::Postgres(Postgres::new(access, &configuration)),
            engine => {
                return Err(Error::project(format!("the rehearsal cannot replicate the engine `{engine}`"))
                    .hint("it knows `mysql` and `postgres`"));
            }
        };
        let role = configuration.role.rsplit('/').next().unwrap_or_default();
        Ok(Self {
            client: crate::s3::client::client(endpoint, account.region(), &account.access_key(role)),
            database,
            directory: TempDir::new_in(work)?,
            names: Names::default(),
            followed: BTreeSet::new(),
            configuration,
        })
    }

    /// Writes to another bucket from now on.
    #[cfg(feature = "testing")]
    pub fn write_to(&mut self, bucket: &str) {
        bucket.clone_into(&mut self.configuration.target.bucket);
    }

    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Remembers its place in the log, then copies every table. `superuser` runs what the user of the replication may not.
    pub async fn full_load(&mut self, superuser: &impl Superuser) -> Result<Vec<File>> {
        let tables = self.tables().await?;
        if tables.is_empty() {
            return Err(Error::project(format!(
                "the table mappings of `{}` select no table of the database",
                self.configuration.name
            ))
            .hint(
                "compare `source: <source>.<table>` of the tables with what is in the database; names keep their case",
            ));
        }
        match &mut self.database {
            Database::Mysql(mysql) => mysql.mark().await?,
            Database::Postgres(postgres) => {
                superuser.run(&Postgres::publication(&tables)).await?;
                postgres.mark().await?;
            }
        }
        self.followed = tables.iter().map(|table| table.label()).collect();
        let now = microseconds_now();
        let mut writer = Writer::new(&self.configuration, &self.directory, Load::Full);
        for table in tables {
            let names = &mut self.names;
            let of = Arc::clone(&table);
            let mut take = |row| {
                let change =
                    Change { table: Arc::clone(&of), operation: Operation::Insert, row, before: None, committed: now };
                writer.write(change, names)
            };
            match &self.database {
                Database::Mysql(mysql) => mysql.read(&table, &mut take).await?,
                Database::Postgres(postgres) => postgres.read(&table, &mut take).await?,
            }
        }
        let files = writer.finish()?;
        self.put(&files).await?;
        Ok(files)
    }

    /// Writes what has changed since the last time that it came to its end. One that fails has written nothing that counts:
    /// the next begins where this one began, as DMS goes on from what it has written last.
    pub async fn changes(&mut self) -> Result<Vec<File>> {
        let mut writer = Writer::new(&self.configuration, &self.directory, Load::Changes);
        let names = &mut self.names;
        let mut take = |change| writer.write(change, names);
        match &mut self.database {
            Database::Mysql(mysql) => mysql.changes(&self.configuration, &mut take).await?,
            Database::Postgres(postgres) => postgres.changes(&mut take).await?,
        }
        let files = writer.finish()?;
        // The database is asked for the last time before anything is put.
        let there: BTreeSet<String> = self.tables().await?.iter().map(|table| table.label()).collect();
        self.put(&files).await?;
        match &mut self.database {
            Database::Mysql(mysql) => mysql.landed(),
            Database::Postgres(postgres) => postgres.landed(),
        }
        self.look_for_dropped(&there);
        Ok(files)
    }

    /// The log of a table just ends where it is dropped.
    fn look_for_dropped(&mut self, there: &BTreeSet<String>) {
        let gone = self.followed.difference(there).map(|table| {
            format!(
                "`{table}` was dropped or renamed: DMS does not report this, and the warehouse keeps its rows\n\
                 remove it from `tables`, or name its new table as `source`"
            )
        });
        let gone: Vec<String> = gone.collect();
        self.findings().extend(gone);
        self.followed.retain(|table| there.contains(table));
    }

    /// What the database's log did not contain so far.
    pub fn findings(&mut self) -> &mut BTreeSet<String> {
        match &mut self.database {
            Database::Mysql(mysql) => mysql.findings(),
            Database::Postgres(postgres) => postgres.findings(),
        }
    }

    async fn tables(&self) -> Result<Vec<Arc<Table>>> {
        match &self.database {
            Database::Mysql(mysql) => mysql.tables(&self.configuration).await,
            Database::Postgres(postgres) => postgres.tables(&self.configuration).await,
        }
    }

    /// Puts the files with the role of the endpoint.
    async fn put(&self, files: &[File]) -> Result<()> {
        let bucket = &self.configuration.target.bucket;
        for file in files {
            let failed = |why: String| {
                Error::new(format!("`{}` cannot write s3://{bucket}/{}", self.configuration.name, file.key)).note(why)
            };
            let body = ByteStream::from_path(&file.path).await.map_err(|error| failed(error.to_string()))?;
            let request = self.client.put_object().bucket(bucket).key(&file.key).body(body);
            request.send().await.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
            fs_err::remove_file(&file.path)?;
        }
        Ok(())
    }
}

fn microseconds_now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap_or_default()
}

fn truncated(table: &str) -> String {
    format!(
        "`{table}` was truncated: DMS does not report this, and the warehouse keeps its rows\n\
         delete rows with DELETE, or drop them from the warehouse by hand"
    )
}
