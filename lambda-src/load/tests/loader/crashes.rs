//! A loader that is killed while it waits for an answer, at each of its writes and statements in turn.

use std::time::Duration;

use serde_json::json;

use crate::Setting;

/// Where it is killed: at which write to S3 or which statement, and whether that still takes effect.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Write(usize, bool),
    Statement(usize, bool),
}

/// What was submitted, and what is in the ledger.
#[derive(Debug, PartialEq, Eq)]
struct End {
    submitted: Vec<String>,
    ledger: Vec<String>,
}

/// Two batches on their way into the warehouse; Lambda tries again what was killed. Answers with the end, how many writes it
/// took, and how many statements.
async fn story(kill: Option<Kill>) -> (End, usize, usize) {
    let mut setting = Setting::new().await;
    setting.batch("1", &[("lines", 1), ("orders", 2)]);
    setting.batch("2", &[("orders", 1)]);
    match kill {
        Some(Kill::Write(after, takes_effect)) => setting.s3.stop_after(after, takes_effect),
        Some(Kill::Statement(after, is_run)) => setting.warehouse.stop_after(after, is_run),
        None => {}
    }
    if kill.is_some() {
        (setting.lambda.timeout, setting.lambda.grace) = (Duration::from_secs(2), Duration::ZERO);
    }
    let (mut event, mut kills) = (json!({}), 0);
    loop {
        let invocation = setting.invoke(event.clone()).await;
        if let Err(error) = invocation.result {
            kills += 1;
            assert!(kills <= 3, "{kill:?}: {error}\n{}", invocation.logs);
            setting.s3.go_on();
            setting.warehouse.go_on();
            (setting.lambda.timeout, setting.lambda.grace) = (Duration::from_secs(30), Duration::from_mins(1));
            continue;
        }
        match setting.warehouse.event() {
            Some(next) => event = next,
            None => break,
        }
    }
    assert!(kill.is_none() || kills > 0, "{kill:?} was never reached");
    let all = setting.warehouse.submitted();
    // A look at the warehouse changes nothing, and may be taken twice.
    let mut submitted: Vec<String> = all.iter().filter(|name| !name.contains("/inspect/")).cloned().collect();
    submitted.sort();
    let writes = setting.s3.log().iter().filter(|line| line.starts_with("PUT")).count();
    (End { submitted, ledger: setting.ledger() }, writes, all.len())
}

#[tokio::test]
async fn a_kill_at_any_call_submits_each_load_once_and_forgets_none() {
    let (expected, writes, statements) = story(None).await;
    assert_eq!(expected.submitted.iter().filter(|name| name.contains("/load/")).count(), 3, "{expected:?}");
    assert!(writes >= 4 && statements >= 5, "{writes} {statements}");
    let mut points = Vec::new();
    for takes_effect in [false, true] {
        points.extend((0..writes).map(|after| Kill::Write(after, takes_effect)));
        points.extend((0..statements).map(|after| Kill::Statement(after, takes_effect)));
    }
    let mut kills = tokio::task::JoinSet::new();
    for kill in points {
        kills.spawn(async move { (kill, story(Some(kill)).await.0) });
        // A few at a time: each is a process that hangs until it is killed.
        if kills.len() >= 8 {
            let (kill, end) = kills.join_next().await.unwrap().unwrap();
            assert_eq!(end, expected, "killed at {kill:?}");
        }
    }
    while let Some(killed) = kills.join_next().await {
        let (kill, end) = killed.unwrap();
        assert_eq!(end, expected, "killed at {kill:?}");
    }
}
