//! Concurrent deploys of one environment, and deploys after a killed or interrupted one. The account is a separate process:
//! like AWS, it continues what a deploy has started.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::Duration;

use crate::support::world::{DEPLOY, World, printed_text};

fn interrupt(child: &Child) {
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
}

#[test]
fn the_second_of_two_concurrent_deploys_waits_and_changes_nothing() {
    let Some(world) = World::bootstrapped() else { return };
    let mut first = world.started("storage is being created");
    let second = world.test.run(&DEPLOY);
    let printed = printed_text(&mut first);
    assert!(first.wait().unwrap().success(), "{printed}");
    assert!(second.starts_with("exit code: 0"), "{second}");
    assert!(second.contains("waits for another deploy (run 20"), "{second}");
    world.each_was_created_once();
    let third = world.test.run(&DEPLOY);
    assert!(third.contains("No changes"), "{third}");
}

#[test]
fn two_concurrent_deploys_do_everything_once() {
    let Some(world) = World::bootstrapped() else { return };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| world.test.run(&DEPLOY));
        let second = scope.spawn(|| world.test.run(&DEPLOY));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert!(first.starts_with("exit code: 0"), "{first}");
    assert!(second.starts_with("exit code: 0"), "{second}");
    world.each_was_created_once();
}

#[test]
fn a_deploy_continues_after_a_killed_one() {
    let Some(world) = World::bootstrapped() else { return };
    let printed = world.killed_and_run_again(&DEPLOY, "storage waits for another deploy (run 20");
    assert!(printed.contains("  storage/RawBucket  AWS::S3::Bucket  CREATE_COMPLETE"), "{printed}");
    world.each_was_created_once();
}

#[test]
fn a_killed_deploy_of_a_saved_plan_is_continued() {
    let Some(world) = World::bootstrapped() else { return };
    let saved = world.test.run(&["plan", "--env", "dev", "--out", "plan.json"]);
    assert!(saved.starts_with("exit code: 0"), "{saved}");
    world.killed_and_run_again(&["deploy", "plan.json"], "storage waits for an earlier run of this plan to end");
    world.each_was_created_once();
}

#[test]
fn a_second_ctrl_c_exits_and_the_next_deploy_continues() {
    let Some(world) = World::bootstrapped() else { return };
    let mut child = world.started("storage is being created");
    // Slow enough that something is in progress at the second Ctrl-C.
    world.account.pace(Duration::from_secs(1));
    interrupt(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 && !line.contains("stopping:") {
        line.clear();
    }
    assert!(line.contains("nothing new is started; still running: "), "{line}");
    assert!(
        line.contains("`pipectl status --env dev` shows the progress. Press Ctrl-C again to exit immediately"),
        "{line}"
    );
    interrupt(&child);
    let mut printed = String::new();
    lines.read_to_string(&mut printed).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{printed}");
    assert!(printed.contains("still being changed in AWS: `"), "{printed}");
    assert!(printed.contains("= hint: follow with `pipectl status --env dev`"), "{printed}");
    assert!(printed.contains("; still running: "), "{printed}");
    world.account.pace(Duration::from_millis(10));
    let again = world.test.run(&DEPLOY);
    assert!(again.starts_with("exit code: 0"), "{again}");
    world.each_was_created_once();
}
