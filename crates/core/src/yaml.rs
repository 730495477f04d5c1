//! YAML (and so JSON) as a tree in which every node knows its location. The only file that names the YAML crate.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Spanned, Tagged};

pub use crate::diagnostics::source::{Source, Span};
use crate::error::{Error, Result};
use crate::limits;

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
    limits::on_deep_stack(|| read(source))
}

fn read(source: &Arc<Source>) -> Result<Node> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_depth: limits::YAML_DEPTH,
            // One more, so that the first that is too deep is an error of the budget.
            flow_nesting_limit: limits::YAML_DEPTH + 1,
            max_events: 2 * limits::YAML_NODES,
            max_nodes: limits::YAML_NODES,
            max_aliases: limits::YAML_ALIAS_COPIES,
            max_anchors: limits::YAML_ALIAS_COPIES,
            max_recorded_anchor_events: 4 * limits::YAML_ALIAS_COPIES,
            max_total_scalar_bytes: source.text.len() + limits::YAML_ALIAS_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: limits::YAML_ALIAS_COPIES },
    };
    match serde_saphyr::from_str_with_options::<Raw>(&source.text, options) {
        Ok(raw) => Ok(raw.into_node(source)),
        Err(error) => {
            let location = error.location();
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
            let error = error.without_snippet();
            if let Some((message, hint)) = over_limit(error) {
                return Err(Error::project(format!("`{}` {message}", source.name)).at(&span, "").hint(hint));
            }
            let text = error.to_string();
            let message = text.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or(message);
            let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
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

/// Which limit a document exceeds, and what to do about it; none for any other error.
fn over_limit(error: &serde_saphyr::Error) -> Option<(String, &'static str)> {
    use serde_saphyr::Error as Yaml;
    use serde_saphyr::budget::BudgetBreach as Breach;
    let too_deep = || {
        (
            format!("is nested more than {} levels deep", limits::YAML_DEPTH),
            "nest it less: this is the first mapping or list that is too deep",
        )
    };
    Some(match error {
        Yaml::AliasError { error, .. } => return over_limit(error),
        // The scanner looks ahead of the budget.
        error if error.to_string().starts_with("recursion limit exceeded") => too_deep(),
        Yaml::Budget { breach: Breach::Depth { .. }, .. } => too_deep(),
        Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::Budget {
            breach:
                Breach::ScalarBytes { .. }
                | Breach::Aliases { .. }
                | Breach::Anchors { .. }
                | Breach::RecordedAnchorEvents { .. }
                | Breach::RecordedAnchorBytes { .. },
            ..
        } => (
            format!("stands for too much: its aliases copy more than {} keys and values", limits::YAML_ALIAS_COPIES),
            "write the values out in place of aliases of aliases (`*name`)",
        ),
        Yaml::Budget { .. } => (
            format!("has more than {} keys and values", limits::YAML_NODES),
            "split it: no project needs a file of this size",
        ),
        _ => return None,
    })
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

    /// On a thread as small as those of the async runtime.
    fn read_on_a_small_stack(text: String) -> Result<usize> {
        let work = move || {
            parse(&Source::new("deep.yaml", text)).map(|node| {
                let copy = node.clone();
                assert!(node == copy);
                copy.to_json().to_string().len()
            })
        };
        std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap()
    }

    fn nested(depth: usize) -> [String; 4] {
        let block: String = (0..depth).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        let json: String = "{\"a\": ".repeat(depth) + "1" + &"}".repeat(depth);
        ["[".repeat(depth) + &"]".repeat(depth), "- ".repeat(depth) + "1\n", block, json]
    }

    #[test]
    fn no_depth_overflows_the_stack() {
        let location = regex::Regex::new("--> deep.yaml:[0-9]+:[0-9]+\n").unwrap();
        for text in nested(limits::YAML_DEPTH) {
            assert!(read_on_a_small_stack(text).is_ok());
        }
        for depth in [limits::YAML_DEPTH + 1, 1_000, 3_000] {
            for text in nested(depth) {
                let error = read_on_a_small_stack(text).unwrap_err().to_string();
                assert!(location.is_match(&error), "{error}");
                assert!(error.contains("nested more than 100 levels deep"), "{error}");
            }
        }
        insta::assert_snapshot!(parse(&Source::new("deep.yaml", nested(101)[0].clone())).unwrap_err().message(),
            @"`deep.yaml` is nested more than 100 levels deep");
    }

    #[test]
    fn aliases_do_not_nest_deeper_than_what_is_written() {
        let levels = (1..60).map(|level| format!("a{level}: &a{level} [[[*a{}]]]\n", level - 1)).collect::<String>();
        let error = read_on_a_small_stack(format!("a0: &a0 x\n{levels}")).unwrap_err().to_string();
        assert!(error.contains("nested more than 100 levels deep") || error.contains("stands for too much"), "{error}");
    }

    /// Counted, not timed: what is copied is bounded, and so is the time.
    #[test]
    fn alias_bombs_are_refused() {
        let laughs: String = (1..10)
            .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")))
            .collect();
        let quadratic = format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 1_000].join(", "), vec!["*a"; 1_000].join(", "));
        let long = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1_000].join(", "));
        let mapping = format!("a: &a {{b: 1}}\n{}", (0..60_000).map(|at| format!("k{at}: *a\n")).collect::<String>());
        for text in [format!("a0: &a0 [lol]\n{laughs}"), quadratic, long, mapping] {
            let error = parse(&Source::new("bomb.yaml", text)).unwrap_err().to_string();
            assert!(error.contains("`bomb.yaml` stands for too much") && error.contains("--> bomb.yaml:"), "{error}");
        }
        // What people write: a list of columns that some tables share.
        let columns: String = (0..50).map(|at| format!("  c{at}: bigint\n")).collect();
        let tables: String = (0..100).map(|at| format!("t{at}: *columns\n")).collect();
        assert!(parse(&Source::new("good.yaml", format!("base: &columns\n{columns}{tables}"))).is_ok());
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
