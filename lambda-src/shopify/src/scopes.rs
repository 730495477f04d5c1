//! Checks the app's scopes before anything is read: a missing scope would show as missing rows, or not at all.

use std::collections::BTreeSet;

use aws_smithy_types::DateTime;
use pipeline::document::{Object, Shopify};
use pipeline::{Error, Result, instant};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;

const QUERY: &str = "{ currentAppInstallation { accessScopes { handle } } }";

/// Without this scope Shopify shows the orders of the last 60 days alone, and says nothing of the others.
const ALL_ORDERS: &str = "read_all_orders";
const VISIBLE_DAYS: i64 = 60;
const DAY: i64 = 86_400;

/// The scopes that an app was granted.
#[derive(Debug)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    pub async fn fetch(client: &Client<'_>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            current_app_installation: Installation,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Installation {
            access_scopes: Vec<Scope>,
        }
        #[derive(Deserialize)]
        struct Scope {
            handle: String,
        }
        let data: Data = client.query(QUERY, json!({})).await?;
        Ok(Self(data.current_app_installation.access_scopes.into_iter().map(|scope| scope.handle).collect()))
    }

    /// Who may write may read.
    fn has(&self, scope: &str) -> bool {
        let write = scope.strip_prefix("read_").map(|rest| format!("write_{rest}"));
        self.0.contains(scope) || write.is_some_and(|write| self.0.contains(&write))
    }

    /// Lists all scopes that the objects of a source need and the app does not have.
    pub fn check(&self, source: &Shopify) -> Result<()> {
        let needed: BTreeSet<&String> = source.objects.iter().flat_map(|object| &object.scopes).collect();
        let missing: Vec<&str> =
            needed.into_iter().map(String::as_str).filter(|scope| *scope != ALL_ORDERS && !self.has(scope)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("the app lacks the scopes {}", missing.join(", "))).hint(format!(
            "add them to the app's configuration, release a new version, and approve it in the admin of {}; or take out the \
             tables that need them",
            source.store
        )))
    }

    /// Refuses to read orders of a time that the app does not see.
    pub fn check_window(&self, source: &Shopify, object: &Object, since: &DateTime, now: &DateTime) -> Result<()> {
        let visible = DateTime::from_secs(now.secs() - VISIBLE_DAYS * DAY);
        if *since >= visible || !object.scopes.iter().any(|scope| scope == ALL_ORDERS) || self.has(ALL_ORDERS) {
            return Ok(());
        }
        let since = instant::format(since);
        let day = instant::format(&DateTime::from_secs(visible.secs() + DAY));
        Err(Error::new(format!(
            "`{}` is to be read since {since}, and without the scope `{ALL_ORDERS}` Shopify shows only the orders of the last \
             {VISIBLE_DAYS} days: all others would be missing without an error",
            object.name
        ))
        .hint(format!(
            "request `{ALL_ORDERS}` for the app in the Dev Dashboard, and approve it in the admin of {}; or do without the \
             older orders: `since: \"{}\"`",
            source.store,
            &day[..10]
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(scopes: &[&str]) -> Shopify {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Shopify {
            store: "example.myshopify.com".into(),
            api_version: "2026-10".into(),
            secret: "s".into(),
            start: None,
            objects: vec![Object { name: "orders".into(), scopes, ..Object::default() }],
        }
    }

    fn granted(scopes: &[&str]) -> Scopes {
        Scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect())
    }

    #[test]
    fn all_missing_scopes_are_listed_at_once() {
        let shop = shop(&["read_all_orders", "read_orders", "read_customers", "read_products"]);
        let error = granted(&["write_orders"]).check(&shop).unwrap_err().to_string();
        assert!(error.starts_with("the app lacks the scopes read_customers, read_products (hint: add them"), "{error}");
        assert_eq!(granted(&["write_orders", "read_customers", "read_products"]).check(&shop), Ok(()));
    }

    #[test]
    fn a_window_that_the_app_does_not_see_is_refused() {
        let shop = shop(&["read_all_orders", "read_orders"]);
        let now = instant::parse("2026-11-21T00:00:00Z").unwrap();
        for (scopes, since, refused) in [
            (&["read_orders"][..], "2026-09-22T00:00:00Z", false),
            (&["read_orders"], "2026-09-21T23:59:59Z", true),
            (&["read_orders", "read_all_orders"], "2000-01-01T00:00:00Z", false),
        ] {
            let since = instant::parse(since).unwrap();
            let checked = granted(scopes).check_window(&shop, &shop.objects[0], &since, &now);
            assert_eq!(checked.is_err(), refused, "{checked:?}");
            if let Err(error) = checked {
                assert!(error.to_string().contains("since: \"2026-09-23\""), "{error}");
            }
        }
    }
}
