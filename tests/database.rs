//! Databases as sources, end to end: after each rehearsal the warehouse holds what the database holds, value by value.
//!
//! A PostgreSQL and a MariaDB, each read by watermark and each followed, all in the same rehearsals. A server that is not
//! on this machine is reported, and its tables are skipped.

mod compare;
mod data;

use serde_json::Value;

use self::compare::{Kept, Side, difference};
use self::data::{RATES, Table, orders_of};
use crate::rehearse::{count, findings, project, report};
use crate::support::{Test, cannot_run, root};

/// What an ingest job said of its runs, in their order.
fn ingests(report: &Value, source: &str) -> Vec<String> {
    let name = format!("shop-local-ingest-{source}");
    let steps = report["timeline"].as_array().unwrap().iter().filter(|step| step["name"] == name.as_str());
    let jobs = steps.filter(|step| step["kind"] == "job").map(|step| step["detail"].as_str().unwrap());
    // The batch's name is of the hour.
    jobs.map(|printed_text| printed_text.split_once(": ").map_or(printed_text, |(_, what)| what).to_owned()).collect()
}

/// The rows of a table in the report: read, in quarantine, duplicates, transformed, staged.
fn rows(report: &Value, table: &str) -> [u64; 5] {
    ["read", "quarantined", "duplicates", "transformed", "staged"]
        .map(|name| report["rows"][table][name].as_u64().unwrap_or_default())
}

/// The tables whose source has a server on this machine. The test fails for others, unless they are skipped.
fn there(report: &Value, data: &[Table]) -> Vec<Table> {
    let found = findings(report);
    let (left_out, there): (Vec<Table>, Vec<Table>) =
        data.iter().cloned().partition(|table| found.contains(&format!("the source `{}` was skipped", table.source)));
    for table in &left_out {
        let (missing, package) = if table.mysql { ("mariadb", "mariadb-server") } else { ("postgresql", "postgresql") };
        let reason = format!("no server for `{}`, the source of `{}`", table.source, table.name);
        cannot_run(missing, reason, &format!("apt-get install {package}"));
    }
    there
}

/// Each table of the warehouse is what its source is.
fn assert_equal(kept: &Kept, tables: &[Table]) {
    for table in tables {
        let (source, warehouse) = (kept.rows(Side::Source(table)), kept.rows(Side::Warehouse(table)));
        assert!(!source.is_empty(), "{} is empty", table.name);
        if let Some(printed) = difference(&source, &warehouse) {
            panic!("core.{} is not what `{}` has: {printed}\n{:#}", table.name, table.source, kept.report);
        }
    }
}

/// No row is lost on its way, and none is counted twice.
fn assert_accounted_for(kept: &Kept, tables: &[Table]) {
    for table in tables {
        let [read, quarantined, duplicates, transformed, staged] = rows(&kept.report, &table.name);
        assert_eq!((read, quarantined), (transformed + duplicates, 0), "{}: {:#}", table.name, kept.report["rows"]);
        assert_eq!(staged, transformed, "{}: {:#}", table.name, kept.report["rows"]);
    }
}

fn replay(test: &Test, from: &str, table: &str) {
    let printed_text =
        test.run(&["replay", "--env", "local", "--since", "2025-01-01", "--from", from, "--table", table, "--yes"]);
    assert!(printed_text.starts_with("exit code: 0"), "{printed_text}");
}

#[test]
fn the_warehouse_equals_the_databases() {
    let Some(test) = project() else { return };
    let test = data::project(test);

    // All of it comes.
    let first = Kept::rehearse(&test);
    let tables = there(&first.report, &data::tables());
    assert_equal(&first, &tables);
    assert_accounted_for(&first, &tables);
    let has = |source: &&str| tables.iter().any(|table| table.source == *source);
    let by_watermark: Vec<&str> = ["books", "stock"].into_iter().filter(has).collect();
    for source in &by_watermark {
        let orders = orders_of(source);
        let taken = format!("{} rows of {source}_orders, {source}_rates", orders + RATES);
        assert_eq!(ingests(&first.report, source), [taken], "{:#}", first.report);
        assert_eq!(count(&first.report, &format!("{source}_orders")), orders as u64);
    }
    first.end();

    // The same again, then what happens later: the jobs take what is new, and that alone.
    data::changes(&test);
    let second = Kept::rehearse(&test);
    assert_equal(&second, &tables);
    assert_accounted_for(&second, &tables);
    for source in &by_watermark {
        let printed_text = ingests(&second.report, source);
        let none =
            format!("nothing new in the {} database `shop`", if *source == "books" { "postgresql" } else { "mysql" });
        assert!(printed_text[0].starts_with(&none), "{printed_text:?}");
        assert_eq!(printed_text[1], format!("1 rows of {source}_orders"));
        let (table, orders) = (format!("{source}_orders"), orders_of(source) as u64);
        let (taken, after) = (rows(&second.report, &table), count(&second.report, &table));
        if *source == "books" {
            // 68,883 orders, still 68,883 after a run that finds none, 68,884 after one that finds one: in the lake and in
            // the warehouse.
            assert!(printed_text[2].starts_with(&none), "{printed_text:?}");
            assert_eq!((taken, after), ([1, 0, 0, 1, 1], orders + 1), "{:#}", second.report);
        } else {
            assert_eq!(printed_text[2], format!("5 rows of {source}_orders, {source}_rates"));
            assert_eq!((taken, after), ([4, 0, 0, 4, 4], orders + 3), "{:#}", second.report);
        }
    }
    let found = findings(&second.report);
    for source in ["crm", "till"].iter().filter(|source| has(source)) {
        let printed = format!("the data of `{source}_contacts` has columns that it does not take: city");
        assert!(found.contains(&printed), "{found}");
    }

    // Manual changes of the warehouse are repaired from the lake: of one table from what landed, which also
    // makes the table again that SQL makes of it, and of another from what was cleaned. And the new column is taken, with
    // rows that arrive late.
    second.in_warehouse(
        "DELETE FROM core.books_orders WHERE id % 2 = 0; DELETE FROM core.books_rates; \
         UPDATE core.books_customers SET orders = 0 WHERE customer <> 'c1'; DELETE FROM core.books_customers \
         WHERE customer = 'c1'",
    );
    second.end();
    let known = |empty: &String| tables.iter().any(|table| empty.ends_with(&format!(" {}", table.name)));
    let empty = crate::catalog::without_files(&test).into_iter().filter(known);
    assert_eq!(empty.collect::<Vec<_>>(), [""; 0]);
    let test = data::with_city(test);
    data::more_changes(&test);
    replay(&test, "raw", "books_orders");
    replay(&test, "cleaned", "books_rates");
    let third = Kept::rehearse(&test);
    let mut wider = tables.clone();
    for table in wider.iter_mut().filter(|table| table.name.ends_with("_contacts")) {
        table.columns.push(data::CITY);
    }
    assert_equal(&third, &wider);
    if has(&"books") {
        assert_eq!(count(&third.report, "books_orders"), orders_of("books") as u64 + 3);
    }
    third.end();
}

/// After a load that failed, a job that finds nothing new ends: that nothing follows it is no fault of the wires.
#[test]
fn a_failed_load_is_not_reported_as_a_broken_trigger() {
    let Some(test) = project() else { return };
    let test = data::project(test).write("data/books/changes/1.sql", "UPDATE rates SET rate = rate;");
    let template = std::fs::read_to_string(root().join("templates/iam.yaml.hbs")).unwrap();
    let write = "Sid: WriteLedger\n                Effect: Allow\n                Action: \"s3:PutObject\"";
    assert!(template.contains(write), "{template}");
    let test =
        test.write("templates/iam.yaml.hbs", &template.replace(write, &write.replace("PutObject", "PutObjectAcl")));
    let (code, report) = report(&test, &["--data", "books=data/books"]);
    let found = findings(&report);
    assert_eq!(code, Some(1), "{found}");
    assert!(ingests(&report, "books")[1].starts_with("nothing new in the postgresql database"), "{report:#}");
    assert!(found.contains("the function `shop-local-load` failed"), "{found}");
    assert!(found.contains("of `books_orders` was not loaded into the warehouse"), "{found}");
    assert!(!found.contains("nothing starts after the last event"), "{found}");
}
