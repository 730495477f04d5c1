//! What the warehouse will do to its tables once the plan is deployed. CloudFormation knows nothing of it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the warehouse changes of one table, at the first load after the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableMigration {
    /// With its schema, such as `core.orders`.
    pub table: String,
    /// Each change in words, such as ``adds `at` date``.
    pub changes: Vec<String>,
    /// The statements, in their order.
    pub statements: Vec<String>,
}

/// The section of a plan in text; empty if nothing changes.
pub(super) fn text(migrations: &[TableMigration]) -> String {
    let mut text = String::new();
    for TableMigration { table, changes, statements } in migrations {
        for change in changes {
            let _ = writeln!(text, "  {table} {change}");
        }
        for statement in statements {
            let _ = writeln!(text, "    {statement};");
        }
    }
    text
}
