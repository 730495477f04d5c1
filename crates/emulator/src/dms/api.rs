//! DMS: whether the replications of the stacks run, and the three calls that ask, start and stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::file;
use crate::account::json::{JsonError, JsonResult};
use crate::account::local_account::{Account, exists};
use crate::account::state::StackResource;
use crate::error::Result;
use crate::resource::Refusal;

const CONFIGURATION: &str = "AWS::DMS::ReplicationConfig";
const ENDPOINT: &str = "AWS::DMS::Endpoint";

/// The states of all replications, by the ARN of their configuration.
pub(crate) struct Replications {
    path: PathBuf,
    known: Mutex<BTreeMap<String, State>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    status: Status,
    /// How often it was started.
    starts: u32,
    how: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[default]
    Created,
    Initializing,
    Running,
    Stopping,
    Stopped,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Initializing => "initializing",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether its configuration may be changed or deleted.
    fn at_rest(self) -> bool {
        matches!(self, Self::Created | Self::Stopped)
    }

    /// What it is a little later.
    fn next(self) -> Self {
        match self {
            Self::Initializing => Self::Running,
            Self::Stopping => Self::Stopped,
            other => other,
        }
    }
}

impl Replications {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join("replications.json");
        let known = file::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, known: Mutex::new(known) })
    }

    /// Whether a replication has been started and not been stopped.
    pub(crate) fn is_running(&self, arn: &str) -> bool {
        !self.state(arn).status.at_rest()
    }

    fn state(&self, arn: &str) -> State {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned().unwrap_or_default()
    }

    fn set(&self, arn: &str, state: State) -> std::result::Result<(), JsonError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(arn.to_owned(), state);
        file::write_json(&self.path, &*known).map_err(|error| JsonError {
            status: 500,
            code: "InternalFailure".to_owned(),
            message: format!("cannot keep the state of the replication: {error}"),
        })
    }

    /// Refuses to change or delete what a running replication uses, as DMS does. `all` are the resources that exist.
    pub(crate) fn check_at_rest(
        &self,
        resource: &StackResource,
        all: &[&StackResource],
    ) -> std::result::Result<(), Refusal> {
        let uses = |configuration: &StackResource| match resource.resource_type.as_str() {
            CONFIGURATION => configuration.physical_id == resource.physical_id,
            ENDPOINT => ["SourceEndpointArn", "TargetEndpointArn"]
                .iter()
                .any(|name| configuration.properties[*name].as_str() == Some(&resource.physical_id)),
            _ => false,
        };
        let user =
            all.iter().find(|one| one.resource_type == CONFIGURATION && uses(one) && self.is_running(&one.physical_id));
        match user {
            None => Ok(()),
            Some(user) => Err(Refusal::by_handler(
                &format!(
                    "Replication config {} is in state {}: it can be changed and deleted in the states created, stopped and failed only",
                    user.physical_id,
                    self.state(&user.physical_id).status.as_str(),
                ),
                "InvalidRequest",
            )),
        }
    }

    /// Forgets a replication whose configuration is gone.
    pub(crate) fn forget(&self, arn: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.remove(arn).is_some() {
            // What is written again with the next change.
            let _ = file::write_json(&self.path, &*known);
        }
    }

    /// Answers a call of the DMS API.
    pub(crate) fn call(&self, account: &Account, operation: &str, body: &Value) -> JsonResult {
        match operation {
            "DescribeReplications" => self.describe(account, body),
            "StartReplication" => self.start(account, body),
            "StopReplication" => self.stop(account, body),
            _ => Err(JsonError::unknown_operation("AmazonDMSv20160101", operation)),
        }
    }

    fn describe(&self, account: &Account, body: &Value) -> JsonResult {
        let filters = body["Filters"].as_array().map_or(&[][..], Vec::as_slice);
        let expected: Option<Vec<&str>> = filters
            .iter()
            .find(|filter| filter["Name"] == "replication-config-arn")
            .map(|filter| filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect());
        let mut found = Vec::new();
        for configuration in configurations(account) {
            let arn = &configuration.physical_id;
            if expected.as_ref().is_some_and(|expected| !expected.contains(&arn.as_str())) {
                continue;
            }
            let state = self.state(arn);
            found.push(described(&configuration, &state));
            // The next call finds it a step further.
            if state.status != state.status.next() {
                self.set(arn, State { status: state.status.next(), ..state })?;
            }
        }
        if found.is_empty() && expected.is_some() {
            return Err(JsonError::new("ResourceNotFoundFault", "No replications found matching the filters"));
        }
        Ok(json!({"Replications": found}))
    }

    fn start(&self, account: &Account, body: &Value) -> JsonResult {
        let configuration = configuration(account, body)?;
        let arn = &configuration.physical_id;
        let how = body["StartReplicationType"].as_str().unwrap_or_default();
        let state = self.state(arn);
        if !state.status.at_rest() {
            return Err(wrong_state(arn, state.status));
        }
        if !matches!(how, "start-replication" | "resume-processing" | "reload-target") {
            return Err(JsonError::new("InvalidParameterValueException", &format!("{how} is not a way to start")));
        }
        if state.starts == 0 && how != "start-replication" {
            return Err(JsonError::new(
                "InvalidParameterCombinationException",
                "The first run of a replication must be started with start-replication",
            ));
        }
        let state = State { status: Status::Initializing, starts: state.starts + 1, how: how.to_owned() };
        self.set(arn, state.clone())?;
        Ok(json!({"Replication": described(&configuration, &state)}))
    }

    fn stop(&self, account: &Account, body: &Value) -> JsonResult {
        let configuration = configuration(account, body)?;
        let arn = &configuration.physical_id;
        let state = self.state(arn);
        if !matches!(state.status, Status::Initializing | Status::Running) {
            return Err(wrong_state(arn, state.status));
        }
        let state = State { status: Status::Stopping, ..state };
        self.set(arn, state.clone())?;
        Ok(json!({"Replication": described(&configuration, &state)}))
    }
}

fn configurations(account: &Account) -> Vec<StackResource> {
    let stacks = account.stacks();
    let all = stacks.live.values().flat_map(|stack| &stack.resources);
    all.filter(|resource| resource.resource_type == CONFIGURATION && exists(resource)).cloned().collect()
}

fn configuration(account: &Account, body: &Value) -> std::result::Result<StackResource, JsonError> {
    let arn = body["ReplicationConfigArn"].as_str().unwrap_or_default();
    configurations(account)
        .into_iter()
        .find(|one| one.physical_id == arn)
        .ok_or_else(|| JsonError::new("ResourceNotFoundFault", &format!("Replication config {arn} not found")))
}

fn described(configuration: &StackResource, state: &State) -> Value {
    let mut described = json!({
        "ReplicationConfigArn": configuration.physical_id,
        "ReplicationConfigIdentifier": configuration.properties["ReplicationConfigIdentifier"],
        "SourceEndpointArn": configuration.properties["SourceEndpointArn"],
        "TargetEndpointArn": configuration.properties["TargetEndpointArn"],
        "ReplicationType": configuration.properties["ReplicationType"],
        "Status": state.status.as_str(),
    });
    if !state.how.is_empty() {
        described["StartReplicationType"] = state.how.as_str().into();
    }
    described
}

fn wrong_state(arn: &str, status: Status) -> JsonError {
    JsonError::new("InvalidResourceStateFault", &format!("Replication {arn} is in state {}", status.as_str()))
}
