//! The progress output of a deploy: a status line on a terminal, and permanent lines for events.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::deploy::progress::{Answer, Progress, Step};
use crate::deploy::stop::Stop;
use crate::ui::Ui;

/// Prints progress to the terminal.
pub(crate) struct ProgressOutput<'a> {
    ui: &'a Ui,
    /// Whether only failures and interruptions are printed.
    quiet: bool,
    started: BTreeMap<String, Instant>,
    /// Per stack, the resources that are being worked on.
    running: BTreeMap<String, Vec<String>>,
}

impl<'a> ProgressOutput<'a> {
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self { ui, quiet: false, started: BTreeMap::new(), running: BTreeMap::new() }
    }

    /// Prints only failures; the status line shows the rest.
    #[cfg(feature = "rehearse")]
    pub(crate) fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }

    fn line(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            self.ui.line(text);
        }
    }

    fn show_running(&self) {
        let stacks = self.running.iter().map(|(stack, resources)| match resources.as_slice() {
            [] => stack.clone(),
            [one] => format!("{stack}: {one}"),
            [.., last] => format!("{stack}: {last} and {} more", resources.len() - 1),
        });
        let text = stacks.collect::<Vec<_>>().join(" · ");
        if text.is_empty() { self.ui.clear() } else { self.ui.status(text) }
    }
}

impl Progress for ProgressOutput<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Uploaded { key, bytes } => self.line(format_args!("uploaded {key} ({bytes} bytes)")),
            Step::Stack { stack, what } => {
                self.started.entry(stack.clone()).or_insert_with(Instant::now);
                self.running.entry(stack.clone()).or_default();
                self.line(format_args!("{stack} {what}"));
            }
            Step::Resource { stack, logical_id, resource_type, status, reason } => {
                let running = self.running.entry(stack.clone()).or_default();
                running.retain(|id| id != logical_id);
                if status.ends_with("_IN_PROGRESS") {
                    running.push(logical_id.clone());
                } else if let Some(reason) = reason.as_deref().filter(|_| status.ends_with("_FAILED")) {
                    self.ui.line(format_args!("  {stack}/{logical_id}  {resource_type}  {status}: {reason}"));
                } else if !self.ui.is_terminal() || status == "DELETE_SKIPPED" {
                    self.line(format_args!("  {stack}/{logical_id}  {resource_type}  {status}"));
                }
            }
            Step::Done { stack, what } => {
                self.running.remove(stack);
                match self.started.get(stack).map(Instant::elapsed) {
                    Some(time) if time >= Duration::from_secs(1) => {
                        self.line(format_args!("{stack} {what} ({} s)", time.as_secs()));
                    }
                    _ => self.line(format_args!("{stack} {what}")),
                }
            }
            Step::Stopping { running, follow } => {
                let follow = follow.as_deref().map(|how| format!("; {how}")).unwrap_or_default();
                self.ui.warn(format_args!(
                    "stopping: nothing new is started; still running: {}{follow}. Press Ctrl-C again to exit immediately",
                    running.join(", ")
                ));
            }
            Step::Slowed { wait } => {
                let text = format!("AWS asks to slow down, next try in {} s", wait.as_secs_f32().ceil());
                if self.ui.is_terminal() {
                    self.ui.status(text);
                } else {
                    self.ui.line(text);
                }
                return;
            }
            Step::Note(note) => self.ui.note(note),
        }
        self.show_running();
    }

    fn cancel<'a>(&'a mut self, stacks: &'a [String], mut stop: Stop) -> Answer<'a> {
        Box::pin(async move {
            if !self.ui.is_terminal() {
                return false;
            }
            let question = format!("Cancel the updates of {} and roll them back?", stacks.join(", "));
            self.ui.confirm_until(&question, stop.wait(3)).await == Some(true)
        })
    }
}
