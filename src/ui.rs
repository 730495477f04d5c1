//! The only writer to the terminal: data to stdout, talk to stderr.

use std::fmt::Display;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};

/// What a command says, and where.
#[derive(Debug)]
pub struct Ui {
    spinner: Mutex<Option<ProgressBar>>,
    terminal: bool,
    colour: bool,
}

impl Default for Ui {
    fn default() -> Self {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        let terminal = std::io::stderr().is_terminal() && !ci;
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { spinner: Mutex::new(None), terminal, colour: std::io::stdout().is_terminal() && !no_colour }
    }
}

impl Ui {
    /// Writes the command's result to stdout. A closed pipe is no error: the reader has seen enough.
    pub fn data(&self, text: impl Display) -> Result<()> {
        self.quiet(|| {
            let mut out = anstream::stdout().lock();
            let written = write!(out, "{text}").and_then(|()| out.flush());
            match written {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
                _ => Ok(()),
            }
        })
    }

    /// A line of talk that stays.
    pub fn line(&self, text: impl Display) {
        self.quiet(|| {
            let _ = writeln!(anstream::stderr(), "{text}");
        });
    }

    /// A note.
    pub fn note(&self, text: impl Display) {
        self.line(format_args!("note: {text}"));
    }

    /// A warning that asks for an action.
    pub fn warn(&self, text: impl Display) {
        self.line(format_args!("{}warning{}: {text}", self.style("\u{1b}[33m"), self.style("\u{1b}[0m")));
    }

    /// An error, with its colour.
    pub fn error(&self, error: &Error) {
        self.clear();
        let text = error.to_string();
        let text = match text.strip_prefix("error:") {
            Some(rest) => format!("{}error{}:{rest}", self.style("\u{1b}[1;31m"), self.style("\u{1b}[0m")),
            None => text,
        };
        self.line(text);
    }

    /// What goes on right now: one line that is written over, on a terminal only.
    pub fn status(&self, text: impl Display) {
        if !self.terminal {
            return;
        }
        let Ok(mut spinner) = self.spinner.lock() else { return };
        let bar = spinner.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(text.to_string());
    }

    /// How far something is, in bytes: a bar that is written over, on a terminal only.
    pub fn progress(&self, text: impl Display, done: u64, total: u64) {
        self.status(text);
        let Ok(spinner) = self.spinner.lock() else { return };
        let Some(bar) = spinner.as_ref() else { return };
        if bar.length() != Some(total) {
            bar.set_length(total);
            if let Ok(style) =
                ProgressStyle::with_template("{bar:30.cyan/dim} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}")
            {
                bar.set_style(style);
            }
        }
        bar.set_position(done);
    }

    /// Takes the status line away.
    pub fn clear(&self) {
        if let Ok(mut spinner) = self.spinner.lock()
            && let Some(bar) = spinner.take()
        {
            bar.finish_and_clear();
        }
    }

    /// Asks for a text; `None` where nobody can answer.
    pub fn ask(&self, question: impl Display) -> Option<String> {
        self.clear();
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let mut err = anstream::stderr();
        let _ = write!(err, "{question} ").and_then(|()| err.flush());
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// Asks a yes-or-no question; `None` where nobody can answer.
    pub fn confirm(&self, question: impl Display) -> Option<bool> {
        self.ask(format_args!("{question} [y/N]")).map(|answer| is_yes(&answer))
    }

    /// Asks for a text until something happens, such as Ctrl-C; `None` where nobody can answer. What happens answers with
    /// an empty text.
    pub async fn ask_until(&self, question: &str, happens: impl Future<Output = ()>) -> Option<String> {
        self.clear();
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let mut err = anstream::stderr();
        let _ = write!(err, "{question} ").and_then(|()| err.flush());
        let (sender, answer) = tokio::sync::oneshot::channel();
        // Nothing can cancel the reading of a line: it has its own thread, for which the end of the program does
        // not wait.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let _ = sender.send(read.is_ok().then_some(line));
        });
        tokio::select! {
            answer = answer => answer.ok().flatten().map(|line| line.trim().to_owned()),
            () = happens => {
                self.line("");
                Some(String::new())
            }
        }
    }

    /// Asks a yes-or-no question until something happens, which is a no; `None` where nobody can answer.
    pub async fn confirm_until(&self, question: &str, happens: impl Future<Output = ()>) -> Option<bool> {
        self.ask_until(&format!("{question} [y/N]"), happens).await.map(|answer| is_yes(&answer))
    }

    /// Whether stderr is a terminal that somebody looks at.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether stdout takes colour.
    pub fn colour(&self) -> bool {
        self.colour
    }

    fn style(&self, code: &'static str) -> &'static str {
        if self.terminal && self.colour { code } else { "" }
    }

    fn quiet<T>(&self, write: impl FnOnce() -> T) -> T {
        let bar = self.spinner.lock().ok().and_then(|spinner| spinner.clone());
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes")
}
