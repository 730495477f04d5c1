//! What a change of the spec does to the tables that are deployed: pure.

use pipectl_contract::Map;
use pipectl_contract::schema_change::{self, Migration, Refusal, Table};

use crate::error::{Error, Result};
use crate::spec::Spec;

/// Compares the tables of the deployed pipeline document with those that the spec wants. Fails with every change that
/// would lose data, each at its place in the spec. A table that is in one of the two only is none.
pub fn between(spec: &Spec, deployed: &Map<Table>) -> Result<Vec<(String, Migration)>> {
    let (mut migrations, mut errors) = (Vec::new(), Vec::new());
    for (name, expected) in super::schema(spec) {
        let Some(existing) = deployed.get(&name) else { continue };
        match schema_change::compare(&name, existing, &expected) {
            Ok(migration) if migration.changes.is_empty() => {}
            Ok(migration) => migrations.push((name, migration)),
            Err(refusals) => errors.extend(refusals.into_iter().map(|refusal| at_location(spec, refusal))),
        }
    }
    Error::all(errors)?;
    Ok(migrations)
}

fn at_location(spec: &Spec, refusal: Refusal) -> Error {
    let table = refusal.table.split_once('.').map_or(refusal.table.as_str(), |(_, name)| name);
    let environment = match &refusal.column {
        Some(column) => format!("/tables/{table}/columns/{column}"),
        None => format!("/tables/{table}/key"),
    };
    let node = spec.tree.pointer(&environment).or_else(|| spec.tree.pointer(&format!("/tables/{table}")));
    let error = Error::project(refusal.message).hint(refusal.hint);
    match node {
        Some(node) => error.at(&node.span, "the warehouse holds it otherwise"),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    fn spec(columns: &str, key: &str) -> Spec {
        let text = format!(
            "name: shop\nsources: {{erp: {{files: {{}}}}}}\ntables:\n  t:\n    source: erp\n    key: [{key}]\n    columns:\n{columns}"
        );
        let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
        Spec::load(&Source::new("p.yaml", text), &Source::new("dev.yaml", environment), "dev").unwrap()
    }

    #[test]
    fn a_plan_shows_warehouse_changes() {
        let before = super::super::schema(&spec("      id: bigint\n      name: varchar(10)\n", "id"));
        let after = spec("      id: bigint\n      name: varchar(20)\n      at: date\n", "id");
        let migrations = between(&after, &before).unwrap();
        let reported = migrations.iter().flat_map(|(table, migration)| {
            let changes = migration.changes.iter().map(move |change| format!("{table} {change}"));
            changes.chain(migration.steps.iter().flatten().cloned())
        });
        insta::assert_snapshot!(reported.collect::<Vec<_>>().join("\n"), @r"
        core.t widens `name` from varchar(10) to varchar(20)
        core.t adds `at` date
        ALTER TABLE core.t ADD COLUMN at DATE
        ALTER TABLE core.t ALTER COLUMN name TYPE VARCHAR(20)
        ");
        assert!(between(&after, &super::super::schema(&after)).unwrap().is_empty());
    }

    #[test]
    fn changes_that_lose_data_have_a_location() {
        let before = super::super::schema(&spec("      id: bigint\n      name: varchar(20)\n", "id"));
        let after = spec("      id: bigint\n      name: varchar(10)\n", "id, name");
        let text = between(&after, &before).unwrap_err().to_string();
        assert!(text.contains("the key of `core.t` would change from (id) to (id, name)"), "{text}");
        assert!(text.contains("p.yaml:6:10"), "{text}");
        assert!(text.contains("`name` of `core.t` would change from varchar(20) to varchar(10)"), "{text}");
        assert!(text.contains("p.yaml:9:13"), "{text}");
    }
}
