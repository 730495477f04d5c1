//! Who may read the warehouse.

use pipectl_contract::names;

use super::Spec;

impl Spec {
    /// The users of the warehouse that may only read, and the secret with the password of each.
    pub fn readers(&self) -> impl Iterator<Item = (&str, String)> {
        let quicksight = self.pipeline.analytics.quicksight.as_ref().map(|_| "quicksight");
        let users = self.pipeline.warehouse.read_only_users.iter().map(String::as_str).chain(quicksight);
        users.map(|user| (user, names::reader_secret(&self.prefix(), user)))
    }
}
