//! `pipectl gc`

use std::time::{Duration, SystemTime};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::confirm;
use crate::account::Account;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::operations::gc::{self, CollectionScope, Garbage};
use crate::output_format::Format;
use crate::quantity::size;
use crate::text_table::columns;

const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How old an artifact must be: days (`30d`) or weeks (`4w`)
    #[arg(long, value_name = "AGE", default_value = "30d", value_parser = age)]
    older_than: Duration,

    /// Remove what is shown
    #[arg(long)]
    delete: bool,

    /// Do not ask
    #[arg(long, short = 'y', requires = "delete")]
    yes: bool,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What nobody needs.
#[derive(Debug, Serialize)]
struct Shown {
    items: Vec<Item>,
    /// Of the artifacts.
    bytes: u64,
    /// How many artifacts stay because something refers to them.
    used: usize,
    /// How many stay because they are too young.
    young: usize,
    deleted: bool,
}

#[derive(Debug, Serialize)]
struct Item {
    kind: Kind,
    /// The key of an artifact; stack and name of a change set; the name of a stack.
    name: String,
    bytes: Option<u64>,
    /// RFC 3339, UTC.
    created: String,
    #[serde(skip)]
    age: Duration,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Artifact,
    ChangeSet,
    EmptyStack,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let ui = &context.ui;
    let (project, spec) = context.spec()?;
    let scope = CollectionScope::new(&spec, project.render(&spec)?);
    let account = Account::open(&project, &spec).await?;
    ui.status("searching for unreferenced artifacts");
    let done = async {
        let garbage = gc::find(&account.aws, &scope, args.older_than).await?;
        ui.clear();
        let mut shown = shown(&garbage);
        let delete = args.delete && !garbage.is_empty();
        if args.format == Format::Text {
            ui.data(text(&shown.items))?;
        }
        if delete {
            if !args.yes {
                let question = format!("Delete these {} things of `{}`?", shown.items.len(), context.environment);
                confirm(context, question, "nothing was deleted", "delete")?;
            }
            ui.status("removing");
            gc::remove(&account.aws, &scope, &garbage).await?;
            ui.clear();
            shown.deleted = true;
        }
        if args.format == Format::Json {
            args.format.print(ui, &shown, String::new)?;
        }
        ui.line(summary(&shown));
        Ok(Exit::Success)
    };
    let done = done.await;
    account.close().await?;
    done
}

fn shown(garbage: &Garbage) -> Shown {
    let item = |kind, name: String, bytes, created: SystemTime| Item {
        kind,
        name,
        bytes,
        created: OffsetDateTime::from(created).format(&Rfc3339).unwrap_or_default(),
        age: SystemTime::now().duration_since(created).unwrap_or_default(),
    };
    let artifacts =
        garbage.artifacts.iter().map(|one| item(Kind::Artifact, one.key.clone(), Some(one.size), one.modified));
    let change_sets = garbage
        .change_sets
        .iter()
        .map(|one| item(Kind::ChangeSet, format!("{}/{}", one.stack_name, one.name), None, one.created));
    let shells = garbage.shells.iter().map(|one| item(Kind::EmptyStack, one.name.clone(), None, one.created));
    Shown {
        items: artifacts.chain(change_sets).chain(shells).collect(),
        bytes: garbage.size(),
        used: garbage.used,
        young: garbage.young,
        deleted: false,
    }
}

fn text(items: &[Item]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut cells = vec![["KIND", "NAME", "SIZE", "AGE"].map(str::to_owned).to_vec()];
    cells.extend(items.iter().map(|item| {
        let kind = match item.kind {
            Kind::Artifact => "artifact",
            Kind::ChangeSet => "change set",
            Kind::EmptyStack => "empty stack",
        };
        let days = item.age.as_secs() / DAY.as_secs();
        let age = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        vec![kind.to_owned(), item.name.clone(), item.bytes.map(size).unwrap_or_default(), age]
    }));
    columns(&cells, &[2, 3])
}

fn summary(shown: &Shown) -> String {
    let kept = match (shown.used, shown.young) {
        (used, 0) => format!("{used} artifacts are in use"),
        (used, 1) => format!("{used} artifacts are in use, one more is too young"),
        (used, young) => format!("{used} artifacts are in use, {young} more are too young"),
    };
    let size = size(shown.bytes);
    match (shown.items.len(), shown.deleted) {
        (0, _) => format!("Nothing to remove: {kept}."),
        (count, true) => format!("Done: {count} removed ({size}); {kept}."),
        (count, false) => format!("{count} can be removed ({size}); {kept}. `--delete` removes them."),
    }
}

/// `30d`, `4w`. Less than a day is refused: a deploy that is under way uploads first and refers later.
fn age(text: &str) -> Result<Duration, String> {
    let (number, days) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 7),
        _ => return Err("write days or weeks, such as `30d` or `4w`".to_owned()),
    };
    match number.parse::<u32>() {
        Ok(number) if number > 0 => Ok(DAY * number * days),
        _ => Err("write days or weeks, such as `30d` or `4w`, and at least one day".to_owned()),
    }
}
