//! Where the bytes of an item are now.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::s3::{Object, Readable};
use crate::aws::{Failure, S3};

use super::{Item, Origin, Selection};

/// The buckets of the zone that a replay begins from.
#[derive(Debug, Clone)]
pub struct Zones {
    pub zone: String,
    pub archive: String,
}

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemLocation {
    /// Still in its zone. Objects are copied; cleaned folders stay where they are.
    Zone { objects: Vec<Object> },
    /// In the archive, from where these objects must come back.
    Archive { objects: Vec<(Object, Readable)> },
    /// Nowhere.
    Gone,
}

/// Looks for every item.
pub(super) async fn find(s3: &S3, zones: &Zones, selection: Selection) -> Result<Vec<(Item, ItemLocation)>, Failure> {
    let mut listings = Listings { s3, zones, zone: BTreeMap::new(), archive: BTreeMap::new() };
    let mut locations = Vec::new();
    for item in selection.items {
        let location = match selection.from {
            Origin::Raw => listings.object(&item).await?,
            Origin::Cleaned => listings.folder(&item).await?,
        };
        locations.push((item, location));
    }
    Ok(locations)
}

/// The folders that were listed, each once.
struct Listings<'a> {
    s3: &'a S3,
    zones: &'a Zones,
    zone: BTreeMap<String, Vec<Object>>,
    archive: BTreeMap<String, Vec<Object>>,
}

impl Listings<'_> {
    async fn object(&mut self, item: &Item) -> Result<ItemLocation, Failure> {
        let folder = item.key.rfind('/').map_or("", |at| &item.key[..=at]).to_owned();
        if !self.zone.contains_key(&folder) {
            let zone = self.s3.list(&self.zones.zone, &folder).await?;
            self.zone.insert(folder.clone(), zone);
        }
        let same = |object: &&Object| object.key == item.key && object.etag == item.etag;
        if let Some(object) = self.zone[&folder].iter().find(same) {
            return Ok(ItemLocation::Zone { objects: vec![object.clone()] });
        }
        if !self.archive.contains_key(&folder) {
            let archive = self.s3.list_versions(&self.zones.archive, &folder).await?;
            self.archive.insert(folder.clone(), archive);
        }
        match self.archive[&folder].iter().find(same).cloned() {
            Some(object) => {
                let readable = self.s3.readable(&self.zones.archive, &object).await?;
                Ok(ItemLocation::Archive { objects: vec![(object, readable)] })
            }
            None => Ok(ItemLocation::Gone),
        }
    }

    /// A folder of Parquet files is written once and never changed, so what the zone has lost is in the archive.
    async fn folder(&mut self, item: &Item) -> Result<ItemLocation, Failure> {
        let data = |objects: Vec<Object>| -> Vec<Object> {
            let is_data = |object: &Object| {
                let name = object.key.strip_prefix(&item.key).unwrap_or_default();
                // Spark's working files are beside the data, and the archive has copies of them too.
                !name.is_empty() && !name.split('/').any(|part| part.starts_with(['_', '.']))
            };
            objects.into_iter().filter(is_data).collect()
        };
        let here = data(self.s3.list(&self.zones.zone, &item.key).await?);
        let archive = data(self.s3.list(&self.zones.archive, &item.key).await?);
        let known: BTreeSet<&str> = here.iter().map(|object| object.key.as_str()).collect();
        let mut lost = Vec::new();
        for object in archive.into_iter().filter(|object| !known.contains(object.key.as_str())) {
            let readable = self.s3.readable(&self.zones.archive, &object).await?;
            lost.push((object, readable));
        }
        Ok(match (here.is_empty(), lost.is_empty()) {
            (true, true) => ItemLocation::Gone,
            (_, true) => ItemLocation::Zone { objects: here },
            _ => ItemLocation::Archive { objects: lost },
        })
    }
}
