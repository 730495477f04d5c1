//! What nobody needs any more: artifacts that no stack refers to, and what killed runs have left behind.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use pipectl_contract::names::Zone;

use crate::aws::cloudformation::{ListedStack, WaitingChangeSet};
use crate::aws::s3::{Object, Version};
use crate::aws::{Aws, Kind};
use crate::deploy::{BOOTSTRAP, stale_change_sets};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::plan::deployed::StackState;
use crate::render::RenderedStack;
use crate::spec::Spec;

/// The folders of the artifact bucket whose objects are named by their content. Others are none of our business here:
/// the records of deploys, and what people put there.
const FOLDERS: [&str; 5] = ["config/", "glue/", "lambda/", "plan/", "templates/"];
/// As many objects S3 deletes at once.
const AT_ONCE: usize = 1000;

/// What nobody needs.
#[derive(Debug, Default)]
pub struct Garbage {
    /// In key order.
    pub artifacts: Vec<Object>,
    pub change_sets: Vec<WaitingChangeSet>,
    /// Stacks that never came into being: nothing but the change set of a killed run.
    pub shells: Vec<ListedStack>,
    /// How many artifacts stay because a stack or a change set refers to them.
    pub used: usize,
    /// How many artifacts nobody refers to and are too young.
    pub young: usize,
}

/// The environment whose garbage is collected.
#[derive(Debug, Clone)]
pub struct CollectionScope {
    /// The artifact bucket.
    pub bucket: String,
    /// What the names of the environment's stacks start with.
    pub prefix: String,
    /// The names of the environment's stacks. Nothing is removed at others.
    pub stacks: Vec<String>,
}

impl CollectionScope {
    /// The scope of an environment with these stacks.
    pub fn new(spec: &Spec, stacks: Vec<RenderedStack>) -> Self {
        let mut stacks: Vec<String> = stacks.into_iter().map(|stack| stack.stack_name).collect();
        stacks.push(spec.stack_name(BOOTSTRAP));
        Self { bucket: spec.bucket(Zone::Artifacts), prefix: spec.prefix(), stacks }
    }
}

impl Garbage {
    pub fn is_empty(&self) -> bool {
        self.artifacts.is_empty() && self.change_sets.is_empty() && self.shells.is_empty()
    }

    /// The bytes of the artifacts.
    pub fn size(&self) -> u64 {
        self.artifacts.iter().map(|object| object.size).sum()
    }
}

/// Finds unused artifacts. Fails while a stack is being changed, or has failed: the state after a rollback may
/// need what it does not name now.
pub async fn find(aws: &Aws, scope: &CollectionScope, older_than: Duration) -> Result<Garbage> {
    // More than the environment's own: another environment's reference keeps an artifact, too.
    let stacks = aws.cloudformation.stacks_named(&format!("{}-", scope.prefix)).await?;
    let (mut garbage, mut texts) = (Garbage::default(), Vec::new());
    for stack in &stacks {
        match stack.status.state() {
            StackState::Busy | StackState::Broken => return Err(unsettled(stack, scope)),
            StackState::Settled => texts.extend(references(aws, stack).await?),
            StackState::Absent | StackState::Shell => {}
        }
        let waiting = aws.cloudformation.waiting_change_sets(&stack.id).await?;
        let own = scope.stacks.contains(&stack.name);
        let (left, needed): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|one| own && stale_change_sets::is_garbage(one));
        for change_set in &needed {
            texts.extend(aws.cloudformation.texts_of_change_set(&stack.id, &change_set.id).await?);
        }
        let shell = stack.status.as_str() == "REVIEW_IN_PROGRESS" && stale_change_sets::is_old_shell(stack.created);
        if own && shell && needed.is_empty() {
            garbage.shells.push(stack.clone());
        }
        garbage.change_sets.extend(left);
    }
    let mut objects = Vec::new();
    for folder in FOLDERS {
        match aws.s3.list(&scope.bucket, folder).await {
            Ok(listed) => objects.extend(listed),
            Err(failure) if failure.kind == Kind::NoSuchBucket => break,
            Err(failure) => return Err(failure.into()),
        }
    }
    let mut used = named(&objects, &texts);
    // The document of a pipeline may name further artifacts.
    let documents: Vec<String> = used.iter().filter(|key| key.starts_with("config/")).cloned().collect();
    let documents = aws.s3.get_all(&scope.bucket, &documents).await?;
    let documents: Vec<String> = documents.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    used.extend(named(&objects, &documents));
    for object in objects {
        if used.contains(&object.key) {
            garbage.used += 1;
        } else if stale_change_sets::age(object.modified) > older_than {
            garbage.artifacts.push(object);
        } else {
            garbage.young += 1;
        }
    }
    Ok(garbage)
}

/// Every text of a deployed stack in which the key of an artifact may stand.
async fn references(aws: &Aws, stack: &ListedStack) -> Result<Vec<String>> {
    let template = aws.cloudformation.template(&stack.id).await?;
    // A long template came from the bucket, by the hash of its text.
    let mut texts = vec![format!("-{}.yaml", sha256(&template)), template];
    if let Some(found) = aws.cloudformation.stack(&stack.id).await? {
        texts.extend(found.parameters.into_values().chain(found.outputs.into_values()));
    }
    Ok(texts)
}

/// The keys that stand in one of the texts.
fn named(objects: &[Object], texts: &[String]) -> BTreeSet<String> {
    let named = |key: &str| {
        texts.iter().any(|text| text.contains(key) || text.starts_with('-') && key.ends_with(text.as_str()))
    };
    objects.iter().map(|object| &object.key).filter(|key| named(key)).cloned().collect()
}

fn unsettled(stack: &ListedStack, scope: &CollectionScope) -> Error {
    let error = Error::new(format!(
        "`{}` is in {}: the state after a rollback is unknown, so nothing is deleted",
        stack.name, stack.status
    ));
    match stack.status.state() {
        StackState::Busy => error.hint("run the command again when the operation has ended"),
        _ => error.hint(format!("fix it first: `pipectl status` shows all stacks of `{}`", scope.prefix)),
    }
}

/// Removes what was found. Artifacts leave the bucket's listing; their old versions go with the bucket's lifecycle.
pub async fn remove(aws: &Aws, scope: &CollectionScope, garbage: &Garbage) -> Result<()> {
    for change_set in &garbage.change_sets {
        aws.cloudformation.delete_change_set(&change_set.stack_name, &change_set.id).await?;
    }
    for shell in &garbage.shells {
        // Someone may have begun to create it meanwhile.
        let found = aws.cloudformation.stack(&shell.id).await?;
        if found.is_some_and(|found| found.status.as_str() == "REVIEW_IN_PROGRESS")
            && aws.cloudformation.waiting_change_sets(&shell.id).await?.is_empty()
        {
            aws.cloudformation.delete_stack(&shell.id, &format!("gc-{}", token(shell.created)), None).await?;
        }
    }
    for objects in garbage.artifacts.chunks(AT_ONCE) {
        let versions: Vec<Version> =
            objects.iter().map(|object| Version { key: object.key.clone(), id: None }).collect();
        aws.s3.delete(&scope.bucket, &versions).await?;
    }
    Ok(())
}

fn token(created: SystemTime) -> u64 {
    created.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
