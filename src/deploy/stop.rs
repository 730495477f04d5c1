//! Ctrl-C: once to stop in good order, twice to leave at once, three times to leave a question unanswered.

use tokio::sync::watch;

use crate::error::Error;
use crate::exit::Exit;

/// Whether someone asked to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<u8>);

impl Stop {
    /// Listens to Ctrl-C, and to the signal by which a CI ends a job that nobody wants any more.
    pub fn on_ctrl_c() -> Self {
        let (sender, receiver) = watch::channel(0);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            // One listener for all signals of a kind: with a new one after each, a signal that arrives in between is lost.
            for mut signals in [SignalKind::interrupt(), SignalKind::terminate()].into_iter().flat_map(signal) {
                let sender = sender.clone();
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        count(&sender);
                    }
                });
            }
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                count(&sender);
            }
        });
        Self(receiver)
    }

    /// A stop that the caller controls: 1 stops in good order, 2 leaves at once.
    pub fn controlled() -> (watch::Sender<u8>, Self) {
        let (sender, receiver) = watch::channel(0);
        (sender, Self(receiver))
    }

    /// Whether nothing new may start.
    pub fn requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns when someone asked that many times.
    pub async fn wait(&mut self, times: u8) {
        if self.0.wait_for(|asked| *asked >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The error of a command that was stopped.
    pub fn error(what: &str) -> Error {
        Error::new(format!("interrupted: {what}")).exit(Exit::Interrupted)
    }
}

fn count(sender: &watch::Sender<u8>) {
    sender.send_modify(|times| *times = times.saturating_add(1));
}
