//! An account in which all stacks of a project are deployed, and whose change sets are recordings.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::test_server::{Reply, Request, serve};

pub(super) const ACCOUNT: &str = "111111111111";

/// What CloudFormation answers when a change set is described with the values of properties, and without.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) with_values: Value,
    pub(super) without: Value,
}

/// The templates of the stacks, and what their change sets are, both by the stacks' names in the account.
pub(super) struct Account {
    pub(super) templates: BTreeMap<String, String>,
    pub(super) change_sets: BTreeMap<String, Served>,
}

const INCOMPLETE: &str = "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet creation \
     failed for resource [Dropped] because: Template error: every value of the Fn::Join object must be a string";

impl Served {
    /// The answer that was recorded.
    pub(super) fn as_recorded(with_values: Option<&Value>, without: Option<&Value>) -> Option<Self> {
        let with_values = with_values.or(without)?.clone();
        let without = without.unwrap_or(&with_values).clone();
        Some(Self { with_values, without })
    }

    /// The same change set when CloudFormation does not know all values: it says so, and omits a resource.
    pub(super) fn incomplete(with_values: &Value, without: &Value) -> Self {
        let mut with_values = with_values.clone();
        with_values["StatusReason"] = INCOMPLETE.into();
        if let Some(changes) = with_values["Changes"].as_array_mut()
            && !changes.is_empty()
        {
            changes.remove(0);
        }
        Self { with_values, without: without.clone() }
    }
}

impl Account {
    /// Starts the account; returns its address, and the names of the stacks for which a change set was made.
    pub(super) fn start(self) -> (String, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let address = serve(move |request| {
            if request.action == "CreateChangeSet" {
                seen.lock().unwrap().push(request.field("StackName").to_owned());
            }
            self.answer(request)
        });
        (address, asked)
    }

    fn answer(&self, request: &Request) -> Reply {
        let stack = request.field("StackName");
        let stack = stack.rsplit('/').next().unwrap_or_default();
        match request.action.as_str() {
            "GetCallerIdentity" => {
                Reply::Result(json!({"Account": ACCOUNT, "Arn": format!("arn:aws:iam::{ACCOUNT}:user/x")}))
            }
            "DescribeStacks" if stack.is_empty() => Reply::Result(
                json!({"Stacks": self.templates.keys().map(|name| self.described(name)).collect::<Value>()}),
            ),
            "DescribeStacks" if self.templates.contains_key(stack) => {
                Reply::Result(json!({"Stacks": [self.described(stack)]}))
            }
            "GetTemplate" => Reply::Result(json!({"TemplateBody": self.templates[stack]})),
            "CreateChangeSet" => Reply::Result(json!({"Id": format!("arn:change-set/{stack}"), "StackId": arn(stack)})),
            "DescribeChangeSet" => self.change_set(request),
            "DeleteChangeSet" => Reply::Result(json!({})),
            action => Reply::Error(400, "ValidationError", format!("{action} of {stack} does not exist")),
        }
    }

    /// A stack without tags: all of them seem to come, so that pipectl asks for a change set.
    fn described(&self, name: &str) -> Value {
        let outputs = self.templates[name].split_once("\nOutputs:\n").map_or("", |(_, outputs)| outputs);
        let names = outputs.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).filter_map(|line| {
            let name = line.strip_prefix("  ")?.split(':').next()?;
            (!name.starts_with([' ', '#'])).then_some(name)
        });
        let outputs: Value =
            names.map(|name| json!({"OutputKey": name, "OutputValue": format!("value-of-{name}")})).collect();
        json!({"StackName": name, "StackId": arn(name), "StackStatus": "UPDATE_COMPLETE", "CreationTime": "2026-01-01T00:00:00Z",
            "Outputs": outputs, "Parameters": [], "Tags": []})
    }

    /// A description, one change a page.
    fn change_set(&self, request: &Request) -> Reply {
        let stack = request.field("ChangeSetName").rsplit('/').next().unwrap_or_default();
        let Some(served) = self.change_sets.get(stack) else {
            return Reply::Result(json!({
                "ChangeSetId": format!("arn:change-set/{stack}"), "StackId": arn(stack), "Status": "FAILED",
                "StatusReason": "The submitted information didn't contain changes. Submit different information to create a change set.",
            }));
        };
        let values = request.field("IncludePropertyValues") == "true";
        let recorded = if values { &served.with_values } else { &served.without };
        let changes = recorded["Changes"].as_array().map_or(&[][..], Vec::as_slice);
        let page: usize = request.field("NextToken").parse().unwrap_or(0);
        let next = (page + 1 < changes.len()).then(|| (page + 1).to_string());
        Reply::Result(json!({
            "ChangeSetId": format!("arn:change-set/{stack}"),
            "StackId": arn(stack),
            "Status": recorded["Status"],
            "StatusReason": recorded["StatusReason"],
            "ExecutionStatus": recorded["ExecutionStatus"],
            "Changes": changes.get(page).map_or(json!([]), |change| json!([on_the_wire(change)])),
            "NextToken": next,
        }))
    }
}

fn arn(stack: &str) -> String {
    format!("arn:aws:cloudformation:eu-central-1:{ACCOUNT}:stack/{stack}")
}

/// The recordings hold contexts and values as structures; AWS sends them as JSON text.
fn on_the_wire(change: &Value) -> Value {
    let mut change = change.clone();
    for context in ["BeforeContext", "AfterContext"] {
        change.pointer_mut(&format!("/ResourceChange/{context}")).into_iter().for_each(as_text);
    }
    for detail in change.pointer_mut("/ResourceChange/Details").and_then(Value::as_array_mut).into_iter().flatten() {
        for value in ["BeforeValue", "AfterValue"] {
            detail.pointer_mut(&format!("/Target/{value}")).into_iter().for_each(as_text);
        }
    }
    change
}

fn as_text(value: &mut Value) {
    if !value.is_string() && !value.is_null() {
        *value = value.to_string().into();
    }
}
