//! `pipectl redrive`

use pipectl_contract::names::QUEUES;

use crate::account::Account;
use crate::context::Context;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::operations::redrive::{Group, redrive};
use crate::output_format::Format;
use crate::text_table::columns;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue: `failures`, `undelivered` or `all`
    #[arg(value_name = "QUEUE", default_value = "all")]
    queue: String,

    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let names = QUEUES.map(|queue| queue.name);
    if args.queue != "all" && !names.contains(&args.queue.as_str()) {
        return Err(Error::new(format!("there is no queue `{}`", args.queue))
            .hint(did_you_mean(&args.queue, names.into_iter().chain(["all"])))
            .exit(Exit::Usage));
    }
    let (project, spec) = context.spec()?;
    let account = Account::open(&project, &spec).await?;
    let mut rows = Vec::new();
    for name in names.into_iter().filter(|name| args.queue == "all" || args.queue == *name) {
        context.ui.status(format_args!("reading the queue {name}"));
        rows.extend(redrive(&account.aws.signed_calls, &spec.prefix(), name, args.dry_run).await?);
    }
    context.ui.clear();
    account.close().await?;
    args.format.print(&context.ui, &rows, || text(&rows, args.dry_run))?;
    let count: usize = rows.iter().map(|row| row.count).sum();
    let sent: usize = rows.iter().map(|row| row.sent).sum();
    if count == 0 {
        context.ui.line("nothing waits");
    } else if args.dry_run {
        context.ui.line(format_args!("{}; `pipectl redrive` sends what it can", waiting(count)));
    } else {
        context.ui.line(format_args!("{sent} of {count} sent again"));
    }
    Ok(if args.dry_run || sent == count { Exit::Success } else { Exit::Failure })
}

fn waiting(count: usize) -> String {
    if count == 1 { "1 message waits".to_owned() } else { format!("{count} messages wait") }
}

fn text(rows: &[Group], dry_run: bool) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut cells = vec![["QUEUE", "FROM", "TO", "COUNT", "AGE", "SENT", "WHY"].map(str::to_owned).to_vec()];
    for row in rows {
        let reason = row.reason.lines().next().unwrap_or_default();
        let why = match &row.stays {
            Some(stays) => format!("{reason} (stays: {stays})"),
            None => reason.to_owned(),
        };
        let (count, sent) = (row.count.to_string(), row.sent.to_string());
        cells.push(vec![row.queue.to_owned(), row.from.clone(), row.to.clone(), count, ago(row.age), sent, why]);
    }
    if dry_run {
        for row in &mut cells {
            row.remove(5);
        }
    }
    columns(&cells, &[])
}

/// `3 d`, `5 h`, `12 min`, `40 s`.
fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
