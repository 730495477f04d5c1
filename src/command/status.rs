//! `pipectl status`

use serde::Serialize;

use super::account::Account;
use super::format::Format;
use super::redrive::lengths;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::figure::columns;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the state is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A stack of the environment.
#[derive(Debug, Serialize)]
struct Row {
    stack: String,
    /// CloudFormation's word for it; null where the stack does not exist.
    state: Option<String>,
    changed_at: Option<String>,
}

/// A dead-letter queue, and how many messages wait in it.
#[derive(Debug, Serialize)]
struct Queue {
    queue: String,
    waiting: u64,
}

#[derive(Debug, Serialize)]
struct Status {
    stacks: Vec<Row>,
    queues: Vec<Queue>,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let stacks = project.render(&spec)?;
    let account = Account::open(&project, &spec).await?;
    let mut rows = Vec::new();
    for stack in &stacks {
        let found = account.aws.cloudformation.stack(&stack.stack_name).await?;
        rows.push(Row {
            stack: stack.stack_name.clone(),
            state: found.as_ref().map(|found| found.status.to_string()),
            changed_at: found.and_then(|found| found.updated.or(found.created)),
        });
    }
    let queues = lengths(&account.aws.wire, &spec.prefix()).await?;
    account.close().await?;
    let queues = queues.into_iter().map(|(queue, waiting)| Queue { queue, waiting }).collect();
    let status = Status { stacks: rows, queues };
    args.format.print(&context.ui, &status, || text(&status.stacks))?;
    for queue in status.queues.iter().filter(|queue| queue.waiting > 0) {
        let messages =
            if queue.waiting == 1 { "1 message waits".to_owned() } else { format!("{} messages wait", queue.waiting) };
        context.ui.warn(format_args!(
            "{messages} in the queue {}: see `pipectl redrive --env {} --dry-run`",
            queue.queue, spec.environment_name
        ));
    }
    Ok(Exit::Success)
}

fn text(rows: &[Row]) -> String {
    let mut cells = vec![["STACK", "STATE", "LAST CHANGE (UTC)"].map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let state = row.state.clone().unwrap_or_else(|| "not deployed".to_owned());
        // To the second: `2026-11-20T12:43:05.638Z` has more than a reader wants.
        let changed = row.changed_at.as_deref().map_or("", |time| time.split(['.', 'Z']).next().unwrap_or(time));
        vec![row.stack.clone(), state, changed.replace('T', " ")]
    }));
    columns(&cells, &[])
}
