//! DMS's table mappings: which tables are replicated, what they are called in the target, and which old keys come along.

use serde_json::Value;

use crate::error::{Error, Result};

/// The table mappings of a replication.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    selections: Vec<Selection>,
    schemas: Vec<(String, String)>,
    tables: Vec<(Locator, String)>,
    before: Vec<(Locator, BeforeImage)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Selection {
    locator: Locator,
    include: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Locator {
    schema: String,
    table: String,
}

impl Locator {
    fn of(rule: &Value) -> Self {
        let text = |name: &str| rule["object-locator"][name].as_str().unwrap_or("%").to_owned();
        Self { schema: text("schema-name"), table: text("table-name") }
    }

    fn matches(&self, schema: &str, table: &str) -> bool {
        like(&self.schema, schema) && like(&self.table, table)
    }
}

/// Columns with the values before an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeImage {
    pub prefix: String,
    pub suffix: String,
    /// Of the key alone, or of all columns.
    pub keys_only: bool,
}

impl Mappings {
    /// Reads the rules. Fails with each that the stand-in does not know: what it left out would be a lie.
    pub fn read(mappings: &Value) -> Result<Self> {
        let parsed;
        let mappings = match mappings.as_str() {
            Some(text) => {
                parsed = serde_json::from_str(text)
                    .map_err(|error| Error::project("the table mappings are not JSON").cause(&error))?;
                &parsed
            }
            None => mappings,
        };
        let (mut found, mut errors) = (Self::default(), Vec::new());
        for rule in mappings["rules"].as_array().into_iter().flatten() {
            let text = |name: &str| rule[name].as_str().unwrap_or_default();
            let (locator, value) = (Locator::of(rule), text("value").to_owned());
            match (text("rule-type"), text("rule-target"), text("rule-action")) {
                ("selection", _, action @ ("include" | "exclude" | "explicit")) => {
                    found.selections.push(Selection { locator, include: action != "exclude" });
                }
                ("transformation", "schema", "rename") => found.schemas.push((locator.schema, value)),
                ("transformation", "table", "rename") => found.tables.push((locator, value)),
                ("transformation", "column", "add-before-image-columns") => {
                    let part = |name: &str| rule["before-image-def"][name].as_str().unwrap_or_default().to_owned();
                    let keys_only = part("column-filter") != "all";
                    let image = BeforeImage { prefix: part("column-prefix"), suffix: part("column-suffix"), keys_only };
                    found.before.push((locator, image));
                }
                (kind, target, action) => errors.push(
                    Error::project(format!("the rehearsal does not know the table mapping `{kind} {target} {action}`"))
                        .hint("it knows selections, renamed schemas and tables, and columns with the values before"),
                ),
            }
        }
        Error::all(errors)?;
        Ok(found)
    }

    /// Whether a table is replicated.
    pub fn selects(&self, schema: &str, table: &str) -> bool {
        let rules = || self.selections.iter().filter(|rule| rule.locator.matches(schema, table));
        rules().any(|rule| rule.include) && !rules().any(|rule| !rule.include)
    }

    /// The schema and name of a table in the target.
    pub fn target(&self, schema: &str, table: &str) -> (String, String) {
        let renamed = self.schemas.iter().find(|(from, _)| like(from, schema));
        let table_rule = self.tables.iter().find(|(from, _)| from.matches(schema, table));
        (renamed.map_or(schema, |(_, to)| to).to_owned(), table_rule.map_or(table, |(_, to)| to).to_owned())
    }

    /// Which columns get another with the value before.
    pub fn before_image(&self, schema: &str, table: &str) -> Option<&BeforeImage> {
        self.before.iter().find(|(locator, _)| locator.matches(schema, table)).map(|(_, image)| image)
    }
}

/// `%` stands for anything. As in DMS, names are compared with their case.
fn like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('%') {
        None => pattern == name,
        Some((start, rest)) => name
            .strip_prefix(start)
            .is_some_and(|left| (0..=left.len()).any(|at| left.is_char_boundary(at) && like(rest, &left[at..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_select_rename_and_add() {
        let rule = |kind: &str, target: &str, action: &str, schema: &str, table: &str, value: &str| {
            json!({"rule-type": kind, "rule-target": target, "rule-action": action, "value": value,
                "object-locator": {"schema-name": schema, "table-name": table},
                "before-image-def": {"column-prefix": "_before_", "column-filter": "pk-only"}})
        };
        let mappings = Mappings::read(&json!({"rules": [
            rule("selection", "", "include", "shop", "order%", ""),
            rule("selection", "", "exclude", "shop", "orders_old", ""),
            rule("transformation", "schema", "rename", "shop", "%", "crm"),
            rule("transformation", "column", "add-before-image-columns", "shop", "orders", ""),
        ]}))
        .unwrap();
        assert!(mappings.selects("shop", "orders") && mappings.selects("shop", "order_lines"));
        assert!(!mappings.selects("shop", "orders_old") && !mappings.selects("other", "orders"));
        assert_eq!(mappings.target("shop", "orders"), ("crm".into(), "orders".into()));
        assert_eq!(mappings.before_image("shop", "orders").unwrap().prefix, "_before_");
        assert_eq!(mappings.before_image("shop", "order_lines"), None);
        let text = json!({"rules": [rule("transformation", "column", "remove-column", "s", "t", "")]}).to_string();
        insta::assert_snapshot!(Mappings::read(&json!(text)).unwrap_err(), @"
        error: the rehearsal does not know the table mapping `transformation column remove-column`
        = hint: it knows selections, renamed schemas and tables, and columns with the values before
        ");
    }
}
