//! How the batches of a table are loaded: what the loader must know to write the statements of a batch.

use pipectl_contract::document::{LoadColumn, Stub, TableLoad};

use crate::spec::{Column, Spec, Table};

use super::{distribution, gone, quoted, remembers};

/// Describes the load of a table.
pub(super) fn table_load(spec: &Spec, name: &str, table: &Table) -> TableLoad {
    let column = |(name, column): (&String, &Column)| LoadColumn {
        name: quoted(name),
        kind: column.kind().clone(),
        stub: column.stub().map(|(table, column)| Stub { table: quoted(table), column: quoted(column) }),
    };
    let deletes = spec.deletes(table);
    TableLoad {
        name: quoted(name),
        columns: table.columns.iter().map(column).collect(),
        key: table.key.iter().map(|column| quoted(column)).collect(),
        order_by: table.order_by.as_deref().map(quoted),
        load: table.load,
        deletes,
        deleted_keys: (deletes && remembers(table)).then(|| gone(name)),
        may_hold_stubs: spec.has_stubs(name),
        distribution: distribution(table).map(quoted),
    }
}
