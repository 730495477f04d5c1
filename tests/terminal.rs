//! A deploy on a terminal, with somebody who types: what is asked, and what Ctrl-C does.

use std::time::Duration;

use crate::support::cloud::{Cloud, ENVIRONMENT};
use crate::support::fixtures::{DEPLOY, Fixtures};
use crate::support::terminal::{CTRL_C, Terminal};

/// The account in which there is something to do, and a deploy of it on a terminal.
fn deploy(fixtures: &Fixtures, cloud: &Cloud, arguments: &[&str]) -> Terminal {
    let variables = cloud.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Terminal::start(&fixtures.after, arguments, &variables)
}

/// The lines from one that begins so.
fn from<'a>(shown: &'a str, start: &str) -> &'a str {
    shown.find(start).map_or(shown, |at| &shown[at..])
}

/// A deploy that is interrupted during an update, up to the question whether to cancel the update.
fn left(fixtures: &Fixtures, cloud: &Cloud) -> Terminal {
    cloud.pace(Duration::from_secs(12));
    let mut terminal = deploy(fixtures, cloud, &DEPLOY);
    terminal.wait_for("warehouse is being updated");
    terminal.type_in(CTRL_C);
    terminal.wait_for("stopping: nothing new is started; still running: ");
    terminal.wait_for("Press Ctrl-C again to exit immediately");
    terminal.type_in(CTRL_C);
    terminal.wait_for("Cancel the updates of warehouse and roll them back? [y/N]");
    terminal
}

/// Whatever was left is completed by the next deploy.
fn completes(fixtures: &Fixtures, cloud: &Cloud) {
    cloud.pace(Duration::from_millis(5));
    let again = cloud.run(&fixtures.after, &DEPLOY);
    assert_eq!(again.code, Some(0), "{}", again.text);
    let last = cloud.run(&fixtures.after, &DEPLOY);
    assert!(last.code == Some(0) && last.text.contains("No changes"), "{}", last.text);
}

#[test]
fn the_second_ctrl_c_offers_to_cancel_the_update() {
    let Some(fixtures) = Fixtures::create() else { return };
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let mut terminal = left(&fixtures, &cloud);
    terminal.type_in("y\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    insta::assert_snapshot!(from(&shown, "error: "), @"
    error: interrupted: stacks are still being changed in AWS: `iam`, `warehouse`
    = note: the update of `warehouse` is cancelled: AWS rolls it back now
    = note: not started: storage, glue
    = hint: follow with `pipectl status --env trial`
    = hint: run `pipectl deploy --env trial` again: it resumes where it stopped
    ");
    cloud.settle();
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_ROLLBACK_COMPLETE"), "{}", cloud.state());
    completes(&fixtures, &cloud);
}

#[test]
fn a_third_ctrl_c_exits_without_cancelling() {
    let Some(fixtures) = Fixtures::create() else { return };
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let mut terminal = left(&fixtures, &cloud);
    terminal.type_in(CTRL_C);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    insta::assert_snapshot!(from(&shown, "error: "), @"
    error: interrupted: stacks are still being changed in AWS: `iam`, `warehouse`
    = note: not started: storage, glue
    = hint: follow with `pipectl status --env trial`
    = hint: to cancel an update while it runs:
              aws cloudformation cancel-update-stack --region us-east-1 --stack-name shop-trial-warehouse
    = hint: run `pipectl deploy --env trial` again: it resumes where it stopped
    ");
    cloud.settle();
    assert!(cloud.state().contains("shop-trial-warehouse UPDATE_COMPLETE"), "{}", cloud.state());
    completes(&fixtures, &cloud);
}

#[test]
fn the_confirmation_accepts_yes_no_and_ctrl_c() {
    let Some(fixtures) = Fixtures::create() else { return };
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let (before, left) = (cloud.state(), cloud.stale_change_sets());
    let ask = ["deploy", "--env", ENVIRONMENT];
    for (typed, code, error) in [
        ("n\n", 1, "error: nothing was deployed"),
        ("\n", 1, "error: nothing was deployed"),
        (CTRL_C, 130, "error: interrupted: nothing was deployed"),
    ] {
        let mut terminal = deploy(&fixtures, &cloud, &ask);
        terminal.wait_for("Deploy this to `trial`? [y/N]");
        terminal.type_in(typed);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, Some(code), "{shown}");
        assert!(shown.contains(error), "{shown}");
        assert_eq!(cloud.state(), before);
        assert_eq!(cloud.stale_change_sets(), left, "{shown}");
    }
    let mut terminal = deploy(&fixtures, &cloud, &ask);
    terminal.wait_for("Deploy this to `trial`? [y/N]");
    terminal.type_in("y\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    insta::assert_snapshot!(from(&shown, "Done: "), @"Done: 2 created, 2 updated, 5 up to date.");
    completes(&fixtures, &cloud);
}
