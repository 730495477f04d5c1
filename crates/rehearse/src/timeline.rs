//! The run as it happened: one step after another.

use std::time::{Duration, Instant};

use serde::Serialize;

use pipectl_emulator::alarms::Mail;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file was put into the raw zone.
    File,
    Schedule,
    Function,
    /// Something on the bus reached a target.
    Event,
    /// A trigger of a workflow fired.
    Trigger,
    Job,
    Statement,
    /// Something was put into a queue.
    Queue,
    Mail,
    /// Something happened in a database.
    Database,
    /// Something happened in a shop.
    Shop,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Schedule => "schedule",
            Self::Function => "lambda",
            Self::Event => "event",
            Self::Trigger => "trigger",
            Self::Job => "glue job",
            Self::Statement => "sql",
            Self::Queue => "queue",
            Self::Mail => "mail",
            Self::Database => "database",
            Self::Shop => "shop",
        }
    }
}

/// A step of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Seconds since the start, when the step began.
    pub at: f64,
    pub kind: Kind,
    pub name: String,
    /// What led to it, or what it led to.
    pub detail: String,
    /// How long it took, where that means something.
    pub seconds: Option<f64>,
    /// How often: events that lead the same way are one step.
    pub times: u64,
    pub failed: bool,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    /// The rehearsal has failed.
    Error,
}

/// A warning or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub text: String,
}

/// What is recorded of a run.
#[derive(Debug)]
pub(super) struct Timeline {
    began: Instant,
    pub(super) steps: Vec<Step>,
    pub(super) findings: Vec<Finding>,
    pub(super) mails: Vec<Mail>,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), steps: Vec::new(), findings: Vec::new(), mails: Vec::new() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A step that takes no time.
    pub(super) fn happened(&mut self, kind: Kind, name: impl Into<String>, detail: impl Into<String>) {
        self.push(kind, name.into(), detail.into(), None, false);
    }

    /// A step that has just ended.
    pub(super) fn ended(&mut self, kind: Kind, name: &str, detail: impl Into<String>, took: Duration, failed: bool) {
        self.push(kind, name.to_owned(), detail.into(), Some(took), failed);
    }

    fn push(&mut self, kind: Kind, name: String, detail: String, took: Option<Duration>, failed: bool) {
        // What leads the same way again is counted with the first.
        let same = |step: &&mut Step| step.kind == kind && step.name == name && step.detail == detail;
        if let (Kind::Event, Some(step)) = (kind, self.steps.iter_mut().find(same)) {
            step.times += 1;
            return;
        }
        let at = self.elapsed().saturating_sub(took.unwrap_or_default()).as_secs_f64();
        let seconds = took.map(|took| took.as_secs_f64());
        self.steps.push(Step { at, kind, name, detail, seconds, times: 1, failed });
    }

    /// Puts errors before all other findings.
    pub(super) fn find_first(&mut self, texts: impl Iterator<Item = String>) {
        let found: Vec<Finding> = texts.map(|text| Finding { severity: Severity::Error, text }).collect();
        self.findings.retain(|known| !found.contains(known));
        self.findings.splice(0..0, found);
    }

    pub(super) fn find(&mut self, severity: Severity, text: impl Into<String>) {
        let finding = Finding { severity, text: text.into() };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
