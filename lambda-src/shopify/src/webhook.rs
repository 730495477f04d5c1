//! The fast path: a webhook that came through EventBridge says which row has changed.
//!
//! A webhook's payload has the names and words of the REST API, may be old when it comes, and has nothing but an id when
//! it would be large. So only the id is taken from it, and the row is fetched as the scheduled run would fetch it.

use aws_smithy_types::DateTime;
use pipectl_contract::keys;
use pipeline::document::{Object, Shopify};
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde_json::{Value, json};

use crate::client::Client;
use crate::landing::{self, Fault, Landed, Landing};
use crate::pages;
use crate::upload::{Upload, lane};

/// The `detail-type` of Shopify's events.
pub const DETAIL_TYPE: &str = "shopifyWebhook";

/// Which row a topic speaks of: the start of the topic, the type of the row, and where its number stands in the payload.
const TOPICS: [(&str, &str, &str); 9] = [
    ("customers/", "Customer", "id"),
    ("orders/", "Order", "id"),
    ("refunds/", "Order", "order_id"),
    ("order_transactions/", "Order", "order_id"),
    ("products/", "Product", "id"),
    ("variants/", "ProductVariant", "id"),
    ("inventory_items/", "InventoryItem", "id"),
    ("inventory_levels/", "InventoryLevel", "admin_graphql_api_id"),
    // `orders/updated` of 2024 and later is also sent as this.
    ("order/", "Order", "id"),
];

/// What a webhook says.
#[derive(Debug, PartialEq, Eq)]
struct Webhook<'a> {
    kind: &'static str,
    id: String,
    deleted: bool,
    /// The same in each delivery of a webhook.
    delivery: &'a str,
    triggered: DateTime,
}

/// Lets the row of a webhook land. A webhook that is not ours to read is no error: its scheduled run reads all there is.
pub async fn handle(client: &Client<'_>, raw: &Bucket, source: &Shopify, event: &Value) -> Result<Value> {
    let webhook = match Webhook::parse(source, event)? {
        Ok(webhook) => webhook,
        Err(why) => {
            tracing::warn!("a webhook is ignored: {why}");
            return Ok(json!({"skipped": why}));
        }
    };
    let knows = |object: &&Object| {
        let kinds = object.children.iter().map(|child| &child.kind).chain([&object.kind]);
        kinds.into_iter().any(|kind| kind == webhook.kind) && !object.tables.is_empty()
    };
    let Some(object) = source.objects.iter().find(knows) else {
        return Ok(json!({"skipped": format!("no table is made from `{}`", webhook.kind)}));
    };
    let name = landing::name(&webhook.triggered, &format!("webhook-{}", webhook.delivery));
    let landed = if webhook.deleted {
        delete(raw, object, &webhook, &name).await?
    } else {
        let mut landing = Landing::new(raw, object, name);
        match pages::one(client, object, webhook.kind, &webhook.id, &mut landing).await {
            Ok(true) => landing.complete().await?,
            Ok(false) => return Ok(json!({"skipped": format!("{} was deleted", webhook.id)})),
            Err(fault) => {
                landing.abort().await;
                return Err(match fault {
                    Fault::Fatal(error) => error,
                    Fault::Broken(why) => Error::new(format!("{} cannot be read", webhook.id)).cause(why),
                });
            }
        }
    };
    Ok(json!({"webhook": webhook.id, "rows": landed.rows, "files": landed.files}))
}

async fn delete(raw: &Bucket, object: &Object, webhook: &Webhook<'_>, name: &str) -> Result<Landed> {
    let deletes = object.deletions.values().any(|kind| kind == webhook.kind);
    let Some(table) = object.tables.get(webhook.kind).filter(|_| deletes) else {
        return Ok(Landed::default());
    };
    let row = pages::deleted(&webhook.id, &instant::format(&webhook.triggered));
    let row = serde_json::to_vec(&row).map_err(|error| Error::new("a row cannot be written").cause(error))?;
    let mut upload = Upload::new(raw.clone(), format!("{}{name}", keys::landing_folder(table)), lane());
    upload.write(&[row]).await?;
    Ok(Landed { rows: 1, files: vec![upload.complete().await?], ..Landed::default() })
}

impl<'a> Webhook<'a> {
    /// Reads an event of EventBridge; the inner error is why it is not for this source.
    fn parse(source: &Shopify, event: &'a Value) -> Result<Result<Self, String>> {
        let (payload, metadata) = (&event["detail"]["payload"], &event["detail"]["metadata"]);
        let header = |name: &str| metadata[name].as_str().unwrap_or_default();
        let (topic, shop) = (header("X-Shopify-Topic"), header("X-Shopify-Shop-Domain"));
        if shop != source.store {
            return Ok(Err(format!("it is of the shop `{shop}`, not of `{}`", source.store)));
        }
        let Some((_, kind, place)) = TOPICS.iter().find(|(start, ..)| topic.starts_with(start)) else {
            return Ok(Err(format!("no table is made from the topic `{topic}`")));
        };
        let own = payload["admin_graphql_api_id"].as_str().filter(|id| id.contains(&format!("/{kind}/")));
        let id = match (own, &payload[*place]) {
            (Some(id), _) => id.to_owned(),
            (None, Value::Number(number)) => format!("gid://shopify/{kind}/{number}"),
            (None, Value::String(id)) if id.starts_with("gid://") => id.clone(),
            _ => {
                return Err(Error::new(format!("a webhook of the topic `{topic}` names no row"))
                    .hint(format!("let its subscription include the field `{place}`")));
            }
        };
        let triggered = [header("X-Shopify-Triggered-At"), event["time"].as_str().unwrap_or_default()];
        let triggered = triggered.iter().find_map(|text| instant::parse(text).ok()).unwrap_or_else(instant::now);
        let delivery = match header("X-Shopify-Webhook-Id") {
            "" => event["id"].as_str().unwrap_or_default(),
            id => id,
        };
        Ok(Ok(Self { kind, id, deleted: topic.ends_with("/delete"), delivery, triggered }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(topic: &str, payload: &Value) -> String {
        let source = Shopify {
            store: "example.myshopify.com".into(),
            api_version: "2026-10".into(),
            secret: "s".into(),
            start: None,
            objects: vec![],
        };
        let event = json!({"detail-type": DETAIL_TYPE, "id": "e", "time": "2026-10-01T00:00:00Z", "detail": {"payload": payload,
            "metadata": {"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "example.myshopify.com", "X-Shopify-Webhook-Id": "w"}}});
        match Webhook::parse(&source, &event) {
            Ok(Ok(webhook)) => format!("{}{}", webhook.id, if webhook.deleted { " deleted" } else { "" }),
            Ok(Err(why)) => why,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_the_id_of_a_payload_counts() {
        for (topic, payload, expected) in [
            (
                "orders/updated",
                json!({"id": 7, "admin_graphql_api_id": "gid://shopify/Order/7", "total": "1"}),
                "gid://shopify/Order/7",
            ),
            // A payload of more than 1 MB comes as its id alone.
            ("orders/create", json!({"id": 7}), "gid://shopify/Order/7"),
            ("orders/delete", json!({"id": 7}), "gid://shopify/Order/7 deleted"),
            (
                "refunds/create",
                json!({"id": 9, "order_id": 7, "admin_graphql_api_id": "gid://shopify/Refund/9"}),
                "gid://shopify/Order/7",
            ),
            (
                "inventory_levels/update",
                json!({"inventory_item_id": 1, "admin_graphql_api_id": "gid://shopify/InventoryLevel/2?inventory_item_id=1"}),
                "gid://shopify/InventoryLevel/2?inventory_item_id=1",
            ),
            ("themes/update", json!({"id": 1}), "no table is made from the topic `themes/update`"),
            (
                "orders/updated",
                json!({}),
                "a webhook of the topic `orders/updated` names no row (hint: let its subscription include the field `id`)",
            ),
        ] {
            assert_eq!(read(topic, &payload), expected, "{topic}");
        }
    }
}
