//! Which tables may lose rows.

use super::{Capture, Source, Spec, Table};

impl Spec {
    /// Whether the source of a table tells which of its rows are gone: its files then carry a last column `_deleted`.
    pub fn deletes(&self, table: &Table) -> bool {
        match self.pipeline.sources.get(table.source().0) {
            Some(Source::Files(files)) => files.snapshot,
            Some(Source::Lambda(custom)) => custom.files.snapshot,
            Some(Source::Mysql(database) | Source::Postgresql(database)) => database.capture == Capture::Cdc,
            Some(Source::Shopify(_)) => super::shopify::deletes(table),
            None => false,
        }
    }
}
