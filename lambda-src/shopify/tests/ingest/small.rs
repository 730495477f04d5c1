//! Small changes page by page, deletions, backfills.

use serde_json::{Value, json};
use test_server::Reply;

use crate::Setting;
use crate::shop::{Kind, order, order_with};

#[tokio::test]
async fn small_results_are_read_by_pages_and_known_rows_are_skipped() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-02T00:00:00Z")]);
    assert_eq!(setting.rows().await, 4);
    let landed = setting.landed();

    // The next run starts in the moment where this one ended, knows its row again, and writes no file.
    setting.shop.hours(1);
    assert_eq!(setting.rows().await, 0);
    assert_eq!((setting.landed(), setting.shop.queries().len()), (landed.clone(), 1));
    assert!(setting.shop.asked(Kind::Page)[0].contains("updated_at:>='2026-09-02T00:00:00Z'"));

    // Another row of the same moment is new.
    setting.shop.result(&[order(2, "2026-09-02T00:00:00Z"), order(3, "2026-09-02T00:00:00Z")]);
    assert_eq!(setting.rows().await, 4);
    assert_eq!(setting.landed().len(), landed.len() + 2);
    assert!(setting.warehouse().contains_key("orders gid://shopify/Order/3"));
    assert_eq!(setting.shop.queries().len(), 1);
}

#[tokio::test]
async fn pages_shrink_to_what_a_query_may_cost_and_wait_for_their_points() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    let orders: Vec<Value> = (10..30).map(|number| order(number, "2026-09-05T00:00:00Z")).collect();
    setting.shop.result(&orders);
    let expensive = json!({"errors": [{"message": "too much", "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 4000, "maxCost": 1000}}]});
    for _ in 0..4 {
        setting.shop.fault(Kind::Page, Reply::new(200, expensive.to_string()));
    }
    // The answer before leaves fewer points than the next page costs.
    let cost = json!({"requestedQueryCost": 100, "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 0, "restoreRate": 1000}});
    let scopes = json!({"data": {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}, {"handle": "read_all_orders"}]}},
        "extensions": {"cost": cost}});
    setting.shop.fault(Kind::Scopes, Reply::new(200, scopes.to_string()));
    let began = std::time::Instant::now();
    assert_eq!(setting.rows().await, 40);
    assert!(began.elapsed().as_millis() >= 250, "{:?}", began.elapsed());
    let asked = setting.shop.asked(Kind::Page);
    assert!(asked[4].contains("first: 12") && asked[4].contains("lineItems(first: 5)"), "{}", asked[4]);
    assert_eq!((asked.len(), setting.shop.queries().len()), (6, 1));
}

#[tokio::test]
async fn large_results_use_a_bulk_operation() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.result(&(0..400).map(|number| order(number, "2026-09-05T00:00:00Z")).collect::<Vec<_>>());
    assert_eq!(setting.rows().await, 800);
    assert_eq!((setting.shop.queries().len(), setting.s3.open_uploads()), (2, 0));
    assert!(setting.landed().iter().all(|key| !key.contains("pages")), "{:?}", setting.landed());
}

#[tokio::test]
async fn a_truncated_page_falls_back_to_a_bulk_operation() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.fault(Kind::Page, Reply::new(200, r#"{"data":{"orders":{"edges":[]}}}"#));
    setting.shop.result(&[order(2, "2026-09-02T00:00:00Z")]);
    assert_eq!(setting.rows().await, 2);
    assert_eq!(setting.shop.queries().len(), 2);
}

#[tokio::test]
async fn deletions_land_once_and_only_those_of_the_tables() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-01T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    setting.shop.hours(1);
    setting.shop.event(1, "create", "Order/2", "2026-10-01T00:57:00Z");
    setting.shop.event(2, "destroy", "Order/1", "2026-10-01T00:58:00Z");
    setting.shop.event(3, "destroy", "Product/1", "2026-10-01T00:58:00Z");
    let result = setting.invoke().await.result.unwrap();
    assert_eq!(result["objects"]["deletions"]["rows"], 1, "{result}");
    let file = format!("raw/{}", result["objects"]["deletions"]["files"][0].as_str().unwrap());
    assert_eq!(
        setting.s3.text(&file).unwrap(),
        "{\"_deleted\":true,\"id\":\"gid://shopify/Order/1\",\"updatedAt\":\"2026-10-01T00:58:00Z\"}\n"
    );
    assert!(setting.shop.asked(Kind::Events)[1].contains("subject_type:ORDER) AND comments:false"));
    // Events of the last minutes are looked through again, and known again.
    let result = setting.invoke().await.result.unwrap();
    assert!(result["objects"]["deletions"].is_null(), "{result}");
    assert!(!setting.warehouse().contains_key("orders gid://shopify/Order/1"));
}

#[tokio::test]
async fn a_backfill_reads_again_from_its_day_and_never_forgets_a_later_cursor() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order(2, "2026-09-20T00:00:00Z")]);
    setting.invoke().await.result.unwrap();
    let result =
        setting.send(&json!({"backfill": {"since": "2026-08-01", "objects": ["orders"]}})).await.result.unwrap();
    assert_eq!(result["objects"]["orders"]["rows"], 4);
    assert!(setting.shop.asked(Kind::Page).last().unwrap().contains("updated_at:>='2026-08-01T00:00:00Z'"));
    assert_eq!(setting.cursor().as_deref(), Some("2026-09-20T00:00:00Z"));
    for (event, expected) in [
        (json!({"backfill": {"since": "last week"}}), "is a day, 2026-01-31"),
        (json!({"backfill": {"since": "2026-01-01", "objects": ["order"]}}), "its objects are orders"),
        (json!({"backfill": {"from": "2026-01-01"}}), "has no request that this function knows"),
    ] {
        let error = setting.send(&event).await.result.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_is_added_gets_its_rows_of_the_time_before() {
    let setting = Setting::new().await;
    setting.shop.result(&[order_with(1, "2026-09-01T00:00:00Z", 2)]);
    setting.invoke().await.result.unwrap();
    let mut state = setting.state();
    state["objects"]["orders"]["tables"] = json!(["orders"]);
    setting.s3.put(crate::STATE, state.to_string());
    assert_eq!(setting.rows().await, 3);
    assert!(setting.shop.queries()[1].contains("2020-01-01"), "{:?}", setting.shop.queries());
}
