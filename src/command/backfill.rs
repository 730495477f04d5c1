//! `pipectl backfill`

use std::collections::BTreeSet;

use time::UtcDateTime;

use crate::account::Account;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::operations::backfill;
use crate::operations::ledger::{parse_time, written};

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
    let request = backfill::request(&spec, &args.source, args.from, &args.table, UtcDateTime::now())?;
    let function = backfill::function(&spec, &args.source);
    let (objects, tables) = (list(&request.objects), list(&request.tables));
    context.ui.data(format_args!("{function} reads {objects} again since {}\n", written(args.from)))?;
    context.ui.line(format_args!("for the tables {tables}"));
    if args.dry_run {
        return Ok(Exit::Success);
    }
    let account = Account::open(&project, &spec).await?;
    let sent = backfill::send(&account.aws.signed_calls, &spec, &function, &request, args.from).await;
    account.close().await?;
    sent?;
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

fn list(names: &BTreeSet<impl AsRef<str>>) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}
