use super::*;

const PLACE: &str = "account: \"111111111111\"\nregion: eu-central-1\n";

fn spec(tables: &str, marts: &str) -> Spec {
    let text = format!("name: shop\nsources: {{erp: {{files: {{}}}}}}\ntables:\n{tables}marts: {{{marts}}}\n");
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
    insta::assert_snapshot!(table_sql("columns: {id: bigint, at: timestamp, v: {type: double, required: true}}, key: [id], order_by: at"), @r"
    CREATE TABLE IF NOT EXISTS core.t (id BIGINT NOT NULL, at TIMESTAMP, v DOUBLE PRECISION NOT NULL, PRIMARY KEY (id)) DISTSTYLE AUTO SORTKEY (at);
    CREATE TEMP TABLE pipectl_stage (LIKE core.t);
    COPY pipectl_stage FROM '{path}' IAM_ROLE default FORMAT AS PARQUET;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't');
    DELETE FROM pipectl_stage USING core.t AS target WHERE pipectl_stage.id = target.id AND target.at > pipectl_stage.at;
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET at = pipectl_stage.at, v = pipectl_stage.v WHEN NOT MATCHED THEN INSERT (id, at, v) VALUES (pipectl_stage.id, pipectl_stage.at, pipectl_stage.v);
    INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) SELECT '{batch}', 't', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't')
    ");
}

#[test]
fn upsert_of_keys_alone_has_something_to_set() {
    insta::assert_snapshot!(table_sql("columns: {a: bigint, b: bigint}, key: [a, b]"), @r"
    CREATE TABLE IF NOT EXISTS core.t (a BIGINT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) DISTSTYLE AUTO SORTKEY AUTO;
    CREATE TEMP TABLE pipectl_stage (LIKE core.t);
    COPY pipectl_stage FROM '{path}' IAM_ROLE default FORMAT AS PARQUET;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't');
    MERGE INTO core.t USING pipectl_stage ON t.a = pipectl_stage.a AND t.b = pipectl_stage.b WHEN MATCHED THEN UPDATE SET a = pipectl_stage.a, b = pipectl_stage.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (pipectl_stage.a, pipectl_stage.b);
    INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) SELECT '{batch}', 't', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't')
    ");
}

#[test]
fn append_with_a_key_inserts_only_what_is_new() {
    insta::assert_snapshot!(table_sql("columns: {day: date, v: integer}, key: [day], load: append"), @r"
    CREATE TABLE IF NOT EXISTS core.t (day DATE NOT NULL, v INTEGER, PRIMARY KEY (day)) DISTSTYLE AUTO SORTKEY (day);
    CREATE TEMP TABLE pipectl_stage (LIKE core.t);
    COPY pipectl_stage FROM '{path}' IAM_ROLE default FORMAT AS PARQUET;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't');
    DELETE FROM pipectl_stage USING core.t AS target WHERE pipectl_stage.day = target.day;
    INSERT INTO core.t (day, v) SELECT day, v FROM pipectl_stage;
    INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) SELECT '{batch}', 't', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't')
    ");
}

#[test]
fn append_inserts_all() {
    insta::assert_snapshot!(table_sql("columns: {v: \"decimal(12, 2)\"}, load: append"), @r"
    CREATE TABLE IF NOT EXISTS core.t (v DECIMAL(12,2)) DISTSTYLE AUTO SORTKEY AUTO;
    CREATE TEMP TABLE pipectl_stage (LIKE core.t);
    COPY pipectl_stage FROM '{path}' IAM_ROLE default FORMAT AS PARQUET;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't');
    INSERT INTO core.t (v) SELECT v FROM pipectl_stage;
    INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) SELECT '{batch}', 't', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't')
    ");
}

#[test]
fn json_is_parsed_on_its_way() {
    insta::assert_snapshot!(table_sql("columns: {id: bigint, tags: super}, key: [id]"), @r"
    CREATE TABLE IF NOT EXISTS core.t (id BIGINT NOT NULL, tags SUPER, PRIMARY KEY (id)) DISTSTYLE AUTO SORTKEY AUTO;
    CREATE TEMP TABLE pipectl_incoming (id BIGINT, tags VARCHAR(65535));
    COPY pipectl_incoming FROM '{path}' IAM_ROLE default FORMAT AS PARQUET;
    CREATE TEMP TABLE pipectl_stage (LIKE core.t);
    INSERT INTO pipectl_stage (id, tags) SELECT id, JSON_PARSE(tags) FROM pipectl_incoming;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't');
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET tags = pipectl_stage.tags WHEN NOT MATCHED THEN INSERT (id, tags) VALUES (pipectl_stage.id, pipectl_stage.tags);
    INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) SELECT '{batch}', 't', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger WHERE batch = '{batch}' AND table_name = 't')
    ");
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
    let sources: Vec<(String, Arc<Source>)> =
        marts.iter().map(|(name, sql)| ((*name).to_owned(), Source::new(format!("{name}.sql"), *sql))).collect();
    match super::marts(&spec, &sources) {
        Ok(marts) => marts
            .iter()
            .map(|mart| format!("{}: {}", mart.name, mart.refresh.join(";\n")))
            .collect::<Vec<_>>()
            .join("\n"),
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
    insta::assert_snapshot!(made(&marts), @r"
    c: DROP TABLE IF EXISTS marts.c;
    CREATE TABLE marts.c AS
    SELECT 1 AS one
    b: DROP VIEW IF EXISTS marts.b;
    CREATE VIEW marts.b AS
    WITH x AS (select id from core.t where ';' <> 'marts.a')
    SELECT * FROM x, marts.c
    WITH NO SCHEMA BINDING
    a: DROP TABLE IF EXISTS marts.a;
    CREATE TABLE marts.a AS
    select * from marts.b
    ");
}

#[test]
fn bad_marts_are_pointed_at() {
    insta::assert_snapshot!(made(&[("a", "select * from marts.b"), ("b", "select * from marts.a")]), @r"
    error: `a` → `b` → `a` need each other in a circle
    = hint: take one of these needs away: each must be complete before the next can start
    ");
    insta::assert_snapshot!(made(&[("a", "select 1; select 2"), ("b", "create table x as select 1"), ("c", "select * from core.orders")]), @r"
    error: unknown table `orders`
     --> c.sql:1:15
      |
    1 | select * from core.orders
      |               ^^^^^^^^^^^ no table of the spec has this name
      = hint: known here: t

    error: `a.sql` holds more than one statement
     --> a.sql:1:9
      |
    1 | select 1; select 2
      |         ^ the first one ends here
      = hint: leave one `SELECT`; use `WITH` for its steps

    error: `b.sql` does not begin with `SELECT` or `WITH`
     --> b.sql:1:1
      |
    1 | create table x as select 1
      | ^^^^^^ not a query
      = hint: write the `SELECT` alone: pipectl makes the table or view of it
    ");
    insta::assert_snapshot!(made(&[("a", "-- nothing\n")]), @r"
    error: `a.sql` is empty
     --> a.sql:1:1
      |
    1 | -- nothing
      | ^ no statement
      = hint: write one `SELECT`
    ");
}
