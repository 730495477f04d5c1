//! Tables that are made by Spark SQL from others: what the SQL reads must be there, and what it makes must be the table.
//!
//! A table that a source fills can be read by its own name, as a whole, and as `changed_<table>`: its rows of this run.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipectl_contract::Map;
use pipectl_contract::document::Transform;

use super::mask_literals::mask_literals;
use crate::error::{Error, Result, closest};
use crate::spec::rules::CHANGED;
use crate::spec::{ColumnType, Spec, Table};
use crate::sql::{self, Catalog, Column, Dialect, Kind, Relation};
use crate::yaml::{Source, Span};

/// Checks the SQL of all of them. Fails with everything that is wrong.
pub fn check(spec: &Spec, sources: &[(String, Arc<Source>)]) -> Result<Map<Transform>> {
    let tables = &spec.pipeline.tables;
    let catalog = catalog(spec);
    let (mut transforms, mut errors) = (Map::new(), Vec::new());
    for (name, source) in sources {
        let Some(table) = tables.get(name) else { continue };
        let code = mask_literals(&source.text).to_ascii_lowercase();
        if code.trim().trim_end_matches(';').is_empty() {
            errors.push(
                Error::project(format!("`{}` is empty", source.name))
                    .at(&Span::new(source, 0, 0), "no statement")
                    .hint("write one `SELECT`"),
            );
            continue;
        }
        let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let from_sources = || tables.iter().filter(|(_, table)| table.transform.is_none()).map(|(name, _)| name);
        let reads: Vec<String> = from_sources().filter(|table| words.contains(table.as_str())).cloned().collect();
        let reads_changed: Vec<String> =
            from_sources().filter(|table| words.contains(format!("{CHANGED}{table}").as_str())).cloned().collect();
        let made = sql::check(source, Dialect::Spark, &catalog);
        errors.extend(made.errors.into_iter().map(|error| explained(error, spec)));
        if reads.is_empty() && reads_changed.is_empty() {
            errors.push(
                Error::project(format!("`{}` reads no table", source.name))
                    .at(&Span::new(source, 0, 0), "")
                    .hint("select from a table of the spec, or from `changed_<table>`: its rows of the run"),
            );
        }
        if let Some(columns) = made.columns {
            errors.extend(outputs(name, table, source, &columns, &made.spans));
        }
        let end = code.trim_end().trim_end_matches(';').len();
        let sql = source.text.get(..end).unwrap_or(&source.text).trim().to_owned();
        transforms.insert(name.clone(), Transform { sql, reads, reads_changed });
    }
    errors.sort_by_key(|error| error.span().map(|span| (span.file().to_owned(), span.line(), span.column())));
    Error::all(errors)?;
    Ok(transforms)
}

fn catalog(spec: &Spec) -> Catalog {
    let mut relations = Vec::new();
    for (name, table) in spec.pipeline.tables.iter().filter(|(_, table)| table.transform.is_none()) {
        let columns: Vec<Column> = table.columns.iter().map(|(name, column)| Column::of(name, column.kind())).collect();
        for name in [name.clone(), format!("{CHANGED}{name}")] {
            relations.push(Relation { schema: None, name, columns: Some(columns.clone()) });
        }
    }
    Catalog { relations, open: Vec::new() }
}

/// Of an unknown table that there is and that cannot be read, say why.
fn explained(error: Error, spec: &Spec) -> Error {
    let message = error.message().to_owned();
    let Some(name) = message.strip_prefix("unknown table `").and_then(|rest| rest.strip_suffix('`')) else {
        return error;
    };
    let plain = name.strip_prefix(CHANGED).unwrap_or(name);
    let made = spec.pipeline.tables.get(plain).is_some_and(|table| table.transform.is_some());
    if made {
        error
            .note(format!("`{plain}` is made by SQL itself; a transform reads tables that sources fill"))
            .hint("put both steps into one file with `WITH`, or make the second one a mart")
    } else {
        error
    }
}

/// What the query makes must be the columns of the table, by name.
fn outputs(name: &str, table: &Table, source: &Arc<Source>, made: &[Column], spans: &[Span]) -> Vec<Error> {
    let mut errors = Vec::new();
    let start = spans.first().cloned().unwrap_or_else(|| Span::new(source, 0, 0));
    let unused = || made.iter().map(|column| column.name.as_str()).filter(|name| !table.columns.contains_key(*name));
    for (column, declared) in &table.columns {
        let Some(at) = made.iter().position(|made| made.name == *column) else {
            let error = Error::project(format!("the query makes no column `{column}`, which the table `{name}` has"))
                .at(&start, "");
            errors.push(match closest(column, unused()) {
                Some(suggestion) => error.hint(format!("is `{suggestion}` meant? then write `… AS {column}`")),
                None => error.hint(format!("select it, as `… AS {column}`, or drop it from the table")),
            });
            continue;
        };
        if let Some(hint) = misfit(made[at].kind, declared.kind()) {
            errors.push(
                Error::project(format!(
                    "`{column}` is {} in the query, and {} in the table `{name}`",
                    made[at].kind,
                    declared.kind()
                ))
                .at(spans.get(at).unwrap_or(&start), "")
                .hint(hint),
            );
        }
    }
    for (column, place) in made.iter().zip(spans) {
        if !table.columns.contains_key(&column.name) {
            errors.push(
                Error::project(format!("the table `{name}` has no column `{}`", column.name)).at(place, "").hint(
                    match closest(&column.name, table.columns.keys().map(String::as_str)) {
                        Some(suggestion) => format!("is `{suggestion}` meant? then write `… AS {suggestion}`"),
                        None => format!("declare it below `tables.{name}.columns`, or do not select it"),
                    },
                ),
            );
        }
    }
    errors
}

/// What to do where values of one type cannot be values of the other.
fn misfit(made: Kind, declared: &ColumnType) -> Option<String> {
    let expected = Kind::from(declared);
    let number =
        |kind: Kind| matches!(kind, Kind::Smallint | Kind::Integer | Kind::Bigint | Kind::Decimal(..) | Kind::Double);
    let time = |kind: Kind| matches!(kind, Kind::Date | Kind::Timestamp);
    let fits = match (made, expected) {
        (Kind::Unknown | Kind::Literal | Kind::Super, _) | (_, Kind::Text(_)) => true,
        // What does not fit a narrower one goes to quarantine; but a double would hardly ever fit a decimal.
        (Kind::Double, Kind::Decimal(..) | Kind::Smallint | Kind::Integer | Kind::Bigint) => false,
        (Kind::Decimal(_, scale), Kind::Smallint | Kind::Integer | Kind::Bigint) => scale == 0,
        (one, other) if number(one) => number(other),
        (one, other) if time(one) => time(other),
        (one, other) => one == other,
    };
    if fits {
        return None;
    }
    let kind = match expected {
        Kind::Super => "to_json(…)".to_owned(),
        _ => format!("CAST(… AS {declared})"),
    };
    Some(format!("write `{kind}`, or declare the column as {made}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::built_in;

    /// The reference pipeline with one more table, made by this SQL.
    fn checked(sql: &str) -> Result<Map<Transform>> {
        let pipeline = built_in("stacks/pipeline.yaml").unwrap().text.replacen(
            "\ntables:\n",
            "\ntables:\n  order_facts:\n    transform: sql/transform/order_facts.sql\n    columns:\n      order_id: bigint\n      \
             day: date\n      lines: integer\n      revenue: decimal(14,2)\n      vendor: varchar(255)\n    key: [order_id]\n\n",
            1,
        );
        let place = built_in("stacks/dev.yaml").unwrap();
        let spec = Spec::load(&Source::new("stacks/pipeline.yaml", pipeline), &place, "dev").unwrap();
        check(&spec, &[("order_facts".to_owned(), Source::new("sql/transform/order_facts.sql", sql))])
    }

    const GOOD: &str = "\
-- Orders that this run has touched, with all of their lines.
WITH touched AS (
  SELECT id FROM changed_orders UNION SELECT order_id FROM changed_order_lines
)
SELECT o.id AS order_id, to_date(o.created_at) AS day, count(l.id) AS lines, sum(l.total) AS revenue,
       first(p.vendor) AS vendor
FROM orders o JOIN touched t ON t.id = o.id
LEFT JOIN order_lines l ON l.order_id = o.id LEFT JOIN products p ON p.id = l.product_id
GROUP BY o.id, o.created_at;
";

    #[test]
    fn valid_sql_is_returned_with_its_inputs() {
        let made = checked(GOOD).unwrap_or_else(|error| panic!("{error}"));
        let made = &made["order_facts"];
        assert_eq!(made.reads, ["orders", "order_lines", "products"]);
        assert_eq!(made.reads_changed, ["orders", "order_lines"]);
        assert!(made.sql.starts_with("-- Orders") && made.sql.ends_with("o.created_at"));
    }

    #[test]
    fn every_error_has_its_location() {
        let wrong = "\
SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
FROM changed_ordres o JOIN order_facts f ON f.order_id = o.id JOIN orders x ON x.id = o.id
GROUP BY ALL";
        let bad_columns = "SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, \
            vendr FROM orders GROUP BY ALL";
        insta::assert_snapshot!(format!("{}\n\n{}", checked(wrong).unwrap_err(), checked(bad_columns).unwrap_err()), @"
    error: the query makes no column `vendor`, which the table `order_facts` has
     --> sql/transform/order_facts.sql:1:8
      |
    1 | SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
      |        ^^^^^^^^^^^^^^^^^
      = hint: is `vendr` meant? then write `… AS vendor`

    error: the table `order_facts` has no column `line`
     --> sql/transform/order_facts.sql:1:42
      |
    1 | SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
      |                                          ^^^^^^^^^^^^^^^^
      = hint: is `lines` meant? then write `… AS lines`

    error: `revenue` is double in the query, and decimal(14,2) in the table `order_facts`
     --> sql/transform/order_facts.sql:1:65
      |
    1 | SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
      |                                                                 ^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `CAST(… AS decimal(14,2))`, or declare the column as double

    error: the table `order_facts` has no column `vendr`
     --> sql/transform/order_facts.sql:1:90
      |
    1 | SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
      |                                                                                          ^^^^^^^
      = hint: is `vendor` meant? then write `… AS vendor`

    error: `lines` is boolean in the query, and integer in the table `order_facts`
     --> sql/transform/order_facts.sql:1:99
      |
    1 | SELECT o.idd AS order_id, o.name AS day, count(*) AS line, CAST(1 AS double) AS revenue, o.vendr, is_test AS lines
      |                                                                                                   ^^^^^^^^^^^^^^^^
      = hint: write `CAST(… AS integer)`, or declare the column as boolean

    error: unknown table `changed_ordres`
     --> sql/transform/order_facts.sql:2:6
      |
    2 | FROM changed_ordres o JOIN order_facts f ON f.order_id = o.id JOIN orders x ON x.id = o.id
      |      ^^^^^^^^^^^^^^ no such table or mart
      = hint: did you mean `changed_orders`?

    error: unknown table `order_facts`
     --> sql/transform/order_facts.sql:2:28
      |
    2 | FROM changed_ordres o JOIN order_facts f ON f.order_id = o.id JOIN orders x ON x.id = o.id
      |                            ^^^^^^^^^^^ no such table or mart
      = note: `order_facts` is made by SQL itself; a transform reads tables that sources fill
      = hint: known here: customers, changed_customers, orders, changed_orders, order_lines, changed_order_lines, refunds, changed_refunds, transactions, changed_transactions, products, changed_products, variants, changed_variants, inventory_items, changed_inventory_items, inventory_levels, changed_inventory_levels, stores, changed_stores, supplies, changed_supplies, visits, changed_visits
      = hint: put both steps into one file with `WITH`, or make the second one a mart

    error: the query makes no column `vendor`, which the table `order_facts` has
     --> sql/transform/order_facts.sql:1:8
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |        ^^^^^^^^^^^^^^
      = hint: is `vendr` meant? then write `… AS vendor`

    error: `day` is varchar(64) in the query, and date in the table `order_facts`
     --> sql/transform/order_facts.sql:1:24
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                        ^^^^^^^^^^^
      = hint: write `CAST(… AS date)`, or declare the column as varchar(64)

    error: the table `order_facts` has no column `line`
     --> sql/transform/order_facts.sql:1:37
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                                     ^^^^^^^^^^^^^^^^
      = hint: is `lines` meant? then write `… AS lines`

    error: `revenue` is double in the query, and decimal(14,2) in the table `order_facts`
     --> sql/transform/order_facts.sql:1:60
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                                                            ^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `CAST(… AS decimal(14,2))`, or declare the column as double

    error: `lines` is boolean in the query, and integer in the table `order_facts`
     --> sql/transform/order_facts.sql:1:85
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                                                                                     ^^^^^^^^^^^^^^^^
      = hint: write `CAST(… AS integer)`, or declare the column as boolean

    error: unknown column `vendr`
     --> sql/transform/order_facts.sql:1:103
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                                                                                                       ^^^^^ no table in FROM has it
      = hint: known here: id, name, customer_id, financial_status, fulfillment_status, currency, total, current_total, subtotal, tax, shipping, discount, refunded, is_test, source_name, tags, cancelled_at, processed_at, created_at, updated_at, order_id, day, line, revenue, lines

    error: the table `order_facts` has no column `vendr`
     --> sql/transform/order_facts.sql:1:103
      |
    1 | SELECT id AS order_id, name AS day, count(*) AS line, CAST(1 AS double) AS revenue, is_test AS lines, vendr FROM orders GROUP BY ALL
      |                                                                                                       ^^^^^
      = hint: is `vendor` meant? then write `… AS vendor`
    ");
    }

    #[test]
    fn a_query_that_reads_nothing_is_refused() {
        insta::assert_snapshot!(checked("-- nothing\n").unwrap_err(), @"
    error: `sql/transform/order_facts.sql` is empty
     --> sql/transform/order_facts.sql:1:1
      |
    1 | -- nothing
      | ^ no statement
      = hint: write one `SELECT`
    ");
        insta::assert_snapshot!(checked("select 1 as order_id, current_date() as day, 2 as lines, 3 as revenue, 'x' as vendor").unwrap_err(), @"
    error: `sql/transform/order_facts.sql` reads no table
     --> sql/transform/order_facts.sql:1:1
      |
    1 | select 1 as order_id, current_date() as day, 2 as lines, 3 as revenue, 'x' as vendor
      | ^
      = hint: select from a table of the spec, or from `changed_<table>`: its rows of the run
    ");
    }
}
