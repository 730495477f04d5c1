//! Who is notified of failures, and what counts as a failure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::yaml::Node;

use super::grammar::is_email;

use crate::log_pattern::LogPattern;

/// Who is notified of failures, and what counts as a failure.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Mail addresses. Each gets a mail to confirm after the first deploy.
    pub emails: Vec<String>,
    /// The CloudWatch Logs filter patterns that count as an error in the log of a Lambda or job.
    #[schemars(length(max = 20))]
    pub log_patterns: Vec<String>,
    /// A mail is sent when nothing has landed for this many hours, at most 168. Without it no mail is sent.
    #[schemars(range(min = 1, max = 168))]
    pub no_data_hours: Option<u32>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { emails: Vec::new(), log_patterns: vec![r#"{ $.level = "ERROR" }"#.into()], no_data_hours: None }
    }
}

/// Mail addresses must look like some, patterns must be ones that CloudWatch Logs takes.
pub(super) fn check(pipeline: &Node, errors: &mut Vec<Error>) {
    let Some(alerts) = pipeline.get("alerts") else { return };
    if let Some((key, node)) = alerts.entries().iter().find(|(key, _)| key.name == "log_pattern") {
        let pattern = node.as_str().unwrap_or("…").replace('\'', "''");
        errors.push(
            Error::project("`alerts.log_pattern` is now a list, `log_patterns`")
                .at(&key.span, "the old key")
                .hint(format!("write `log_patterns: ['{pattern}']`")),
        );
    }
    for email in alerts.get("emails").map_or(&[][..], Node::items) {
        let text = email.as_str().unwrap_or_default();
        if !is_email(text) {
            errors.push(
                Error::project(format!("`{text}` is not a mail address"))
                    .at(&email.span, "")
                    .hint("write it as `name@example.com`"),
            );
        }
    }
    for node in alerts.get("log_patterns").map_or(&[][..], Node::items) {
        let Some(text) = node.as_str() else { continue };
        if let Err(wrong) = LogPattern::parse(text) {
            errors.push(
                Error::project(format!("CloudWatch Logs does not take the pattern `{text}`"))
                    .at(&node.span, wrong)
                    .hint("write words (`Timeout`, `\"out of memory\"`), or fields of JSON lines (`{ $.level = \"ERROR\" }`)"),
            );
        }
    }
}
