//! Reads data of a Shopify source again, since a time.

use std::collections::BTreeSet;

use pipectl_contract::keys;
use pipectl_contract::names::Zone;
use serde_json::{Value, json};
use time::UtcDateTime;

use super::ledger::written;
use super::not_deployed;
use crate::aws::{Kind, SignedCalls};
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::spec::source::shopify::objects;
use crate::spec::{Capture, Source, Spec};

/// The request: what to read again.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// As the ingest Lambda names them, and not repeated.
    pub objects: BTreeSet<&'static str>,
    pub tables: BTreeSet<String>,
}

impl Request {
    /// The event that asks the ingest Lambda.
    fn event(&self, from: UtcDateTime) -> Value {
        json!({"backfill": {"since": written(from), "objects": self.objects}})
    }
}

/// The request to read tables of a source again; all of its tables if none is `asked` for. Fails with everything that is wrong.
pub fn request(spec: &Spec, name: &str, from: UtcDateTime, asked: &[String], now: UtcDateTime) -> Result<Request> {
    let misuse = |message: String| Error::new(message).exit(Exit::Usage);
    let known = spec.pipeline.sources.iter();
    let Some(source) = spec.pipeline.sources.get(name) else {
        let shops = known.filter(|(_, source)| source.shopify().is_some()).map(|(name, _)| name.as_str());
        return Err(misuse(format!("there is no source `{name}`")).hint(did_you_mean(name, shops)));
    };
    if let Some(instead) = instead(source, name, spec) {
        return Err(misuse(format!("`{name}` is not a Shopify source, and only those are read again")).hint(instead));
    }
    let mut errors = Vec::new();
    if from > now {
        errors.push(misuse(format!("`--from {}` is in the future", written(from))).hint("name a day that is over"));
    }
    let own: Vec<(&str, &'static str)> = spec
        .pipeline
        .tables
        .iter()
        .filter_map(|(table_name, table)| match table.source() {
            (source, Some(object)) if source == name => Some((table_name.as_str(), objects::read_with(object)?)),
            _ => None,
        })
        .collect();
    let mut read = BTreeSet::new();
    for table_name in asked {
        match own.iter().find(|(table, _)| table == table_name) {
            Some((_, object)) => {
                read.insert(*object);
            }
            None => errors.push(
                misuse(format!("`--table {table_name}`: the source `{name}` has no such table"))
                    .hint(did_you_mean(table_name, own.iter().map(|(table, _)| *table))),
            ),
        }
    }
    Error::all(errors)?;
    if asked.is_empty() {
        read = own.iter().map(|(_, object)| *object).collect();
    }
    if read.is_empty() {
        return Err(Error::project(format!("no table is made from the source `{name}`"))
            .hint("add one, deploy, and its first run reads everything"));
    }
    let tables = own.iter().filter(|(_, object)| read.contains(object)).map(|(table, _)| (*table).to_owned());
    Ok(Request { tables: tables.collect(), objects: read })
}

/// How another kind of source is read again; nothing for a Shopify source.
fn instead(source: &Source, name: &str, spec: &Spec) -> Option<String> {
    let environment = &spec.environment_name;
    Some(match source {
        Source::Shopify(_) => return None,
        Source::Files(_) => {
            format!("what has arrived is replayed by `pipectl replay --from raw --since DATE --env {environment}`")
        }
        Source::Lambda(_) => format!(
            "its state is s3://{}/{}: set it back there; or take what has arrived once more with \
             `pipectl replay --from raw --since DATE --env {environment}`",
            spec.bucket(Zone::Raw),
            keys::source_state(name)
        ),
        Source::Mysql(database) | Source::Postgresql(database) => match database.capture {
            Capture::Cdc => "start its replication again: docs/sources/cdc.md",
            Capture::Watermark => {
                "replay what has arrived with `pipectl replay`; docs/sources/watermark.md says what is kept of a \
                 database"
            }
        }
        .to_owned(),
    })
}

/// The name of the ingest Lambda of a source.
pub fn function(spec: &Spec, source: &str) -> String {
    format!("{}-ingest-{source}", spec.prefix())
}

/// Asks the ingest Lambda to read again. It continues on its own.
pub async fn send(
    signed_calls: &SignedCalls,
    spec: &Spec,
    function: &str,
    request: &Request,
    from: UtcDateTime,
) -> Result<()> {
    let sent = signed_calls.invoke(function, &request.event(from).to_string()).await;
    sent.map(drop).map_err(|failure| not_deployed(failure, Kind::NotFound, spec))
}
