//! A terminal on which the real binary runs, and somebody who types.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use regex::Regex;

use super::Test;

/// Runs a program on a pseudo-terminal: what comes in is typed, what goes out is what the terminal is sent.
const SPAWN: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
/// The shell sets the size, then becomes the program, so that Ctrl-C reaches it alone.
const SIZED: &str = "stty rows 40 columns 200; exec \"$@\"";

/// Ctrl-C, as a keyboard sends it.
pub(crate) const CTRL_C: &str = "\u{3}";

/// How long something may take to appear, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program on a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    sent: Receiver<Vec<u8>>,
    /// All that came so far.
    seen: Vec<u8>,
    /// Up to where was looked for something.
    at: usize,
}

impl Terminal {
    /// Starts the binary on a terminal, with more variables in its environment.
    pub(crate) fn start(test: &Test, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let binary = test.command(&[]).get_program().to_string_lossy().into_owned();
        let mut all = vec!["-c", SPAWN, "sh", "-c", SIZED, "sh", &binary];
        all.extend(arguments);
        let own = super::python();
        let python = if own.exists() { own.display().to_string() } else { "python3".to_owned() };
        let mut command: Command = test.wrapped(&python, &all);
        command.env("TERM", "xterm-256color").envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, sent) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, sent, seen: Vec::new(), at: 0 }
    }

    /// The screen as text, line after line, without colours and without lines that were written over.
    fn text(&self) -> String {
        plain(&String::from_utf8_lossy(&self.seen))
    }

    /// Waits until this stands on the screen, after what was waited for before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let shown = self.text();
            if let Some(found) = shown.get(self.at..).and_then(|rest| rest.find(text)) {
                self.at += found + text.len();
                return;
            }
            match self.sent.recv_timeout(PATIENCE) {
                Ok(piece) => self.seen.extend(piece),
                Err(why) => panic!("`{text}` never came ({why}):\n{shown}"),
            }
        }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end; returns the exit code and all that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        while let Ok(piece) = self.sent.recv_timeout(PATIENCE) {
            self.seen.extend(piece);
        }
        (self.child.wait().unwrap().code(), self.text())
    }
}

/// What stays to be read of what a terminal was sent: the status line, which is written over, does not.
fn plain(sent: &str) -> String {
    // The last version of a rewritten line counts.
    let erased = Regex::new("\u{1b}\\[[0-9;?]*[A-Za-z]").unwrap();
    // The terminal echoes it after it has sent the signal, so that it may stand before, after or within what follows.
    let sent = sent.replace("^C", "");
    let mut text = String::new();
    for line in sent.split_inclusive('\n') {
        let (line, end) = line.strip_suffix("\r\n").map_or((line, ""), |line| (line, "\n"));
        let last = line.rsplit('\r').find(|part| !erased.replace_all(part, "").is_empty()).unwrap_or_default();
        text.push_str(&erased.replace_all(last, ""));
        text.push_str(end);
    }
    text
}
