use super::*;
use crate::project::built_in;

const PLACE: &str = "account: \"111111111111\"\nregion: eu-central-1\n";

fn spec(tables: &str, marts: &str) -> Spec {
    let text = format!("name: t\nsources: {{erp: {{files: {{}}}}}}\ntables:\n{tables}marts: {{{marts}}}\n");
    Spec::load(&Source::new("pipeline.yaml", text), &Source::new("dev.yaml", PLACE), "dev")
        .unwrap_or_else(|error| panic!("{error}"))
}

fn table_sql(table: &str) -> String {
    let spec = spec(&format!("  t: {{source: erp, {table}}}\n"), "");
    let created = setup(&spec.pipeline.tables).pop().unwrap();
    [created].into_iter().chain(load("t", &spec.pipeline.tables["t"])).collect::<Vec<_>>().join(";\n")
}

#[test]
fn upsert_with_an_order_drops_what_is_stale() {
    insta::assert_snapshot!(table_sql("columns: {id: bigint, at: timestamp, v: {type: double, required: true}}, key: [id], order_by: at"), @"");
}

#[test]
fn upsert_of_keys_alone_has_something_to_set() {
    insta::assert_snapshot!(table_sql("columns: {a: bigint, b: bigint}, key: [a, b]"), @"");
}

#[test]
fn append_with_a_key_inserts_only_what_is_new() {
    insta::assert_snapshot!(table_sql("columns: {day: date, v: integer}, key: [day], load: append"), @"");
}

#[test]
fn append_inserts_all() {
    insta::assert_snapshot!(table_sql("columns: {v: \"decimal(12, 2)\"}, load: append"), @"");
}

#[test]
fn json_is_parsed_on_its_way() {
    insta::assert_snapshot!(table_sql("columns: {id: bigint, tags: super}, key: [id]"), @"");
}

#[test]
fn names_are_quoted_where_they_must_be() {
    for (name, expected) in [("orders", "orders"), ("order", "\"order\""), ("Aö", "\"Aö\""), ("1a", "\"1a\"")] {
        assert_eq!(quoted(name), expected);
    }
}

fn made(marts: &[(&str, &str)]) -> String {
    let kinds = |text: &str| if text.contains("view") { ", as: view" } else { "" };
    let declared: Vec<String> =
        marts.iter().map(|(name, sql)| format!("{name}: {{sql: {name}.sql{}}}", kinds(sql))).collect();
    let spec = spec("  t: {source: erp, columns: {id: bigint}, key: [id]}\n", &declared.join(", "));
    let sources: Vec<(String, Arc<Source>)> = marts
        .iter()
        .map(|(name, sql)| ((*name).to_owned(), Source::new(format!("{name}.sql"), *sql)))
        .collect();
    match super::marts(&spec, &sources) {
        Ok(marts) => marts.iter().map(|mart| format!("{}: {}", mart.name, mart.refresh.join(";\n"))).collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn marts_come_after_what_they_read() {
    let marts = [
        ("a", "select * from marts.b -- marts.c; and marts.d\n;\n"),
        ("b", "-- a view\nWITH x AS (select id from core.t where ';' <> 'marts.a')\nSELECT * FROM x, marts.c"),
        ("c", "SELECT 1 AS one;"),
    ];
    insta::assert_snapshot!(made(&marts), @"");
}

#[test]
fn bad_marts_are_pointed_at() {
    insta::assert_snapshot!(made(&[("a", "select * from marts.b"), ("b", "select * from marts.a")]), @"");
    insta::assert_snapshot!(made(&[("a", "select 1; select 2"), ("b", "create table x as select 1"), ("c", "select * from core.orders")]), @"");
    insta::assert_snapshot!(made(&[("a", "-- nothing\n")]), @"");
}
