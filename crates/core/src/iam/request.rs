//! What is asked: who, what, on what, and the circumstances.

use std::collections::BTreeMap;

/// The circumstances of a call: the values of its condition keys. Keys are not case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Sets a key that has one value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    /// Sets a key that has several values.
    pub fn set_all(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_lowercase(), values);
    }

    /// Sets a key unless it is there.
    pub fn fill(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_lowercase()).or_insert_with(|| vec![value.into()]);
    }

    /// The values of a key in lower case.
    pub(super) fn get(&self, key: &str) -> Option<&Vec<String>> {
        self.0.get(key)
    }

    /// The first value of a key.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.0.get(&key.to_lowercase())?.first().map(String::as_str)
    }
}

impl<K: AsRef<str>, V: Into<String>> FromIterator<(K, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        pairs.into_iter().fold(Self::default(), |context, (key, value)| context.with(key.as_ref(), value))
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A session of a role of the account, by the role's name.
    Role(String),
    /// A service by itself, such as `events.amazonaws.com`.
    Service(String),
}

impl Principal {
    /// The name of the role or service.
    pub fn name(&self) -> &str {
        match self {
            Self::Role(name) | Self::Service(name) => name,
        }
    }
}

/// A call, as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    pub principal: Principal,
    /// Such as `s3:PutObject`.
    pub action: String,
    /// An ARN, or `*` where the action knows no resource.
    pub resource: String,
    pub context: Context,
}

impl Request {
    pub fn new(principal: Principal, action: &str, resource: &str) -> Self {
        Self { principal, action: action.to_owned(), resource: resource.to_owned(), context: Context::default() }
    }

    /// A call of a role.
    pub fn of_role(role: &str, action: &str, resource: &str) -> Self {
        Self::new(Principal::Role(role.to_owned()), action, resource)
    }

    /// A call of a service.
    pub fn of_service(service: &str, action: &str, resource: &str) -> Self {
        Self::new(Principal::Service(service.to_owned()), action, resource)
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.set(key, value);
        self
    }
}
