//! The deployed replication: its endpoints and settings, as the templates have them.

use serde_json::Value;

use crate::error::{Error, Result};
use pipectl_core::resource::{Resource, Resources};

use super::mapping::Mappings;

/// A replication with all that it refers to.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub name: String,
    /// The ARN by which it is started.
    pub arn: String,
    pub source: Source,
    pub target: Target,
    pub mappings: Mappings,
    /// The ARN of the role with which it writes.
    pub role: String,
    /// Whether it has been started.
    pub started: bool,
}

impl Configuration {
    /// Whether it signs in with the secret of this name.
    pub fn signs_in_with(&self, secret: &str) -> bool {
        let id = &self.source.secret;
        id == secret || id.contains(&format!(":secret:{secret}-"))
    }
}

/// The database that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `mysql` or `postgres`, as DMS calls them.
    pub engine: String,
    pub database: String,
    /// The name or ARN of the secret with which it signs in, and the ARN of the role that reads it.
    pub secret: String,
    pub secret_role: String,
    /// PostgreSQL's booleans as such, and not as texts.
    pub booleans: bool,
}

/// The settings of an S3 target.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of DMS")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub bucket: String,
    /// Without slashes at its ends; may be empty.
    pub folder: String,
    pub format: Format,
    pub gzip: bool,
    pub timestamp_column: Option<String>,
    /// Whether rows of the full load have the column `Op` as well.
    pub operation_in_full_load: bool,
    /// Milliseconds instead of microseconds.
    pub milliseconds: bool,
    /// Operations that are written.
    pub inserts_only: bool,
    pub inserts_and_updates_only: bool,
    /// CSV alone.
    pub header: bool,
    pub delimiter: u8,
    pub null: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
}

/// Settings that change nothing in the files, or only when they are written.
const WITHOUT_EFFECT: [&str; 7] = [
    "BucketName",
    "ServiceAccessRoleArn",
    "ExpectedBucketOwner",
    "CdcMaxBatchInterval",
    "CdcMinFileSize",
    "EncryptionMode",
    "MaxFileSize",
];

/// The replications that are deployed.
pub fn configurations(resources: &Resources) -> Result<Vec<Configuration>> {
    resources.of("AWS::DMS::ReplicationConfig").map(|resource| configuration(resources, resource)).collect()
}

fn configuration(resources: &Resources, resource: &Resource) -> Result<Configuration> {
    let name = resource.text("/ReplicationConfigIdentifier").unwrap_or(&resource.name).to_owned();
    let endpoint = |property: &str| {
        let arn = resource.text(property).unwrap_or_default();
        resources.named("AWS::DMS::Endpoint", arn).ok_or_else(|| {
            Error::project(format!("the replication `{name}` names an endpoint that is not deployed: `{arn}`"))
        })
    };
    let (source, target) = (endpoint("/SourceEndpointArn")?, endpoint("/TargetEndpointArn")?);
    let settings = if source.get("/MySqlSettings").is_some() { "/MySqlSettings" } else { "/PostgreSqlSettings" };
    let of_source = |name: &str| source.text(&format!("{settings}/{name}")).unwrap_or_default().to_owned();
    Ok(Configuration {
        arn: resource.name.clone(),
        source: Source {
            engine: source.text("/EngineName").unwrap_or_default().to_owned(),
            database: source.text("/DatabaseName").unwrap_or_default().to_owned(),
            secret: of_source("SecretsManagerSecretId"),
            secret_role: of_source("SecretsManagerAccessRoleArn"),
            booleans: source.is_true("/PostgreSqlSettings/MapBooleanAsBoolean"),
        },
        target: self::target(target)?,
        mappings: Mappings::read(resource.get("/TableMappings").unwrap_or(&Value::Null))?,
        role: target.text("/S3Settings/ServiceAccessRoleArn").unwrap_or_default().to_owned(),
        started: false,
        name,
    })
}

/// Reads the settings of an S3 target. Fails with each that the stand-in does not know.
fn target(endpoint: &Resource) -> Result<Target> {
    let mut target = Target {
        bucket: endpoint.text("/S3Settings/BucketName").unwrap_or_default().to_owned(),
        folder: String::new(),
        format: Format::Csv,
        gzip: false,
        timestamp_column: None,
        operation_in_full_load: false,
        milliseconds: false,
        inserts_only: false,
        inserts_and_updates_only: false,
        header: false,
        delimiter: b',',
        null: "NULL".to_owned(),
    };
    let mut errors = Vec::new();
    let settings = endpoint.get("/S3Settings").and_then(Value::as_object);
    for (name, value) in settings.into_iter().flatten() {
        let path = format!("/S3Settings/{name}");
        let (text, flag) = (endpoint.text(&path).unwrap_or_default().to_owned(), endpoint.is_true(&path));
        match (name.as_str(), text.as_str()) {
            ("BucketFolder", folder) => folder.trim_matches('/').clone_into(&mut target.folder),
            ("DataFormat", "csv") | ("CompressionType", "NONE" | "none") => {}
            ("DataFormat", "parquet") => target.format = Format::Parquet,
            ("CompressionType", "GZIP" | "gzip") => target.gzip = true,
            ("TimestampColumnName", column) => {
                target.timestamp_column = Some(column.to_owned()).filter(|name| !name.is_empty());
            }
            ("IncludeOpForFullLoad", _) => target.operation_in_full_load = flag,
            ("ParquetTimestampInMillisecond", _) => target.milliseconds = flag,
            ("CdcInsertsOnly", _) => target.inserts_only = flag,
            ("CdcInsertsAndUpdates", _) => target.inserts_and_updates_only = flag,
            ("AddColumnName", _) => target.header = flag,
            ("CsvNullValue", null) => null.clone_into(&mut target.null),
            ("CsvDelimiter", delimiter) if delimiter.len() == 1 => target.delimiter = delimiter.as_bytes()[0],
            ("DatePartitionEnabled" | "PreserveTransactions", _) if !flag => {}
            (name, _) if WITHOUT_EFFECT.contains(&name) => {}
            (name, _) => {
                let error = Error::project(format!("the rehearsal does not know the S3 setting `{name}: {value}`"));
                errors.push(match endpoint.span_of(&["S3Settings", name]) {
                    Some(span) => error.at(&span, "of the target endpoint"),
                    None => error,
                });
            }
        }
    }
    Error::all(errors)?;
    Ok(target)
}
