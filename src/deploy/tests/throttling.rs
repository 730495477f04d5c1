//! AWS asks to slow down.

use super::*;

#[tokio::test]
async fn a_throttled_deploy_reports_the_delay_and_succeeds() {
    let throttled = || Reply::Error(400, "Throttling", "Rate exceeded".into());
    let fake = Fake::start().await;
    let fake = ["network", "storage"].iter().fold(fake, |fake, name| {
        let action = format!("DescribeStacks:shop-dev-{name}");
        fake.on(&action, throttled()).on(&action, throttled()).on(&action, throttled())
    });
    let fake = existing(existing(fake, "network", NETWORK), "storage", STORAGE);
    let mut lines = Lines(Vec::new());
    let report = deploy(&fake, desired(), &mut lines).await.unwrap();
    assert_eq!(report, [("network".into(), Outcome::Unchanged), ("storage".into(), Outcome::Unchanged)]);
    let slowed = lines.0.iter().filter(|line| *line == "slowed").count();
    // Six answers asked for it; those of one burst count once.
    assert!((3..=6).contains(&slowed), "{:?}", lines.0);
}

#[tokio::test]
async fn the_failure_is_reported_after_seven_attempts() {
    let fake = Fake::start().await.on("DescribeStacks", Reply::Error(400, "Throttling", "Rate exceeded".into()));
    let (_sender, stop) = Stop::controlled();
    let error = Session::open(fake.connect().await, &spec(false), desired(), Scope::Pipeline, stop).await.unwrap_err();
    assert_eq!(fake.requests("DescribeStacks").len(), 7);
    assert!(error.message().contains("Rate exceeded"), "{error}");
}
