//! Deletes an environment: stacks in reverse order, data only on request.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::progress::{Progress, Step};
use super::record::{self, End};
use super::schedule::{self, Work};
use super::stop::Stop;
use super::{Session, replication};
use crate::aws::Kind;
use crate::aws::cloudformation::StackResource;
use crate::error::{Error, Result};
use crate::plan::deployed::{Stack, StackState};
use crate::render::RenderedStack;

const BUCKET: &str = "AWS::S3::Bucket";
const SECRET: &str = "AWS::SecretsManager::Secret";

/// What is there to be taken down.
#[derive(Debug)]
pub struct Inventory {
    /// In the order in which they go.
    pub stacks: Vec<String>,
    found: BTreeMap<String, Found>,
    /// Buckets that hold objects; the artifact bucket, which pipectl can fill again, is not among them.
    pub filled: Vec<String>,
    /// The logical ids of secrets, whose values go with them.
    pub secrets: Vec<String>,
}

#[derive(Debug, Clone)]
struct Found {
    stack: Stack,
    resources: Vec<StackResource>,
}

/// What was taken down, and what is left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Stacks that are gone, in the order in which they went.
    pub stacks: Vec<String>,
    /// Resources that were kept: logical id, type, physical id.
    pub retained: Vec<StackResource>,
}

/// Looks at what is there. Fails if a stack is protected, or if it holds data that may not go.
pub async fn inventory(session: &Arc<Session>, delete_data: bool) -> Result<Inventory> {
    let order: Vec<String> = session.stacks.change_graph()?.reversed().order().into_iter().map(str::to_owned).collect();
    let mut inventory =
        Inventory { stacks: Vec::new(), found: BTreeMap::new(), filled: Vec::new(), secrets: Vec::new() };
    for name in order {
        let Some(desired) = session.stacks.get(&name) else { continue };
        let Some(stack) = session.target.aws.cloudformation.stack(&desired.stack_name).await? else { continue };
        if stack.status.as_str() == "DELETE_COMPLETE" {
            continue;
        }
        let resources = session.target.aws.cloudformation.resources(&stack.id).await?;
        inventory.filled.extend(session.filled(&resources).await?);
        let secrets = resources.iter().filter(|resource| resource.resource_type == SECRET);
        inventory.secrets.extend(secrets.map(|secret| format!("{name}/{}", secret.logical_id)));
        inventory.found.insert(name.clone(), Found { stack, resources });
        inventory.stacks.push(name);
    }
    let protected: Vec<&Stack> =
        inventory.found.values().map(|found| &found.stack).filter(|stack| stack.termination_protection).collect();
    if !protected.is_empty() {
        let names: Vec<&str> = protected.iter().map(|stack| stack.name.as_str()).collect();
        let command = |name: &&str| {
            format!(
                "aws cloudformation update-termination-protection --no-enable-termination-protection --region {} --stack-name {name}",
                session.target.aws.region
            )
        };
        let error = Error::new(format!("protected against termination: `{}`", names.join("`, `")));
        let commands: Vec<String> = names.iter().map(command).collect();
        return Err(error.hint(format!("to delete them anyway, run\n{}", commands.join("\n"))));
    }
    if !delete_data && !inventory.filled.is_empty() {
        return Err(hold_data(&inventory.filled));
    }
    Ok(inventory)
}

fn hold_data(buckets: &[String]) -> Error {
    Error::new(format!("these buckets hold data: `{}`", buckets.join("`, `")))
        .hint("add `--delete-data` to delete all objects in them, with all their versions")
}

/// Takes down what an inventory found.
pub async fn destroy(
    session: &Arc<Session>,
    inventory: Inventory,
    delete_data: bool,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Remains> {
    let record = session.begin_record_of_destroy();
    let done = tear_down(session, inventory, delete_data, steps, progress).await;
    record::end(session, Some(record), done.as_ref().err(), progress).await;
    done
}

async fn tear_down(
    session: &Arc<Session>,
    inventory: Inventory,
    delete_data: bool,
    steps: &mut UnboundedReceiver<Step>,
    progress: &mut dyn Progress,
) -> Result<Remains> {
    let graph = session.stacks.change_graph()?.reversed();
    let found = inventory.found;
    let mut work = Teardown { session, found, delete_data, remains: Remains::default(), errors: Vec::new() };
    let ended =
        schedule::run(&graph, &mut work, steps, progress, session.run.stop.clone(), session.run.settings.parallel)
            .await;
    let Teardown { remains, errors, .. } = work;
    Error::all(errors)?;
    if ended.stopped {
        return Err(Stop::error("operations that were running have completed")
            .note(format!("not deleted: {}", ended.waiting.join(", ")))
            .hint("run `pipectl destroy` again: it resumes where it stopped"));
    }
    Ok(remains)
}

struct Teardown<'a> {
    session: &'a Arc<Session>,
    found: BTreeMap<String, Found>,
    delete_data: bool,
    remains: Remains,
    errors: Vec<Error>,
}

impl Work for Teardown<'_> {
    type Outcome = Result<Option<Vec<StackResource>>>;

    fn start(&mut self, name: &str) -> impl Future<Output = Self::Outcome> + Send + 'static {
        let session = Arc::clone(self.session);
        let found = self.found.remove(name);
        if found.is_some() {
            session.journal.started(name);
        }
        let desired = session.stacks.get(name);
        let delete_data = self.delete_data;
        async move {
            match (desired, found) {
                (Some(desired), Some(found)) => session.take_down(&desired, found, delete_data).await.map(Some),
                _ => Ok(None),
            }
        }
    }

    fn finished(&mut self, name: &str, outcome: Self::Outcome) -> bool {
        match outcome {
            Ok(None) => true,
            Ok(Some(retained)) => {
                self.session.journal.ended(name, End::Deleted);
                self.remains.stacks.push(name.to_owned());
                self.remains.retained.extend(retained);
                true
            }
            Err(error) => {
                let error = self.session.reporter.redactor.error(error);
                self.session.journal.failed(name, &error);
                self.errors.push(error);
                false
            }
        }
    }
}

impl Session {
    async fn take_down(&self, desired: &RenderedStack, found: Found, delete_data: bool) -> Result<Vec<StackResource>> {
        let Found { stack, mut resources } = found;
        let busy = stack.status.state() == StackState::Busy && stack.status.as_str() != "DELETE_IN_PROGRESS";
        if busy {
            let Some(found) = self.at_rest(desired, &stack.id).await? else { return Ok(Vec::new()) };
            let filled = if delete_data { Vec::new() } else { self.filled(&found).await? };
            if !filled.is_empty() {
                return Err(hold_data(&filled));
            }
            resources = found;
        }
        for bucket in resources.iter().filter(|resource| is_created_bucket(resource)) {
            if delete_data || bucket.physical_id == self.target.bucket {
                self.empty(&desired.name, &bucket.physical_id).await?;
            }
        }
        replication::stop_all(&self.target, &self.reporter, &desired.name, &stack.id).await?;
        let token = self.run.client_token(&desired.name);
        let anchor = self.anchor(&stack.id, &token).await;
        self.reporter.emit(Step::Stack { stack: desired.name.clone(), what: "is being deleted".to_owned() });
        // Somebody may have begun something else in the meantime: that is waited for as well.
        while let Err(failure) =
            self.target.aws.cloudformation.delete_stack(&stack.id, &token, self.target.role.as_deref()).await
        {
            if failure.kind != Kind::WrongState {
                return Err(failure.into());
            }
            let Some(found) = self.at_rest(desired, &stack.id).await? else { return Ok(Vec::new()) };
            resources = found;
        }
        let ended = self.follow(&desired.name, &stack.id, anchor, &token).await?;
        if ended.stack.status.as_str() != "DELETE_COMPLETE" {
            return Err(self.cause(desired, &ended.stack, &ended.events).await);
        }
        let skipped = |resource: &StackResource| {
            let last = ended.events.iter().rev().find(|event| event.logical_id == resource.logical_id);
            last.is_some_and(|event| event.status == "DELETE_SKIPPED")
        };
        let mut retained = Vec::new();
        for resource in resources.iter().filter(|resource| skipped(resource)) {
            // An empty bucket holds nothing worth keeping, but its name would stand in the way of the next deploy.
            if is_created_bucket(resource) && self.target.aws.s3.delete_bucket(&resource.physical_id).await.is_ok() {
                continue;
            }
            retained.push(resource.clone());
        }
        self.reporter.emit(Step::Done { stack: desired.name.clone(), what: "is deleted".to_owned() });
        Ok(retained)
    }

    /// Waits until nobody works on a stack any more. Returns its resources, which may be others than before; none if it
    /// is gone.
    async fn at_rest(&self, desired: &RenderedStack, stack: &str) -> Result<Option<Vec<StackResource>>> {
        match self.settled(&desired.name, stack).await? {
            Some(found) if found.status.as_str() != "DELETE_COMPLETE" => {
                Ok(Some(self.target.aws.cloudformation.resources(stack).await?))
            }
            _ => Ok(None),
        }
    }

    /// The buckets among these resources that hold objects, without the artifact bucket.
    async fn filled(&self, resources: &[StackResource]) -> Result<Vec<String>> {
        let mut filled = Vec::new();
        for bucket in resources.iter().filter(|resource| is_created_bucket(resource)) {
            let versions = self.target.aws.s3.versions(&bucket.physical_id).await?;
            if bucket.physical_id != self.target.bucket && versions.is_some_and(|versions| !versions.is_empty()) {
                filled.push(bucket.physical_id.clone());
            }
        }
        Ok(filled)
    }

    /// Deletes all objects of a bucket, with all their versions.
    async fn empty(&self, stack: &str, bucket: &str) -> Result<()> {
        let mut deleted = 0;
        while let Some(versions) = self.target.aws.s3.versions(bucket).await?.filter(|versions| !versions.is_empty()) {
            self.target.aws.s3.delete(bucket, &versions).await?;
            deleted += versions.len();
            self.reporter.emit(Step::Stack {
                stack: stack.to_owned(),
                what: format!("empties `{bucket}`: {deleted} objects deleted"),
            });
        }
        Ok(())
    }
}

/// Whether a resource is a bucket that exists. A bucket whose creation has only started has no name yet.
fn is_created_bucket(resource: &StackResource) -> bool {
    resource.resource_type == BUCKET && !resource.physical_id.is_empty()
}
