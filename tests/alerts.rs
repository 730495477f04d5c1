//! What goes wrong, seen to arrive: mails, dead-letter queues, `status` and `redrive`; and a source of one's own.

use serde_json::Value;

use crate::rehearse::{count, project, report};
use crate::support::{self, Test, root};

const WEATHER: &str = r#"
  weather:
    lambda:
      crate: weather
      schedule: rate(6 hours)
      environment: {STATION: "10384", MODE: fail}

# The tables of the warehouse,"#;

const OBSERVATIONS: &str = r#"tables:
  observations:
    source: weather
    columns:
      station: {type: varchar(16), required: true}
      at: {type: timestamp, required: true}
      celsius: "decimal(5,2)"
    key: [station, at]
"#;

const ALERTS: &str = r#"overrides:
  alerts: {emails: [data@example.com], log_patterns: ['{ $.level = "ERROR" }', '"too warm"'], no_data_hours: 26}
"#;

/// The mails of a report, with what differs from run to run taken out.
fn mails(report: &Value, subjects_only: bool) -> String {
    let text = |mail: &Value, name: &str| mail[name].as_str().unwrap().to_owned();
    let told = report["mails"].as_array().unwrap().iter().map(|mail| {
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
    told.collect::<Vec<_>>().join("\n")
}

fn filtered(assert: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (from, to) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{12}", "[BATCH]"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
        (r"\d+ (s|min)( |$)", "[AGE]$2"),
    ] {
        settings.add_filter(from, to);
    }
    settings.bind(assert);
}

#[test]
fn failures_arrive_as_mails_and_are_sent_again() {
    let Some(test) = project() else { return };
    support::copy(&root().join("tests/own-source/lambda-src"), &test.path("lambda-src"));
    let ingest = std::fs::read_to_string(root().join("templates/ingest.yaml.hbs")).unwrap();
    let test = test
        .edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", WEATHER)
        .edit("stacks/pipeline.yaml", "tables:\n", OBSERVATIONS)
        .edit("stacks/local.yaml", "overrides:\n", ALERTS)
        // A queue that does not let the rule in: the report of the failed call has to go another way.
        .write("templates/ingest.yaml.hbs", &ingest.replace("rule/{{call_failed_rule}}", "rule/other"))
        // Every row is bad.
        .write("erp/stores.csv", "id,name,opened_at\ns1,One,yesterday\n");

    let (code, first) = report(&test, &["--data", "weather", "--data", "erp=erp"]);
    assert_eq!(code, Some(1), "{first:#}");
    filtered(|| insta::assert_snapshot!(mails(&first, false), @""));

    filtered(|| insta::assert_snapshot!(test.run(&["redrive", "--env", "local", "--dry-run"]), @""));
    let status = test.run(&["status", "--env", "local"]);
    assert!(status.contains("warning: 1 message waits in the queue shop-local-undelivered"), "{status}");
    filtered(|| insta::assert_snapshot!(test.run(&["redrive", "undelivered", "--env", "local"]), @""));
    insta::assert_snapshot!(test.run(&["redrive", "--env", "local"]), @"");

    // The causes are mended, and a mart breaks: what was sent again arrives, and the statement's failure is mailed.
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
    filtered(|| insta::assert_snapshot!(mails(&second, false), @""));
    filtered(|| insta::assert_snapshot!(test.run(&["redrive", "failures", "--env", "local"]), @""));
}

#[test]
fn a_source_without_its_crate_is_told_where_it_is_named() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", WEATHER).edit(
        "stacks/pipeline.yaml",
        "tables:\n",
        OBSERVATIONS,
    );
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @"");
    support::copy(&root().join("tests/own-source/lambda-src"), &test.path("lambda-src"));
    let test = test.edit("stacks/pipeline.yaml", "crate: weather", "crate: wether");
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @"");
    let test = test
        .edit("stacks/pipeline.yaml", "crate: wether", "crate: load")
        .edit("stacks/pipeline.yaml", "MODE: fail", "RAW_BUCKET: x, AWS_REGION: y")
        .edit(
            "stacks/local.yaml",
            "overrides:\n",
            "overrides:\n  alerts: {log_pattern: ERROR, log_patterns: [time-out], emails: [me]}\n",
        );
    insta::assert_snapshot!(test.run(&["check", "--env", "local"]), @"");
}
