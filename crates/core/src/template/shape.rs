//! Checks the properties of a resource against AWS's schema of its type, down to the last nested value.
//!
//! The table is generated: `scripts/resource-shapes.py` writes `shapes.jsonl` from the schemas in the `cfn-lint` package,
//! whose version stands in the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::error::{closest, did_you_mean};

/// The character in a string that stands for a value that is known only after a deployment.
///
/// No template can contain it. After it comes what the value waits for, such as `storage/Queue.Arn`.
pub const UNKNOWN: char = '\0';

/// Whether a value is only known after a deployment.
pub fn is_unknown(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains(UNKNOWN))
}

/// A value that the schema of its type does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where it is, from the properties down: `["Targets", "0", "Arn"]`.
    pub path: Vec<String>,
    /// What is wrong, without the name of the property.
    pub message: String,
    pub hint: String,
    /// What CloudFormation answers.
    pub wording: String,
}

static LINES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("shapes.jsonl").lines().skip(2);
    lines
        .filter_map(|line| {
            let (name, schema) = line.strip_prefix("{\"type\":\"")?.split_once("\",\"schema\":")?;
            Some((name, schema.strip_suffix('}')?))
        })
        .collect()
});

/// Every type that AWS publishes.
static TYPES: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    #[derive(serde::Deserialize)]
    struct Types {
        #[serde(borrow)]
        types: BTreeMap<&'static str, &'static str>,
    }
    let line = include_str!("shapes.jsonl").lines().nth(1).unwrap_or_default();
    let types: Types = serde_json::from_str(line).expect("the committed table is valid: a test reads it");
    types.types.into_iter().map(|(service, kinds)| (service, kinds.split(' ').collect())).collect()
});

/// The schema of a type, if the table has it. Only the types that are asked for are read.
fn schema(resource_type: &str) -> Option<Arc<Value>> {
    static READ: LazyLock<Mutex<HashMap<&'static str, Arc<Value>>>> = LazyLock::new(Mutex::default);
    let (name, line) = LINES.get_key_value(resource_type)?;
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.get(name) {
        return Some(Arc::clone(known));
    }
    let schema = Arc::new(serde_json::from_str(line).expect("the committed table is valid: a test reads it"));
    read.insert(name, Arc::clone(&schema));
    Some(schema)
}

/// The types whose values the table describes.
pub fn types() -> impl Iterator<Item = &'static str> {
    LINES.keys().copied()
}

/// Whether AWS has a resource type. Types of other publishers and custom resources are not AWS's.
pub fn is_published(resource_type: &str) -> bool {
    let mut parts = resource_type.splitn(3, "::");
    match (parts.next(), parts.next(), parts.next()) {
        (Some("AWS"), Some("CloudFormation"), Some(_)) | (Some("Custom"), Some(_), None) => true,
        (Some("AWS"), Some(service), Some(kind)) => TYPES.get(service).is_some_and(|kinds| kinds.contains(&kind)),
        (Some(publisher), Some(_), Some(_)) => publisher != "AWS" && !publisher.is_empty(),
        _ => false,
    }
}

/// A hint for a type that AWS does not have.
pub fn type_hint(resource_type: &str) -> String {
    let all: Vec<String> = TYPES
        .iter()
        .flat_map(|(service, kinds)| kinds.iter().map(move |kind| format!("AWS::{service}::{kind}")))
        .collect();
    match closest(resource_type, all.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "look it up in the CloudFormation resource reference".to_owned(),
    }
}

/// What the schema of a type does not allow in the properties of a resource. Types that the table does not have, and
/// values that are only known after a deployment, pass.
pub fn mismatches(resource_type: &str, properties: &Value) -> Vec<Mismatch> {
    let Some(schema) = schema(resource_type) else { return Vec::new() };
    let mut check = Check { root: &schema, path: Vec::new(), found: Vec::new(), saw_unknown: false, depth: 0 };
    check.value(&schema, properties);
    let mut found: Vec<Mismatch> = Vec::new();
    for one in check.found {
        if !found.iter().any(|known| known.path == one.path && known.message == one.message) {
            found.push(one);
        }
    }
    found
}

struct Check<'a> {
    root: &'a Value,
    path: Vec<String>,
    found: Vec<Mismatch>,
    /// Whether a value was met that is only known after a deployment.
    saw_unknown: bool,
    depth: usize,
}

impl<'a> Check<'a> {
    fn report(&mut self, message: impl Into<String>, hint: impl Into<String>, wording: &str) {
        let path = if self.path.is_empty() { "#".to_owned() } else { format!("#/{}", self.path.join("/")) };
        self.found.push(Mismatch {
            path: self.path.clone(),
            message: message.into(),
            hint: hint.into(),
            wording: format!("{path}: {wording}"),
        });
    }

    /// Runs a part of the schema by itself: what it finds, and whether that rests on a value that is not known.
    fn apart(&self, schema: &'a Value, value: &Value) -> (Vec<Mismatch>, bool) {
        let mut check = Check {
            root: self.root,
            path: self.path.clone(),
            found: Vec::new(),
            saw_unknown: false,
            depth: self.depth,
        };
        check.value(schema, value);
        (check.found, check.saw_unknown)
    }

    fn at(&mut self, step: &str, schema: &'a Value, value: &Value) {
        self.path.push(step.to_owned());
        self.value(schema, value);
        self.path.pop();
    }

    fn value(&mut self, schema: &'a Value, value: &Value) {
        if is_unknown(value) {
            self.saw_unknown = true;
            return;
        }
        // A schema may refer to itself; no template is that deep.
        if self.depth > 64 {
            return;
        }
        let schema = match schema {
            Value::Bool(false) => {
                return self.report("is not allowed here", "remove it", "extraneous key is not permitted");
            }
            Value::Object(schema) => schema,
            _ => return,
        };
        self.depth += 1;
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = self.root.pointer(reference.trim_start_matches('#'))
        {
            self.value(target, value);
        }
        if !self.has_type(schema.get("type"), schema.contains_key("properties"), value) {
            self.depth -= 1;
            return;
        }
        match value {
            Value::Object(entries) => self.object(schema, entries),
            Value::Array(items) => self.array(schema, items),
            Value::Null => {}
            scalar => self.scalar(schema, scalar),
        }
        self.combinations(schema, value);
        self.depth -= 1;
    }

    fn has_type(&mut self, types: Option<&Value>, has_properties: bool, value: &Value) -> bool {
        let types: Vec<&str> = match types {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if types.iter().any(|one| is_of_type(one, has_properties, value)) {
            return true;
        }
        let expected: Vec<&str> = types.iter().map(|one| java_name(one)).collect();
        let article: Vec<&str> = types.iter().map(|one| readable(one)).collect();
        let found = match value {
            Value::Array(_) => "JSONArray",
            Value::Object(_) => "JSONObject",
            _ => "String",
        };
        self.report(
            format!("is {}", described(value)),
            format!("write {}", article.join(" or ")),
            &format!("expected type: {}, found: {found}", expected.join(" or ")),
        );
        false
    }

    fn object(&mut self, schema: &'a serde_json::Map<String, Value>, entries: &serde_json::Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        for (name, value) in entries {
            let mut known = false;
            if let Some(property) = properties.and_then(|properties| properties.get(name)) {
                known = true;
                if property == &Value::Bool(false) {
                    self.path.push(name.clone());
                    self.report(
                        "is not allowed beside the other properties",
                        "remove it",
                        "extraneous key is not permitted",
                    );
                    self.path.pop();
                    continue;
                }
                self.at(name, property, value);
            }
            for (pattern, property) in patterns.into_iter().flatten() {
                if matches(pattern, name) {
                    known = true;
                    self.at(name, property, value);
                }
            }
            if closed && !known {
                let names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                let hint = if names.is_empty() && patterns.is_some() {
                    "AWS allows only certain names of keys here".to_owned()
                } else {
                    did_you_mean(name, names.iter().copied())
                };
                self.path.push(name.clone());
                let message = format!("no such property: `{name}`");
                let parent = self.path[..self.path.len() - 1].join("/");
                let parent = if parent.is_empty() { "#".to_owned() } else { format!("#/{parent}") };
                let wording = format!("{parent}: extraneous key [{name}] is not permitted");
                self.found.push(Mismatch { path: self.path.clone(), message, hint, wording });
                self.path.pop();
            }
        }
        for name in strings(schema.get("required")) {
            if !entries.contains_key(name) {
                let wording = format!("required key [{name}] not found");
                self.report(format!("lacks `{name}`"), format!("add `{name}`"), &wording);
            }
        }
        self.together(schema, entries);
        let count = entries.len() as u64;
        if let Some(least) = schema.get("minProperties").and_then(Value::as_u64).filter(|least| count < *least) {
            let wording = format!("minimum size: [{least}], found: [{count}]");
            self.report(format!("has {count} entries"), format!("at least {least} are needed"), &wording);
        }
        if let Some(most) = schema.get("maxProperties").and_then(Value::as_u64).filter(|most| count > *most) {
            let wording = format!("maximum size: [{most}], found: [{count}]");
            self.report(format!("has {count} entries"), format!("at most {most} are allowed"), &wording);
        }
        if let Some(names) = schema.get("propertyNames") {
            for name in entries.keys() {
                self.at(name, names, &Value::String(name.clone()));
            }
        }
    }

    /// Properties that need or exclude each other.
    fn together(&mut self, schema: &serde_json::Map<String, Value>, entries: &serde_json::Map<String, Value>) {
        let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        for (word, only_one) in [("requiredXor", true), ("requiredOr", false)] {
            let names: Vec<&str> = strings(schema.get(word)).collect();
            if names.is_empty() {
                continue;
            }
            let present: Vec<&str> = names.iter().copied().filter(|name| entries.contains_key(*name)).collect();
            if present.is_empty() {
                let wording = format!("required key [{}] not found", names.join("|"));
                self.report(format!("has none of {}", listed(&names)), "add one of them", &wording);
            } else if only_one && present.len() > 1 {
                let wording = format!("[{}] cannot be specified together", present.join(", "));
                self.report(format!("has {} together", listed(&present)), "keep one of them", &wording);
            }
        }
        for (word, needs) in [("dependentRequired", true), ("dependencies", true), ("dependentExcluded", false)] {
            for (name, others) in schema.get(word).and_then(Value::as_object).into_iter().flatten() {
                if !entries.contains_key(name) {
                    continue;
                }
                for other in strings(Some(others)) {
                    let present = entries.contains_key(other);
                    if needs && !present {
                        let wording = format!("property [{other}] is required");
                        self.report(format!("has `{name}` without `{other}`"), format!("add `{other}`"), &wording);
                    } else if !needs
                        && present
                        && !self.found.iter().any(|one| one.message.contains(&format!("`{other}` and `{name}`")))
                    {
                        let wording = format!("[{name}] and [{other}] cannot be specified together");
                        self.report(format!("has `{name}` and `{other}` together"), "keep one of them", &wording);
                    }
                }
            }
        }
    }

    fn array(&mut self, schema: &'a serde_json::Map<String, Value>, items: &[Value]) {
        let count = items.len() as u64;
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64).filter(|least| count < *least) {
            let wording = format!("expected minimum item count: {least}, found: {count}");
            self.report(format!("has {count} items"), format!("at least {least} are needed"), &wording);
        }
        if let Some(most) = schema.get("maxItems").and_then(Value::as_u64).filter(|most| count > *most) {
            let wording = format!("expected maximum item count: {most}, found: {count}");
            self.report(format!("has {count} items"), format!("at most {most} are allowed"), &wording);
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let repeated = items.iter().enumerate().find(|(index, item)| items[..*index].contains(item));
            if let Some((index, _)) = repeated {
                self.path.push(index.to_string());
                self.report("is listed twice", "remove one of the two", "array items are not unique");
                self.path.pop();
            }
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.at(&index.to_string(), schema, item);
            }
        }
    }

    fn scalar(&mut self, schema: &serde_json::Map<String, Value>, value: &Value) {
        let text = text_of(value);
        let same = |known: &Value| text_of(known) == text;
        if let Some(known) = schema.get("const").filter(|known| !known.is_object() && !same(known)) {
            let known = text_of(known);
            self.report(
                format!("is `{text}`"),
                format!("the only value is `{known}`"),
                &format!("{text} is not a valid enum value"),
            );
        }
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && !allowed.iter().any(same)
        {
            let names: Vec<String> = allowed.iter().map(text_of).collect();
            let hint = one_of(&text, &names);
            self.report(format!("is `{text}`"), hint, &format!("{text} is not a valid enum value"));
        }
        if let Some(Value::Array(allowed)) = schema.get("enumCaseInsensitive")
            && !allowed.iter().any(|known| text_of(known).eq_ignore_ascii_case(&text))
        {
            let names: Vec<String> = allowed.iter().map(text_of).collect();
            let hint = one_of(&text, &names);
            self.report(format!("is `{text}`"), hint, &format!("{text} is not a valid enum value"));
        }
        let is_text = !matches!(schema.get("type"), Some(Value::String(one)) if one != "string");
        if is_text {
            self.text(schema, &text);
        }
        if let Ok(number) = text.parse::<f64>() {
            self.number(schema, &text, number);
        }
    }

    fn text(&mut self, schema: &serde_json::Map<String, Value>, text: &str) {
        let length = text.chars().count() as u64;
        if let Some(least) = schema.get("minLength").and_then(Value::as_u64).filter(|least| length < *least) {
            let wording = format!("expected minLength: {least}, actual: {length}");
            self.report(format!("has {length} characters"), format!("at least {least} are needed"), &wording);
        }
        if let Some(most) = schema.get("maxLength").and_then(Value::as_u64).filter(|most| length > *most) {
            let wording = format!("expected maxLength: {most}, actual: {length}");
            self.report(format!("has {length} characters"), format!("at most {most} are allowed"), &wording);
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str).filter(|pattern| !matches(pattern, text)) {
            let wording = "failed validation constraint for keyword [pattern]";
            let shown: String = text.chars().take(80).collect();
            self.report(format!("is `{shown}`"), format!("AWS accepts what matches `{pattern}`"), wording);
        }
    }

    fn number(&mut self, schema: &serde_json::Map<String, Value>, text: &str, number: f64) {
        if let Some(least) = schema.get("minimum").and_then(Value::as_f64).filter(|least| number < *least) {
            let wording = format!("{text} is not greater or equal to {least}");
            self.report(format!("is {text}"), format!("the least is {least}"), &wording);
        }
        if let Some(most) = schema.get("maximum").and_then(Value::as_f64).filter(|most| number > *most) {
            let wording = format!("{text} is not less or equal to {most}");
            self.report(format!("is {text}"), format!("the most is {most}"), &wording);
        }
        if let Some(step) = schema.get("multipleOf").and_then(Value::as_f64).filter(|step| number % *step != 0.0) {
            let wording = format!("{text} is not a multiple of {step}");
            self.report(format!("is {text}"), format!("write a multiple of {step}"), &wording);
        }
    }

    fn combinations(&mut self, schema: &'a serde_json::Map<String, Value>, value: &Value) {
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.value(part, value);
        }
        if let Some(Value::Array(parts)) = schema.get("anyOf") {
            self.one_of_forms(parts, value, false);
        }
        if let Some(Value::Array(parts)) = schema.get("oneOf") {
            self.one_of_forms(parts, value, true);
        }
        if let Some(condition) = schema.get("if") {
            let (found, saw_unknown) = self.apart(condition, value);
            let branch = if found.is_empty() { "then" } else { "else" };
            if let Some(branch) = schema.get(branch).filter(|_| !saw_unknown) {
                self.value(branch, value);
            }
        }
        if let Some(not) = schema.get("not") {
            let (found, saw_unknown) = self.apart(not, value);
            if found.is_empty() && !saw_unknown {
                self.report("is not allowed", "change it", "subject must not be valid against schema");
            }
        }
    }

    fn one_of_forms(&mut self, parts: &'a [Value], value: &Value, only_one: bool) {
        let outcomes: Vec<(Vec<Mismatch>, bool)> = parts.iter().map(|part| self.apart(part, value)).collect();
        let fitting = outcomes.iter().filter(|(found, _)| found.is_empty()).count();
        let saw_unknown = outcomes.iter().any(|(_, saw_unknown)| *saw_unknown);
        self.saw_unknown |= saw_unknown;
        if fitting == 0 {
            // The form that fits best says what is missing.
            let best = outcomes.into_iter().map(|(found, _)| found).min_by_key(Vec::len).unwrap_or_default();
            self.found.extend(best);
        } else if only_one && fitting > 1 && !saw_unknown {
            let alternatives: Vec<String> = parts
                .iter()
                .filter_map(|part| {
                    let names: Vec<&str> = strings(part.get("required")).collect();
                    (!names.is_empty()).then(|| format!("`{}`", names.join("` with `")))
                })
                .collect();
            let hint = if alternatives.is_empty() {
                "keep one of the forms that the resource reference describes".to_owned()
            } else {
                format!("keep one of {}", alternatives.join(", "))
            };
            let wording = format!("{fitting} subschemas matched instead of one");
            self.report("fits several forms of which AWS accepts one", hint, &wording);
        }
    }
}

fn one_of(text: &str, names: &[String]) -> String {
    match closest(text, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.len() > 40 => format!("AWS accepts {} values; the resource reference lists them", names.len()),
        None => format!("AWS accepts {}", names.join(", ")),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().filter(|number| number.fract() == 0.0).map_or_else(
            || number.to_string(),
            |whole| if number.is_f64() { format!("{whole:.0}") } else { number.to_string() },
        ),
        other => other.to_string(),
    }
}

/// Whether CloudFormation takes a value for a type: it turns scalars into each other.
fn is_of_type(name: &str, has_properties: bool, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null)
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("number", Value::Number(_))
        | ("boolean", Value::Bool(_)) => true,
        ("string", scalar) => !matches!(scalar, Value::Array(_) | Value::Object(_)),
        ("integer", Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        ("integer", Value::String(text)) => text.parse::<i64>().is_ok(),
        ("number", Value::String(text)) => text.parse::<f64>().is_ok(),
        ("boolean", Value::String(text)) => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        // A JSON document may be written as a text.
        ("object", Value::String(text)) => !has_properties && text.trim_start().starts_with('{'),
        _ => false,
    }
}

fn java_name(name: &str) -> &str {
    match name {
        "array" => "JSONArray",
        "object" => "JSONObject",
        "string" => "String",
        "integer" => "Integer",
        "number" => "Number",
        "boolean" => "Boolean",
        other => other,
    }
}

fn readable(name: &str) -> &str {
    match name {
        "array" => "a list",
        "object" => "a mapping",
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        other => other,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        scalar => format!("`{}`", text_of(scalar)),
    }
}

/// Whether a text matches a pattern of a schema. Patterns with look-around, which the engine does not have, match.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = compiled.get(pattern) {
        return regex.as_ref().is_none_or(|regex| regex.is_match(text));
    }
    let regex = Regex::new(pattern).ok();
    let result = regex.as_ref().is_none_or(|regex| regex.is_match(text));
    compiled.insert(pattern.to_owned(), regex);
    result
}
