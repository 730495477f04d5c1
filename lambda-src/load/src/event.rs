//! The events that wake the loader, and the names of its statements: pure.

use serde_json::Value;

/// Why the loader runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// There may be something to load: the transform job is done, or a person asks.
    Look,
    /// A statement of this pipeline is over.
    Statement { name: Name, id: String, failed: bool },
    /// Nothing of this pipeline, or nothing that is over.
    Other(String),
}

/// What a statement does, as its name says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// What is not there is made.
    Setup {
        document: String,
        part: usize,
    },
    /// What is there is looked at.
    Inspect {
        document: String,
    },
    /// A table becomes what it shall be; `step` tells one change from another.
    Migrate {
        document: String,
        step: String,
    },
    /// What follows when the tables are as they shall be. The first part is the users.
    Complete {
        document: String,
        part: usize,
    },
    Load {
        batch: String,
        table: String,
    },
    Mart {
        batch: String,
        mart: String,
    },
    /// A mart's rows become files.
    Unload {
        batch: String,
        mart: String,
    },
}

impl Name {
    /// Writes the name under which Redshift reports the statement.
    pub fn text(&self, prefix: &str) -> String {
        match self {
            Self::Setup { document, part: 1 } => format!("{prefix}/setup/{document}"),
            Self::Setup { document, part } => format!("{prefix}/setup/{document}/{part}"),
            Self::Inspect { document } => format!("{prefix}/inspect/{document}"),
            Self::Migrate { document, step } => format!("{prefix}/migrate/{document}/{step}"),
            Self::Complete { document, part } => format!("{prefix}/complete/{document}/{part}"),
            Self::Load { batch, table } => format!("{prefix}/load/{batch}/{table}"),
            Self::Unload { batch, mart } => format!("{prefix}/unload/{batch}/{mart}"),
            Self::Mart { batch, mart } => format!("{prefix}/marts/{batch}/{mart}"),
        }
    }

    /// Reads a name; `None` when it is not one of this pipeline.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(prefix)?.strip_prefix('/')?.split('/').collect();
        let owned = |text: &str| text.to_owned();
        match parts[..] {
            ["setup", document] => Some(Self::Setup { document: owned(document), part: 1 }),
            ["setup", document, part] => {
                let part = part.parse().ok()?;
                Some(Self::Setup { document: owned(document), part })
            }
            ["inspect", document] => Some(Self::Inspect { document: owned(document) }),
            ["migrate", document, step] => Some(Self::Migrate { document: owned(document), step: owned(step) }),
            ["complete", document, part] => {
                let part = part.parse().ok()?;
                Some(Self::Complete { document: owned(document), part })
            }
            ["unload", batch, mart] => Some(Self::Unload { batch: owned(batch), mart: owned(mart) }),
            ["load", batch, table] => Some(Self::Load { batch: owned(batch), table: owned(table) }),
            ["marts", batch, mart] => Some(Self::Mart { batch: owned(batch), mart: owned(mart) }),
            _ => None,
        }
    }
}

impl Event {
    /// Understands the event of an invocation of the pipeline with this prefix.
    pub fn parse(prefix: &str, event: &Value) -> Self {
        let detail = &event["detail"];
        let text = |field: &str| detail[field].as_str().unwrap_or_default();
        match event["detail-type"].as_str() {
            None => Self::Look,
            Some("Glue Job State Change") => {
                let (job, state) = (text("jobName"), text("state"));
                // A table that is stopped fails the job, and the others are there all the same.
                if job == format!("{prefix}-transform") && ["SUCCEEDED", "FAILED", "TIMEOUT"].contains(&state) {
                    Self::Look
                } else {
                    Self::Other(format!("the job `{job}` is {state}"))
                }
            }
            Some("Redshift Data Statement Status Change") => {
                let (statement, state) = (text("statementName"), text("state"));
                let failed = matches!(state, "FAILED" | "ABORTED");
                match Name::parse(prefix, statement) {
                    Some(name) if failed || state == "FINISHED" => {
                        Self::Statement { name, id: text("statementId").to_owned(), failed }
                    }
                    _ => Self::Other(format!("the statement `{statement}` is {state}")),
                }
            }
            Some(other) => Self::Other(format!("an event of the type `{other}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (text, name) in [
            ("p/setup/abc", Name::Setup { document: "abc".into(), part: 1 }),
            ("p/setup/abc/2", Name::Setup { document: "abc".into(), part: 2 }),
            ("p/inspect/abc", Name::Inspect { document: "abc".into() }),
            ("p/migrate/abc/f0", Name::Migrate { document: "abc".into(), step: "f0".into() }),
            ("p/complete/abc/1", Name::Complete { document: "abc".into(), part: 1 }),
            ("p/load/b/t", Name::Load { batch: "b".into(), table: "t".into() }),
            ("p/unload/b/m", Name::Unload { batch: "b".into(), mart: "m".into() }),
            ("p/marts/b/m", Name::Mart { batch: "b".into(), mart: "m".into() }),
        ] {
            assert_eq!(name.text("p"), text);
            assert_eq!(Name::parse("p", text), Some(name));
        }
        for text in ["", "p", "p/load/b", "p/load/b/t/x", "pp/load/b/t", "other/load/b/t", "p/setup/abc/x"] {
            assert_eq!(Name::parse("p", text), None, "{text}");
        }
    }

    #[test]
    fn events_of_others_are_left_alone() {
        let glue = |job: &str, state: &str| json!({"detail-type": "Glue Job State Change", "detail": {"jobName": job, "state": state}});
        let sql = |name: &str, state: &str| json!({"detail-type": "Redshift Data Statement Status Change", "detail": {"statementName": name, "statementId": "i", "state": state}});
        let statement = |failed| Event::Statement {
            name: Name::Load { batch: "b".into(), table: "t".into() },
            id: "i".into(),
            failed,
        };
        for (event, expected) in [
            (json!({}), Some(Event::Look)),
            (glue("p-transform", "SUCCEEDED"), Some(Event::Look)),
            (glue("p-transform", "FAILED"), Some(Event::Look)),
            (glue("p-transform", "STOPPED"), None),
            (glue("p-clean", "SUCCEEDED"), None),
            (sql("p/load/b/t", "FINISHED"), Some(statement(false))),
            (sql("p/load/b/t", "ABORTED"), Some(statement(true))),
            (sql("p/load/b/t", "STARTED"), None),
            (sql("q/load/b/t", "FAILED"), None),
            (json!({"detail-type": "Scheduled Event"}), None),
        ] {
            let parsed = Event::parse("p", &event);
            match expected {
                Some(expected) => assert_eq!(parsed, expected, "{event}"),
                None => assert!(matches!(parsed, Event::Other(_)), "{event}"),
            }
        }
    }
}
