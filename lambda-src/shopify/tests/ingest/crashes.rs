//! What stops between any two steps, and what runs twice at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{order, order_with, rows};
use crate::{STATE, Setting};

/// A first reading by a bulk operation, then changes page by page, a new order, and one that is gone.
async fn story(setting: &Setting) {
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z"), order_with(2, "2026-09-02T00:00:00Z", 3)]);
    setting.invoke().await;
}

fn changes(setting: &Setting) {
    setting.shop.result(&[order_with(2, "2026-10-01T00:30:00Z", 4), order(3, "2026-10-01T00:40:00Z")]);
    setting.shop.event(1, "destroy", "Order/1", "2026-10-01T00:50:00Z");
    setting.shop.hours(1);
}

#[tokio::test]
async fn a_kill_at_any_write_loses_nothing_and_doubles_nothing() {
    let whole = Setting::new().await;
    story(&whole).await;
    let writes_of_first = writes(&whole);
    changes(&whole);
    whole.invoke().await.result.unwrap();
    let writes = [writes_of_first, writes(&whole) - writes_of_first];
    assert!(writes.iter().all(|writes| *writes >= 6), "{writes:?}");
    let expected = (whole.warehouse(), whole.cursor());
    assert_eq!(expected.0.len(), 8, "{:?}", expected.0);

    let mut kills = tokio::task::JoinSet::new();
    for (step, writes) in writes.into_iter().enumerate() {
        for point in (0..writes).flat_map(|write| [(step, write, false), (step, write, true)]) {
            kills.spawn(async move { (point, killed(point).await) });
            // A few at a time: each is a process that hangs until it is killed.
            if kills.len() >= 8 {
                compare(kills.join_next().await.unwrap().unwrap(), &expected);
            }
        }
    }
    while let Some(killed) = kills.join_next().await {
        compare(killed.unwrap(), &expected);
    }
}

/// The step of the story, the write in it, and whether that write takes effect.
type KillPoint = (usize, usize, bool);

type End = (std::collections::BTreeMap<String, Value>, Option<String>);

fn compare((point, end): (KillPoint, End), expected: &End) {
    assert_eq!(&end, expected, "killed at {point:?}");
}

/// The story with a process that is killed while it waits for the answer to a write; then Lambda tries again.
async fn killed((step, write, takes_effect): KillPoint) -> End {
    let mut setting = Setting::new().await;
    for now in 0..2 {
        if now == step {
            setting.s3.stop_after(write, takes_effect);
            (setting.lambda.timeout, setting.lambda.grace) = (Duration::from_millis(1200), Duration::ZERO);
        }
        if now == 0 {
            story(&setting).await;
        } else {
            later(&setting).await;
        }
        if now == step {
            setting.s3.go_on();
            (setting.lambda.timeout, setting.lambda.grace) = (Duration::from_secs(30), Duration::from_mins(1));
            // A retry has the id of what it tries again.
            setting.invoke().await.result.unwrap();
        }
    }
    (setting.warehouse(), setting.cursor())
}

async fn later(setting: &Setting) {
    changes(setting);
    setting.invoke().await;
}

fn writes(setting: &Setting) -> usize {
    setting.s3.log().iter().filter(|line| !line.starts_with("GET") && !line.starts_with("LIST")).count()
}

#[tokio::test]
async fn two_runs_at_once_are_one() {
    let setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let mut other = setting.lambda.clone();
    other.request_id = "request-2".to_owned();
    let empty = json!({});
    let (one, two) = tokio::join!(setting.invoke(), other.invoke(&empty));
    let results = [one.result.unwrap(), two.unwrap().result.unwrap()];
    assert!(results.iter().any(|result| result["objects"]["orders"]["rows"] == 2), "{results:?}");
    assert_eq!((setting.cursor().as_deref(), setting.landed().len()), (Some("2026-09-01T00:00:00Z"), 2));
}

#[tokio::test]
async fn the_lease_of_a_dead_run_expires() {
    let mut setting = Setting::new().await;
    setting.shop.result(&[order(1, "2026-09-01T00:00:00Z")]);
    let lease = |until: &str| json!({"version": 1, "lease": {"run": "dead", "until": until}}).to_string();
    setting.s3.put(STATE, lease("2999-01-01T00:00:00Z"));
    assert!(setting.invoke().await.result.unwrap()["skipped"].is_string());
    // What it asked to go on with is its own.
    let event = json!({"continue": {"run": "dead", "step": 3}});
    setting.lambda.request_id = "request-9".to_owned();
    assert_eq!(setting.send(&event).await.result.unwrap()["objects"]["orders"]["rows"], 2);
    setting.s3.put(STATE, lease("2020-01-01T00:00:00Z"));
    assert_eq!(setting.rows().await, 2);
}

#[tokio::test]
async fn a_long_result_continues_in_the_next_invocation() {
    let mut setting = Setting::new().await;
    let note = "x".repeat(100_000);
    let large = |number| json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": "2026-09-01T00:00:00Z", "note": note});
    let all: Vec<Value> = (0..150).map(large).collect();
    setting.shop.result(&all);
    setting.shop.slow(Some((1 << 20, Duration::from_millis(800))));
    setting.lambda.timeout = Duration::from_secs(9);
    let first = setting.invoke().await;
    assert_eq!(first.result, Ok(json!({"continues": 1})), "{}", first.logs);
    let parked = setting.state()["objects"]["orders"]["operation"]["parked"].clone();
    assert!(parked["bytes"].as_u64().unwrap() > 1_000_000 && setting.landed().is_empty(), "{parked}");
    assert!(setting.s3.keys().contains(&"raw/parked/shop/1/orders.part".to_owned()));

    setting.shop.slow(None);
    setting.lambda.timeout = Duration::from_secs(30);
    let event = setting.shop.invocations()[0].clone();
    assert_eq!(setting.send(&event).await.result.unwrap()["objects"]["orders"]["rows"], 150);
    let text = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!((text == rows(&all), setting.shop.queries().len(), setting.s3.open_uploads()), (true, 1, 0));
}

/// The start of a part has expired, or its multipart upload has: the result is read again from its beginning.
#[tokio::test]
async fn a_deleted_parked_result_is_read_again() {
    let mut setting = Setting::new().await;
    let note = "x".repeat(100_000);
    let large = |number| json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": "2026-09-01T00:00:00Z", "note": note});
    let all: Vec<Value> = (0..40).map(large).collect();
    setting.shop.result(&all);
    setting.shop.slow(Some((1 << 18, Duration::from_millis(800))));
    setting.lambda.timeout = Duration::from_secs(9);
    assert_eq!(setting.invoke().await.result, Ok(json!({"continues": 1})));
    setting.s3.remove("raw/parked/shop/1/orders.part");

    setting.shop.slow(None);
    setting.lambda.timeout = Duration::from_secs(30);
    let event = setting.shop.invocations()[0].clone();
    assert_eq!(setting.send(&event).await.result.unwrap()["objects"]["orders"]["rows"], 40);
    let text = setting.s3.text("raw/landing/orders/2026/10/01/20261001T000000Z-1.jsonl").unwrap();
    assert_eq!((text == rows(&all), setting.shop.queries().len()), (true, 1));
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
    setting.s3.put(STATE, "{oops");
    let error = setting.error().await;
    assert!(error.contains("cannot be read") && error.contains("restore an earlier version"), "{error}");
}
