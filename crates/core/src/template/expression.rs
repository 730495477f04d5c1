//! Values with intrinsic functions in them: one form for both spellings.

use super::intrinsic::Call;
use super::problem::Problem;
use crate::yaml::{Key, Node, Span, Value};

/// A value of a template, which may hold intrinsic functions.
#[derive(Debug, Clone)]
pub struct Expression {
    pub form: Form,
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Expression>),
    Object(Vec<(Key, Expression)>),
    Intrinsic(Box<Intrinsic>),
}

/// An intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub enum Intrinsic {
    Ref(String),
    GetAtt { resource: String, attribute: Expression },
    Sub { parts: Vec<SubPart>, variables: Vec<(Key, Expression)> },
    Join { delimiter: String, items: Expression },
    Select { index: Expression, items: Expression },
    Split { delimiter: String, text: Expression },
    If { condition: String, then: Expression, otherwise: Expression },
    Equals(Expression, Expression),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Expression),
    Condition(String),
    FindInMap { map: Expression, first: Expression, second: Expression, default: Option<Expression> },
    ImportValue(Expression),
    Base64(Expression),
    Cidr { block: Expression, count: Expression, bits: Option<Expression> },
    GetAZs(Expression),
}

/// A part of the text of `Fn::Sub`.
#[derive(Debug, Clone, PartialEq)]
pub enum SubPart {
    Text(String),
    /// `${name}`: a parameter, a resource, or a variable of the function's own map.
    Name(String),
    /// `${resource.attribute}`.
    Attribute {
        resource: String,
        attribute: String,
    },
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

/// Where an expression stands: `{Condition: name}` is a function only among the conditions (a policy statement has a
/// key of the same name).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Value,
    Condition,
}

impl Expression {
    /// The value under a key, if this is an object without a function around it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The entries of an object; none for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.form {
            Form::Object(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.form {
            Form::List(items) => items,
            _ => &[],
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.form {
            Form::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn intrinsic(&self) -> Option<&Intrinsic> {
        match &self.form {
            Form::Intrinsic(intrinsic) => Some(intrinsic),
            _ => None,
        }
    }

    /// Calls `visit` with this expression and every one inside it, outer ones first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// The expressions directly inside this one.
    pub fn children(&self) -> Vec<&Self> {
        match &self.form {
            Form::Null | Form::Bool(_) | Form::Number(_) | Form::String(_) => Vec::new(),
            Form::List(items) => items.iter().collect(),
            Form::Object(entries) => entries.iter().map(|(_, value)| value).collect(),
            Form::Intrinsic(intrinsic) => intrinsic.children(),
        }
    }

    pub(super) fn read(node: &Node, position: Position, problems: &mut Vec<Problem>) -> Self {
        if let Some(tag) = &node.tag {
            let name = tag.trim_start_matches('!');
            let long = if name == "Ref" || name == "Condition" { name.to_owned() } else { format!("Fn::{name}") };
            return Self::read_intrinsic(&long, node, &node.span, position, problems);
        }
        if let [(key, argument)] = node.entries() {
            let function = key.name == "Ref"
                || key.name.starts_with("Fn::")
                || (key.name == "Condition" && position == Position::Condition);
            if function {
                return Self::read_intrinsic(&key.name, argument, &key.span, position, problems);
            }
        }
        let form = match &node.value {
            Value::Null => Form::Null,
            Value::Bool(value) => Form::Bool(*value),
            Value::Number(number) => Form::Number(number.clone()),
            Value::String(text) => Form::String(text.clone()),
            Value::Sequence(items) => {
                Form::List(items.iter().map(|item| Self::read(item, position, problems)).collect())
            }
            Value::Mapping(entries) => Form::Object(
                entries.iter().map(|(key, value)| (key.clone(), Self::read(value, position, problems))).collect(),
            ),
        };
        Self { form, span: node.span.clone() }
    }

    fn read_intrinsic(
        name: &str,
        argument: &Node,
        span: &Span,
        position: Position,
        problems: &mut Vec<Problem>,
    ) -> Self {
        // The argument may itself carry the tag that brought us here: only what is inside counts.
        let bare = Node { tag: None, ..argument.clone() };
        let argument =
            if argument.tag.as_deref().is_some_and(|tag| is_spelling_of(tag, name)) { &bare } else { argument };
        match (Call { name, argument, span, position }).read(problems) {
            Ok(intrinsic) => Self { form: Form::Intrinsic(Box::new(intrinsic)), span: span.clone() },
            Err(problem) => {
                problems.push(*problem);
                Self { form: Form::Null, span: span.clone() }
            }
        }
    }
}

fn is_spelling_of(tag: &str, name: &str) -> bool {
    let tag = tag.trim_start_matches('!');
    tag == name || Some(tag) == name.strip_prefix("Fn::")
}

impl Intrinsic {
    /// The function's name in its long form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ref(_) => "Ref",
            Self::GetAtt { .. } => "Fn::GetAtt",
            Self::Sub { .. } => "Fn::Sub",
            Self::Join { .. } => "Fn::Join",
            Self::Select { .. } => "Fn::Select",
            Self::Split { .. } => "Fn::Split",
            Self::If { .. } => "Fn::If",
            Self::Equals(..) => "Fn::Equals",
            Self::And(_) => "Fn::And",
            Self::Or(_) => "Fn::Or",
            Self::Not(_) => "Fn::Not",
            Self::Condition(_) => "Condition",
            Self::FindInMap { .. } => "Fn::FindInMap",
            Self::ImportValue(_) => "Fn::ImportValue",
            Self::Base64(_) => "Fn::Base64",
            Self::Cidr { .. } => "Fn::Cidr",
            Self::GetAZs(_) => "Fn::GetAZs",
        }
    }

    fn children(&self) -> Vec<&Expression> {
        match self {
            Self::Ref(_) | Self::Condition(_) => Vec::new(),
            Self::GetAtt { attribute: inner, .. }
            | Self::Join { items: inner, .. }
            | Self::Split { text: inner, .. }
            | Self::Not(inner)
            | Self::ImportValue(inner)
            | Self::Base64(inner)
            | Self::GetAZs(inner) => vec![inner],
            Self::Sub { variables, .. } => variables.iter().map(|(_, value)| value).collect(),
            Self::Select { index: left, items: right }
            | Self::If { then: left, otherwise: right, .. }
            | Self::Equals(left, right) => vec![left, right],
            Self::And(items) | Self::Or(items) => items.iter().collect(),
            Self::FindInMap { map, first, second, default } => {
                [map, first, second].into_iter().chain(default.as_ref()).collect()
            }
            Self::Cidr { block, count, bits } => [block, count].into_iter().chain(bits.as_ref()).collect(),
        }
    }
}
