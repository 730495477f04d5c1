//! Why a statement failed: pure.

use pipectl_contract::ledger::FailureKind;
use pipeline::Error;

use crate::event::Name;

/// A statement that failed, or that could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The Data API's id; `None` if nothing was submitted.
    pub id: Option<String>,
    /// `FAILED` or `ABORTED`.
    pub status: String,
    pub kind: FailureKind,
    pub message: String,
    pub hint: String,
}

impl Failure {
    /// The error of the statement of this name.
    pub fn error(&self, name: &str) -> Error {
        let error = match &self.id {
            Some(id) => Error::new(format!("the statement `{name}` ({id}) is {}", self.status)).cause(&self.message),
            None => Error::new(self.message.clone()),
        };
        error.hint(self.hint.clone())
    }
}

/// Parts of messages of Redshift and its Data API, in lower case, with what they mean. The first that is found counts.
const KNOWN: [(&str, FailureKind); 32] = [
    ("serializable isolation violation", FailureKind::Transient),
    ("could not complete because of conflict with concurrent transaction", FailureKind::Transient),
    ("concurrent transaction", FailureKind::Transient),
    ("deadlock detected", FailureKind::Transient),
    ("connection", FailureKind::Transient),
    ("slowdown", FailureKind::Transient),
    ("internalerror", FailureKind::Transient),
    ("serviceunavailable", FailureKind::Transient),
    ("status 500", FailureKind::Transient),
    ("status 503", FailureKind::Transient),
    ("throttl", FailureKind::Transient),
    ("too many requests", FailureKind::Transient),
    ("timed out", FailureKind::Transient),
    ("timeout", FailureKind::Transient),
    ("is not available", FailureKind::Transient),
    ("out of memory", FailureKind::Transient),
    ("accessdenied", FailureKind::Permission),
    ("access denied", FailureKind::Permission),
    ("permission denied", FailureKind::Permission),
    ("must be owner", FailureKind::Permission),
    ("not authorized", FailureKind::Permission),
    ("password authentication failed", FailureKind::Permission),
    ("scan error", FailureKind::Data),
    ("value too long", FailureKind::Data),
    ("null value", FailureKind::Data),
    ("multiple matches", FailureKind::Data),
    ("overflow", FailureKind::Data),
    ("out of range", FailureKind::Data),
    ("invalid", FailureKind::Data),
    ("divide by zero", FailureKind::Data),
    ("division by zero", FailureKind::Data),
    ("manifest", FailureKind::Data),
];

/// Classifies the message of a failed statement.
pub fn kind(message: &str) -> FailureKind {
    let message = message.to_lowercase();
    let known = KNOWN.iter().find(|(part, _)| message.contains(part));
    known.map_or(FailureKind::Definition, |(_, kind)| *kind)
}

/// What a person can do after a failed load or mart.
pub fn ways_on(name: &Name) -> String {
    match name {
        Name::Load { batch, table } => format!(
            "nothing of it was kept, and the other tables continue; fix the cause, then `pipectl retry {table}`; or leave \
             the batch out with `pipectl skip {table} {batch}`"
        ),
        Name::Mart { mart, .. } | Name::Unload { mart, .. } => {
            format!("nothing of it was kept; fix the mart and deploy, or `pipectl retry marts.{mart}`")
        }
        _ => "nothing of it was kept; fix the cause and invoke this Lambda with {} to continue".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_classified() {
        for (message, expected) in [
            ("ERROR: 1023\n  Detail: Serializable isolation violation on table", FailureKind::Transient),
            ("ERROR: deadlock detected", FailureKind::Transient),
            ("S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown", FailureKind::Transient),
            ("S3ServiceException:Access Denied,Status 403,Error AccessDenied", FailureKind::Permission),
            ("ERROR: permission denied for relation orders", FailureKind::Permission),
            ("ERROR: Value too long for character type", FailureKind::Data),
            ("Spectrum Scan Error: incompatible Parquet schema for column", FailureKind::Data),
            ("ERROR: Cannot insert a NULL value into column id", FailureKind::Data),
            ("ERROR: relation \"core.x\" does not exist", FailureKind::Definition),
            ("ERROR: syntax error at or near \"x\"", FailureKind::Definition),
            ("Query cancelled on user's request", FailureKind::Definition),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }
}
