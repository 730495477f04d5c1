//! The events that wake the loader: pure.

pub use pipectl_contract::names::Statement as Name;
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

impl Event {
    /// Understands the event of an invocation of the pipeline with this prefix.
    pub fn parse(prefix: &str, event: &Value) -> Self {
        let detail = &event["detail"];
        let text = |field: &str| detail[field].as_str().unwrap_or_default();
        match event["detail-type"].as_str() {
            None => Self::Look,
            Some("Glue Job State Change") => {
                let (job, state) = (text("jobName"), text("state"));
                // However the job ended, the tables that it had finished are there.
                let ended = ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT"].contains(&state);
                if job == format!("{prefix}-transform") && ended {
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
            (glue("p-transform", "STOPPED"), Some(Event::Look)),
            (glue("p-transform", "TIMEOUT"), Some(Event::Look)),
            (glue("p-transform", "RUNNING"), None),
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
