//! The result of a bulk operation on its way to the tables' landing prefixes.

use std::time::Duration;

use pipeline::document::Object;
use pipeline::s3::Bucket;
use pipeline::{Deadline, Error};
use serde::{Deserialize, Serialize};

use crate::bulk::Operation;
use crate::client::excerpt;
use crate::demultiplex::number_of;
use crate::http::{Answer, Http};
use crate::landing::{self, Fault, Landed, Landing};
use crate::lines::Lines;

/// What came of a delivery.
#[derive(Debug)]
pub enum Delivery {
    Whole(Landed),
    /// The time of this invocation is over; another one goes on from here.
    Parked(Parked),
}

/// How far a result was read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// Up to the end of a line.
    bytes: u64,
    #[serde(flatten)]
    landing: landing::Parked,
}

/// A delivery: where from and where to.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    pub http: &'a Http,
    pub raw: &'a Bucket,
    pub object: &'a Object,
    /// Where the start of a part is kept between invocations.
    pub folder: &'a str,
    pub deadline: Deadline,
}

impl<'a> Route<'a> {
    /// Fetches a result and lets it land.
    ///
    /// The objects appear in the bucket only when all rows have arrived and their number is what Shopify says it is.
    /// Their keys are a function of the operation, so that a second delivery overwrites the first with the same bytes.
    pub async fn deliver(self, operation: &Operation, parked: Option<&Parked>) -> Result<Delivery, Fault> {
        let expected = operation.object_count.unwrap_or_default();
        let Some(url) = &operation.url else {
            return match expected {
                0 => Ok(Delivery::Whole(Landed::default())),
                _ => Err(Fault::Broken(format!("Shopify counts {expected} rows and gives no result"))),
            };
        };
        let from = parked.map_or(0, |parked| parked.bytes);
        let headers = [("range", format!("bytes={from}-"))];
        let headers = if from > 0 { &headers[..] } else { &[] };
        let answer = self.http.send("GET", url, headers, String::new()).await.map_err(Fault::Broken)?;
        let name = landing::name(&operation.started()?, number_of(&operation.id));
        let (mut landing, from) = match (answer.status, parked) {
            (206, Some(parked)) if from > 0 => {
                // Without the start of a part the whole result can still be read again.
                let resumed = Landing::resume(self.raw, self.object, name, &parked.landing).await;
                (resumed.map_err(|error| Fault::Broken(error.to_string()))?, from)
            }
            // A server that knows no ranges sends all again.
            (200, _) => (Landing::new(self.raw, self.object, name), 0),
            (status, _) => {
                let body = answer.bytes().await.unwrap_or_default();
                return Err(Fault::Broken(format!("HTTP {status} for the result: {}", excerpt(&body))));
            }
        };
        match self.receive(&mut landing, answer, operation, from).await {
            Ok(None) => Ok(Delivery::Whole(landing.complete().await?)),
            Ok(Some(bytes)) => Ok(Delivery::Parked(Parked { bytes, landing: landing.park(self.folder).await? })),
            Err(fault) => {
                landing.abort().await;
                Err(fault)
            }
        }
    }

    /// Takes the rows of an answer; returns how far it came if the time was over before the end.
    async fn receive(
        self,
        landing: &mut Landing<'a>,
        mut answer: Answer,
        operation: &Operation,
        from: u64,
    ) -> Result<Option<u64>, Fault> {
        let mut lines = Lines::default();
        let mut bytes = from;
        while let Some(piece) = answer.next().await.map_err(Fault::Broken)? {
            bytes += piece.as_ref().len() as u64;
            lines.push(piece.as_ref());
            while let Some(line) = lines.line().map_err(Fault::Broken)? {
                landing.take(line).await?;
            }
            if !self.deadline.allows(Duration::ZERO) {
                return Ok(Some(bytes - lines.pending() as u64));
            }
        }
        if let Some(line) = lines.rest() {
            landing.take(line).await?;
        }
        reconcile("bytes", operation.file_size, bytes, bytes)?;
        // Whether rows inside of rows count as objects is not documented.
        reconcile("rows", operation.object_count, landing.lines, landing.lines + landing.inner)?;
        Ok(None)
    }
}

/// Compares what Shopify says it wrote with what arrived.
fn reconcile(what: &str, expected: Option<u64>, found: u64, with_inner: u64) -> Result<(), Fault> {
    match expected {
        Some(expected) if expected != found && expected != with_inner => {
            Err(Fault::Broken(format!("{found} of {expected} {what} arrived")))
        }
        _ => Ok(()),
    }
}

/// Says that a delivery goes on later.
pub fn unfinished(object: &Object, parked: &Parked) -> Error {
    Error::new(format!(
        "{} bytes of the result of `{}` have arrived in the time of this invocation",
        parked.bytes, object.name
    ))
    .unfinished()
}
