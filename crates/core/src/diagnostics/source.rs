//! A text with its name, and positions in it.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A text with the name under which people know it.
pub struct Source {
    /// The path as the user would type it, relative to the project.
    pub name: String,
    pub text: String,
    /// Made when the first position is asked for.
    index: OnceLock<Index>,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), index: OnceLock::new() })
    }

    /// The byte of a 1-based line and column (in characters); the end of the line if that is shorter.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let Some((start, first)) = self.index().lines.get(line.max(1) - 1) else { return self.text.len() };
        let end = start + self.line_at(*start).len();
        self.index().byte_of(&self.text, first + column.max(1) - 1).clamp(*start, end)
    }

    /// The line that begins at this byte, without its end.
    fn line_at(&self, start: usize) -> &str {
        self.text[start..].lines().next().unwrap_or_default()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.text))
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "the index follows from the text")]
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("text", &self.text).finish()
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for Source {}

/// Where lines and characters of a text begin, so that a position costs the same wherever it is: a file may be one long
/// line, and have an error in each of its thousands of columns.
struct Index {
    /// The byte and the character with which each line begins.
    lines: Vec<(usize, usize)>,
    /// The byte of each `STEP`th character.
    marks: Vec<usize>,
}

impl Index {
    const STEP: usize = 64;

    fn new(text: &str) -> Self {
        let (mut lines, mut marks) = (vec![(0, 0)], Vec::with_capacity(text.len() / Self::STEP + 1));
        for (number, (byte, character)) in text.char_indices().enumerate() {
            if number.is_multiple_of(Self::STEP) {
                marks.push(byte);
            }
            if character == '\n' {
                lines.push((byte + 1, number + 1));
            }
        }
        Self { lines, marks }
    }

    /// The byte of a character; the end of the text if it has fewer.
    fn byte_of(&self, text: &str, character: usize) -> usize {
        let Some(mark) = self.marks.get(character / Self::STEP) else { return text.len() };
        let rest = text[*mark..].char_indices().nth(character % Self::STEP);
        rest.map_or(text.len(), |(at, _)| mark + at)
    }

    /// How many characters there are before a byte.
    fn character_at(&self, text: &str, byte: usize) -> usize {
        let mark = self.marks.partition_point(|mark| *mark <= byte).saturating_sub(1);
        let start = self.marks.get(mark).copied().unwrap_or_default();
        mark * Self::STEP + text[start..byte].chars().count()
    }

    /// The 0-based line of a byte.
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|(start, _)| *start <= byte).saturating_sub(1)
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
        let start = source.offset(line, column);
        Self::new(source, start, start + source.line_at(start).len())
    }

    pub fn file(&self) -> &str {
        &self.source.name
    }

    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The byte at which it begins: an order within one source.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The 1-based line.
    pub fn line(&self) -> usize {
        self.source.index().line_of(self.start) + 1
    }

    /// The 1-based column, in characters.
    pub fn column(&self) -> usize {
        let index = self.source.index();
        let (_, first) = index.lines[index.line_of(self.start)];
        index.character_at(&self.source.text, self.start) - first + 1
    }

    /// The byte of its line at which it begins.
    pub(super) fn byte_on_line(&self) -> usize {
        let index = self.source.index();
        self.start - index.lines[index.line_of(self.start)].0
    }

    pub fn source_line(&self) -> &str {
        let index = self.source.index();
        let (start, _) = index.lines[index.line_of(self.start)];
        self.source.line_at(start)
    }

    /// The marked text.
    pub fn text(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// How many characters of the first line the span covers.
    pub fn width_on_line(&self) -> usize {
        self.text().lines().next().unwrap_or_default().trim_end().chars().count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The index gives what counting from the start of the text gives.
        #[test]
        fn positions_are_those_that_counting_gives(text in "[aé😀\n\r ]{0,300}", at in 0_usize..400, line in 1_usize..12, column in 1_usize..200) {
            let source = Source::new("t", text.clone());
            let span = Span::new(&source, at, at + 3);
            let before = &text[..span.start];
            prop_assert_eq!(span.line(), before.matches('\n').count() + 1);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            prop_assert_eq!(span.column(), before[line_start..].chars().count() + 1);
            prop_assert_eq!(span.source_line(), text[line_start..].lines().next().unwrap_or_default());
            let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
            let rest = text[start..].lines().next().unwrap_or_default();
            let offset = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
            prop_assert_eq!(Span::at_line(&source, line, column).start, start + offset);
        }
    }
}
