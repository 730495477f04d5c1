//! A call that IAM refuses: in AWS's words for the program, in ours for people.

use super::request::Principal;
use crate::error::Error;
use crate::yaml::Span;

/// What refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The role does not exist.
    NoRole,
    ExplicitDeny,
    /// The role's own policies.
    Identity,
    Boundary,
    /// The policy of the resource.
    Resource,
    /// The trust policy of the role.
    Trust,
}

/// A refused call, why it was refused, and the line to change.
#[derive(Debug, Clone)]
pub struct Denial {
    pub principal: Principal,
    pub action: String,
    pub resource: String,
    pub layer: Layer,
    pub why: String,
    pub span: Option<Span>,
    pub fix: String,
}

impl Denial {
    /// What AWS answers the caller.
    pub fn answer(&self, account: &str) -> String {
        let who = match &self.principal {
            Principal::Role(name) => format!("User: arn:aws:sts::{account}:assumed-role/{name}/rehearsal"),
            Principal::Service(name) => name.clone(),
        };
        let because = match self.layer {
            Layer::ExplicitDeny => "with an explicit deny".to_owned(),
            Layer::NoRole | Layer::Identity => {
                format!("because no identity-based policy allows the {} action", self.action)
            }
            Layer::Boundary => format!("because no permissions boundary allows the {} action", self.action),
            Layer::Resource | Layer::Trust => {
                format!("because no resource-based policy allows the {} action", self.action)
            }
        };
        let (action, resource) = (&self.action, &self.resource);
        format!("{who} is not authorized to perform: {action} on resource: \"{resource}\" {because}")
    }

    /// The resource with all that changes from call to call left out.
    pub fn pattern(&self) -> String {
        generalized(&self.resource)
    }

    /// What the call was, in one line.
    pub fn call(&self) -> String {
        if let (Layer::Trust, Some((_, role))) = (self.layer, self.resource.rsplit_once('/')) {
            return format!("{} may not assume the role `{role}`", self.principal.name());
        }
        let resource = if self.resource == "*" { String::new() } else { format!(" on {}", self.pattern()) };
        let who = match &self.principal {
            Principal::Role(name) => format!("the role `{name}`"),
            Principal::Service(name) => name.clone(),
        };
        format!("{who} may not {}{resource}", self.action)
    }
}

impl From<&Denial> for Error {
    fn from(denial: &Denial) -> Self {
        let error = Self::new(format!("IAM: {}: {}", denial.call(), denial.why));
        let error = if denial.fix.is_empty() { error } else { error.hint(&denial.fix) };
        match &denial.span {
            Some(span) => error.at(span, ""),
            None => error,
        }
    }
}

/// `arn:aws:s3:::zone/orders/batch=1/x.parquet` → `arn:aws:s3:::zone/orders/*`, and the like.
pub(super) fn generalized(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2).unwrap_or_default();
    match service {
        "s3" => {
            let Some((bucket, key)) = arn.split_once('/') else { return arn.to_owned() };
            let folders: Vec<&str> = key.split('/').collect();
            let fixed = |part: &&&str| !part.contains('=') && !part.starts_with(|first: char| first.is_ascii_digit());
            let kept: Vec<&str> = folders[..folders.len() - 1].iter().take(2).take_while(fixed).copied().collect();
            match kept.len() {
                0 if folders.len() == 1 => arn.to_owned(),
                0 => format!("{bucket}/*"),
                1 if folders.len() == 2 && folders[0] == "state" => arn.to_owned(),
                _ => format!("{bucket}/{}/*", kept.join("/")),
            }
        }
        "logs" => arn.split_once(":log-stream:").map_or_else(|| arn.to_owned(), |(group, _)| format!("{group}:*")),
        "secretsmanager" => {
            let ends = arn.rsplit_once('-').filter(|(_, end)| end.len() == 6);
            ends.map_or_else(|| arn.to_owned(), |(name, _)| format!("{name}-??????"))
        }
        "redshift-serverless" => {
            arn.split_once(":workgroup/").map_or_else(|| arn.to_owned(), |(start, _)| format!("{start}:workgroup/*"))
        }
        _ => arn.to_owned(),
    }
}
