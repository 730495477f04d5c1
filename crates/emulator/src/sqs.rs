//! SQS: the queues of the stacks and their messages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::clock;
use crate::account::file;
use crate::account::json::{JsonError, JsonResult};
use crate::digest::hex;
use crate::error::Result;

/// How long a message that was handed out stays hidden, unless the reader says otherwise.
const HIDDEN_SECONDS: f64 = 30.0;

/// All messages of all queues, kept in one file.
pub(crate) struct Queues {
    path: PathBuf,
    account: String,
    region: String,
    known: Mutex<BTreeMap<String, Vec<Message>>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Message {
    id: String,
    body: String,
    attributes: BTreeMap<String, String>,
    sent: f64,
    #[serde(default)]
    visible: f64,
    #[serde(default)]
    receipt: String,
    #[serde(default)]
    received: u64,
}

impl Queues {
    pub(crate) fn load(directory: &Path, account: &str, region: &str) -> Result<Self> {
        let path = directory.join("queues.json");
        let known = file::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, account: account.to_owned(), region: region.to_owned(), known: Mutex::new(known) })
    }

    /// Puts a message into a queue.
    pub(crate) fn send(&self, queue: &str, body: &str, attributes: BTreeMap<String, String>) -> String {
        let id = clock::uuid();
        let message = Message {
            id: id.clone(),
            body: body.to_owned(),
            attributes,
            sent: clock::seconds(),
            visible: 0.0,
            receipt: String::new(),
            received: 0,
        };
        self.change(|known| known.entry(queue.to_owned()).or_default().push(message));
        id
    }

    /// How many messages lie in a queue, those that are hidden among them.
    pub(crate) fn count(&self, queue: &str) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(queue).map_or(0, Vec::len)
    }

    /// Answers a call of the SQS API; `exists` returns whether a stack has a queue.
    pub(crate) fn call(&self, operation: &str, body: &Value, exists: impl Fn(&str) -> bool) -> JsonResult {
        let url = body["QueueUrl"].as_str().unwrap_or_default();
        let name = body["QueueName"].as_str().unwrap_or_else(|| url.rsplit('/').next().unwrap_or_default());
        if !exists(name) {
            let text = "The specified queue does not exist.";
            return Err(JsonError::new("com.amazonaws.sqs#QueueDoesNotExist", text));
        }
        match operation {
            "GetQueueUrl" => {
                Ok(json!({"QueueUrl": format!("https://sqs.{}.amazonaws.com/{}/{name}", self.region, self.account)}))
            }
            "GetQueueAttributes" => Ok(self.attributes(name)),
            "SendMessage" => {
                let text = body["MessageBody"].as_str().unwrap_or_default();
                let given = body["MessageAttributes"].as_object().into_iter().flatten();
                let attributes = given
                    .filter_map(|(name, value)| Some((name.clone(), value["StringValue"].as_str()?.to_owned())))
                    .collect();
                let id = self.send(name, text, attributes);
                Ok(json!({"MessageId": id, "MD5OfMessageBody": md5(text)}))
            }
            "ReceiveMessage" => Ok(self.receive(name, body)),
            "DeleteMessage" => {
                let receipt = receipt(body)?;
                self.change(|known| {
                    known.entry(name.to_owned()).or_default().retain(|message| message.receipt != receipt);
                });
                Ok(json!({}))
            }
            "ChangeMessageVisibility" => {
                let receipt = receipt(body)?;
                let until = clock::seconds() + body["VisibilityTimeout"].as_f64().unwrap_or_default();
                self.change(|known| {
                    let messages = known.get_mut(name).into_iter().flatten();
                    messages.filter(|message| message.receipt == receipt).for_each(|message| message.visible = until);
                });
                Ok(json!({}))
            }
            _ => Err(JsonError::unknown_operation("sqs", operation)),
        }
    }

    fn attributes(&self, name: &str) -> Value {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = known.get(name).map_or(&[][..], Vec::as_slice);
        let now = clock::seconds();
        let hidden = messages.iter().filter(|message| message.visible > now).count();
        json!({"Attributes": {
            "QueueArn": format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account),
            "ApproximateNumberOfMessages": (messages.len() - hidden).to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
            "ApproximateNumberOfMessagesDelayed": "0",
        }})
    }

    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since the epoch")]
    fn receive(&self, name: &str, body: &Value) -> Value {
        let most = usize::try_from(body["MaxNumberOfMessages"].as_u64().unwrap_or(1)).unwrap_or(1).clamp(1, 10);
        let hidden = body["VisibilityTimeout"].as_f64().unwrap_or(HIDDEN_SECONDS);
        let now = clock::seconds();
        let mut taken = Vec::new();
        self.change(|known| {
            let messages = known.get_mut(name).into_iter().flatten();
            for message in messages.filter(|message| message.visible <= now).take(most) {
                message.visible = now + hidden;
                message.receipt = clock::uuid();
                message.received += 1;
                let attributes: serde_json::Map<String, Value> = message
                    .attributes
                    .iter()
                    .map(|(name, value)| (name.clone(), json!({"DataType": "String", "StringValue": value})))
                    .collect();
                let mut answer = json!({
                    "MessageId": message.id, "ReceiptHandle": message.receipt, "Body": message.body,
                    "MD5OfBody": md5(&message.body),
                    "Attributes": {
                        "SentTimestamp": ((message.sent * 1000.0) as i64).to_string(),
                        "ApproximateReceiveCount": message.received.to_string(),
                    },
                });
                if !attributes.is_empty() {
                    answer["MessageAttributes"] = attributes.into();
                }
                taken.push(answer);
            }
        });
        if taken.is_empty() { json!({}) } else { json!({"Messages": taken}) }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<Message>>)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        known.retain(|_, messages| !messages.is_empty());
        // A disk that cannot be written costs the next process its messages, not this one.
        let _ = file::write_json(&self.path, &*known);
    }
}

fn receipt(body: &Value) -> std::result::Result<&str, JsonError> {
    body["ReceiptHandle"]
        .as_str()
        .filter(|receipt| !receipt.is_empty())
        .ok_or_else(|| JsonError::new("com.amazonaws.sqs#ReceiptHandleIsInvalid", "The receipt handle is invalid."))
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}
