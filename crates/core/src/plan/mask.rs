//! Redacts secrets. A plan is read in CI logs and pull requests, so no secret may enter it.

use serde_json::Value;

use super::difference::step;
use crate::resource_types;

/// Stands where a secret is.
pub const SECRET: &str = "(secret)";
/// Stands for a value that is known only after the deploy.
pub const AFTER_DEPLOY: &str = "(known after deploy)";
/// What CloudFormation writes for a value that it does not know yet.
const KNOWN_AFTER_APPLY: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What must not be shown of one stack.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Values of `NoEcho` parameters.
    values: Vec<String>,
    /// Resources and pointers to which such a value flows.
    paths: Vec<(String, String)>,
}

impl Mask {
    /// Hides a value wherever it turns up. One or two characters are no secret, and would tear other texts apart.
    pub fn hide_value(&mut self, value: &str) {
        if value.chars().count() <= 2 {
            return;
        }
        let quoted = Value::from(value).to_string();
        // As it stands in a text, and as it stands in a document.
        for form in [value, &quoted[1..quoted.len() - 1]] {
            if !self.values.iter().any(|known| known == form) {
                self.values.push(form.to_owned());
            }
        }
        // One value may be the beginning of another.
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// Hides what another hides by its value.
    pub(super) fn add(&mut self, other: &Self) {
        other.values.iter().for_each(|value| self.hide_value(value));
    }

    /// Hides the places of a resource at which its evaluated form already holds a secret.
    pub(super) fn hide_paths(&mut self, logical_id: &str, evaluated: &Value, path: &str) {
        match evaluated {
            Value::String(text) if text.contains(SECRET) => self.paths.push((logical_id.to_owned(), path.to_owned())),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.hide_paths(logical_id, item, &step(path, &index.to_string()));
                }
            }
            Value::Object(entries) => {
                for (key, value) in entries {
                    self.hide_paths(logical_id, value, &step(path, key));
                }
            }
            _ => {}
        }
    }

    /// A value of a resource at a pointer such as `/Properties/Environment`, fit to be shown.
    pub(super) fn shown(&self, logical_id: &str, resource_type: &str, path: &str, value: &Value) -> Value {
        // What stands in a text that holds a secret may be the secret.
        let inside =
            |secret: &str| path.strip_prefix(secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let known = self.paths.iter().any(|(id, secret)| id == logical_id && inside(secret));
        if known || is_secret(resource_type, path) {
            return match value {
                // The names of a function's variables are no secret, nor is whether something is switched on.
                Value::Object(entries) => entries.keys().map(|key| (key.clone(), Value::from(SECRET))).collect(),
                Value::Bool(_) | Value::Null => value.clone(),
                Value::String(text) if text == AFTER_DEPLOY || text == KNOWN_AFTER_APPLY => AFTER_DEPLOY.into(),
                _ => SECRET.into(),
            };
        }
        match value {
            Value::String(text) => Value::String(self.text(&self.document(logical_id, resource_type, path, text))),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.shown(logical_id, resource_type, &step(path, &index.to_string()), item))
                .collect(),
            Value::Object(entries) => entries
                .iter()
                .map(|(key, value)| (key.clone(), self.shown(logical_id, resource_type, &step(path, key), value)))
                .collect(),
            _ => value.clone(),
        }
    }

    /// A text; of one that is a document, what may be shown of it.
    fn document(&self, logical_id: &str, resource_type: &str, path: &str, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(document @ (Value::Object(_) | Value::Array(_))) => {
                let shown = self.shown(logical_id, resource_type, path, &document);
                if shown == document { text.to_owned() } else { shown.to_string() }
            }
            _ => text.to_owned(),
        }
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.replace(KNOWN_AFTER_APPLY, AFTER_DEPLOY);
        for value in &self.values {
            text = text.replace(value.as_str(), SECRET);
        }
        without_dynamic_references(&text)
    }
}

/// The text with each `{{resolve:…}}` hidden: what stands there is the way to a secret.
fn without_dynamic_references(text: &str) -> String {
    let mut rest = text;
    let mut result = String::with_capacity(text.len());
    while let Some(start) = rest.find("{{resolve:") {
        result.push_str(&rest[..start]);
        result.push_str(SECRET);
        rest = rest[start..].find("}}").map_or("", |end| &rest[start + end + 2..]);
    }
    result.push_str(rest);
    result
}

/// Whether what stands at a pointer of a resource is a secret by its nature.
pub(super) fn is_secret(resource_type: &str, path: &str) -> bool {
    let property = path.strip_prefix("/Properties/").unwrap_or_default();
    let inside =
        |secret: &&str| property.strip_prefix(*secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if resource_types::find(resource_type).is_some_and(|one| one.secret_properties.iter().any(inside)) {
        return true;
    }
    let last = path.split('/').skip(1).last();
    if last == Some("SecretStringTemplate") {
        return true;
    }
    let Some(name) = last.map(|name| name.to_ascii_lowercase().replace(['-', '_'], "")) else { return false };
    // The name of a secret, its ARN or its key is where it is kept, not what it is.
    if ["id", "arn", "name", "length", "characters"].iter().any(|end| name.ends_with(end)) {
        return false;
    }
    name.contains("password")
        || name.contains("passphrase")
        || name == "secretstring"
        || [
            "privatekey",
            "apikey",
            "accesstoken",
            "authtoken",
            "clientsecret",
            "secretkey",
            "secretaccesskey",
            "oauthtoken",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_by_path_and_by_value() {
        let mut mask = Mask::default();
        mask.hide_value("hunter2!");
        mask.hide_paths("Job", &json!({"DefaultArguments": {"--key": "x(secret)y"}}), "/Properties");
        for (resource_type, value, expected) in [
            (
                "AWS::Lambda::Function",
                json!({"Environment": {"Variables": {"A": "1", "B": 2}}, "MemorySize": 128}),
                json!({"Environment": {"Variables": {"A": SECRET, "B": SECRET}}, "MemorySize": 128}),
            ),
            (
                "AWS::RDS::DBInstance",
                json!({"MasterUserPassword": "x", "ManageMasterUserPassword": true, "MasterUsername": "root"}),
                json!({"MasterUserPassword": SECRET, "ManageMasterUserPassword": true, "MasterUsername": "root"}),
            ),
            (
                "AWS::SecretsManager::Secret",
                json!({"SecretString": "x", "Name": "n", "GenerateSecretString": {"SecretStringTemplate": "{}", "PasswordLength": 9}}),
                json!({"SecretString": SECRET, "Name": "n", "GenerateSecretString": {"SecretStringTemplate": SECRET, "PasswordLength": 9}}),
            ),
            (
                "AWS::X::Y",
                json!({"Url": "https://me:hunter2!@x", "Value": "a{{resolve:secretsmanager:s:SecretString:k}}b", "SecretArn": "arn"}),
                json!({"Url": "https://me:(secret)@x", "Value": "a(secret)b", "SecretArn": "arn"}),
            ),
            ("AWS::Glue::Job", json!({"Arn": KNOWN_AFTER_APPLY}), json!({"Arn": AFTER_DEPLOY})),
        ] {
            assert_eq!(mask.shown("X", resource_type, "/Properties", &value), expected);
        }
        let inside =
            mask.shown("Job", "AWS::Glue::Job", "/Properties/DefaultArguments/--key/deeper", &json!("anything"));
        assert_eq!(inside, json!(SECRET));
        let job = json!({"DefaultArguments": {"--key": "anything", "--other": "shown"}});
        assert_eq!(
            mask.shown("Job", "AWS::Glue::Job", "/Properties", &job),
            json!({"DefaultArguments": {"--key": SECRET, "--other": "shown"}})
        );
    }
}
