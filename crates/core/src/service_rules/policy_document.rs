//! The policy documents of resources, and the parts of their grammar that several rules check.

use serde_json::Value;

use super::Subject;

/// What a policy belongs to, which decides what its statements hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A policy of a role, user or group.
    Identity,
    /// Who may assume a role.
    Trust,
    /// A policy of a bucket, queue, topic, key, secret or endpoint.
    Resource,
}

/// A policy document and where it is.
pub(super) struct Document<'v> {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) value: std::borrow::Cow<'v, Value>,
}

/// A statement and where it is.
pub(super) struct Statement<'v> {
    pub(super) path: String,
    pub(super) value: &'v Value,
}

/// The types that have a policy document.
pub(super) const TYPES: &[&str] = &[
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::Group",
    "AWS::S3::BucketPolicy",
    "AWS::S3::AccessPoint",
    "AWS::SQS::QueuePolicy",
    "AWS::SQS::QueueInlinePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SNS::TopicInlinePolicy",
    "AWS::KMS::Key",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::EC2::VPCEndpoint",
    "AWS::Logs::ResourcePolicy",
    "AWS::Events::EventBus",
];

/// The policy documents of a resource.
pub(super) fn documents<'v>(subject: &Subject<'v>) -> Vec<Document<'v>> {
    let mut documents = Vec::new();
    let mut add = |path: &str, kind: Kind| {
        if let Some(value) = subject.get(path).filter(|value| !super::is_unknown(value)) {
            // A document may be written as a JSON text.
            let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
            let value = parsed.map_or(std::borrow::Cow::Borrowed(value), std::borrow::Cow::Owned);
            documents.push(Document { path: path.to_owned(), kind, value });
        }
    };
    match subject.resource.resource_type {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            add("AssumeRolePolicyDocument", Kind::Trust);
            for index in 0..subject.list("Policies").len() {
                add(&format!("Policies/{index}/PolicyDocument"), Kind::Identity);
            }
        }
        kind if kind.starts_with("AWS::IAM::") => add("PolicyDocument", Kind::Identity),
        "AWS::KMS::Key" => add("KeyPolicy", Kind::Resource),
        "AWS::SecretsManager::ResourcePolicy" => add("ResourcePolicy", Kind::Resource),
        "AWS::S3::AccessPoint" | "AWS::Events::EventBus" => add("Policy", Kind::Resource),
        _ => add("PolicyDocument", Kind::Resource),
    }
    documents
}

impl Document<'_> {
    /// The statements that are mappings.
    pub(super) fn statements(&self) -> Vec<Statement<'_>> {
        let Some(statements) = self.value.get("Statement") else { return Vec::new() };
        super::one_or_more(statements, &format!("{}/Statement", self.path))
            .into_iter()
            .filter(|(_, value)| value.is_object())
            .map(|(path, value)| Statement { path, value })
            .collect()
    }
}

impl Statement<'_> {
    /// The texts under a key that are known, each with its path.
    pub(super) fn texts(&self, key: &str) -> Vec<(String, &str)> {
        let Some(value) = self.value.get(key) else { return Vec::new() };
        super::one_or_more(value, &format!("{}/{key}", self.path))
            .into_iter()
            .filter_map(|(path, value)| Some((path, value.as_str()?)))
            .filter(|(_, text)| !text.contains(super::UNKNOWN))
            .collect()
    }

    /// `ReadObjects` in backticks, or its number.
    pub(super) fn name(&self) -> String {
        match self.value.get("Sid").and_then(Value::as_str) {
            Some(sid) if !sid.is_empty() => format!("the statement `{sid}`"),
            _ => {
                let number = self.path.rsplit('/').next().and_then(|step| step.parse::<usize>().ok()).unwrap_or(0) + 1;
                format!("statement {number}")
            }
        }
    }
}

/// The size that IAM counts: characters that are not white space.
pub(super) fn size(document: &Value) -> usize {
    document.to_string().chars().filter(|c| !c.is_whitespace()).count()
}
