//! A file's bytes, once through: digests below, then what unpacks them, then text.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use flate2::bufread::MultiGzDecoder;
use fs_err::File;
use sha2::{Digest, Sha256};

use crate::aws::s3::{Digests, part_size};
use crate::digest::hex;
use crate::limits;
use crate::quantity::size;

const PIECE: usize = 64 * 1024;
/// How many places of broken text are kept.
const KEPT: usize = 3;

/// The bytes as they will be uploaded, and their digests.
pub(super) struct Raw {
    file: File,
    whole: Sha256,
    part: Sha256,
    /// How many bytes of the part are there.
    filled: u64,
    digests: Digests,
}

impl Raw {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let digests = Digests { size: 0, sha256: String::new(), part_size: part_size(size), parts: Vec::new() };
        Ok(Self { file, whole: Sha256::new(), part: Sha256::new(), filled: 0, digests })
    }

    fn take(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        self.digests.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = usize::try_from(self.digests.part_size - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.part.update(now);
            self.filled += now.len() as u64;
            if self.filled == self.digests.part_size {
                self.end_part();
            }
            bytes = later;
        }
    }

    fn end_part(&mut self) {
        self.digests.parts.push(self.part.finalize_reset().into());
        self.filled = 0;
    }

    /// Reads what is left, so that the digests are those of the whole file.
    fn finish(mut self) -> io::Result<Digests> {
        io::copy(&mut self, &mut io::sink())?;
        if self.filled > 0 || self.digests.parts.is_empty() {
            self.end_part();
        }
        self.digests.sha256 = hex(&self.whole.finalize());
        Ok(self.digests)
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.take(&buffer[..read]);
        Ok(read)
    }
}

/// The bytes without their packing.
pub(super) enum Unpacked {
    Plain(Box<BufReader<Raw>>),
    Gzip { from: Box<MultiGzDecoder<BufReader<Raw>>>, unpacked: u64 },
}

impl Unpacked {
    pub(super) fn new(raw: BufReader<Raw>, packed: bool) -> Self {
        if packed {
            Self::Gzip { from: Box::new(MultiGzDecoder::new(raw)), unpacked: 0 }
        } else {
            Self::Plain(Box::new(raw))
        }
    }

    pub(super) fn finish(self) -> io::Result<Digests> {
        match self {
            Self::Plain(raw) => raw.into_inner().finish(),
            Self::Gzip { from, .. } => from.into_inner().into_inner().finish(),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip { from, unpacked } => {
                let read = from.read(buffer)?;
                *unpacked += read as u64;
                let packed = from.get_ref().get_ref().digests.size;
                match too_large(packed, *unpacked) {
                    Some(why) => Err(io::Error::new(io::ErrorKind::FileTooLarge, why)),
                    None => Ok(read),
                }
            }
        }
    }
}

/// Why a packed file is not unpacked any further: some kilobytes can stand for terabytes.
fn too_large(packed: u64, unpacked: u64) -> Option<String> {
    if unpacked > limits::UNPACKED_BYTES {
        return Some(format!("it holds more than {}", size(limits::UNPACKED_BYTES)));
    }
    let ratio = limits::UNPACKED_RATIO;
    (unpacked > limits::UNPACKED_FREE_BYTES && unpacked / ratio > packed)
        .then(|| format!("it holds more than {ratio} times as much as its size"))
}

/// The text of a file, in UTF-8. What is wrong with its bytes is kept and read over.
pub(super) struct Text {
    from: Unpacked,
    decoder: Decoder,
    input: Vec<u8>,
    /// What of the input is not decoded yet.
    pending: std::ops::Range<usize>,
    /// What the decoder writes into. Filled once: each wrong byte ends a call of the decoder.
    decoded: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    /// The text so far ends in a `\r` that is not given out yet.
    carriage_return: bool,
    ended: bool,
    lines: u64,
    /// Lines that hold bytes which are no text in this encoding; the first few.
    pub(super) broken: Vec<u64>,
    pub(super) broken_count: u64,
    /// Why the packing could not be read on, and after which line.
    pub(super) torn: Option<(u64, String)>,
    /// The packing was not read on because of how much it holds.
    pub(super) bomb: bool,
    /// How many bytes the row that is being read may still have.
    row: Arc<AtomicU64>,
    pub(super) quotes: u64,
    pub(super) nul: Option<u64>,
}

impl Text {
    pub(super) fn new(from: Unpacked, encoding: &'static Encoding) -> Self {
        Self {
            from,
            decoder: encoding.new_decoder(),
            input: vec![0; PIECE],
            pending: 0..0,
            decoded: vec![0; PIECE * 3 + 16],
            output: Vec::new(),
            given: 0,
            carriage_return: false,
            ended: false,
            lines: 0,
            broken: Vec::new(),
            broken_count: 0,
            torn: None,
            bomb: false,
            row: Arc::new(AtomicU64::new(u64::MAX)),
            quotes: 0,
            nul: None,
        }
    }

    /// The encoding that the file's first bytes say it has, else the one that was asked for.
    pub(super) fn encoding(&self) -> &'static Encoding {
        self.decoder.encoding()
    }

    pub(super) fn finish(self) -> io::Result<Digests> {
        self.from.finish()
    }

    /// The bytes that the row that is being read may still have. The reader of rows sets it before each: an open quote
    /// makes one row of all that follows.
    pub(super) fn row_budget(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.row)
    }

    fn refill(&mut self) -> io::Result<()> {
        self.output.clear();
        self.given = 0;
        while self.output.is_empty() && !self.ended {
            let mut last = false;
            if self.pending.is_empty() {
                let read = match self.from.read(&mut self.input) {
                    Ok(read) => read,
                    Err(error) if matches!(self.from, Unpacked::Gzip { .. }) => {
                        self.bomb = error.kind() == io::ErrorKind::FileTooLarge;
                        self.torn = Some((self.lines + 1, error.to_string()));
                        0
                    }
                    Err(error) => return Err(error),
                };
                self.pending = 0..read;
                last = read == 0;
            }
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                &self.input[self.pending.clone()],
                &mut self.decoded,
                last,
            );
            self.output.extend_from_slice(&self.decoded[..written]);
            self.pending.start += read;
            self.join_line_ends(last);
            self.count();
            if matches!(result, DecoderResult::Malformed(..)) {
                self.broken_count += 1;
                if self.broken.len() < KEPT {
                    self.broken.push(self.lines + 1);
                }
                self.output.extend_from_slice("\u{fffd}".as_bytes());
            }
            self.ended = last && matches!(result, DecoderResult::InputEmpty);
        }
        Ok(())
    }

    /// Makes `\r\n` one character: the CSV reader would count such a line to the one after it.
    fn join_line_ends(&mut self, last: bool) {
        let mut before = std::mem::take(&mut self.carriage_return);
        let mut joined = Vec::with_capacity(self.output.len() + 1);
        for byte in self.output.drain(..) {
            if before && byte != b'\n' {
                joined.push(b'\r');
            }
            before = byte == b'\r';
            if !before {
                joined.push(byte);
            }
        }
        if before && last {
            joined.push(b'\r');
        } else {
            self.carriage_return = before;
        }
        self.output = joined;
    }

    fn count(&mut self) {
        for byte in &self.output {
            match byte {
                b'\n' => self.lines += 1,
                b'"' => self.quotes += 1,
                0 if self.nul.is_none() => self.nul = Some(self.lines + 1),
                _ => {}
            }
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(buffer.len());
        buffer[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.row.load(Ordering::Relaxed) == 0 {
            let message = format!("a row is longer than {}", size(limits::ROW_BYTES));
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        if self.given == self.output.len() {
            self.refill()?;
        }
        Ok(&self.output[self.given..])
    }

    fn consume(&mut self, amount: usize) {
        self.given += amount;
        let left = self.row.load(Ordering::Relaxed);
        self.row.store(left.saturating_sub(amount as u64), Ordering::Relaxed);
    }
}

/// The encoding that Python calls so, if it can be checked here.
pub(super) fn encoding(name: &str) -> Option<&'static Encoding> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let label = match name.trim_end_matches("-sig") {
        "utf8" | "utf-8" | "u8" => return Some(UTF_8),
        "latin-1" | "latin1" | "l1" => "iso-8859-1",
        "ascii" | "us-ascii" => "us-ascii",
        other => other,
    };
    let windows = label.strip_prefix("cp").filter(|number| number.starts_with("12"));
    match windows {
        Some(number) => Encoding::for_label(format!("windows-{number}").as_bytes()),
        None => Encoding::for_label(label.as_bytes()),
    }
}
