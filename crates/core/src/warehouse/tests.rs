use super::*;

const ENVIRONMENT: &str = "account: \"111111111111\"\nregion: eu-central-1\n";

fn spec(tables: &str, marts: &str) -> Spec {
    let text = format!(
        "name: shop\nsources: {{erp: {{files: {{}}}}, lists: {{files: {{snapshot: true}}}}}}\ntables:\n{tables}marts: {{{marts}}}\n"
    );
    Spec::load(&Source::new("pipeline.yaml", text), &Source::new("dev.yaml", ENVIRONMENT), "dev")
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The statements of the batch `b`, whose files have the columns of the table.
fn loaded(spec: &Spec, name: &str) -> Vec<String> {
    let batch = Batch { name: "b", files: Files::Manifest("s3://t/m.json"), columns: &Map::new() };
    load_statements::statements(&load(spec, name, &spec.pipeline.tables[name]), batch).unwrap()
}

fn table_sql(table: &str) -> String {
    let spec = spec(&format!("  t: {{source: erp, {table}}}\n"), "");
    let created = schema_change::create("core.t", &schema(&spec)["core.t"]);
    [created].into_iter().chain(loaded(&spec, "t")).collect::<Vec<_>>().join(";\n")
}

#[test]
fn upsert_with_an_order_ignores_older_rows() {
    insta::assert_snapshot!(table_sql("columns: {id: bigint, at: timestamp, v: {type: double, required: true}}, key: [id], order_by: at"), @r"
    CREATE TABLE IF NOT EXISTS core.t (id BIGINT NOT NULL, at TIMESTAMP, v DOUBLE PRECISION NOT NULL, PRIMARY KEY (id)) DISTSTYLE AUTO SORTKEY (at);
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_stage (id BIGINT, at TIMESTAMP, v DOUBLE PRECISION);
    COPY pipectl_stage FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    DELETE FROM pipectl_stage USING core.t AS target WHERE pipectl_stage.id = target.id AND target.at > pipectl_stage.at;
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET at = pipectl_stage.at, v = pipectl_stage.v WHEN NOT MATCHED THEN INSERT (id, at, v) VALUES (pipectl_stage.id, pipectl_stage.at, pipectl_stage.v);
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn upsert_of_a_key_only_table_is_valid_sql() {
    insta::assert_snapshot!(table_sql("columns: {a: bigint, b: bigint}, key: [a, b]"), @r"
    CREATE TABLE IF NOT EXISTS core.t (a BIGINT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) DISTSTYLE AUTO SORTKEY AUTO;
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_stage (a BIGINT, b BIGINT);
    COPY pipectl_stage FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    MERGE INTO core.t USING pipectl_stage ON t.a = pipectl_stage.a AND t.b = pipectl_stage.b WHEN MATCHED THEN UPDATE SET a = pipectl_stage.a, b = pipectl_stage.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (pipectl_stage.a, pipectl_stage.b);
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn append_with_a_key_inserts_only_new_rows() {
    insta::assert_snapshot!(table_sql("columns: {day: date, v: integer}, key: [day], load: append"), @r"
    CREATE TABLE IF NOT EXISTS core.t (day DATE NOT NULL, v INTEGER, PRIMARY KEY (day)) DISTSTYLE AUTO SORTKEY (day);
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_stage (day DATE, v INTEGER);
    COPY pipectl_stage FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    DELETE FROM pipectl_stage USING core.t AS target WHERE pipectl_stage.day = target.day;
    INSERT INTO core.t (day, v) SELECT day, v FROM pipectl_stage;
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn append_inserts_all() {
    insta::assert_snapshot!(table_sql("columns: {v: \"decimal(12, 2)\"}, load: append"), @r"
    CREATE TABLE IF NOT EXISTS core.t (v DECIMAL(12,2)) DISTSTYLE AUTO SORTKEY AUTO;
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_stage (v DECIMAL(12,2));
    COPY pipectl_stage FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    INSERT INTO core.t (v) SELECT v FROM pipectl_stage;
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn json_columns_are_parsed_during_load() {
    insta::assert_snapshot!(table_sql("columns: {id: bigint, tags: super}, key: [id]"), @r"
    CREATE TABLE IF NOT EXISTS core.t (id BIGINT NOT NULL, tags SUPER, PRIMARY KEY (id)) DISTSTYLE AUTO SORTKEY AUTO;
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_incoming (id BIGINT, tags VARCHAR(65535));
    COPY pipectl_incoming FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    CREATE TEMP TABLE pipectl_stage (id BIGINT, tags SUPER);
    INSERT INTO pipectl_stage (id, tags) SELECT id, JSON_PARSE(tags) FROM pipectl_incoming;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET tags = pipectl_stage.tags WHEN NOT MATCHED THEN INSERT (id, tags) VALUES (pipectl_stage.id, pipectl_stage.tags);
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn reserved_names_are_quoted() {
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
            .map(|mart| format!("{}: {}", mart.document.name, mart.document.refresh.join(";\n")))
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn marts_follow_the_marts_that_they_read() {
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
fn invalid_marts_have_error_locations() {
    insta::assert_snapshot!(made(&[("a", "select * from marts.b"), ("b", "select * from marts.a")]), @r"
    error: `a` → `b` → `a` depend on each other in a cycle
    = hint: remove one of these dependencies: each must be complete before the next can start
    ");
    insta::assert_snapshot!(made(&[("a", "select 1; select 2"), ("b", "create table x as select 1"), ("c", "select * from core.orders")]), @r"
    error: unknown table `core.orders`
     --> c.sql:1:20
      |
    1 | select * from core.orders
      |                    ^^^^^^ no such table or mart
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

/// A table whose source reports deletions.
fn with_deletes(table: &str) -> String {
    let spec = spec(&format!("  t: {{source: lists, {table}}}\n"), "");
    assert_eq!(schema(&spec).contains_key("pipectl.deleted_t"), table.contains("order_by"));
    loaded(&spec, "t").join(";\n")
}

#[test]
fn deletes_run_before_inserts() {
    insta::assert_snapshot!(with_deletes("columns: {id: bigint, at: timestamp, v: super}, key: [id], order_by: at"), @r"
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_incoming (id BIGINT, at TIMESTAMP, v VARCHAR(65535), _deleted BOOLEAN);
    COPY pipectl_incoming FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    CREATE TEMP TABLE pipectl_stage (id BIGINT, at TIMESTAMP, v SUPER, _deleted BOOLEAN);
    INSERT INTO pipectl_stage (id, at, v, _deleted) SELECT id, at, JSON_PARSE(v), _deleted FROM pipectl_incoming;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    DELETE FROM pipectl_stage USING core.t AS target WHERE pipectl_stage.id = target.id AND target.at > pipectl_stage.at;
    DELETE FROM pipectl_stage USING pipectl.deleted_t AS gone WHERE pipectl_stage.id = gone.id AND gone.at > pipectl_stage.at;
    DELETE FROM pipectl.deleted_t USING pipectl_stage WHERE deleted_t.id = pipectl_stage.id;
    INSERT INTO pipectl.deleted_t (id, at) SELECT id, at FROM pipectl_stage WHERE pipectl_stage._deleted AND pipectl_stage.at IS NOT NULL;
    DELETE FROM core.t USING pipectl_stage WHERE t.id = pipectl_stage.id AND pipectl_stage._deleted;
    DELETE FROM pipectl_stage WHERE _deleted;
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET at = pipectl_stage.at, v = pipectl_stage.v WHEN NOT MATCHED THEN INSERT (id, at, v) VALUES (pipectl_stage.id, pipectl_stage.at, pipectl_stage.v);
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
    insta::assert_snapshot!(with_deletes("columns: {id: bigint}, key: [id]"), @r"
    LOCK pipectl.ledger_t;
    CREATE TEMP TABLE pipectl_stage (id BIGINT, _deleted BOOLEAN);
    COPY pipectl_stage FROM 's3://t/m.json' IAM_ROLE default FORMAT AS PARQUET MANIFEST;
    DELETE FROM pipectl_stage WHERE EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b');
    DELETE FROM core.t USING pipectl_stage WHERE t.id = pipectl_stage.id AND pipectl_stage._deleted;
    DELETE FROM pipectl_stage WHERE _deleted;
    MERGE INTO core.t USING pipectl_stage ON t.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET id = pipectl_stage.id WHEN NOT MATCHED THEN INSERT (id) VALUES (pipectl_stage.id);
    INSERT INTO pipectl.ledger_t (batch, loaded_at, rows_staged) SELECT 'b', GETDATE(), staged.row_count FROM (SELECT COUNT(*) AS row_count FROM pipectl_stage) AS staged WHERE NOT EXISTS (SELECT 1 FROM pipectl.ledger_t WHERE batch = 'b')
    ");
}

#[test]
fn stub_rows_are_inserted_for_missing_references() {
    let spec = spec(
        "  f: {source: erp, columns: {id: bigint, d: {type: bigint, references: d.id, late: stub}}, key: [id]}\n  \
           d: {source: erp, columns: {id: bigint, n: {type: varchar(9), required: true}}, key: [id]}\n  \
           e: {source: erp, columns: {d: {type: bigint, references: d.id}}, load: append}\n",
        "",
    );
    let of = |name: &str| loaded(&spec, name);
    insta::assert_snapshot!(format!("{}\n{}\n{}", schema_change::create("core.d", &schema(&spec)["core.d"]), of("f")[4], of("d")[4]), @r"
    CREATE TABLE IF NOT EXISTS core.d (id BIGINT NOT NULL, n VARCHAR(9), _inferred BOOLEAN, PRIMARY KEY (id)) DISTSTYLE AUTO SORTKEY AUTO
    INSERT INTO core.d (id, _inferred) SELECT DISTINCT pipectl_stage.d, TRUE FROM pipectl_stage WHERE pipectl_stage.d IS NOT NULL AND NOT EXISTS (SELECT 1 FROM core.d AS known WHERE known.id = pipectl_stage.d)
    MERGE INTO core.d USING pipectl_stage ON d.id = pipectl_stage.id WHEN MATCHED THEN UPDATE SET n = pipectl_stage.n, _inferred = FALSE WHEN NOT MATCHED THEN INSERT (id, n, _inferred) VALUES (pipectl_stage.id, pipectl_stage.n, FALSE)
    ");
    assert!(of("e").iter().all(|statement| !statement.contains("_inferred")));
}

#[test]
fn a_table_of_300_columns_are_loaded_and_700_are_rejected() {
    let wide = |count: usize, name: &str| {
        let columns: Vec<String> = (0..count).map(|number| format!("{name}_{number}: varchar(255)")).collect();
        spec(&format!("  t: {{source: erp, columns: {{id: bigint, {}}}, key: [id]}}\n", columns.join(", ")), "")
    };
    let spec = wide(300, "a_name_of_the_length_that_exports_have_now_and_then");
    assert!(check(&spec).is_empty());
    let statements = loaded(&spec, "t");
    let longest = statements.iter().map(String::len).max().unwrap();
    assert!(longest < LONGEST && longest > 70_000, "{longest}");
    let errors = check(&wide(700, "a_name_of_the_length_that_exports_have_now_and_then"));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message().starts_with("table `t` is too wide: a statement that loads it has"), "{}", errors[0]);
}
