//! `pipectl redrive`

use std::collections::BTreeMap;

use pipectl_contract::names::QUEUES;
use serde::Serialize;
use serde_json::json;

use crate::account::Account;
use crate::aws::{Failure, Kind, SignedCalls};
use crate::context::Context;
use crate::dead_letters::{self, Destination, Letter};
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
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

/// How long a message is hidden from others while it is inspected: longer than a whole queue takes.
const HIDDEN_SECONDS: u32 = 900;

/// A message of a queue.
struct Held {
    receipt: String,
    sent: f64,
    letter: Letter,
}

/// Messages that are alike.
#[derive(Debug, Serialize)]
struct Row {
    queue: &'static str,
    from: String,
    to: String,
    count: usize,
    /// Of the oldest of them, in seconds.
    age: u64,
    reason: String,
    /// How many were sent where they belong.
    sent: usize,
    /// Why the others stay.
    stays: Option<String>,
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
        rows.extend(queue(&account.aws.signed_calls, &spec.prefix(), name, args.dry_run).await?);
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

/// Reads a queue, and sends each message where it belongs. What was taken there is deleted, and nothing else: a crash
/// between the two sends it once more, which the pipeline's own parts are built for.
async fn queue(signed_calls: &SignedCalls, prefix: &str, name: &'static str, dry_run: bool) -> Result<Vec<Row>> {
    let asked = signed_calls.sqs("GetQueueUrl", &json!({"QueueName": format!("{prefix}-{name}")})).await;
    let url = match asked {
        Ok(answer) => answer["QueueUrl"].as_str().unwrap_or_default().to_owned(),
        Err(Failure { kind: Kind::NotFound, .. }) => return Ok(Vec::new()),
        Err(failure) => return Err(failure.into()),
    };
    let held = read(signed_calls, &url).await?;
    let mut started = Vec::new();
    let mut rows: BTreeMap<(String, String, String), Row> = BTreeMap::new();
    for Held { receipt, sent, letter } in held {
        let outcome = if dry_run { None } else { Some(send(signed_calls, &letter, &mut started).await) };
        let stays = match (&outcome, &letter.to) {
            (Some(Ok(())), _) => {
                signed_calls.sqs("DeleteMessage", &json!({"QueueUrl": url, "ReceiptHandle": receipt})).await?;
                None
            }
            (Some(Err(why)), _) | (None, Destination::Unknown(why)) => Some(why.clone()),
            (None, _) => None,
        };
        if !matches!(outcome, Some(Ok(()))) {
            let release = json!({"QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": 0});
            signed_calls.sqs("ChangeMessageVisibility", &release).await?;
        }
        let age = age(sent);
        let key = (letter.from.clone(), letter.reason.clone(), stays.clone().unwrap_or_default());
        let row = rows.entry(key).or_insert_with(|| Row {
            queue: name,
            to: letter.to.words(),
            from: letter.from,
            count: 0,
            age,
            reason: letter.reason,
            sent: 0,
            stays,
        });
        row.count += 1;
        row.age = row.age.max(age);
        row.sent += usize::from(matches!(outcome, Some(Ok(()))));
    }
    Ok(rows.into_values().collect())
}

/// Takes all messages that can be seen, and hides them from others meanwhile.
async fn read(signed_calls: &SignedCalls, url: &str) -> Result<Vec<Held>> {
    let ask = json!({
        "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN_SECONDS, "WaitTimeSeconds": 2,
        "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["SentTimestamp"],
    });
    let mut held = Vec::new();
    loop {
        // A long poll asks all servers of the queue, so an empty answer means that nothing is left.
        let answer = signed_calls.sqs("ReceiveMessage", &ask).await?;
        let messages = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        if messages.is_empty() {
            return Ok(held);
        }
        for message in messages {
            let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
            let attributes = attributes
                .filter_map(|(name, value)| Some((name.clone(), value["StringValue"].as_str()?.to_owned())))
                .collect();
            let text = |name: &str| message[name].as_str().unwrap_or_default();
            let sent = message["Attributes"]["SentTimestamp"].as_str().and_then(|text| text.parse().ok());
            held.push(Held {
                receipt: text("ReceiptHandle").to_owned(),
                sent: sent.unwrap_or_default(),
                letter: dead_letters::read(text("Body"), &attributes),
            });
        }
    }
}

/// `started` are the workflows that run already: one run takes up all that has landed, so that one answers every event.
async fn send(
    signed_calls: &SignedCalls,
    letter: &Letter,
    started: &mut Vec<String>,
) -> std::result::Result<(), String> {
    let sent = match &letter.to {
        Destination::Function(name) => signed_calls.invoke(name, &letter.payload).await,
        Destination::Workflow(name) if started.contains(name) => Ok(()),
        Destination::Workflow(name) => {
            let sent = signed_calls.start_workflow(name).await;
            started.extend(sent.is_ok().then(|| name.clone()));
            sent
        }
        Destination::Topic(arn) => signed_calls.publish(arn, &letter.payload).await,
        Destination::Unknown(why) => return Err(why.clone()),
    };
    sent.map_err(|failure| failure.to_string())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds of at most 14 days")]
fn age(sent: f64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    (now - sent / 1000.0).max(0.0) as u64
}

fn text(rows: &[Row], dry_run: bool) -> String {
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

/// How many messages wait in each queue that there is.
pub(super) async fn lengths(signed_calls: &SignedCalls, prefix: &str) -> Result<Vec<(String, u64)>> {
    let mut lengths = Vec::new();
    for queue in QUEUES {
        let queue = format!("{prefix}-{}", queue.name);
        let url = match signed_calls.sqs("GetQueueUrl", &json!({"QueueName": queue})).await {
            Ok(answer) => answer["QueueUrl"].clone(),
            Err(Failure { kind: Kind::NotFound, .. }) => continue,
            Err(failure) => return Err(failure.into()),
        };
        let ask = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]});
        let answer = signed_calls.sqs("GetQueueAttributes", &ask).await?;
        let number = |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
        let visible = number("ApproximateNumberOfMessages").unwrap_or_default();
        lengths.push((queue, visible + number("ApproximateNumberOfMessagesNotVisible").unwrap_or_default()));
    }
    Ok(lengths)
}
