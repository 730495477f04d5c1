//! What must hold of a table's checks.

use crate::error::{Error, did_you_mean};
use crate::yaml::{Key, Node};

use super::ColumnType;

/// Checks the patterns, bounds, references and times of a table's checks.
pub(super) fn check(pipeline: &Node, key: &Key, table: &Node, errors: &mut Vec<Error>) {
    let of = |check: &str| table.pointer(&format!("/checks/{check}")).map_or(&[][..], Node::entries);
    for (_, pattern) in of("matches") {
        let text = pattern.as_str().unwrap_or_default();
        if let Err(problem) = regex::Regex::new(text) {
            // Its first lines show the pattern again.
            let problem = problem.to_string();
            let problem = problem.lines().last().unwrap_or_default().trim_start_matches("error: ");
            errors.push(
                Error::project(format!("`{text}` is not a regular expression: {problem}")).at(&pattern.span, "").hint(
                    "write it without look-around and back-references, as `[^@]+@[^@]+`; the whole value must match",
                ),
            );
        }
    }
    for (column, bounds) in of("between") {
        between(key, table, column, bounds, errors);
    }
    for (_, target) in of("references") {
        reference(pipeline, key, target, errors);
    }
    for (column, age) in of("fresh_within") {
        let kind = kind(table, &column.name);
        if kind.is_some_and(|kind| !matches!(kind, ColumnType::Date | ColumnType::Timestamp)) {
            errors.push(
                Error::project(format!("`{}` has no time type, so its age is unknown", column.name))
                    .at(&age.span, "needs a date or a timestamp")
                    .hint("name a column of type `timestamp` or `date`"),
            );
        }
    }
}

fn kind(table: &Node, column: &str) -> Option<ColumnType> {
    let node = table.get("columns")?.get(column)?;
    node.get("type").unwrap_or(node).as_str()?.parse().ok()
}

fn between(key: &Key, table: &Node, column: &Key, bounds: &Node, errors: &mut Vec<Error>) {
    let Some(kind) = kind(table, &column.name) else { return };
    let is_number = matches!(
        kind,
        ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(..)
    );
    if !is_number && !matches!(kind, ColumnType::Date | ColumnType::Timestamp) {
        errors.push(
            Error::project(format!("`checks.between` of table `{}` needs numbers, dates or times", key.name))
                .at(&column.span, format!("a {kind}"))
                .hint("use `accepted_values` or `matches` for text"),
        );
        return;
    }
    let values: Vec<(&Node, &str)> = ["min", "max"]
        .iter()
        .filter_map(|name| bounds.get(name))
        .filter_map(|node| Some((node, node.as_str()?)))
        .collect();
    if bounds.entries().is_empty() {
        errors.push(
            Error::project(format!("`checks.between.{}` of table `{}` has no bound", column.name, key.name))
                .at(&column.span, "")
                .hint(format!("write `{}: {{min: 0}}`", column.name)),
        );
    }
    for (node, text) in &values {
        let good = if is_number { text.parse::<f64>().is_ok_and(f64::is_finite) } else { is_time(text) };
        if !good {
            errors.push(
                Error::project(format!("`{text}` is not a bound of a {kind}")).at(&node.span, "").hint(if is_number {
                    "write a number"
                } else {
                    "write it as `2026-12-31` or `2026-12-31T14:05:00Z`"
                }),
            );
        }
    }
    if let [(node, low), (_, high)] = values[..]
        && is_number
        && let (Ok(least), Ok(most)) = (low.parse::<f64>(), high.parse::<f64>())
        && least > most
    {
        errors.push(
            Error::project(format!("the bounds of `{}` exclude every value", column.name))
                .at(&node.span, format!("{low} is more than {high}"))
                .hint(format!("write `{{min: {high}, max: {low}}}`")),
        );
    }
}

fn is_time(text: &str) -> bool {
    let date = text.get(..10).unwrap_or_default();
    date.bytes()
        .enumerate()
        .all(|(place, byte)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
        && date.len() == 10
        && (text.len() == 10 || matches!(text.as_bytes().get(10), Some(b'T' | b' ')))
}

fn reference(pipeline: &Node, key: &Key, target: &Node, errors: &mut Vec<Error>) {
    let text = target.as_str().unwrap_or_default();
    let tables = pipeline.get("tables").map_or(&[][..], Node::entries);
    let Some((name, column)) = text.split_once('.') else {
        errors.push(
            Error::project(format!("`checks.references` of table `{}` names no column: `{text}`", key.name))
                .at(&target.span, "<table>.<column>")
                .hint("write it as `customer_id: customers.id`"),
        );
        return;
    };
    let Some((_, table)) = tables.iter().find(|(known, _)| known.name == name) else {
        let known = tables.iter().map(|(known, _)| known.name.as_str());
        errors.push(
            Error::project(format!("`checks.references` of table `{}` names an unknown table `{name}`", key.name))
                .at(&target.span, "no such table")
                .hint(did_you_mean(name, known)),
        );
        return;
    };
    let columns = table.get("columns").map_or(&[][..], Node::entries);
    if !columns.is_empty() && !columns.iter().any(|(known, _)| known.name == column) {
        errors.push(
            Error::project(format!("table `{name}` has no column `{column}`"))
                .at(&target.span, "no such column")
                .hint(did_you_mean(column, columns.iter().map(|(known, _)| known.name.as_str()))),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;
    use crate::yaml::Source;

    #[test]
    fn all_invalid_checks_are_reported_at_once() {
        let pipeline = "\
name: shop
sources: {erp: {files: {snapshot: true}}}
tables:
  customers: {source: erp, key: [id], columns: {id: bigint}}
  orders:
    source: erp
    load: append
    columns: {id: bigint, name: varchar(9), total: 'decimal(8,2)', day: date}
    checks:
      between: {total: {min: 9, max: 1}, name: {min: 1}, day: {min: soon}, gone: {min: 1}, id: {}}
      matches: {name: '(?=x)'}
      references: {id: customers.idd, name: customer.id, total: customers}
      fresh_within: {name: 2 days, day: 2 weeks}
";
        let environment = "account: 012345678901\nregion: eu-central-1\n";
        let error = Spec::load(&Source::new("p.yaml", pipeline), &Source::new("dev.yaml", environment), "dev");
        let text = error.unwrap_err().to_string();
        let reported: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        let expected = [
            "table `orders` is read from snapshots and has no key",
            "table `orders` is read from snapshots, whose rows change and go",
            "the bounds of `total` exclude every value",
            "`checks.between` of table `orders` needs numbers, dates or times",
            "`soon` is not a bound of a date",
            "`checks.between` of table `orders` names an unknown column `gone`",
            "`checks.between.id` of table `orders` has no bound",
            "`(?=x)` is not a regular expression: ",
            "table `customers` has no column `idd`",
            "`checks.references` of table `orders` names an unknown table `customer`",
            "`checks.references` of table `orders` names no column: `customers`",
            "`name` has no time type, so its age is unknown",
            "`tables.orders.checks.fresh_within.day` has a value that is not allowed: `2 weeks`",
        ];
        assert_eq!(reported.len(), expected.len(), "{text}");
        for (reported, expected) in reported.iter().zip(expected) {
            assert!(reported.starts_with(expected), "{reported}\n{expected}\n{text}");
        }
    }
}
