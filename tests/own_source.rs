//! A source with its own Lambda: the documented example, and its rehearsal.

use serde_json::Value;

use crate::rehearse::{count, project, report};
use crate::support::{self, Test, root};

pub(crate) const WEATHER: &str = r#"
  weather:
    lambda:
      crate: weather
      schedule: rate(6 hours)
      environment: {STATION: "10384", MODE: read}

# The tables of the warehouse,"#;

pub(crate) const OBSERVATIONS: &str = r#"tables:
  observations:
    source: weather
    columns:
      station: {type: varchar(16), required: true}
      at: {type: timestamp, required: true}
      celsius: "decimal(5,2)"
    key: [station, at]
"#;

/// A project with the source `weather`, whose crates are in a folder of the tests.
fn with_weather(test: Test, crates: &str) -> Test {
    support::copy(&root().join(crates), &test.path("lambda-src"));
    test.edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", WEATHER).edit(
        "stacks/pipeline.yaml",
        "tables:\n",
        OBSERVATIONS,
    )
}

/// The steps and findings of a report that speak of the source.
fn printed(report: &Value) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let steps = report["timeline"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["kind"] == "file" || text(step, "name").contains("weather")).map(|step| {
        let detail = text(step, "detail");
        // How much memory it took, and how soon it started, differs.
        let detail = detail.rsplit(", ").next().unwrap_or_default();
        format!("{} {}: {detail}", text(step, "kind"), text(step, "name"))
    });
    let findings = report["findings"].as_array().unwrap().iter().map(|finding| text(finding, "text"));
    steps.chain(findings.filter(|text| text.contains("weather"))).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_rehearsal_uses_files_or_runs_the_lambda_with_its_secret() {
    let Some(test) = project() else { return };
    let test = with_weather(test, "tests/own-source/lambda-src")
        .edit("stacks/pipeline.yaml", "crate: weather\n", "crate: weather\n      secret: true\n")
        .write("secret.txt", "10400\n")
        .write("files/observations.jsonl", "{\"station\":\"10384\",\"at\":\"2026-10-31 06:00:00\",\"celsius\":1}\n");

    let (code, files) = report(&test, &["--data", "weather=files"]);
    assert_eq!((code, count(&files, "observations")), (Some(0), 1), "{files:#}");
    insta::assert_snapshot!(printed(&files), @"
    file landing/observations/observations.jsonl: 59 B
    the Lambda of the source `weather` was skipped
    to include it: --data weather
    ");
    let (code, run) = report(&test, &["--data", "weather", "--secret", "weather=secret.txt"]);
    assert_eq!((code, count(&run, "observations")), (Some(0), 4), "{run:#}");
    insta::assert_snapshot!(printed(&run), @"
    schedule shop-local-ingest-weather: rate(6 hours)
    function shop-local-ingest-weather: observations 3
    ");
    let landed = test.path(".pipectl/local/s3/buckets/shop-local-raw-000000000000-us-east-1/landing/observations");
    let rows = std::fs::read_to_string(landed.join("november.jsonl")).unwrap();
    assert!(rows.lines().count() == 3 && rows.lines().all(|row| row.contains("\"10400\"")), "{rows}");
}

#[test]
fn a_missing_secret_skips_the_lambda() {
    let test = with_weather(Test::reference(), "tests/own-source/lambda-src").write("secret.txt", "x");
    let run = |more: &[&str]| test.run(&[&["rehearse", "--env", "local", "--data", "weather"], more].concat());
    insta::assert_snapshot!(run(&["--secret", "weather=secret.txt", "--secret", "shop=secret.txt", "--secret", "wether"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: `--secret weather=secret.txt`: the source `weather` has no secret that a rehearsal asks for
    = hint: remove it; a `lambda` source declares one with `secret: true`

    error: `--secret shop=secret.txt`: the source `shop` has no secret that a rehearsal asks for
    = hint: remove it; a `lambda` source declares one with `secret: true`

    error: `--secret wether` is not SOURCE=FILE
    = hint: such as `--secret weather=weather-secret.json`
    ");
}

/// The files that docs/sources/lambda.md shows, each under the path in its first line.
fn shown() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(root().join("docs/sources/lambda.md")).unwrap();
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let mut files: Vec<(String, String)> = Vec::new();
    for line in blocks.filter(|(kind, _)| ["toml", "rust"].contains(kind)).flat_map(|(_, text)| text.lines()) {
        match line.trim_start_matches(['#', '/', ' ']) {
            path if path.starts_with("lambda-src/") => files.push((path.to_owned(), String::new())),
            _ => {
                let (_, text) = files.last_mut().expect("a block begins with the path of its file");
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    files
}

#[test]
fn the_documented_example_is_the_tested_crate() {
    let folder = root().join("tests/own-source/documented");
    let shown = shown();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    for (path, text) in shown {
        let crate_file = std::fs::read_to_string(folder.join(&path)).unwrap();
        assert_eq!(text.trim_end(), crate_file.trim_end(), "{path} differs from docs/sources/lambda.md");
    }
}

#[test]
#[ignore = "compiles the SDK of S3: minutes. cargo test --test main -- --ignored documented"]
fn the_documented_example_is_packaged_and_rehearsed() {
    let test = with_weather(project().unwrap(), "tests/own-source/documented/lambda-src");
    let (code, report) = report(&test, &["--data", "weather"]);
    assert_eq!((code, count(&report, "observations")), (Some(0), 1), "{report:#}");
}
