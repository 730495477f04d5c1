//! The ingest Lambda as Lambda runs it: the binary, against a Shopify and an S3 on loopback, with faults on the wire.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod bulk;
mod crashes;
mod known_failures;
mod shop;
mod small;
mod webhooks;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_server::{Invocation, Lambda, S3};

use shop::Shop;

const STATE: &str = "raw/state/shop.json";

struct Setting {
    shop: Shop,
    s3: S3,
    lambda: Lambda,
}

impl Setting {
    async fn new() -> Self {
        Self::with(json!({"access_token": "shpat_hidden"})).await
    }

    /// A shop with one kind of object, `orders`, whose children are `order_lines` and whose refunds are a list.
    async fn with(secret: Value) -> Self {
        let object = json!({"name": "orders", "connection": "orders", "arguments": "sortKey: UPDATED_AT", "type": "Order",
            "fields": "id updatedAt", "children": [{"connection": "lineItems", "type": "LineItem", "fields": "id"}],
            "lists": [{"field": "refunds", "type": "Refund", "fields": "id", "keep": false}], "cursor": "Order",
            "tables": {"Order": "orders", "LineItem": "order_lines", "Refund": "refunds"},
            "scopes": ["read_all_orders", "read_orders"], "deletions": {"ORDER": "Order"}});
        Self::of(secret, &object).await
    }

    async fn of(secret: Value, object: &Value) -> Self {
        let shop = Shop::default();
        let (server, s3) = (shop.serve(secret).await, S3::default());
        let document = json!({"version": 1, "pipeline": "shop", "environment": "dev", "prefix": "shop-dev",
            "buckets": {"raw": "raw", "cleaned": "c", "transformed": "t", "raw_archive": "ra", "cleaned_archive": "ca"},
            "empty_after_load": false, "tables": {}, "warehouse": pipeline::document::Warehouse::default(), "sources": {"shop": {
            "type": "shopify", "store": "example.myshopify.com", "api_version": "2026-10", "secret": "shop-dev/shop",
            "start": "2020-01-01T00:00:00Z", "objects": [object]}}});
        s3.put("artifacts/config/pipeline-1.json", document.to_string());
        let lambda = Lambda::new(env!("CARGO_BIN_EXE_shopify"))
            .with("PIPELINE_DOCUMENT", "s3://artifacts/config/pipeline-1.json")
            .with("SOURCE", "shop")
            .with("SHOPIFY_ENDPOINT", server.url.clone())
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url.clone())
            .with("AWS_ENDPOINT_URL_LAMBDA", server.url)
            .with("AWS_ENDPOINT_URL", s3.serve().await.unwrap().url);
        Self { shop, s3, lambda }
    }

    async fn invoke(&self) -> Invocation {
        self.send(&json!({})).await
    }

    async fn send(&self, event: &Value) -> Invocation {
        let invocation = self.lambda.invoke(event).await.unwrap();
        for text in [&invocation.logs, &format!("{:?}", invocation.result)] {
            assert!(!text.contains("hidden"), "a secret is shown: {text}");
        }
        if let Err(error) = &invocation.result {
            assert!(
                error == "no answer" || invocation.logs.contains("\"level\":\"ERROR\""),
                "{error} is not logged: {}",
                invocation.logs
            );
        }
        invocation
    }

    async fn error(&self) -> String {
        self.invoke().await.result.unwrap_err()
    }

    /// The rows of the run's result.
    async fn rows(&self) -> Value {
        let invocation = self.invoke().await;
        invocation.result.unwrap_or_else(|error| panic!("{error}\n{}", invocation.logs))["objects"]["orders"]["rows"]
            .clone()
    }

    fn state(&self) -> Value {
        self.s3.text(STATE).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    fn cursor(&self) -> Option<String> {
        self.state()["objects"]["orders"]["cursor"].as_str().map(str::to_owned)
    }

    fn landed(&self) -> Vec<String> {
        self.s3.keys().into_iter().filter(|key| key.starts_with("raw/landing/")).collect()
    }

    /// What a warehouse would hold: of each table and id, the row that was updated last, and no row that is gone.
    fn warehouse(&self) -> BTreeMap<String, Value> {
        let mut rows: BTreeMap<String, Value> = BTreeMap::new();
        for key in self.landed() {
            let table = key.split('/').nth(2).unwrap().to_owned();
            for line in self.s3.text(&key).unwrap().lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                let name = format!("{table} {}", row["id"].as_str().unwrap());
                let newer = rows.get(&name).is_none_or(|old| old["updatedAt"].as_str() <= row["updatedAt"].as_str());
                if newer {
                    rows.insert(name, row);
                }
            }
        }
        rows.retain(|_, row| row["_deleted"] != json!(true));
        rows
    }
}
