//! Who reads the warehouse, and which tables hold rows that came before themselves.

use pipectl_contract::names;

use super::Spec;

impl Spec {
    /// Whether rows may be put into a table before they come, by a column of another that refers to it.
    pub fn has_stubs(&self, name: &str) -> bool {
        let columns = self.pipeline.tables.values().flat_map(|table| table.columns.values());
        columns.filter_map(super::Column::stub).any(|(table, _)| table == name)
    }

    /// The users of the warehouse that may only read, and the secret with the password of each.
    pub fn readers(&self) -> impl Iterator<Item = (&str, String)> {
        let quicksight = self.pipeline.analytics.quicksight.as_ref().map(|_| "quicksight");
        let users = self.pipeline.warehouse.read_only_users.iter().map(String::as_str).chain(quicksight);
        users.map(|user| (user, names::reader_secret(&self.prefix(), user)))
    }
}
