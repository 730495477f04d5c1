//! Runs one task a stack along the graph, several at once.

use std::collections::BTreeSet;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::progress::{Progress, Step, catch_up};
use super::stop::Stop;
use crate::graph::Graph;

/// The work on the stacks of a graph.
pub(super) trait Work {
    type Outcome: Send + 'static;

    /// The task for a stack. All that the stack needs is finished.
    fn start(&mut self, name: &str) -> impl Future<Output = Self::Outcome> + Send + 'static;

    /// Takes what came of it. Returns whether the stacks that need this one may start.
    fn finished(&mut self, name: &str, outcome: Self::Outcome) -> bool;

    /// How people can follow what goes on without pipectl, if it does.
    fn how_to_follow(&self) -> Option<String> {
        None
    }
}

/// Starts each stack as soon as all that it needs is finished, so many at once. Returns the names of those that never started, and
/// whether tasks were left running.
pub(super) async fn run<W: Work>(
    graph: &Graph,
    work: &mut W,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
    mut stop: Stop,
    parallel: usize,
) -> Ended {
    let mut tasks = JoinSet::new();
    let (mut started, mut running, mut done) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut stopping = false;
    let mut left = false;
    loop {
        for name in graph.names() {
            if stop.requested() || tasks.len() >= parallel.max(1) {
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
                let follow = work.how_to_follow();
                progress.step(&Step::Stopping { running: running.iter().cloned().collect(), follow });
            }
        }
    }
    catch_up(steps, progress);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::deploy::progress::Silent;

    /// Counts how many run at once, and the most that ever did.
    #[derive(Default)]
    struct Counting(Arc<(AtomicUsize, AtomicUsize)>);

    impl Work for Counting {
        type Outcome = ();

        fn start(&mut self, _: &str) -> impl Future<Output = ()> + Send + 'static {
            let counts = Arc::clone(&self.0);
            async move {
                let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                counts.1.fetch_max(now, Ordering::SeqCst);
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                counts.0.fetch_sub(1, Ordering::SeqCst);
            }
        }

        fn finished(&mut self, _: &str, (): ()) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn parallelism_is_bounded() {
        for parallel in [1, 2, 10] {
            let none: [&str; 0] = [];
            let graph = Graph::new(["a", "b", "c", "d", "e"].map(|name| (name, none))).unwrap();
            let (_sender, mut steps) = tokio::sync::mpsc::unbounded_channel();
            let (_stop, stopping) = Stop::controlled();
            let mut work = Counting::default();
            let ended = run(&graph, &mut work, &mut steps, &mut Silent, stopping, parallel).await;
            assert_eq!((ended, work.0.1.load(Ordering::SeqCst)), (Ended::default(), parallel.min(5)));
        }
    }
}
