//! What a function writes, and how grave it is.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Lines beyond this many are counted, not kept.
const MOST_LINES: usize = 5_000;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub level: Level,
    /// The message alone, when the line is JSON.
    pub message: String,
    /// The line as it was written.
    pub raw: String,
}

/// The log of an invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    pub lines: Vec<Line>,
    /// How many further lines there were.
    pub dropped: usize,
}

impl Log {
    pub(super) fn push(&mut self, text: &str) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(Line::parse(text));
        } else {
            self.dropped += 1;
        }
    }

    /// The lines that are at least this grave.
    pub fn at_least(&self, level: Level) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.level >= level)
    }
}

impl Line {
    /// Reads a JSON line with a level, as Lambda's JSON format has it, or a line of text.
    fn parse(text: &str) -> Self {
        let json: Option<Value> = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        let Some(json) = json else {
            return Self { level: level_of_text(text), message: text.to_owned(), raw: text.to_owned() };
        };
        let level = json.get("level").and_then(Value::as_str).map_or(Level::Info, level);
        let message = ["/message", "/fields/message", "/msg", "/errorMessage"]
            .iter()
            .find_map(|pointer| json.pointer(pointer).and_then(Value::as_str))
            .map_or_else(|| text.to_owned(), str::to_owned);
        Self { level, message, raw: text.to_owned() }
    }
}

fn level(word: &str) -> Level {
    match word.to_ascii_uppercase().as_str() {
        "ERROR" | "FATAL" | "CRITICAL" => Level::Error,
        "WARN" | "WARNING" => Level::Warn,
        "DEBUG" => Level::Debug,
        "TRACE" => Level::Trace,
        _ => Level::Info,
    }
}

/// A level among the first words, and Rust's words for a panic.
fn level_of_text(text: &str) -> Level {
    if text.starts_with("thread '") && text.contains("panicked at") {
        return Level::Error;
    }
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).take(4);
    words.filter(|word| word.chars().all(|c| c.is_ascii_uppercase())).map(level).max().unwrap_or(Level::Info)
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_parsed() {
        for (text, expected, message) in [
            (r#"{"level":"ERROR","fields":{"message":"no token"}}"#, Level::Error, "no token"),
            (r#"{"level":"warn","message":"slow"}"#, Level::Warn, "slow"),
            (r#"{"message":"x"}"#, Level::Info, "x"),
            ("{not json", Level::Info, "{not json"),
            ("2026-11-20T10:00:00Z ERROR no token", Level::Error, "2026-11-20T10:00:00Z ERROR no token"),
            ("[WARN] slow", Level::Warn, "[WARN] slow"),
            ("an Error in lower case is a word", Level::Info, "an Error in lower case is a word"),
            ("thread 'main' panicked at src/main.rs:1:1:", Level::Error, "thread 'main' panicked at src/main.rs:1:1:"),
            ("", Level::Info, ""),
        ] {
            assert_eq!(
                Line::parse(text),
                Line { level: expected, message: message.into(), raw: text.into() },
                "{text}"
            );
        }
    }
}
