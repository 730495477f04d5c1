//! The messages of PostgreSQL's output plugin `pgoutput`, in its version 1.

/// A message of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A transaction begins; when it was committed, in microseconds since the epoch.
    Begin {
        committed: i64,
    },
    Relation(Relation),
    Insert {
        relation: u32,
        new: Tuple,
    },
    Update {
        relation: u32,
        old: Option<Tuple>,
        new: Tuple,
    },
    Delete {
        relation: u32,
        old: Tuple,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// One that says nothing of rows.
    Other,
}

/// A table, sent before its first change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) id: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<RelationColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationColumn {
    pub(super) name: String,
    /// The OID of its type, and what the type is narrowed to.
    pub(super) kind: u32,
    pub(super) modifier: i32,
}

/// The values of a row.
pub(super) type Tuple = Vec<Field>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Null,
    /// A large value that the update left alone: it is not in the log.
    Unchanged,
    Text(String),
}

/// Between the epoch of PostgreSQL, 2000-01-01, and that of Unix.
const EPOCH: i64 = 946_684_800_000_000;

/// Reads a message; nothing if it is cut off or of another version.
pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader(bytes);
    Some(match reader.byte()? {
        b'B' => {
            reader.take(8)?;
            Message::Begin { committed: i64::from_be_bytes(reader.array()?) + EPOCH }
        }
        b'R' => {
            let id = reader.u32()?;
            let (schema, name) = (reader.text()?, reader.text()?);
            reader.byte()?;
            let columns = (0..reader.u16()?)
                .map(|_| {
                    reader.byte()?;
                    let name = reader.text()?;
                    Some(RelationColumn { name, kind: reader.u32()?, modifier: i32::from_be_bytes(reader.array()?) })
                })
                .collect::<Option<_>>()?;
            Message::Relation(Relation { id, schema, name, columns })
        }
        b'I' => {
            let relation = reader.u32()?;
            reader.byte()?;
            Message::Insert { relation, new: reader.tuple()? }
        }
        b'U' => {
            let relation = reader.u32()?;
            match reader.byte()? {
                b'N' => Message::Update { relation, old: None, new: reader.tuple()? },
                _ => {
                    let old = Some(reader.tuple()?);
                    reader.byte()?;
                    Message::Update { relation, old, new: reader.tuple()? }
                }
            }
        }
        b'D' => {
            let relation = reader.u32()?;
            reader.byte()?;
            Message::Delete { relation, old: reader.tuple()? }
        }
        b'T' => {
            let count = reader.u32()?;
            reader.byte()?;
            Message::Truncate { relations: (0..count).map(|_| reader.u32()).collect::<Option<_>>()? }
        }
        _ => Message::Other,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = String::from_utf8(self.take(end)?.to_vec()).ok()?;
        self.byte()?;
        Some(text)
    }

    fn tuple(&mut self) -> Option<Tuple> {
        (0..self.u16()?)
            .map(|_| match self.byte()? {
                b'n' => Some(Field::Null),
                b'u' => Some(Field::Unchanged),
                _ => {
                    let length = usize::try_from(self.u32()?).ok()?;
                    Some(Field::Text(String::from_utf8(self.take(length)?.to_vec()).ok()?))
                }
            })
            .collect()
    }
}
