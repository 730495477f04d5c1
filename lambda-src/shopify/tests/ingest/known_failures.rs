//! What is known to go wrong in other connectors, each as it was reported. None of it may happen here.

use std::time::Duration;

use serde_json::{Value, json};
use test_server::Reply;

use crate::Setting;
use crate::shop::{Kind, order, order_with};

/// airbyte#85372: a result with as many rows as a checkpoint interval is dropped, the state advances, the sync succeeds.
#[tokio::test]
async fn airbyte_85372_no_count_of_rows_makes_a_result_vanish() {
    let setting = Setting::new().await;
    for count in [1_000, 999, 1_001] {
        let since = format!("2026-09-{:02}T00:00:00Z", count - 990);
        setting.shop.result(&(0..count).map(|number| order_with(number, &since, 0)).collect::<Vec<_>>());
        assert_eq!(setting.rows().await, count);
        assert_eq!(setting.cursor(), Some(since));
        setting.s3.remove(crate::STATE);
    }
}

/// airbyte PR#84845: what is checkpointed by one attempt collides with the next one. Here an attempt takes up the operation
/// of the one before.
#[tokio::test]
async fn airbyte_84845_attempts_share_one_operation() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    for _ in 0..3 {
        setting.shop.pending(1000);
        setting.lambda.timeout = Duration::from_millis(1200);
        setting.shop.fault(Kind::Invoke, Reply::new(500, ""));
        setting.invoke().await.result.unwrap_err();
    }
    setting.shop.pending(0);
    setting.lambda.timeout = Duration::from_secs(30);
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.queries().len(), 1);
}

/// airbyte#58668: 392 of 8000 orders, and no error: the app saw 60 days.
#[tokio::test]
async fn airbyte_58668_orders_that_the_app_cannot_see_are_an_error() {
    let setting = Setting::new().await;
    setting.shop.grant(&["read_orders"]);
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let error = setting.error().await;
    assert!(error.contains("`read_all_orders`") && error.contains("since: \"2026-08-03\""), "{error}");
    assert_eq!((setting.shop.queries(), setting.landed()), (vec![], vec![]));
}

/// airbyte PR#62499: `INTERNAL_SERVER_ERROR` in a job, and its slice is passed over.
#[tokio::test]
async fn airbyte_62499_a_failed_operation_skips_no_slice() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let failed = json!({"data": {"node": {"id": "gid://shopify/BulkOperation/1", "status": "FAILED", "errorCode": "INTERNAL_SERVER_ERROR",
        "createdAt": "2026-10-01T00:00:00Z", "objectCount": "1", "fileSize": "9", "url": null, "partialDataUrl": "http://127.0.0.1:9/partial"}}});
    setting.shop.fault(Kind::Look, Reply::new(200, failed.to_string()));
    let error = setting.error().await;
    assert!(error.contains("INTERNAL_SERVER_ERROR") && error.contains("partial result is not used"), "{error}");
    assert_eq!((setting.cursor(), setting.landed()), (None, vec![]));
    assert_eq!(setting.rows().await, 2);
    let queries = setting.shop.queries();
    assert_eq!(queries[0], queries[1], "from the same cursor");
}

/// airbyte#8487: refunds at 2 rows a second, a request an order. Here they come with their orders.
#[tokio::test]
async fn airbyte_8487_refunds_take_no_request_of_their_own() {
    let setting = Setting::new().await;
    let refunded = |number: u32| {
        let mut order = order(number, "2026-09-01T00:00:00Z");
        order["refunds"] = json!([{"id": format!("gid://shopify/Refund/{number}")}]);
        order
    };
    setting.shop.result(&(0..300).map(refunded).collect::<Vec<_>>());
    assert_eq!(setting.rows().await, 900);
    assert_eq!(
        (setting.shop.queries().len(), setting.shop.count(Kind::One), setting.shop.count(Kind::Result)),
        (1, 0, 1)
    );
}

/// airbyte#39499: a job stays RUNNING, and so does the sync.
#[tokio::test]
async fn airbyte_39499_an_operation_that_does_not_move_is_given_up() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.shop.pending(1000);
    setting.lambda.timeout = Duration::from_millis(1500);
    setting.invoke().await.result.unwrap();
    setting.shop.hours(2);
    setting.lambda.timeout = Duration::from_secs(30);
    let error = setting.error().await;
    assert!(error.contains("does not end") && error.contains("at 3 objects for 120"), "{error}");
    assert_eq!((setting.shop.count(Kind::Cancel), setting.cursor()), (1, None));
    setting.shop.pending(0);
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.queries().len(), 2);
}

/// estuary PR#4113: operations that somebody else started make Shopify refuse ours.
#[tokio::test]
async fn estuary_4113_waits_for_other_operations() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    for code in ["OPERATION_IN_PROGRESS", "LIMIT_REACHED"] {
        let busy = json!({"data": {"bulkOperationRunQuery": {"bulkOperation": null,
            "userErrors": [{"code": code, "field": null, "message": "already in progress"}]}}});
        setting.shop.fault(Kind::Run, Reply::new(200, busy.to_string()));
    }
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.queries().len(), 1);
}

/// Airbyte: nested codes are cut at about 100 without a word.
#[tokio::test]
async fn airbyte_nested_rows_are_never_cut() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.result(&[order_with(2, "2026-09-02T00:00:00Z", 333)]);
    assert_eq!(setting.rows().await, 334);
    assert_eq!((setting.shop.queries().len(), setting.shop.count(Kind::Children)), (1, 4));
}

/// Airbyte: a missing scope skips the stream with a warning.
#[tokio::test]
async fn airbyte_a_missing_scope_is_an_error_that_lists_all() {
    let setting = Setting::new().await;
    setting.shop.grant(&["read_all_orders"]);
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let error = setting.error().await;
    assert!(
        error.contains("the app lacks the scopes read_orders") && error.contains("example.myshopify.com"),
        "{error}"
    );
    assert_eq!(setting.shop.queries(), Vec::<String>::new());
}

/// tap-shopify: gateway timeouts on orders end the sync.
#[tokio::test]
async fn tap_shopify_gateway_timeouts_are_tried_again() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    for (kind, status) in [(Kind::Scopes, 504), (Kind::Run, 502), (Kind::Look, 504), (Kind::Look, 503)] {
        setting.shop.fault(kind, Reply::new(status, "<html>gateway timeout</html>"));
    }
    assert_eq!(setting.rows().await, 2);
}

/// tap-shopify: a version past its year is answered by another one, silently.
#[tokio::test]
async fn tap_shopify_another_api_version_is_reported() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let scopes = json!({"data": {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}, {"handle": "read_all_orders"}]}}});
    setting.shop.fault(Kind::Scopes, Reply::new(200, scopes.to_string()).header("x-shopify-api-version", "2027-01"));
    let invocation = setting.invoke().await;
    assert_eq!(invocation.result.unwrap()["objects"]["orders"]["rows"], 2);
    let reported =
        invocation.logs.lines().find(|line| line.contains("serves the API version 2027-01 instead of 2026-10"));
    assert!(reported.is_some_and(|line| line.contains("\"level\":\"ERROR\"")), "{}", invocation.logs);
}

/// dlt, tap-shopify: rows that are gone stay for ever.
#[tokio::test]
async fn dlt_a_deleted_row_is_removed() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.hours(3);
    setting.shop.event(1, "destroy", "Order/1", "2026-10-01T02:00:00Z");
    setting.shop.result(&[]);
    setting.invoke().await.result.unwrap();
    let orders: Vec<String> = setting.warehouse().into_keys().filter(|key| key.starts_with("orders")).collect();
    assert_eq!(orders, ["orders gid://shopify/Order/2"]);
}

/// Cursors that read `>`: a row that shows later with an equal time is lost.
#[tokio::test]
async fn a_late_row_with_an_equal_time_is_not_lost() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    let orders: Vec<Value> = setting.warehouse().into_values().filter(|row| row["updatedAt"].is_string()).collect();
    assert_eq!(orders.len(), 2);
}
