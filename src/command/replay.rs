//! `pipectl replay`

use std::collections::BTreeMap;

use pipectl_contract::ledger::Stage;
use pipectl_contract::names::Zone;
use pipectl_contract::replay::Request;
use serde::Serialize;
use time::UtcDateTime;

use crate::account::Account;
use crate::aws::Kind;
use crate::aws::s3::{Object, Readable};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::ledger::{Ledger, begun, parse_time};
use crate::operations::replay::{self, Item, ItemLocation, Origin, Zones};
use crate::output_format::Format;
use crate::quantity::{size, thousands};
use crate::spec::Spec;
use crate::text_table::columns;

/// S3 copies an object of at most this size in one go.
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;
/// How many days a restored object can be read.
const RESTORED_DAYS: i32 = 7;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to begin
    #[arg(long, value_enum)]
    from: From,

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
enum From {
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

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Bulk => "Bulk",
            Self::Standard => "Standard",
            Self::Expedited => "Expedited",
        }
    }
}

/// A table's part.
#[derive(Debug, Default, Serialize)]
struct Row {
    table: String,
    batches: usize,
    objects: usize,
    /// Of cleaned tables.
    rows: u64,
    bytes: u64,
    /// Objects in the zone itself.
    in_zone: usize,
    /// Objects that come out of the archive.
    from_archive: usize,
    /// Objects of the archive that must be restored first.
    to_restore: usize,
}

#[derive(Debug, Serialize)]
struct Shown {
    /// None where nothing was asked for yet.
    request: Option<String>,
    tables: Vec<Row>,
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
    ui.status("reading the ledger");
    let ledger = Ledger { s3, bucket: spec.bucket(Zone::Cleaned) };
    let all = ledger.names(Stage::Clean).await.map_err(|failure| not_deployed(failure, spec))?;
    let since: Vec<&String> = all.iter().filter(|batch| begun(batch).is_some_and(|at| at >= args.since)).collect();
    let entries = ledger.entries(Stage::Clean, since).await?;
    let (origin, zone, archive) = match args.from {
        From::Raw => (Origin::Raw, Zone::Raw, Zone::RawArchive),
        From::Cleaned => (Origin::Cleaned, Zone::Cleaned, Zone::CleanedArchive),
    };
    let selection = replay::selection(origin, args.since, &tables, &entries)?;
    let request = replay::request(&selection, UtcDateTime::now());
    let zones = Zones { zone: spec.bucket(zone), archive: spec.bucket(archive) };
    ui.status("searching for the objects");
    let locations = replay::find(s3, &zones, selection).await?;
    ui.clear();
    possible(&locations, &zones)?;
    let shown = Shown { request: None, tables: rows(&locations), left_out };
    let waiting = replay::archived(&locations);
    show(context, args, &shown, &waiting)?;
    if locations.is_empty() || args.dry_run {
        return Ok(Exit::Success);
    }
    if !waiting.is_empty() {
        return restore(context, args, account, &zones, &waiting).await;
    }
    if !args.yes {
        agreed(context, format_args!("Replay this through the pipeline of `{}`?", spec.environment_name))?;
    }
    let copies = copies(&locations, &request, args.from, &zones);
    for (number, (from, object, to)) in copies.iter().enumerate() {
        ui.status(format_args!("copying {} of {}: {}", number + 1, copies.len(), object.key));
        s3.copy((from, object), (&zones.zone, to)).await?;
    }
    // Last of all: before this the jobs know of nothing.
    let body =
        serde_json::to_vec(&request).map_err(|error| Error::new("the request cannot be written").cause(&error))?;
    s3.create(&spec.bucket(Zone::Raw), &request.key(), body).await?;
    ui.clear();
    match args.format {
        Format::Text => ui.data(format_args!("requested as {}\n", request.id))?,
        Format::Json => args.format.print(ui, &Shown { request: Some(request.id), ..shown }, String::new)?,
    }
    ui.line(if spec.environment.local {
        "the next `pipectl rehearse` executes it; `pipectl runs` shows it"
    } else {
        "the pipeline starts on its own; see `pipectl runs`"
    });
    Ok(Exit::Success)
}

fn not_deployed(failure: crate::aws::Failure, spec: &Spec) -> Error {
    let missing = failure.kind == Kind::NoSuchBucket;
    let error = Error::from(failure);
    if missing {
        error.hint(format!("deploy the pipeline first: pipectl deploy --env {}", spec.environment_name))
    } else {
        error
    }
}

/// Refuses what cannot be done wholly.
fn possible(locations: &[(Item, ItemLocation)], zones: &Zones) -> Result<()> {
    let mut errors = Vec::new();
    let gone: Vec<&Item> =
        locations.iter().filter(|(_, location)| *location == ItemLocation::Gone).map(|(item, _)| item).collect();
    if let Some(first) = gone.first() {
        let more = if gone.len() > 1 { format!(" and {} more", gone.len() - 1) } else { String::new() };
        errors.push(
            Error::new(format!("`{}`{more} is neither in `{}` nor in `{}`", first.key, zones.zone, zones.archive))
                .note("the ledger lists it, so it existed; it has expired or was deleted")
                .hint("choose a later `--since`, or exclude its table with `--table`"),
        );
    }
    for (_, location) in locations {
        let objects: Vec<&Object> = match location {
            ItemLocation::Zone { objects } => objects.iter().collect(),
            ItemLocation::Archive { objects } => objects.iter().map(|(object, _)| object).collect(),
            ItemLocation::Gone => Vec::new(),
        };
        errors.extend(objects.into_iter().filter(|object| object.size > LARGEST_COPY).map(|object| {
            Error::new(format!("`{}` has {}: S3 copies up to 5 GiB at once", object.key, size(object.size)))
                .hint("split the file and upload its parts, and exclude its table with `--table`")
        }));
    }
    Error::all(errors)
}

fn rows(locations: &[(Item, ItemLocation)]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (table, locations) in replay::by_table(locations) {
        let mut row = Row { table: table.to_owned(), ..Row::default() };
        let mut batches: Vec<&str> = locations.iter().map(|(item, _)| item.batch.as_str()).collect();
        batches.sort_unstable();
        batches.dedup();
        row.batches = batches.len();
        for (item, location) in locations {
            row.rows += item.rows;
            match location {
                ItemLocation::Zone { objects } => {
                    row.in_zone += objects.len();
                    row.bytes += objects.iter().map(|object| object.size).sum::<u64>();
                }
                ItemLocation::Archive { objects } => {
                    row.from_archive += objects.len();
                    row.bytes += objects.iter().map(|(object, _)| object.size).sum::<u64>();
                    row.to_restore += objects.iter().filter(|(_, readable)| *readable != Readable::Yes).count();
                }
                ItemLocation::Gone => {}
            }
        }
        row.objects = row.in_zone + row.from_archive;
        rows.push(row);
    }
    rows
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
        ui.note(waits(waiting, args.tier));
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
fn waits(waiting: &[(&Object, bool)], tier: Tier) -> String {
    let mut classes: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (object, _) in waiting {
        let class = classes.entry(&object.class).or_default();
        class.0 += 1;
        class.1 += object.size;
    }
    let classes: Vec<String> = classes
        .iter()
        .map(|(class, (count, bytes))| {
            let time = replay::restore_time(class, tier.name());
            format!("{} objects ({}) are in {class}: {time} ({})", thousands(*count as u64), size(*bytes), tier.name())
        })
        .collect();
    format!("before they can be read they must be restored: {}", classes.join("; "))
}

/// Asks S3 to bring objects back. What was asked for is done when all are there, by the same command once more.
async fn restore(
    context: &Context,
    args: &Args,
    account: &Account,
    zones: &Zones,
    waiting: &[(&Object, bool)],
) -> Result<Exit> {
    let asked: Vec<&Object> = waiting.iter().filter(|(_, soon)| !soon).map(|(object, _)| *object).collect();
    context.ui.note(waits(waiting, args.tier));
    if matches!(args.tier, Tier::Expedited) && asked.iter().any(|object| object.class == "DEEP_ARCHIVE") {
        return Err(Error::new("DEEP_ARCHIVE knows no expedited restore")
            .hint("choose `--tier standard`")
            .exit(Exit::Usage));
    }
    if !asked.is_empty() {
        if !args.yes {
            agreed(context, format_args!("Restore {} objects for {RESTORED_DAYS} days?", asked.len()))?;
        }
        for (number, object) in asked.iter().enumerate() {
            context.ui.status(format_args!("restoring {} of {}", number + 1, asked.len()));
            account.aws.s3.restore(&zones.archive, object, args.tier.name(), RESTORED_DAYS).await?;
        }
        context.ui.clear();
    }
    let class =
        waiting.iter().map(|(object, _)| object.class.as_str()).max_by_key(|class| class.len()).unwrap_or_default();
    let time = replay::restore_time(class, args.tier.name());
    Err(Error::new(format!("{} objects are being restored; nothing is replayed yet", waiting.len()))
        .hint(format!("run the same command again when they are restored: {time} after the request")))
}

/// What is copied from where to where.
fn copies<'a>(
    locations: &'a [(Item, ItemLocation)],
    request: &Request,
    from: From,
    zones: &'a Zones,
) -> Vec<(&'a str, &'a Object, String)> {
    let mut copies = Vec::new();
    let mut inputs = request.inputs.iter();
    for (_, location) in locations {
        let input = inputs.next();
        let (bucket, objects): (&str, Vec<&Object>) = match location {
            ItemLocation::Zone { objects } => (&zones.zone, objects.iter().collect()),
            ItemLocation::Archive { objects } => (&zones.archive, objects.iter().map(|(object, _)| object).collect()),
            ItemLocation::Gone => continue,
        };
        match (from, input) {
            (From::Raw, Some(input)) => {
                copies.extend(objects.into_iter().map(|object| (bucket, object, input.key.clone())));
            }
            (From::Cleaned, _) if bucket == zones.archive => {
                copies.extend(objects.into_iter().map(|object| (bucket, object, object.key.clone())));
            }
            _ => {}
        }
    }
    copies
}

fn agreed(context: &Context, question: std::fmt::Arguments<'_>) -> Result<()> {
    match context.ui.confirm(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new("nothing was changed")),
        None => Err(Error::new("cannot ask for confirmation here")
            .hint("add `--yes` to continue without confirmation")
            .exit(Exit::Usage)),
    }
}
