//! One run of the loader: from an event to the submission of the next statement.

use pipeline::document::Warehouse;
use pipeline::{Deadline, Error, Result};
use serde_json::{Value, json};
use std::time::Duration;

use crate::event::{Event, Name};
use crate::inspect::{self, Found};
use crate::ledger::Ledger;
use crate::plan::{self, Step};
use crate::statement::{Outcome, Progress, Statements};
use crate::user;

#[derive(Debug)]
pub struct Run<'a> {
    pub prefix: &'a str,
    pub warehouse: &'a Warehouse,
    pub config: &'a aws_types::SdkConfig,
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
                view = Some(self.after(&name, &id).await?);
            }
        }
        let view = match view {
            Some(view) => view,
            None => self.ledger.view().await?,
        };
        self.advance(view).await
    }

    /// How things stand after a statement. A part of the set-up leaves no record; the event itself says that it is done.
    async fn after(&self, name: &Name, id: &str) -> Result<plan::View> {
        let mut view = self.ledger.view().await?;
        let (Name::Setup { document, .. }
        | Name::Inspect { document }
        | Name::Migrate { document, .. }
        | Name::Complete { document, .. }) = name
        else {
            view.done(name);
            return Ok(view);
        };
        if document != &self.ledger.document || view.set_up {
            return Ok(view);
        }
        if !matches!(name, Name::Setup { .. }) {
            view.setup = plan::setup_parts(self.warehouse).len();
        }
        match name {
            Name::Inspect { .. } => view.found = Some(self.statements.found(id).await?),
            // It comes only after a look that found nothing to change.
            Name::Complete { .. } => view.found = Some(Found::default()),
            _ => {}
        }
        view.done(name);
        Ok(view)
    }

    async fn advance(&self, mut view: plan::View) -> Result<Value> {
        let mut recorded = Vec::new();
        while let Some(step) = plan::next(self.warehouse, &self.ledger.document, &view) {
            if !self.deadline.allows(Duration::ZERO) {
                return Err(Error::new("the time of this invocation ended before the next statement was submitted")
                    .hint("invoke this Lambda with {} to continue; raise its timeout if this happens again"));
            }
            match step {
                Step::Run { name, statements } => {
                    let text = name.text(self.prefix);
                    match self.statements.submit(&name, &statements).await? {
                        Progress::Running(id) => {
                            return Ok(submitted(&recorded, &text, &id, &view));
                        }
                        Progress::Finished(outcome) => {
                            self.record(&name, &outcome).await?;
                            view.done(&name);
                            if let (Name::Inspect { .. }, Some(id)) = (&name, &outcome.id) {
                                view.found = Some(self.statements.found(id).await?);
                            }
                            recorded.push(text);
                        }
                    }
                }
                Step::Users { name, found } => {
                    let statements = user::statements(self.config, self.warehouse, &found).await?;
                    match self.statements.submit(&name, &statements).await? {
                        Progress::Running(id) => return Ok(submitted(&recorded, &name.text(self.prefix), &id, &view)),
                        Progress::Finished(_) => view.done(&name),
                    }
                }
                Step::Refuse(refused) => return Err(inspect::refusal(&refused)),
                Step::SetUp { unused } => {
                    for (table, columns) in &unused {
                        let columns = columns.join(", ");
                        tracing::warn!(
                            table,
                            columns,
                            "the pipeline names these columns no more; new rows have no value in them"
                        );
                    }
                    self.ledger.set_up(&unused).await?;
                    view.set_up = true;
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
                    let outcome = Outcome { staged: Some(0), changed: Some(0), ..Outcome::default() };
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

fn submitted(recorded: &[String], text: &str, id: &str, view: &plan::View) -> Value {
    tracing::info!(statement = text, id, "submitted");
    json!({"recorded": recorded, "submitted": text, "statement_id": id, "pending": view.pending.len()})
}
