//! What an expression comes to, as far as it can be known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::expression::{Expression, Form, Intrinsic, SubPart};
use super::{Evaluated, Resource, Template, network};
use crate::error::{Error, Result};
use crate::yaml::Span;

/// What a lookup asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// `Ref` of a resource.
    Resource { logical_id: &'a str },
    /// `Fn::GetAtt` of a resource.
    Attribute { logical_id: &'a str, attribute: &'a str },
    /// `Fn::ImportValue`.
    Import { name: &'a str },
}

/// The values of the pseudo parameters.
#[derive(Debug, Clone, Default)]
pub struct PseudoParameters {
    pub account: String,
    pub region: String,
    pub stack_name: String,
    /// Unknown for a stack that does not exist yet.
    pub stack_id: Option<String>,
    pub notification_arns: Vec<String>,
}

impl PseudoParameters {
    /// The partition of the region.
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    fn url_suffix(&self) -> &'static str {
        if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
    }
}

/// What expressions are evaluated in.
pub struct Scope<'a> {
    pub template: &'a Template,
    pub parameters: &'a BTreeMap<String, Evaluated>,
    pub pseudo: &'a PseudoParameters,
    /// Answers what other resources and stacks know.
    pub lookup: &'a dyn Fn(Lookup<'_>) -> Evaluated,
}

impl Scope<'_> {
    /// The value of an expression; none where it is `AWS::NoValue`.
    pub fn evaluate(&self, expression: &Expression) -> Result<Option<Evaluated>> {
        Ok(Some(match &expression.form {
            Form::Null => Evaluated::Null,
            Form::Bool(value) => Evaluated::Bool(*value),
            Form::Number(number) => Evaluated::Number(number.clone()),
            Form::String(text) => Evaluated::String(text.clone()),
            Form::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(self.evaluate(item)?);
                }
                Evaluated::List(list)
            }
            Form::Object(entries) => {
                let mut object = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if let Some(value) = self.evaluate(value)? {
                        object.push((key.name.clone(), value));
                    }
                }
                Evaluated::Object(object)
            }
            Form::Intrinsic(intrinsic) => return self.intrinsic(intrinsic, &expression.span),
        }))
    }

    /// Whether a condition holds; none if that depends on something unknown.
    pub fn condition(&self, name: &str, span: &Span) -> Result<Option<bool>> {
        let expression = self.template.condition(name).ok_or_else(|| {
            Error::project(format!("unknown condition `{name}`")).at(span, "").hint("define it under `Conditions`")
        })?;
        self.truth(expression)
    }

    /// Whether a resource is part of the stack; none if that depends on something unknown.
    pub fn includes(&self, resource: &Resource) -> Result<Option<bool>> {
        match &resource.condition {
            Some((name, span)) => self.condition(name, span),
            None => Ok(Some(true)),
        }
    }

    /// The properties of a resource, evaluated.
    pub fn properties(&self, resource: &Resource) -> Result<Evaluated> {
        Ok(self.evaluate(&resource.properties)?.unwrap_or(Evaluated::Object(Vec::new())))
    }

    fn truth(&self, expression: &Expression) -> Result<Option<bool>> {
        let value = self.present(expression)?;
        match value {
            Evaluated::Bool(value) => Ok(Some(value)),
            Evaluated::String(text) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Evaluated::Unknown(_) => Ok(None),
            _ => Err(Error::project("this is not a condition")
                .at(&expression.span, "")
                .hint("use `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not` or `Condition`")),
        }
    }

    fn present(&self, expression: &Expression) -> Result<Evaluated> {
        Ok(self.evaluate(expression)?.unwrap_or(Evaluated::Null))
    }

    fn intrinsic(&self, intrinsic: &Intrinsic, span: &Span) -> Result<Option<Evaluated>> {
        Ok(Some(match intrinsic {
            Intrinsic::Ref(name) if name == "AWS::NoValue" => return Ok(None),
            Intrinsic::Ref(name) => self.reference(name),
            Intrinsic::GetAtt { resource, attribute } => match self.present(attribute)? {
                Evaluated::Unknown(waits_for) => Evaluated::Unknown(waits_for),
                attribute => {
                    let attribute = text(&attribute, span)?;
                    (self.lookup)(Lookup::Attribute { logical_id: resource, attribute: &attribute })
                }
            },
            Intrinsic::Sub { parts, variables } => self.substitute(parts, variables, span)?,
            Intrinsic::Join { delimiter, items } => match self.list(items)? {
                Err(waits_for) => Evaluated::Unknown(waits_for),
                Ok(items) => {
                    if let Some(waits_for) = unknown_in(&items) {
                        return Ok(Some(Evaluated::Unknown(waits_for)));
                    }
                    let texts = items.iter().map(|item| text(item, span)).collect::<Result<Vec<_>>>()?;
                    Evaluated::String(texts.join(delimiter))
                }
            },
            Intrinsic::Select { index, items } => self.select(index, items, span)?,
            Intrinsic::Split { delimiter, text: argument } => match self.present(argument)? {
                Evaluated::Unknown(waits_for) => Evaluated::Unknown(waits_for),
                value => {
                    let value = text(&value, span)?;
                    Evaluated::List(
                        value.split(delimiter.as_str()).map(|part| Evaluated::String(part.to_owned())).collect(),
                    )
                }
            },
            Intrinsic::If { condition, then, otherwise } => match self.condition(condition, span)? {
                Some(true) => return self.evaluate(then),
                Some(false) => return self.evaluate(otherwise),
                None => Evaluated::Unknown(format!("condition {condition}")),
            },
            Intrinsic::Equals(left, right) => {
                let (left, right) = (self.present(left)?, self.present(right)?);
                match unknown_in([&left, &right]) {
                    Some(waits_for) => Evaluated::Unknown(waits_for),
                    None => Evaluated::Bool(match (left.as_text(), right.as_text()) {
                        (Some(left), Some(right)) => left == right,
                        _ => left == right,
                    }),
                }
            }
            Intrinsic::And(items) => self.all(items, true)?,
            Intrinsic::Or(items) => self.all(items, false)?,
            Intrinsic::Not(item) => match self.truth(item)? {
                Some(value) => Evaluated::Bool(!value),
                None => Evaluated::Unknown("a condition".to_owned()),
            },
            Intrinsic::Condition(name) => match self.condition(name, span)? {
                Some(value) => Evaluated::Bool(value),
                None => Evaluated::Unknown(format!("condition {name}")),
            },
            Intrinsic::FindInMap { map, first, second, default } => {
                return self.find_in_map([map, first, second], default.as_ref(), span);
            }
            Intrinsic::ImportValue(name) => match self.present(name)? {
                Evaluated::Unknown(waits_for) => Evaluated::Unknown(waits_for),
                name => (self.lookup)(Lookup::Import { name: &text(&name, span)? }),
            },
            Intrinsic::Base64(argument) => match self.present(argument)? {
                Evaluated::Unknown(waits_for) => Evaluated::Unknown(waits_for),
                value => Evaluated::String(network::base64(text(&value, span)?.as_bytes())),
            },
            Intrinsic::Cidr { block, count, bits } => self.cidr(block, count, bits.as_ref(), span)?,
            Intrinsic::GetAZs(region) => match self.present(region)? {
                Evaluated::Unknown(waits_for) => Evaluated::Unknown(waits_for),
                region => {
                    let region = region.as_text().filter(|text| !text.is_empty());
                    let region = region.unwrap_or_else(|| self.pseudo.region.clone());
                    Evaluated::List(["a", "b", "c"].map(|zone| Evaluated::String(format!("{region}{zone}"))).into())
                }
            },
        }))
    }

    fn reference(&self, name: &str) -> Evaluated {
        let pseudo = self.pseudo;
        match name {
            "AWS::AccountId" => Evaluated::String(pseudo.account.clone()),
            "AWS::Region" => Evaluated::String(pseudo.region.clone()),
            "AWS::Partition" => Evaluated::String(pseudo.partition().to_owned()),
            "AWS::URLSuffix" => Evaluated::String(pseudo.url_suffix().to_owned()),
            "AWS::StackName" => Evaluated::String(pseudo.stack_name.clone()),
            "AWS::StackId" => {
                pseudo.stack_id.clone().map_or_else(|| Evaluated::Unknown(name.to_owned()), Evaluated::String)
            }
            "AWS::NotificationARNs" => {
                Evaluated::List(pseudo.notification_arns.iter().cloned().map(Evaluated::String).collect())
            }
            _ => match self.parameters.get(name) {
                Some(value) => value.clone(),
                None if self.template.parameter(name).is_some() => Evaluated::Unknown(name.to_owned()),
                None => (self.lookup)(Lookup::Resource { logical_id: name }),
            },
        }
    }

    fn substitute(
        &self,
        parts: &[SubPart],
        variables: &[(crate::yaml::Key, Expression)],
        span: &Span,
    ) -> Result<Evaluated> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| key.name == name);
            found.map(|(_, expression)| self.present(expression)).transpose()
        };
        let mut result = String::new();
        let mut waits_for = None;
        for part in parts {
            let value = match part {
                SubPart::Text(text) => {
                    result.push_str(text);
                    continue;
                }
                SubPart::Name(name) => match variable(name)? {
                    Some(value) => value,
                    None => self.reference(name),
                },
                SubPart::Attribute { resource, attribute } => match variable(&format!("{resource}.{attribute}"))? {
                    Some(value) => value,
                    None => (self.lookup)(Lookup::Attribute { logical_id: resource, attribute }),
                },
            };
            match value {
                Evaluated::Unknown(name) => waits_for = waits_for.or(Some(name)),
                value => {
                    let _ = write!(result, "{}", text(&value, span)?);
                }
            }
        }
        Ok(waits_for.map_or(Evaluated::String(result), Evaluated::Unknown))
    }

    fn select(&self, index: &Expression, items: &Expression, span: &Span) -> Result<Evaluated> {
        let index = match self.present(index)? {
            Evaluated::Unknown(waits_for) => return Ok(Evaluated::Unknown(waits_for)),
            index => text(&index, span)?,
        };
        let items = match self.list(items)? {
            Err(waits_for) => return Ok(Evaluated::Unknown(waits_for)),
            Ok(items) => items,
        };
        let found = index.parse::<usize>().ok().and_then(|index| items.get(index).cloned());
        found.ok_or_else(|| {
            Error::project(format!("`Fn::Select` has no item {index}: the list has {}", items.len()))
                .at(span, "")
                .hint("the first item has the index 0")
        })
    }

    fn cidr(
        &self,
        block: &Expression,
        count: &Expression,
        bits: Option<&Expression>,
        span: &Span,
    ) -> Result<Evaluated> {
        let bits = bits.map_or_else(|| Ok(Evaluated::String("8".to_owned())), |bits| self.present(bits))?;
        let (block, count) = (self.present(block)?, self.present(count)?);
        if let Some(waits_for) = unknown_in([&block, &count, &bits]) {
            return Ok(Evaluated::Unknown(waits_for));
        }
        let (block, count, bits) = (text(&block, span)?, text(&count, span)?, text(&bits, span)?);
        let parts = network::parts(&block, &count, &bits).ok_or_else(|| {
            Error::project(format!("`{block}` cannot be cut into {count} parts with {bits} bits"))
                .at(span, "")
                .hint("ask for fewer or smaller parts")
        })?;
        Ok(Evaluated::List(parts.into_iter().map(Evaluated::String).collect()))
    }

    /// A list, or what it waits for.
    fn list(&self, expression: &Expression) -> Result<Result<Vec<Evaluated>, String>> {
        Ok(match self.present(expression)? {
            Evaluated::List(items) => Ok(items),
            Evaluated::Unknown(waits_for) => Err(waits_for),
            _ => {
                return Err(Error::project("a list is required here").at(&expression.span, "this is not a list").hint(
                    "write a list, or a function that makes one such as `Fn::Split` or a parameter of a list type",
                ));
            }
        })
    }

    fn all(&self, items: &[Expression], neutral: bool) -> Result<Evaluated> {
        let mut unknown = false;
        for item in items {
            match self.truth(item)? {
                Some(value) if value != neutral => return Ok(Evaluated::Bool(value)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Evaluated::Unknown("a condition".to_owned()) } else { Evaluated::Bool(neutral) })
    }

    fn find_in_map(
        &self,
        path: [&Expression; 3],
        default: Option<&Expression>,
        span: &Span,
    ) -> Result<Option<Evaluated>> {
        let mut names = Vec::with_capacity(3);
        for step in path {
            match self.present(step)? {
                Evaluated::Unknown(waits_for) => return Ok(Some(Evaluated::Unknown(waits_for))),
                value => names.push(text(&value, span)?),
            }
        }
        let found = self
            .template
            .mappings
            .iter()
            .find(|(key, _)| key.name == names[0])
            .and_then(|(_, map)| map.get(&names[1])?.get(&names[2]));
        match (found, default) {
            (Some(value), _) | (None, Some(value)) => self.evaluate(value),
            (None, None) => Err(Error::project(format!(
                "the mapping `{}` has no value at `{}`, `{}`",
                names[0], names[1], names[2]
            ))
            .at(span, "")
            .hint("add the key to `Mappings`, or a `DefaultValue` to `Fn::FindInMap`")),
        }
    }
}

fn unknown_in<'a>(values: impl IntoIterator<Item = &'a Evaluated>) -> Option<String> {
    values.into_iter().find_map(|value| match value {
        Evaluated::Unknown(waits_for) => Some(waits_for.clone()),
        Evaluated::List(items) => unknown_in(items),
        _ => None,
    })
}

fn text(value: &Evaluated, span: &Span) -> Result<String> {
    // A list parameter inside a text is joined with commas, as CloudFormation does.
    if let Evaluated::List(items) = value {
        return Ok(items.iter().map(|item| text(item, span)).collect::<Result<Vec<_>>>()?.join(","));
    }
    value.as_text().ok_or_else(|| {
        Error::project("a text is required here")
            .at(span, "this is not a text")
            .hint("use a value that is a single text")
    })
}
