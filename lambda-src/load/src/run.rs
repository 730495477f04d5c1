//! One run of the loader: from an event to the submission of what can run now.

use std::time::Duration;

use pipectl_contract::keys::unloaded;
use pipectl_contract::ledger::FailureKind;
use pipectl_contract::load_statements::Unfit;
use pipeline::document::Warehouse;
use pipeline::{Deadline, Error, Result};
use serde_json::{Value, json};

use crate::event::{Event, Name};
use crate::failure::Failure;
use crate::inspect::{self, Found};
use crate::ledger::Ledger;
use crate::plan::{self, Plan, Step, View};
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

/// What an invocation has done.
#[derive(Debug, Default)]
struct Done {
    recorded: Vec<String>,
    submitted: Vec<String>,
    /// What failed since the last invocation and waits from now on.
    failures: Vec<Error>,
}

impl Run<'_> {
    /// Records what the event reports, then submits all that can run now.
    ///
    /// A statement that failed is recorded with its table or mart; the others go on, and then the failure is this run's
    /// error, so that it is reported.
    pub async fn handle(&self, event: Event) -> Result<Value> {
        let mut done = Done::default();
        let view = match event {
            Event::Look => self.view().await?,
            Event::Other(what) => {
                tracing::info!("nothing to do: {what}");
                return Ok(json!({"ignored": what}));
            }
            Event::Statement { name, id, failed: true } => {
                let failure = self.statements.failure(&name, &id).await?;
                if name.document().is_some() {
                    return Err(failure.error(&name.text(self.prefix)));
                }
                let mut view = self.view().await?;
                self.failed(&name, &failure, &mut view, &mut done).await?;
                view
            }
            Event::Statement { name, id, failed: false } => {
                let outcome = self.statements.finished(&name, &id).await?;
                self.record(&name, &outcome).await?;
                self.after(&name, &id).await?
            }
        };
        self.advance(view, done).await
    }

    /// What the ledgers say, and what runs.
    async fn view(&self) -> Result<View> {
        let mut view = self.ledger.view().await?;
        view.running = self.statements.running().await?;
        Ok(view)
    }

    fn plan(&self) -> Plan<'_> {
        Plan { warehouse: self.warehouse, document: &self.ledger.document, bucket: &self.ledger.transformed.name }
    }

    /// How things stand after a statement. A part of the set-up leaves no record; the event itself says that it is done.
    async fn after(&self, name: &Name, id: &str) -> Result<View> {
        let mut view = self.view().await?;
        let Some(document) = name.document() else {
            view.done(name);
            return Ok(view);
        };
        // Redshift may list it as running a moment longer.
        view.running.retain(|running| running != name);
        if document != self.ledger.document || view.set_up {
            return Ok(view);
        }
        if !matches!(name, Name::Setup { .. }) {
            view.setup = plan::setup_parts(self.warehouse).len();
        }
        match name {
            Name::Inspect { .. } => view.found = Some(self.statements.found(id).await?),
            // It comes only after an inspection that found nothing to change.
            Name::Complete { .. } => view.found = Some(Found::default()),
            _ => {}
        }
        view.done(name);
        Ok(view)
    }

    async fn advance(&self, mut view: View, mut done: Done) -> Result<Value> {
        loop {
            let steps = self.plan().steps(&view);
            if steps.is_empty() {
                break;
            }
            for step in steps {
                if !self.deadline.allows(Duration::ZERO) {
                    return Err(Error::new(
                        "the time of this invocation ended before the next statement was submitted",
                    )
                    .hint("invoke this Lambda with {} to continue; raise its timeout if this happens again"));
                }
                self.take(step, &mut view, &mut done).await?;
            }
        }
        if let Some(error) = Error::all(std::mem::take(&mut done.failures)) {
            return Err(error);
        }
        let waiting = self.plan().waiting(&view);
        for one in &waiting {
            tracing::warn!(what = one.what, why = one.why, "waits");
        }
        if let Some(name) = self.plan().waits_for(&view).filter(|_| done.submitted.is_empty()) {
            tracing::info!(statement = name.text(self.prefix), "waits for the end of a statement");
        }
        if view.pending.is_empty() && done.submitted.is_empty() {
            tracing::info!("the warehouse holds all there is");
        }
        let waiting: Vec<Value> = waiting.into_iter().map(|one| json!({"what": one.what, "why": one.why})).collect();
        Ok(
            json!({"recorded": done.recorded, "submitted": done.submitted, "waiting": waiting, "pending": view.pending.len()}),
        )
    }

    async fn take(&self, step: Step, view: &mut View, done: &mut Done) -> Result<()> {
        match step {
            Step::Load { batch, table, manifest, statements, attempt } => {
                if let Some(manifest) = manifest {
                    self.ledger.write_manifest(&batch, &table, &manifest).await?;
                }
                self.submit(Name::Load { batch, table }, &statements, attempt, view, done).await?;
            }
            Step::Run { name, statements, attempt } => self.submit(name, &statements, attempt, view, done).await?,
            Step::Users { name, found } => {
                let statements = user::statements(self.config, self.warehouse, &found).await?;
                self.submit(name, &statements, 0, view, done).await?;
            }
            Step::Unfit { batch, table, columns } => {
                let failure = unfit(&batch, &table, &columns);
                self.failed(&Name::Load { batch, table }, &failure, view, done).await?;
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
                    tracing::warn!(batch, table, "the pipeline has no such table any more; its rows are not loaded");
                }
                let name = Name::Load { batch, table };
                let outcome = Outcome { staged: Some(0), changed: Some(0), ..Outcome::default() };
                self.record(&name, &outcome).await?;
                view.done(&name);
                done.recorded.push(name.text(self.prefix));
            }
            Step::Close { batch } => {
                self.ledger.close(&batch).await?;
                view.pending.remove(&batch);
            }
        }
        Ok(())
    }

    async fn submit(
        &self,
        name: Name,
        statements: &[String],
        attempt: u32,
        view: &mut View,
        done: &mut Done,
    ) -> Result<()> {
        let progress = if name.document().is_some() {
            self.statements.set_up(&name, statements).await?
        } else {
            self.statements.submit(&name, statements, attempt).await?
        };
        let text = name.text(self.prefix);
        match progress {
            Progress::Running(id) => {
                tracing::info!(statement = text, id, "submitted");
                view.running.push(name);
                done.submitted.push(text);
            }
            Progress::Finished(outcome) => {
                self.record(&name, &outcome).await?;
                view.done(&name);
                if let (Name::Inspect { .. }, Some(id)) = (&name, &outcome.id) {
                    view.found = Some(self.statements.found(id).await?);
                }
                done.recorded.push(text);
            }
            Progress::Failed(failure) => self.failed(&name, &failure, view, done).await?,
        }
        Ok(())
    }

    /// Records a failure. What heals by itself is tried again; all else waits, and is reported.
    async fn failed(&self, name: &Name, failure: &Failure, view: &mut View, done: &mut Done) -> Result<()> {
        let text = name.text(self.prefix);
        let is_over = match name {
            Name::Load { batch, table } => {
                view.pending.get(batch).is_none_or(|pending| pending.recorded.contains(table))
            }
            Name::Mart { batch, mart } => view.latest.as_ref() != Some(batch) || view.refreshed.contains(mart),
            Name::Unload { batch, mart } => {
                view.latest.as_ref() != Some(batch) || view.refreshed.contains(&unloaded(mart))
            }
            _ => false,
        };
        if is_over {
            tracing::info!(statement = text, "it failed, and was done since then");
            return Ok(());
        }
        let failed = self.ledger.failed(name, failure, view.failure(name)).await?;
        let heals = failed.kind == FailureKind::Transient && failed.attempts < plan::ATTEMPTS;
        let error = failure.error(&text);
        if heals {
            tracing::warn!(statement = text, attempt = failed.attempts, "is tried again: {error}");
        } else {
            done.failures.push(error);
        }
        view.failed(name, failed);
        Ok(())
    }

    async fn record(&self, name: &Name, outcome: &Outcome) -> Result<()> {
        self.ledger.record(name, outcome).await?;
        let statement = name.text(self.prefix);
        tracing::info!(statement, id = outcome.id, staged = outcome.staged, changed = outcome.changed, "recorded");
        Ok(())
    }
}

/// The failure of a batch with columns that its table cannot take, and the ways on.
fn unfit(batch: &str, table: &str, columns: &[Unfit]) -> Failure {
    let columns = columns.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Failure {
        id: None,
        status: String::new(),
        kind: FailureKind::Definition,
        message: format!("the table `{table}` cannot take the batch {batch}: {columns}"),
        hint: format!(
            "give the column its earlier type and deploy; or leave the batch out with `pipectl skip {table} {batch}` and write \
             it again with the new type: `pipectl replay --from cleaned --table {table}`"
        ),
    }
}
