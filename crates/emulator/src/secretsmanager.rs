//! Secrets Manager: the values of the stacks' secrets, and the three calls that read and write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::json::{JsonError, JsonResult};
use crate::account::{clock, file};
use crate::error::Result;

/// All secrets of the account.
pub(crate) struct Secrets {
    path: PathBuf,
    account: String,
    region: String,
    known: Mutex<BTreeMap<String, Secret>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    created: f64,
    changed: f64,
    /// Newest first: the first is AWSCURRENT, the second AWSPREVIOUS.
    versions: Vec<Version>,
    owner: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    value: String,
    created: f64,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The value of a secret is never printed.
        write!(f, "Version({})", self.id)
    }
}

impl Secret {
    fn is(&self, id: &str) -> bool {
        // An ARN without its random suffix is accepted too, as Secrets Manager does.
        self.name == id || self.arn == id || self.arn.rsplit_once('-').is_some_and(|(short, _)| short == id)
    }
}

impl Secrets {
    pub(crate) fn load(directory: &Path, account: &str, region: &str) -> Result<Self> {
        let path = directory.join("secrets.json");
        let known = file::read_json(&path)?.unwrap_or_default();
        Ok(Self { path, account: account.to_owned(), region: region.to_owned(), known: Mutex::new(known) })
    }

    /// Makes a secret; without a value it is a placeholder that somebody fills.
    pub(crate) fn create(
        &self,
        name: &str,
        arn: &str,
        description: Option<String>,
        value: Option<String>,
    ) -> std::result::Result<(), String> {
        self.insert(name, arn, description, value, None)
    }

    /// Gives a secret a value, and makes it first where it is missing.
    pub(crate) fn provide(&self, name: &str, value: &str) -> std::result::Result<(), String> {
        if self.put(name, value.to_owned()).is_ok() {
            return Ok(());
        }
        let suffix = clock::random(6, clock::ALPHANUMERIC);
        let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}", self.region, self.account);
        self.insert(name, &arn, None, Some(value.to_owned()), None)
    }

    /// Makes the secret that Redshift Serverless keeps for a namespace whose admin password it manages.
    pub(crate) fn create_managed(&self, namespace: &str, user: &str) -> std::result::Result<(), String> {
        let name = managed_name(namespace, user);
        let suffix = clock::random(6, clock::ALPHANUMERIC);
        let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}", self.region, self.account);
        let value = json!({"username": user, "password": clock::random(32, clock::ALPHANUMERIC)}).to_string();
        // There is no namespace of this name. Its secret is the remains of a process that was killed between the two writes.
        self.delete_managed(namespace, user)?;
        self.insert(&name, &arn, None, Some(value), Some("redshift".to_owned()))
    }

    fn insert(
        &self,
        name: &str,
        arn: &str,
        description: Option<String>,
        value: Option<String>,
        owner: Option<String>,
    ) -> std::result::Result<(), String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(name) {
            return Err(format!("A resource with the ID you requested already exists. {name} already exists"));
        }
        let now = clock::seconds();
        let versions = value.map(|value| Version { id: clock::uuid(), value, created: now }).into_iter().collect();
        let secret = Secret {
            name: name.to_owned(),
            arn: arn.to_owned(),
            description,
            created: now,
            changed: now,
            versions,
            owner,
        };
        known.insert(name.to_owned(), secret);
        self.save(&known)
    }

    /// Adds a version; answers its id.
    pub(crate) fn put(&self, id: &str, value: String) -> std::result::Result<String, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = known.values_mut().find(|secret| secret.is(id)).ok_or(NOT_FOUND)?;
        let now = clock::seconds();
        let version = clock::uuid();
        secret.versions.insert(0, Version { id: version.clone(), value, created: now });
        secret.versions.truncate(2);
        secret.changed = now;
        self.save(&known)?;
        Ok(version)
    }

    pub(crate) fn delete(&self, id: &str) -> std::result::Result<(), String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, secret| !secret.is(id));
        self.save(&known)
    }

    pub(crate) fn delete_managed(&self, namespace: &str, user: &str) -> std::result::Result<(), String> {
        self.delete(&managed_name(namespace, user))
    }

    fn save(&self, known: &BTreeMap<String, Secret>) -> std::result::Result<(), String> {
        file::write_json(&self.path, known).map_err(|error| format!("cannot keep the secret: {error}"))
    }

    /// Answers a call of the Secrets Manager API.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> JsonResult {
        match operation {
            "GetSecretValue" => self.get_value(body),
            "PutSecretValue" => {
                let id = id_of(body)?;
                let value = body["SecretString"]
                    .as_str()
                    .ok_or_else(|| JsonError::new("InvalidParameterException", "You must provide SecretString."))?;
                let version = self.put(id, value.to_owned()).map_err(|message| not_found(&message))?;
                self.with(id, |secret| {
                    Ok(json!({
                        "ARN": secret.arn, "Name": secret.name, "VersionId": version,
                        "VersionStages": ["AWSCURRENT"],
                    }))
                })
            }
            "DescribeSecret" => self.with(id_of(body)?, |secret| {
                let stages: serde_json::Map<String, Value> = secret
                    .versions
                    .iter()
                    .zip(["AWSCURRENT", "AWSPREVIOUS"])
                    .map(|(version, stage)| (version.id.clone(), json!([stage])))
                    .collect();
                let mut answer = json!({
                    "ARN": secret.arn, "Name": secret.name, "CreatedDate": secret.created,
                    "LastChangedDate": secret.changed, "VersionIdsToStages": stages,
                });
                if let Some(description) = &secret.description {
                    answer["Description"] = description.clone().into();
                }
                if let Some(owner) = &secret.owner {
                    answer["OwningService"] = owner.clone().into();
                }
                Ok(answer)
            }),
            _ => Err(JsonError::unknown_operation("secretsmanager", operation)),
        }
    }

    fn get_value(&self, body: &Value) -> JsonResult {
        let stage = body["VersionStage"].as_str().unwrap_or("AWSCURRENT");
        let expected = body["VersionId"].as_str();
        self.with(id_of(body)?, |secret| {
            let staged = secret.versions.iter().zip(["AWSCURRENT", "AWSPREVIOUS"]);
            let mut found = staged.filter(|(version, name)| expected.map_or(*name == stage, |id| version.id == id));
            let (version, name) = found.next().ok_or_else(|| {
                JsonError::new(
                    "ResourceNotFoundException",
                    &format!("Secrets Manager can't find the specified secret value for staging label: {stage}"),
                )
            })?;
            Ok(json!({
                "ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "SecretString": version.value,
                "VersionStages": [name], "CreatedDate": version.created,
            }))
        })
    }

    fn with(&self, id: &str, answer: impl FnOnce(&Secret) -> JsonResult) -> JsonResult {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().find(|secret| secret.is(id)).map_or_else(|| Err(not_found(NOT_FOUND)), answer)
    }

    /// The ARN of a secret, by its name or ARN.
    pub(crate) fn arn(&self, id: &str) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().find(|secret| secret.is(id)).map(|secret| secret.arn.clone())
    }

    /// The current value of a secret, by its name or ARN.
    pub(crate) fn value(&self, id: &str) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = known.values().find(|secret| secret.is(id))?;
        secret.versions.first().map(|version| version.value.clone())
    }
}

const NOT_FOUND: &str = "Secrets Manager can't find the specified secret.";

fn managed_name(namespace: &str, user: &str) -> String {
    format!("redshift!{namespace}-{user}")
}

fn id_of(body: &Value) -> std::result::Result<&str, JsonError> {
    body["SecretId"].as_str().ok_or_else(|| JsonError::new("ValidationException", "SecretId is missing"))
}

fn not_found(message: &str) -> JsonError {
    JsonError::new("ResourceNotFoundException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_managed_secret_of_a_killed_process_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::load(folder.path(), "111111111111", "eu-central-1").unwrap();
        secrets.create_managed("shop", "admin").unwrap();
        let first = secrets.value("redshift!shop-admin").unwrap();
        secrets.create_managed("shop", "admin").unwrap();
        assert_ne!(secrets.value("redshift!shop-admin").unwrap(), first);
        assert!(
            secrets.create("taken", "arn", None, None).is_ok() && secrets.create("taken", "arn", None, None).is_err()
        );
    }
}
