//! Policy documents.

use serde_json::Value;

use super::condition::Condition;
use super::pattern::Pattern;
use super::request::Context;
use super::values::texts;
use crate::yaml::{Node, Span};

/// What a statement does with the calls that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Whether it means all but these.
    pub not: bool,
    pub patterns: Vec<Pattern>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principals {
    pub(super) not: bool,
    /// A kind (`AWS`, `Service`, `Federated`, or `*` for everybody) and a name.
    pub(super) names: Vec<(String, String)>,
}

/// A statement, and where it stands.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub actions: Names,
    /// None where the policy belongs to a resource and speaks of it alone.
    pub resources: Option<Names>,
    pub(super) principals: Option<Principals>,
    pub conditions: Vec<Condition>,
    /// Where it stands in its template.
    node: Option<Node>,
}

impl Names {
    fn of(statement: &Value, name: &str, variables: bool, change: fn(String) -> String) -> Option<Self> {
        let read =
            |value: &Value| texts(Some(value)).map(|text| Pattern::new(&change(text), variables)).collect::<Vec<_>>();
        if let Some(value) = statement.get(name) {
            return Some(Self { not: false, patterns: read(value) });
        }
        statement.get(format!("Not{name}")).map(|value| Self { not: true, patterns: read(value) })
    }

    /// The number of the name that takes the text; for `Not…`, the first if none of them does.
    fn find(&self, test: impl Fn(&Pattern) -> bool) -> Option<usize> {
        let found = self.patterns.iter().position(test);
        if self.not { found.is_none().then_some(0) } else { found }
    }
}

impl Statement {
    /// The statements of a policy document, each with its place.
    pub(super) fn all(document: &Value, node: Option<&Node>) -> Vec<Self> {
        // Without a version it is 2008-10-17, which knows no variables.
        let variables = document.get("Version").and_then(Value::as_str) == Some("2012-10-17");
        let inner = node.and_then(|node| node.get("Statement"));
        match document.get("Statement") {
            Some(Value::Array(statements)) => statements
                .iter()
                .enumerate()
                .filter_map(|(index, statement)| {
                    let span = inner.map(|node| node.items().get(index).unwrap_or(node));
                    Self::read(statement, variables, span)
                })
                .collect(),
            Some(statement) => Self::read(statement, variables, inner).into_iter().collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn read(statement: &Value, variables: bool, node: Option<&Node>) -> Option<Self> {
        let text = |name: &str| statement.get(name).and_then(Value::as_str);
        let effect = match text("Effect")? {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => return None,
        };
        Some(Self {
            sid: text("Sid").map(str::to_owned),
            effect,
            actions: Names::of(statement, "Action", false, |action| action.to_lowercase())?,
            resources: Names::of(statement, "Resource", variables, |resource| resource),
            principals: principals(statement),
            conditions: Condition::all(statement.get("Condition"), variables),
            node: node.cloned(),
        })
    }

    /// Where it stands, or a part of it such as `["Resource"]`.
    pub fn span_of(&self, path: &[&str]) -> Option<Span> {
        let node = self.node.as_ref()?;
        let path = match path {
            // The statement itself is best marked at its name.
            [] if node.get("Sid").is_some() => &["Sid"],
            // A Lambda permission spells its condition so.
            ["Condition", ..] if node.get("SourceArn").is_some() => &["SourceArn"],
            path => path,
        };
        Some(node.span_of(path.iter().copied()))
    }

    /// Its name, or what stands for one.
    pub fn name(&self) -> String {
        match (&self.sid, self.span_of(&[])) {
            (Some(sid), _) => format!("`{sid}`"),
            (None, Some(span)) => format!("the statement of line {}", span.line()),
            (None, None) => "a statement without a name".to_owned(),
        }
    }

    /// The number of the action that takes the call's.
    pub fn action(&self, action: &str, context: &Context) -> Option<usize> {
        let action = action.to_lowercase();
        self.actions.find(|pattern| pattern.matches(&action, context))
    }

    /// Whether it speaks of a resource.
    pub fn takes_resource(&self, resource: &str, context: &Context) -> bool {
        let Some(names) = &self.resources else { return true };
        let takes = |pattern: &Pattern| {
            // An action that knows no resource is granted by `*` alone.
            if resource == "*" { pattern.is_everything() } else { pattern.matches_arn(resource, context) }
        };
        names.find(takes).is_some()
    }

    /// The first condition that does not hold. One that is not understood makes an Allow void, and leaves a Deny be.
    pub(super) fn failing(&self, context: &Context) -> Option<&Condition> {
        self.conditions.iter().find(|condition| {
            if condition.is_known() { !condition.holds(context) } else { self.effect == Effect::Allow }
        })
    }

    /// Whether it is about the call; gives the number of the action.
    pub(super) fn applies(&self, action: &str, resource: &str, context: &Context) -> Option<usize> {
        let number = self.action(action, context)?;
        (self.takes_resource(resource, context) && self.failing(context).is_none()).then_some(number)
    }
}

fn principals(statement: &Value) -> Option<Principals> {
    let (not, value) = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(value), _) => (false, value),
        (None, Some(value)) => (true, value),
        (None, None) => return None,
    };
    let names = match value {
        Value::String(text) => vec![("*".to_owned(), text.clone())],
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, names)| texts(Some(names)).map(move |name| (kind.clone(), name)))
            .map(|(kind, name)| if kind == "AWS" && name == "*" { ("*".to_owned(), name) } else { (kind, name) })
            .collect(),
        _ => Vec::new(),
    };
    Some(Principals { not, names })
}
