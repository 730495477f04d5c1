//! The credentials of a shop, and the token that they give.

use std::fmt;

use pipeline::aws::service;
use pipeline::error::aws;
use pipeline::{Error, Result};
use serde::Deserialize;

/// A text that no log and no error shows.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How a shop is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A fixed token of a custom app.
    Token(Secret),
    /// An app that fetches a token, good for a day, by the client credentials grant.
    Client { id: String, secret: Secret },
}

#[derive(Deserialize)]
struct Value {
    access_token: Option<Secret>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

/// Reads the credentials from Secrets Manager.
pub async fn read(config: &aws_types::SdkConfig, name: &str) -> Result<Credentials> {
    let client = aws_sdk_secretsmanager::Client::new(&service(config, "SECRETS_MANAGER"));
    let output = client.get_secret_value().secret_id(name).send().await;
    let output = output
        .map_err(|error| Error::new(format!("cannot read the secret `{name}`")).cause(aws(&error)).hint(fix(name)))?;
    parse(name, output.secret_string().unwrap_or_default())
}

/// Understands the value of a secret.
pub fn parse(name: &str, value: &str) -> Result<Credentials> {
    // The parser's own words could quote the value.
    let value: Value = serde_json::from_str(value)
        .map_err(|_| Error::new(format!("the secret `{name}` is not the expected JSON")).hint(fix(name)))?;
    let filled = |secret: &Secret| !secret.0.is_empty();
    match (value.access_token.filter(filled), value.client_id, value.client_secret.filter(filled)) {
        (Some(token), _, _) => Ok(Credentials::Token(token)),
        (None, Some(id), Some(secret)) => Ok(Credentials::Client { id, secret }),
        _ => {
            let message =
                format!("the secret `{name}` has neither an `access_token` nor a `client_id` with its `client_secret`");
            Err(Error::new(message).hint(fix(name)))
        }
    }
}

/// The command that fills the secret.
pub fn fix(name: &str) -> String {
    format!(
        "aws secretsmanager put-secret-value --secret-id {name} --secret-string '{{\"client_id\":\"…\",\"client_secret\":\"…\"}}' \
         (or {{\"access_token\":\"shpat_…\"}})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        let token = parse("s", r#"{"access_token":"shpat_1"}"#);
        assert_eq!(token, Ok(Credentials::Token(Secret::new("shpat_1"))));
        let client = parse("s", r#"{"client_id":"i","client_secret":"c","access_token":""}"#);
        let secret = Secret::new("c");
        assert_eq!(client, Ok(Credentials::Client { id: "i".into(), secret }));
    }

    #[test]
    fn errors_name_the_secret_and_never_show_it() {
        for value in ["", "shpat_hidden", r#"{"client_id":"shpat_hidden"}"#, r#"{"access_token":["shpat_hidden"]}"#] {
            let error = parse("shop-dev/shop", value).unwrap_err().to_string();
            assert!(error.contains("shop-dev/shop") && error.contains("put-secret-value"), "{error}");
            assert!(!error.contains("shpat_hidden"), "{error}");
        }
        assert_eq!(format!("{:?}", Secret::new("shpat_hidden")), "Secret(…)");
    }
}
