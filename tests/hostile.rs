//! Attacks on the built binary: each ends with an error and its place, and with no signal.

use crate::support::Test;

/// The first error of `check`, and its place.
fn checked(test: &Test) -> String {
    let output = test.run(&["check", "--env", "dev"]);
    assert!(output.starts_with("exit code: 65"), "{}", output.chars().take(2_000).collect::<String>());
    assert!(output.lines().all(|line| line.chars().count() < 5_000), "a line of the file is quoted as a whole");
    output.lines().skip(3).take(2).collect::<Vec<_>>().join("\n")
}

fn with(path: &str, text: impl AsRef<str>) -> String {
    checked(&Test::reference().write(path, text.as_ref()))
}

const MART: &str = "sql/marts/daily_revenue.sql";

#[test]
fn deep_input_ends_in_an_error() {
    let spec = |text: String| with("stacks/pipeline.yaml", format!("name: {text}\n"));
    insta::assert_snapshot!(spec("[".repeat(5_000)), @"");
    insta::assert_snapshot!(spec("[".repeat(130) + &"]".repeat(130)), @"");
    insta::assert_snapshot!(with(MART, format!("select {}1 as day", "1 + ".repeat(40_000))), @"");
    insta::assert_snapshot!(with(MART, format!("select 1 as day where {}true", "true or ".repeat(3_000))), @"");
    insta::assert_snapshot!(with(MART, vec!["select 1 as day"; 3_000].join("\nunion all\n")), @"");
    insta::assert_snapshot!(with(MART, format!("select {}1{} as day", "(".repeat(30_000), ")".repeat(30_000))), @"");
    let deep = format!("Resources:\n{}x\n", "{{#if true}}".repeat(3_000));
    insta::assert_snapshot!(with("templates/network.yaml.hbs", deep + &"{{/if}}".repeat(3_000)), @"");
}

#[test]
fn large_input_ends_in_an_error() {
    let levels: String = (1..12)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")))
        .collect();
    insta::assert_snapshot!(with("stacks/pipeline.yaml", format!("a0: &a0 [x]\n{levels}")), @"");
    insta::assert_snapshot!(with("stacks/pipeline.yaml", "#".repeat(5 << 20)), @"");
    insta::assert_snapshot!(with(MART, " ".repeat(2 << 20)), @"");
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
    let test =
        Test::reference().edit("stacks/pipeline.yaml", "sql: sql/marts/daily_revenue.sql", "sql: ../../../etc/passwd");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"");
    #[cfg(unix)]
    {
        let test = Test::reference();
        std::fs::remove_file(test.path(MART)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", test.path(MART)).unwrap();
        insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"");
    }
}

#[test]
fn marts_only_read() {
    insta::assert_snapshot!(with(MART, "-- pipectl: unchecked\nselect pg_read_file('/etc/passwd') as day"), @"");
    insta::assert_snapshot!(with(MART, "with gone as (delete from core.orders returning id) select id from gone"), @"");
    insta::assert_snapshot!(with(MART, "select 1 as day into core.copy"), @"");
    insta::assert_snapshot!(with(MART, "select '\\' , ' ; drop table core.orders; select '\\' , '"), @"");
}
