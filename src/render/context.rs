//! What a template can speak of.
//!
//! - `pipeline`: the spec, key by key as in `stacks/pipeline.yaml`, with the environment's overrides and all defaults.
//! - `environment`: `name`, `account`, `region`, `production`, `local`.
//! - `prefix`, and the names that follow from it: `buckets.raw`, `buckets.cleaned`, `buckets.transformed`,
//!   `buckets.raw_archive`, `buckets.cleaned_archive`, `buckets.logs`, `buckets.artifacts`, `load_function`,
//!   `landing_rule`, `transformed_rule`, `statement_rule`, `admin_user`, `warehouse_secret`, `job_log_prefix`.
//! - `customs`: the `lambda` sources, each with `id`, `name`, `package`, `function`, `secret` or null, `schedule`, `tables`,
//!   `table_list`, `memory`, `timeout`, `environment`. `scheduled`: whether anything runs on a schedule.
//! - `call_failed_rule`, `jobs`: names of a rule and of the Glue jobs. `console`, `load_log_link`: links of AWS's console.
//! - `shopify`: the Shopify sources, each with `id` (for logical ids), `name`, `function`, `secret`, `schedule`, `tables`,
//!   and `webhooks` (`partner_source` and `rule`), or null.
//! - `tables`: each with `id`, `name`, `columns` (`name` and Glue's `type`), `deletes`, `derived` (made by SQL), `latest` (a query).
//! - `raw_tables`: those whose objects are text, each with `id`, `name`, `landing`. `lock_mode`: of the archive, or null.
//! - `databases`, `subnets`, `load_rules`, `rules`, `functions`, `queues`, `job_logs`: what a template repeats.
//! - `captured`, `created`, `secrets`, `database_network`: the databases among the sources (see `database.rs`).
//! - `readers`: the users of the warehouse that may only read, each with `id`, `user` and `secret`; `exports`: the marts
//!   whose rows become files; `quicksight`: the data sets to make, or null.
//! - `cloudtrail`, `s3_events`: which way events go. `github`: whom to trust, or null.

use std::net::Ipv4Addr;

use handlebars::Context;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::spec::{Capture, ColumnType, Github, Map, Source, Spec, TriggerMode};
use crate::warehouse::ADMIN_USER;

use super::catalog;

#[derive(Serialize)]
struct Names {
    pipeline: Value,
    environment: EnvironmentNames,
    prefix: String,
    buckets: Buckets,
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
    subnets: Vec<Subnet>,
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
struct ShopifyNames {
    id: String,
    name: String,
    function: String,
    secret: String,
    schedule: String,
    tables: Vec<String>,
    webhooks: Option<Webhooks>,
}

/// Where a shop's webhooks come from: an event bus that has the name of its source, and the rule on it.
#[derive(Serialize)]
struct Webhooks {
    partner_source: String,
    rule: String,
}

#[derive(Serialize)]
struct CustomNames {
    id: String,
    name: String,
    /// The crate, and so the artifact.
    package: String,
    function: String,
    secret: Option<String>,
    schedule: String,
    tables: Vec<String>,
    table_list: String,
    memory: u32,
    timeout: u32,
    environment: Map<String>,
}

#[derive(Serialize)]
struct FunctionNames {
    id: String,
    name: String,
    log_link: String,
    /// The rule for its failures; no longer than the function's own name.
    failed_rule: String,
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
struct Subnet {
    id: String,
    zone: char,
    cidr: String,
}

#[derive(Serialize)]
struct Named {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct Queue {
    id: &'static str,
    stack: &'static str,
    purpose: &'static str,
}

/// What a token of GitHub must say.
#[derive(Serialize)]
struct Trusted {
    create_provider: bool,
    repository_id: Option<String>,
    r#ref: String,
    plan_subjects: Vec<String>,
    deploy_subjects: Vec<String>,
}

/// The context of all templates. Fails if two names of the spec come to the same logical id.
pub(super) fn context(spec: &Spec, files: super::Templates<'_>) -> Result<Context> {
    let prefix = spec.prefix();
    let (shopify, customs) = (shopify(spec), customs(spec));
    let readers = shopify
        .iter()
        .map(|source| (&source.name, &source.id))
        .chain(customs.iter().map(|source| (&source.name, &source.id)));
    distinct(readers)?;
    let names = Names {
        environment: EnvironmentNames {
            name: spec.environment_name.clone(),
            account: spec.environment.account.clone(),
            region: spec.environment.region.clone(),
            production: spec.environment.production,
            local: spec.environment.local,
        },
        buckets: Buckets {
            raw: spec.bucket("raw"),
            cleaned: spec.bucket("cleaned"),
            transformed: spec.bucket("transformed"),
            raw_archive: spec.bucket("raw-archive"),
            cleaned_archive: spec.bucket("cleaned-archive"),
            logs: spec.bucket("logs"),
            artifacts: spec.bucket("artifacts"),
        },
        load_function: format!("{prefix}-load"),
        landing_rule: format!("{prefix}-landing"),
        transformed_rule: format!("{prefix}-transformed"),
        statement_rule: format!("{prefix}-statement"),
        call_failed_rule: format!("{prefix}-call-failed"),
        console: console(&spec.environment.region),
        load_log_link: log_link(spec, &format!("{prefix}-load")),
        admin_user: ADMIN_USER,
        warehouse_secret: format!("redshift!{prefix}-{ADMIN_USER}"),
        job_log_prefix: format!("/pipectl/{prefix}/glue"),
        scheduled: !shopify.is_empty() || !customs.is_empty(),
        shopify,
        customs,
        jobs: jobs(spec),
        tables: tables(spec)?,
        raw_tables: catalog::raw_tables(spec),
        lock_mode: catalog::lock_mode(spec),
        databases: databases(&prefix),
        subnets: subnets(&spec.pipeline.network.cidr),
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
        functions: functions(spec),
        queues: vec![
            Queue { id: "Failure", stack: "ingest", purpose: "calls of Lambdas that failed for good" },
            Queue { id: "Undelivered", stack: "events", purpose: "events that no target took" },
        ],
        job_logs: vec![
            Named { id: "JobErrorLogs".into(), name: format!("/pipectl/{prefix}/glue/error") },
            Named { id: "JobOutputLogs".into(), name: format!("/pipectl/{prefix}/glue/output") },
        ],
        cloudtrail: spec.pipeline.trigger.mode == TriggerMode::Cloudtrail,
        s3_events: spec.pipeline.trigger.mode == TriggerMode::S3,
        github: spec.pipeline.github.as_ref().map(|github| trusted(github, &spec.environment_name)),
        database_sources: super::database::databases(spec)?,
        outlets: super::warehouse::outlets(spec, files)?,
        pipeline: json(&spec.pipeline)?,
        prefix,
    };
    Ok(Context::from(json(&names)?))
}

pub(super) fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::new("the spec cannot be written as JSON").cause(&error))
}

fn shopify(spec: &Spec) -> Vec<ShopifyNames> {
    let prefix = spec.prefix();
    let mut names = Vec::new();
    for (name, source) in &spec.pipeline.sources {
        let Source::Shopify(source) = source else { continue };
        let of_source = |object: &str| object.split_once('.').is_some_and(|(of, _)| of == name);
        names.push(ShopifyNames {
            id: logical_id(name),
            name: name.clone(),
            function: format!("{prefix}-ingest-{name}"),
            secret: format!("{prefix}/{name}"),
            schedule: source.schedule.clone(),
            tables: spec
                .pipeline
                .tables
                .iter()
                .filter(|(_, table)| of_source(&table.source))
                .map(|(table, _)| table.clone())
                .collect(),
            webhooks: source.events.as_ref().map(|events| Webhooks {
                partner_source: events.partner_source.clone(),
                rule: format!("{prefix}-webhooks-{name}"),
            }),
        });
    }
    // A source without a table would make a Lambda that may write nowhere, and IAM refuses a policy without resources.
    names.retain(|source| !source.tables.is_empty());
    names
}

/// Every source that has a Lambda gives its name to a logical id.
fn distinct<'a>(readers: impl Iterator<Item = (&'a String, &'a String)> + Clone) -> Result<()> {
    unique("sources", readers.clone().map(|(name, id)| (name.as_str(), id.as_str())))?;
    if let Some((name, _)) = readers.into_iter().find(|(_, id)| *id == "Load") {
        return Err(Error::project(format!("a source cannot be called `{name}`: the load Lambda is"))
            .hint("rename the source, for example to `shop`"));
    }
    Ok(())
}

/// The names of the Glue jobs: those that every pipeline has, and one for each database that is read by a watermark.
fn jobs(spec: &Spec) -> Vec<String> {
    let prefix = spec.prefix();
    let read =
        spec.pipeline.sources.iter().filter(|(_, source)| {
            source.database().is_some_and(|(_, database)| database.capture == Capture::Watermark)
        });
    ["clean", "transform"]
        .map(|job| format!("{prefix}-{job}"))
        .into_iter()
        .chain(read.map(|(name, _)| format!("{prefix}-ingest-{name}")))
        .collect()
}

/// The sources of the user's own that have a table; the others have nowhere to write to.
fn customs(spec: &Spec) -> Vec<CustomNames> {
    let prefix = spec.prefix();
    let mut names = Vec::new();
    for (name, source) in &spec.pipeline.sources {
        let Source::Lambda(source) = source else { continue };
        let tables: Vec<String> = spec
            .pipeline
            .tables
            .iter()
            .filter(|(_, table)| table.source == *name)
            .map(|(table, _)| table.clone())
            .collect();
        if tables.is_empty() {
            continue;
        }
        names.push(CustomNames {
            id: logical_id(name),
            name: name.clone(),
            package: source.package.clone(),
            function: format!("{prefix}-ingest-{name}"),
            secret: source.secret.then(|| format!("{prefix}/{name}")),
            schedule: source.schedule.clone(),
            table_list: tables.join(","),
            tables,
            memory: source.memory.unwrap_or(spec.pipeline.functions.memory),
            timeout: source.timeout.unwrap_or(spec.pipeline.functions.timeout),
            environment: source.environment.clone(),
        });
    }
    names
}

/// Where AWS's console of a region is.
fn console(region: &str) -> String {
    let domain = match region.split('-').next() {
        Some("cn") => "console.amazonaws.cn",
        _ if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{domain}")
}

/// Where the console shows the log of a function. Slashes in a name are escaped twice, with `$` for `%`.
fn log_link(spec: &Spec, function: &str) -> String {
    let region = &spec.environment.region;
    let group = format!("/pipectl/{}/{function}", spec.prefix()).replace('/', "$252F");
    format!("{}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}", console(region))
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

fn functions(spec: &Spec) -> Vec<FunctionNames> {
    let prefix = spec.prefix();
    let readers = spec.pipeline.sources.iter().filter(|(name, source)| {
        matches!(source, Source::Shopify(_) | Source::Lambda(_))
            && spec.pipeline.tables.values().any(|table| table.source.split('.').next() == Some(name.as_str()))
    });
    readers
        .map(|(name, _)| (logical_id(name), format!("{prefix}-ingest-{name}"), format!("{prefix}-failed-{name}")))
        .chain([("Load".into(), format!("{prefix}-load"), format!("{prefix}-failed-load"))])
        .map(|(id, name, failed_rule)| FunctionNames { id, log_link: log_link(spec, &name), name, failed_rule })
        .collect()
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
    [("Raw", "raw", "landing/"), ("Cleaned", "cleaned", ""), ("Transformed", "transformed", "")]
        .map(|(id, zone, path)| Database {
            id,
            name: format!("{start}_{zone}"),
            zone,
            bucket_reference: format!("${{{id}BucketName}}"),
            path,
        })
        .into()
}

/// Three quarters of the range; the last is left for what may come.
fn subnets(cidr: &str) -> Vec<Subnet> {
    let (address, bits) = cidr.split_once('/').unwrap_or((cidr, "22"));
    let start = u32::from(address.parse().unwrap_or(Ipv4Addr::new(10, 40, 0, 0)));
    let bits = bits.parse::<u32>().unwrap_or(22).clamp(16, 24) + 2;
    let size = 1_u32 << (32 - bits);
    (0..3_u8)
        .map(|index| Subnet {
            id: format!("Subnet{}", char::from(b'A' + index)),
            zone: char::from(b'a' + index),
            cidr: format!("{}/{bits}", Ipv4Addr::from(start.wrapping_add(size * u32::from(index)))),
        })
        .collect()
}

/// GitHub names a repository in a token's subject by its name, and since 2026-07-15 by name and number for those that
/// were made, renamed or transferred from then on. Where the numbers are known both forms are trusted.
fn trusted(github: &Github, environment: &str) -> Trusted {
    let mut starts = vec![format!("repo:{}", github.repository)];
    if let (Some((owner, name)), Some(owner_id), Some(id)) =
        (github.repository.split_once('/'), github.owner_id, github.repository_id)
    {
        starts.push(format!("repo:{owner}@{owner_id}/{name}@{id}"));
    }
    let environment = github.environment.as_deref().unwrap_or(environment);
    let subjects = |end: &str| starts.iter().map(|start| format!("{start}:{end}")).collect();
    Trusted {
        create_provider: github.create_provider,
        repository_id: github.repository_id.map(|id| id.to_string()),
        r#ref: format!("refs/heads/{}", github.branch),
        plan_subjects: subjects("pull_request"),
        deploy_subjects: subjects(&format!("environment:{environment}")),
    }
}
