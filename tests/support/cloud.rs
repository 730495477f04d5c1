//! A separate account behind a proxy: what a deploy finds, does and leaves there, as with AWS. The account
//! goes on when the one who deploys is killed, as AWS does.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_cloudformation as sdk;
use pipectl::local::{Endpoint, LocalAccount};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::Test;
use super::proxy::{Call, Proxy};

/// For the accounts and the proxies of all tests.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The environment of these tests: not the account that pipectl runs itself, so that it deploys as it does to AWS.
pub(crate) const ENVIRONMENT: &str = "trial";
const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const PREFIX: &str = "shop-trial-";
/// Must never appear in output.
const SECRET: &str = "wJalrXUtnFEMI/bPxRfiCYzEXAMPLEKEY";

/// An account, and the way to it.
pub(crate) struct Cloud {
    folder: TempDir,
    account: LocalAccount,
    endpoint: Option<Endpoint>,
    pub(crate) proxy: Proxy,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            let _ = RUNTIME.block_on(endpoint.stop());
        }
    }
}

/// How a run ended, and all that it said.
#[derive(Debug, Clone)]
pub(crate) struct RunOutput {
    /// None if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Cloud {
    /// An account with nothing in it.
    pub(crate) fn empty() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    /// An account in the same state as another, which is closed.
    pub(crate) fn copy_of(state: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        link(state, folder.path());
        Self::open(folder)
    }

    fn open(folder: TempDir) -> Self {
        let account = LocalAccount::open(folder.path(), ACCOUNT, REGION).unwrap();
        let endpoint = RUNTIME.block_on(account.serve(0)).unwrap();
        let proxy = Proxy::before(SocketAddr::from((Ipv4Addr::LOCALHOST, endpoint.port())), PREFIX);
        Self { folder, account, endpoint: Some(endpoint), proxy }
    }

    /// Ends the account and leaves its state, to be copied.
    pub(crate) fn close(mut self) -> TempDir {
        if let Some(endpoint) = self.endpoint.take() {
            RUNTIME.block_on(endpoint.stop()).unwrap();
        }
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Lets every resource take this long.
    pub(crate) fn pace(&self, pace: Duration) {
        self.account.pace(pace);
    }

    /// The environment that makes this account the binary's AWS.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ENDPOINT_URL", self.proxy.url.clone()),
            ("AWS_ACCESS_KEY_ID", self.account.access_key("AKIAIOSFODNN7EXAMPLE")),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// Starts the binary with this account as its AWS.
    pub(crate) fn start(&self, project: &Test, arguments: &[&str]) -> Child {
        let mut command = project.command(arguments);
        command.envs(self.variables());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.proxy.victim(child.id());
        child
    }

    /// Runs the binary to its end. It must never print a secret or panic.
    pub(crate) fn run(&self, project: &Test, arguments: &[&str]) -> RunOutput {
        printed(self.start(project, arguments))
    }

    /// Waits until nothing is being done in the account.
    pub(crate) fn settle(&self) {
        let busy = |status: &str| status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS";
        while self.account.stacks().iter().any(|stack| busy(&stack.status)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn config(&self) -> aws_config::SdkConfig {
        let credentials = sdk::config::Credentials::new(self.account.access_key("test"), "test", None, None, "test");
        aws_config::SdkConfig::builder()
            .behavior_version(sdk::config::BehaviorVersion::latest())
            .region(sdk::config::Region::new(REGION))
            .credentials_provider(sdk::config::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.endpoint.as_ref().unwrap().url())
            .build()
    }

    fn client(&self) -> sdk::Client {
        sdk::Client::new(&self.config())
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config()).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Takes an empty bucket away, as somebody might by hand.
    pub(crate) fn delete_bucket(&self, name: &str) {
        RUNTIME.block_on(self.s3().delete_bucket().bucket(name).send()).unwrap();
    }

    pub(crate) fn create_bucket(&self, name: &str) {
        RUNTIME.block_on(self.s3().create_bucket().bucket(name).send()).unwrap();
    }

    /// The policies of all stacks, by name.
    pub(crate) fn policies(&self) -> String {
        self.settle();
        let client = self.client();
        let mut text = String::new();
        for stack in self.account.stacks().into_iter().filter(|stack| stack.status != "REVIEW_IN_PROGRESS") {
            let policy = RUNTIME.block_on(client.get_stack_policy().stack_name(&stack.name).send()).unwrap();
            let _ = writeln!(text, "{} {}", stack.name, policy.stack_policy_body().unwrap_or("has no policy"));
        }
        text
    }

    /// The state of the account: stacks with templates, parameters, tags, outputs and protection, and the
    /// objects. Left out are empty stacks with nothing but a change set, and the records of the deploys themselves.
    pub(crate) fn state(&self) -> String {
        self.settle();
        let mut text = String::new();
        let client = self.client();
        for stack in self.account.stacks().into_iter().filter(|stack| stack.status != "REVIEW_IN_PROGRESS") {
            let described = RUNTIME.block_on(client.describe_stacks().stack_name(&stack.name).send()).unwrap();
            let protected = described.stacks()[0].enable_termination_protection().unwrap_or_default();
            let digest = short(stack.template.as_bytes());
            let _ = writeln!(text, "{} {} template {digest} protected {protected}", stack.name, stack.status);
            for (kind, values) in [("parameter", &stack.parameters), ("tag", &stack.tags), ("output", &stack.outputs)] {
                for (name, value) in values {
                    let _ = writeln!(text, "  {kind} {name} = {value}");
                }
            }
        }
        let buckets = self.folder.path().join("s3/buckets");
        for path in files(&buckets) {
            let name = path.strip_prefix(&buckets).unwrap().display().to_string();
            if !name.contains("/deploys/") {
                let _ = writeln!(text, "{name} {}", short(&std::fs::read(&path).unwrap()));
            }
        }
        text
    }

    /// The change sets that nobody has executed, and the stacks that are nothing else, by name.
    pub(crate) fn stale_change_sets(&self) -> Vec<String> {
        self.settle();
        let client = self.client();
        let mut names = Vec::new();
        for stack in self.account.stacks() {
            let listed = RUNTIME.block_on(client.list_change_sets().stack_name(&stack.name).send()).unwrap();
            names.extend(listed.summaries().iter().filter_map(|one| one.change_set_name()).map(str::to_owned));
            if stack.status == "REVIEW_IN_PROGRESS" {
                names.push(stack.name);
            }
        }
        names
    }

    /// Takes an object away.
    pub(crate) fn lose(&self, start: &str) {
        let buckets = self.folder.path().join("s3/buckets");
        let lost = files(&buckets).into_iter().find(|path| path.display().to_string().contains(start)).unwrap();
        std::fs::remove_file(lost).unwrap();
    }

    /// The calls since the last look.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.proxy.take_calls()
    }
}

/// Waits for the end of a run.
pub(crate) fn printed(child: Child) -> RunOutput {
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(SECRET), "a secret is told: {text}");
    assert!(!text.contains("panicked"), "{text}");
    RunOutput { code: output.status.code(), text }
}

fn short(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A copy in which large objects are links: the account never writes into a file, it replaces it.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            link(&path, &target);
        } else if entry.metadata().unwrap().len() > 100_000 {
            std::fs::hard_link(&path, &target).unwrap();
        } else if entry.file_name() != "lock" {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
