//! A deploy that is killed at any call is completed by the next one, and nothing that was done is done again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::cloud::{Cloud, ENVIRONMENT, printed};
use crate::support::fixtures::{DEPLOY, Fixtures};
use crate::support::page;
use crate::support::proxy::{Call, CallPosition, Fault};

const KILLS: [(Fault, &str); 3] = [
    (Fault::KillBefore, "before AWS has it"),
    (Fault::KillAfter, "done, without an answer"),
    (Fault::KillAnswered, "answered"),
];

/// The deploy that makes all stacks.
const NEW: &str = "new environment";

/// How long a resource takes: what was started goes on when the next deploy begins.
const PACE: Duration = Duration::from_millis(150);

/// What is killed: its name in the table, the account it finds, and the command.
struct Scenario<'a> {
    name: &'static str,
    base: &'a TempDir,
    command: Vec<&'a str>,
}

#[test]
fn a_deploy_killed_at_any_call_is_completed_by_the_next() {
    let Some(fixtures) = Fixtures::create() else { return };
    let planned = saved(&fixtures);
    let scenarios = [
        Scenario { name: NEW, base: &fixtures.new, command: DEPLOY.to_vec() },
        Scenario { name: "changes", base: &fixtures.mixed, command: DEPLOY.to_vec() },
        Scenario { name: "changes, a saved plan", base: &planned, command: vec!["deploy", "plan.json"] },
    ];
    let mut table = format!("| deploy | call | {} |\n|---|---|---|---|---|\n", KILLS.map(|(_, name)| name).join(" | "));
    let mut wrong = Vec::new();
    for scenario in &scenarios {
        table += &kill_everywhere(&fixtures, scenario, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n\n"));
    if std::env::var_os("PIPECTL_KILLS").is_none() {
        page::compare("kills", &table);
    }
}

/// An account with the change sets of a plan, which is saved in the project.
fn saved(fixtures: &Fixtures) -> TempDir {
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let printed = cloud.run(&fixtures.after, &["plan", "--env", ENVIRONMENT, "--out", "plan.json"]);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    cloud.close()
}

/// What is killed of the many that a new environment has: a stack, one that needs it, one with a long template that
/// needs another, two of the objects.
const SOME: [&str; 5] = ["network", "events", "storage", "lambda/load.zip", "templates/storage.yaml"];

/// Kills at every call that changes something, and at one of each kind that reads; `PIPECTL_KILLS=all`: at every call.
fn positions(calls: &[Call], some: bool) -> Vec<CallPosition> {
    let all = std::env::var("PIPECTL_KILLS").is_ok_and(|value| value == "all");
    let mut read = Vec::new();
    let mut positions = Vec::new();
    // A record of a deploy that is not written fails nothing.
    for Call { position, .. } in calls.iter().filter(|call| !call.position.subject.starts_with("deploys/")) {
        // How often is asked whether something is done, is chance.
        let once = !position.operation.starts_with("Describe") || position.nth <= 2;
        if changes(&position.operation) || (all && once) {
            if all || !some || SOME.contains(&position.subject.as_str()) {
                positions.push(position.clone());
            }
        } else if !read.contains(&position.operation) {
            read.push(position.operation.clone());
            positions.push(position.clone());
        }
    }
    positions
}

fn changes(operation: &str) -> bool {
    ["Create", "Execute", "Delete", "Update", "Put", "Set"].iter().any(|verb| operation.starts_with(verb))
}

/// The rows of a scenario: what came of being killed at the calls of each operation.
fn kill_everywhere(fixtures: &Fixtures, scenario: &Scenario<'_>, wrong: &mut Vec<String>) -> String {
    let cloud = Cloud::copy_of(scenario.base.path());
    let printed = cloud.run(&fixtures.after, &scenario.command);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    let (right, positions) = (end_of(&cloud), positions(&cloud.calls(), scenario.name == NEW));
    drop(cloud);
    let cases: Vec<(CallPosition, usize)> =
        positions.into_iter().flat_map(|position| (0..KILLS.len()).map(move |kill| (position.clone(), kill))).collect();
    let (queue, cells) = (Mutex::new(cases.into_iter()), Mutex::new(BTreeMap::new()));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((position, kill)) = queue.lock().unwrap().next() else { break };
                    match kill_at(fixtures, scenario, &position, KILLS[kill].0, &right) {
                        Ok(()) => {
                            *cells.lock().unwrap().entry((position.operation, kill)).or_insert(0) += 1;
                        }
                        Err(why) => failures.lock().unwrap().push(format!(
                            "{}, {} {} {}, {}: {why}",
                            scenario.name, position.operation, position.subject, position.nth, KILLS[kill].1
                        )),
                    }
                }
            });
        }
    });
    wrong.extend(failures.into_inner().unwrap());
    let cells = cells.into_inner().unwrap();
    let operations: std::collections::BTreeSet<&String> = cells.keys().map(|(operation, _)| operation).collect();
    let cell = |operation: &String, kill: usize| {
        cells.get(&(operation.clone(), kill)).map_or(String::new(), |count: &usize| format!("{count} of {count}"))
    };
    operations
        .into_iter()
        .map(|operation| {
            let row: Vec<String> = (0..KILLS.len()).map(|kill| cell(operation, kill)).collect();
            format!("| {} | `{operation}` | {} |\n", scenario.name, row.join(" | "))
        })
        .collect()
}

/// What a deploy has left, with the policies of the stacks.
fn end_of(cloud: &Cloud) -> String {
    cloud.state() + &cloud.policies()
}

fn kill_at(
    fixtures: &Fixtures,
    scenario: &Scenario<'_>,
    position: &CallPosition,
    kill: Fault,
    right: &str,
) -> Result<(), String> {
    let cloud = Cloud::copy_of(scenario.base.path());
    cloud.pace(PACE);
    cloud.proxy.strike(position, kill, 1);
    let killed = cloud.run(&fixtures.after, &scenario.command);
    if !cloud.proxy.heal() {
        return Err(format!("the call was never made: {}", killed.text));
    }
    // Killed after the answer to its last call, it may have come to its end.
    if killed.code.is_some() && kill != Fault::KillAnswered {
        return Err(format!("it was not killed: {}", killed.text));
    }
    let again = cloud.run(&fixtures.after, &scenario.command);
    if again.code != Some(0) {
        return Err(format!("the next deploy ends with {:?}: {}\n{}", again.code, again.text, killed.text));
    }
    let state = end_of(&cloud);
    if state != right {
        let missing: Vec<&str> = right.lines().filter(|line| !state.contains(line)).collect();
        let surplus: Vec<&str> = state.lines().filter(|line| !right.contains(line)).collect();
        return Err(format!("the end is another: without {missing:?}, with {surplus:?}\n{}", again.text));
    }
    let twice = repeated(&cloud.calls());
    if !twice.is_empty() {
        return Err(format!("done twice: {}\n{}", twice.join(", "), again.text));
    }
    let foreign: Vec<String> = cloud
        .stale_change_sets()
        .into_iter()
        .filter(|name| !["deploy-", "plan-", "saved-"].iter().any(|start| name.starts_with(start)))
        .collect();
    if foreign.is_empty() { Ok(()) } else { Err(format!("left behind: {foreign:?}")) }
}

/// What was done twice: a change set executed for a stack, an object stored, a stack deleted or protected, and a change
/// set made for a stack that was already changed.
fn repeated(calls: &[Call]) -> Vec<String> {
    let mut done: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut twice = Vec::new();
    for call in calls.iter().filter(|call| call.status.is_some_and(|status| status < 300)) {
        let operation = call.position.operation.as_str();
        let what = match operation {
            "ExecuteChangeSet" | "UpdateTerminationProtection" => call.position.subject.as_str(),
            // The record of a run is written at its start and again at its end.
            "PutObject" if call.position.subject.starts_with("deploys/") => continue,
            "PutObject" | "DeleteStack" => call.target.as_str(),
            "CreateChangeSet" if done.contains_key(&("ExecuteChangeSet", call.position.subject.as_str())) => {
                twice.push(format!("CreateChangeSet {}", call.position.subject));
                continue;
            }
            _ => continue,
        };
        let count = done.entry((operation, what)).or_default();
        *count += 1;
        if *count > 1 {
            twice.push(format!("{operation} {what}"));
        }
    }
    twice
}

#[test]
fn repeated_changes_are_detected() {
    let call = |operation: &str, subject: &str, status: Option<u16>| Call {
        position: CallPosition { operation: operation.to_owned(), subject: subject.to_owned(), nth: 1 },
        status,
        target: format!("{subject}-target"),
    };
    let log = [
        call("ExecuteChangeSet", "iam", None),
        call("ExecuteChangeSet", "iam", Some(200)),
        call("ExecuteChangeSet", "iam", Some(400)),
        call("PutObject", "a", Some(200)),
        call("PutObject", "b", Some(200)),
    ];
    assert_eq!(repeated(&log), Vec::<String>::new());
    let more = [call("CreateChangeSet", "iam", Some(200)), call("PutObject", "a", Some(200))];
    assert_eq!(repeated(&[log.as_slice(), &more].concat()), ["CreateChangeSet iam", "PutObject a-target"]);
}

#[test]
fn missing_stack_policies_are_set_once() {
    let Some(fixtures) = Fixtures::create() else { return };
    let cloud = Cloud::copy_of(fixtures.mixed.path());
    let position = CallPosition { operation: "SetStackPolicy".to_owned(), subject: "storage".to_owned(), nth: 1 };
    cloud.proxy.strike(&position, Fault::KillBefore, 1);
    let killed = cloud.run(&fixtures.after, &DEPLOY);
    assert!(cloud.proxy.heal() && killed.code.is_none(), "{}", killed.text);
    assert!(cloud.policies().contains("shop-trial-storage has no policy"), "{}", cloud.policies());
    let made = |cloud: &Cloud| {
        let calls = cloud.calls().into_iter().filter(|call| changes(&call.position.operation));
        calls.map(|call| format!("{} {}", call.position.operation, call.position.subject)).collect::<Vec<String>>()
    };
    made(&cloud);
    let again = cloud.run(&fixtures.after, &DEPLOY);
    assert_eq!(again.code, Some(0), "{}", again.text);
    assert!(made(&cloud).contains(&"SetStackPolicy storage".to_owned()));
    assert!(!cloud.policies().contains("has no policy"), "{}", cloud.policies());
    let third = cloud.run(&fixtures.after, &DEPLOY);
    assert!(third.code == Some(0) && third.text.contains("No changes"), "{}", third.text);
    // The template of `ingest` differs in a comment, so its change set is empty each time.
    assert_eq!(made(&cloud), ["CreateChangeSet ingest", "DeleteChangeSet ingest"]);
}

#[test]
fn the_second_of_two_concurrent_deploys_waits_and_changes_nothing() {
    let Some(fixtures) = Fixtures::create() else { return };
    for base in [&fixtures.new, &fixtures.mixed] {
        let cloud = Cloud::copy_of(base.path());
        cloud.proxy.delay(Duration::from_millis(20));
        cloud.pace(PACE);
        let both = [cloud.start(&fixtures.after, &DEPLOY), cloud.start(&fixtures.after, &DEPLOY)];
        let both = both.map(printed);
        let texts = both.each_ref().map(|one| one.text.clone()).join("\n-----\n");
        assert!(both.iter().all(|one| one.code == Some(0)), "{texts}");
        let mut twice = repeated(&cloud.calls());
        // Both may protect a stack, delete the same rolled-back one by its ARN, or ask what is left to do: to the same end.
        twice.retain(|what| what.starts_with("ExecuteChangeSet") || what.starts_with("PutObject"));
        assert!(twice.is_empty(), "{twice:?}\n{texts}");
        let last = cloud.run(&fixtures.after, &DEPLOY);
        assert!(last.code == Some(0) && last.text.contains("No changes"), "{}\n{texts}", last.text);
        assert_eq!(cloud.stale_change_sets(), Vec::<String>::new(), "{texts}");
    }
}
