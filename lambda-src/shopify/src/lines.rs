//! Lines out of pieces of a stream.

/// The longest line that is taken for one row; a longer one is a sign that the result is not JSONL.
const LONGEST: usize = 32 << 20;

/// Cuts a stream into lines. It holds one piece and one line at most, however long the stream is.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the first line that was not taken starts.
    start: usize,
    /// Up to where there is no line break after `start`.
    searched: usize,
}

impl Lines {
    /// Adds a piece. All complete lines must have been taken before.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// Takes the next complete line, without its line break; empty lines are passed over.
    pub fn line(&mut self) -> Result<Option<&[u8]>, String> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                if self.buffer.len() - self.start > LONGEST {
                    return Err(format!("a line is longer than {LONGEST} bytes"));
                }
                return Ok(None);
            };
            let (start, end) = (self.start, self.searched + found);
            self.start = end + 1;
            self.searched = end + 1;
            if end > start {
                return Ok(Some(&self.buffer[start..end]));
            }
        }
    }

    /// How many bytes were pushed and not taken.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Returns what follows the last line break.
    pub fn rest(&self) -> Option<&[u8]> {
        let rest = &self.buffer[self.start..];
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_pieces() {
        let text = "one\n\ntwo\nthree\nfo";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut taken = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.line().unwrap() {
                    taken.push(String::from_utf8(line.to_vec()).unwrap());
                }
            }
            assert_eq!(taken, ["one", "two", "three"], "pieces of {size}");
            assert_eq!(lines.rest(), Some(&b"fo"[..]));
        }
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LONGEST]);
        assert_eq!(lines.line(), Ok(None));
        lines.push(b"x");
        assert!(lines.line().is_err());
    }
}
