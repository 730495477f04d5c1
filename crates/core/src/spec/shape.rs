//! Checks a spec against its JSON schema and reports all errors at once, each with its location.
//!
//! Not a JSON schema library, because a library's messages know neither the location in the file nor the
//! name that was meant. It understands just those parts of JSON schema that `schemars` writes for our types.

use regex::Regex;
use serde_json::Value as Schema;

use crate::error::{Error, closest, did_you_mean};
use crate::yaml::{Node, Span, Value};

/// Checks a node against a schema. Scalars that the schema wants as text are turned into the text that was written,
/// so that an account such as `012345678901` needs no quotes.
pub fn check(node: &mut Node, schema: &Schema) -> Vec<Error> {
    let mut checker = Checker { root: schema, errors: Vec::new() };
    checker.node(node, schema, &mut Vec::new(), None);
    checker.errors
}

struct Checker<'a> {
    root: &'a Schema,
    errors: Vec<Error>,
}

impl<'a> Checker<'a> {
    fn resolve(&self, mut schema: &'a Schema) -> &'a Schema {
        while let Some(reference) = schema.get("$ref").and_then(Schema::as_str) {
            match self.root.pointer(reference.trim_start_matches('#')) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn node(&mut self, node: &mut Node, schema: &'a Schema, path: &mut Vec<String>, key: Option<&Span>) {
        let schema = self.resolve(schema);
        if let Some(options) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Schema::as_array) {
            return self.choice(node, options, path, key);
        }
        if let Some(allowed) = schema.get("enum").and_then(Schema::as_array) {
            let allowed: Vec<String> = allowed.iter().map(plain).collect();
            return self.one_of(node, &allowed, path);
        }
        let kinds = kinds(schema);
        if kinds.contains(&"string") && matches!(node.value, Value::Number(_) | Value::Bool(_)) {
            node.value = Value::String(node.span.text().trim().to_owned());
        }
        if !kinds.is_empty() && !kinds.iter().any(|kind| fits(node, kind)) {
            let mut error =
                Error::project(format!("{} must be {}, not {}", location(path), expected(&kinds), node.kind()));
            error = match (&node.value, key) {
                (Value::Null, Some(key)) => error.at(key, "has no value"),
                _ => error.at(&node.span, format!("this is {}", node.kind())),
            };
            self.errors.push(error.hint(example(&kinds, path)));
            return;
        }
        match &mut node.value {
            Value::Mapping(_) => self.mapping(node, schema, path, key),
            Value::Sequence(items) => {
                if let Some(schema) = schema.get("items") {
                    for (index, item) in items.iter_mut().enumerate() {
                        path.push(index.to_string());
                        self.node(item, schema, path, None);
                        path.pop();
                    }
                }
            }
            Value::String(text) => {
                let text = text.clone();
                self.text(&text, &node.span, schema, path);
            }
            Value::Number(number) => {
                let value = number.as_f64().unwrap_or_default();
                let bound = |name: &str| schema.get(name).and_then(Schema::as_f64);
                let (minimum, maximum) = (bound("minimum"), bound("maximum"));
                if minimum.is_some_and(|bound| value < bound) || maximum.is_some_and(|bound| value > bound) {
                    let range = match (minimum, maximum) {
                        (Some(low), Some(high)) => format!("{low} to {high}"),
                        (Some(low), None) => format!("{low} or more"),
                        (_, high) => format!("{} or less", high.unwrap_or_default()),
                    };
                    self.errors.push(
                        Error::project(format!("{} is {value}, out of range", location(path)))
                            .at(&node.span, format!("must be {range}"))
                            .hint(format!("write a number of {range}")),
                    );
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, text: &str, span: &Span, schema: &'a Schema, path: &[String]) {
        let length = text.chars().count() as u64;
        if let Some(most) = schema.get("maxLength").and_then(Schema::as_u64).filter(|most| length > *most) {
            self.errors.push(
                Error::project(format!("{} is {length} characters long", location(path)))
                    .at(span, format!("at most {most}"))
                    .hint(format!("shorten it to {most} characters")),
            );
        }
        if let Some(least) = schema.get("minLength").and_then(Schema::as_u64).filter(|least| length < *least) {
            self.errors.push(
                Error::project(format!("{} is too short", location(path)))
                    .at(span, format!("at least {least} character"))
                    .hint("write a value"),
            );
        }
        let Some(pattern) = schema.get("pattern").and_then(Schema::as_str) else { return };
        if Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text)) {
            let description = schema.get("description").and_then(Schema::as_str).unwrap_or_default();
            let error = Error::project(format!("{} has a value that is not allowed: `{text}`", location(path)))
                .at(span, format!("must match `{pattern}`"));
            self.errors.push(if description.is_empty() { error } else { error.hint(description.replace('\n', " ")) });
        }
    }

    fn one_of(&mut self, node: &mut Node, allowed: &[String], path: &[String]) {
        let text = match &node.value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => node.span.text().trim().to_owned(),
            _ => String::new(),
        };
        if !allowed.contains(&text) {
            self.errors.push(
                Error::project(format!(
                    "{} cannot be `{}`",
                    location(path),
                    node.span.text().lines().next().unwrap_or("")
                ))
                .at(&node.span, "not one of the known values")
                .hint(did_you_mean(&text, allowed.iter().map(String::as_str))),
            );
        }
    }

    /// One of several schemas: plain values, one object for each kind, or "this or nothing".
    fn choice(&mut self, node: &mut Node, options: &'a [Schema], path: &mut Vec<String>, key: Option<&Span>) {
        let options: Vec<&'a Schema> = options.iter().map(|option| self.resolve(option)).collect();
        if node.value == Value::Null && options.iter().any(|option| kinds(option).contains(&"null")) {
            return;
        }
        let constants: Vec<String> = options
            .iter()
            .flat_map(|option| {
                option
                    .get("const")
                    .into_iter()
                    .chain(option.get("enum").and_then(Schema::as_array).into_iter().flatten())
            })
            .map(plain)
            .collect();
        if !constants.is_empty() {
            return self.one_of(node, &constants, path);
        }
        let variants: Vec<(&str, &'a Schema)> = options
            .iter()
            .filter_map(|option| {
                let required = option.get("required")?.as_array()?;
                let properties = option.get("properties")?.as_object()?;
                match (required.as_slice(), properties.len()) {
                    ([Schema::String(name)], 1) => Some((name.as_str(), properties.get(name)?)),
                    _ => None,
                }
            })
            .collect();
        if variants.len() == options.len() {
            return self.variant(node, &variants, path, key);
        }
        let scalar = !matches!(node.value, Value::Mapping(_) | Value::Sequence(_));
        let fitting = options.iter().find(|option| {
            let kinds = kinds(option);
            kinds.iter().any(|kind| fits(node, kind)) || (scalar && kinds.contains(&"string"))
        });
        match fitting.or_else(|| options.iter().find(|option| !kinds(option).contains(&"null"))) {
            Some(option) => self.node(node, option, path, key),
            None => {
                self.errors.push(Error::project(format!("{} has no allowed form", location(path))).at(&node.span, ""));
            }
        }
    }

    fn variant(
        &mut self,
        node: &mut Node,
        variants: &[(&str, &'a Schema)],
        path: &mut Vec<String>,
        key: Option<&Span>,
    ) {
        let names = variants.iter().map(|(name, _)| *name);
        let list = names.clone().collect::<Vec<_>>().join(", ");
        let span = key.unwrap_or(&node.span).clone();
        let Value::Mapping(entries) = &mut node.value else {
            self.errors.push(
                Error::project(format!("{} must say what it is", location(path)))
                    .at(&span, format!("one of: {list}"))
                    .hint(format!("write one of these keys below it: {list}")),
            );
            return;
        };
        if entries.len() != 1 {
            let error = Error::project(format!("{} must have exactly one of: {list}", location(path)));
            self.errors.push(error.at(&span, format!("has {}", entries.len())).hint("keep one of them"));
        }
        for (name, node) in entries {
            match variants.iter().find(|(known, _)| *known == name.name) {
                Some((_, schema)) => {
                    path.push(name.name.clone());
                    // A bare `files:` means the defaults.
                    if node.value == Value::Null {
                        node.value = Value::Mapping(Vec::new());
                    }
                    self.node(node, schema, path, Some(&name.span));
                    path.pop();
                }
                None => self.errors.push(
                    Error::project(format!("unknown kind `{}` in {}", name.name, location(path)))
                        .at(&name.span, "no such kind")
                        .hint(did_you_mean(&name.name, names.clone())),
                ),
            }
        }
    }

    fn mapping(&mut self, node: &mut Node, schema: &'a Schema, path: &mut Vec<String>, key: Option<&Span>) {
        let span = key.unwrap_or(&node.span).clone();
        let properties = schema.get("properties").and_then(Schema::as_object);
        let additional = schema.get("additionalProperties");
        let Value::Mapping(entries) = &mut node.value else { return };
        for name in schema.get("required").and_then(Schema::as_array).into_iter().flatten().filter_map(Schema::as_str) {
            // A misspelt key is reported as unknown.
            let misspelt = entries.iter().any(|(known, _)| {
                let known = known.name.as_str();
                properties.is_some_and(|all| {
                    !all.contains_key(known) && closest(known, all.keys().map(String::as_str)) == Some(name)
                })
            });
            if !misspelt && !entries.iter().any(|(known, _)| known.name == name) {
                self.errors.push(
                    Error::project(format!("{} lacks `{name}`", location(path)))
                        .at(&span, "here")
                        .hint(format!("add `{name}: …`{}", described(properties.and_then(|all| all.get(name))))),
                );
            }
        }
        for (name, node) in entries {
            let property = properties.and_then(|properties| properties.get(&name.name));
            let below = match (property, additional) {
                (Some(schema), _) | (None, Some(schema @ Schema::Object(_))) => Some(schema),
                (None, Some(Schema::Bool(false))) => {
                    let known = properties.into_iter().flat_map(|all| all.keys().map(String::as_str));
                    let known: Vec<&str> = known.collect();
                    self.errors.push(
                        Error::project(format!("unknown key `{}` in {}", name.name, location(path)))
                            .at(&name.span, "no such key")
                            .hint(did_you_mean(&name.name, known.iter().copied())),
                    );
                    None
                }
                _ => None,
            };
            if let Some(schema) = below {
                // A key without a value means the default where there is one.
                if node.value == Value::Null && property.is_some_and(|schema| schema.get("default").is_some()) {
                    if let Some(default) = property.and_then(|schema| schema.get("default")) {
                        node.value = from_json(default, &node.span);
                    }
                    continue;
                }
                path.push(name.name.clone());
                self.node(node, schema, path, Some(&name.span));
                path.pop();
            }
        }
    }
}

fn from_json(json: &Schema, span: &Span) -> Value {
    let node = |json: &Schema| Node { value: from_json(json, span), tag: None, span: span.clone() };
    match json {
        Schema::Null => Value::Null,
        Schema::Bool(value) => Value::Bool(*value),
        Schema::Number(number) => Value::Number(number.clone()),
        Schema::String(text) => Value::String(text.clone()),
        Schema::Array(items) => Value::Sequence(items.iter().map(node).collect()),
        Schema::Object(entries) => Value::Mapping(
            entries
                .iter()
                .map(|(name, json)| (crate::yaml::Key { name: name.clone(), span: span.clone() }, node(json)))
                .collect(),
        ),
    }
}

fn kinds(schema: &Schema) -> Vec<&str> {
    match schema.get("type") {
        Some(Schema::String(kind)) => vec![kind],
        Some(Schema::Array(kinds)) => kinds.iter().filter_map(Schema::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits(node: &Node, kind: &str) -> bool {
    match (&node.value, kind) {
        (Value::Null, "null")
        | (Value::Bool(_), "boolean")
        | (Value::Number(_), "number")
        | (Value::String(_), "string")
        | (Value::Sequence(_), "array")
        | (Value::Mapping(_), "object") => true,
        (Value::Number(number), "integer") => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

fn plain(value: &Schema) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `tables.orders.key` in backticks, or the file as a whole.
fn location(path: &[String]) -> String {
    if path.is_empty() { "the file".to_owned() } else { format!("`{}`", path.join(".")) }
}

fn expected(kinds: &[&str]) -> String {
    let word = |kind: &&str| match *kind {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "empty",
    };
    kinds.iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn example(kinds: &[&str], path: &[String]) -> String {
    let name = path.last().map_or("key", String::as_str);
    match kinds.first().copied() {
        Some("object") => format!("write `{name}:` with keys indented below it"),
        Some("array") => format!("write `{name}: [a, b]`"),
        Some("integer" | "number") => format!("write `{name}: 1`"),
        Some("boolean") => format!("write `{name}: true` or `{name}: false`"),
        _ => format!("write `{name}: text`"),
    }
}

fn described(schema: Option<&Schema>) -> String {
    let description = schema.and_then(|schema| schema.get("description")).and_then(Schema::as_str).unwrap_or_default();
    let first = description.split(". ").next().unwrap_or_default().trim_end_matches('.');
    if first.is_empty() { String::new() } else { format!(": {first}") }
}
