//! Names of what is deployed and of what runs.

/// The user that Redshift creates for the namespace, and whose password it keeps in a secret.
pub const ADMIN_USER: &str = "pipectl_admin";

/// The secret that Redshift creates for [`ADMIN_USER`].
pub fn warehouse_secret(prefix: &str) -> String {
    format!("redshift!{prefix}-{ADMIN_USER}")
}

/// The secret with the credentials of a source.
pub fn source_secret(prefix: &str, source: &str) -> String {
    format!("{prefix}/{source}")
}

/// The secret with the password of a user that may only read.
pub fn reader_secret(prefix: &str, user: &str) -> String {
    format!("{prefix}/warehouse/{user}")
}
