//! The one error type: what is wrong, where, and an edit or a command that fixes it.

use std::borrow::Cow;
use std::fmt;

use super::exit::Exit;
use super::source::Span;
use crate::limits::{COMPARED_NAME, MESSAGE_COLUMNS, QUOTED_COLUMNS};

/// A result whose error is meant for people.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong, where, and how to fix it.
///
/// The message is a lower-case fragment without a full stop; names stand in backticks. A hint is an edit or a command.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    message: String,
    quotes: Vec<Quote>,
    notes: Vec<String>,
    hints: Vec<String>,
    causes: Vec<String>,
    more: Vec<Error>,
    summary: Option<String>,
    rule: Option<(String, String)>,
    exit: Exit,
}

/// A place that an error points at.
#[derive(Debug, Clone)]
struct Quote {
    span: Span,
    /// Stands under the marked text.
    label: String,
    /// The line as it is shown; none if it is that of the file.
    line: Option<String>,
}

impl Error {
    /// An error of the work itself (exit code 1).
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            message: message.into(),
            quotes: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            causes: Vec::new(),
            more: Vec::new(),
            summary: None,
            rule: None,
            exit: Exit::Failure,
        }))
    }

    /// An error in the project's files (exit code 65).
    pub fn project(message: impl Into<String>) -> Self {
        Self::new(message).exit(Exit::Project)
    }

    /// Joins several errors into one that prints them all, or none if there are none.
    pub fn all(errors: impl IntoIterator<Item = Self>) -> Result<()> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(mut first) => {
                first.0.more.extend(errors);
                Err(first)
            }
        }
    }

    /// Points at a place in a file, with a few words that stand under the marked text.
    #[must_use]
    pub fn at(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.0.quotes.push(Quote { span: span.clone(), label: label.into(), line: None });
        self
    }

    /// Adds a fact that helps to understand.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds an edit or a command that fixes it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds what lies beneath, with its own causes.
    #[must_use]
    pub fn cause(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.0.causes.last() != Some(&text) {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// A last line that sums several errors up.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.0.summary = Some(summary.into());
        self
    }

    /// Names the rule that was broken, and the page that says so.
    #[must_use]
    pub fn rule(mut self, id: impl Into<String>, source: impl Into<String>) -> Self {
        self.0.rule = Some((id.into(), source.into()));
        self
    }

    /// The rule that was broken, and the page that says so.
    pub fn broken_rule(&self) -> Option<(&str, &str)> {
        self.0.rule.as_ref().map(|(id, source)| (id.as_str(), source.as_str()))
    }

    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// The same error with all its texts changed, also in the lines that it quotes and in those that were joined to it.
    #[must_use]
    pub fn map_text(mut self, change: &dyn Fn(&str) -> String) -> Self {
        let inner = &mut *self.0;
        let lists = [&mut inner.notes, &mut inner.hints, &mut inner.causes];
        let texts = lists.into_iter().flatten().chain([&mut inner.message]).chain(&mut inner.summary);
        for text in texts {
            *text = change(text);
        }
        for quote in &mut inner.quotes {
            let line = quote.span.source_line();
            quote.line = Some(change(line)).filter(|changed| changed != line);
        }
        inner.more = std::mem::take(&mut inner.more).into_iter().map(|error| error.map_text(change)).collect();
        self
    }

    pub fn exit_code(&self) -> Exit {
        self.0.exit
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The first place that the error points at.
    pub fn span(&self) -> Option<&Span> {
        self.0.quotes.first().map(|quote| &quote.span)
    }

    /// This error and those that were joined to it.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self)
            .chain(self.0.more.iter().flat_map(|error| Box::new(error.each()) as Box<dyn Iterator<Item = &Self>>))
    }

    /// Each of the joined errors by itself.
    pub fn into_each(mut self) -> Vec<Self> {
        let more = std::mem::take(&mut self.0.more);
        self.0.summary = None;
        std::iter::once(self).chain(more.into_iter().flat_map(Self::into_each)).collect()
    }

    fn write_one(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        write!(f, "error: {}", cut(&inner.message))?;
        for quote in &inner.quotes {
            write_quote(f, quote)?;
        }
        let margin = if inner.quotes.is_empty() { "" } else { "  " };
        for cause in &inner.causes {
            write!(f, "\n{margin}  cause: {}", indent(cause))?;
        }
        for note in &inner.notes {
            write!(f, "\n{margin}= note: {}", indent(note))?;
        }
        if let Some((id, source)) = &inner.rule {
            write!(f, "\n{margin}= rule: {id}, {source}")?;
        }
        for hint in &inner.hints {
            write!(f, "\n{margin}= hint: {}", indent(hint))?;
        }
        Ok(())
    }
}

fn indent(text: &str) -> String {
    cut(text.trim_end()).replace('\n', "\n          ")
}

fn write_quote(f: &mut fmt::Formatter<'_>, quote: &Quote) -> fmt::Result {
    let Quote { span, label, line: shown } = quote;
    let (line, column) = (span.line(), span.column());
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    write!(f, "\n{gutter}--> {}:{line}:{column}", cut(span.file()))?;
    let (text, at) = match shown {
        Some(text) => (text.as_str(), text.char_indices().nth(column - 1).map_or(text.len(), |(byte, _)| byte)),
        None => (span.source_line(), span.byte_on_line()),
    };
    let (text, before, width) = excerpt(text, column - 1, at, span.width_on_line());
    write!(f, "\n{gutter} |\n{number} | {}", text.trim_end())?;
    write!(f, "\n{gutter} | {}{}", " ".repeat(before), "^".repeat(width))?;
    if !label.is_empty() {
        write!(f, " {}", cut(label))?;
    }
    Ok(())
}

/// The part of a line around a span, the column at which the span begins in it, and its width. It reads a long line only
/// around the span: a line of megabytes may have thousands of errors.
fn excerpt(line: &str, column: usize, at: usize, width: usize) -> (String, usize, usize) {
    // Tabs would push the marker off its word, other control characters would write anywhere on the terminal.
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let line = line.trim_end();
    if line.chars().nth(QUOTED_COLUMNS).is_none() {
        return (line.chars().map(shown).collect(), column, width.clamp(1, QUOTED_COLUMNS));
    }
    let most = QUOTED_COLUMNS - 2;
    let back = |from: usize, characters: usize| {
        line[..from].char_indices().rev().take(characters).last().map_or(from, |(byte, _)| byte)
    };
    let at = if at < line.len() { at } else { line.len() };
    // A third of it precedes the span, more where the line ends.
    let mut start = back(at, most / 3);
    let missing = most - line[start..].chars().take(most).count();
    start = back(start, missing);
    let mut text: String = line[start..].chars().take(most).map(shown).collect();
    let before = line[start..at].chars().count();
    let mut shift = 0;
    if start > 0 {
        text.insert(0, '…');
        shift = 1;
    }
    if line[start..].chars().nth(most).is_some() {
        text.push('…');
    }
    (text, before + shift, width.clamp(1, most.saturating_sub(before).max(1)))
}

/// A text of which each line is cut after `MESSAGE_COLUMNS`, without control characters: a value that a message repeats
/// could move the cursor and write over other lines.
fn cut(text: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.len() <= MESSAGE_COLUMNS && !text.contains(control) {
        return text.into();
    }
    let line = |line: &str| {
        let mut cut: String = line
            .chars()
            .take(MESSAGE_COLUMNS)
            .map(|c| if control(c) { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        if line.chars().nth(MESSAGE_COLUMNS).is_some() {
            cut.push('…');
        }
        cut
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n").into()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.each().enumerate() {
            if index > 0 {
                write!(f, "\n\n")?;
            }
            error.write_one(f)?;
        }
        match &self.0.summary {
            Some(summary) => write!(f, "\n\n{summary}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let message = error.to_string();
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let error = Self::new(message);
        if full {
            error.hint("free some space on this disk and run the command again: it resumes where it stopped")
        } else {
            error
        }
    }
}

/// The nearest of the known names, for a `did you mean`.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > COMPARED_NAME {
        return None;
    }
    let limit = (name.chars().count() / 3).max(1);
    let name = &name.to_lowercase();
    // What was cut short is as likely as what was misspelt: `updated` for `updated_at`.
    let all: Vec<&str> = known.into_iter().collect();
    let longer =
        || (name.len() >= 3).then(|| all.iter().copied().find(|one| one.to_lowercase().starts_with(name.as_str())));
    all.iter()
        .copied()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * limit)
        .map(|candidate| (strsim::osa_distance(name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
        .or_else(|| longer().flatten())
}

/// A hint for an unknown name: the nearest known one, or all of them.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(name, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            if known.is_empty() {
                "none is defined here".to_owned()
            } else {
                format!("known here: {}", known.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    /// The quoted line and the marker of an error at the `@` of a text.
    fn quoted(text: &str) -> Vec<String> {
        let at = text.find('@').unwrap();
        let source = Source::new("long.yaml", text.replacen('@', "#", 1));
        let error = Error::project("wrong").at(&Span::new(&source, at, text.len()), "here").to_string();
        error.lines().map(str::to_owned).collect()
    }

    #[test]
    fn long_lines_are_quoted_around_the_span() {
        let (a, b) = ("é".repeat(5_000), "b".repeat(5_000));
        for text in [format!("{a}@{b}"), format!("@{b}{b}"), format!("{a}{a}@"), format!("{}@{b}", "é".repeat(199))] {
            let lines = quoted(&text);
            let (line, marker) = (&lines[3], &lines[4]);
            assert!(line.chars().count() <= QUOTED_COLUMNS + 4, "{line}");
            assert!(marker.chars().count() <= QUOTED_COLUMNS + 4 + " here".len(), "{marker}");
            let at = marker.chars().position(|c| c == '^').unwrap();
            assert_eq!(line.chars().nth(at), Some('#'), "{line}\n{marker}");
        }
        assert_eq!(quoted("ab@cd")[3..], ["1 | ab#cd", "  |   ^^^ here"]);
    }

    #[test]
    fn long_messages_are_cut_and_control_characters_are_not_printed() {
        let source = Source::new("a.yaml", "a: \u{1b}[2J\tb\n");
        let error = Error::project("x".repeat(1_000_000)).hint("y".repeat(1_000_000)).note("\u{1b}[2J");
        let text = error.at(&Span::new(&source, 3, 4), "").to_string();
        assert!(!text.contains('\u{1b}') && text.contains("note: \u{fffd}[2J"), "{text}");
        assert!(text.len() < 3 * MESSAGE_COLUMNS, "{}", text.len());
        assert!(text.contains("1 | a:  [2J b\n"), "{text}");
        assert_eq!(closest(&"o".repeat(1_000_000), ["orders"]), None);
    }
}
