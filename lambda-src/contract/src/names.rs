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

/// A bucket of a pipeline. Its name is `<prefix>-<zone>-<account>-<region>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    Raw,
    Cleaned,
    Transformed,
    RawArchive,
    CleanedArchive,
    /// Logs of accesses and trails.
    Logs,
    /// Packaged code, pipeline documents and templates.
    Artifacts,
}

impl Zone {
    pub const ALL: [Self; 7] = [
        Self::Raw,
        Self::Cleaned,
        Self::Transformed,
        Self::RawArchive,
        Self::CleanedArchive,
        Self::Logs,
        Self::Artifacts,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Cleaned => "cleaned",
            Self::Transformed => "transformed",
            Self::RawArchive => "raw-archive",
            Self::CleanedArchive => "cleaned-archive",
            Self::Logs => "logs",
            Self::Artifacts => "artifacts",
        }
    }
}

pub fn bucket(prefix: &str, zone: Zone, account: &str, region: &str) -> String {
    format!("{prefix}-{}-{account}-{region}", zone.as_str())
}

/// What is packaged and deployed, by the name that templates use: `artifact load`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// The Lambda that reads Shopify.
    Shopify,
    /// The Lambda that loads the warehouse.
    Load,
    /// The Glue job that reads databases.
    Ingest,
    /// The Glue job from the raw to the cleaned zone.
    Clean,
    /// The Glue job from the cleaned to the transformed zone.
    Transform,
    /// The Python package that the jobs share.
    Library,
}

impl Artifact {
    pub const ALL: [Self; 6] = [Self::Shopify, Self::Load, Self::Ingest, Self::Clean, Self::Transform, Self::Library];
    /// The Lambdas of pipectl, by the names of their crates.
    pub const LAMBDAS: [&'static str; 2] = [Self::Load.as_str(), Self::Shopify.as_str()];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::Load => "load",
            Self::Ingest => "ingest",
            Self::Clean => "clean",
            Self::Transform => "transform",
            Self::Library => "library",
        }
    }
}

/// A dead-letter queue. Its name is `<prefix>-<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: &'static str,
    /// What its messages are.
    pub purpose: &'static str,
}

pub const FAILURES: Queue = Queue { name: "failures", purpose: "calls of Lambdas that failed after all retries" };
pub const UNDELIVERED: Queue = Queue { name: "undelivered", purpose: "events that no target took" };
pub const QUEUES: [Queue; 2] = [FAILURES, UNDELIVERED];

/// Environment variables of the Lambdas.
pub mod environment {
    /// The address of the pipeline document, `s3://bucket/key`.
    pub const DOCUMENT: &str = "PIPELINE_DOCUMENT";
    /// The name of the source that the Lambda reads.
    pub const SOURCE: &str = "SOURCE";
    /// Of a user's Lambda: the raw bucket.
    pub const RAW_BUCKET: &str = "RAW_BUCKET";
    /// Of a user's Lambda: the key in the raw bucket where it may keep its state.
    pub const STATE_KEY: &str = "STATE_KEY";
    /// Of a user's Lambda: its tables, with `,` between them.
    pub const TABLES: &str = "TABLES";
    /// Of a user's Lambda: the name of its secret.
    pub const SECRET: &str = "SECRET_NAME";
    /// The level of the logs.
    pub const LOG: &str = "RUST_LOG";
    /// All that pipectl sets.
    pub const ALL: [&str; 7] = [DOCUMENT, RAW_BUCKET, LOG, SECRET, SOURCE, STATE_KEY, TABLES];
}

/// Arguments of the Glue jobs, without the `--`.
pub mod arguments {
    /// The address of the pipeline document, `s3://bucket/key`.
    pub const DOCUMENT: &str = "pipeline_document";
    /// The name of the source that the job `ingest` reads.
    pub const SOURCE: &str = "source";
}

/// Columns that pipectl adds to those of a table.
pub mod columns {
    /// Whether a row of the cleaned or transformed zone is a deletion.
    pub const DELETED: &str = "_deleted";
    /// Whether a row of the warehouse was created for its key alone.
    pub const INFERRED: &str = "_inferred";
    /// A row's position in the order of its source.
    pub const POSITION: &str = "_position";
    pub const ALL: [&str; 3] = [DELETED, INFERRED, POSITION];
}

/// A statement of the loader. Redshift reports its end under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Creates what does not exist.
    Setup { document: String, part: usize },
    /// Reads which tables exist.
    Inspect { document: String },
    /// Changes a table to match the document; `step` distinguishes the changes.
    Migrate { document: String, step: String },
    /// What follows when the tables match. The first part is the users.
    Complete { document: String, part: usize },
    /// Loads a table of a batch.
    Load { batch: String, table: String },
    /// Computes a mart again.
    Mart { batch: String, mart: String },
    /// Writes a mart's rows to files.
    Unload { batch: String, mart: String },
}

impl Statement {
    /// The name under which Redshift reports the statement.
    pub fn text(&self, prefix: &str) -> String {
        match self {
            Self::Setup { document, part: 1 } => format!("{prefix}/setup/{document}"),
            Self::Setup { document, part } => format!("{prefix}/setup/{document}/{part}"),
            Self::Inspect { document } => format!("{prefix}/inspect/{document}"),
            Self::Migrate { document, step } => format!("{prefix}/migrate/{document}/{step}"),
            Self::Complete { document, part } => format!("{prefix}/complete/{document}/{part}"),
            Self::Load { batch, table } => format!("{prefix}/load/{batch}/{table}"),
            Self::Unload { batch, mart } => format!("{prefix}/unload/{batch}/{mart}"),
            Self::Mart { batch, mart } => format!("{prefix}/marts/{batch}/{mart}"),
        }
    }

    /// The document whose tables the statement creates or changes; `None` of loads and marts.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::Setup { document, .. }
            | Self::Inspect { document }
            | Self::Migrate { document, .. }
            | Self::Complete { document, .. } => Some(document),
            Self::Load { .. } | Self::Mart { .. } | Self::Unload { .. } => None,
        }
    }

    /// Reads a name; `None` if it is not one of this pipeline's loader.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(prefix)?.strip_prefix('/')?.split('/').collect();
        let owned = |text: &str| text.to_owned();
        match parts[..] {
            ["setup", document] => Some(Self::Setup { document: owned(document), part: 1 }),
            ["setup", document, part] => {
                let part = part.parse().ok()?;
                Some(Self::Setup { document: owned(document), part })
            }
            ["inspect", document] => Some(Self::Inspect { document: owned(document) }),
            ["migrate", document, step] => Some(Self::Migrate { document: owned(document), step: owned(step) }),
            ["complete", document, part] => {
                let part = part.parse().ok()?;
                Some(Self::Complete { document: owned(document), part })
            }
            ["unload", batch, mart] => Some(Self::Unload { batch: owned(batch), mart: owned(mart) }),
            ["load", batch, table] => Some(Self::Load { batch: owned(batch), table: owned(table) }),
            ["marts", batch, mart] => Some(Self::Mart { batch: owned(batch), mart: owned(mart) }),
            _ => None,
        }
    }
}

/// The name of the statement by which `pipectl export` reads a mart. The loader ignores it.
pub fn export_statement(prefix: &str, mart: &str) -> String {
    format!("{prefix}/export/{mart}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_as_they_are_written() {
        let text = |text: &str| text.to_owned();
        for (name, statement) in [
            ("p/setup/abc", Statement::Setup { document: text("abc"), part: 1 }),
            ("p/setup/abc/2", Statement::Setup { document: text("abc"), part: 2 }),
            ("p/inspect/abc", Statement::Inspect { document: text("abc") }),
            ("p/migrate/abc/f0", Statement::Migrate { document: text("abc"), step: text("f0") }),
            ("p/complete/abc/1", Statement::Complete { document: text("abc"), part: 1 }),
            ("p/load/b/t", Statement::Load { batch: text("b"), table: text("t") }),
            ("p/unload/b/m", Statement::Unload { batch: text("b"), mart: text("m") }),
            ("p/marts/b/m", Statement::Mart { batch: text("b"), mart: text("m") }),
        ] {
            assert_eq!(statement.text("p"), name);
            assert_eq!(Statement::parse("p", name), Some(statement));
        }
        let others = ["", "p", "p/load/b", "p/load/b/t/x", "pp/load/b/t", "other/load/b/t", "p/setup/abc/x"];
        for name in others.into_iter().chain([export_statement("p", "m").as_str()]) {
            assert_eq!(Statement::parse("p", name), None, "{name}");
        }
    }
}
