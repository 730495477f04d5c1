//! Attacks on the built binary: each ends with an error and its location, and with no signal.

use crate::support::Test;

/// Fails unless `check` rejects the project with these texts.
#[track_caller]
fn rejected(test: &Test, texts: &[&str]) {
    let output = test.run(&["check", "--env", "dev"]);
    let start: String = output.chars().take(2_000).collect();
    assert!(output.starts_with("exit code: 65"), "{start}");
    assert!(output.lines().all(|line| line.chars().count() < 5_000), "a line of the file is quoted as a whole");
    for text in texts {
        assert!(output.contains(text), "no `{text}` in {start}");
    }
}

#[track_caller]
fn with(path: &str, text: impl AsRef<str>, message: &str) {
    rejected(&Test::reference().write(path, text.as_ref()), &[message, path]);
}

const MART: &str = "sql/marts/daily_revenue.sql";

#[test]
fn deep_input_ends_in_an_error() {
    let spec =
        |text: String| with("stacks/pipeline.yaml", format!("name: {text}\n"), "nested more than 100 levels deep");
    spec("[".repeat(5_000));
    spec("[".repeat(130) + &"]".repeat(130));
    let operators = "has an expression of more than 2000 operators";
    with(MART, format!("select {}1 as day", "1 + ".repeat(40_000)), operators);
    with(MART, format!("select 1 as day where {}true", "true or ".repeat(3_000)), operators);
    with(MART, vec!["select 1 as day"; 3_000].join("\nunion all\n"), operators);
    let deep = format!("select {}1{} as day", "(".repeat(30_000), ")".repeat(30_000));
    with(MART, deep, "nested more than 100 levels deep");
    let deep = format!("Resources:\n{}x\n", "{{#if true}}".repeat(60));
    with("templates/network.yaml.hbs", deep + &"{{/if}}".repeat(60), "nested more than 50 levels deep");
}

#[test]
fn large_input_ends_in_an_error() {
    let level = |at: usize| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 9].join(", "));
    let levels: String = (1..12).map(level).collect();
    with("stacks/pipeline.yaml", format!("a0: &a0 [x]\n{levels}"), "stands for too much");
    with("stacks/pipeline.yaml", "#".repeat(5 << 20), "is larger than 4.0 MiB");
    with(MART, " ".repeat(2 << 20), "is larger than 1.0 MiB");
}

#[test]
fn long_lines_are_cut() {
    let test = Test::reference()
        .write(MART, &format!("select 1 as day, {} nothing from core.orders", "total, ".repeat(10_000)));
    let output = test.run(&["check", "--env", "dev"]);
    let longest = output.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest < 4_200, "{longest}");
    let quoted = output.lines().filter(|line| line.contains(" | ")).map(|line| line.chars().count()).max().unwrap();
    assert!(quoted < 240, "{quoted}");
}

#[test]
fn paths_stay_in_the_project() {
    let test = Test::reference().edit("stacks/pipeline.yaml", MART, "../../../etc/passwd");
    rejected(&test, &["`../../../etc/passwd` is no path within the project", "--> stacks/pipeline.yaml:"]);
    #[cfg(unix)]
    {
        let test = Test::reference();
        std::fs::remove_file(test.path(MART)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", test.path(MART)).unwrap();
        rejected(&test, &["is a symbolic link out of the project", "--> stacks/pipeline.yaml:"]);
    }
}

#[test]
fn marts_only_read() {
    let unchecked = "-- pipectl: unchecked\nselect pg_read_file('/etc/passwd') as day";
    with(MART, unchecked, "the function `pg_read_file` does more than compute");
    with(MART, "with gone as (delete from core.orders returning id) select id from gone", "holds `DELETE`");
    with(MART, "select 1 as day into core.copy", "holds `INTO`");
    let hidden = "select '\\' , ' ; drop table core.orders; select '\\' , '";
    with(MART, hidden, "holds more than one statement");
}
