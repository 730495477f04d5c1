//! `pipectl deploy`: executed, failed, interrupted, rejected.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use crate::support::{Test, UNCHECKED, root};

const DEPLOY: [&str; 4] = ["deploy", "--env", "local", "--yes"];

/// Starts a deploy and returns once it has said this.
fn started(test: &Test, until: &str) -> Child {
    let mut child = test.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.contains(until) {
            break;
        }
        line.clear();
    }
    assert!(line.contains(until), "the deploy never said `{until}`");
    child.stderr = Some(lines.into_inner());
    child
}

fn printed_text(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn completes(test: &Test) {
    let done = test.run(&DEPLOY);
    assert!(done.starts_with("exit code: 0"), "{done}");
    let plan = test.run(&["plan", "--env", "local", "--exit-code"]);
    assert!(plan.starts_with("exit code: 0") && plan.contains("No changes"), "{plan}");
}

#[test]
fn a_deploy_creates_all_stacks_and_a_second_changes_nothing() {
    let Some(test) = Test::packaged() else { return };
    let first = test.run(&DEPLOY);
    insta::assert_snapshot!(first.lines().last().unwrap(), @"Done: 10 created, 0 updated, 0 up to date.");
    let second = test.run(&DEPLOY);
    // Stacks that need nothing of each other are looked at together: their order is not fixed.
    let (printed, mut stacks): (Vec<&str>, Vec<&str>) =
        second.lines().partition(|line| !line.ends_with("is up to date"));
    stacks.sort_unstable();
    insta::assert_snapshot!([printed, stacks].concat().join("\n"), @"
    exit code: 0
    ----- stdout -----
    No changes. 10 stacks are up to date.
    ----- stderr -----
    analytics is up to date
    bootstrap is up to date
    events is up to date
    glue is up to date
    iam is up to date
    ingest is up to date
    monitoring is up to date
    network is up to date
    storage is up to date
    warehouse is up to date
    ");
}

#[test]
fn a_failure_has_its_root_cause_and_the_next_deploy_completes() {
    let Some(test) = Test::packaged() else { return };
    let template = std::fs::read_to_string(root().join("templates/storage.yaml.hbs")).unwrap();
    // The name of the bucket that no role of the pipeline names.
    let broken = template.replacen("BucketName: {{buckets.logs}}", "BucketName: Not_A_Bucket", 1).replacen(
        "  LogsBucket:\n    Type: AWS::S3::Bucket\n",
        &format!("  LogsBucket:\n    Type: AWS::S3::Bucket\n{UNCHECKED}"),
        1,
    );
    assert_ne!(template, broken);
    let test = test.write("templates/storage.yaml.hbs", &broken);
    insta::assert_snapshot!(test.end(&DEPLOY), @"
    exit code: 1
    error: `shop-local-storage` was not created: `LogsBucket` (AWS::S3::Bucket) failed: Properties validation failed for resource with message:
    #/BucketName: failed validation constraint for keyword [pattern]
       --> storage.yaml:274:3
        |
    274 |   LogsBucket:
        |   ^^^^^^^^^^ this resource
      = note: `shop-local-storage` is now in ROLLBACK_COMPLETE
      = note: not started, because `storage` failed: glue, events, monitoring
      = hint: fix the cause, then run `pipectl deploy` again: it resumes where it stopped
    ");
    std::fs::remove_file(test.path("templates/storage.yaml.hbs")).unwrap();
    completes(&test);
}

#[test]
fn without_a_terminal_confirmation_is_an_error() {
    let Some(test) = Test::packaged() else { return };
    insta::assert_snapshot!(test.end(&["deploy", "--env", "local"]), @"
    exit code: 64
    error: cannot ask for confirmation here
    = hint: add `--yes` to deploy without confirmation
    ");
}

#[test]
fn a_killed_deploy_is_completed_by_the_next() {
    let Some(test) = Test::packaged() else { return };
    let mut child = started(&test, "storage is being created");
    child.kill().unwrap();
    child.wait().unwrap();
    completes(&test);
}

#[test]
fn ctrl_c_stops_gracefully() {
    let Some(test) = Test::packaged() else { return };
    let mut child = started(&test, "storage is being created");
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let printed = printed_text(&mut child);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{printed}");
    assert!(printed.contains("error: interrupted: "), "{printed}");
    assert!(printed.contains("run `pipectl deploy --env local` again: it resumes where it stopped"), "{printed}");
    completes(&test);
}

#[test]
fn concurrent_local_deploys_wait_or_name_the_lock_holder() {
    let Some(test) = Test::packaged() else { return };
    let mut first = started(&test, "bootstrap is being created");
    let holder = first.id();
    let second = test.run(&DEPLOY);
    let printed = printed_text(&mut first);
    assert!(first.wait().unwrap().success(), "{printed}");
    let refused = second.contains(&format!("is in use by process {holder}"));
    assert!(refused || second.contains("No changes"), "{second}");
    completes(&test);
}

#[test]
fn a_full_disk_leaves_no_partial_files() {
    let Some(test) = Test::packaged() else { return };
    // No file may grow over a megabyte: the Lambdas do not fit.
    let program = test.command(&DEPLOY).get_program().to_owned();
    let script = format!("trap '' XFSZ; ulimit -f 1000; exec {} {}", program.display(), DEPLOY.join(" "));
    let output = test.wrapped("bash", &["-c", &script]).output().unwrap();
    let printed = test.show(&output);
    assert!(printed.starts_with("exit code: 1"), "{printed}");
    assert!(
        printed.contains("error: AWS refused `PutObject`: the local account cannot write to its disk"),
        "{printed}"
    );
    assert!(printed.contains("free some space on the disk"), "{printed}");
    let bucket = test.path(".pipectl/local/s3");
    assert!(!files_under(&bucket).iter().any(|name| name.contains("lambda/shopify-")));
    completes(&test);
}

fn files_under(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(files_under(&path));
        } else {
            names.push(path.display().to_string());
        }
    }
    names
}

#[test]
fn an_unwritable_state_is_reported() {
    let Some(test) = Test::packaged() else { return };
    let test = test.write(".pipectl/local", "a file where a folder should be");
    insta::assert_snapshot!(test.end(&DEPLOY), @"
    exit code: 1
    error: cannot keep the local account in `[PROJECT]/.pipectl/local`
      cause: File exists (os error 17)
    = hint: make the directory writable, or free some space on its disk
    ");
    assert_eq!(std::fs::read_to_string(test.path(".pipectl/local")).unwrap(), "a file where a folder should be");
}

#[test]
fn a_port_in_use_is_reported() {
    let Some(test) = Test::packaged() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let local = std::fs::read_to_string(test.path("stacks/local.yaml")).unwrap();
    let test = test.write("stacks/local.yaml", &format!("{local}\nport: {port}\n"));
    insta::assert_snapshot!(test.end(&DEPLOY).replace(&port.to_string(), "[PORT]"), @"
    exit code: 1
    error: port [PORT] on 127.0.0.1 is taken by another program
      cause: Address already in use (os error 98)
    = hint: choose another port, or 0 for any free one
    ");
}

/// Answers every request as STS would for a caller of this account.
fn identity(account: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account}:user/somebody</Arn><UserId>AIDA</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length";
            let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

#[test]
fn another_account_is_never_changed() {
    let test = Test::reference()
        .env("AWS_ENDPOINT_URL", &identity("999999999999"))
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "very-secret");
    let printed = test.end(&["bootstrap", "--env", "dev", "--yes"]);
    insta::assert_snapshot!(printed, @"
    exit code: 1
    error: these credentials belong to the account 999999999999, but the environment's account is 111111111111
    = note: the caller is arn:aws:iam::999999999999:user/somebody
    = hint: choose the other profile with AWS_PROFILE, or correct `account` in the environment's file
    ");
    assert!(!printed.contains("very-secret"));
}

/// The rules of `pipectl check` hold for whatever changes the account, and no credentials are needed to see it.
#[test]
fn what_check_refuses_is_never_deployed() {
    let template = std::fs::read_to_string(root().join("templates/iam.yaml.hbs")).unwrap();
    let open = template.replacen("Action: \"glue:notifyEvent\"", "Action: \"s3:*\"", 1).replacen(
        "Resource: !Sub \"arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:workflow/{{prefix}}\"",
        "Resource: \"*\"",
        1,
    );
    assert!(open.contains("\"s3:*\"") && open.contains("Resource: \"*\""));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let test = Test::reference()
        .write("templates/iam.yaml.hbs", &open)
        .env("AWS_ENDPOINT_URL", &format!("http://{}", listener.local_addr().unwrap()))
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "very-secret");
    let checked = test.end(&["check", "--env", "dev"]);
    insta::assert_snapshot!(checked, @r#"
    exit code: 65
    error: `Notify` of the role `shop-dev-events-to-glue` allows every action of a service
       --> iam.yaml:325:17
        |
    325 |                 Action: "s3:*"
        |                 ^^^^^^
      = hint: name what it needs; where AWS knows nothing narrower, say so in a comment above the statement
    "#);
    for arguments in [&["deploy", "--yes"][..], &["bootstrap", "--yes"], &["plan"]] {
        let refused = test.end(&[arguments, &["--env", "dev"]].concat());
        assert_eq!(refused, checked, "{arguments:?}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "AWS was called");
}

#[test]
fn missing_credentials_have_a_hint() {
    let test = Test::reference();
    let home = test.folder.path().display().to_string();
    let test = test.env("HOME", &home);
    insta::assert_snapshot!(test.end(&["bootstrap", "--env", "dev", "--yes"]), @"
    exit code: 1
    error: no AWS credentials
      cause: the credential provider was not enabled
      cause: no credentials found in chain. Attempted:
                Environment: the credential provider was not enabled: environment variable not set
                Profile: the credential provider was not enabled
                WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
                EcsContainer: the credential provider was not enabled: ECS provider not configured
                Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
    = hint: log in with `aws sso login` (first time: `aws configure sso`) and set AWS_PROFILE; in GitHub Actions give the job `permissions: id-token: write` and the role that `pipectl bootstrap` made
    ");
}
