//! Opens the local account: starts the stand-ins for what is outside of AWS, and connects them to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipectl_contract::names;
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use crate::error::{Error, Result};
use crate::spec::{Source, Spec};
use crate::yaml::{self, Node};
use pipectl_emulator::account::{DeployedResource, JsonCall, JsonError, LocalAccount};

use super::databases::Databases;
use super::local_pipeline::LocalPipeline;
use super::scratch_folder::Work;
use super::shopify::{Credentials, StandIn};
use crate::resource::{Resource, Resources};
use pipectl_emulator::authorizer::Authorizer;
use pipectl_emulator::dms::{self, Replication};
use pipectl_emulator::glue::spark::{Glue, Start};
use pipectl_emulator::redshift::{DataApi, Isolation, Warehouse, WarehouseConfig};

/// Where the parts of the project lie that the rehearsal runs.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The Python with Spark.
    pub python: PathBuf,
    /// The program that holds the Spark session.
    pub runner: PathBuf,
    /// A Python virtual environment that may hold a PostgreSQL server.
    pub environment: Option<PathBuf>,
    /// Where Spark's class archive is kept.
    pub cache: PathBuf,
    /// Where pipectl keeps what it makes.
    pub state: PathBuf,
}

impl LocalPipeline {
    /// Connects to an account in which the pipeline is deployed, and that answers at `endpoint`.
    ///
    /// Spark is started first and waited for last.
    pub async fn open(
        account: &LocalAccount,
        endpoint: &str,
        spec: &Spec,
        parts: &Parts,
        folders: &BTreeMap<String, PathBuf>,
    ) -> Result<Self> {
        let deployed = account.resources();
        let resources = resources(account, &spec.prefix(), &deployed);
        if resources.of("AWS::Events::Rule").next().is_none() {
            let environment = &spec.environment_name;
            return Err(Error::new(format!("the pipeline `{}` is not deployed in the local account", spec.prefix()))
                .hint(format!("run `pipectl deploy --env {environment}` first")));
        }
        let buckets: BTreeMap<String, PathBuf> = resources
            .of("AWS::S3::Bucket")
            .map(|bucket| (bucket.name.clone(), account.bucket_directory(&bucket.name)))
            .collect();
        let work = Work::begin(parts.state.join(&spec.environment_name).join("work"))?;
        let glue = Glue::start(&Start {
            python: parts.python.clone(),
            runner: parts.runner.clone(),
            cache: parts.cache.clone(),
            work: work.folder().join("spark"),
            buckets: buckets.clone(),
        })?;
        let (sender, statements) = unbounded_channel();
        let authorizer = Authorizer::new(&resources);
        let namespace = resources.of("AWS::RedshiftServerless::Namespace").next();
        let role = namespace.and_then(|namespace| namespace.text("/DefaultIamRoleArn"));
        let config = WarehouseConfig {
            events: Some(sender),
            authorizer: Some(authorizer.for_warehouse(role)),
            ..warehouse_config(account, spec, parts, &deployed, &buckets)
        };
        let warehouse = Warehouse::start(config).await?;
        let data_api = warehouse.data_api();
        authorizer.follow(data_api.downgrade());
        account.authorizer(authorizer.for_calls());
        register(account, &data_api);
        let shops = open_shops(account, spec, folders, work.folder()).await?;
        let databases = open_databases(account, spec, parts, folders).await?;
        let replications = open_replications(account, endpoint, spec, &resources, &databases, work.folder())?;
        Ok(Self {
            resources,
            account: account.clone(),
            buckets,
            endpoint: endpoint.to_owned(),
            objects: account.object_events(),
            statements,
            warehouse,
            data_api,
            glue,
            databases,
            replications,
            authorizer,
            shops,
            state: parts.state.clone(),
            work,
        })
    }

    /// Ends what was started.
    pub async fn close(mut self) {
        self.glue.stop().await;
        self.warehouse.stop();
    }
}

/// The warehouse as the last rehearsal left it, alone; it answers through the account.
pub async fn reopen(account: &LocalAccount, spec: &Spec, parts: &Parts) -> Result<Warehouse> {
    if !Warehouse::exists(&parts.state.join("warehouse")) {
        let environment = &spec.environment_name;
        return Err(Error::new("nothing has been rehearsed here yet, so that the warehouse is empty")
            .hint(format!("run `pipectl rehearse --env {environment}` first")));
    }
    let config = warehouse_config(account, spec, parts, &account.resources(), &BTreeMap::new());
    let warehouse = Warehouse::start(config).await?;
    register(account, &warehouse.data_api());
    Ok(warehouse)
}

/// The deployed resources of a pipeline, each with its place in the template of its stack.
fn resources(account: &LocalAccount, prefix: &str, deployed: &[DeployedResource]) -> Resources {
    let short = |stack: &str| stack.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).map(str::to_owned);
    let templates: BTreeMap<String, Node> = account
        .stacks()
        .into_iter()
        .filter_map(|stack| {
            let source = yaml::Source::new(format!("{}.yaml", short(&stack.name)?), stack.template);
            Some((stack.name, yaml::parse(&source).ok()?))
        })
        .collect();
    let all = deployed.iter().filter_map(|resource| {
        let node =
            templates.get(&resource.stack).and_then(|template| template.get("Resources")?.get(&resource.logical_id));
        Some(Resource {
            stack: short(&resource.stack)?,
            id: resource.logical_id.clone(),
            kind: resource.resource_type.clone(),
            name: resource.physical_id.clone(),
            properties: resource.properties.clone(),
            node: node.cloned().map(Arc::new),
        })
    });
    Resources { all: all.collect(), account: account.id().to_owned(), region: account.region().to_owned() }
}

fn warehouse_config(
    account: &LocalAccount,
    spec: &Spec,
    parts: &Parts,
    deployed: &[DeployedResource],
    buckets: &BTreeMap<String, PathBuf>,
) -> WarehouseConfig {
    let of = |kind: &str| deployed.iter().find(|resource| resource.resource_type == kind);
    let workgroup = of("AWS::RedshiftServerless::Workgroup");
    let secrets = of("AWS::RedshiftServerless::Namespace").map(|namespace| {
        let user = namespace.properties.get("AdminUsername").and_then(Value::as_str).unwrap_or("admin");
        format!("redshift!{}-{user}", namespace.physical_id)
    });
    let arn = workgroup.and_then(|workgroup| workgroup.attributes.get("Workgroup.WorkgroupArn")?.as_str());
    WarehouseConfig {
        directory: parts.state.join("warehouse"),
        environment: parts.environment.clone(),
        account: account.id().to_owned(),
        region: account.region().to_owned(),
        workgroup: workgroup.map(|workgroup| workgroup.physical_id.clone()).unwrap_or_default(),
        workgroup_arn: arn.unwrap_or_default().to_owned(),
        database: spec.pipeline.warehouse.database.clone(),
        secrets: secrets.into_iter().collect(),
        readers: spec.readers().map(|(user, secret)| (secret, user.to_owned())).collect(),
        buckets: buckets.clone(),
        isolation: Isolation::default(),
        authorizer: None,
        events: None,
    }
}

/// Lets the account answer the calls of the Redshift Data API.
fn register(account: &LocalAccount, data_api: &DataApi) {
    let (api, id) = (data_api.clone(), account.id().to_owned());
    let handler = move |call: JsonCall| {
        let (api, caller) = (api.clone(), format!("arn:aws:sts::{id}:assumed-role/{}/rehearsal", call.access_key));
        let answer = async move {
            let answer = api.handle(&call.operation, &call.body, &caller).await;
            if answer.status < 300 {
                return Ok(answer.body);
            }
            let text = |name: &str| answer.body.get(name).and_then(Value::as_str).unwrap_or_default();
            Err(JsonError { status: answer.status, code: text("__type").into(), message: text("Message").into() })
        };
        Box::pin(answer) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    };
    account.register("RedshiftData", Arc::new(handler));
}

/// Opens a stand-in for each Shopify source that has data, and puts its credentials into the source's secret.
async fn open_shops(
    account: &LocalAccount,
    spec: &Spec,
    folders: &BTreeMap<String, PathBuf>,
    work: &Path,
) -> Result<BTreeMap<String, StandIn>> {
    let mut shops = BTreeMap::new();
    for (name, source) in &spec.pipeline.sources {
        let (Some(source), Some(folder)) = (source.shopify(), folders.get(name)) else { continue };
        let credentials =
            Credentials { client_id: "rehearsal".into(), client_secret: pipectl_process::random_hex(16)? };
        let value = serde_json::json!({"client_id": credentials.client_id, "client_secret": credentials.client_secret});
        account.put_secret_value(&names::source_secret(&spec.prefix(), name), &value.to_string())?;
        shops.insert(name.clone(), StandIn::start(folder.clone(), &source.store, credentials, work).await?);
    }
    Ok(shops)
}

/// Starts a server for each database source that has data, and puts its credentials into the source's secret.
async fn open_databases(
    account: &LocalAccount,
    spec: &Spec,
    parts: &Parts,
    folders: &BTreeMap<String, PathBuf>,
) -> Result<Databases> {
    let databases = Databases::open(spec, folders, &parts.state, parts.environment.as_deref()).await?;
    for (name, server) in databases.all() {
        let Some((_, database)) = spec.pipeline.sources.get(name).and_then(Source::database) else { continue };
        let value = serde_json::json!({
            "username": server.credentials.username, "password": server.credentials.password,
            "host": "127.0.0.1", "port": server.port,
        });
        account.provide_secret(&database.secret(&spec.prefix(), name), &value.to_string())?;
    }
    Ok(databases)
}

/// Opens a stand-in for each deployed replication whose database has data.
fn open_replications(
    account: &LocalAccount,
    endpoint: &str,
    spec: &Spec,
    resources: &Resources,
    databases: &Databases,
    work: &Path,
) -> Result<BTreeMap<String, Replication>> {
    let mut replications = BTreeMap::new();
    for configuration in dms::configurations(resources)? {
        let source = databases.all().find(|(name, _)| {
            let database = spec.pipeline.sources.get(*name).and_then(Source::database);
            database.is_some_and(|(_, database)| configuration.signs_in_with(&database.secret(&spec.prefix(), name)))
        });
        let Some((name, server)) = source else { continue };
        let started = account.is_replicating(&configuration.arn);
        let configuration = dms::Configuration { started, ..configuration };
        let opened = Replication::open(configuration, &server.access(), account, endpoint, work)?;
        replications.insert(name.to_owned(), opened);
    }
    Ok(replications)
}
