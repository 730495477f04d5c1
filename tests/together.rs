//! Several deploys of one environment: at once, and one after another was killed or left. The account lives on its own,
//! as AWS does: what a deploy has begun there goes on without it.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::Duration;

use crate::support::world::{DEPLOY, World, said};

fn interrupt(child: &Child) {
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
}

#[test]
fn of_two_deploys_at_once_the_second_waits_and_finds_nothing_to_do() {
    let Some(world) = World::bootstrapped() else { return };
    let mut first = world.started("storage is being created");
    let second = world.test.run(&DEPLOY);
    let told = said(&mut first);
    assert!(first.wait().unwrap().success(), "{told}");
    assert!(second.starts_with("exit code: 0"), "{second}");
    assert!(second.contains("waits for another deploy (run 20"), "{second}");
    world.each_was_created_once();
    let third = world.test.run(&DEPLOY);
    assert!(third.contains("No changes"), "{third}");
}

#[test]
fn two_deploys_that_start_together_do_everything_once() {
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
fn a_deploy_goes_on_with_what_a_killed_one_has_begun() {
    let Some(world) = World::bootstrapped() else { return };
    let told = world.killed_and_run_again(&DEPLOY, "storage waits for another deploy (run 20");
    assert!(told.contains("  storage/RawBucket  AWS::S3::Bucket  CREATE_COMPLETE"), "{told}");
    world.each_was_created_once();
}

#[test]
fn a_killed_deploy_of_a_saved_plan_is_gone_on_with() {
    let Some(world) = World::bootstrapped() else { return };
    let saved = world.test.run(&["plan", "--env", "dev", "--out", "plan.json"]);
    assert!(saved.starts_with("exit code: 0"), "{saved}");
    world.killed_and_run_again(&["deploy", "plan.json"], "storage waits for what this plan began before to end");
    world.each_was_created_once();
}

#[test]
fn ctrl_c_twice_leaves_and_the_next_deploy_goes_on() {
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
    assert!(line.contains("nothing new is started; still going on: "), "{line}");
    assert!(
        line.contains("`pipectl status --env dev` shows how far it is. Press Ctrl-C again to leave at once"),
        "{line}"
    );
    interrupt(&child);
    let mut told = String::new();
    lines.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("still being changed in AWS: `"), "{told}");
    assert!(told.contains("= hint: follow with `pipectl status --env dev`"), "{told}");
    assert!(told.contains("; still running: "), "{told}");
    world.account.pace(Duration::from_millis(10));
    let again = world.test.run(&DEPLOY);
    assert!(again.starts_with("exit code: 0"), "{again}");
    world.each_was_created_once();
}
