//! What AWS's published resource schemas say about the resource types that pipectl renders.
//!
//! The table is generated: `scripts/resource-properties.py` writes `properties.json` out of the schemas in the
//! `cfn-lint` package, whose version stands in the file.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde::Deserialize;

/// What is known of a resource type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The properties that name a resource of this type.
    pub identifier: Vec<String>,
    pub required: Vec<String>,
    /// Paths such as `BucketName` whose change needs a new resource.
    pub create_only: Vec<String>,
    /// Paths whose change may need a new resource.
    pub conditional_create_only: Vec<String>,
    pub read_only: Vec<String>,
    pub write_only: Vec<String>,
    /// What `Fn::GetAtt` can ask for.
    pub attributes: Vec<String>,
    pub properties: BTreeMap<String, Property>,
}

/// What is known of a top-level property.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Property {
    #[serde(default, rename = "type")]
    pub kinds: Vec<String>,
    pub pattern: Option<String>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    #[serde(default, rename = "enum")]
    pub allowed: Vec<serde_json::Value>,
}

/// Whether the change of a property needs a new resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recreation {
    Never,
    Conditionally,
    Always,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    #[serde(rename = "generated_by")]
    _generated_by: String,
    types: BTreeMap<String, Schema>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("properties.json")).expect("the committed table is valid: a test reads it")
});

/// The schema of a resource type, if the table has it.
pub fn of(resource_type: &str) -> Option<&'static Schema> {
    TABLE.types.get(resource_type)
}

/// The resource types of the table.
pub fn types() -> impl Iterator<Item = &'static str> + Clone {
    TABLE.types.keys().map(String::as_str)
}

/// Where the table comes from.
pub fn source() -> &'static str {
    &TABLE.source
}

impl Schema {
    /// Whether `Fn::GetAtt` can ask for `attribute`. Properties that can be read back count as attributes, as they do
    /// in CloudFormation.
    pub fn has_attribute(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|known| known == attribute)
            || (self.properties.contains_key(attribute) && !self.write_only.iter().any(|path| path == attribute))
    }

    /// What changing the property at `path` (such as `Command/Name`) asks for.
    pub fn recreation(&self, path: &str) -> Recreation {
        let touches = |known: &String| {
            let known = known.as_str();
            path == known
                || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'))
                || known.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        };
        if self.create_only.iter().any(touches) {
            Recreation::Always
        } else if self.conditional_create_only.iter().any(touches) {
            Recreation::Conditionally
        } else {
            Recreation::Never
        }
    }

    /// Whether the property at `path` can be set at all.
    pub fn is_read_only(&self, name: &str) -> bool {
        self.read_only.iter().any(|path| path == name)
    }
}

impl Property {
    /// Says what is wrong with a value, in the words of AWS's schema validation; nothing if it is right.
    pub fn complaint(&self, path: &str, value: &serde_json::Value) -> Option<String> {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(value) => value.to_string(),
            serde_json::Value::Array(_) if !self.is("array") && !self.kinds.is_empty() => {
                return Some(format!("#/{path}: expected type: {}, found: JSONArray", self.expected()));
            }
            serde_json::Value::Object(_) if !self.is("object") && !self.kinds.is_empty() => {
                return Some(format!("#/{path}: expected type: {}, found: JSONObject", self.expected()));
            }
            _ => return None,
        };
        // CloudFormation turns scalars into each other, but not into lists and objects (a JSON document as text aside).
        let scalar = ["string", "integer", "number", "boolean"].iter().any(|kind| self.is(kind));
        if !self.kinds.is_empty() && !scalar {
            let document = self.is("object") && text.trim_start().starts_with('{');
            return (!document).then(|| format!("#/{path}: expected type: {}, found: String", self.expected()));
        }
        if self.is("integer") && !self.is("string") && text.parse::<i64>().is_err() {
            return Some(format!("#/{path}: expected type: Integer, found: String"));
        }
        if self.is("boolean") && !self.is("string") && text.parse::<bool>().is_err() {
            return Some(format!("#/{path}: expected type: Boolean, found: String"));
        }
        if !self.is("string") {
            return None;
        }
        let length = text.chars().count();
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return Some(format!("#/{path}: expected minLength: {least}, actual: {length}"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return Some(format!("#/{path}: expected maxLength: {most}, actual: {length}"));
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|known| known.as_str() == Some(&text)) {
            return Some(format!("#/{path}: #: {text} is not a valid enum value"));
        }
        let pattern = self.pattern.as_deref()?;
        (!matches(pattern, &text)).then(|| format!("#/{path}: failed validation constraint for keyword [pattern]"))
    }

    fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }

    fn expected(&self) -> String {
        let name = |kind: &String| {
            match kind.as_str() {
                "array" => "JSONArray",
                "object" => "JSONObject",
                "string" => "String",
                "integer" | "number" => "Number",
                "boolean" => "Boolean",
                other => other,
            }
            .to_owned()
        };
        self.kinds.iter().map(name).collect::<Vec<_>>().join(" or ")
    }
}

/// Whether a text matches a pattern of a schema. Patterns with look-around, which the regex engine does not have, are
/// taken as matched: AWS and cfn-lint check them.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<BTreeMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}
