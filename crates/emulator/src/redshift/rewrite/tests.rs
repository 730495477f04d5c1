//! Whole statements, in and out: `cases.txt` has each Redshift statement and below it what it becomes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Step, Translated, translate};

/// The PostgreSQL text, one statement a line, or the error.
fn text(sql: &str) -> String {
    let translated = translate(sql, &BTreeMap::new(), &mut BTreeSet::new());
    match translated {
        Ok(Translated { steps, .. }) if steps.is_empty() => "(nothing)".to_owned(),
        Ok(Translated { steps, .. }) => {
            let line = |step: Step| match step {
                Step::Execute(sql) | Step::Query(sql) => sql,
                Step::Copy(copy) => format!("{copy:?}"),
                Step::Unload(unload) => format!("{unload:?}"),
            };
            steps.into_iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("error: {}", error.message()),
    }
}

#[test]
fn statements_are_rewritten_as_in_the_cases() {
    let cases = include_str!("cases.txt").trim_end().split("\n\n");
    let mut count = 0;
    for case in cases {
        let (sql, expected) = case.split_once('\n').unwrap();
        let expected: Vec<&str> = expected.lines().map(str::trim_start).collect();
        assert_eq!(text(sql), expected.join("\n"), "{sql}");
        count += 1;
    }
    assert!(count > 70, "only {count} cases were read");
}

#[test]
fn parameters_become_literals() {
    let parameters = BTreeMap::from([("id".to_owned(), "o'1".to_owned())]);
    let mut used = BTreeSet::new();
    let translated = translate("SELECT a FROM t WHERE b = :id AND c = (:id)::int", &parameters, &mut used).unwrap();
    let expected = "SELECT a FROM t WHERE b = 'o''1' AND c = ('o''1')::integer";
    assert_eq!(translated.steps, [Step::Query(expected.to_owned())]);
    assert_eq!(used, BTreeSet::from(["id".to_owned()]));
    let missing = translate("SELECT :other", &parameters, &mut used).unwrap_err();
    assert_eq!(missing.message(), "the parameter :other has no value");
}

#[test]
fn statements_outside_of_transactions_are_marked() {
    for (sql, alone, commits) in [
        ("TRUNCATE t", None, true),
        ("VACUUM t", Some("VACUUM"), false),
        ("ALTER TABLE a APPEND FROM b", Some("ALTER TABLE APPEND"), false),
        ("SELECT 1", None, false),
    ] {
        let translated = translate(sql, &BTreeMap::new(), &mut BTreeSet::new()).unwrap();
        assert_eq!((translated.alone, translated.commits), (alone, commits), "{sql}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(sql in r#"[a-zA-Z0-9_'"(),.:;=*<>| \n-]{0,80}"#) {
        text(&sql);
    }

    #[test]
    fn arbitrary_tokens_never_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..16)) {
        text(&words.join(" "));
    }
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "QUALIFY",
    "TOP",
    "5",
    "(",
    ")",
    ",",
    "LISTAGG",
    "WITHIN",
    "GROUP",
    "AVG",
    "OVER",
    "MERGE",
    "INTO",
    "t",
    "USING",
    "ON",
    "a",
    ".",
    "=",
    "WHEN",
    "MATCHED",
    "THEN",
    "UPDATE",
    "SET",
    "REMOVE",
    "DUPLICATES",
    "CREATE",
    "TABLE",
    "IF",
    "NOT",
    "EXISTS",
    "LIKE",
    "IDENTITY",
    "INT",
    "VARCHAR",
    "DEFAULT",
    "ENCODE",
    "COPY",
    "'s3://b/p'",
    "IAM_ROLE",
    "FORMAT",
    "AS",
    "PARQUET",
    "ALTER",
    "ADD",
    "COLUMN",
    "TYPE",
    "APPEND",
    "INSERT",
    "VALUES",
    "GRANT",
    "TO",
    "ROLE",
    "SCHEMA",
    "EXTERNAL",
    "DECODE",
    "CAST",
    "::",
    "EXTRACT",
    "DATEADD",
    "APPROXIMATE",
    "COUNT",
    "*",
    "WITH",
    "SORTKEY",
    "PRIMARY",
    "KEY",
    "FOREIGN",
    "GENERATED",
    "BY",
    "VIEW",
    "MATERIALIZED",
    "EXPLAIN",
    "ANALYZE",
    "SEARCH_PATH",
    "CONSTRAINT",
    "MINUS",
    "UNION",
];

#[test]
fn functions_of_postgresql_that_reach_out_do_not_exist() {
    for sql in [
        "select pg_read_file('/etc/passwd')",
        "select pg_catalog.pg_read_file('/etc/passwd')",
        "select * from (select \"lo_import\" ('/etc/passwd'))",
        "insert into t select query_to_xml('select 1', true, true, '')",
        "with x as (select dblink_exec('a')) select * from x",
    ] {
        assert!(
            text(sql).starts_with("error: function ") && text(sql).ends_with("() does not exist"),
            "{sql}: {}",
            text(sql)
        );
    }
    assert!(!text("select pg_last_copy_count(), pg_sleep(1)").starts_with("error"));
}

#[test]
fn fuzz_redshift() {
    pipectl_core::testing::fuzz::run("redshift", 1_000, |input| {
        let mut used = BTreeSet::new();
        let parameters = BTreeMap::from([("name".to_owned(), "va'lue".to_owned())]);
        drop(translate(&String::from_utf8_lossy(input), &parameters, &mut used));
    });
}
