//! The fast path: webhooks through EventBridge.

use serde_json::{Value, json};

use crate::Setting;
use crate::shop::{Kind, order_with};

fn webhook(topic: &str, id: &str, payload: &Value) -> Value {
    json!({"detail-type": "shopifyWebhook", "source": "aws.partner/shopify.com/1/shop", "id": "e", "time": "2026-10-01T00:00:05Z",
        "detail": {"payload": payload, "metadata": {"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "example.myshopify.com",
            "X-Shopify-Webhook-Id": id, "X-Shopify-Triggered-At": "2026-10-01T00:00:00.123Z"}}})
}

#[tokio::test]
async fn a_webhook_lands_its_row_as_it_is_now_and_a_second_delivery_changes_nothing() {
    let setting = Setting::new().await;
    setting.shop.result(&[order_with(1, "2026-10-01T00:00:00Z", 150)]);
    // The payload is old and has the names of the REST API: only its id counts.
    let event =
        webhook("orders/updated", "w1", &json!({"id": 1, "updated_at": "2026-09-30T00:00:00Z", "total_price": "1.00"}));
    let result = setting.send(&event).await.result.unwrap();
    assert_eq!(result["rows"], 151, "{result}");
    let again = setting.send(&event).await.result.unwrap();
    assert_eq!((&again["files"], setting.landed().len()), (&result["files"], 2));
    assert_eq!((setting.warehouse().len(), setting.cursor()), (151, None));
    assert!(setting.shop.count(Kind::Children) >= 2);
}

#[tokio::test]
async fn webhooks_for_deletions_and_unknown_topics() {
    let setting = Setting::new().await;
    setting.shop.result(&[]);
    let result = setting.send(&webhook("orders/delete", "w2", &json!({"id": 1}))).await.result.unwrap();
    let file = format!("raw/{}", result["files"][0].as_str().unwrap());
    assert!(setting.s3.text(&file).unwrap().contains("\"_deleted\":true"));
    let mut other = webhook("orders/updated", "w3", &json!({"id": 1}));
    other["detail"]["metadata"]["X-Shopify-Shop-Domain"] = "other.myshopify.com".into();
    for (event, expected) in [
        (other, "it is of the shop `other.myshopify.com`"),
        (webhook("themes/update", "w4", &json!({"id": 1})), "no table is made from the topic"),
        (webhook("customers/update", "w5", &json!({"id": 1})), "no table is made from `Customer`"),
        (webhook("orders/updated", "w6", &json!({"id": 1})), "was deleted"),
    ] {
        let result = setting.send(&event).await.result.unwrap();
        assert!(result["skipped"].as_str().unwrap().contains(expected), "{result}");
    }
    assert_eq!(setting.landed().len(), 1);
}
