//! Several deploys of one environment: at once, and one after another was killed or left. The account lives on its own,
//! as AWS does: what a deploy has begun there goes on without it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use pipectl::local::LocalAccount;

use crate::support::Test;

const DEPLOY: [&str; 4] = ["deploy", "--env", "dev", "--yes"];

/// A project with an account that does not end with the binary.
struct World {
    test: Test,
    account: LocalAccount,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    /// An account with the bootstrap stack, in which every resource takes a while.
    fn bootstrapped() -> Option<Self> {
        let test = Test::packaged()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let account = LocalAccount::open(&test.path("account"), "111111111111", "eu-central-1").unwrap();
        let endpoint = runtime.block_on(account.serve(0)).unwrap();
        let test = test
            .env("AWS_ENDPOINT_URL", &endpoint.url())
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let made = test.run(&["bootstrap", "--env", "dev", "--yes"]);
        assert!(made.starts_with("exit code: 0"), "{made}");
        account.pace(Duration::from_millis(40));
        // The server lives as long as the runtime.
        std::mem::forget(endpoint);
        Some(Self { test, account, _runtime: runtime })
    }

    /// Starts a deploy and returns once it has said this.
    fn started(&self, until: &str) -> Child {
        self.started_as(&DEPLOY, until)
    }

    fn started_as(&self, arguments: &[&str], until: &str) -> Child {
        let mut child = self.test.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 && !line.contains(until) {
            line.clear();
        }
        assert!(line.contains(until), "the deploy never said `{until}`");
        child.stderr = Some(lines.into_inner());
        child
    }

    /// Kills a deploy while storage is being created, and runs it again. Returns what the second one said from the
    /// moment on at which it had begun to wait for what the first one left.
    fn killed_and_run_again(&self, arguments: &[&str], waits: &str) -> String {
        let mut killed = self.started_as(arguments, "storage is being created");
        // Slow enough that the creation is under way when the second one looks.
        self.account.pace(Duration::from_secs(2));
        killed.kill().unwrap();
        killed.wait().unwrap();
        let mut again = self.started_as(arguments, waits);
        self.account.pace(Duration::from_millis(10));
        let told = said(&mut again);
        assert!(again.wait().unwrap().success(), "{told}");
        told
    }

    /// Each stack was created by one operation and never touched by another.
    fn each_was_created_once(&self) {
        let stacks = self.account.stacks();
        assert!(stacks.len() > 8, "{}", stacks.len());
        for stack in stacks {
            assert_eq!(stack.status, "CREATE_COMPLETE", "{}", stack.name);
            let file = self.test.path("account/stacks").join(format!("{}.json", stack.name));
            let state: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let events = state["events"].as_array().unwrap();
            let of_stack = events.iter().filter(|event| event["logical_id"] == stack.name.as_str());
            let begun: Vec<&str> = of_stack
                .filter_map(|event| event["status"].as_str())
                .filter(|status| status.ends_with("_IN_PROGRESS") && !status.starts_with("REVIEW"))
                .collect();
            assert_eq!(begun, ["CREATE_IN_PROGRESS"], "{}", stack.name);
            let left = state["change_sets"].as_array().unwrap().len();
            assert_eq!(left, 1, "change sets of {}", stack.name);
        }
    }
}

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

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
    world.account.pace(Duration::from_millis(300));
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
