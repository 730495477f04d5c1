//! ALTER TABLE.

use super::column::{Column, limit_name};
use super::token::{Node, render};
use super::{Step, Translated, name_text, qualified_name};
use crate::redshift::error::{SqlError, SqlResult};

pub(super) fn table(nodes: &[Node]) -> SqlResult<Translated> {
    let (name, length) = qualified_name(&nodes[2..])?;
    let rest = &nodes[2 + length..];
    let words: Vec<String> = rest.iter().take(4).map(|node| node.keyword().unwrap_or_default()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = |action: String| Ok(Translated::execute(format!("ALTER TABLE {name} {action}")));
    match words.as_slice() {
        ["APPEND", "FROM", ..] => append(&name, &rest[2..]),
        // Keys, distribution, sort order and encodings have no counterpart here.
        ["ADD", "PRIMARY" | "UNIQUE" | "FOREIGN" | "CONSTRAINT", ..]
        | ["DROP", "CONSTRAINT", ..]
        | ["ALTER", "DISTKEY" | "DISTSTYLE" | "SORTKEY" | "COMPOUND" | "ENCODE", ..]
        | ["ALTER", "COLUMN", _, "ENCODE"] => Ok(Translated::nothing()),
        ["ALTER", "COLUMN", _, "TYPE"] => retype(&name, rest),
        ["ADD", "COLUMN", ..] => done(format!("ADD COLUMN {}", Column::read(&rest[2..])?.render())),
        ["ADD", ..] => done(format!("ADD COLUMN {}", Column::read(&rest[1..])?.render())),
        ["RENAME", "TO", ..] => done(render(rest)).map(super::rebind),
        ["DROP" | "RENAME", ..] | ["OWNER", "TO", ..] => done(render(rest)),
        [first, ..] => Err(SqlError::not_rehearsed(&format!("ALTER TABLE … {first}"))),
        [] => Err(SqlError::new("syntax error at end of input")),
    }
}

/// `APPEND FROM source`: the rows move, and the source is empty afterwards.
fn append(target: &str, nodes: &[Node]) -> SqlResult<Translated> {
    let (source, length) = qualified_name(nodes)?;
    if let Some(node) = nodes.get(length) {
        return Err(SqlError::not_rehearsed(&format!("ALTER TABLE … APPEND … {}", node.shown().to_uppercase())));
    }
    let steps = vec![Step::Execute(format!(
        "DO $$ BEGIN INSERT INTO {target} SELECT * FROM {source}; DELETE FROM {source}; END $$"
    ))];
    Ok(Translated { steps, ..Translated::default() }.alone("ALTER TABLE APPEND"))
}

/// `ALTER COLUMN name TYPE varchar(n)`: Redshift changes only the length of a VARCHAR.
fn retype(table: &str, rest: &[Node]) -> SqlResult<Translated> {
    let column = name_text(rest.get(2))?;
    let mut declared = vec![rest[2].clone()];
    declared.extend(rest[4..].to_vec());
    let Some((kind, limit)) = Column::read(&declared)?.limit() else {
        return Err(SqlError::new(format!(
            "cannot alter type of column \"{column}\": only the length of a VARCHAR can change"
        )));
    };
    let sql = format!(
        "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {}, ALTER COLUMN {column} TYPE {kind}, ADD {limit}",
        limit_name(&column)
    );
    Ok(Translated::execute(sql).alone("ALTER TABLE ALTER COLUMN"))
}
