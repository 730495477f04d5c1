//! DMS: the replications that a stack declares, which CloudFormation neither starts nor stops.

use aws_config::SdkConfig;
use aws_sdk_databasemigration::types::Filter;
use serde::Serialize;

use super::error::{Failure, Kind};

/// DMS in our words.
#[derive(Debug, Clone)]
pub struct Dms(aws_sdk_databasemigration::Client);

/// A replication of DMS Serverless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// The ARN of its configuration.
    pub arn: String,
    pub name: String,
    /// Such as `created`, `running`, `stopping`; the list is DMS's and grows.
    pub status: String,
    /// Why it failed.
    pub failures: Vec<String>,
    /// Why it stopped, in DMS's words; none while it runs.
    pub stop_reason: Option<String>,
    /// How far it is; none before it has started.
    pub progress: Option<Progress>,
}

/// How far the copy is, and how the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Of the copy, in percent.
    pub copied: i32,
    pub tables_loaded: i32,
    pub tables_loading: i32,
    pub tables_queued: i32,
    pub tables_errored: i32,
}

impl Replication {
    /// Whether its configuration may be changed or deleted.
    pub fn at_rest(&self) -> bool {
        matches!(self.status.as_str(), "created" | "stopped" | "failed")
    }
}

/// How a replication is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The first time: everything is copied.
    FullLoad,
    /// From where it stopped.
    Resumed,
}

impl Dms {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self(aws_sdk_databasemigration::Client::new(config))
    }

    /// The replication of a configuration; none if there is no such configuration.
    pub async fn replication(&self, arn: &str) -> Result<Option<Replication>, Failure> {
        let failed = |message: String| Failure {
            kind: Kind::Other,
            action: "DescribeReplications",
            code: String::new(),
            message,
            request_id: None,
        };
        let filter = Filter::builder().name("replication-config-arn").values(arn).build();
        let filter = filter.map_err(|error| failed(error.to_string()))?;
        let answer = match self.0.describe_replications().filters(filter).send().await {
            Ok(answer) => answer,
            Err(error) => match Failure::new("DescribeReplications", &error) {
                Failure { kind: Kind::NotFound, .. } => return Ok(None),
                failure => return Err(failure),
            },
        };
        let found = answer.replications().iter().find(|one| one.replication_config_arn() == Some(arn));
        Ok(found.map(|found| Replication {
            arn: arn.to_owned(),
            name: found.replication_config_identifier().unwrap_or(arn).to_owned(),
            status: found.status().unwrap_or_default().to_owned(),
            failures: found.failure_messages().to_vec(),
            stop_reason: found.stop_reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
            progress: found.replication_stats().map(|stats| Progress {
                copied: stats.full_load_progress_percent(),
                tables_loaded: stats.tables_loaded(),
                tables_loading: stats.tables_loading(),
                tables_queued: stats.tables_queued(),
                tables_errored: stats.tables_errored(),
            }),
        }))
    }

    /// Starts a replication. DMS answers at once; until changes flow it takes some minutes.
    pub async fn start(&self, arn: &str, start: Start) -> Result<(), Failure> {
        let how = match start {
            Start::FullLoad => "start-replication",
            Start::Resumed => "resume-processing",
        };
        let request = self.0.start_replication().replication_config_arn(arn).start_replication_type(how);
        request.send().await.map(drop).map_err(|error| Failure::new("StartReplication", &error))
    }

    /// Asks a replication to stop.
    pub async fn stop(&self, arn: &str) -> Result<(), Failure> {
        let request = self.0.stop_replication().replication_config_arn(arn);
        request.send().await.map(drop).map_err(|error| Failure::new("StopReplication", &error))
    }
}
