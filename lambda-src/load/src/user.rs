//! The users that may only read.

use aws_sdk_secretsmanager::Client;
use md5::{Digest, Md5};
use pipeline::aws::service;
use pipeline::digest::hex;
use pipeline::document::Warehouse;
use pipeline::error::aws;
use pipeline::{Error, Result};
use serde::Deserialize;

use crate::inspect::Found;

#[derive(Deserialize)]
struct Secret {
    password: String,
}

/// The statements that make the users or set their passwords. A password is never in a statement: Redshift takes its
/// MD5 sum with the user's name, which is what it would keep anyway.
pub async fn statements(config: &aws_types::SdkConfig, warehouse: &Warehouse, found: &Found) -> Result<Vec<String>> {
    let client = Client::new(&service(config, "SECRETS_MANAGER"));
    let mut statements = Vec::new();
    for (user, secret) in &warehouse.users {
        let sent = client.get_secret_value().secret_id(secret).send().await;
        let value = sent.map_err(|error| {
            Error::new(format!("cannot read the secret `{secret}`"))
                .cause(aws(&error))
                .hint("run `pipectl deploy`, which makes it")
        })?;
        let secret: Secret = serde_json::from_str(value.secret_string().unwrap_or_default()).map_err(|_| {
            Error::new(format!("the secret `{secret}` holds no `password`"))
                .hint(format!("put it in as JSON: {{\"username\":\"{user}\",\"password\":\"…\"}}"))
        })?;
        let verb = if found.users.contains(user) { "ALTER" } else { "CREATE" };
        statements.push(format!("{verb} USER {user} PASSWORD '{}'", hash(user, &secret.password)));
    }
    Ok(statements)
}

fn hash(user: &str, password: &str) -> String {
    format!("md5{}", hex(&Md5::digest(format!("{password}{user}"))))
}

/// A text without the sums of passwords.
pub fn redacted(text: &str) -> String {
    match text.split_once(" PASSWORD '") {
        Some((before, after)) => {
            let rest = after.split_once('\'').map_or("", |(_, rest)| rest);
            format!("{before} PASSWORD '…'{rest}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_becomes_the_sum_that_redshift_keeps() {
        // As documented for CREATE USER: `md5` and the MD5 sum of the password with the user's name.
        assert_eq!(hash("admin", "ez"), "md5a44e5d68141752ad3705489cf16f3893");
        assert_eq!(redacted("CREATE USER a PASSWORD 'md5x' x"), "CREATE USER a PASSWORD '…' x");
    }
}
