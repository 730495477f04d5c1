//! The result of a bulk operation on its way to the tables' landing prefixes.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use pipeline::document::Object;
use pipeline::s3::Bucket;
use pipeline::{Deadline, Error, instant};
use std::time::Duration;

use crate::bulk::{Operation, SINCE};
use crate::client::excerpt;
use crate::demultiplex::{Misrouted, Routes, number_of};
use crate::http::{Answer, Http};
use crate::lines::Lines;
use crate::upload::Upload;

/// What was delivered: all of it, or there is no such value.
#[derive(Debug, Default, PartialEq)]
pub struct Delivery {
    pub rows: u64,
    pub files: Vec<String>,
    /// The newest `updatedAt` of the object's own rows.
    pub newest: Option<DateTime>,
}

#[derive(Debug)]
pub enum Fault {
    /// The result did not arrive whole. Nothing of it was kept, and fetching it again may help.
    Broken(String),
    /// Fetching it again does not help.
    Fatal(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Fatal(error)
    }
}

/// Fetches a result and delivers it.
///
/// The objects appear in the bucket only when all rows have arrived and their number is what Shopify says it is. Their keys
/// are a function of the operation, so that a second delivery overwrites the first with the same bytes.
pub async fn deliver(
    http: &Http,
    raw: &Bucket,
    object: &Object,
    operation: &Operation,
    deadline: Deadline,
) -> Result<Delivery, Fault> {
    let expected = operation.object_count.unwrap_or_default();
    let Some(url) = &operation.url else {
        return match expected {
            0 => Ok(Delivery::default()),
            _ => Err(Fault::Broken(format!("Shopify counts {expected} rows and gives no result"))),
        };
    };
    let answer = http.send("GET", url, &[], String::new()).await.map_err(Fault::Broken)?;
    if answer.status != 200 {
        let status = answer.status;
        let body = answer.bytes().await.unwrap_or_default();
        return Err(Fault::Broken(format!("HTTP {status} for the result: {}", excerpt(&body))));
    }
    let mut stream = Stream {
        raw,
        object,
        routes: Routes::new(object),
        folder: folder(operation)?,
        uploads: BTreeMap::new(),
        newest: None,
        rows: 0,
    };
    match stream.receive(answer, operation, deadline).await {
        Ok(()) => stream.complete().await,
        Err(fault) => {
            stream.abort().await;
            Err(fault)
        }
    }
}

/// The part of the keys that is common to all tables: `2026/10/01/20261001T120000Z-7.jsonl`.
fn folder(operation: &Operation) -> Result<String, Error> {
    let stamp = instant::stamp(&operation.started()?);
    let day = stamp.get(..8).map(|day| format!("{}/{}/{}", &day[..4], &day[4..6], &day[6..])).unwrap_or_default();
    Ok(format!("{day}/{stamp}-{}.jsonl", number_of(&operation.id)))
}

struct Stream<'a> {
    raw: &'a Bucket,
    object: &'a Object,
    routes: Routes<'a>,
    folder: String,
    uploads: BTreeMap<&'a str, Upload>,
    newest: Option<DateTime>,
    rows: u64,
}

impl<'a> Stream<'a> {
    async fn receive(&mut self, mut answer: Answer, operation: &Operation, deadline: Deadline) -> Result<(), Fault> {
        let mut lines = Lines::default();
        let mut bytes: u64 = 0;
        while let Some(piece) = answer.next().await.map_err(Fault::Broken)? {
            if !deadline.allows(Duration::ZERO) {
                let message = format!(
                    "the result of `{}` did not arrive in the time of this invocation, {} rows did",
                    self.object.name, self.rows
                );
                return Err(Error::new(message).hint("raise the timeout or the memory of the ingest Lambda").into());
            }
            bytes += piece.as_ref().len() as u64;
            lines.push(piece.as_ref());
            while let Some(line) = lines.line().map_err(Fault::Broken)? {
                self.take(line).await?;
            }
        }
        if let Some(line) = lines.rest() {
            self.take(line).await?;
        }
        reconcile("bytes", operation.file_size, bytes)?;
        reconcile("rows", operation.object_count, self.rows)
    }

    async fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        let routed = self.routes.route(line).map_err(|misrouted| match misrouted {
            Misrouted::NotJson(_) => Fault::Broken(misrouted.to_string()),
            _ => Fault::Fatal(Error::new(misrouted.to_string())),
        })?;
        if routed.root && self.object.query.contains(SINCE) {
            let updated_at = routed.updated_at.ok_or_else(|| {
                let message = format!("a row of `{}` has no `updatedAt`, which its cursor needs", self.object.name);
                Error::new(message).hint(format!("select `updatedAt` in the query of `{}`", self.object.name))
            })?;
            self.newest = self.newest.max(Some(instant::parse(&updated_at)?));
        }
        let upload = self.upload(routed.table);
        upload.write(line).await?;
        self.rows += 1;
        Ok(())
    }

    fn upload(&mut self, table: &'a str) -> &mut Upload {
        let (raw, folder) = (self.raw, &self.folder);
        self.uploads.entry(table).or_insert_with(|| Upload::new(raw.clone(), format!("landing/{table}/{folder}")))
    }

    async fn complete(self) -> Result<Delivery, Fault> {
        let mut files = Vec::new();
        for (table, upload) in self.uploads {
            let rows = upload.rows;
            let key = upload.complete().await?;
            tracing::info!(object = self.object.name, table, rows, key, "rows landed");
            files.push(key);
        }
        Ok(Delivery { rows: self.rows, files, newest: self.newest })
    }

    async fn abort(&mut self) {
        for (_, upload) in std::mem::take(&mut self.uploads) {
            upload.abort().await;
        }
    }
}

/// Compares what Shopify says it wrote with what arrived. Less is a loss; more is only strange.
fn reconcile(what: &str, expected: Option<u64>, found: u64) -> Result<(), Fault> {
    match expected {
        Some(expected) if found < expected => Err(Fault::Broken(format!("{found} of {expected} {what} arrived"))),
        Some(expected) if found > expected => {
            tracing::warn!("Shopify counts {expected} {what} in a result of {found}");
            Ok(())
        }
        _ => Ok(()),
    }
}
