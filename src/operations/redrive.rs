//! Dead letters: reads the dead-letter queues, and sends each message to where it belongs.

use std::collections::BTreeMap;

use pipectl_contract::names::QUEUES;
use serde::Serialize;
use serde_json::json;

use crate::aws::{Failure, Kind, SignedCalls};
use crate::dead_letters::{self, Destination, Letter};
use crate::error::Result;

/// How long a message is hidden from others while it is inspected: longer than a whole queue takes.
const HIDDEN_SECONDS: u32 = 900;

/// A message of a queue.
struct Held {
    receipt: String,
    sent: f64,
    letter: Letter,
}

/// Messages of a queue with the same sender, reason and outcome.
#[derive(Debug, Serialize)]
pub struct Group {
    pub queue: &'static str,
    pub from: String,
    pub to: String,
    pub count: usize,
    /// Of the oldest of them, in seconds.
    pub age: u64,
    pub reason: String,
    /// How many were sent where they belong.
    pub sent: usize,
    /// Why the others stay.
    pub stays: Option<String>,
}

/// Reads a queue, and sends each message to where it belongs, unless `dry_run`. What was taken there is deleted, and nothing else: a crash
/// between the two sends it once more, which the pipeline's own parts are built for.
pub async fn redrive(
    signed_calls: &SignedCalls,
    prefix: &str,
    name: &'static str,
    dry_run: bool,
) -> Result<Vec<Group>> {
    let asked = signed_calls.sqs("GetQueueUrl", &json!({"QueueName": format!("{prefix}-{name}")})).await;
    let url = match asked {
        Ok(answer) => answer["QueueUrl"].as_str().unwrap_or_default().to_owned(),
        Err(Failure { kind: Kind::NotFound, .. }) => return Ok(Vec::new()),
        Err(failure) => return Err(failure.into()),
    };
    let held = read(signed_calls, &url).await?;
    let mut started = Vec::new();
    let mut groups: BTreeMap<(String, String, String), Group> = BTreeMap::new();
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
        let group = groups.entry(key).or_insert_with(|| Group {
            queue: name,
            to: letter.to.words(),
            from: letter.from,
            count: 0,
            age,
            reason: letter.reason,
            sent: 0,
            stays,
        });
        group.count += 1;
        group.age = group.age.max(age);
        group.sent += usize::from(matches!(outcome, Some(Ok(()))));
    }
    Ok(groups.into_values().collect())
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

/// How many messages wait in each queue that there is.
pub async fn lengths(signed_calls: &SignedCalls, prefix: &str) -> Result<Vec<(String, u64)>> {
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
