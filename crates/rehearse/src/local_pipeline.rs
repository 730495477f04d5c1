//! The local pipeline: the deployed account, and the stand-ins of its services.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pipectl_contract::names::environment as variables;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::error::{Error, Result};
use pipectl_emulator::account::{LocalAccount, ObjectEvent};

use super::databases::Databases;
use super::scratch_folder::Work;
use super::shopify::StandIn;
use crate::resource::{Resource, Resources};
use pipectl_emulator::authorizer::Authorizer;
use pipectl_emulator::dms::Replication;
use pipectl_emulator::glue::spark::Glue;
use pipectl_emulator::lambda::{Function, extract};
use pipectl_emulator::redshift::{DataApi, Warehouse};

/// The account and the services of a rehearsal.
pub struct LocalPipeline {
    pub resources: Resources,
    pub account: LocalAccount,
    /// The folder of each bucket.
    pub buckets: BTreeMap<String, PathBuf>,
    /// The URL at which the account answers.
    pub endpoint: String,
    pub objects: UnboundedReceiver<ObjectEvent>,
    /// Events of statements that have ended.
    pub statements: UnboundedReceiver<Value>,
    pub warehouse: Warehouse,
    pub data_api: DataApi,
    pub glue: Glue,
    /// The server of each database source.
    pub databases: Databases,
    /// What follows databases, by the source.
    pub replications: BTreeMap<String, Replication>,
    /// Authorizes every call by the policies of the templates.
    pub authorizer: Authorizer,
    /// The stand-in of each Shopify source.
    pub shops: BTreeMap<String, StandIn>,
    /// Where pipectl keeps what it makes.
    pub state: PathBuf,
    /// Where all of these keep what nobody needs afterwards. Last, so that it goes after those who use it.
    pub work: Work,
}

/// The name of the role behind an ARN.
fn role_name(arn: Option<&str>) -> &str {
    arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or("unknown")
}

impl LocalPipeline {
    /// A deployed function, with its zip extracted.
    pub(super) fn function(&self, resource: &Resource) -> Result<Function> {
        let bucket = resource.text("/Code/S3Bucket").unwrap_or_default();
        let key = resource.text("/Code/S3Key").unwrap_or_default();
        let archive = self.buckets.get(bucket).map(|folder| folder.join(key)).filter(|path| path.is_file());
        let archive = archive.ok_or_else(|| {
            Error::new(format!("the code of the function `{}` is not there: s3://{bucket}/{key}", resource.name))
                .hint("run `pipectl deploy` for this environment again: it uploads the code")
        })?;
        let given = resource.get("/Environment/Variables").and_then(Value::as_object);
        let mut environment: BTreeMap<String, String> = given
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        if let Some(shop) = environment.get(variables::SOURCE).and_then(|source| self.shops.get(source)) {
            environment.insert("SHOPIFY_ENDPOINT".into(), shop.endpoint());
        }
        environment.extend(self.credentials(resource.text("/Role")));
        Ok(Function {
            name: resource.name.clone(),
            arn: self.resources.arn_of("AWS::Lambda::Function", &resource.name),
            directory: extract(&archive, &self.state.join("functions"))?,
            handler: resource.text("/Handler").unwrap_or("bootstrap").to_owned(),
            memory: resource.number("/MemorySize").unwrap_or(128),
            timeout: Duration::from_secs(resource.number("/Timeout").unwrap_or(3)),
            environment,
            region: self.resources.region.clone(),
            log_group: resource.text("/LoggingConfig/LogGroup").unwrap_or_default().to_owned(),
            log_format: resource.text("/LoggingConfig/LogFormat").unwrap_or("Text").to_owned(),
        })
    }

    /// The variables by which a role's calls reach the local account. The access key holds the role's name, so that
    /// the account knows who calls.
    pub(super) fn credentials(&self, role: Option<&str>) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("AWS_ACCESS_KEY_ID".to_owned(), self.account.access_key(role_name(role))),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "rehearsal".to_owned()),
            ("AWS_ENDPOINT_URL".to_owned(), self.endpoint.clone()),
            ("AWS_REGION".to_owned(), self.resources.region.clone()),
            ("AWS_DEFAULT_REGION".to_owned(), self.resources.region.clone()),
        ])
    }

    /// The variables of a run of a job: those of its role, and where its database is.
    pub(super) fn job_environment(&self, job: &Resource) -> BTreeMap<String, String> {
        let mut environment = self.credentials(job.text("/Role"));
        let server = job.text("/DefaultArguments/--source").and_then(|source| self.databases.get(source));
        if let Some(server) = server {
            environment.insert("DATABASE_ENDPOINT".into(), server.endpoint());
        }
        environment
    }

    /// How many statements have not ended yet.
    pub(super) async fn running_statements(&self) -> usize {
        let answer = self.data_api.handle("ListStatements", &serde_json::json!({"Status": "ALL"}), "rehearsal").await;
        let statements = answer.body.get("Statements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let ended = |statement: &&Value| {
            let status = statement.get("Status").and_then(Value::as_str).unwrap_or_default();
            !["FINISHED", "FAILED", "ABORTED"].contains(&status)
        };
        statements.iter().filter(ended).count()
    }

    /// What is known of a statement.
    pub(super) async fn statement(&self, id: &str) -> Value {
        self.data_api.handle("DescribeStatement", &serde_json::json!({ "Id": id }), "rehearsal").await.body
    }
}
