//! Bulk operations: the first reading of an object, and all that is too much for pages.

use std::time::Duration;

use serde_json::{Value, json};
use test_server::Reply;

use crate::Setting;
use crate::shop::{Kind, order, rows};

#[tokio::test]
async fn rows_land_by_table_and_the_cursor_moves_last() {
    let setting = Setting::new().await;
    let mut refunded = order(2, "2026-09-02T00:00:00Z");
    refunded["refunds"] = json!([{"id": "gid://shopify/Refund/7"}]);
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), refunded]);
    let invocation = setting.invoke().await;
    let files = [
        "landing/order_lines/2026/10/01/20261001T000000Z-1.jsonl",
        "landing/orders/2026/10/01/20261001T000000Z-1.jsonl",
        "landing/refunds/2026/10/01/20261001T000000Z-1.jsonl",
    ];
    assert_eq!(invocation.result, Ok(json!({"objects": {"orders": {"rows": 5, "files": files}}})));
    let orders = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!(orders.lines().count(), 2);
    let refunds = setting.s3.text("raw/landing/refunds/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!(
        refunds,
        "{\"id\":\"gid:\\/\\/shopify\\/Refund\\/7\",\"__parentId\":\"gid:\\/\\/shopify\\/Order\\/2\"}\n"
    );
    assert_eq!(setting.cursor().as_deref(), Some("2026-09-02T00:00:00Z"));
    let log = setting.s3.log();
    let last_row = log.iter().rposition(|line| line.contains("landing")).unwrap();
    assert!(log[last_row + 1..].iter().any(|line| line == "PUT raw/state/shop.json"), "{log:?}");
    assert!(setting.shop.queries()[0].contains("updated_at:>='2020-01-01T00:00:00Z'"));
    assert!(setting.state()["lease"].is_null());
}

#[tokio::test]
async fn faults_that_pass_are_waited_for() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let cost = json!({"requestedQueryCost": 10, "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 0, "restoreRate": 100}});
    let throttled = json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}});
    for (kind, reply) in [
        (Kind::Run, Reply::new(429, "").header("retry-after", "0.1")),
        (Kind::Run, Reply::new(200, throttled.to_string())),
        (Kind::Look, Reply::new(502, "<html>bad gateway</html>")),
        (Kind::Look, Reply::reset()),
        (Kind::Result, Reply::reset()),
    ] {
        setting.shop.fault(kind, reply);
    }
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.queries().len(), 1);
}

#[tokio::test]
async fn a_truncated_result_is_fetched_again_without_duplicates() {
    let setting = Setting::new().await;
    let orders: Vec<_> = (0..3).map(|number| order(number, "2026-09-01T00:00:00Z")).collect();
    let body = rows(&orders);
    setting.shop.result(&orders);
    // Once cut on the wire, once shortened in a whole answer at a row's end, then as it should be.
    let end = body.find('\n').unwrap() + 1;
    setting.shop.fault(Kind::Result, Reply::new(200, body.clone()).cut_at(body.len() / 2));
    setting.shop.fault(Kind::Result, Reply::new(200, &body[..end]));
    assert_eq!(setting.rows().await, 6);
    assert_eq!((setting.landed().len(), setting.s3.open_uploads()), (2, 0));
}

/// Bad results: each is refused as a whole, moves no cursor, and the next invocation starts again from the same cursor.
#[tokio::test]
async fn a_result_that_is_not_what_shopify_counted_commits_nothing() {
    let orders = [order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-01T00:00:00Z")];
    let body = rows(&orders);
    let first = body.lines().next().unwrap();
    for (name, bad) in [
        ("cut in a row", body[..body.len() - 9].to_owned()),
        ("a row less", body[first.len() + 1..].to_owned()),
        ("a row more", format!("{body}{first}\n")),
        ("no JSON", body.replacen("\"id\"", "\"id", 1)),
        ("a page of HTML", "<html>sorry</html>".to_owned()),
        ("nothing", String::new()),
    ] {
        let setting = Setting::new().await;
        setting.shop.result(&orders);
        for _ in 0..3 {
            setting.shop.fault(Kind::Result, Reply::new(200, bad.clone()));
        }
        let error = setting.error().await;
        assert!(
            error.contains("does not arrive whole") && error.contains("the cursor did not move"),
            "{name}: {error}"
        );
        assert_eq!((setting.cursor(), setting.landed()), (None, vec![]), "{name}");
        assert_eq!(setting.rows().await, 4, "{name}");
        let queries = setting.shop.queries();
        assert_eq!((queries.len(), &queries[0]), (2, &queries[1]), "{name}");
    }
}

#[tokio::test]
async fn an_operation_that_outlives_the_invocation_is_continued_by_another_one() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.shop.pending(1000);
    setting.lambda.timeout = Duration::from_secs(2);
    let invocation = setting.invoke().await;
    assert_eq!(invocation.result, Ok(json!({"continues": 1})), "{}", invocation.logs);
    let events = setting.shop.invocations();
    assert_eq!(events, [json!({"continue": {"run": "request-1", "step": 1}})]);
    assert_eq!(setting.state()["objects"]["orders"]["operation"]["progress"]["objects"], 3);

    // Until it comes the source is taken: a scheduled run in between does nothing.
    setting.lambda.request_id = "request-2".to_owned();
    let skipped = setting.invoke().await.result.unwrap();
    assert!(skipped["skipped"].as_str().unwrap().contains("another run"), "{skipped}");

    setting.shop.pending(0);
    setting.lambda.request_id = "request-3".to_owned();
    setting.lambda.timeout = Duration::from_secs(30);
    let result = setting.send(&events[0]).await.result.unwrap();
    assert_eq!(result["objects"]["orders"]["rows"], 2);
    assert_eq!((setting.shop.queries().len(), setting.state()["lease"].is_null()), (1, true));
}

#[tokio::test]
async fn a_missing_permission_to_invoke_itself_is_reported() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.shop.pending(1000);
    setting.lambda.timeout = Duration::from_secs(2);
    setting
        .shop
        .fault(Kind::Invoke, Reply::new(403, r#"{"Message":"not authorized to perform: lambda:InvokeFunction"}"#));
    let error = setting.error().await;
    assert!(error.contains("cannot invoke itself") && error.contains("lambda:InvokeFunction"), "{error}");
    assert!(setting.state()["lease"].is_null());
}

#[tokio::test]
async fn an_expired_token_is_renewed_if_the_app_can() {
    let setting = Setting::with(json!({"client_id": "app", "client_secret": "hidden-secret"})).await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.shop.fault(Kind::Look, Reply::new(401, r#"{"errors":"[API] Invalid API key or access token"}"#));
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.grants(), 2);

    // A token that is about to expire is replaced before Shopify refuses it.
    setting.shop.lives(1);
    setting.shop.pending(6);
    setting.send(&json!({"backfill": {"since": "2026-01-01"}})).await.result.unwrap();
    setting.shop.result(&(0..600).map(|number| order(number, "2026-09-02T00:00:00Z")).collect::<Vec<_>>());
    setting.invoke().await.result.unwrap();
    assert!(setting.shop.grants() > 3, "{}", setting.shop.grants());

    let fixed = Setting::new().await;
    fixed.shop.fault(Kind::Run, Reply::new(401, r#"{"errors":"[API] Invalid API key or access token"}"#));
    let error = fixed.error().await;
    assert!(error.contains("shop-dev/shop") && error.contains("put-secret-value"), "{error}");
}

#[tokio::test]
async fn errors_of_shopify_have_a_hint() {
    let failed = |status: &str, code: Value| {
        json!({"data": {"node": {"id": "gid://shopify/BulkOperation/1", "status": status, "errorCode": code,
        "createdAt": "2026-10-01T00:00:00Z", "objectCount": "1", "fileSize": null, "url": null, "partialDataUrl": "http://x"}}})
    };
    let denied = json!({"errors": [{"message": "Access denied for orders field. Required access: `read_orders`", "extensions": {"code": "ACCESS_DENIED"}}]});
    let user = json!({"data": {"bulkOperationRunQuery": {"bulkOperation": null, "userErrors": [{"code": "INVALID", "field": ["query"], "message": "no connection"}]}}});
    for (kind, reply, expected) in [
        (Kind::Run, denied, ["read_orders", "install it again"]),
        (Kind::Run, user, ["query: no connection", "correct the query of `orders`"]),
        (Kind::Look, failed("FAILED", json!("TIMEOUT")), ["has failed", "partial result is not used"]),
        (Kind::Look, failed("CANCELED", Value::Null), ["was cancelled", "new operation from the same cursor"]),
        (Kind::Look, failed("EXPIRED", Value::Null), ["has expired", "new operation"]),
        (Kind::Look, json!({"data": {"node": null}}), ["does not know the bulk operation", "starts a new one"]),
    ] {
        let setting = Setting::new().await;
        setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
        setting.shop.fault(kind, Reply::new(200, reply.to_string()));
        let error = setting.error().await;
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!((setting.cursor(), setting.landed()), (None, vec![]));
    }
}

#[tokio::test]
async fn rows_of_an_unknown_type_are_errors() {
    let setting = Setting::new().await;
    setting.shop.result(&[json!({"id": "gid://shopify/Return/1", "updatedAt": "2026-09-01T00:00:00Z"})]);
    let error = setting.error().await;
    assert!(error.contains("rows of type `Return` were not asked for"), "{error}");
    assert_eq!((setting.cursor(), setting.landed()), (None, vec![]));
}

#[tokio::test]
async fn large_results_are_split_and_parts_are_deterministic() {
    let setting = Setting::new().await;
    let note = "x".repeat(100_000);
    let large = |number| json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": "2026-09-01T00:00:00Z", "note": note});
    let all: Vec<Value> = (0..200).map(large).collect();
    setting.shop.result(&all);
    assert_eq!(setting.rows().await, 200);
    let parts = setting.s3.log().iter().filter(|line| line.starts_with("PART")).count();
    assert_eq!((parts, setting.s3.open_uploads()), (4, 0));
    let text = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!((text.lines().count(), text), (200, rows(&all)));
}

/// Shopify's clock is what counts, not this machine's, which is weeks away from it here. A row that claims to have changed
/// in the future comes, and comes again, and hides no row that changes before.
#[tokio::test]
async fn clocks_that_disagree_hide_no_row() {
    let setting = Setting::new().await;
    let ahead = order(1, "2027-01-01T00:00:00Z");
    setting.shop.result(&[ahead.clone(), order(2, "2026-09-01T00:00:00Z")]);
    assert_eq!(setting.rows().await, 4);
    // Bulk operations say themselves when they began.
    assert_eq!(setting.cursor().as_deref(), Some("2026-10-01T00:00:00Z"));
    for hour in 1..3 {
        setting.shop.hours(hour);
        setting.shop.result(&[
            ahead.clone(),
            order(2 + u32::try_from(hour).unwrap(), &format!("2026-10-01T0{}:30:00Z", hour - 1)),
        ]);
        setting.invoke().await.result.unwrap();
        // Of pages it is the time of the answer.
        let cursor = setting.cursor().unwrap();
        assert!(cursor.starts_with(&format!("2026-10-01T0{hour}:0")), "{cursor}");
    }
    let orders: Vec<String> = setting.warehouse().into_keys().filter(|key| key.starts_with("orders ")).collect();
    let expected = [1, 2, 3, 4].map(|number| format!("orders gid://shopify/Order/{number}"));
    assert_eq!(orders, expected);
}

/// A row that a result has twice lands twice, both times whole: the job `clean` keeps one and counts the other.
#[tokio::test]
async fn a_row_that_comes_twice_in_one_result_is_no_error() {
    let setting = Setting::new().await;
    let twice = json!({"id": "gid://shopify/Order/1", "updatedAt": "2026-09-01T00:00:00Z"});
    setting.shop.result(&[twice.clone(), twice]);
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.warehouse().len(), 1);
}
