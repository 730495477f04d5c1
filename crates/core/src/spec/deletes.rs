//! Which tables may lose rows.

use super::{Spec, Table};

impl Spec {
    /// Whether the source of a table reports which of its rows are deleted: its files then carry a last column `_deleted`.
    pub fn deletes(&self, table: &Table) -> bool {
        self.pipeline.sources.get(table.source().0).is_some_and(|source| source.deletes(table))
    }
}
