//! A value as far as it is known.

/// The value of an expression. What is known only after a deployment is [`Evaluated::Unknown`], at its leaf.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Evaluated>),
    Object(Vec<(String, Evaluated)>),
    /// Not known yet; holds what it waits for, such as `Bucket.Arn`.
    Unknown(String),
}

impl Evaluated {
    /// The value as JSON, if all of it is known.
    pub fn known(&self) -> Option<serde_json::Value> {
        let mut complete = true;
        let json = self.to_json(&mut |_| {
            complete = false;
            serde_json::Value::Null
        });
        complete.then_some(json)
    }

    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) => items.iter().all(Self::is_known),
            Self::Object(entries) => entries.iter().all(|(_, value)| value.is_known()),
            _ => true,
        }
    }

    /// The value as JSON, with `unknown` standing in for what is not known.
    pub fn to_json(&self, unknown: &mut dyn FnMut(&str) -> serde_json::Value) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(number) => serde_json::Value::Number(number.clone()),
            Self::String(text) => text.clone().into(),
            Self::List(items) => items.iter().map(|item| item.to_json(unknown)).collect(),
            Self::Object(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, value)| (key.clone(), value.to_json(unknown))).collect(),
            ),
            Self::Unknown(waits_for) => unknown(waits_for),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A scalar as text, as CloudFormation does when it joins or compares.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl From<serde_json::Value> for Evaluated {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value;
        match json {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}
