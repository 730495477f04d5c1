//! Which tables may hold stub rows: rows with a key alone, made for a row of another table that refers to them.

use super::Spec;

impl Spec {
    /// Whether rows may be put into a table before they come, by a column of another that refers to it.
    pub fn has_stubs(&self, name: &str) -> bool {
        let columns = self.pipeline.tables.values().flat_map(|table| table.columns.values());
        columns.filter_map(super::Column::stub).any(|(table, _)| table == name)
    }
}
