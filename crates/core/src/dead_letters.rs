//! A message in a dead-letter queue: who sent it, who should have received it, and why the delivery failed.

use std::collections::BTreeMap;

use serde_json::Value;

/// A message of a dead-letter queue, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Such as `lambda shop-dev-load`, `rule shop-dev-landing` or `schedule shop-dev-ingest-shop`.
    pub from: String,
    pub to: Destination,
    pub payload: String,
    pub reason: String,
}

/// Where a message belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Lambda by its name.
    Function(String),
    /// A Glue workflow by its name. Its event carries nothing that a job needs, so a run is all that was asked for.
    Workflow(String),
    /// A topic by its ARN.
    Topic(String),
    /// Nowhere that is known, and why.
    Unknown(String),
}

impl Destination {
    /// `lambda shop-dev-load`.
    pub fn words(&self) -> String {
        match self {
            Self::Function(name) => format!("lambda {name}"),
            Self::Workflow(name) => format!("workflow {name}"),
            Self::Topic(arn) => format!("topic {}", last(arn)),
            Self::Unknown(_) => "nowhere".to_owned(),
        }
    }

    fn of(arn: &str) -> Self {
        match arn.split(':').nth(2) {
            Some("lambda") => Self::Function(function(arn)),
            Some("glue") if arn.contains(":workflow/") => Self::Workflow(last(arn).to_owned()),
            Some("sns") => Self::Topic(arn.to_owned()),
            _ => Self::Unknown(format!("nothing is known of the target {arn}")),
        }
    }
}

/// Reads a message.
///
/// EventBridge and its Scheduler keep what they wanted to send as the body, and why they could not as attributes; a
/// Lambda's failure is a record with the event that it was called with.
pub fn read(body: &str, attributes: &BTreeMap<String, String>) -> Letter {
    let attribute = |name: &str| attributes.get(name).map(String::as_str);
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    // The report of a failed call that did not reach its queue is equivalent to the record in it.
    let record = [&json, &json["detail"]].into_iter().find(|value| value["requestContext"]["functionArn"].is_string());
    if let Some(record) = record {
        let name = function(record["requestContext"]["functionArn"].as_str().unwrap_or_default());
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let reason = match (text("/responsePayload/errorType"), text("/responsePayload/errorMessage")) {
            (Some(kind), Some(message)) => format!("{kind}: {message}"),
            (_, Some(message)) => message.to_owned(),
            _ => text("/requestContext/condition").unwrap_or("no reason was given").to_owned(),
        };
        let payload = again(&record["requestPayload"]);
        return Letter { from: format!("lambda {name}"), to: Destination::Function(name), payload, reason };
    }
    let from = match (attribute("RULE_ARN"), attribute("SCHEDULE_ARN")) {
        (Some(rule), _) => format!("rule {}", last(rule)),
        (None, Some(schedule)) => format!("schedule {}", last(schedule)),
        _ => "unknown".to_owned(),
    };
    let reason = match (attribute("ERROR_CODE"), attribute("ERROR_MESSAGE")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "no reason was given".to_owned(),
    };
    let to = match attribute("TARGET_ARN") {
        _ if attribute("IS_PAYLOAD_TRUNCATED") == Some("true") => {
            Destination::Unknown("its payload was too long and is not whole".into())
        }
        Some(arn) => Destination::of(arn),
        None => Destination::Unknown("it does not say where it belongs".into()),
    };
    Letter { from, to, payload: body.to_owned(), reason }
}

/// What a Lambda is asked again. That a statement has failed is history, and would be refused again: the load is asked to
/// look what is left instead.
fn again(payload: &Value) -> String {
    let failed = payload["detail-type"] == "Redshift Data Statement Status Change"
        && ["ABORTED", "FAILED"].iter().any(|state| payload["detail"]["state"] == *state);
    if failed { "{}".to_owned() } else { payload.to_string() }
}

/// The name in `arn:aws:lambda:<region>:<account>:function:<name>[:$LATEST]`.
fn function(arn: &str) -> String {
    arn.split(':').nth(6).unwrap_or(arn).to_owned()
}

fn last(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_message_is_parsed() {
        let lambda = json!({
            "version": "1.0", "timestamp": "2026-11-21T10:00:00Z",
            "requestContext": {
                "requestId": "r", "functionArn": "arn:aws:lambda:eu-central-1:1:function:shop-dev-load:$LATEST",
                "condition": "RetriesExhausted", "approximateInvokeCount": 2,
            },
            "requestPayload": {"detail-type": "x"},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": {"errorMessage": "no token", "errorType": "Error"},
        });
        let mut aged = lambda.clone();
        aged["responsePayload"] = json!(null);
        aged["requestContext"]["condition"] = json!("EventAgeExceeded");
        let attributes = |target: &str, more: &[(&str, &str)]| {
            let pairs = [("TARGET_ARN", target), ("ERROR_CODE", "NO_PERMISSIONS"), ("ERROR_MESSAGE", "denied")];
            pairs.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut statement = lambda.clone();
        statement["requestPayload"] =
            json!({"detail-type": "Redshift Data Statement Status Change", "detail": {"state": "FAILED"}});
        let rule = [("RULE_ARN", "arn:aws:events:eu-central-1:1:rule/shop-dev-landing")];
        let schedule = [("SCHEDULE_ARN", "arn:aws:scheduler:eu-central-1:1:schedule/default/shop-dev-ingest-shop")];
        let none = BTreeMap::new();
        let reported = [
            read(&lambda.to_string(), &none),
            read(&aged.to_string(), &none),
            read(&statement.to_string(), &none),
            read(
                &json!({"detail-type": "Lambda Function Invocation Result - Failure", "detail": lambda}).to_string(),
                &attributes("arn:aws:sqs:eu-central-1:1:shop-dev-failures", &rule),
            ),
            read("{}", &attributes("arn:aws:glue:eu-central-1:1:workflow/shop-dev", &rule)),
            read("{\"a\": 1}", &attributes("arn:aws:lambda:eu-central-1:1:function:shop-dev-ingest-shop", &schedule)),
            read("mail", &attributes("arn:aws:sns:eu-central-1:1:shop-dev-alerts", &rule)),
            read("{}", &attributes("arn:aws:sqs:eu-central-1:1:other", &rule)),
            read("{}", &attributes("arn:aws:lambda:eu-central-1:1:function:x", &[("IS_PAYLOAD_TRUNCATED", "true")])),
            read("something else", &none),
        ]
        .map(|letter| {
            format!(
                "{} → {}: {} | {} {:?}",
                letter.from,
                letter.to.words(),
                letter.reason,
                letter.payload.len(),
                letter.to
            )
        });
        insta::assert_snapshot!(reported.join("\n"), @r#"
        lambda shop-dev-load → lambda shop-dev-load: Error: no token | 19 Function("shop-dev-load")
        lambda shop-dev-load → lambda shop-dev-load: EventAgeExceeded | 19 Function("shop-dev-load")
        lambda shop-dev-load → lambda shop-dev-load: Error: no token | 2 Function("shop-dev-load")
        lambda shop-dev-load → lambda shop-dev-load: Error: no token | 19 Function("shop-dev-load")
        rule shop-dev-landing → workflow shop-dev: NO_PERMISSIONS: denied | 2 Workflow("shop-dev")
        schedule shop-dev-ingest-shop → lambda shop-dev-ingest-shop: NO_PERMISSIONS: denied | 8 Function("shop-dev-ingest-shop")
        rule shop-dev-landing → topic shop-dev-alerts: NO_PERMISSIONS: denied | 4 Topic("arn:aws:sns:eu-central-1:1:shop-dev-alerts")
        rule shop-dev-landing → nowhere: NO_PERMISSIONS: denied | 2 Unknown("nothing is known of the target arn:aws:sqs:eu-central-1:1:other")
        unknown → nowhere: NO_PERMISSIONS: denied | 2 Unknown("its payload was too long and is not whole")
        unknown → nowhere: no reason was given | 14 Unknown("it does not say where it belongs")
        "#);
    }
}
