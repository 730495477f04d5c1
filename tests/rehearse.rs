//! The rehearsal as a user runs it: the real binary in a temporary project.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{self, Test, root};

/// A project as `init` writes it, with the packaged Lambdas; `None` if the test is skipped because a rehearsal cannot run.
pub(crate) fn project() -> Option<Test> {
    if !support::python().is_file() {
        support::cannot_run("spark", format!("no Python with Spark at {}", support::python().display()), "make setup");
        return None;
    }
    if !support::is_packaged() {
        return None;
    }
    let test = Test::empty();
    let init = test.command(&["init", "."]).output().unwrap();
    assert!(init.status.success(), "{}", test.show(&init));
    made_ready(&test, ".");
    Some(test)
}

/// Gives a folder what `make test` has packaged, and Spark's class archive, which is made once for all.
pub(crate) fn made_ready(test: &Test, folder: &str) {
    let state = test.path(folder).join(".pipectl");
    support::copy(&root().join(".pipectl/package"), &state.join("package"));
    let archive = root().join(".pipectl/spark");
    std::fs::create_dir_all(&archive).unwrap();
    std::os::unix::fs::symlink(archive, state.join("spark")).unwrap();
}

fn rehearse(test: &Test, more: &[&str]) -> Output {
    test.command(&[&["rehearse", "--env", "local"], more].concat()).output().unwrap()
}

/// Rehearses, and gives the exit code and the report.
pub(crate) fn report(test: &Test, more: &[&str]) -> (Option<i32>, Value) {
    let output = rehearse(test, &[&["--format", "json"], more].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", test.show(&output)));
    (output.status.code(), report)
}

/// The numbers of a table: read, quarantined, duplicates, transformed, staged.
fn rows(report: &Value, table: &str) -> [u64; 5] {
    ["read", "quarantined", "duplicates", "transformed", "staged"]
        .map(|name| report["rows"][table][name].as_u64().unwrap_or_else(|| panic!("no {table}.{name}: {report:#}")))
}

/// How many rows the warehouse has of a table.
pub(crate) fn count(report: &Value, table: &str) -> u64 {
    let tables = report["warehouse"].as_array().unwrap();
    tables.iter().find(|row| row["table"] == table).unwrap()["after"].as_u64().unwrap()
}

pub(crate) fn findings(report: &Value) -> String {
    let all = report["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let lines: Vec<String> = all.map(|one| format!("{}: {}", text(one, "severity"), text(one, "text"))).collect();
    lines.join("\n")
}

/// The names and types within a value; of a list those of its first element, of a map by table those of `orders`.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(map) if map.contains_key("orders") => format!("{{<table>: {}}}", shape(&map["orders"])),
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.first().map_or_else(String::new, shape)),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => "null".into(),
    }
}

const LEGACY: &str = r#"
  legacy:
    files:
      format: csv
      csv: {delimiter: ";"}

# The tables of the warehouse,"#;

const RETURNS: &str = r"tables:
  returns:
    source: legacy
    columns:
      number: {type: integer, from: order, required: true}
      amount: varchar(16)
    load: append
";

fn lines(header: &str, count: u32, line: impl Fn(u32) -> String) -> String {
    (1..=count).map(line).fold(format!("{header}\n"), |text, line| text + &line + "\n")
}

fn gzip(path: &Path) {
    assert!(Command::new("gzip").arg(path).status().unwrap().success());
}

#[test]
fn from_the_sample_to_the_marts_and_a_second_run() {
    let Some(test) = project() else { return };
    let test = test.edit("stacks/pipeline.yaml", "\n# The tables of the warehouse,", LEGACY).edit(
        "stacks/pipeline.yaml",
        "tables:\n",
        RETURNS,
    );

    let (code, first) = report(&test, &[]);
    assert_eq!(code, Some(0), "{first:#}");
    assert_eq!(rows(&first, "orders"), [1_000, 0, 0, 1_000, 1_000]);
    assert_eq!((count(&first, "orders"), count(&first, "returns")), (1_000, 0));
    assert!(first["marts"].as_array().unwrap().iter().all(|mart| mart["count"].as_u64() > Some(0)), "{first:#}");
    let mut shown = first.clone();
    shown["timeline"][0]["seconds"] = 1.into();
    insta::assert_snapshot!(shape(&shown), @"{pipeline: text, failed: bool, seconds: number, timeline: [{at: number, kind: text, name: text, detail: text, seconds: number, times: number, failed: bool}], rows: {<table>: {objects: number, read: number, cleaned: number, quarantined: number, duplicates: number, transformed: number, staged: number, waiting: number, late: number, changed: number}}, warehouse: [{table: text, before: number, after: number}], marts: [{name: text, count: number, columns: [text], rows: [[text]]}], iceberg: [], findings: [{severity: text, text: text}], grants: {all: number, unused: [{of: text, statement: text, action: text, file: text, line: number}]}, mails: [], stood_in: [[text]]}");

    // `returns` has no data yet.
    let empty = ["cleaned", "transformed"].map(|zone| format!("shop-local-{zone}-000000000000-us-east-1 returns"));
    assert_eq!(crate::catalog::without_files(&test), empty);

    assert_eq!(crate::process_cleanup::open_to_others(&test.path(".pipectl")), Vec::<String>::new());

    // Again: not one row more.
    let output = rehearse(&test, &[]);
    let text = test.show(&output);
    assert!(output.status.success() && text.contains("no row was added"), "{text}");

    bad_input_is_accounted_for(&test);
    too_much_quarantine_commits_nothing(&test);
}

/// Whatever is wrong with files, each of their rows is loaded, in quarantine, or a duplicate.
fn bad_input_is_accounted_for(test: &Test) {
    let erp = |file: &str, text: &str| support::write(&test.path("bad/erp").join(file), text.as_bytes());
    erp("stores/good.csv", &lines("id,name,opened_at,tax_rate", 40, |i| format!("s{i},Store {i},2024-01-01,0.05")));
    erp("stores/wrong-columns.csv", "identifier,label\n1,x\n2,y\n");
    erp("stores/broken.csv", "id,name,opened_at,tax_rate\ns91,One,not a day,0.05\ns92,Two\n");
    erp("stores/empty.csv", "");
    let visits = lines("store_id,day,visitors", 10, |i| format!("s{i},2031-01-01,{i}"));
    erp("visits/a.csv", &visits);
    erp("visits/b.csv", &visits);
    erp("visits/c.csv", &visits.replace("2031-01-01", "2031-01-02"));
    gzip(&test.path("bad/erp/visits/c.csv"));
    let returns =
        "\u{feff}order;amount\r\n1;\"1,5\"\r\n2;a;b\r\n3;7\r\n4;8\r\n5;1\r\n6;1\r\n7;1\r\n8;1\r\n9;1\r\n10;1\r\n";
    for name in ["march.csv", "march-copy.csv"] {
        support::write(&test.path("bad/legacy/returns").join(name), returns.as_bytes());
    }
    let (code, report) = report(test, &["--data", "erp=bad/erp", "--data", "legacy=bad/legacy"]);
    assert_eq!(code, Some(0), "{report:#}");
    // Of `order`s one has a field too many; the copy of the file is not read.
    assert_eq!(rows(&report, "returns"), [10, 1, 0, 9, 9], "{report:#}");
    assert_eq!(rows(&report, "stores"), [44, 4, 0, 40, 40], "{report:#}");
    assert_eq!(rows(&report, "visits"), [30, 0, 10, 20, 20], "{report:#}");
    assert_eq!(count(&report, "returns"), 9);
    let root = test.folder.path().canonicalize().unwrap();
    let printed = findings(&report).replace(&root.display().to_string(), "[PROJECT]");
    let printed: Vec<&str> = printed.lines().filter(|line| !line.contains("they are kept in")).collect();
    insta::assert_snapshot!(printed.join("\n"), @r#"
    warning: 1 row of `returns` went to quarantine:
    1× the row has more or fewer fields than it should: the header has 2 (landing/returns/march-copy.csv)
    warning: 4 rows of `stores` went to quarantine:
    2× the header lacks the required column `id`, `name` (it has: identifier, label) (landing/stores/wrong-columns.csv)
    1× `opened_at`: "not a day" is not a timestamp (landing/stores/broken.csv)
    1× the row has more or fewer fields than it should: the header has 4 (landing/stores/broken.csv)
    note: the source `shop` was skipped: it has no data here, and `shop-local-ingest-shop` would call the real shop
    to include it, pass its data: --data shop=DIR
    note: the data of `stores` has columns that it does not take: identifier, label
    note: landing/returns/march.csv holds the same as landing/returns/march-copy.csv: it was not loaded again
    "#);
}

/// Above the limit nothing of the run is kept; with corrected data under the same name all of it arrives.
fn too_much_quarantine_commits_nothing(test: &Test) {
    let file = test.path("late/stores.csv");
    let good = lines("id,name,opened_at,tax_rate", 10, |i| format!("late{i},Store {i},2024-01-01,0.05"));
    support::write(&file, good.replace("2024-01-01", "yesterday").as_bytes());
    let (code, failed) = report(test, &["--data", "erp=late"]);
    assert_eq!(code, Some(1), "{failed:#}");
    assert_eq!(failed["failed"], true);
    assert_eq!(failed["rows"], serde_json::json!({}));
    let before = count(&failed, "stores");
    assert!(findings(&failed).contains("quarantine"), "{}", findings(&failed));

    support::write(&file, good.as_bytes());
    let (code, mended) = report(test, &["--data", "erp=late"]);
    assert_eq!(code, Some(0), "{mended:#}");
    assert_eq!(rows(&mended, "stores"), [10, 0, 0, 10, 10]);
    assert_eq!(count(&mended, "stores"), before + 10);
}

/// The processes that a rehearsal of a project has started and that still run.
fn left_over(test: &Test) -> Vec<String> {
    let folder = test.folder.path().canonicalize().unwrap().display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| process.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|process| {
            let command = std::fs::read(process.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let inside = std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
            (command.contains(&folder) || inside && !command.is_empty()).then_some(command)
        })
        .collect()
}

fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Starts a rehearsal and waits until a job is at work: it has written, and has not committed.
fn into_a_job(test: &Test, more: &[&str]) -> Child {
    let mut command = test.command(&[&["rehearse", "--env", "local"], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let cleaned = test.path(".pipectl/local/s3/buckets/shop-local-cleaned-000000000000-us-east-1");
    until("no job came to work", Duration::from_mins(5), || {
        std::fs::read_dir(&cleaned).is_ok_and(|mut entries| entries.next().is_some())
    });
    child
}

#[test]
fn an_interrupted_rehearsal_is_completed_by_the_next() {
    let Some(test) = project() else { return };
    // Where a program puts its temporary files that is given no other folder.
    let temporary = test.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let folder = temporary.display().to_string();
    let test = test.env("TMPDIR", &folder);
    let nothing_is_left = || {
        let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!test.path(".pipectl/local/work").exists());
    };
    let child = into_a_job(&test, &[]);
    signal("-INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", test.show(&output));
    insta::assert_snapshot!(test.show(&output), @"
    exit code: 130
    ----- stdout -----
    ----- stderr -----
    Done: 10 created, 0 updated, 0 up to date.
    error: interrupted
    = hint: run it again: what is in no ledger is taken up again
    ");
    until("something still runs after Ctrl-C", Duration::from_secs(30), || left_over(&test).is_empty());
    nothing_is_left();

    let mut child = into_a_job(&test, &[]);
    std::thread::sleep(Duration::from_secs(8));
    signal("-KILL", &child);
    child.wait().unwrap();
    until("something still works after a kill", Duration::from_secs(30), || left_over(&test).is_empty());
    until("temporary files are left after a kill", Duration::from_secs(30), || {
        std::fs::read_dir(&temporary).unwrap().next().is_none() && !test.path(".pipectl/local/work").exists()
    });

    let (code, after) = report(&test, &[]);
    assert_eq!(code, Some(0), "{after:#}");
    for (table, expected) in [("orders", 1_000), ("customers", 334), ("supplies", 728), ("visits", 262)] {
        assert_eq!(count(&after, table), expected, "{table}: {after:#}");
    }
    // A busy machine takes a moment to end the virtual machine of Java.
    until("something still runs after the rehearsal", Duration::from_secs(10), || left_over(&test).is_empty());
    // Neither of this run nor of the one that was killed.
    nothing_is_left();
}

#[test]
fn keep_up_ends_with_ctrl_c() {
    let Some(test) = project() else { return };
    support::write(&test.path("erp/stores.csv"), b"id,name\na,A\n");
    // What a shell or a CI job holds.
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "session-of-the-shell"),
        ("GITHUB_TOKEN", "ghp_of-the-shell"),
        ("DATABASE_URL", "postgres://shop:pw-of-the-shell@db/shop"),
        ("PGPASSWORD", "pg-of-the-shell"),
        ("MY_COMPANYS_TOKEN", "token-of-the-shell"),
    ];
    let mut child = test
        .command(&["rehearse", "--env", "local", "--data", "erp=erp", "--keep"])
        .envs(secrets)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed_text = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !printed_text.contains("transformed-0") {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut printed_text).unwrap() > 0, "{printed_text}");
    }
    let children = crate::process_cleanup::children_of(child.id());
    for name in ["postgres", "python", "java"] {
        assert!(children.iter().any(|(_, child)| child.starts_with(name)), "no {name}: {children:?}");
    }
    for (process, name) in &children {
        let environment = String::from_utf8_lossy(&std::fs::read(process.join("environ")).unwrap()).into_owned();
        let inherited: Vec<_> = secrets.iter().filter(|(_, value)| environment.contains(value)).collect();
        assert!(inherited.is_empty(), "{name} inherited {inherited:?}");
    }
    let psql =
        printed_text.lines().find(|line| line.contains("psql ")).unwrap_or_else(|| panic!("{printed_text}")).trim();
    let count = Command::new("sh").args(["-c", &format!("{psql} -Atc 'SELECT count(*) FROM core.stores'")]).output();
    assert_eq!(String::from_utf8_lossy(&count.unwrap().stdout).trim(), "1", "{psql}");
    signal("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(left_over(&test).is_empty(), "{:?}", left_over(&test));
}

#[test]
fn a_sample_without_data_for_the_pipeline_is_reported() {
    let test = Test::empty();
    assert!(test.command(&["init", ".", "--example", "files"]).output().unwrap().status.success());
    insta::assert_snapshot!(test.run(&["rehearse", "--env", "local"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: there is nothing to rehearse with: the generated sample has no data for this pipeline
    = hint: pass your own data: `pipectl rehearse --env local --data exports=DIR`
    ");
}

#[test]
fn all_invalid_data_folders_are_reported_before_the_start() {
    let Some(test) = project() else { return };
    let test = test
        .write("erp/raw_stores.csv", "id\n")
        .write("erp/notes.txt", "")
        .write("erp/stores.jsonl", "")
        .write("erp/visits.xlsx", "")
        .write("file", "");
    std::fs::create_dir(test.path("empty")).unwrap();
    let run = |data: &[&str]| {
        let data: Vec<&str> = data.iter().flat_map(|one| ["--data", one]).collect();
        test.run(&[&["rehearse", "--env", "local"], &data[..]].concat())
    };
    insta::assert_snapshot!(run(&["shp=empty", "erp=nowhere", "erp=file", "erp"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: `--data shp=empty`: there is no source `shp`
    = hint: did you mean `shop`?

    error: `--data erp=nowhere`: `nowhere` does not exist
    = hint: name a folder with one file, or one folder of files, for each table

    error: `--data erp=file`: `file` is a file, not a folder
    = hint: name a folder with one file, or one folder of files, for each table

    error: `--data erp` is not SOURCE=DIR
    = hint: such as `--data erp=exports/erp`
    ");
    insta::assert_snapshot!(run(&["erp=erp", "shop=empty"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `erp/notes.txt` belongs to no table of the source `erp`
    = note: its tables: stores, supplies, visits
    = hint: name the file after its table, or move it out of the folder

    error: `erp/raw_stores.csv` belongs to no table of the source `erp`
    = note: its tables: stores, supplies, visits
    = hint: is it the data of `stores`? then rename it to `stores.csv`

    error: `erp/stores.jsonl`: the source `erp` takes CSV, and this is not one by its name
    = hint: say `format: jsonl` in the source in place of `csv`, or name the file with one of the endings .csv, .tsv, .txt

    error: `erp/visits.xlsx`: the source `erp` takes CSV, and this is not one by its name
    = hint: save the workbook as CSV

    error: `empty` holds none of the files customers.jsonl, inventoryItems.jsonl, orders.jsonl, products.jsonl
    = hint: put results of Shopify's bulk operations there, or make some with `pipectl sample`
    ");
    insta::assert_snapshot!(run(&["erp=empty"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `empty` holds no data for the source `erp`
    = hint: put a file for at least one of its tables there: stores, supplies, visits
    ");
    assert!(!test.path(".pipectl/local").exists());
}
