//! What a replay takes of each table, and from where.

use serde::Serialize;

use super::{Item, ItemLocation, by_table};
use crate::aws::s3::Readable;

/// What a replay takes of one table.
#[derive(Debug, Default, Serialize)]
pub struct TableSummary {
    pub table: String,
    pub batches: usize,
    pub objects: usize,
    /// Of cleaned tables.
    pub rows: u64,
    pub bytes: u64,
    /// Objects in the zone itself.
    pub in_zone: usize,
    /// Objects that come out of the archive.
    pub from_archive: usize,
    /// Objects of the archive that must be restored first.
    pub to_restore: usize,
}

/// Summarizes a replay by table.
pub(super) fn summarize(locations: &[(Item, ItemLocation)]) -> Vec<TableSummary> {
    let mut rows: Vec<TableSummary> = Vec::new();
    for (table, locations) in by_table(locations) {
        let mut row = TableSummary { table: table.to_owned(), ..TableSummary::default() };
        let mut batches: Vec<&str> = locations.iter().map(|(item, _)| item.batch.as_str()).collect();
        batches.sort_unstable();
        batches.dedup();
        row.batches = batches.len();
        for (item, location) in locations {
            row.rows += item.rows;
            match location {
                ItemLocation::Zone { objects } => {
                    row.in_zone += objects.len();
                    row.bytes += objects.iter().map(|object| object.size).sum::<u64>();
                }
                ItemLocation::Archive { objects } => {
                    row.from_archive += objects.len();
                    row.bytes += objects.iter().map(|(object, _)| object.size).sum::<u64>();
                    row.to_restore += objects.iter().filter(|(_, readable)| *readable != Readable::Yes).count();
                }
                ItemLocation::Gone => {}
            }
        }
        row.objects = row.in_zone + row.from_archive;
        rows.push(row);
    }
    rows
}
