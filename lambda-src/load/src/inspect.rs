//! What is in the warehouse, and what must be done before it is as the document has it: pure but for the reading.

use std::collections::{BTreeMap, BTreeSet};

use pipectl_contract::schema_change::{self, Change, Column, Refusal, Table};
use pipeline::document::Warehouse;
use pipeline::{Error, Result};

/// The questions, in the order in which `Found::read` takes the answers. Redshift answers those about its catalog on
/// its leader node, so that none can be joined with a table.
pub const QUESTIONS: [&str; 5] = [
    "SELECT table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, \
     is_nullable FROM svv_columns WHERE table_schema IN ('core', 'pipectl') ORDER BY table_schema, table_name, ordinal_position",
    "SELECT table_name, key_columns FROM pipectl.tables",
    "SELECT table_name, table_type FROM svv_tables WHERE table_schema = 'marts'",
    "SELECT name FROM svv_mv_info WHERE schema_name = 'marts'",
    "SELECT usename FROM pg_user",
];

/// One value of an answer.
pub type Value = Option<String>;

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tables with their schema.
    pub tables: BTreeMap<String, Table>,
    /// The marts with their kind: `table`, `view` or `materialized_view`.
    pub marts: BTreeMap<String, &'static str>,
    pub users: BTreeSet<String>,
}

impl Found {
    /// Reads the answers to the questions.
    pub fn read(answers: &[Vec<Vec<Value>>]) -> Result<Self> {
        let [columns, keys, marts, materialized, users] = answers else {
            return Err(Error::new(format!("{} answers to {} questions", answers.len(), QUESTIONS.len())));
        };
        let mut found = Self::default();
        for row in columns {
            let text = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
            let number = |index: usize| text(index).parse::<i64>().ok();
            let column = Column {
                name: text(2),
                kind: schema_change::kind(&text(3), number(4), number(5), number(6)),
                required: text(7).eq_ignore_ascii_case("no"),
            };
            found.tables.entry(format!("{}.{}", text(0), text(1))).or_default().columns.push(column);
        }
        for row in keys {
            if let [Some(name), Some(key)] = row.as_slice()
                && let Some(table) = found.tables.get_mut(name)
            {
                table.key = key.split(',').filter(|column| !column.is_empty()).map(str::to_owned).collect();
            }
        }
        for row in marts {
            if let [Some(name), Some(kind)] = row.as_slice() {
                let kind = if kind.to_ascii_uppercase().contains("VIEW") { "view" } else { "table" };
                found.marts.insert(name.clone(), kind);
            }
        }
        for name in materialized.iter().filter_map(|row| row.first().cloned().flatten()) {
            found.marts.insert(name, "materialized_view");
        }
        found.users = users.iter().filter_map(|row| row.first().cloned().flatten()).collect();
        Ok(found)
    }
}

/// What the set-up does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// A transaction that brings the warehouse nearer to what is wanted. It is looked at again afterwards.
    Run(Vec<String>),
    /// What would lose data.
    Refused(Vec<Refusal>),
    /// Nothing; holds the columns that no table of the document names any more.
    Nothing { unused: BTreeMap<String, Vec<String>> },
}

/// Compares what is there with what the document wants.
pub fn need(warehouse: &Warehouse, found: &Found) -> Need {
    let mut refused = Vec::new();
    let mut steps = Vec::new();
    let mut unused = BTreeMap::new();
    for (name, expected) in &warehouse.schema {
        let Some(existing) = found.tables.get(name) else { continue };
        match schema_change::compare(name, existing, expected) {
            Ok(migration) => {
                let left = migration.changes.iter().filter_map(|change| match change {
                    Change::Leave { column } => Some(column.clone()),
                    _ => None,
                });
                let left: Vec<String> = left.collect();
                if !left.is_empty() {
                    unused.insert(name.clone(), left);
                }
                steps.extend(migration.steps);
            }
            Err(refusals) => refused.extend(refusals),
        }
    }
    if !refused.is_empty() {
        return Need::Refused(refused);
    }
    let views: Vec<&String> =
        found.marts.iter().filter(|(_, kind)| **kind == "materialized_view").map(|(name, _)| name).collect();
    if !steps.is_empty() && !views.is_empty() {
        // A table that a materialized view reads cannot be changed. They are made again when the tables are ready.
        let drop = views.iter().map(|name| format!("DROP MATERIALIZED VIEW IF EXISTS marts.\"{name}\" CASCADE"));
        return Need::Run(drop.collect());
    }
    let other = warehouse.marts.iter().find_map(|mart| {
        let kind = *found.marts.get(&mart.name)?;
        (kind != mart.kind.as_str()).then(|| {
            let word = kind.replace('_', " ").to_ascii_uppercase();
            vec![format!("DROP {word} IF EXISTS marts.\"{}\"", mart.name)]
        })
    });
    match steps.into_iter().next().or(other) {
        Some(step) => Need::Run(step),
        None => Need::Nothing { unused },
    }
}

/// Says what would lose data, all of it at once.
pub fn refusal(refused: &[Refusal]) -> Error {
    let texts = refused.iter().map(|one| Error::new(one.message.clone()).hint(one.hint.clone())).collect();
    Error::all(texts).unwrap_or_else(|| Error::new("a change of a table would lose data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipectl_contract::options::MartKind;
    use pipeline::document::Mart;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<Value>> {
        let value = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        rows.iter().map(|row| row.iter().map(value).collect()).collect()
    }

    fn found() -> Found {
        Found::read(&[
            rows(&[
                &["core", "t", "id", "bigint", "", "64", "0", "NO"],
                &["core", "t", "name", "character varying", "9", "", "", "YES"],
            ]),
            rows(&[&["core.t", "id"], &["core.other", ""]]),
            rows(&[&["a", "BASE TABLE"], &["v", "VIEW"], &["m", "VIEW"]]),
            rows(&[&["m"]]),
            rows(&[&["pipectl_admin"]]),
        ])
        .unwrap()
    }

    fn expected(columns: &[(&str, &str, bool)], marts: &[(&str, MartKind)]) -> Warehouse {
        let column = |(name, kind, required): &(&str, &str, bool)| Column {
            name: (*name).into(),
            kind: (*kind).into(),
            required: *required,
        };
        let table =
            Table { columns: columns.iter().map(column).collect(), key: vec!["id".into()], attributes: String::new() };
        let mart = |(name, kind): &(&str, MartKind)| Mart {
            name: (*name).into(),
            kind: *kind,
            reads: Vec::new(),
            refresh: Vec::new(),
            unload: None,
        };
        Warehouse {
            schema: [("core.t".to_owned(), table)].into(),
            marts: marts.iter().map(mart).collect(),
            ..Warehouse::default()
        }
    }

    #[test]
    fn a_matching_schema_needs_no_change() {
        let table = [("id", "bigint", true), ("name", "varchar(9)", false)];
        let need = need(&expected(&table, &[("a", MartKind::Table), ("m", MartKind::MaterializedView)]), &found());
        assert_eq!(need, Need::Nothing { unused: BTreeMap::new() });
    }

    #[test]
    fn materialized_views_are_dropped_and_marts_change_their_kind() {
        let wider = [("id", "bigint", true), ("name", "varchar(19)", false)];
        let marts = [("a", MartKind::View), ("v", MartKind::View)];
        let drop = |sql: &str| Need::Run(vec![sql.to_owned()]);
        assert_eq!(
            need(&expected(&wider, &marts), &found()),
            drop("DROP MATERIALIZED VIEW IF EXISTS marts.\"m\" CASCADE")
        );
        let mut without = found();
        without.marts.remove("m");
        assert_eq!(
            need(&expected(&wider, &marts), &without),
            drop("ALTER TABLE core.t ALTER COLUMN name TYPE VARCHAR(19)")
        );
        let same = [("id", "bigint", true)];
        assert_eq!(need(&expected(&same, &marts), &without), drop("DROP TABLE IF EXISTS marts.\"a\""));
        let unused = [("core.t".to_owned(), vec!["name".to_owned()])].into();
        assert_eq!(need(&expected(&same, &[]), &without), Need::Nothing { unused });
    }

    #[test]
    fn all_changes_that_lose_data_are_reported_at_once() {
        let narrow = [("id", "integer", true), ("name", "varchar(5)", false)];
        let Need::Refused(refused) = need(&expected(&narrow, &[]), &found()) else { panic!("not refused") };
        let text = refusal(&refused).to_string();
        assert!(text.starts_with("2 errors: `id` of `core.t` would change from bigint to integer"), "{text}");
        assert!(text.contains("ALTER TABLE core.t RENAME COLUMN name TO name_before"), "{text}");
    }
}
