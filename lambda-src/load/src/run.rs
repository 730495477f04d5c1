//! One run of the loader: from an event to the submission of the next statement.

use pipeline::document::Warehouse;
use pipeline::{Deadline, Error, Result};
use serde_json::{Value, json};
use std::time::Duration;

use crate::event::{Event, Name};
use crate::ledger::Ledger;
use crate::plan::{self, Step};
use crate::statement::{Outcome, Progress, Statements};

#[derive(Debug)]
pub struct Run<'a> {
    pub prefix: &'a str,
    pub warehouse: &'a Warehouse,
    pub ledger: Ledger,
    pub statements: Statements<'a>,
    pub deadline: Deadline,
}

impl Run<'_> {
    /// Records what the event reports, then goes on until a statement runs or nothing is left to do.
    ///
    /// A statement that failed is this run's error; nothing is recorded and nothing follows it.
    pub async fn handle(&self, event: Event) -> Result<Value> {
        let mut view = None;
        match event {
            Event::Look => {}
            Event::Other(what) => {
                tracing::info!("nothing to do: {what}");
                return Ok(json!({"ignored": what}));
            }
            Event::Statement { name, id, failed: true } => return Err(self.statements.failure(&name, &id).await),
            Event::Statement { name, id, failed: false } => {
                let outcome = self.statements.finished(&name, &id).await?;
                self.record(&name, &outcome).await?;
                // A part of the set-up that is not the last leaves no record; the event itself says that it is done.
                let mut read = self.ledger.view().await?;
                if !matches!(&name, Name::Setup { document, .. } if document != &self.ledger.document) {
                    read.done(&name);
                }
                view = Some(read);
            }
        }
        let view = match view {
            Some(view) => view,
            None => self.ledger.view().await?,
        };
        self.advance(view).await
    }

    async fn advance(&self, mut view: plan::View) -> Result<Value> {
        let mut recorded = Vec::new();
        while let Some(step) = plan::next(self.warehouse, &self.ledger.document, &view) {
            if !self.deadline.allows(Duration::ZERO) {
                return Err(Error::new("the time of this invocation ended before the next statement was submitted")
                    .hint("invoke this Lambda with {} to go on; raise its timeout if this happens again"));
            }
            match step {
                Step::Run { name, statements } => {
                    let text = name.text(self.prefix);
                    match self.statements.submit(&name, &statements).await? {
                        Progress::Running(id) => {
                            tracing::info!(statement = text, id, "submitted");
                            let pending = view.pending.len();
                            return Ok(
                                json!({"recorded": recorded, "submitted": text, "statement_id": id, "pending": pending}),
                            );
                        }
                        Progress::Finished(outcome) => {
                            self.record(&name, &outcome).await?;
                            view.done(&name);
                            recorded.push(text);
                        }
                    }
                }
                Step::Skip { batch, table, known } => {
                    if !known {
                        tracing::warn!(
                            batch,
                            table,
                            "the pipeline has no such table any more; its rows are not loaded"
                        );
                    }
                    let name = Name::Load { batch, table };
                    let outcome = Outcome { id: None, staged: Some(0), changed: Some(0) };
                    self.record(&name, &outcome).await?;
                    view.done(&name);
                    recorded.push(name.text(self.prefix));
                }
                Step::Close { batch } => {
                    self.ledger.close(&batch).await?;
                    view.pending.remove(&batch);
                }
            }
        }
        tracing::info!("the warehouse holds all there is");
        Ok(json!({"recorded": recorded, "submitted": null, "pending": 0}))
    }

    async fn record(&self, name: &Name, outcome: &Outcome) -> Result<()> {
        self.ledger.record(name, outcome).await?;
        let statement = name.text(self.prefix);
        tracing::info!(statement, id = outcome.id, staged = outcome.staged, changed = outcome.changed, "recorded");
        Ok(())
    }
}
