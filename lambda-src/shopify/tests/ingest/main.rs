//! The ingest Lambda as Lambda runs it: the binary, against a Shopify and an S3 on loopback, with faults on the wire.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod shop;

use serde_json::{Value, json};
use wire::{Invocation, Lambda, Reply, S3};

use shop::{Kind, Shop, order, rows};

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

    /// A shop with one kind of object, `orders`, whose children are `order_lines`.
    async fn with(secret: Value) -> Self {
        let shop = Shop::default();
        let (server, s3) = (shop.serve(secret).await, S3::default());
        let query = "{ orders(query: \"updated_at:>='{since}'\") { edges { node { id updatedAt lineItems { edges { node { id } } } } } } }";
        let document = json!({"version": 1, "prefix": "shop-dev", "buckets": {"raw": "raw", "transformed": "t"}, "sources": {"shop": {
            "type": "shopify", "store": "example.myshopify.com", "api_version": "2026-10", "secret": "shop-dev/shop",
            "objects": [{"name": "orders", "query": query, "tables": {"Order": "orders", "LineItem": "order_lines"}}]}}});
        s3.put("artifacts/config/pipeline-1.json", document.to_string());
        let lambda = Lambda::new(env!("CARGO_BIN_EXE_shopify"))
            .with("PIPELINE_DOCUMENT", "s3://artifacts/config/pipeline-1.json")
            .with("SOURCE", "shop")
            .with("SHOPIFY_ENDPOINT", server.url.clone())
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
            .with("AWS_ENDPOINT_URL", s3.serve().await.unwrap().url);
        Self { shop, s3, lambda }
    }

    async fn invoke(&self) -> Invocation {
        let invocation = self.lambda.invoke(&json!({})).await.unwrap();
        for text in [&invocation.logs, &format!("{:?}", invocation.result)] {
            assert!(!text.contains("hidden"), "a secret is shown: {text}");
        }
        if let Err(error) = &invocation.result {
            assert!(invocation.logs.contains("\"level\":\"ERROR\""), "{error} is not logged: {}", invocation.logs);
        }
        invocation
    }

    async fn error(&self) -> String {
        self.invoke().await.result.unwrap_err()
    }

    fn cursor(&self) -> Option<String> {
        let state: Value = serde_json::from_str(&self.s3.text(STATE)?).unwrap();
        state["objects"]["orders"]["cursor"].as_str().map(str::to_owned)
    }

    fn landed(&self) -> Vec<String> {
        self.s3.keys().into_iter().filter(|key| key.starts_with("raw/landing/")).collect()
    }
}

#[tokio::test]
async fn rows_land_by_table_and_the_cursor_moves_last() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-02T00:00:00Z")]);
    let invocation = setting.invoke().await;
    let files = [
        "landing/order_lines/2026/10/01/20261001T000000Z-1.jsonl",
        "landing/orders/2026/10/01/20261001T000000Z-1.jsonl",
    ];
    assert_eq!(invocation.result, Ok(json!({"objects": {"orders": {"rows": 4, "files": files}}})));
    let orders = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!(orders.lines().count(), 2);
    assert_eq!(setting.cursor().as_deref(), Some("2026-09-02T00:00:00Z"));
    assert_eq!(setting.s3.log().last().map(String::as_str), Some("PUT raw/state/shop.json"));
    assert!(setting.shop.queries()[0].contains("updated_at:>='1970-01-01T00:00:00Z'"));

    // The next run starts where this one ended. Without rows it writes no file.
    setting.shop.result(&[]);
    let invocation = setting.invoke().await;
    assert_eq!(invocation.result, Ok(json!({"objects": {"orders": {"rows": 0, "files": []}}})));
    assert!(setting.shop.queries()[1].contains("updated_at:>='2026-09-02T00:00:00Z'"));
    assert_eq!(setting.cursor().as_deref(), Some("2026-09-02T00:00:00Z"));
}

#[tokio::test]
async fn a_state_that_may_not_be_read_is_not_taken_for_a_missing_one() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.s3.fail("GET raw/state/shop.json", 403, 1);
    setting.invoke().await.result.unwrap();
    setting.s3.fail("GET raw/state/shop.json", 403, 1);
    let error = setting.error().await;
    assert!(error.contains("AccessDenied") && error.contains("role of this Lambda"), "{error}");
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
    let result = setting.invoke().await.result.unwrap();
    assert_eq!(result["objects"]["orders"]["rows"], 2);
    assert_eq!(setting.shop.queries().len(), 1);
}

#[tokio::test]
async fn a_result_that_is_cut_is_fetched_again_and_leaves_nothing_behind() {
    let setting = Setting::new().await;
    let orders: Vec<_> = (0..3).map(|number| order(number, "2026-09-01T00:00:00Z")).collect();
    let body = rows(&orders);
    setting.shop.result(&orders);
    // Once cut on the wire, once shortened in a whole answer at a row's end, then as it should be.
    let end = body.find('\n').unwrap() + 1;
    setting.shop.fault(Kind::Result, Reply::new(200, body.clone()).cut_at(body.len() / 2));
    setting.shop.fault(Kind::Result, Reply::new(200, &body[..end]));
    assert_eq!(setting.invoke().await.result.unwrap()["objects"]["orders"]["rows"], 6);
    assert_eq!(setting.landed().len(), 2);
    assert_eq!(setting.s3.open_uploads(), 0);
}

#[tokio::test]
async fn a_result_that_stays_cut_moves_no_cursor() {
    let setting = Setting::new().await;
    let orders = [order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-01T00:00:00Z")];
    let body = rows(&orders);
    setting.shop.result(&orders);
    for _ in 0..3 {
        setting.shop.fault(Kind::Result, Reply::new(200, &body[..body.len() - 9]));
    }
    let error = setting.error().await;
    assert!(error.contains("does not arrive whole") && error.contains("the cursor did not move"), "{error}");
    assert_eq!((setting.cursor(), setting.landed()), (None, vec![]));

    // The next invocation asks for a new operation, from the same cursor.
    setting.shop.result(&orders);
    assert_eq!(setting.invoke().await.result.unwrap()["objects"]["orders"]["rows"], 4);
    let queries = setting.shop.queries();
    assert_eq!((queries.len(), &queries[0]), (2, &queries[1]));
}

#[tokio::test]
async fn a_crash_between_any_two_writes_delivers_the_same_files_again() {
    let whole = Setting::new().await;
    whole.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    whole.invoke().await.result.unwrap();
    let writes: Vec<String> = whole.s3.log().into_iter().filter(|line| line.starts_with("PUT")).collect();
    assert_eq!(writes.len(), 4, "{writes:?}");
    for (position, write) in writes.iter().enumerate() {
        let setting = Setting::new().await;
        setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
        // The last write is the second one of the state; the first one is let through.
        let last = position + 1 == writes.len();
        if last {
            setting.s3.put(
                STATE,
                json!({"version": 1, "objects": {"orders": {"operation": setting.shop.started()}}}).to_string(),
            );
        }
        setting.s3.fail(write, 403, 1);
        let error = setting.error().await;
        assert!(error.contains("cannot write"), "{error}");
        assert_eq!(setting.cursor(), None, "after {write}");
        setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
        setting.invoke().await.result.unwrap();
        assert_eq!(setting.cursor().as_deref(), Some("2026-09-01T00:00:00Z"));
        // Only when the start itself was not written down is there a second operation.
        let first = position == 0;
        assert_eq!(setting.landed().len(), 2, "after {write}");
        assert_eq!(setting.landed() == whole.landed(), !first, "after {write}: {:?}", setting.landed());
    }
}

#[tokio::test]
async fn an_operation_that_outlives_the_invocation_is_continued() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    for _ in 0..20 {
        setting.shop.pending();
    }
    setting.lambda.timeout = std::time::Duration::from_secs(2);
    let error = setting.error().await;
    assert!(error.contains("still running") && error.contains("next invocation goes on"), "{error}");
    setting.shop.settle();
    setting.lambda.timeout = std::time::Duration::from_secs(30);
    assert_eq!(setting.invoke().await.result.unwrap()["objects"]["orders"]["rows"], 2);
    assert_eq!(setting.shop.queries().len(), 1);
}

#[tokio::test]
async fn an_expired_token_is_fetched_anew_when_the_app_can() {
    let setting = Setting::with(json!({"client_id": "app", "client_secret": "hidden-secret"})).await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.shop.fault(Kind::Look, Reply::new(401, r#"{"errors":"[API] Invalid API key or access token"}"#));
    assert_eq!(setting.invoke().await.result.unwrap()["objects"]["orders"]["rows"], 2);
    assert_eq!(setting.shop.grants(), 2);

    let fixed = Setting::new().await;
    fixed.shop.fault(Kind::Run, Reply::new(401, r#"{"errors":"[API] Invalid API key or access token"}"#));
    let error = fixed.error().await;
    assert!(error.contains("shop-dev/shop") && error.contains("put-secret-value"), "{error}");
}

#[tokio::test]
async fn errors_of_shopify_say_what_to_do() {
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
async fn rows_of_an_unknown_type_are_never_passed_over() {
    let setting = Setting::new().await;
    setting.shop.result(&[json!({"id": "gid://shopify/Refund/1"})]);
    let error = setting.error().await;
    assert!(error.contains("add `Refund: <table>` to `tables` of `orders`"), "{error}");
    assert_eq!((setting.cursor(), setting.landed()), (None, vec![]));
}

#[tokio::test]
async fn a_busy_shop_is_asked_again_and_another_version_is_told() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let busy = json!({"data": {"bulkOperationRunQuery": {"bulkOperation": null,
        "userErrors": [{"code": "OPERATION_IN_PROGRESS", "field": null, "message": "already in progress"}]}}});
    setting.shop.fault(Kind::Run, Reply::new(200, busy.to_string()).header("x-shopify-api-version", "2027-01"));
    let invocation = setting.invoke().await;
    assert_eq!(invocation.result.unwrap()["objects"]["orders"]["rows"], 2);
    assert!(invocation.logs.contains("serves the API version 2027-01 instead of 2026-10"), "{}", invocation.logs);
}

#[tokio::test]
async fn large_results_go_in_parts_and_equal_rows_make_equal_parts() {
    let setting = Setting::new().await;
    let note = "x".repeat(100_000);
    let large = |number| json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": "2026-09-01T00:00:00Z", "note": note});
    setting.shop.result(&(0..200).map(large).collect::<Vec<_>>());
    let invocation = setting.invoke().await;
    assert_eq!(invocation.result.unwrap()["objects"]["orders"]["rows"], 200);
    let parts = setting.s3.log().iter().filter(|line| line.starts_with("PART")).count();
    assert_eq!((parts, setting.s3.open_uploads()), (3, 0));
    let text = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!((text.lines().count(), text.len()), (200, rows(&(0..200).map(large).collect::<Vec<_>>()).len()));
}
