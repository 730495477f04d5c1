//! The Query protocol's requests: a form whose names carry the structure, such as `Tags.member.1.Key`.

use std::collections::BTreeMap;

/// The fields of a request.
#[derive(Debug, Default)]
pub(crate) struct Query {
    fields: BTreeMap<String, String>,
}

/// What is wrong with a request, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { status: 500, code: "InternalFailure", message: message.into() }
    }
}

impl Query {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self { fields: form_urlencoded::parse(body).into_owned().collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// A field that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let field = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            Fault::validation(format!(
                "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not \
                 be null"
            ))
        })
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The items of a list of texts.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|index| self.get(&format!("{name}.member.{index}")).map(str::to_owned)).collect()
    }

    /// The items of a list of structures, each as its fields.
    pub(crate) fn structures(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let item = |index: usize| {
            let prefix = format!("{name}.member.{index}.");
            let fields: BTreeMap<String, String> = self
                .fields
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(&prefix))
                .map(|(key, value)| (key[prefix.len()..].to_owned(), value.clone()))
                .collect();
            (!fields.is_empty()).then_some(fields)
        };
        (1..).map_while(item).collect()
    }

    /// Whether a list was sent, be it empty.
    pub(crate) fn has_list(&self, name: &str) -> bool {
        let prefix = format!("{name}.");
        self.fields.contains_key(name)
            || self.fields.range(prefix.clone()..).next().is_some_and(|(key, _)| key.starts_with(&prefix))
    }
}
