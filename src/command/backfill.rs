//! `pipectl backfill`

use std::collections::BTreeSet;

use pipectl_contract::keys;
use pipectl_contract::names::Zone;
use serde_json::{Value, json};
use time::UtcDateTime;

use crate::account::Account;
use crate::aws::{Failure, Kind};
use crate::context::Context;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::operations::ledger::{parse_time, written};
use crate::spec::source::shopify::objects;
use crate::spec::{Capture, Source, Spec};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The Shopify source
    #[arg(value_name = "SOURCE")]
    source: String,

    /// What has changed since this day or time, in UTC, is read again
    #[arg(long, value_name = "DATE", value_parser = parse_time)]
    from: UtcDateTime,

    /// A table, and with it those that come out of the same rows; repeatable [default: all of the source]
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,

    /// Show what would be read, and ask for nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let request = request(&spec, args, UtcDateTime::now())?;
    let function = format!("{}-ingest-{}", spec.prefix(), args.source);
    let (objects, tables) = (list(&request.objects), list(&request.tables));
    context.ui.data(format_args!("{function} reads {objects} again since {}\n", written(args.from)))?;
    context.ui.line(format_args!("for the tables {tables}"));
    if args.dry_run {
        return Ok(Exit::Success);
    }
    let account = Account::open(&project, &spec).await?;
    let sent = account.aws.signed_calls.invoke(&function, &request.event(args.from).to_string()).await;
    account.close().await?;
    sent.map_err(|failure| not_there(failure, &spec))?;
    if spec.environment.local {
        context.ui.line(format_args!(
            "requested; the next `pipectl rehearse --env {}` with data of `{}` does it",
            spec.environment_name, args.source
        ));
    } else {
        context.ui.line(format_args!(
            "requested; it continues on its own, in several calls if needed. Its log: aws logs tail /pipectl/{}/{function} \
             --follow --region {}",
            spec.prefix(),
            spec.environment.region
        ));
    }
    Ok(Exit::Success)
}

/// The request: what to read again.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// As the ingest Lambda names them, and not repeated.
    objects: BTreeSet<&'static str>,
    tables: BTreeSet<String>,
}

impl Request {
    /// The event that asks the ingest Lambda.
    fn event(&self, from: UtcDateTime) -> Value {
        json!({"backfill": {"since": written(from), "objects": self.objects}})
    }
}

/// Fails with everything that is wrong.
fn request(spec: &Spec, args: &Args, now: UtcDateTime) -> Result<Request> {
    let misuse = |message: String| Error::new(message).exit(Exit::Usage);
    let known = spec.pipeline.sources.iter();
    let Some(source) = spec.pipeline.sources.get(&args.source) else {
        let shops = known.filter(|(_, source)| source.shopify().is_some()).map(|(name, _)| name.as_str());
        return Err(misuse(format!("there is no source `{}`", args.source)).hint(did_you_mean(&args.source, shops)));
    };
    if let Some(instead) = instead(source, &args.source, spec) {
        return Err(
            misuse(format!("`{}` is not a Shopify source, and only those are read again", args.source)).hint(instead)
        );
    }
    let mut errors = Vec::new();
    if args.from > now {
        errors
            .push(misuse(format!("`--from {}` is in the future", written(args.from))).hint("name a day that is over"));
    }
    let own: Vec<(&str, &'static str)> = spec
        .pipeline
        .tables
        .iter()
        .filter_map(|(name, table)| match table.source() {
            (source, Some(object)) if source == args.source => Some((name.as_str(), objects::read_with(object)?)),
            _ => None,
        })
        .collect();
    let mut read = BTreeSet::new();
    for name in &args.table {
        match own.iter().find(|(table, _)| table == name) {
            Some((_, object)) => {
                read.insert(*object);
            }
            None => errors.push(
                misuse(format!("`--table {name}`: the source `{}` has no such table", args.source))
                    .hint(did_you_mean(name, own.iter().map(|(table, _)| *table))),
            ),
        }
    }
    Error::all(errors)?;
    if args.table.is_empty() {
        read = own.iter().map(|(_, object)| *object).collect();
    }
    if read.is_empty() {
        return Err(Error::project(format!("no table is made from the source `{}`", args.source))
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

fn list(names: &BTreeSet<impl AsRef<str>>) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

fn not_there(failure: Failure, spec: &Spec) -> Error {
    let missing = failure.kind == Kind::NotFound;
    let error = Error::from(failure);
    if missing {
        error.hint(format!("deploy the pipeline first: pipectl deploy --env {}", spec.environment_name))
    } else {
        error
    }
}
