//! Runs one task a stack along the graph, several at once.

use std::collections::BTreeSet;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::PARALLEL;
use super::progress::{Progress, Step};
use super::stop::Stop;
use crate::graph::Graph;

/// The work on the stacks of a graph.
pub(super) trait Work {
    type Outcome: Send + 'static;

    /// The task for a stack. All that the stack needs is finished.
    fn start(&mut self, name: &str) -> impl Future<Output = Self::Outcome> + Send + 'static;

    /// Takes what came of it. Returns whether the stacks that need this one may start.
    fn finished(&mut self, name: &str, outcome: Self::Outcome) -> bool;
}

/// Starts each stack as soon as all that it needs is finished. Returns the names of those that never started, and
/// whether tasks were left running.
pub(super) async fn run<W: Work>(
    graph: &Graph,
    work: &mut W,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
    mut stop: Stop,
) -> Ended {
    let mut tasks = JoinSet::new();
    let (mut started, mut running, mut done) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut stopping = false;
    let mut left = false;
    loop {
        for name in graph.names() {
            if stop.requested() || tasks.len() >= PARALLEL {
                break;
            }
            if !started.contains(name) && graph.ready(name, &done) {
                started.insert(name.clone());
                running.insert(name.clone());
                let task = work.start(name);
                let name = name.clone();
                tasks.spawn(async move { (name, task.await) });
            }
        }
        if tasks.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(step) = steps.recv() => progress.step(&step),
            Some(ended) = tasks.join_next() => match ended {
                Ok((name, outcome)) => {
                    running.remove(&name);
                    if work.finished(&name, outcome) {
                        done.insert(name);
                    }
                }
                Err(error) => if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                },
            },
            () = stop.wait(if stopping { 2 } else { 1 }) => {
                if stopping {
                    left = true;
                    break;
                }
                stopping = true;
                progress.step(&Step::Stopping { running: running.iter().cloned().collect() });
            }
        }
    }
    while let Ok(step) = steps.try_recv() {
        progress.step(&step);
    }
    let waiting = graph.names().iter().filter(|name| !started.contains(*name)).cloned().collect();
    Ended { waiting, running: if left { running.into_iter().collect() } else { Vec::new() }, stopped: stopping }
}

/// How a run ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// The stacks that never started.
    pub(super) waiting: Vec<String>,
    /// The stacks that were left to go on by themselves.
    pub(super) running: Vec<String>,
    /// Someone asked to stop.
    pub(super) stopped: bool,
}
