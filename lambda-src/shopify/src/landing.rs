//! Rows of one object on their way to the landing prefixes of its tables.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use pipectl_contract::keys;
use pipeline::document::Object;
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::{Deserialize, Serialize};

use crate::demultiplex::{Misrouted, Routes};
use crate::upload::{self, Lane, Upload};

/// How many rows that changed in the newest second are remembered, to know them again.
const EDGE: usize = 200;

/// What has landed: all of it, or there is no such value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landed {
    /// Rows in all tables.
    pub rows: u64,
    pub files: Vec<String>,
    pub newest: Newest,
}

/// The newest moment among the rows that move the cursor, and the rows that changed in it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Newest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// True when more rows than that changed in it.
    #[serde(default)]
    pub many: bool,
}

impl Newest {
    fn see(&mut self, id: &str, at: &str) -> Result<()> {
        let order = match &self.at {
            // Moments as Shopify writes them are in the order of their letters.
            Some(newest) if is_plain(newest) && is_plain(at) => at.cmp(newest),
            Some(newest) => instant::parse(at)?.cmp(&instant::parse(newest)?),
            None => {
                instant::parse(at)?;
                std::cmp::Ordering::Greater
            }
        };
        if order.is_gt() {
            at.clone_into(self.at.get_or_insert_default());
            self.ids.clear();
            self.many = false;
        }
        if order.is_ge() && !self.many {
            self.ids.push(id.to_owned());
            self.many = self.ids.len() > EDGE;
            if self.many {
                self.ids.clear();
            }
        }
        Ok(())
    }

    pub fn moment(&self) -> Result<Option<DateTime>> {
        self.at.as_deref().map(instant::parse).transpose()
    }
}

/// `2026-10-01T12:00:00Z`, and no other form.
fn is_plain(at: &str) -> bool {
    at.len() == 20 && at.ends_with('Z') && at.bytes().all(|byte| byte.is_ascii_digit() || b"-T:Z".contains(&byte))
}

/// Why a row cannot land.
#[derive(Debug)]
pub enum Fault {
    /// The rows did not arrive as they were sent; fetching them again may help.
    Broken(String),
    /// Fetching them again does not help.
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Fatal(error)
    }
}

/// Rows that another invocation goes on with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Parked {
    pub lines: u64,
    pub inner: u64,
    pub newest: Newest,
    pub uploads: BTreeMap<String, upload::Parked>,
}

/// Takes rows. Nothing of them is visible in the bucket before [`Landing::complete`].
#[derive(Debug)]
pub struct Landing<'a> {
    raw: &'a Bucket,
    routes: Routes<'a>,
    /// The part of the keys that is common to all tables.
    name: String,
    uploads: BTreeMap<String, Upload>,
    lane: Lane,
    pub newest: Newest,
    /// Rows that were taken, and rows that were inside of them.
    pub lines: u64,
    pub inner: u64,
}

impl<'a> Landing<'a> {
    pub fn new(raw: &'a Bucket, object: &'a Object, name: String) -> Self {
        let (routes, lane) = (Routes::new(object), upload::lane());
        let (uploads, newest) = (BTreeMap::new(), Newest::default());
        Self { raw, routes, name, uploads, lane, newest, lines: 0, inner: 0 }
    }

    pub async fn resume(raw: &'a Bucket, object: &'a Object, name: String, parked: &Parked) -> Result<Self> {
        let mut landing = Self::new(raw, object, name);
        for (table, upload) in &parked.uploads {
            let upload = Upload::resume(raw.clone(), upload, landing.lane.clone()).await?;
            landing.uploads.insert(table.clone(), upload);
        }
        landing.newest = parked.newest.clone();
        (landing.lines, landing.inner) = (parked.lines, parked.inner);
        Ok(landing)
    }

    pub async fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        let routed = self.routes.route(line).map_err(|misrouted| match misrouted {
            Misrouted::NotJson(_) => Fault::Broken(misrouted.to_string()),
            _ => Fault::Fatal(Error::new(misrouted.to_string())),
        })?;
        if let Some((id, at)) = &routed.changed {
            self.newest.see(id, at)?;
        }
        if let Some(table) = routed.table {
            upload(&mut self.uploads, self.raw, &self.lane, &self.name, table).write(&routed.pieces).await?;
        }
        for (table, pieces) in &routed.inner {
            upload(&mut self.uploads, self.raw, &self.lane, &self.name, table).write(pieces).await?;
        }
        self.lines += 1;
        self.inner += routed.inner.len() as u64;
        Ok(())
    }

    pub async fn complete(self) -> Result<Landed> {
        let (mut files, mut rows) = (Vec::new(), 0);
        for (table, upload) in self.uploads {
            rows += upload.rows;
            let landed = upload.rows;
            let key = upload.complete().await?;
            tracing::info!(table, rows = landed, key, "rows landed");
            files.push(key);
        }
        Ok(Landed { rows, files, newest: self.newest })
    }

    /// Leaves everything to another invocation; `folder` is where it keeps what fills no part yet.
    pub async fn park(self, folder: &str) -> Result<Parked> {
        let mut uploads = BTreeMap::new();
        for (table, upload) in self.uploads {
            let rest = format!("{folder}/{table}.part");
            uploads.insert(table, upload.park(rest).await?);
        }
        Ok(Parked { lines: self.lines, inner: self.inner, newest: self.newest, uploads })
    }

    pub async fn abort(self) {
        for upload in self.uploads.into_values() {
            upload.abort().await;
        }
    }
}

fn upload<'u>(
    uploads: &'u mut BTreeMap<String, Upload>,
    raw: &Bucket,
    lane: &Lane,
    name: &str,
    table: &str,
) -> &'u mut Upload {
    // The entry of a map would need an owned copy of the name for each row.
    if !uploads.contains_key(table) {
        let new = Upload::new(raw.clone(), format!("{}{name}", keys::landing_folder(table)), lane.clone());
        uploads.insert(table.to_owned(), new);
    }
    uploads.get_mut(table).unwrap_or_else(|| unreachable!("it was put in above"))
}

/// The name of an object below a table's landing prefix: `2026/10/01/20261001T120000Z-<what>.jsonl`.
pub fn name(at: &DateTime, what: &str) -> String {
    let stamp = instant::stamp(at);
    let day = stamp.get(..8).map(|day| format!("{}/{}/{}", &day[..4], &day[4..6], &day[6..])).unwrap_or_default();
    format!("{day}/{stamp}-{what}.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_moment_and_its_rows_are_remembered() {
        let mut newest = Newest::default();
        for (id, at) in [
            ("a", "2026-01-01T00:00:00Z"),
            ("b", "2026-01-02T00:00:00Z"),
            ("c", "2026-01-01T00:00:00Z"),
            ("d", "2026-01-02T01:00:00+01:00"),
        ] {
            newest.see(id, at).unwrap();
        }
        assert_eq!(
            (newest.at.as_deref(), &newest.ids[..]),
            (Some("2026-01-02T00:00:00Z"), &["b".into(), "d".into()][..])
        );
        assert!(newest.see("e", "yesterday").is_err());
        for number in 0..=EDGE {
            newest.see(&number.to_string(), "2026-01-03T00:00:00Z").unwrap();
        }
        assert!(newest.many && newest.ids.is_empty());
    }
}
