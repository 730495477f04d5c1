//! The parameters of a template: what they accept, and the values that a deployment gives them.

use std::collections::BTreeMap;

use regex::Regex;

use super::evaluated::Evaluated;
use super::problem::Problem;
use super::{Template, read};
use crate::yaml::{Key, Node, Span, Value};

/// A parameter of a template.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub parameter_type: ParameterType,
    pub default: Option<String>,
    pub no_echo: bool,
    pub description: Option<String>,
    pub allowed_values: Vec<String>,
    pub allowed_pattern: Option<String>,
    pub constraint_description: Option<String>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub min_value: Option<f64>,
    pub max_value: Option<f64>,
    pub span: Span,
}

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterType {
    String,
    Number,
    NumberList,
    CommaDelimitedList,
    /// `AWS::EC2::VPC::Id` and its like: a string that names something that exists.
    Aws(String),
    /// `List<AWS::EC2::Subnet::Id>` and its like.
    AwsList(String),
    /// `AWS::SSM::Parameter::Value<…>`: the value is the name of an SSM parameter.
    Ssm {
        of: String,
        list: bool,
    },
}

impl ParameterType {
    fn parse(text: &str) -> Option<Self> {
        let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
        Some(match text {
            "String" => Self::String,
            "Number" => Self::Number,
            "List<Number>" => Self::NumberList,
            "CommaDelimitedList" => Self::CommaDelimitedList,
            _ => {
                if let Some(of) = inner("AWS::SSM::Parameter::Value<") {
                    let list = of.starts_with("List<") || of == "CommaDelimitedList";
                    Self::Ssm { of: of.to_owned(), list }
                } else if let Some(of) = inner("List<AWS::") {
                    Self::AwsList(format!("AWS::{of}"))
                } else if text.starts_with("AWS::") {
                    Self::Aws(text.to_owned())
                } else {
                    return None;
                }
            }
        })
    }

    /// Whether values of this type are lists.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::NumberList | Self::CommaDelimitedList | Self::AwsList(_) | Self::Ssm { list: true, .. })
    }
}

impl Parameter {
    pub(super) fn read(key: &Key, node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        read::check_name(key, "Parameter", problems);
        let Some(type_node) = node.get("Type") else {
            problems.push(
                Problem::new(
                    &key.span,
                    format!("the parameter `{}` has no type", key.name),
                    format!(
                        "Template format error: Every Parameters object must contain a Type member. ({})",
                        key.name
                    ),
                )
                .hint("add `Type: String`"),
            );
            return None;
        };
        let Some(parameter_type) = type_node.as_str().and_then(ParameterType::parse) else {
            let text = type_node.as_str().unwrap_or(type_node.kind());
            problems.push(
                Problem::new(
                    &type_node.span,
                    format!("`{text}` is not a parameter type"),
                    format!("Template format error: Unrecognized parameter type: {text}"),
                )
                .hint("use `String`, `Number`, `CommaDelimitedList`, `List<Number>` or an `AWS::…` type"),
            );
            return None;
        };
        let text = |name: &str| node.get(name).and_then(scalar);
        let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
        let length = |name: &str| text(name).and_then(|text| text.parse::<usize>().ok());
        Some(Self {
            name: key.name.clone(),
            parameter_type,
            default: text("Default"),
            no_echo: text("NoEcho").is_some_and(|text| text == "true"),
            description: text("Description"),
            allowed_values: node
                .get("AllowedValues")
                .map(|node| node.items().iter().filter_map(scalar).collect())
                .unwrap_or_default(),
            allowed_pattern: text("AllowedPattern"),
            constraint_description: text("ConstraintDescription"),
            min_length: length("MinLength"),
            max_length: length("MaxLength"),
            min_value: number("MinValue"),
            max_value: number("MaxValue"),
            span: key.span.clone(),
        })
    }

    /// The evaluated form of a value given as text.
    pub fn value(&self, text: &str) -> Evaluated {
        if self.parameter_type.is_list() {
            if text.is_empty() {
                return Evaluated::List(Vec::new());
            }
            Evaluated::List(text.split(',').map(|item| Evaluated::String(item.trim().to_owned())).collect())
        } else {
            Evaluated::String(text.to_owned())
        }
    }

    /// Says, in CloudFormation's words, what is wrong with a value; nothing if it is right.
    pub fn complaint(&self, text: &str) -> Option<String> {
        let name = &self.name;
        let items: Vec<&str> =
            if self.parameter_type.is_list() { text.split(',').map(str::trim).collect() } else { vec![text] };
        let numeric = matches!(self.parameter_type, ParameterType::Number | ParameterType::NumberList);
        if numeric && items.iter().any(|item| item.parse::<f64>().is_err()) {
            return Some(format!("Parameter '{name}' must be a number."));
        }
        if !self.allowed_values.is_empty()
            && items.iter().any(|item| !self.allowed_values.iter().any(|known| known == item))
        {
            return Some(self.explained(format!("Parameter '{name}' must be one of AllowedValues")));
        }
        if let Some(pattern) = &self.allowed_pattern
            && let Ok(regex) = Regex::new(&format!("^(?:{pattern})$"))
            && items.iter().any(|item| !regex.is_match(item))
        {
            return Some(self.explained(format!(
                "Parameter {name} failed to satisfy constraint: Member must satisfy \
                                                regular expression pattern: {pattern}"
            )));
        }
        let length = text.chars().count();
        if self.min_length.is_some_and(|least| length < least) {
            let least = self.min_length.unwrap_or_default();
            return Some(self.explained(format!("Parameter '{name}' must contain at least {least} characters")));
        }
        if self.max_length.is_some_and(|most| length > most) {
            let most = self.max_length.unwrap_or_default();
            return Some(self.explained(format!("Parameter '{name}' must contain at most {most} characters")));
        }
        let number = text.parse::<f64>().ok().filter(|_| numeric);
        if let (Some(number), Some(least)) = (number, self.min_value)
            && number < least
        {
            return Some(self.explained(format!("Parameter '{name}' must be a number not less than {least}")));
        }
        if let (Some(number), Some(most)) = (number, self.max_value)
            && number > most
        {
            return Some(self.explained(format!("Parameter '{name}' must be a number not greater than {most}")));
        }
        None
    }

    fn explained(&self, message: String) -> String {
        match &self.constraint_description {
            Some(description) => format!("Parameter '{}' failed to satisfy constraint: {description}", self.name),
            None => message,
        }
    }
}

impl Template {
    /// The text of every parameter: the given value, else the default. Fails, in CloudFormation's words, on values that
    /// are missing, unknown or not allowed.
    pub fn parameter_texts(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        let unknown: Vec<&str> =
            given.keys().filter(|name| self.parameter(name).is_none()).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
        }
        let mut texts = BTreeMap::new();
        let mut missing = Vec::new();
        for parameter in &self.parameters {
            match given.get(&parameter.name).or(parameter.default.as_ref()) {
                Some(text) => {
                    texts.insert(parameter.name.clone(), text.clone());
                }
                None => missing.push(parameter.name.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(format!("Parameters: [{}] must have values", missing.join(", ")));
        }
        let complaint = |parameter: &Parameter| parameter.complaint(texts.get(&parameter.name)?);
        match self.parameters.iter().find_map(complaint) {
            Some(complaint) => Err(complaint),
            None => Ok(texts),
        }
    }

    /// The evaluated parameters of a deployment, from their texts.
    pub fn parameter_values(&self, texts: &BTreeMap<String, String>) -> BTreeMap<String, Evaluated> {
        self.parameters
            .iter()
            .filter_map(|parameter| {
                texts.get(&parameter.name).map(|text| (parameter.name.clone(), parameter.value(text)))
            })
            .collect()
    }
}

/// A scalar as the text that CloudFormation makes of it.
fn scalar(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        // The text as it was written: `0123` and `1.0` must not change.
        Value::Number(number) => {
            let written = node.span.text().trim();
            if written.is_empty() { number.to_string() } else { written.to_owned() }
        }
        _ => return None,
    })
}
