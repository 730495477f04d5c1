//! The roles and policies of an account, gathered from the resources of its templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::document::Statement;
use super::values::texts;
use crate::resource::Resource;
use crate::yaml::{Node, Span};

/// A role: what it may do, and who may be it.
#[derive(Debug, Clone, Default)]
pub struct Role {
    pub name: String,
    pub arn: String,
    pub trust: Vec<Statement>,
    pub statements: Vec<Statement>,
    /// None: no boundary.
    pub boundary: Option<Boundary>,
    /// Managed policies that no template defines: what they allow is not known.
    pub unknown: Vec<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) node: Option<Arc<Node>>,
}

/// The most that a role can do.
#[derive(Debug, Clone)]
pub struct Boundary {
    pub name: String,
    pub statements: Vec<Statement>,
    pub(super) node: Option<Arc<Node>>,
}

/// The policies that belong to a resource such as a queue.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    pub statements: Vec<Statement>,
    pub(super) node: Option<Arc<Node>>,
}

/// All roles and policies of an account.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    pub account: String,
    pub region: String,
    pub roles: BTreeMap<String, Role>,
    /// By the ARN of the bucket, queue, topic, function, key or secret.
    pub resources: BTreeMap<String, Owned>,
    /// The tags of resources, by ARN.
    pub(super) tags: BTreeMap<String, Vec<(String, String)>>,
}

impl Role {
    /// Where it stands, or a property of it.
    pub fn span_of(&self, path: &[&str]) -> Option<Span> {
        let path = std::iter::once("Properties").chain(path.iter().copied());
        Some(self.node.as_ref()?.span_of(path))
    }
}

impl Policies {
    /// Gathers the policies of all resources.
    pub fn gather(account: &str, region: &str, resources: &[Resource]) -> Self {
        let mut policies = Self { account: account.to_owned(), region: region.to_owned(), ..Self::default() };
        let of = |kind: &'static str| resources.iter().filter(move |resource| resource.kind == kind);
        for role in of("AWS::IAM::Role") {
            let role = policies.role(role, resources);
            policies.roles.insert(role.name.clone(), role);
        }
        for kind in ["AWS::IAM::RolePolicy", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"] {
            for policy in of(kind) {
                let single = policy.text("/RoleName").map(str::to_owned);
                for name in texts(policy.properties.get("Roles")).chain(single) {
                    if let Some(role) = policies.roles.get_mut(&name) {
                        role.statements.extend(statements(policy, "PolicyDocument"));
                    }
                }
            }
        }
        for resource in resources {
            policies.own(resource);
        }
        policies
    }

    fn role(&self, role: &Resource, resources: &[Resource]) -> Role {
        let managed = |arn: &str| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            resources.iter().find(|resource| {
                resource.kind == "AWS::IAM::ManagedPolicy"
                    && (resource.name == arn
                        || resource.name == name
                        || resource.text("/ManagedPolicyName") == Some(name))
            })
        };
        let mut granted = Vec::new();
        let inline = role.properties.get("Policies").and_then(Value::as_array).into_iter().flatten();
        for (index, policy) in inline.enumerate() {
            let index = index.to_string();
            let node = part(role, &["Policies", &index, "PolicyDocument"]);
            granted.extend(policy.get("PolicyDocument").map_or_else(Vec::new, |one| Statement::all(one, node)));
        }
        let mut unknown = Vec::new();
        for arn in texts(role.properties.get("ManagedPolicyArns")) {
            match managed(&arn) {
                Some(policy) => granted.extend(statements(policy, "PolicyDocument")),
                None => unknown.push(arn),
            }
        }
        let boundary = role.text("/PermissionsBoundary").map(|arn| {
            let found = managed(arn);
            if found.is_none() {
                unknown.push(arn.to_owned());
            }
            Boundary {
                name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
                statements: found.map_or_else(Vec::new, |policy| statements(policy, "PolicyDocument")),
                node: found.and_then(|policy| policy.node.clone()),
            }
        });
        let path = role.text("/Path").unwrap_or("/");
        Role {
            name: role.name.clone(),
            arn: format!("arn:aws:iam::{}:role{path}{}", self.account, role.name),
            trust: statements(role, "AssumeRolePolicyDocument"),
            statements: granted,
            boundary,
            unknown,
            tags: tags(&role.properties),
            node: role.node.clone(),
        }
    }

    /// Takes what a resource says of itself, or of others.
    fn own(&mut self, resource: &Resource) {
        let Self { account, region, .. } = self;
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:{account}:{rest}");
        let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        let (targets, granted): (Vec<String>, Vec<Statement>) = match resource.kind.as_str() {
            "AWS::S3::BucketPolicy" => (
                resource.text("/Bucket").map(|name| format!("arn:aws:s3:::{name}")).into_iter().collect(),
                statements(resource, "PolicyDocument"),
            ),
            "AWS::SQS::QueuePolicy" => (
                texts(resource.properties.get("Queues")).map(|url| arn("sqs", &last(&url))).collect(),
                statements(resource, "PolicyDocument"),
            ),
            "AWS::SNS::TopicPolicy" => {
                (texts(resource.properties.get("Topics")).collect(), statements(resource, "PolicyDocument"))
            }
            "AWS::SecretsManager::ResourcePolicy" => (
                resource.text("/SecretId").map(str::to_owned).into_iter().collect(),
                statements(resource, "ResourcePolicy"),
            ),
            "AWS::Lambda::Permission" => {
                let name = resource.text("/FunctionName").unwrap_or_default();
                let function = name.rsplit(":function:").next().unwrap_or(name).split(':').next().unwrap_or(name);
                let function = arn("lambda", &format!("function:{function}"));
                let statement = Statement::read(
                    &permission(resource, &function),
                    true,
                    resource.node.as_ref().and_then(|node| node.get("Properties")),
                );
                (vec![function], statement.into_iter().collect())
            }
            "AWS::KMS::Key" => (vec![arn("kms", &format!("key/{}", resource.name))], statements(resource, "KeyPolicy")),
            "AWS::RedshiftServerless::Workgroup" => {
                let tags = tags(&resource.properties);
                self.tags.insert(format!("workgroup {}", resource.name), tags);
                return;
            }
            _ => return,
        };
        for target in targets {
            let owned = self.resources.entry(target).or_default();
            owned.statements.extend(granted.iter().cloned());
            owned.node = owned.node.take().or_else(|| resource.node.clone());
        }
    }

    /// The tags of a workgroup, by its name.
    pub fn workgroup_tags(&self, name: &str) -> &[(String, String)] {
        self.tags.get(&format!("workgroup {name}")).map_or(&[], Vec::as_slice)
    }

    /// What belongs to the resource of a call: an object's bucket, a function's versions.
    pub fn owned(&self, resource: &str) -> Option<&Owned> {
        let base = if resource.starts_with("arn:aws:s3:::") {
            resource.split('/').next().unwrap_or(resource)
        } else {
            resource
        };
        self.resources.get(base)
    }
}

/// Where a property stands in its template.
fn part<'a>(resource: &'a Resource, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(resource.node.as_ref()?.get("Properties")?, |node, step| match step.parse::<usize>() {
        Ok(index) => node.items().get(index),
        Err(_) => node.get(step),
    })
}

/// The statements of a property that holds a policy.
fn statements(resource: &Resource, name: &str) -> Vec<Statement> {
    let document = resource.properties.get(name);
    document.map_or_else(Vec::new, |document| Statement::all(document, part(resource, &[name])))
}

/// What a Lambda permission puts into the policy of its function.
fn permission(resource: &Resource, function: &str) -> Value {
    let principal = resource.text("/Principal").unwrap_or_default();
    let kind = if principal.contains(".amazonaws.com") { "Service" } else { "AWS" };
    let mut condition = json!({});
    if let Some(arn) = resource.text("/SourceArn") {
        condition["ArnLike"] = json!({"AWS:SourceArn": arn});
    }
    if let Some(account) = resource.text("/SourceAccount") {
        condition["StringEquals"] = json!({"AWS:SourceAccount": account});
    }
    json!({
        "Effect": "Allow",
        "Principal": if principal == "*" { json!("*") } else { json!({ kind: principal }) },
        "Action": resource.text("/Action").unwrap_or_default(),
        "Resource": function,
        "Condition": condition,
    })
}

fn tags(properties: &Value) -> Vec<(String, String)> {
    let list = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).map(str::to_owned);
    list.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?))).collect()
}
