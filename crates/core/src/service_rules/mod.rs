//! What AWS's services refuse beyond their schemas: one file a service, one [`Rule`] a mistake.
//!
//! `pipectl check` applies the rules to the rendered templates, and the local account applies them when it creates or
//! updates a resource. `docs/rules.md` is generated from them.

#![expect(clippy::items_after_statements, reason = "a list of names reads best beside the check that uses it")]
#![expect(clippy::float_cmp, reason = "limits and steps are whole numbers, and 0.0625")]
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "`.fifo` ends a name, not a file")]

mod athena;
mod cloudtrail;
mod cloudwatch;
mod dms;
mod ec2;
mod events;
mod glue;
mod iam;
mod kms;
mod lambda;
mod logs;
mod names;
mod policy_document;
mod rds;
mod redshift;
mod references;
mod s3;
pub mod schedule_expression;
mod scheduler;
mod secrets;
mod sns;
mod sqs;
mod ssm;
mod step_functions;
mod tags;

use std::fmt::Write as _;

use serde_json::Value;

pub use crate::template::shape::{UNKNOWN, is_unknown};
pub(crate) use scheduler::zones;

/// A rule of a service about its resources.
pub struct Rule {
    /// Names the rule in errors, in `docs/rules.md` and where it is suppressed.
    pub id: &'static str,
    /// The resource types that it is about; `*` for all.
    pub types: &'static [&'static str],
    /// The property that it is about.
    pub property: &'static str,
    /// What AWS accepts.
    pub accepts: &'static str,
    /// The page of AWS that says so.
    pub source: &'static str,
    /// A resource that AWS refuses: the properties of the first of `types`, or a whole template.
    pub bad: &'static str,
    /// The same, corrected.
    pub good: &'static str,
    check: fn(&Subject<'_>, &mut Findings),
}

/// A resource with its properties evaluated.
#[derive(Debug, Clone)]
pub struct Declared<'a> {
    pub stack: &'a str,
    pub logical_id: &'a str,
    pub resource_type: &'a str,
    /// What `Ref` gives.
    pub physical_id: String,
    pub arn: Option<String>,
    pub properties: &'a Value,
}

/// All resources of an account and region.
#[derive(Debug, Clone, Default)]
pub struct World<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub resources: Vec<Declared<'a>>,
    /// Whether resources that come later are in it too: `check` has all, an account only those that exist.
    pub is_complete: bool,
}

/// The resource that is checked, and the world that it is in.
pub struct Subject<'a> {
    pub resource: &'a Declared<'a>,
    pub world: &'a World<'a>,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub source: &'static str,
    /// From the properties down.
    pub path: Vec<String>,
    /// Goes on after the name of the resource: "moves objects to `STANDARD_IA` after 5 days".
    pub message: String,
    pub hint: String,
    /// What the service answers; empty if the answer is not known word for word.
    pub answer: String,
}

/// Collects what a rule finds.
#[derive(Default)]
pub struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    /// Adds a finding at a path such as `Targets/0/Arn`.
    fn add(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.refuse(path, message, hint, "");
    }

    /// Adds a finding with the answer of the service.
    fn refuse(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>, answer: impl Into<String>) {
        self.found.push(Finding {
            rule: "",
            source: "",
            path: path.split('/').filter(|step| !step.is_empty()).map(str::to_owned).collect(),
            message: message.into(),
            hint: hint.into(),
            answer: answer.into(),
        });
    }
}

/// All rules, service by service.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        athena::RULES,
        cloudtrail::RULES,
        cloudwatch::RULES,
        dms::RULES,
        ec2::RULES,
        events::RULES,
        glue::RULES,
        iam::RULES,
        kms::RULES,
        lambda::RULES,
        logs::RULES,
        rds::RULES,
        redshift::RULES,
        s3::RULES,
        scheduler::RULES,
        secrets::RULES,
        sns::RULES,
        sqs::RULES,
        ssm::RULES,
        step_functions::RULES,
        names::RULES,
        references::RULES,
        tags::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Applies every rule to a resource.
pub fn findings(resource: &Declared<'_>, world: &World<'_>) -> Vec<Finding> {
    let subject = Subject { resource, world };
    let mut all = Vec::new();
    for rule in rules() {
        if rule.types.iter().any(|name| *name == "*" || *name == resource.resource_type) {
            let mut findings = Findings::default();
            (rule.check)(&subject, &mut findings);
            all.extend(findings.found.into_iter().map(|one| Finding { rule: rule.id, source: rule.source, ..one }));
        }
    }
    all
}

impl<'a> World<'a> {
    pub fn of_type(&self, resource_type: &'a str) -> impl Iterator<Item = &Declared<'a>> {
        self.resources.iter().filter(move |resource| resource.resource_type == resource_type)
    }

    /// The resource of a type that a `Ref`, an ARN or a name means.
    pub fn find(&self, resource_type: &str, reference: &str) -> Option<&Declared<'a>> {
        self.resources.iter().filter(|resource| resource.resource_type == resource_type).find(|resource| {
            resource.physical_id == reference
                || resource.arn.as_deref() == Some(reference)
                || resource.name().is_some_and(|name| name == reference)
                // A value that is known only after a deployment is named by the logical id and the attribute.
                || (reference.starts_with(UNKNOWN)
                    && reference.strip_prefix(resource.physical_id.as_str()).is_some_and(|rest| rest.starts_with('.')))
        })
    }
}

impl Declared<'_> {
    /// The name that the template gives.
    pub fn name(&self) -> Option<&str> {
        names::of(self.resource_type).and_then(|path| text(self.properties, path))
    }
}

impl<'a> Subject<'a> {
    fn properties(&self) -> &'a Value {
        self.resource.properties
    }

    /// A property that is there, known or not.
    fn get(&self, path: &str) -> Option<&'a Value> {
        get(self.properties(), path)
    }

    fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// A text that is known.
    fn text(&self, path: &str) -> Option<&'a str> {
        text(self.properties(), path)
    }

    fn number(&self, path: &str) -> Option<f64> {
        number(self.properties(), path)
    }

    fn is_true(&self, path: &str) -> bool {
        is_true(self.properties(), path)
    }

    fn list(&self, path: &str) -> &'a [Value] {
        list(self.properties(), path)
    }
}

/// A property at a path such as `Targets/0/Arn`.
fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    get(value, path)?.as_str().filter(|text| !text.contains(UNKNOWN))
}

/// A text, known or not: to compare two references.
fn reference<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    get(value, path)?.as_str()
}

fn number(value: &Value, path: &str) -> Option<f64> {
    as_number(get(value, path)?)
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn is_true(value: &Value, path: &str) -> bool {
    match get(value, path) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    get(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A value or the values of a list, with the steps that lead to each.
fn one_or_more<'v>(value: &'v Value, path: &str) -> Vec<(String, &'v Value)> {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (format!("{path}/{index}"), item)).collect()
        }
        value => vec![(path.to_owned(), value)],
    }
}

/// A number as people write it.
fn shown(number: f64) -> String {
    let mut text = String::new();
    let _ = write!(text, "{number}");
    text
}

/// Whether anything inside of a value is only known after a deployment.
fn has_unknown(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_unknown),
        Value::Object(entries) => entries.values().any(has_unknown),
        value => is_unknown(value),
    }
}

/// Checks that a number is in a range.
fn in_range(subject: &Subject<'_>, findings: &mut Findings, path: &str, least: f64, most: f64) {
    if let Some(number) = subject.number(path)
        && !(least..=most).contains(&number)
    {
        findings.refuse(
            path,
            format!("has `{path}: {}`", shown(number)),
            format!("write a number from {} to {}", shown(least), shown(most)),
            format!("Invalid value for the parameter {path}."),
        );
    }
}

/// The parts of an ARN: partition, service, region, account, resource.
fn arn_parts(text: &str) -> Option<[&str; 5]> {
    let mut parts = text.splitn(6, ':');
    (parts.next() == Some("arn")).then_some(())?;
    Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?])
}

#[cfg(test)]
mod tests;
