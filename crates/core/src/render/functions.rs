//! What a template says of the Lambdas and jobs: their names, their sources, the links of AWS's console.

use pipectl_contract::names;
use serde::Serialize;

use super::context::{logical_id, unique};
use crate::error::{Error, Result};
use crate::spec::{Capture, Map, Spec};

#[derive(Serialize)]
pub(super) struct ShopifyNames {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) function: String,
    pub(super) secret: String,
    pub(super) schedule: String,
    pub(super) tables: Vec<String>,
    pub(super) webhooks: Option<Webhooks>,
}

/// Where a shop's webhooks come from: an event bus that has the name of its source, and the rule on it.
#[derive(Serialize)]
pub(super) struct Webhooks {
    partner_source: String,
    rule: String,
}

#[derive(Serialize)]
pub(super) struct CustomNames {
    pub(super) id: String,
    pub(super) name: String,
    /// The crate, and so the artifact.
    pub(super) package: String,
    pub(super) function: String,
    pub(super) secret: Option<String>,
    pub(super) schedule: String,
    pub(super) tables: Vec<String>,
    pub(super) table_list: String,
    pub(super) memory: u32,
    pub(super) timeout: u32,
    pub(super) environment: Map<String>,
}

#[derive(Serialize)]
pub(super) struct FunctionNames {
    id: String,
    name: String,
    log_link: String,
    /// The rule for its failures; no longer than the function's own name.
    failed_rule: String,
}

pub(super) fn shopify(spec: &Spec) -> Vec<ShopifyNames> {
    let prefix = spec.prefix();
    let mut names = Vec::new();
    for (name, source) in &spec.pipeline.sources {
        let Some(source) = source.shopify() else { continue };
        let of_source = |object: &str| object.split_once('.').is_some_and(|(of, _)| of == name);
        names.push(ShopifyNames {
            id: logical_id(name),
            name: name.clone(),
            function: format!("{prefix}-ingest-{name}"),
            secret: names::source_secret(&prefix, name),
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

/// The sources of the user's own that have a table; the others have nowhere to write to.
pub(super) fn customs(spec: &Spec) -> Vec<CustomNames> {
    let prefix = spec.prefix();
    let mut names = Vec::new();
    for (name, source) in &spec.pipeline.sources {
        let Some(source) = source.custom() else { continue };
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
            secret: source.secret.then(|| names::source_secret(&prefix, name)),
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

/// Every source that has a Lambda gives its name to a logical id.
pub(super) fn distinct<'a>(readers: impl Iterator<Item = (&'a String, &'a String)> + Clone) -> Result<()> {
    unique("sources", readers.clone().map(|(name, id)| (name.as_str(), id.as_str())))?;
    if let Some((name, _)) = readers.into_iter().find(|(_, id)| *id == "Load") {
        return Err(Error::project(format!("a source cannot be called `{name}`: the load Lambda is"))
            .hint("rename the source, for example to `shop`"));
    }
    Ok(())
}

/// The names of the Glue jobs: those that every pipeline has, and one for each database that is read by a watermark.
pub(super) fn jobs(spec: &Spec) -> Vec<String> {
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

pub(super) fn functions(spec: &Spec) -> Vec<FunctionNames> {
    let prefix = spec.prefix();
    let readers = spec.pipeline.sources.iter().filter(|(name, source)| {
        source.has_function()
            && spec.pipeline.tables.values().any(|table| table.source.split('.').next() == Some(name.as_str()))
    });
    readers
        .map(|(name, _)| (logical_id(name), format!("{prefix}-ingest-{name}"), format!("{prefix}-failed-{name}")))
        .chain([("Load".into(), format!("{prefix}-load"), format!("{prefix}-failed-load"))])
        .map(|(id, name, failed_rule)| FunctionNames { id, log_link: log_link(spec, &name), name, failed_rule })
        .collect()
}

/// Where AWS's console of a region is.
pub(super) fn console(region: &str) -> String {
    let domain = match region.split('-').next() {
        Some("cn") => "console.amazonaws.cn",
        _ if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    format!("https://{region}.{domain}")
}

/// Where the console shows the log of a function. Slashes in a name are escaped twice, with `$` for `%`.
pub(super) fn log_link(spec: &Spec, function: &str) -> String {
    let region = &spec.environment.region;
    let group = format!("/pipectl/{}/{function}", spec.prefix()).replace('/', "$252F");
    format!("{}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}", console(region))
}
