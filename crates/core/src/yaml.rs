//! YAML (and so JSON) as a tree in which every node knows its location. The only file that names the YAML crate.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Spanned, Tagged};

pub use crate::diagnostics::source::{Source, Span};
use crate::error::{Error, Result};

/// A node of a YAML document.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    /// A local tag such as `!Ref`, with its exclamation mark.
    pub tag: Option<String>,
    pub span: Span,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// A number, as it was written.
    Number(serde_json::Number),
    String(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// The key of a mapping, with its place.
#[derive(Debug, Clone)]
pub struct Key {
    pub name: String,
    pub span: Span,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.tag == other.tag
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The node at a JSON pointer such as `/tables/orders/key/0`.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        pointer.split('/').skip(1).try_fold(self, |node, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Value::Sequence(items) => items.get(step.parse::<usize>().ok()?),
                _ => node.get(&step),
            }
        })
    }

    /// Where a path leads: the place of its deepest part that is written here.
    pub fn span_of<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Span {
        let (mut node, mut span) = (self, self.span.clone());
        for step in path {
            match &node.value {
                Value::Mapping(entries) => {
                    let Some((key, value)) = entries.iter().find(|(key, _)| key.name == step) else { break };
                    span = key.span.clone();
                    node = value;
                }
                Value::Sequence(items) => {
                    let Some(item) = step.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                    span = item.span.clone();
                    node = item;
                }
                _ => break,
            }
        }
        span
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of an error message.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The node as JSON, without tags and places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => text.clone().into(),
            Value::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
            ),
        }
    }

    /// Lays `over` upon this node: mappings are merged key by key, everything else is replaced. Places are kept, so
    /// that an error points into the file that the value came from.
    pub fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Mapping(below), Value::Mapping(above)) => {
                for (key, node) in above {
                    match below.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => known.merge(node),
                        None => below.push((key, node)),
                    }
                }
            }
            (below, above) => {
                *below = above;
                self.span = over.span;
                self.tag = over.tag;
            }
        }
    }
}

/// Reads one YAML document. Fails with the place of the first thing that is not YAML, or of a key that stands twice.
pub fn parse(source: &Arc<Source>) -> Result<Node> {
    let empty = || Node { value: Value::Null, tag: None, span: Span::new(source, 0, 0) };
    if source.text.trim().is_empty() {
        return Ok(empty());
    }
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true, budget: None };
    match serde_saphyr::from_str_with_options::<Raw>(&source.text, options) {
        Ok(raw) => Ok(raw.into_node(source)),
        Err(error) => {
            let location = error.location();
            let text = error.without_snippet().to_string();
            let message = text.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or(message);
            let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
            let span = location.map_or_else(
                || Span::new(source, 0, 0),
                |at| {
                    Span::at_line(
                        source,
                        usize::try_from(at.line()).unwrap_or(1),
                        usize::try_from(at.column()).unwrap_or(1),
                    )
                },
            );
            if message.starts_with("multiple YAML documents") {
                return Err(Error::project(format!("`{}` holds more than one YAML document", source.name))
                    .at(&span, "the second one")
                    .hint("keep one of them, without a line `---` between"));
            }
            Err(Error::project(format!("`{}` is not valid YAML: {message}", source.name))
                .at(&span, "")
                .hint("fix the YAML here: check indentation, quotes and duplicate keys"))
        }
    }
}

/// A node as the YAML crate hands it over.
struct Raw(Spanned<Tagged<RawValue>>);

enum RawValue {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Sequence(Vec<Raw>),
    Mapping(Vec<(Spanned<String>, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl Raw {
    fn into_node(self, source: &Arc<Source>) -> Node {
        let span = to_span(source, &self.0.defined);
        let Tagged(content, tag) = self.0.value;
        let tag = tag.filter(|tag| tag.starts_with('!') && !tag.starts_with("!!"));
        let value = match content {
            RawValue::Null => Value::Null,
            RawValue::Bool(value) => Value::Bool(value),
            RawValue::Number(number) => Value::Number(number),
            RawValue::String(text) => Value::String(text),
            RawValue::Sequence(items) => {
                Value::Sequence(items.into_iter().map(|item| item.into_node(source)).collect())
            }
            RawValue::Mapping(entries) => Value::Mapping(
                entries
                    .into_iter()
                    .map(|(key, node)| {
                        (Key { span: to_span(source, &key.defined), name: key.value }, node.into_node(source))
                    })
                    .collect(),
            ),
        };
        Node { value, tag, span }
    }
}

fn to_span(source: &Arc<Source>, location: &serde_saphyr::Location) -> Span {
    let span = location.span();
    let start = usize::try_from(span.byte_offset().unwrap_or_default()).unwrap_or_default();
    let length = usize::try_from(span.byte_len().unwrap_or_default()).unwrap_or_default();
    Span::new(source, start, start + length)
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> std::result::Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_none<E>(self) -> std::result::Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<RawValue, D::Error> {
        RawValue::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<RawValue, E> {
        Ok(RawValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<RawValue, E> {
        Ok(RawValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<RawValue, E> {
        Ok(RawValue::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<RawValue, E> {
        Ok(serde_json::Number::from_f64(value).map_or_else(|| RawValue::String(value.to_string()), RawValue::Number))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<RawValue, E> {
        Ok(RawValue::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> std::result::Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(RawValue::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        parse(&Source::new("test.yaml", text)).unwrap()
    }

    #[test]
    fn every_node_knows_its_location() {
        let node = read("a: 1\nb:\n  - x\n  - !Ref Bucket\n  - {c: !Sub \"${d}-é\", e: no}\n");
        let at = |pointer: &str| {
            let node = node.pointer(pointer).unwrap();
            (node.span.line(), node.span.column(), node.span.text().to_owned(), node.tag.clone())
        };
        assert_eq!(at("/a"), (1, 4, "1".into(), None));
        assert_eq!(at("/b/0"), (3, 5, "x".into(), None));
        assert_eq!(at("/b/1").3, Some("!Ref".into()));
        assert_eq!(at("/b/2/c").3, Some("!Sub".into()));
        assert_eq!(node.pointer("/b/2/e").unwrap().value, Value::String("no".into()));
        assert_eq!(node.entries()[1].0.span.line(), 2);
    }

    #[test]
    fn tags_are_allowed_on_lists_and_mappings() {
        let node =
            read("a: !Join ['-', [a, !Ref b]]\nc: !If\n  - x\n  - {y: 1}\n  - !Ref AWS::NoValue\nd: !GetAtt A.B\n");
        assert_eq!(node.get("a").unwrap().tag.as_deref(), Some("!Join"));
        assert_eq!(node.pointer("/a/1/1").unwrap().tag.as_deref(), Some("!Ref"));
        assert_eq!(node.get("c").unwrap().tag.as_deref(), Some("!If"));
        assert_eq!(node.get("d").unwrap().as_str(), Some("A.B"));
    }

    #[test]
    fn merging_keeps_locations() {
        let mut below = read("a: {b: 1, c: 2}\nd: [1, 2]\n");
        below.merge(parse(&Source::new("over.yaml", "a:\n  c: 3\nd: [4]\n")).unwrap());
        assert_eq!(below.to_json(), serde_json::json!({"a": {"b": 1, "c": 3}, "d": [4]}));
        assert_eq!(below.pointer("/a/c").unwrap().span.file(), "over.yaml");
        assert_eq!(below.pointer("/a/b").unwrap().span.file(), "test.yaml");
    }

    #[test]
    fn invalid_yaml_has_an_error_location() {
        for (text, expected) in [
            ("a: [1, 2\nb: 3\n", "bad.yaml:2:2"),
            ("a: 1\na: 2\n", "duplicate mapping key: a\n --> bad.yaml:2:1"),
            ("a: 'x\n", "bad.yaml:2:1"),
            ("a: b: c\n", "bad.yaml:1:5"),
        ] {
            let error = parse(&Source::new("bad.yaml", text)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
