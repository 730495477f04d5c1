//! Runs of Glue workflows, job after job.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Actor, Due, Run};
use crate::error::Result;
use crate::timeline::{Kind, Severity};
use pipectl_emulator::events::{self, Target, Triggered};
use pipectl_emulator::glue::spark::Job;

impl Run<'_> {
    /// A run of a workflow: its jobs one after another, as the triggers chain them.
    pub(super) async fn start(&mut self, first: &Triggered) -> Result<()> {
        for stop in events::broken(&self.pipeline.resources, &first.workflow) {
            self.stopped(&stop);
        }
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        let mut triggers = VecDeque::from([first.clone()]);
        while let Some(triggered) = triggers.pop_front() {
            self.timeline.happened(Kind::Trigger, &triggered.trigger, &triggered.because);
            for job in &triggered.jobs {
                let state = self.job(job, &triggered.workflow).await?;
                states.insert(job.clone(), state);
                triggers.extend(events::follow(&self.pipeline.resources, &triggered.workflow, &states, job));
            }
        }
        Ok(())
    }

    /// Runs a job and sends the event of its end to the bus.
    pub(super) async fn job(&mut self, name: &str, workflow: &str) -> Result<String> {
        let Some(resource) = self.pipeline.resources.named("AWS::Glue::Job", name) else {
            return Ok("FAILED".into());
        };
        self.runs += 1;
        let run = format!("jr_{:08}", self.runs);
        let environment = self.pipeline.job_environment(resource);
        let job = Job::of(resource, &run, workflow, environment);
        let log_prefix = resource.text("/DefaultArguments/--custom-logGroup-prefix").map(str::to_owned);
        if self.runs == 1 {
            (self.status)("waiting for Spark to start");
            let began = Instant::now();
            let version = self.pipeline.glue.ready().await?.to_owned();
            if began.elapsed() > Duration::from_millis(500) {
                let waited = format!("{version} was waited for");
                self.timeline.ended(Kind::Job, "Spark", waited, began.elapsed(), false);
            }
        }
        self.pipeline.authorizer.job_ran(&self.pipeline.resources, resource);
        let role = resource.text("/Role").unwrap_or_default().to_owned();
        (self.status)(&format!("glue job {name}"));
        let began = Instant::now();
        let ended = self.pipeline.glue.run(&job).await?;
        self.job_logged(log_prefix.as_deref(), &ended.output);
        let failed = ended.state != "SUCCEEDED";
        self.timeline.ended(Kind::Job, name, last_word(&ended.output), began.elapsed(), failed);
        let started_as = Target::Workflow(workflow.to_owned());
        self.actor = Some(Actor { name: name.to_owned(), started_as, spark: Some((role, ended.reads)) });
        let goes_on = self.listen_as_actor();
        self.actor = None;
        let message = ended.error.unwrap_or_default();
        if failed {
            self.timeline
                .find(Severity::Error, format!("the job `{name}` ended as {}:{}", ended.state, in_lines(&message)));
        }
        let event = events::job_state_change(&self.pipeline.resources, name, &run, &ended.state, &message);
        self.due.push_back(Due::Event { event, by: format!("{name} {}", ended.state.to_lowercase()), goes_on });
        Ok(ended.state)
    }
}

/// A job's message, with a line for each table in it.
fn in_lines(message: &str) -> String {
    let mut text = message.to_owned();
    for start in ["table `", "the other tables are ", "nothing is committed"] {
        text = text.replace(&format!("; {start}"), &format!("\n{start}"));
    }
    if text.contains('\n') { format!("\n{text}") } else { format!(" {text}") }
}

fn last_word(output: &[String]) -> String {
    output
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(|line| line.chars().take(100).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_its_line() {
        assert_eq!(in_lines("it ran out of memory"), " it ran out of memory");
        let message = "table `a`: 1 of 2 rows are bad; raise the limit; table `b`: lost; nothing is committed";
        let lines = "\ntable `a`: 1 of 2 rows are bad; raise the limit\ntable `b`: lost\nnothing is committed";
        assert_eq!(in_lines(message), lines);
    }
}
