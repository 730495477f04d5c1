use std::io::Write as _;

use fs_err as fs;
use tempfile::TempDir;

use super::*;

/// A function whose bootstrap is a Python script; `handle(event)` is given.
fn function(directory: &TempDir, handle: &str) -> Runtime {
    let script = format!(
        r#"#!/usr/bin/python3 -E
import json, os, sys, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"
def post(path, body):
    urllib.request.urlopen(urllib.request.Request(api + path, data=json.dumps(body).encode(), method="POST"))
{handle}
if os.environ.get("BROKEN"):
    post("init/error", {{"errorType": "Config", "errorMessage": "no configuration"}})
    sys.exit(1)
while True:
    answer = urllib.request.urlopen(api + "invocation/next")
    request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        result = handle(json.load(answer), answer.headers)
        post(f"invocation/{{request}}/response", result)
    except ValueError as error:
        post(f"invocation/{{request}}/error", {{"errorType": "ValueError", "errorMessage": str(error)}})
"#
    );
    let path = directory.path().join("bootstrap");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Runtime::new(Function {
        name: "shop-local-load".into(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:shop-local-load".into(),
        directory: directory.path().to_owned(),
        handler: "bootstrap".into(),
        memory: 128,
        timeout: Duration::from_secs(20),
        environment: BTreeMap::from([("RUST_LOG".into(), "info".into())]),
        region: "us-east-1".into(),
        log_group: "/aws/lambda/shop-local-load".into(),
        log_format: "JSON".into(),
    })
}

async fn invoke(runtime: &mut Runtime, event: Value) -> Invocation {
    runtime.invoke("8f0c", Bytes::from(event.to_string())).await
}

fn failure(invocation: &Invocation) -> String {
    match &invocation.outcome {
        Outcome::Failure { kind, message } => format!("{kind}: {message}"),
        Outcome::Success(value) => format!("success: {value}"),
    }
}

#[tokio::test]
async fn a_function_sees_its_event_and_only_its_own_environment() {
    let directory = tempfile::tempdir().unwrap();
    let mut runtime = function(
        &directory,
        r#"
count = 0
def handle(event, headers):
    global count
    count += 1
    print(json.dumps({"level": "WARN", "message": f"call {count}"}))
    print("plain", file=sys.stderr, flush=True)
    sys.stdout.flush()
    variables = {name: value for name, value in os.environ.items()
        if name not in ("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LC_CTYPE", "__CF_USER_TEXT_ENCODING")}
    left = int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
    return {"event": event, "count": count, "time": 15 < left <= 20, "variables": variables,
        "arn": headers["Lambda-Runtime-Invoked-Function-Arn"]}
"#,
    );
    let first = invoke(&mut runtime, serde_json::json!({"a": "ü"})).await;
    assert!(first.init.is_some() && first.memory > 1_000_000, "{first:?}");
    let Outcome::Success(value) = &first.outcome else { panic!("{first:?}") };
    insta::assert_snapshot!(serde_json::to_string_pretty(value).unwrap(), @r#"
    {
      "event": {
        "a": "ü"
      },
      "count": 1,
      "time": true,
      "variables": {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": "shop-local-load",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop-local-load",
        "AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal",
        "AWS_REGION": "us-east-1",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "RUST_LOG": "info",
        "TZ": ":UTC",
        "_HANDLER": "bootstrap"
      },
      "arn": "arn:aws:lambda:us-east-1:000000000000:function:shop-local-load"
    }
    "#);
    let mut log: Vec<String> = first.log.lines.iter().map(|line| format!("{} {}", line.level, line.message)).collect();
    log.sort();
    assert_eq!(log, ["INFO plain", "WARN call 1"]);

    let second = invoke(&mut runtime, serde_json::json!({})).await;
    assert_eq!(second.init, None, "the process is warm");
    let Outcome::Success(value) = second.outcome else { panic!("{second:?}") };
    assert_eq!((&value["count"], second.log.lines.len()), (&Value::from(2), 2));
    runtime.stop().await;
}

#[tokio::test]
async fn failures_have_lambdas_wording_and_the_next_call_starts_a_new_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut runtime = function(
        &directory,
        r#"
def handle(event, headers):
    match event["do"]:
        case "fail": raise ValueError("bad row")
        case "exit": print("dying", flush=True); os._exit(3)
        case "abort": os.abort()
        case "sleep": time.sleep(60)
        case "eat":
            hoard = bytearray(300 * 1024 * 1024)
            for page in range(0, len(hoard), 4096): hoard[page] = 1
            time.sleep(5)
    return "fine"
"#,
    );
    let mut reported = Vec::new();
    for step in ["fine", "fail", "fine", "exit", "fine", "abort", "eat", "sleep", "fine"] {
        // Short for the one that takes it up; long enough for the others on the slowest machine.
        let timeout = if step == "sleep" { Duration::from_millis(1_500) } else { Duration::from_mins(1) };
        runtime.function.timeout = timeout;
        let invocation = invoke(&mut runtime, serde_json::json!({"do": step})).await;
        let start = if invocation.init.is_some() { "cold" } else { "warm" };
        reported.push(format!(
            "{step} ({start}): {} {:?}",
            failure(&invocation),
            invocation.log.lines.first().map(|line| &line.message)
        ));
    }
    insta::assert_snapshot!(reported.join("\n"), @r#"
    fine (cold): success: "fine" None
    fail (warm): ValueError: bad row None
    fine (warm): success: "fine" None
    exit (warm): Runtime.ExitError: RequestId: 8f0c Error: Runtime exited with error: exit status 3 Some("dying")
    fine (cold): success: "fine" None
    abort (warm): Runtime.ExitError: RequestId: 8f0c Error: Runtime exited with error: signal: aborted None
    eat (cold): Runtime.OutOfMemory: RequestId: 8f0c Error: Runtime exited with error: signal: killed (more than its 128 MB of memory) None
    sleep (cold): Sandbox.Timedout: RequestId: 8f0c Error: Task timed out after 1.50 seconds None
    fine (cold): success: "fine" None
    "#);
}

#[tokio::test]
async fn a_failed_start_has_lambdas_wording() {
    let directory = tempfile::tempdir().unwrap();
    let mut runtime = function(&directory, "");
    runtime.function.environment.insert("BROKEN".into(), "1".into());
    let broken = invoke(&mut runtime, Value::Null).await;
    fs::write(directory.path().join("bootstrap"), "#!/bin/sh\necho no; exit 4\n").unwrap();
    let exits = invoke(&mut runtime, Value::Null).await;
    fs::remove_file(directory.path().join("bootstrap")).unwrap();
    let missing = invoke(&mut runtime, Value::Null).await;
    insta::assert_snapshot!([&broken, &exits, &missing].map(failure).join("\n"), @"
    Config: no configuration
    Runtime.ExitError: RequestId: 8f0c Error: Runtime exited with error: exit status 4
    Runtime.InvalidEntrypoint: RequestId: 8f0c Error: Couldn't start the bootstrap: No such file or directory (os error 2)
    ");
}

#[test]
fn zips_are_extracted_once_and_must_hold_a_bootstrap() {
    let directory = tempfile::tempdir().unwrap();
    let zip = |name: &str, file: &str| {
        let path = directory.path().join(name);
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap().into_parts().0);
        zip.start_file(file, zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        zip.write_all(b"#!/bin/sh\n").unwrap();
        zip.finish().unwrap();
        path
    };
    let root = directory.path().join("functions");
    let good = zip("good.zip", "bootstrap");
    let extracted = extract(&good, &root).unwrap();
    let mode = fs::metadata(extracted.join("bootstrap")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o700);
    assert_eq!(extract(&good, &root).unwrap(), extracted);
    let error = extract(&zip("bad.zip", "main"), &root).unwrap_err().to_string();
    assert!(error.contains("holds no file `bootstrap`"), "{error}");
    fs::write(directory.path().join("no.zip"), "text").unwrap();
    let error = extract(&directory.path().join("no.zip"), &root).unwrap_err().to_string();
    assert!(error.contains("cannot read the zip"), "{error}");
    let left = fs::read_dir(&root).unwrap().count();
    assert_eq!(left, 1, "nothing half-extracted is left");
}
