//! `pipectl replay`

use std::collections::BTreeMap;

use serde::Serialize;
use time::UtcDateTime;

use super::confirm;
use crate::account::Account;
use crate::aws::s3::Object;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::ledger::parse_time;
use crate::operations::replay::{self, Origin, RESTORED_DAYS, Replay, TableSummary};
use crate::output_format::Format;
use crate::quantity::{size, thousands};
use crate::spec::Spec;
use crate::text_table::columns;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to begin
    #[arg(long, value_enum)]
    from: StartFrom,

    /// What the pipeline has taken since this day or time, in UTC
    #[arg(long, value_name = "DATE", value_parser = parse_time)]
    since: UtcDateTime,

    /// A table; repeatable [default: all]
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,

    /// Show what would be taken, and from where, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// How quickly archived objects are restored, and for how much
    #[arg(long, value_enum, default_value_t)]
    tier: Tier,

    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StartFrom {
    /// From the objects as they arrived: they are cleaned, transformed and loaded again
    Raw,
    /// From the cleaned rows: they are transformed and loaded again
    Cleaned,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Tier {
    /// The cheapest: 5 to 12 hours, 48 from `DEEP_ARCHIVE`
    Bulk,
    /// 3 to 5 hours, 12 from `DEEP_ARCHIVE`
    #[default]
    Standard,
    /// The dearest: minutes; not from `DEEP_ARCHIVE`
    Expedited,
}

impl From<StartFrom> for Origin {
    fn from(from: StartFrom) -> Self {
        match from {
            StartFrom::Raw => Self::Raw,
            StartFrom::Cleaned => Self::Cleaned,
        }
    }
}

impl From<Tier> for replay::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Bulk => Self::Bulk,
            Tier::Standard => Self::Standard,
            Tier::Expedited => Self::Expedited,
        }
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    /// None where nothing was asked for yet.
    request: Option<String>,
    tables: Vec<TableSummary>,
    left_out: Vec<String>,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let account = Account::open(&project, &spec).await?;
    let done = tokio::select! {
        done = in_account(context, args, &spec, &account) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::new("interrupted")
            .hint("run it again: nothing is requested before it completes")
            .exit(Exit::Interrupted)),
    };
    context.ui.clear();
    account.close().await?;
    done
}

async fn in_account(context: &Context, args: &Args, spec: &Spec, account: &Account) -> Result<Exit> {
    let (s3, ui) = (&account.aws.s3, &context.ui);
    let (tables, left_out) = replay::tables(spec, &args.table)?;
    let replay = Replay::find(s3, spec, args.from.into(), args.since, &tables, &|text| ui.status(text)).await?;
    ui.clear();
    let shown = Shown { request: None, tables: replay.tables(), left_out };
    let archived = replay.archived();
    show(context, args, &shown, &archived)?;
    if replay.is_empty() || args.dry_run {
        return Ok(Exit::Success);
    }
    if !archived.is_empty() {
        return restore(context, args, account, &replay.zones.archive, &archived).await;
    }
    if !args.yes {
        agreed(context, format_args!("Replay this through the pipeline of `{}`?", spec.environment_name))?;
    }
    let copying = |number, count, key: &str| ui.status(format_args!("copying {number} of {count}: {key}"));
    replay.start(s3, spec, &copying).await?;
    ui.clear();
    let id = replay.request.id.clone();
    match args.format {
        Format::Text => ui.data(format_args!("requested as {id}\n"))?,
        Format::Json => args.format.print(ui, &Shown { request: Some(id), ..shown }, String::new)?,
    }
    ui.line(if spec.environment.local {
        "the next `pipectl rehearse` executes it; `pipectl runs` shows it"
    } else {
        "the pipeline starts on its own; see `pipectl runs`"
    });
    Ok(Exit::Success)
}

fn show(context: &Context, args: &Args, shown: &Shown, waiting: &[(&Object, bool)]) -> Result<()> {
    let ui = &context.ui;
    // A dry run's result is what it would do; else the result is the request.
    match (args.dry_run || shown.tables.is_empty(), args.format) {
        (true, format) => format.print(ui, shown, || text(shown))?,
        (false, Format::Text) => ui.line(text(shown).trim_end()),
        (false, Format::Json) => {}
    }
    for table in &shown.left_out {
        ui.note(format_args!("skipped `{table}`: it appends and has no key, so its rows would be duplicated"));
    }
    if shown.tables.is_empty() {
        ui.line("Nothing has arrived since then that can be replayed.");
    }
    if args.dry_run && !waiting.is_empty() {
        ui.note(waits(waiting, args.tier.into()));
    }
    Ok(())
}

fn text(shown: &Shown) -> String {
    if shown.tables.is_empty() {
        return String::new();
    }
    let cleaned = shown.tables.iter().any(|row| row.rows > 0);
    let heading = ["TABLE", "BATCHES", "OBJECTS", if cleaned { "ROWS" } else { "" }, "SIZE", "FROM"];
    let mut cells = vec![heading.map(str::to_owned).to_vec()];
    cells.extend(shown.tables.iter().map(|row| {
        let parts = [
            (row.in_zone, "the zone"),
            (row.from_archive - row.to_restore, "the archive"),
            (row.to_restore, "the archive, after a restore"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, location)| format!("{count} in {location}"))
            .collect();
        let rows = if cleaned { thousands(row.rows) } else { String::new() };
        vec![
            row.table.clone(),
            thousands(row.batches as u64),
            thousands(row.objects as u64),
            rows,
            size(row.bytes),
            parts.join(", "),
        ]
    }));
    if !cleaned {
        for row in &mut cells {
            row.remove(3);
        }
    }
    columns(&cells, if cleaned { &[1, 2, 3, 4] } else { &[1, 2, 3] })
}

/// What has to be restored, and how long that takes.
fn waits(waiting: &[(&Object, bool)], tier: replay::Tier) -> String {
    let mut classes: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (object, _) in waiting {
        let class = classes.entry(&object.class).or_default();
        class.0 += 1;
        class.1 += object.size;
    }
    let classes: Vec<String> = classes
        .iter()
        .map(|(class, (count, bytes))| {
            let time = tier.time(class);
            format!("{} objects ({}) are in {class}: {time} ({})", thousands(*count as u64), size(*bytes), tier.name())
        })
        .collect();
    format!("before they can be read they must be restored: {}", classes.join("; "))
}

/// Asks S3 to restore the objects. The same command starts the replay once all of them are restored.
async fn restore(
    context: &Context,
    args: &Args,
    account: &Account,
    archive: &str,
    archived: &[(&Object, bool)],
) -> Result<Exit> {
    let (ui, tier) = (&context.ui, args.tier.into());
    ui.note(waits(archived, tier));
    let objects = replay::to_restore(archived, tier)?;
    if !objects.is_empty() {
        if !args.yes {
            agreed(context, format_args!("Restore {} objects for {RESTORED_DAYS} days?", objects.len()))?;
        }
        let restoring = |number| ui.status(format_args!("restoring {number} of {}", objects.len()));
        replay::restore(&account.aws.s3, archive, &objects, tier, &restoring).await?;
        ui.clear();
    }
    let class =
        archived.iter().map(|(object, _)| object.class.as_str()).max_by_key(|class| class.len()).unwrap_or_default();
    let time = tier.time(class);
    Err(Error::new(format!("{} objects are being restored; nothing is replayed yet", archived.len()))
        .hint(format!("run the same command again when they are restored: {time} after the request")))
}

fn agreed(context: &Context, question: std::fmt::Arguments<'_>) -> Result<()> {
    confirm(context, question, "nothing was changed", "continue")
}
