//! Database outages during a read: the rehearsal reports them, the other sources arrive, and nothing partial is written.
//! The next rehearsal reads the rest.

use crate::rehearse::{count, findings, project, report};
use crate::support::{Test, cannot_run, write};

const PIPELINE: &str = "\
name: shop
sources:
  books:
    postgresql: {host: db.example.com, database: shop}
  crm:
    postgresql: {host: db.example.com, database: shop, capture: cdc}
  staff:
    postgresql: {host: db.example.com, database: shop, capture: cdc}
  notes:
    files: {format: jsonl}
trigger: {batch_window: 1}
tables:
  orders:
    source: books.orders
    watermark: updated_on
    columns: {id: {type: bigint, required: true}, note: varchar(2000), updated_on: date}
    key: [id]
  contacts:
    source: crm.contacts
    columns: {id: {type: bigint, required: true}, note: varchar(2000)}
    key: [id]
  people:
    source: staff.people
    columns: {id: {type: bigint, required: true}, note: varchar(2000)}
    key: [id]
  remarks:
    source: notes
    columns: {id: {type: bigint, required: true}, note: varchar(2000)}
    key: [id]
";

/// How many rows each database has: enough for many answers of its server.
const ROWS: u32 = 1_000;
/// What ends a PostgreSQL, whose programs run in its folder of data, and a pause that it does not survive.
const ENDS: &str = "COPY (SELECT 1) TO PROGRAM 'kill -QUIT $(head -n 1 postmaster.pid)'";

/// A table whose reader finds the server gone at one of the last rows.
fn with_outage(table: &str) -> String {
    format!(
        "CREATE FUNCTION ends() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
             {ENDS}; PERFORM pg_sleep(60); RETURN true; END $$;
         CREATE POLICY to_the_end ON {table} USING (CASE WHEN note LIKE '% {} %' THEN ends() ELSE true END);
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;",
        ROWS - 100
    )
}

fn data(test: &Test, with_outage: impl Fn(&str) -> String, step: &str) {
    let text = "x".repeat(200);
    for (source, table, more, value) in [
        ("books", "orders", ", updated_on date", ",2026-01-01"),
        ("crm", "contacts", "", ""),
        ("staff", "people", "", ""),
    ] {
        let file = |name: &str, text: &str| write(&test.path(&format!("data/{source}/{name}")), text.as_bytes());
        let ends = if source == "staff" { String::new() } else { with_outage(table) };
        let column = if more.is_empty() { "" } else { ",updated_on" };
        file("schema.sql", &format!("CREATE TABLE {table} (id bigint PRIMARY KEY, note varchar(2000){more});\n{ends}"));
        let rows: String = (1..=ROWS).map(|id| format!("{id},a {id} {text}{value}\n")).collect();
        file(&format!("{table}.csv"), &format!("id,note{column}\n{rows}"));
        if source == "staff" {
            file("changes/1.sql", step);
        }
    }
    write(&test.path("data/notes/remarks.jsonl"), b"{\"id\": 1, \"note\": \"a\"}\n{\"id\": 2}\n");
}

#[test]
fn an_outage_is_reported_and_the_next_run_catches_up() {
    let Some(test) = project() else { return };
    let test = test
        .write("stacks/pipeline.yaml", PIPELINE)
        .write("stacks/local.yaml", "account: \"000000000000\"\nregion: us-east-1\nlocal: true\n");
    let sources = ["books=data/books", "crm=data/crm", "staff=data/staff", "notes=data/notes"];
    let sources: Vec<&str> = sources.iter().flat_map(|one| ["--data", one]).collect();

    // Two go away while their tables are read for the first time, one after a change that it has committed.
    let insert = "BEGIN; INSERT INTO people VALUES (9001, 'late'); COMMIT;";
    data(&test, with_outage, &format!("{insert}\n{ENDS}; SELECT pg_sleep(60);"));
    let (code, broken) = report(&test, &sources);
    let found = findings(&broken);
    if found.contains("was left out") {
        return cannot_run("postgresql", "no PostgreSQL server", "apt-get install postgresql");
    }
    assert_eq!(code, Some(1), "{found}");
    for printed in [
        "the job `shop-local-ingest-books` ended as FAILED: table `orders`: the postgresql database `shop`",
        "error: the source `crm`: the PostgreSQL database cannot be read",
        "nothing of it has landed, and its changes are not followed in this rehearsal",
        "error: the source `staff`: its PostgreSQL server stopped",
        "error: the source `staff`: the PostgreSQL database cannot be reached",
        "nothing of what has changed since the last file has landed",
        "rehearse again",
    ] {
        assert!(found.contains(printed), "not told: {printed}\n{found}");
    }
    let counts = |report| ["orders", "contacts", "people", "remarks"].map(|table| count(report, table));
    assert_eq!(counts(&broken), [0, 0, u64::from(ROWS), 2], "{found}");
    let landing = test.path(".pipectl/local/s3/buckets/shop-local-raw-000000000000-us-east-1/landing");
    for source in ["books/orders", "crm/contacts"] {
        let there = std::fs::read_dir(landing.join(source)).map_or(0, Iterator::count);
        assert_eq!(there, 0, "something of {source} has landed");
    }

    data(&test, |_| String::new(), insert);
    let (code, whole) = report(&test, &sources);
    assert_eq!(code, Some(0), "{}", findings(&whole));
    assert_eq!(counts(&whole), [u64::from(ROWS), u64::from(ROWS), u64::from(ROWS) + 1, 2], "{}", findings(&whole));
}
