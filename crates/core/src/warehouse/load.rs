//! The statements that bring one batch into a table, for one transaction. `{batch}` and `{path}` stand for the batch and
//! the folder of its files.

use pipectl_contract::limits::VARCHAR_BYTES;
use pipectl_contract::names::columns::{DELETED, INFERRED};

use crate::spec::{Column, ColumnType, Load, Spec, Table};

use super::{distribution, gone, list, quoted, remembers, same};

/// Rows on their way into a table: the columns of its files, whatever the table has beside them.
const STAGE: &str = "pipectl_stage";
/// Rows as the files have them, where that differs.
const INCOMING: &str = "pipectl_incoming";

/// One table on its way.
struct Loading<'a> {
    name: &'a str,
    table: &'a Table,
    target: String,
    /// The columns in the order of the files.
    columns: Vec<String>,
    deletes: bool,
    /// Whether the table may hold rows that were made for their key alone.
    inferred: bool,
}

/// The statements that load a table.
pub(super) fn statements(spec: &Spec, name: &str, table: &Table) -> Vec<String> {
    let loading = Loading {
        name,
        table,
        target: format!("core.{}", quoted(name)),
        columns: table.columns.keys().map(|column| quoted(column)).collect(),
        deletes: spec.deletes(table),
        inferred: spec.has_stubs(name),
    };
    loading.statements()
}

impl Loading<'_> {
    fn statements(&self) -> Vec<String> {
        let mut statements = self.stage();
        let loaded = format!("SELECT 1 FROM pipectl.ledger WHERE batch = '{{batch}}' AND table_name = '{}'", self.name);
        // A batch that is in the ledger is in the table: nothing of it is left to load.
        statements.push(format!("DELETE FROM {STAGE} WHERE EXISTS ({loaded})"));
        statements.extend(self.stale());
        statements.extend(self.deletions());
        statements.extend(self.stubs());
        statements.extend(self.rows());
        statements.push(format!(
            "INSERT INTO pipectl.ledger (batch, table_name, loaded_at, rows_staged) \
             SELECT '{{batch}}', '{}', GETDATE(), staged.row_count \
             FROM (SELECT COUNT(*) AS row_count FROM {STAGE}) AS staged WHERE NOT EXISTS ({loaded})",
            self.name
        ));
        statements
    }

    /// Files into the stage. COPY takes Parquet columns by position, so that its table has exactly those of the files.
    fn stage(&self) -> Vec<String> {
        let copy = |into: &str| format!("COPY {into} FROM '{{path}}' IAM_ROLE default FORMAT AS PARQUET");
        let is_json = |column: &Column| *column.kind() == ColumnType::Super;
        let create = |into: &str, json: &str| {
            let columns = self.table.columns.iter().map(|(name, column)| {
                let kind = if is_json(column) { json.to_owned() } else { column.kind().sql() };
                format!("{} {kind}", quoted(name))
            });
            let deleted = self.deletes.then(|| format!("{DELETED} BOOLEAN"));
            let columns: Vec<String> = columns.chain(deleted).collect();
            // Rows that lie as those of the table do are merged without moving them.
            let key = distribution(self.table).map(|column| format!(" DISTKEY ({})", quoted(column)));
            format!("CREATE TEMP TABLE {into} ({}){}", columns.join(", "), key.unwrap_or_default())
        };
        if !self.table.columns.values().any(is_json) {
            return vec![create(STAGE, ""), copy(STAGE)];
        }
        // JSON stands in the files as text, which COPY would take for a SUPER of one string.
        let values = self.table.columns.iter().map(|(name, column)| {
            let name = quoted(name);
            if is_json(column) { format!("JSON_PARSE({name})") } else { name }
        });
        let deleted = self.deletes.then(|| DELETED.to_owned());
        let values: Vec<String> = values.chain(deleted.clone()).collect();
        let columns: Vec<String> = self.columns.iter().cloned().chain(deleted).collect();
        vec![
            create(INCOMING, &ColumnType::Varchar(VARCHAR_BYTES).sql()),
            copy(INCOMING),
            create(STAGE, "SUPER"),
            format!("INSERT INTO {STAGE} ({}) SELECT {} FROM {INCOMING}", columns.join(", "), values.join(", ")),
        ]
    }

    /// Rows may come late: what the table has already and newer, stays, and what was deleted later stays deleted.
    fn stale(&self) -> Vec<String> {
        let Some(order) = self.table.order_by.as_deref().map(quoted) else { return Vec::new() };
        let (target, key) = (&self.target, self.same(STAGE, "target"));
        let mut statements = Vec::new();
        let newer =
            format!("DELETE FROM {STAGE} USING {target} AS target WHERE {key} AND target.{order} > {STAGE}.{order}");
        match self.table.load {
            Load::Upsert => statements.push(newer),
            Load::Append if self.deletes => statements.push(format!("{newer} AND {STAGE}.{DELETED}")),
            Load::Append => {}
        }
        if self.remembers() {
            let (gone, key) = (gone(self.name), self.same(STAGE, "gone"));
            statements.push(format!(
                "DELETE FROM {STAGE} USING {gone} AS gone WHERE {key} AND gone.{order} > {STAGE}.{order}"
            ));
        }
        statements
    }

    /// What the stage marks leaves the table, and then the stage.
    fn deletions(&self) -> Vec<String> {
        if !self.deletes {
            return Vec::new();
        }
        let mut statements = Vec::new();
        if let Some(order) = self.table.order_by.as_deref().filter(|_| self.remembers()) {
            let gone = gone(self.name);
            let columns = format!("{}, {}", list(&self.table.key), quoted(order));
            let key = self.same(&format!("deleted_{}", self.name), STAGE);
            // Whatever comes now is later than what was remembered.
            statements.push(format!("DELETE FROM {gone} USING {STAGE} WHERE {key}"));
            statements.push(format!(
                "INSERT INTO {gone} ({columns}) SELECT {columns} FROM {STAGE} WHERE {STAGE}.{DELETED} AND {STAGE}.{} IS NOT NULL",
                quoted(order)
            ));
        }
        let key = self.same(&quoted(self.name), STAGE);
        statements.push(format!("DELETE FROM {} USING {STAGE} WHERE {key} AND {STAGE}.{DELETED}", self.target));
        statements.push(format!("DELETE FROM {STAGE} WHERE {DELETED}"));
        statements
    }

    /// A row for each key that this table's rows point to and that has not come yet.
    fn stubs(&self) -> Vec<String> {
        let stub = |(column, definition): (&String, &Column)| {
            let (dimension, key) = definition.stub()?;
            let (dimension, key, column) = (quoted(dimension), quoted(key), quoted(column));
            Some(format!(
                "INSERT INTO core.{dimension} ({key}, {INFERRED}) SELECT DISTINCT {STAGE}.{column}, TRUE FROM {STAGE} \
                 WHERE {STAGE}.{column} IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM core.{dimension} AS known WHERE known.{key} = {STAGE}.{column})"
            ))
        };
        self.table.columns.iter().filter_map(stub).collect()
    }

    /// The stage into the table.
    fn rows(&self) -> Vec<String> {
        match self.table.load {
            Load::Upsert => vec![self.merge()],
            Load::Append => {
                let mut statements = Vec::new();
                if !self.table.key.is_empty() {
                    let key = self.same(&quoted(self.name), STAGE);
                    if self.inferred {
                        // What was made for its key alone makes room for the row itself.
                        let name = quoted(self.name);
                        statements.push(format!(
                            "DELETE FROM {} USING {STAGE} WHERE {key} AND {name}.{INFERRED}",
                            self.target
                        ));
                    }
                    let key = self.same(STAGE, "target");
                    statements.push(format!("DELETE FROM {STAGE} USING {} AS target WHERE {key}", self.target));
                }
                let columns = self.columns.join(", ");
                statements.push(format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {STAGE}", self.target));
                statements
            }
        }
    }

    /// MERGE with both of its clauses, from a table, by equality: the one form that Redshift has.
    fn merge(&self) -> String {
        let table = self.table;
        let set = table
            .columns
            .keys()
            .filter(|column| !table.key.contains(column) || table.columns.len() == table.key.len())
            .map(|column| format!("{0} = {STAGE}.{0}", quoted(column)));
        let inferred = self.inferred.then(|| format!("{INFERRED} = FALSE"));
        let set: Vec<String> = set.chain(inferred).collect();
        let mut columns = self.columns.clone();
        let mut values: Vec<String> = columns.iter().map(|column| format!("{STAGE}.{column}")).collect();
        if self.inferred {
            columns.push(INFERRED.to_owned());
            values.push("FALSE".to_owned());
        }
        format!(
            "MERGE INTO {} USING {STAGE} ON {} WHEN MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) \
             VALUES ({})",
            self.target,
            self.same(&quoted(self.name), STAGE),
            set.join(", "),
            columns.join(", "),
            values.join(", ")
        )
    }

    /// Whether deletions are remembered: only where rows have an order can one that comes be older.
    fn remembers(&self) -> bool {
        self.deletes && remembers(self.table)
    }

    fn same(&self, left: &str, right: &str) -> String {
        same(&self.table.key, left, right)
    }
}
