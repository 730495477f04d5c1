//! One replay: found, checked, and started.

use std::collections::BTreeSet;

use pipectl_contract::ledger::Stage;
use pipectl_contract::names::Zone;
use pipectl_contract::replay::{Origin, Request};
use time::UtcDateTime;

use super::summary::{TableSummary, summarize};
use super::{Item, ItemLocation, Zones, archived, find, request, selection};
use crate::aws::s3::Object;
use crate::aws::{Kind, S3};
use crate::error::{Error, Result};
use crate::operations::ledger::{Ledger, begun};
use crate::operations::not_deployed;
use crate::quantity::size;
use crate::spec::Spec;

/// S3 copies an object of at most this size in one call.
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// A replay that can be started once its archived objects are restored.
#[derive(Debug, Clone)]
pub struct Replay {
    pub request: Request,
    pub zones: Zones,
    locations: Vec<(Item, ItemLocation)>,
}

impl Replay {
    /// Finds what arrived for some tables since a time. Fails if a part of it cannot be replayed. `status` is called
    /// with what is being done.
    pub async fn find(
        s3: &S3,
        spec: &Spec,
        from: Origin,
        since: UtcDateTime,
        tables: &BTreeSet<String>,
        status: &dyn Fn(&str),
    ) -> Result<Self> {
        status("reading the ledger");
        let ledger = Ledger { s3, bucket: spec.bucket(Zone::Cleaned) };
        let all = ledger.names(Stage::Clean).await;
        let all = all.map_err(|failure| not_deployed(failure, Kind::NoSuchBucket, spec))?;
        let batches: Vec<&String> = all.iter().filter(|batch| begun(batch).is_some_and(|at| at >= since)).collect();
        let entries = ledger.entries(Stage::Clean, batches).await?;
        let (zone, archive) = match from {
            Origin::Raw => (Zone::Raw, Zone::RawArchive),
            Origin::Cleaned => (Zone::Cleaned, Zone::CleanedArchive),
        };
        let selection = selection(from, since, tables, &entries)?;
        let request = request(&selection, UtcDateTime::now());
        let zones = Zones { zone: spec.bucket(zone), archive: spec.bucket(archive) };
        status("searching for the objects");
        let locations = find(s3, &zones, selection).await?;
        check_possible(&locations, &zones)?;
        Ok(Self { request, zones, locations })
    }

    pub fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }

    /// What is taken of each table.
    pub fn tables(&self) -> Vec<TableSummary> {
        summarize(&self.locations)
    }

    /// The archived objects that cannot be read now, and whether each is being restored.
    pub fn archived(&self) -> Vec<(&Object, bool)> {
        archived(&self.locations)
    }

    /// Copies the objects into the zone, and writes the request last: until then the jobs know nothing of the replay.
    /// `status` is called with the number of each copy, how many there are, and the key.
    pub async fn start(&self, s3: &S3, spec: &Spec, status: &dyn Fn(usize, usize, &str)) -> Result<()> {
        let copies = copies(&self.locations, &self.request, &self.zones);
        for (number, (from, object, to)) in copies.iter().enumerate() {
            status(number + 1, copies.len(), &object.key);
            s3.copy((from, object), (&self.zones.zone, to)).await?;
        }
        let body = serde_json::to_vec(&self.request)
            .map_err(|error| Error::new("the request cannot be written").cause(&error))?;
        s3.create(&spec.bucket(Zone::Raw), &self.request.key(), body).await?;
        Ok(())
    }
}

/// Refuses what cannot be done wholly.
fn check_possible(locations: &[(Item, ItemLocation)], zones: &Zones) -> Result<()> {
    let mut errors = Vec::new();
    let gone: Vec<&Item> =
        locations.iter().filter(|(_, location)| *location == ItemLocation::Gone).map(|(item, _)| item).collect();
    if let Some(first) = gone.first() {
        let more = if gone.len() > 1 { format!(" and {} more", gone.len() - 1) } else { String::new() };
        errors.push(
            Error::new(format!("`{}`{more} is neither in `{}` nor in `{}`", first.key, zones.zone, zones.archive))
                .note("the ledger lists it, so it existed; it has expired or was deleted")
                .hint("choose a later `--since`, or exclude its table with `--table`"),
        );
    }
    for (_, location) in locations {
        let objects: Vec<&Object> = match location {
            ItemLocation::Zone { objects } => objects.iter().collect(),
            ItemLocation::Archive { objects } => objects.iter().map(|(object, _)| object).collect(),
            ItemLocation::Gone => Vec::new(),
        };
        errors.extend(objects.into_iter().filter(|object| object.size > LARGEST_COPY).map(|object| {
            Error::new(format!("`{}` has {}: S3 copies up to 5 GiB at once", object.key, size(object.size)))
                .hint("split the file and upload its parts, and exclude its table with `--table`")
        }));
    }
    Error::all(errors)
}

/// What is copied from where to where.
fn copies<'a>(
    locations: &'a [(Item, ItemLocation)],
    request: &Request,
    zones: &'a Zones,
) -> Vec<(&'a str, &'a Object, String)> {
    let mut copies = Vec::new();
    let mut inputs = request.inputs.iter();
    for (_, location) in locations {
        let input = inputs.next();
        let (bucket, objects): (&str, Vec<&Object>) = match location {
            ItemLocation::Zone { objects } => (&zones.zone, objects.iter().collect()),
            ItemLocation::Archive { objects } => (&zones.archive, objects.iter().map(|(object, _)| object).collect()),
            ItemLocation::Gone => continue,
        };
        match (request.from, input) {
            (Origin::Raw, Some(input)) => {
                copies.extend(objects.into_iter().map(|object| (bucket, object, input.key.clone())));
            }
            (Origin::Cleaned, _) if bucket == zones.archive => {
                copies.extend(objects.into_iter().map(|object| (bucket, object, object.key.clone())));
            }
            _ => {}
        }
    }
    copies
}
