//! Templates as requests bring them: a body, an object of our own S3, or the one that is deployed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{no_stack, no_such_stack};
use crate::account::local_account::Account;
use crate::account::query::{Fault, Query};
use crate::template::{Problem, Template, schema};
use crate::yaml::{self, Source};

const LONGEST_BODY: usize = 51_200;
const LONGEST_OBJECT: usize = 1024 * 1024;

/// The text of the template that a request brings.
pub(super) fn text(account: &Account, query: &Query) -> Result<String, Fault> {
    match (query.get("TemplateBody"), query.get("TemplateURL")) {
        (Some(body), None) => {
            if body.len() > LONGEST_BODY {
                return Err(Fault::validation(format!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have \
                     length less than or equal to {LONGEST_BODY}"
                )));
            }
            Ok(body.to_owned())
        }
        (None, Some(url)) => from_url(account, url),
        (None, None) => Err(Fault::validation("Either Template URL or Template Body must be specified.")),
        (Some(_), Some(_)) => Err(Fault::validation("You cannot specify both Template URL and Template Body.")),
    }
}

/// How many templates are kept read: every poll of a deployment asks for one.
const REMEMBERED: usize = 32;

/// Reads and checks a template; fails with what CloudFormation would say.
pub(super) fn parse(text: &str) -> Result<Arc<Template>, Fault> {
    static READ: Mutex<VecDeque<Arc<Template>>> = Mutex::new(VecDeque::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.iter().find(|known| known.source.text == text) {
        return Ok(Arc::clone(known));
    }
    let template = Arc::new(read_anew(text)?);
    read.truncate(REMEMBERED - 1);
    read.push_front(Arc::clone(&template));
    Ok(template)
}

fn read_anew(text: &str) -> Result<Template, Fault> {
    let source = Source::new("template", text);
    let node = yaml::parse(&source).map_err(|error| {
        let location = error.span().map(|span| format!(" (line {}, column {})", span.line(), span.column()));
        Fault::validation(format!("Template format error: YAML not well-formed.{}", location.unwrap_or_default()))
    })?;
    Template::from_node(&source, &node).map_err(|problems| Fault::validation(Problem::wording(&problems)))
}

/// Refuses resource types that this account does not have, by name.
pub(super) fn check_types(template: &Template) -> Result<(), Fault> {
    let mut unknown: Vec<&str> = template
        .resources
        .iter()
        .map(|resource| resource.resource_type.as_str())
        .filter(|resource_type| schema::of(resource_type).is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Fault::validation(format!("Template format error: Unrecognized resource types: [{}]", unknown.join(", "))))
}

/// The capabilities that a template asks for, and why.
pub(super) fn capabilities(template: &Template) -> Vec<&'static str> {
    let named = |resource_type: &str| match resource_type {
        "AWS::IAM::Role" => Some("RoleName"),
        "AWS::IAM::ManagedPolicy" => Some("ManagedPolicyName"),
        // Its name is not global: it stands inside its role.
        "AWS::IAM::RolePolicy" => Some(""),
        _ => None,
    };
    let mut iam = false;
    let mut named_iam = false;
    for resource in &template.resources {
        if let Some(property) = named(&resource.resource_type) {
            iam = true;
            named_iam |= resource.property(property).is_some();
        }
    }
    match (named_iam, iam) {
        (true, _) => vec!["CAPABILITY_NAMED_IAM"],
        (false, true) => vec!["CAPABILITY_IAM"],
        (false, false) => Vec::new(),
    }
}

fn from_url(account: &Account, url: &str) -> Result<String, Fault> {
    let unreachable = |message: &str| Fault::validation(format!("S3 error: {message}"));
    let Some((bucket, key)) = locate(url) else {
        return Err(Fault::validation("TemplateURL must be a supported URL."));
    };
    let bytes = account.store.read(&bucket, &key).map_err(|error| unreachable(&error.to_string()))?;
    if bytes.len() > LONGEST_OBJECT {
        return Err(Fault::validation(format!("Template may not exceed {LONGEST_OBJECT} bytes in size.")));
    }
    String::from_utf8(bytes).map_err(|_| Fault::validation("Template format error: the template is not UTF-8 text."))
}

/// The bucket and key that a URL names, in path style or virtual-hosted style.
fn locate(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path: String = percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let virtual_host = host.split_once(".s3.").or_else(|| host.split_once(".s3-")).map(|(bucket, _)| bucket.to_owned());
    match virtual_host {
        Some(bucket) => Some((bucket, path)),
        None => path.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned())),
    }
}

pub(super) fn get(account: &Account, query: &Query) -> Result<Value, Fault> {
    let stacks = account.stacks();
    let body = match (query.get("StackName"), query.get("ChangeSetName")) {
        (name, Some(change_set)) => {
            let found = stacks
                .live
                .values()
                .filter(|stack| name.is_none_or(|name| stack.name == name || stack.id == name))
                .flat_map(|stack| &stack.change_sets)
                .find(|candidate| candidate.name == change_set || candidate.id == change_set);
            let found = found.ok_or_else(|| Fault {
                status: 404,
                code: "ChangeSetNotFound",
                message: format!("ChangeSet [{change_set}] does not exist"),
            })?;
            found.desired.template.clone()
        }
        (Some(name), None) => {
            let stack = stacks.find(name).filter(|stack| stack.status != "REVIEW_IN_PROGRESS");
            stack.ok_or_else(|| no_stack(name))?.deployment.template.clone()
        }
        (None, None) => return Err(Fault::validation("StackName or ChangeSetName must be specified.")),
    };
    Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
}

pub(super) fn summary(account: &Arc<Account>, query: &Query) -> Result<Value, Fault> {
    let text = match query.get("StackName") {
        Some(name) => account.stacks().find(name).ok_or_else(|| no_such_stack(name))?.deployment.template.clone(),
        None => text(account, query)?,
    };
    let template = parse(&text)?;
    let mut identifiers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in &template.resources {
        identifiers.entry(&resource.resource_type).or_default().push(&resource.logical_id);
    }
    let types: Vec<&str> = identifiers.keys().copied().collect();
    let identifiers: Vec<Value> = identifiers
        .iter()
        .filter_map(|(resource_type, ids)| {
            let schema = schema::of(resource_type)?;
            Some(json!({
                "ResourceType": resource_type, "LogicalResourceIds": ids, "ResourceIdentifiers": schema.identifier,
            }))
        })
        .collect();
    let mut answer = described(&template);
    answer["ResourceTypes"] = json!(types);
    answer["ResourceIdentifierSummaries"] = identifiers.into();
    answer["Version"] = "2010-09-09".into();
    Ok(answer)
}

pub(super) fn validate(account: &Account, query: &Query) -> Result<Value, Fault> {
    let template = parse(&text(account, query)?)?;
    check_types(&template)?;
    Ok(described(&template))
}

fn described(template: &Template) -> Value {
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|parameter| {
            json!({
                "ParameterKey": parameter.name, "DefaultValue": parameter.default, "NoEcho": parameter.no_echo,
                "Description": parameter.description,
            })
        })
        .collect();
    let capabilities = capabilities(template);
    let mut answer = json!({"Parameters": parameters, "Description": template.description});
    if !capabilities.is_empty() {
        let iam: Vec<&str> = template
            .resources
            .iter()
            .filter(|resource| resource.resource_type.starts_with("AWS::IAM::"))
            .map(|resource| resource.resource_type.as_str())
            .collect();
        answer["Capabilities"] = json!(capabilities);
        answer["CapabilitiesReason"] =
            format!("The following resource(s) require capabilities: [{}]", iam.join(", ")).into();
    }
    answer
}
