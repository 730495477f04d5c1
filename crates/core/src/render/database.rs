//! What the templates know of the databases among the sources.
//!
//! - `captured`: those that DMS follows, each with its replication and `rules`, one a table.
//! - `created`: those that pipectl makes in Amazon RDS.
//! - `read`: those that a Glue job reads by watermark, each with its `job`, its `schedule` and the network of its connection.
//! - `read_here`: whether one of these jobs runs in the pipeline's own network.
//! - `read_secrets`: those of them whose secret is made in the stack `ingest`.
//! - `secrets`: those whose secret pipectl makes in the stack `source-database`.
//! - `database_network`: whether one of them is reached from the pipeline's own network.
//! - `dms_account_roles`: whether the roles that DMS asks for in each account are to be made.

use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::spec::{Capture, Database, Engine, Spec};

use super::context::{json, logical_id, unique};

/// The user that reads a database.
const USER: &str = "pipectl";
/// Where the numbers of the rules for keys begin. Those of the tables are below.
const BEFORE: usize = 2_001;

#[expect(clippy::struct_excessive_bools, reason = "each is a condition in the templates")]
#[derive(Serialize)]
pub(super) struct DatabaseNames {
    id: String,
    name: String,
    /// What everything of this source in RDS and DMS is called.
    identifier: String,
    /// RDS's and DMS's name of the engine.
    engine: &'static str,
    mysql: bool,
    tls: bool,
    database: String,
    schema: String,
    host: Option<String>,
    port: u16,
    user: &'static str,
    secret: String,
    own_secret: bool,
    /// The secret, as an IAM policy names it: Secrets Manager ends an ARN with six random characters.
    secret_pattern: String,
    vpc: Option<Value>,
    replication: Value,
    #[serde(flatten)]
    created: Created,
    create: bool,
    /// The job that reads it, and its role.
    job: String,
    schedule: String,
    /// The scheme of its JDBC URL.
    scheme: &'static str,
    /// The end of its JDBC URL.
    url_options: &'static str,
    rules: Vec<Rule>,
}

#[derive(Default, Serialize)]
struct Created {
    family: String,
    version: String,
    instance_class: String,
    storage: u32,
}

/// A table in the table mappings of DMS.
#[derive(Serialize)]
struct Rule {
    number: String,
    table: String,
    schema: String,
    before_number: String,
    before_name: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a condition in the templates")]
#[derive(Default, Serialize)]
pub(super) struct Databases {
    captured: Vec<DatabaseNames>,
    read: Vec<DatabaseNames>,
    read_here: bool,
    read_secrets: Vec<DatabaseNames>,
    created: Vec<DatabaseNames>,
    secrets: Vec<DatabaseNames>,
    database_network: bool,
    dms_account_roles: bool,
    /// Whether CloudFormation needs the rights for any of this.
    database_policies: bool,
}

impl Databases {
    /// Whether a job that reads a database runs in the pipeline's own network.
    pub(super) fn read_here(&self) -> bool {
        self.read_here
    }
}

/// Whether a pipeline has the stack `source-database`.
pub(super) fn has_stack(spec: &Spec) -> bool {
    spec.pipeline
        .sources
        .values()
        .filter_map(|source| source.database())
        .any(|(_, database)| database.capture == Capture::Cdc || database.create.is_some())
}

/// The databases among the sources. Fails if two of them come to the same logical id.
pub(super) fn databases(spec: &Spec) -> Result<Databases> {
    let mut databases = Databases::default();
    for (name, source) in &spec.pipeline.sources {
        let Some((engine, database)) = source.database() else { continue };
        let names = || names(spec, name, engine, database);
        databases.database_network |= database.vpc.is_none();
        databases.database_policies = true;
        let captured = database.capture == Capture::Cdc;
        databases.dms_account_roles |= captured && database.replication.create_account_roles;
        if captured && !names()?.rules.is_empty() {
            databases.captured.push(names()?);
        }
        if !captured && has_tables(spec, name) {
            databases.read_here |= database.vpc.is_none();
            if database.create.is_none() && database.secret.is_none() {
                databases.read_secrets.push(names()?);
            }
            databases.read.push(names()?);
        }
        if database.create.is_some() {
            databases.created.push(names()?);
        }
        if (captured || database.create.is_some()) && database.secret.is_none() {
            databases.secrets.push(names()?);
        }
    }
    let all = databases
        .captured
        .iter()
        .chain(&databases.read)
        .chain(databases.created.iter().filter(|one| one.rules.is_empty() && !has_tables(spec, &one.name)));
    unique("sources", all.map(|one| (one.name.as_str(), one.id.as_str())))?;
    Ok(databases)
}

fn has_tables(spec: &Spec, source: &str) -> bool {
    spec.pipeline.tables.values().any(|table| table.source().0 == source)
}

fn names(spec: &Spec, name: &str, engine: Engine, database: &Database) -> Result<DatabaseNames> {
    let prefix = spec.prefix();
    let schema = database.schema(engine).to_owned();
    let mut tables: Vec<&str> = spec
        .pipeline
        .tables
        .values()
        .filter_map(|table| table.source.split_once('.').filter(|(source, _)| *source == name))
        .map(|(_, table)| table)
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let rules = tables.iter().enumerate().filter(|_| database.capture == Capture::Cdc);
    let rules = rules
        .map(|(index, table)| Rule {
            number: (index + 1).to_string(),
            table: (*table).to_owned(),
            schema: schema.clone(),
            before_number: (BEFORE + index).to_string(),
            before_name: format!("key-of-{table}"),
        })
        .collect();
    let secret = database.secret(&prefix, name);
    Ok(DatabaseNames {
        id: logical_id(name),
        name: name.to_owned(),
        identifier: format!("{prefix}-{name}"),
        engine: match engine {
            Engine::Mysql => "mysql",
            Engine::Postgresql => "postgres",
        },
        mysql: engine == Engine::Mysql,
        tls: database.tls,
        database: database.database.clone(),
        schema,
        host: database.host.clone(),
        port: database.port(engine),
        user: USER,
        secret_pattern: format!("{secret}-??????"),
        secret,
        own_secret: database.secret.is_none(),
        vpc: database.vpc.as_ref().map(json).transpose()?,
        replication: json(&database.replication)?,
        created: created(engine, database),
        create: database.create.is_some(),
        job: format!("{prefix}-ingest-{name}"),
        schedule: database.schedule.clone(),
        scheme: engine.key(),
        url_options: match (database.tls, engine) {
            (false, _) => "",
            (true, Engine::Mysql) => "?sslMode=REQUIRED",
            (true, Engine::Postgresql) => "?sslmode=require",
        },
        rules,
    })
}

/// The newest versions that RDS had in 2026-09; it makes no database of a version that is not complete, and takes later
/// ones by itself.
const NEWEST: [(Engine, &str, &str); 6] = [
    (Engine::Mysql, "8.0", "8.0.46"),
    (Engine::Mysql, "8.4", "8.4.11"),
    (Engine::Postgresql, "15", "15.19"),
    (Engine::Postgresql, "16", "16.15"),
    (Engine::Postgresql, "17", "17.11"),
    (Engine::Postgresql, "18", "18.6"),
];

fn created(engine: Engine, database: &Database) -> Created {
    let Some(create) = &database.create else { return Created::default() };
    let version = create.version.clone().unwrap_or_else(|| engine.version().to_owned());
    let mut parts = version.split('.');
    let major = parts.next().unwrap_or_default();
    let family = match engine {
        Engine::Mysql => format!("mysql{major}.{}", parts.next().unwrap_or("0")),
        Engine::Postgresql => format!("postgres{major}"),
    };
    let newest = NEWEST.into_iter().find(|(of, series, _)| *of == engine && *series == version);
    let version = newest.map_or(version, |(_, _, newest)| newest.to_owned());
    Created { family, version, instance_class: create.instance_class.clone(), storage: create.storage }
}
