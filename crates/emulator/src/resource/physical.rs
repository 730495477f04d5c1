//! What making, changing and removing a resource does on this machine.

use serde_json::Value;

use super::{Refusal, flag, property, text};
use crate::account::state::StackResource;
use crate::s3::{BucketConfiguration, Store};
use crate::secretsmanager::Secrets;

/// Makes what a resource is on this machine: a directory for a bucket, a value for a secret. Most are data only.
pub(crate) fn create(
    store: &Store,
    secrets: &Secrets,
    resource_type: &str,
    physical_id: &str,
    properties: &Value,
) -> Result<(), Refusal> {
    match resource_type {
        "AWS::S3::Bucket" => {
            if store.has_bucket(physical_id) {
                return Err(already_exists(physical_id));
            }
            store.create_bucket(physical_id).map_err(|error| Refusal(error.to_string()))?;
            store.configure(physical_id, configuration(properties));
            Ok(())
        }
        "AWS::SecretsManager::Secret" => {
            let value = match text(properties, "SecretString") {
                Some(value) => Some(value.to_owned()),
                None => property(properties, "GenerateSecretString").map(generate),
            };
            let name = text(properties, "Name").map_or_else(|| name_in(physical_id), str::to_owned);
            let description = text(properties, "Description").map(str::to_owned);
            secrets.create(&name, physical_id, description, value).map_err(Refusal)
        }
        "AWS::RedshiftServerless::Namespace" if flag(properties, "ManageAdminPassword") => {
            let user = text(properties, "AdminUsername").unwrap_or("admin");
            secrets.create_managed(physical_id, user).map_err(Refusal)
        }
        _ => Ok(()),
    }
}

/// Changes what a resource is on this machine.
pub(crate) fn update(store: &Store, secrets: &Secrets, old: &StackResource, properties: &Value) -> Result<(), Refusal> {
    match old.resource_type.as_str() {
        "AWS::S3::Bucket" => {
            if !store.has_bucket(&old.physical_id) {
                return Err(Refusal::by_handler("The specified bucket does not exist", "NotFound"));
            }
            store.configure(&old.physical_id, configuration(properties));
            Ok(())
        }
        // A new value in the template is a new version; a value that somebody put in between stays otherwise.
        "AWS::SecretsManager::Secret" => match text(properties, "SecretString") {
            Some(value) if text(&old.properties, "SecretString") != Some(value) => {
                secrets.put(&old.physical_id, value.to_owned()).map(|_| ()).map_err(Refusal)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Removes what a resource is on this machine.
pub(crate) fn delete(store: &Store, secrets: &Secrets, resource: &StackResource) -> Result<(), Refusal> {
    match resource.resource_type.as_str() {
        "AWS::S3::Bucket" => match store.delete_bucket(&resource.physical_id) {
            Ok(()) => Ok(()),
            Err(error) => Err(Refusal::by_handler(&error.to_string(), "GeneralServiceException")),
        },
        "AWS::SecretsManager::Secret" => secrets.delete(&resource.physical_id).map_err(Refusal),
        "AWS::RedshiftServerless::Namespace" => {
            let user = text(&resource.properties, "AdminUsername").unwrap_or("admin");
            secrets.delete_managed(&resource.physical_id, user).map_err(Refusal)
        }
        _ => Ok(()),
    }
}

pub(crate) fn already_exists(name: &str) -> Refusal {
    Refusal(format!("{name} already exists"))
}

/// The part of a bucket's properties that the S3 API answers from.
pub(crate) fn configuration(properties: &Value) -> BucketConfiguration {
    BucketConfiguration { properties: properties.clone() }
}

fn name_in(arn: &str) -> String {
    let name = arn.rsplit(":secret:").next().unwrap_or(arn);
    name.rsplit_once('-').map_or(name, |(name, _)| name).to_owned()
}

/// Makes a secret as `GenerateSecretString` asks for.
fn generate(properties: &Value) -> String {
    let length = property(properties, "PasswordLength")
        .and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
        .and_then(|length| usize::try_from(length).ok())
        .filter(|length| (1..=4096).contains(length))
        .unwrap_or(32);
    let excluded = text(properties, "ExcludeCharacters").unwrap_or_default();
    let mut alphabet: Vec<u8> = Vec::new();
    for (flagged, characters) in [
        ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
        ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", "0123456789"),
        ("ExcludePunctuation", "!#$%&()*+,-./:;<=>?@[]^_{|}~"),
    ] {
        if !flag(properties, flagged) {
            alphabet.extend(characters.bytes().filter(|byte| !excluded.as_bytes().contains(byte)));
        }
    }
    let alphabet = if alphabet.is_empty() { crate::account::clock::ALPHANUMERIC.to_vec() } else { alphabet };
    let password = crate::account::clock::random(length, &alphabet);
    let template = text(properties, "SecretStringTemplate").and_then(|text| serde_json::from_str::<Value>(text).ok());
    match (template, text(properties, "GenerateStringKey")) {
        (Some(Value::Object(mut entries)), Some(key)) => {
            entries.insert(key.to_owned(), password.into());
            Value::Object(entries).to_string()
        }
        _ => password,
    }
}
