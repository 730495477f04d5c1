//! A project with an account that goes on when the one who deploys is killed or leaves, as AWS does.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use pipectl::local::LocalAccount;

use super::Test;

pub(crate) const DEPLOY: [&str; 4] = ["deploy", "--env", "dev", "--yes"];

/// A project with an account that does not end with the binary.
pub(crate) struct World {
    pub(crate) test: Test,
    pub(crate) account: LocalAccount,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    /// An account with the bootstrap stack, in which every resource takes a while.
    pub(crate) fn bootstrapped() -> Option<Self> {
        let test = Test::packaged()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let account = LocalAccount::open(&test.path("account"), "111111111111", "eu-central-1").unwrap();
        let endpoint = runtime.block_on(account.serve(0)).unwrap();
        let test = test
            .env("AWS_ENDPOINT_URL", &endpoint.url())
            .env("AWS_ACCESS_KEY_ID", &account.access_key("AKIAEXAMPLE"))
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let made = test.run(&["bootstrap", "--env", "dev", "--yes"]);
        assert!(made.starts_with("exit code: 0"), "{made}");
        // Long enough that a busy machine still sees a creation in progress.
        account.pace(Duration::from_millis(150));
        // The server lives as long as the runtime.
        std::mem::forget(endpoint);
        Some(Self { test, account, _runtime: runtime })
    }

    /// Starts a deploy and returns once it has said this.
    pub(crate) fn started(&self, until: &str) -> Child {
        self.started_as(&DEPLOY, until)
    }

    pub(crate) fn started_as(&self, arguments: &[&str], until: &str) -> Child {
        let mut child = self.test.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut all) = (String::new(), String::new());
        while lines.read_line(&mut line).unwrap() > 0 && !line.contains(until) {
            all.push_str(&line);
            line.clear();
        }
        assert!(line.contains(until), "the run never printed `{until}`:\n{all}");
        child.stderr = Some(lines.into_inner());
        child
    }

    /// Kills a deploy while storage is being created, and runs it again. Returns what the second one said from the
    /// moment on at which it had begun to wait for what the first one left.
    pub(crate) fn killed_and_run_again(&self, arguments: &[&str], waits: &str) -> String {
        let mut killed = self.started_as(arguments, "storage is being created");
        // Slow enough that the creation is under way when the second one looks.
        self.account.pace(Duration::from_secs(2));
        killed.kill().unwrap();
        killed.wait().unwrap();
        let mut again = self.started_as(arguments, waits);
        self.account.pace(Duration::from_millis(10));
        let printed = printed_text(&mut again);
        assert!(again.wait().unwrap().success(), "{printed}");
        printed
    }

    /// Each stack was created by one operation and never touched by another.
    pub(crate) fn each_was_created_once(&self) {
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

/// All that a run still says.
pub(crate) fn printed_text(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}
