//! Failures arrive as mails and in dead-letter queues; `status` and `redrive`; a source with its own Lambda.

use serde_json::Value;

use crate::own_source::{OBSERVATIONS, WEATHER};
use crate::rehearse::{count, project, report};
use crate::support::{self, Test, root};

const ALERTS: &str = r#"overrides:
  alerts: {emails: [data@example.com], log_patterns: ['{ $.level = "ERROR" }', '"too warm"'], no_data_hours: 26}
"#;

/// The source `weather`, whose Lambda fails.
fn failing() -> String {
    WEATHER.replace("MODE: read", "MODE: fail")
}

/// The mails of a report, with what differs from run to run taken out.
fn mails(report: &Value, subjects_only: bool) -> String {
    let text = |mail: &Value, name: &str| mail[name].as_str().unwrap().to_owned();
    let printed = report["mails"].as_array().unwrap().iter().map(|mail| {
        let to: Vec<&str> = mail["to"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let body = text(mail, "text");
        let gist = body.lines().next().unwrap_or_default();
        if subjects_only || text(mail, "subject").contains(':') {
            format!(
                "to {}: {}",
                to.join(", "),
                if text(mail, "subject").contains(':') { text(mail, "subject") } else { gist.to_owned() }
            )
        } else {
            format!("to {}: {}\n{body}\n", to.join(", "), text(mail, "subject"))
        }
    });
    printed.collect::<Vec<_>>().join("\n")
}

fn filtered(assert: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (from, to) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{12}", "[BATCH]"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
        (r"\d+ (s|min)( |$)", "[AGE]$2"),
        // The columns are as wide as the ages.
        (r" {2,}", "  "),
    ] {
        settings.add_filter(from, to);
    }
    settings.bind(assert);
}

#[test]
fn failures_are_mailed_and_repeated() {
    let Some(test) = project() else { return };
    support::copy(&root().join("tests/own-source/lambda-src"), &test.path("lambda-src"));
    let ingest = std::fs::read_to_string(root().join("templates/ingest.yaml.hbs")).unwrap();
    let test = test
        .edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", &failing())
        .edit("stacks/pipeline.yaml", "tables:\n", OBSERVATIONS)
        .edit("stacks/local.yaml", "overrides:\n", ALERTS)
        // A queue that does not let the rule in: the report of the failed call has to go another way.
        .write("templates/ingest.yaml.hbs", &ingest.replace("rule/{{call_failed_rule}}", "rule/other"))
        // Every row is bad.
        .write("erp/stores.csv", "id,name,opened_at\ns1,One,yesterday\n");

    let (code, first) = report(&test, &["--data", "weather", "--data", "erp=erp"]);
    assert_eq!(code, Some(1), "{first:#}");
    filtered(|| {
        insta::assert_snapshot!(mails(&first, false), @r#"
        to data@example.com: AWS Notification Message
        shop-local: the Lambda shop-local-ingest-weather failed after all retries
        Reason: Station: station 10384 does not answer
        Run: request [ID], reported at [TIME]
        Log: https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Fpipectl$252Fshop-local$252Fshop-local-ingest-weather/log-events$3FfilterPattern$3D$2522[ID]$2522
        The call is kept. After you fix the cause: pipectl redrive --env local

        to data@example.com: AWS Notification Message
        shop-local: the Glue job shop-local-clean ended as FAILED
        Reason: table `stores`: 1 of 1 rows (100.0%) are bad, and `quarantine_limit` allows 10.0%. `opened_at`: "yesterday" is not a timestamp (1 row). The rows are under s3://shop-local-cleaned-000000000000-us-east-1/quarantine/stores/batch=[BATCH]/; correct the source, or raise the limit; nothing is committed
        Run: jr_00000001, ended at [TIME]
        Run and log: https://us-east-1.console.aws.amazon.com/gluestudio/home?region=us-east-1#/job/shop-local-clean/run/jr_00000001
        What it did not commit, the next run takes up: start it from the workflow shop-local, or wait for new data.

        to data@example.com: ALARM: "shop-local-ingest-weather-errors" in us-east-1
        to data@example.com: ALARM: "shop-local-ingest-weather-log" in us-east-1
        to data@example.com: ALARM: "shop-local-undelivered-waiting" in us-east-1
        to data@example.com: ALARM: "shop-local-call-failed-undelivered" in us-east-1
        "#);
    });

    filtered(|| {
        insta::assert_snapshot!(test.run(&["redrive", "--env", "local", "--dry-run"]), @"
    exit code: 0
    ----- stdout -----
    QUEUE  FROM  TO  COUNT  AGE  WHY
    undelivered  lambda shop-local-ingest-weather  lambda shop-local-ingest-weather  1  [AGE]  Station: station 10384 does not answer
    ----- stderr -----
    1 message waits; `pipectl redrive` sends what it can
    ");
    });
    let status = test.run(&["status", "--env", "local"]);
    assert!(status.contains("warning: 1 message waits in the queue shop-local-undelivered"), "{status}");
    filtered(|| {
        insta::assert_snapshot!(test.run(&["redrive", "undelivered", "--env", "local"]), @"
    exit code: 0
    ----- stdout -----
    QUEUE  FROM  TO  COUNT  AGE  SENT  WHY
    undelivered  lambda shop-local-ingest-weather  lambda shop-local-ingest-weather  1  [AGE]  1  Station: station 10384 does not answer
    ----- stderr -----
    1 of 1 sent again
    ");
    });
    insta::assert_snapshot!(test.run(&["redrive", "--env", "local"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    nothing waits
    ");

    // The causes are fixed, and a mart breaks: what was sent again arrives, and the statement's failure is mailed.
    std::fs::remove_file(test.path("templates/ingest.yaml.hbs")).unwrap();
    let test = test
        .edit("stacks/pipeline.yaml", "MODE: fail", "MODE: read")
        .edit("stacks/pipeline.yaml", "marts:\n", "marts:\n  broken:\n    sql: sql/marts/broken.sql\n")
        .write("sql/marts/broken.sql", "SELECT 1 / (count(*) - count(*)) AS nothing FROM core.stores\n")
        .write("erp/stores.csv", "id,name,opened_at\ns1,One,2026-11-01\n");
    let (code, second) = report(&test, &["--data", "weather", "--data", "erp=erp"]);
    assert_eq!(code, Some(1), "{second:#}");
    assert_eq!((count(&second, "observations"), count(&second, "stores")), (3, 1), "{second:#}");
    let waited = second["timeline"].as_array().unwrap().iter().any(|step| step["name"] == "a call that waited");
    assert!(waited, "{second:#}");
    filtered(|| {
        insta::assert_snapshot!(mails(&second, false), @r#"
    to data@example.com: AWS Notification Message
    shop-local: the statement shop-local/marts/[BATCH]/broken ended as FAILED
    Reason: Redshift gives it only when asked: aws redshift-data describe-statement --region us-east-1 --id [ID]
    Run: statement [ID], ended at [TIME]
    Log: https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Fpipectl$252Fshop-local$252Fshop-local-load
    The Lambda shop-local-load asks for the reason as well: the mail of its failure has it. Nothing of the statement is in the warehouse.

    to data@example.com: AWS Notification Message
    shop-local: the Lambda shop-local-load failed after all retries
    Reason: PipelineError: the statement `shop-local/marts/[BATCH]/broken` ([ID]) is FAILED: ERROR: division by zero (hint: in `CREATE TABLE marts.broken AS SELECT 1 / (count(*) - count(*)) AS nothing FROM core.stores`; nothing of it was kept; fix the mart and deploy, or `pipectl retry marts.broken`)
    Run: request [ID], reported at [TIME]
    Log: https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Fpipectl$252Fshop-local$252Fshop-local-load/log-events$3FfilterPattern$3D$2522[ID]$2522
    The call is kept. After you fix the cause: pipectl redrive --env local

    to data@example.com: ALARM: "shop-local-ingest-weather-log" in us-east-1
    to data@example.com: ALARM: "shop-local-load-errors" in us-east-1
    to data@example.com: ALARM: "shop-local-load-log" in us-east-1
    to data@example.com: ALARM: "shop-local-failures-waiting" in us-east-1
    "#);
    });
    filtered(|| {
        insta::assert_snapshot!(test.run(&["redrive", "failures", "--env", "local"]), @"
    exit code: 0
    ----- stdout -----
    QUEUE  FROM  TO  COUNT  AGE  SENT  WHY
    failures  lambda shop-local-load  lambda shop-local-load  1  [AGE]  1  PipelineError: the statement `shop-local/marts/[BATCH]/broken` ([ID]) is FAILED: ERROR: division by zero (hint: in `CREATE TABLE marts.broken AS SELECT 1 / (count(*) - count(*)) AS nothing FROM core.stores`; nothing of it was kept; fix the mart and deploy, or `pipectl retry marts.broken`)
    ----- stderr -----
    1 of 1 sent again
    ");
    });
}

#[test]
fn a_missing_crate_is_reported_at_its_source() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", &failing()).edit(
        "stacks/pipeline.yaml",
        "tables:\n",
        OBSERVATIONS,
    );
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @r#"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: the source `weather` has no crate `weather` to build: `lambda-src/Cargo.toml` is missing
      --> stacks/pipeline.yaml:27:14
       |
    27 |       crate: weather
       |              ^^^^^^^ no such crate
      = hint: make a cargo workspace: `lambda-src/Cargo.toml` with `[workspace]` and `members = ["weather"]`
    "#);
    support::copy(&root().join("tests/own-source/lambda-src"), &test.path("lambda-src"));
    let test = test.edit("stacks/pipeline.yaml", "crate: weather", "crate: wether");
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: the source `weather` has no crate `wether` to build: `lambda-src/wether/Cargo.toml` is missing
      --> stacks/pipeline.yaml:27:14
       |
    27 |       crate: wether
       |              ^^^^^^ no such crate
      = hint: make it with `cargo new --vcs none lambda-src/wether`; did you mean `weather`?
    ");
    let test = test
        .edit("stacks/pipeline.yaml", "crate: wether", "crate: load")
        .edit("stacks/pipeline.yaml", "MODE: fail", "RAW_BUCKET: x, AWS_REGION: y")
        .edit(
            "stacks/local.yaml",
            "overrides:\n",
            "overrides:\n  alerts: {log_pattern: ERROR, log_patterns: [time-out], emails: [me]}\n",
        );
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @r#"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `alerts.log_pattern` is now a list, `log_patterns`
     --> stacks/local.yaml:7:12
      |
    7 |   alerts: {log_pattern: ERROR, log_patterns: [time-out], emails: [me]}
      |            ^^^^^^^^^^^ the old key
      = hint: write `log_patterns: ['ERROR']`

    error: CloudWatch Logs does not take the pattern `time-out`
     --> stacks/local.yaml:7:47
      |
    7 |   alerts: {log_pattern: ERROR, log_patterns: [time-out], emails: [me]}
      |                                               ^^^^^^^^ a word with `-` in it needs quotes: "time-out"
      = hint: write words (`Timeout`, `"out of memory"`), or fields of JSON lines (`{ $.level = "ERROR" }`)

    error: `me` is not a mail address
     --> stacks/local.yaml:7:67
      |
    7 |   alerts: {log_pattern: ERROR, log_patterns: [time-out], emails: [me]}
      |                                                                   ^^
      = hint: write it as `name@example.com`

    error: the crate of the source `weather` cannot be called `load`
      --> stacks/pipeline.yaml:27:14
       |
    27 |       crate: load
       |              ^^^^ a part of pipectl has this name
      = hint: rename the crate, for example to `load-source`

    error: `RAW_BUCKET` cannot be an environment variable of the source `weather`
      --> stacks/pipeline.yaml:29:39
       |
    29 |       environment: {STATION: "10384", RAW_BUCKET: x, AWS_REGION: y}
       |                                       ^^^^^^^^^^ pipectl sets it
      = hint: rename the variable

    error: `AWS_REGION` cannot be an environment variable of the source `weather`
      --> stacks/pipeline.yaml:29:54
       |
    29 |       environment: {STATION: "10384", RAW_BUCKET: x, AWS_REGION: y}
       |                                                      ^^^^^^^^^^ Lambda keeps it for itself
      = hint: rename the variable

    6 errors
    "#);
}
