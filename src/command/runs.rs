//! `pipectl runs`

use std::collections::BTreeMap;

use pipectl_contract::keys;
use pipectl_contract::names::Zone;
use serde::Serialize;

use crate::account::Account;
use crate::aws::{Kind, S3};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::runs::{self, Buckets, Run};
use crate::operations::{not_deployed, waiting};
use crate::output_format::Format;
use crate::spec::Spec;

/// The newest run, in place of a name.
const LATEST: &str = "latest";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One run, by its name or the beginning of it, or `latest`: all that is known of it
    #[arg(value_name = "RUN")]
    run: Option<String>,

    /// How many runs are listed, the newest first
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,

    /// How the runs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    run: &'a Run,
    reasons: Vec<Refused<'a>>,
}

#[derive(Serialize)]
struct Refused<'a> {
    folder: &'a str,
    reason: &'a str,
    source: &'a str,
    rows: u64,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let account = Account::open(&project, &spec).await?;
    context.ui.status("reading the ledger");
    let done = show(context, args, &spec, &account.aws.s3).await;
    context.ui.clear();
    account.close().await?;
    done
}

async fn show(context: &Context, args: &Args, spec: &Spec, s3: &S3) -> Result<Exit> {
    let buckets = Buckets { cleaned: spec.bucket(Zone::Cleaned), transformed: spec.bucket(Zone::Transformed) };
    if let Err(failure) = s3.list(&buckets.cleaned, &format!("{}none/", keys::LEDGER)).await {
        return Err(not_deployed(failure, Kind::NoSuchBucket, spec));
    }
    let failures = waiting::failures(s3, &buckets.transformed).await?;
    if let Some(name) = &args.run {
        let mut run = if name == LATEST {
            runs::latest(s3, &buckets, 1).await?.pop().ok_or_else(|| Error::new("no run yet: nothing has arrived"))?
        } else {
            runs::one(s3, &buckets, name).await?
        };
        waiting::add_to_run(&mut run, &failures);
        for (table, columns) in &mut run.unknown_columns {
            columns.retain(|column| !spec.pipeline.is_read_apart(table, column));
        }
        run.unknown_columns.retain(|_, columns| !columns.is_empty());
        let mut reasons = BTreeMap::new();
        for folder in &run.quarantine {
            reasons.insert(folder.clone(), runs::reasons(s3, folder).await?);
        }
        let listed = reasons.iter().flat_map(|(folder, reasons)| {
            reasons.iter().map(move |((reason, source), rows)| Refused { folder, reason, source, rows: *rows })
        });
        let whole = Whole { run: &run, reasons: listed.collect() };
        args.format.print(&context.ui, &whole, || runs::whole(&run, &reasons))?;
        return Ok(Exit::Success);
    }
    let mut runs = runs::latest(s3, &buckets, args.limit.max(1)).await?;
    for run in &mut runs {
        waiting::add_to_run(run, &failures);
    }
    args.format.print(&context.ui, &runs, || if runs.is_empty() { String::new() } else { runs::list(&runs) })?;
    if runs.is_empty() {
        context.ui.line("No run yet: nothing has arrived.");
    }
    if args.format == Format::Text && runs.iter().any(|run| !run.quarantine.is_empty()) {
        let environment = &spec.environment_name;
        context.ui.note(format_args!("why rows are in quarantine: `pipectl runs RUN --env {environment}`"));
    }
    Ok(Exit::Success)
}
