//! Which tables may lose rows.

use super::{Capture, Source, Spec, Table};

impl Spec {
    /// Whether the source of a table tells which of its rows are gone: its files then carry a last column `_deleted`.
    pub fn deletes(&self, table: &Table) -> bool {
        match self.pipeline.sources.get(table.source().0) {
            Some(Source::Files(files)) => files.snapshot,
            Some(Source::Mysql(database) | Source::Postgresql(database)) => database.capture == Capture::Cdc,
            Some(Source::Shopify(_)) | None => false,
        }
    }

    /// Whether rows may be put into a table before they come, by a column of another that refers to it.
    pub fn has_stubs(&self, name: &str) -> bool {
        let columns = self.pipeline.tables.values().flat_map(|table| table.columns.values());
        columns.filter_map(super::Column::stub).any(|(table, _)| table == name)
    }

    /// The users of the warehouse that may only read, and the secret with the password of each.
    pub fn readers(&self) -> impl Iterator<Item = (&str, String)> {
        let quicksight = self.pipeline.analytics.quicksight.as_ref().map(|_| "quicksight");
        let users = self.pipeline.warehouse.read_only_users.iter().map(String::as_str).chain(quicksight);
        users.map(|user| (user, format!("{}/warehouse/{user}", self.prefix())))
    }
}
