//! What a template can speak of.
//!
//! - `pipeline`: the spec, key by key as in `stacks/pipeline.yaml`, with the environment's overrides and all defaults.
//! - `environment`: `name`, `account`, `region`, `production`, `local`.
//! - `prefix`, and the names that follow from it: `buckets.raw`, `buckets.cleaned`, `buckets.transformed`,
//!   `buckets.raw_archive`, `buckets.cleaned_archive`, `buckets.logs`, `buckets.artifacts`, `load_function`,
//!   `landing_rule`, `transformed_rule`, `statement_rule`, `admin_user`, `warehouse_secret`, `job_log_prefix`.
//! - `folders`: the first folders of the buckets, without their `/`: `landing`, `replay`, `state`, `parked`, `ledger`,
//!   `quarantine`, `manifests`, `exports`, `iceberg`.
//! - `customs`: the `lambda` sources, each with `id`, `name`, `package`, `function`, `secret` or null, `schedule`, `tables`,
//!   `table_list`, `memory`, `timeout`, `environment`. `scheduled`: whether anything runs on a schedule.
//! - `call_failed_rule`, `jobs`: names of a rule and of the Glue jobs. `console`, `load_log_link`: links of AWS's console.
//! - `shopify`: the Shopify sources, each with `id` (for logical ids), `name`, `function`, `secret`, `schedule`, `tables`,
//!   and `webhooks` (`partner_source` and `rule`), or null.
//! - `tables`: each with `id`, `name`, `columns` (`name` and Glue's `type`), `deletes`, `derived` (made by SQL), `latest` (a query).
//! - `raw_tables`: those whose objects are text, each with `id`, `name`, `landing`. `lock_mode`: of the archive, or null.
//! - `owned`: all names that the pipeline can have, by kind, for the policies of the bootstrap stack; `trail`, `topic`.
//! - `role_subnets`: the subnets that a role enters.
//! - `databases`, `subnets`, `load_rules`, `rules`, `functions`, `queues`, `job_logs`: what a template repeats.
//! - `captured`, `created`, `secrets`, `database_network`: the databases among the sources (see `database.rs`).
//! - `readers`: the users of the warehouse that may only read, each with `id`, `user` and `secret`; `exports`: the marts
//!   whose rows become files; `quicksight`: the data sets to make, or null.
//! - `iceberg_database`: the database of the Iceberg tables, or null.
//! - `cloudtrail`, `s3_events`: which way events go. `github`: whom to trust, or null.

use handlebars::Context;
use pipectl_contract::keys;
use pipectl_contract::names::{self, Zone};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::spec::{ColumnType, Spec, TriggerMode};

use super::catalog;
use super::functions::{self, CustomNames, FunctionNames, ShopifyNames};
use super::github::{Trusted, trusted};
use super::network::{Subnet, subnets};
use super::owned::{Owned, owned};

#[derive(Serialize)]
struct Names {
    pipeline: Value,
    environment: EnvironmentNames,
    prefix: String,
    buckets: Buckets,
    folders: Folders,
    load_function: String,
    landing_rule: String,
    transformed_rule: String,
    statement_rule: String,
    call_failed_rule: String,
    console: String,
    load_log_link: String,
    admin_user: &'static str,
    warehouse_secret: String,
    job_log_prefix: String,
    shopify: Vec<ShopifyNames>,
    customs: Vec<CustomNames>,
    /// Whether anything runs on a schedule.
    scheduled: bool,
    /// The names of the Glue jobs.
    jobs: Vec<String>,
    tables: Vec<TableNames>,
    raw_tables: Vec<catalog::RawTable>,
    lock_mode: Option<&'static str>,
    databases: Vec<Database>,
    iceberg_database: Option<String>,
    subnets: Vec<Subnet>,
    /// The subnets that the policy of a role names.
    role_subnets: Vec<Subnet>,
    owned: Owned,
    trail: String,
    topic: String,
    load_rules: Vec<Named>,
    rules: Vec<Named>,
    functions: Vec<FunctionNames>,
    queues: Vec<Queue>,
    job_logs: Vec<Named>,
    cloudtrail: bool,
    s3_events: bool,
    github: Option<Trusted>,
    #[serde(flatten)]
    database_sources: super::database::Databases,
    #[serde(flatten)]
    outlets: super::warehouse::Outlets,
}

#[derive(Serialize)]
struct EnvironmentNames {
    name: String,
    account: String,
    region: String,
    production: bool,
    local: bool,
}

#[derive(Serialize)]
struct Buckets {
    raw: String,
    cleaned: String,
    transformed: String,
    raw_archive: String,
    cleaned_archive: String,
    logs: String,
    artifacts: String,
}

#[derive(Serialize)]
struct TableNames {
    id: String,
    name: String,
    columns: Vec<CatalogColumn>,
    /// Whether its files say which rows are gone.
    deletes: bool,
    /// Whether SQL makes it from other tables, so that the cleaned zone has nothing of it.
    derived: bool,
    /// The query for the rows as they are now; none of a table without a key, where every row stays.
    latest: Option<catalog::Latest>,
}

#[derive(Serialize)]
struct CatalogColumn {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// A Glue database: the catalog of one zone.
#[derive(Serialize)]
struct Database {
    id: &'static str,
    name: String,
    zone: &'static str,
    /// The bucket, as `Fn::Sub` refers to it.
    bucket_reference: String,
    /// Where the tables' folders are.
    path: &'static str,
}

#[derive(Serialize)]
struct Named {
    id: String,
    name: String,
}

/// The first folders of the buckets, without their `/`.
#[derive(Serialize)]
struct Folders {
    landing: &'static str,
    replay: &'static str,
    state: &'static str,
    parked: &'static str,
    ledger: &'static str,
    quarantine: &'static str,
    manifests: &'static str,
    exports: &'static str,
    iceberg: &'static str,
}

impl Folders {
    fn new() -> Self {
        let name = |prefix: &'static str| prefix.trim_end_matches('/');
        Self {
            landing: name(keys::LANDING),
            replay: name(keys::REPLAY),
            state: name(keys::STATE),
            parked: name(keys::PARKED),
            ledger: name(keys::LEDGER),
            quarantine: name(keys::QUARANTINE),
            manifests: name(keys::MANIFESTS),
            exports: name(keys::EXPORTS),
            iceberg: name(keys::ICEBERG),
        }
    }
}

#[derive(Serialize)]
struct Queue {
    id: &'static str,
    stack: &'static str,
    purpose: &'static str,
}

/// The context of all templates. Fails if two names of the spec come to the same logical id.
pub(super) fn context(spec: &Spec, files: super::Templates<'_>) -> Result<Context> {
    let prefix = spec.prefix();
    let (shopify, customs) = (functions::shopify(spec), functions::customs(spec));
    let readers = shopify
        .iter()
        .map(|source| (&source.name, &source.id))
        .chain(customs.iter().map(|source| (&source.name, &source.id)));
    functions::distinct(readers)?;
    let (database_sources, outlets) = (super::database::databases(spec)?, super::warehouse::outlets(spec, files)?);
    let mut role_subnets = subnets(&spec.pipeline.network.cidr);
    // QuickSight enters all of them, a job that reads a database the first.
    role_subnets.truncate(match (outlets.has_quicksight(), database_sources.read_here()) {
        (true, _) => role_subnets.len(),
        (false, read_here) => usize::from(read_here),
    });
    let names = Names {
        environment: EnvironmentNames {
            name: spec.environment_name.clone(),
            account: spec.environment.account.clone(),
            region: spec.environment.region.clone(),
            production: spec.environment.production,
            local: spec.environment.local,
        },
        buckets: Buckets {
            raw: spec.bucket(Zone::Raw),
            cleaned: spec.bucket(Zone::Cleaned),
            transformed: spec.bucket(Zone::Transformed),
            raw_archive: spec.bucket(Zone::RawArchive),
            cleaned_archive: spec.bucket(Zone::CleanedArchive),
            logs: spec.bucket(Zone::Logs),
            artifacts: spec.bucket(Zone::Artifacts),
        },
        folders: Folders::new(),
        load_function: format!("{prefix}-load"),
        landing_rule: format!("{prefix}-landing"),
        transformed_rule: format!("{prefix}-transformed"),
        statement_rule: format!("{prefix}-statement"),
        call_failed_rule: format!("{prefix}-call-failed"),
        console: functions::console(&spec.environment.region),
        load_log_link: functions::log_link(spec, &format!("{prefix}-load")),
        admin_user: names::ADMIN_USER,
        warehouse_secret: names::warehouse_secret(&prefix),
        job_log_prefix: format!("/pipectl/{prefix}/glue"),
        scheduled: !shopify.is_empty() || !customs.is_empty(),
        shopify,
        customs,
        jobs: functions::jobs(spec),
        tables: tables(spec)?,
        raw_tables: catalog::raw_tables(spec),
        lock_mode: catalog::lock_mode(spec),
        databases: databases(&prefix),
        iceberg_database: spec.iceberg_database(),
        subnets: subnets(&spec.pipeline.network.cidr),
        role_subnets,
        owned: owned(spec),
        trail: format!("{prefix}-landing"),
        topic: format!("{prefix}-alerts"),
        load_rules: vec![
            Named { id: "Transformed".into(), name: format!("{prefix}-transformed") },
            Named { id: "Statement".into(), name: format!("{prefix}-statement") },
        ],
        rules: [
            ("Landing", "landing"),
            ("Transformed", "transformed"),
            ("Statement", "statement"),
            ("CallFailed", "call-failed"),
        ]
        .map(|(id, name)| Named { id: id.into(), name: format!("{prefix}-{name}") })
        .into(),
        functions: functions::functions(spec),
        queues: vec![
            Queue { id: "Failure", stack: "ingest", purpose: names::FAILURES.purpose },
            Queue { id: "Undelivered", stack: "events", purpose: names::UNDELIVERED.purpose },
        ],
        job_logs: vec![
            Named { id: "JobErrorLogs".into(), name: format!("/pipectl/{prefix}/glue/error") },
            Named { id: "JobOutputLogs".into(), name: format!("/pipectl/{prefix}/glue/output") },
        ],
        cloudtrail: spec.pipeline.trigger.mode == TriggerMode::Cloudtrail,
        s3_events: spec.pipeline.trigger.mode == TriggerMode::S3,
        github: spec.pipeline.github.as_ref().map(|github| trusted(github, &spec.environment_name)),
        database_sources,
        outlets,
        pipeline: json(&spec.pipeline)?,
        prefix,
    };
    Ok(Context::from(json(&names)?))
}

pub(super) fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::new("the spec cannot be written as JSON").cause(&error))
}

fn tables(spec: &Spec) -> Result<Vec<TableNames>> {
    let tables: Vec<TableNames> = spec
        .pipeline
        .tables
        .iter()
        .map(|(name, table)| TableNames {
            id: logical_id(name),
            name: name.clone(),
            columns: table
                .columns
                .iter()
                .map(|(name, column)| CatalogColumn { name: name.clone(), kind: glue_type(column.kind()) })
                .collect(),
            deletes: spec.deletes(table),
            derived: table.transform.is_some(),
            latest: catalog::latest(spec, name, table),
        })
        .collect();
    unique("tables", tables.iter().map(|table| (table.name.as_str(), table.id.as_str())))?;
    Ok(tables)
}

/// `order_lines` to `OrderLines`: logical ids take letters and digits only.
pub(super) fn logical_id(name: &str) -> String {
    name.split(['_', '-'])
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect()
}

pub(super) fn unique<'a>(what: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (name, id) in names {
        if let Some((other, _)) = known.iter().find(|(_, other)| *other == id) {
            return Err(Error::project(format!("the {what} `{other}` and `{name}` differ in punctuation only"))
                .note(format!(
                    "both would be called `{id}` in the templates, where only letters and digits are allowed"
                ))
                .hint(format!("rename `{name}`")));
        }
        known.push((name, id));
    }
    Ok(())
}

/// A column's type in the words of the Glue catalog.
fn glue_type(kind: &ColumnType) -> String {
    match kind {
        ColumnType::Integer => "int".into(),
        ColumnType::Super | ColumnType::Varchar(_) => "string".into(),
        other => other.to_string(),
    }
}

fn databases(prefix: &str) -> Vec<Database> {
    let start = prefix.replace('-', "_");
    [("Raw", Zone::Raw, keys::LANDING), ("Cleaned", Zone::Cleaned, ""), ("Transformed", Zone::Transformed, "")]
        .map(|(id, zone, path)| Database {
            id,
            name: format!("{start}_{}", zone.as_str()),
            zone: zone.as_str(),
            bucket_reference: format!("${{{id}BucketName}}"),
            path,
        })
        .into()
}
