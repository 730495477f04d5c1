//! A text with its name, and positions in it.

use std::fmt;
use std::sync::Arc;

/// A text with the name under which people know it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the user would type it, relative to the project.
    pub name: String,
    pub text: String,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }
}

/// A stretch of a source, in bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

impl Span {
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let floor = |mut at: usize| {
            at = at.min(source.text.len());
            while !source.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(start);
        Self { source: Arc::clone(source), start, end: floor(end).max(start) }
    }

    /// The place of a 1-based line and column (in characters).
    pub fn at_line(source: &Arc<Source>, line: usize, column: usize) -> Self {
        let start: usize = source.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = source.text[start..].lines().next().unwrap_or_default();
        let offset = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
        Self::new(source, start + offset, start + rest.len())
    }

    pub fn file(&self) -> &str {
        &self.source.name
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The 1-based line.
    pub fn line(&self) -> usize {
        self.source.text[..self.start].matches('\n').count() + 1
    }

    /// The 1-based column, in characters.
    pub fn column(&self) -> usize {
        self.source.text[self.line_start()..self.start].chars().count() + 1
    }

    pub fn source_line(&self) -> &str {
        self.source.text[self.line_start()..].lines().next().unwrap_or_default()
    }

    /// The marked text.
    pub fn text(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// How many characters of the first line the span covers.
    pub fn width_on_line(&self) -> usize {
        self.text().lines().next().unwrap_or_default().trim_end().chars().count()
    }

    fn line_start(&self) -> usize {
        self.source.text[..self.start].rfind('\n').map_or(0, |at| at + 1)
    }
}
