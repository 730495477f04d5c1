//! `pipectl status`

use crate::account::Account;
use crate::aws::dms::Progress;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::operations::status::{Status, status};
use crate::operations::waiting::Waiting;
use crate::output_format::Format;
use crate::text_table::columns;

/// The most of a reason that the table shows; a warning repeats it as a whole.
const WHY: usize = 60;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the state is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let stacks = project.render(&spec)?;
    let account = Account::open(&project, &spec).await?;
    let status = status(&account.aws, &spec, &stacks).await?;
    account.close().await?;
    args.format.print(&context.ui, &status, || text(&status))?;
    for replication in status.replications.iter().filter(|replication| !replication.why.is_empty()) {
        context.ui.warn(format_args!(
            "the replication {} is {}: {}; `pipectl deploy --env {}` resumes it",
            replication.name,
            replication.state,
            replication.why.join("; "),
            spec.environment_name
        ));
    }
    for one in &status.waiting {
        context.ui.warn(format_args!("{} waits: {}\n  = hint: {}", one.waits, one.why, one.hint));
    }
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

fn text(status: &Status) -> String {
    let mut cells = vec![["STACK", "STATE", "LAST CHANGE (UTC)"].map(str::to_owned).to_vec()];
    cells.extend(status.stacks.iter().map(|row| {
        let state = row.state.clone().unwrap_or_else(|| "not deployed".to_owned());
        // To the second: `2026-11-20T12:43:05.638Z` has more than a reader wants.
        let changed = row.changed_at.as_deref().map_or("", |time| time.split(['.', 'Z']).next().unwrap_or(time));
        vec![row.stack.clone(), state, changed.replace('T', " ")]
    }));
    let mut stacks = columns(&cells, &[]);
    if !status.waiting.is_empty() {
        let mut cells = vec![["WAITS", "BATCH", "KIND", "WHY"].map(str::to_owned).to_vec()];
        let short = |why: &str| why.chars().take(WHY).collect::<String>();
        let row = |one: &Waiting| vec![one.waits.clone(), one.batch.clone(), one.kind.to_owned(), short(&one.why)];
        cells.extend(status.waiting.iter().map(row));
        stacks = format!("{stacks}\n{}", columns(&cells, &[]));
    }
    if status.replications.is_empty() {
        return stacks;
    }
    let mut cells = vec![["REPLICATION", "STATE", "COPIED", "TABLES"].map(str::to_owned).to_vec()];
    cells.extend(status.replications.iter().map(|one| {
        let copied = one.progress.map_or_else(String::new, |progress| format!("{} %", progress.copied));
        let tables = one.progress.map_or_else(String::new, tables);
        vec![one.name.clone(), one.state.clone(), copied, tables]
    }));
    format!("{stacks}\n{}", columns(&cells, &[2]))
}

/// `3 copied, 1 failed`
fn tables(progress: Progress) -> String {
    let counts = [
        (progress.tables_loaded, "copied"),
        (progress.tables_loading, "being copied"),
        (progress.tables_queued, "waiting"),
        (progress.tables_errored, "failed"),
    ];
    let parts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::fake::{Fake, Reply};
    use crate::deploy::replication;
    use crate::operations::status::{Replication, StackRow};

    #[tokio::test]
    async fn replications_beside_the_stacks() {
        let described = |arn: &str, status: &str, more: serde_json::Value| {
            let mut one = json!({"ReplicationConfigArn": arn, "ReplicationConfigIdentifier": format!("shop-dev-{arn}"),
                "Status": status});
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            one
        };
        let stats = json!({"FullLoadProgressPercent": 100, "TablesLoaded": 2, "TablesLoading": 0, "TablesQueued": 0,
            "TablesErrored": 1, "ElapsedTimeMillis": 9});
        let all = json!({"Replications": [
            described("crm", "running", json!({"ReplicationStats": stats, "StopReason": ""})),
            described("till", "failed", json!({"FailureMessages": ["Test connection failed"],
                "StopReason": "Stop Reason FATAL_ERROR"})),
            described("new", "created", json!({})),
        ]});
        let listed = |arn: &str| {
            format!(
                "<member><LogicalResourceId>R{arn}</LogicalResourceId><PhysicalResourceId>{arn}</PhysicalResourceId>\
                 <ResourceType>AWS::DMS::ReplicationConfig</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
                 </member>"
            )
        };
        let resources = ["crm", "till", "new"].map(listed).concat();
        let resources = format!("<StackResourceSummaries>{resources}</StackResourceSummaries>");
        let fake = Fake::start().await.on("ListStackResources", Reply::Result(resources));
        let fake = fake.on("DescribeReplications", Reply::Raw(200, "application/x-amz-json-1.1", all.to_string()));
        let found = replication::replications(&fake.connect().await, "shop-dev-source-database").await.unwrap();
        let stacks = vec![StackRow {
            stack: "shop-dev-source-database".into(),
            state: Some("UPDATE_COMPLETE".into()),
            changed_at: Some("2026-11-20T12:43:05.638Z".into()),
        }];
        let replications = found.into_iter().map(Replication::from).collect();
        let status = Status { stacks, replications, waiting: Vec::new(), queues: Vec::new() };
        insta::assert_snapshot!(text(&status), @"
        STACK                     STATE            LAST CHANGE (UTC)
        shop-dev-source-database  UPDATE_COMPLETE  2026-11-20 12:43:05

        REPLICATION    STATE    COPIED  TABLES
        shop-dev-crm   running   100 %  2 copied, 1 failed
        shop-dev-till  failed
        shop-dev-new   created
        ");
        insta::assert_snapshot!(serde_json::to_string(&status.replications).unwrap(), @r#"[{"replication":"shop-dev-crm","state":"running","why":[],"progress":{"copied":100,"tables_loaded":2,"tables_loading":0,"tables_queued":0,"tables_errored":1}},{"replication":"shop-dev-till","state":"failed","why":["Test connection failed","Stop Reason FATAL_ERROR"],"progress":null},{"replication":"shop-dev-new","state":"created","why":[],"progress":null}]"#);
        assert_eq!(fake.requests("DescribeReplications").len(), 3);
    }
}
