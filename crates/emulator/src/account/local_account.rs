//! The account itself: what is in it, and who may ask.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::access::Access;
use super::call::Call;
use super::json::JsonHandler;
use super::lock;
use super::server::{self, Endpoint};
use super::state::{Stack, StackResource, Stacks};
use crate::account::queued_calls::{List, Waiting};
use crate::cloudformation;
use crate::dms::api::Replications;
use crate::error::{Error, Result};
use crate::glue::catalog::Catalog;
use crate::s3::{ObjectEvent, S3Server, Store};
use crate::secretsmanager::Secrets;
use crate::sqs::Queues;
use crate::template::schema;
use pipectl_core::resource_types;

/// An AWS account whose state is a directory on this machine.
#[derive(Clone)]
pub struct LocalAccount(pub(crate) Arc<Account>);

/// Decides whether a call is allowed; a refusal says why.
pub type CallAuthorizer = Arc<dyn Fn(&Call) -> std::result::Result<(), String> + Send + Sync>;

/// A stack as it is deployed.
#[derive(Debug, Clone)]
pub struct DeployedStack {
    pub name: String,
    pub id: String,
    pub status: String,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub template: String,
}

/// A resource as it is deployed.
#[derive(Debug, Clone)]
pub struct DeployedResource {
    pub stack: String,
    pub logical_id: String,
    pub resource_type: String,
    pub physical_id: String,
    /// The properties, with every function evaluated.
    pub properties: Value,
    pub attributes: BTreeMap<String, Value>,
    /// The line of the logical id in the template of the stack.
    pub line: usize,
}

pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) access: Access,
    stacks: Mutex<Stacks>,
    pub(crate) secrets: Secrets,
    pub(crate) replications: Replications,
    pub(crate) catalog: Catalog,
    pub(crate) queues: Queues,
    pub(crate) waiting: List,
    pub(crate) store: Arc<Store>,
    pub(crate) s3: S3Server,
    handlers: RwLock<BTreeMap<String, JsonHandler>>,
    authorizer: RwLock<Option<CallAuthorizer>>,
    pace: RwLock<Duration>,
    pub(crate) work: Work,
    /// Held as long as the account is open.
    _lock: File,
}

/// Counts what is still being done, so that a shutdown can wait for it.
#[derive(Default)]
pub(crate) struct Work {
    running: Mutex<usize>,
    changed: tokio::sync::Notify,
}

/// Something that is being done; it ends when this is dropped.
pub(crate) struct Task(Arc<Account>);

impl Drop for Task {
    fn drop(&mut self) {
        *self.0.work.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.work.changed.notify_waiters();
    }
}

impl LocalAccount {
    /// Opens the account whose state is in `state_dir`, creating it if need be.
    ///
    /// Fails when another process keeps it open, naming that process. An operation that a crash has interrupted is
    /// finished as a rollback or a failure, never as a success.
    pub fn open(state_dir: &Path, account: &str, region: &str) -> Result<Self> {
        let unwritable = |error: std::io::Error| {
            Error::new(format!("cannot keep the local account in `{}`", state_dir.display()))
                .cause(&error)
                .hint("make the directory writable, or free some space on its disk")
        };
        pipectl_process::private::folder(state_dir).map_err(unwritable)?;
        let directory = state_dir.canonicalize().map_err(unwritable)?;
        let lock = lock::take(&directory)?;
        let stacks = Stacks::load(&directory.join("stacks"))?;
        let store = Arc::new(Store::open(&directory.join("s3")).map_err(unwritable)?);
        let inner = Arc::new(Account {
            id: account.to_owned(),
            region: region.to_owned(),
            access: Access::new(directory.join("refused.log"))?,
            stacks: Mutex::new(stacks),
            secrets: Secrets::load(&directory, account, region)?,
            replications: Replications::load(&directory)?,
            catalog: Catalog::load(&directory)?,
            queues: Queues::load(&directory, account, region)?,
            waiting: List::load(&directory)?,
            s3: S3Server::new(Arc::clone(&store), region),
            store,
            handlers: RwLock::default(),
            authorizer: RwLock::default(),
            pace: RwLock::default(),
            work: Work::default(),
            _lock: lock,
        });
        inner.configure_buckets();
        cloudformation::recover(&inner);
        Ok(Self(inner))
    }

    /// Answers requests on `127.0.0.1:port` (0: any free port). Fails when the port is taken.
    pub async fn serve(&self, port: u16) -> Result<Endpoint> {
        server::serve(Arc::clone(&self.0), port).await
    }

    /// An access key of this run that stands for somebody, such as a role by its name. The account takes no other keys.
    pub fn access_key(&self, who: &str) -> String {
        self.0.access.access_key(who)
    }

    /// How many requests were refused because they were not of this run, and the file that names who made them.
    pub fn refused(&self) -> (usize, &Path) {
        (self.0.access.refused(), self.0.access.log())
    }

    /// Lets `handler` answer the calls whose `X-Amz-Target` starts with `prefix` (such as `RedshiftData`).
    pub fn register(&self, prefix: &str, handler: JsonHandler) {
        let mut handlers = self.0.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(prefix.to_owned(), handler);
    }

    /// Asks `authorizer` before every call; what it refuses is answered with `AccessDenied`.
    pub fn authorizer(&self, authorizer: CallAuthorizer) {
        *self.0.authorizer.write().unwrap_or_else(PoisonError::into_inner) = Some(authorizer);
    }

    /// Makes every resource take this long, as real ones do: to try out what happens in the middle of a deployment.
    pub fn pace(&self, pace: Duration) {
        *self.0.pace.write().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// Every stack that exists, in name order.
    pub fn stacks(&self) -> Vec<DeployedStack> {
        self.0.stacks().live.values().map(deployed_stack).collect()
    }

    /// Every resource that exists, in the order of stack names and templates.
    pub fn resources(&self) -> Vec<DeployedResource> {
        let stacks = self.0.stacks();
        let existing = |stack: &Stack| stack.resources.iter().filter(|one| exists(one)).cloned().collect::<Vec<_>>();
        stacks
            .live
            .values()
            .flat_map(|stack| existing(stack).into_iter().map(|one| deployed_resource(&stack.name, one)))
            .collect()
    }

    /// The directory that holds the objects of a bucket as files.
    pub fn bucket_directory(&self, name: &str) -> PathBuf {
        self.0.store.bucket_directory(name)
    }

    /// The current value of a secret, by its name or ARN.
    pub fn secret_value(&self, id: &str) -> Option<String> {
        self.0.secrets.value(id)
    }

    /// Gives a secret a new value.
    pub fn put_secret_value(&self, id: &str, value: &str) -> Result<()> {
        self.0.secrets.put(id, value.to_owned()).map(|_| ()).map_err(|message| {
            Error::new(format!("secret `{id}`: {message}")).hint("deploy the stack that defines the secret first")
        })
    }

    /// A parameter of a table that a program has made in Glue's catalog, such as `metadata_location`.
    pub fn table_parameter(&self, database: &str, table: &str, name: &str) -> Option<String> {
        self.0.catalog.parameter(database, table, name)
    }

    /// Whether a replication of DMS has been started and not been stopped, by the ARN of its configuration.
    pub fn is_replicating(&self, arn: &str) -> bool {
        self.0.replications.is_running(arn)
    }

    /// Puts a message into a queue.
    pub fn send_to_queue(&self, queue: &str, body: &str, attributes: BTreeMap<String, String>) {
        self.0.queues.send(queue, body, attributes);
    }

    /// How many messages lie in a queue.
    pub fn queue_length(&self, queue: &str) -> usize {
        self.0.queues.count(queue)
    }

    /// Takes what was asked of services that work only while a rehearsal runs.
    pub fn take_waiting(&self) -> Vec<Waiting> {
        self.0.waiting.take()
    }

    /// Gives a value to a secret that no stack makes: one that exists in an account on AWS.
    pub fn provide_secret(&self, name: &str, value: &str) -> Result<()> {
        self.0.secrets.provide(name, value).map_err(|message| Error::new(format!("secret `{name}`: {message}")))
    }

    /// A channel that receives every object that is written from now on.
    pub fn object_events(&self) -> mpsc::UnboundedReceiver<ObjectEvent> {
        self.0.s3.subscribe()
    }

    /// Copies what was written to buckets with replication, also by programs that write the files themselves.
    pub fn replicate(&self) -> Result<()> {
        self.0.s3.replicate_all()
    }
}

impl Account {
    pub(crate) fn stacks(&self) -> MutexGuard<'_, Stacks> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handler(&self, prefix: &str) -> Option<JsonHandler> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    /// The ARN of a resource by its type and name; the name if no ARN follows from it.
    pub(crate) fn arn_of(&self, resource_type: &str, name: &str) -> String {
        resource_types::arn(resource_type, &self.id, &self.region, name).unwrap_or_else(|| name.to_owned())
    }

    /// `arn:aws:<service>:<region>:<account>:<rest>`.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.id)
    }

    /// Whether a call is allowed.
    pub(crate) fn allows(&self, call: &Call) -> std::result::Result<(), String> {
        let authorizer = self.authorizer.read().unwrap_or_else(PoisonError::into_inner).clone();
        authorizer.map_or(Ok(()), |authorizer| authorizer(call))
    }

    pub(crate) fn current_authorizer(&self) -> Option<CallAuthorizer> {
        self.authorizer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn current_pace(&self) -> Duration {
        *self.pace.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something while nobody waits for it. The account is not idle until it is done.
    pub(crate) fn in_background(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.begin();
        tokio::spawn(async move {
            work.await;
            drop(task);
        });
    }

    fn begin(self: &Arc<Self>) -> Task {
        *self.work.running.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Task(Arc::clone(self))
    }

    /// Waits until nothing is being done.
    pub(crate) async fn idle(&self) {
        loop {
            let changed = self.work.changed.notified();
            if *self.work.running.lock().unwrap_or_else(PoisonError::into_inner) == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Tells the store what the stacks say of their buckets.
    fn configure_buckets(&self) {
        for stack in self.stacks().live.values() {
            for bucket in stack.resources.iter().filter(|one| one.resource_type == "AWS::S3::Bucket" && exists(one)) {
                self.store.restore(&bucket.physical_id, crate::resource::configuration(&bucket.properties));
            }
        }
    }
}

/// Whether a resource of a stack is there, or was it removed or never made.
pub(crate) fn exists(resource: &StackResource) -> bool {
    !resource.physical_id.is_empty()
        && !matches!(resource.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED" | "CREATE_FAILED")
        && schema::of(&resource.resource_type).is_some()
}

fn deployed_stack(stack: &Stack) -> DeployedStack {
    DeployedStack {
        name: stack.name.clone(),
        id: stack.id.clone(),
        status: stack.status.clone(),
        parameters: stack.deployment.parameters.clone(),
        outputs: stack.outputs.iter().map(|output| (output.key.clone(), output.value.clone())).collect(),
        tags: stack.deployment.tags.clone(),
        template: stack.deployment.template.clone(),
    }
}

fn deployed_resource(stack: &str, resource: StackResource) -> DeployedResource {
    DeployedResource {
        stack: stack.to_owned(),
        logical_id: resource.logical_id,
        resource_type: resource.resource_type,
        physical_id: resource.physical_id,
        properties: resource.properties,
        attributes: resource.attributes,
        line: resource.line,
    }
}
