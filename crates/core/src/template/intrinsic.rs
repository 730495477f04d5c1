//! From the argument of a function to the function.

use super::expression::{Expression, Form, Intrinsic, Position, SubPart};
use super::problem::Problem;
use crate::error::did_you_mean;
use crate::yaml::{Node, Span, Value};

const INTRINSICS: [&str; 17] = [
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::If",
    "Fn::Equals",
    "Fn::And",
    "Fn::Or",
    "Fn::Not",
    "Condition",
    "Fn::FindInMap",
    "Fn::ImportValue",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::GetAZs",
];

const GET_ATT: &str =
    "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute";
const SUB: &str = "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
                   argument, and an optional second argument to specify a mapping of values to replace in the string";
const JOIN: &str = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to \
                    be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
const SPLIT: &str = "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be \
                     split or a function that returns a string to be split.";
const CIDR: &str = "every Fn::Cidr object requires two required parameters, (1) ipBlock and (2) count, and an optional \
                    parameter, (3) cidrBits";
const FIND_IN_MAP: &str = "every Fn::FindInMap object requires three parameters, the map name, map key and the \
                           attribute for return value";

/// A function whose argument is being read.
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    pub(super) argument: &'a Node,
    pub(super) span: &'a Span,
    pub(super) position: Position,
}

type Outcome = Result<Intrinsic, Box<Problem>>;

impl Call<'_> {
    pub(super) fn read(&self, problems: &mut Vec<Problem>) -> Outcome {
        match self.name {
            "Ref" => {
                let name = self.argument.as_str().filter(|text| !text.is_empty());
                let name =
                    name.ok_or_else(|| self.wrong("one name", "every Ref object must have a single String value."))?;
                Ok(Intrinsic::Ref(name.to_owned()))
            }
            "Condition" => {
                let name = self.argument.as_str().ok_or_else(|| {
                    self.wrong("the name of a condition", "every Condition object must have a string value.")
                })?;
                Ok(Intrinsic::Condition(name.to_owned()))
            }
            "Fn::GetAtt" => self.get_att(problems),
            "Fn::Sub" => self.sub(problems),
            "Fn::ImportValue" => Ok(Intrinsic::ImportValue(self.value(self.argument, problems))),
            "Fn::Base64" => Ok(Intrinsic::Base64(self.value(self.argument, problems))),
            "Fn::GetAZs" => Ok(Intrinsic::GetAZs(self.value(self.argument, problems))),
            "Fn::If" | "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => self.logic(problems),
            "Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::FindInMap" | "Fn::Cidr" => self.of_list(problems),
            name => Err(Box::new(
                Problem::new(
                    self.span,
                    format!("unknown function `{name}`"),
                    format!("Template format error: Unrecognized function {name}"),
                )
                .hint(did_you_mean(name, INTRINSICS)),
            )),
        }
    }

    fn value(&self, node: &Node, problems: &mut Vec<Problem>) -> Expression {
        Expression::read(node, self.position, problems)
    }

    fn wrong(&self, expected: &str, wording: &str) -> Box<Problem> {
        Box::new(
            Problem::new(self.span, format!("`{}` takes {expected}", self.name), format!("Template error: {wording}"))
                .label(format!("this is {}", self.argument.kind())),
        )
    }

    fn get_att(&self, problems: &mut Vec<Problem>) -> Outcome {
        let failure = || self.wrong("a resource and an attribute, such as `Bucket.Arn`", GET_ATT);
        if let Some(text) = self.argument.as_str() {
            let (resource, attribute) = text.split_once('.').ok_or_else(failure)?;
            if resource.is_empty() || attribute.is_empty() {
                return Err(failure());
            }
            let form = Form::String(attribute.to_owned());
            return Ok(Intrinsic::GetAtt {
                resource: resource.to_owned(),
                attribute: Expression { form, span: self.argument.span.clone() },
            });
        }
        let [resource, attribute] = self.argument.items() else { return Err(failure()) };
        let resource = resource.as_str().filter(|text| !text.is_empty()).ok_or_else(failure)?;
        if matches!(attribute.value, Value::Null) || attribute.as_str() == Some("") {
            return Err(failure());
        }
        Ok(Intrinsic::GetAtt { resource: resource.to_owned(), attribute: self.value(attribute, problems) })
    }

    fn sub(&self, problems: &mut Vec<Problem>) -> Outcome {
        let failure = || self.wrong("a text, or a list of a text and a map of variables", SUB);
        let (text, variables) = match (self.argument.as_str(), self.argument.items()) {
            (Some(text), _) => (text, Vec::new()),
            (None, [text, variables]) if matches!(variables.value, Value::Mapping(_)) => {
                let entries = variables.entries().iter();
                let variables = entries.map(|(key, node)| (key.clone(), self.value(node, problems))).collect();
                (text.as_str().ok_or_else(failure)?, variables)
            }
            (None, [text]) => (text.as_str().ok_or_else(failure)?, Vec::new()),
            _ => return Err(failure()),
        };
        let parts = sub_parts(text).map_err(|wrong| {
            Box::new(
                Problem::new(
                    self.span,
                    format!("`${{{wrong}}}` in `Fn::Sub` is not a name"),
                    format!(
                        "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, \
                         underscores, periods, and colons. Invalid variable: {wrong}"
                    ),
                )
                .hint("write `${!name}` to keep the text `${name}`"),
            )
        })?;
        Ok(Intrinsic::Sub { parts, variables })
    }

    fn logic(&self, problems: &mut Vec<Problem>) -> Outcome {
        match (self.name, self.argument.items()) {
            ("Fn::If", [condition, then, otherwise]) if condition.as_str().is_some() => Ok(Intrinsic::If {
                condition: condition.as_str().unwrap_or_default().to_owned(),
                then: self.value(then, problems),
                otherwise: self.value(otherwise, problems),
            }),
            ("Fn::Equals", [left, right]) => {
                Ok(Intrinsic::Equals(self.value(left, problems), self.value(right, problems)))
            }
            ("Fn::Not", [only]) => Ok(Intrinsic::Not(self.value(only, problems))),
            ("Fn::And", items) if (2..=10).contains(&items.len()) => {
                Ok(Intrinsic::And(items.iter().map(|item| self.value(item, problems)).collect()))
            }
            ("Fn::Or", items) if (2..=10).contains(&items.len()) => {
                Ok(Intrinsic::Or(items.iter().map(|item| self.value(item, problems)).collect()))
            }
            ("Fn::If", _) => Err(self.wrong(
                "the name of a condition and two values",
                "Fn::If requires a list argument with the first element being a condition",
            )),
            ("Fn::Equals", _) => {
                Err(self.wrong("two values", "every Fn::Equals object requires a list of 2 string parameters."))
            }
            ("Fn::Not", _) => {
                Err(self
                    .wrong("a list of one condition", "every Fn::Not object requires a list of 1 boolean parameter."))
            }
            (name, _) => Err(self.wrong(
                "two to ten conditions",
                &format!("every {name} object requires a list of at least 2 and at most 10 boolean parameters."),
            )),
        }
    }

    fn of_list(&self, problems: &mut Vec<Problem>) -> Outcome {
        match (self.name, self.argument.items()) {
            ("Fn::Join", [delimiter, list]) => {
                let delimiter =
                    delimiter.as_str().ok_or_else(|| self.wrong("a delimiter that is a text, and a list", JOIN))?;
                Ok(Intrinsic::Join { delimiter: delimiter.to_owned(), items: self.value(list, problems) })
            }
            ("Fn::Split", [delimiter, text]) => {
                let delimiter =
                    delimiter.as_str().ok_or_else(|| self.wrong("a delimiter that is a text, and a text", SPLIT))?;
                Ok(Intrinsic::Split { delimiter: delimiter.to_owned(), text: self.value(text, problems) })
            }
            ("Fn::Select", [index, list]) => {
                Ok(Intrinsic::Select { index: self.value(index, problems), items: self.value(list, problems) })
            }
            ("Fn::FindInMap", [map, first, second, rest @ ..]) if rest.len() <= 1 => Ok(Intrinsic::FindInMap {
                map: self.value(map, problems),
                first: self.value(first, problems),
                second: self.value(second, problems),
                default: rest.first().and_then(|node| node.get("DefaultValue")).map(|node| self.value(node, problems)),
            }),
            ("Fn::Cidr", [block, count, rest @ ..]) if rest.len() <= 1 => Ok(Intrinsic::Cidr {
                block: self.value(block, problems),
                count: self.value(count, problems),
                bits: rest.first().map(|node| self.value(node, problems)),
            }),
            ("Fn::Join", _) => Err(self.wrong("a delimiter and a list", JOIN)),
            ("Fn::Split", _) => Err(self.wrong("a delimiter and a text", SPLIT)),
            ("Fn::FindInMap", _) => Err(self.wrong("a map and two keys", FIND_IN_MAP)),
            ("Fn::Cidr", _) => Err(self.wrong("a block, a count and the bits of the parts", CIDR)),
            _ => Err(self.wrong(
                "an index and a list",
                "Fn::Select requires a list argument with two elements: an integer index and a list",
            )),
        }
    }
}

/// Cuts the text of `Fn::Sub` at its `${…}`; fails with the name that is none.
fn sub_parts(text: &str) -> Result<Vec<SubPart>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inside = &rest[start + 2..start + length];
        literal.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
        if let Some(kept) = inside.strip_prefix('!') {
            literal.push_str("${");
            literal.push_str(kept);
            literal.push('}');
            continue;
        }
        let name = inside.trim();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        if name.is_empty() || !name.chars().all(valid) {
            return Err(inside.to_owned());
        }
        if !literal.is_empty() {
            parts.push(SubPart::Text(std::mem::take(&mut literal)));
        }
        parts.push(match name.split_once('.') {
            Some((resource, attribute)) => {
                SubPart::Attribute { resource: resource.to_owned(), attribute: attribute.to_owned() }
            }
            None => SubPart::Name(name.to_owned()),
        });
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(SubPart::Text(literal));
    }
    Ok(parts)
}
