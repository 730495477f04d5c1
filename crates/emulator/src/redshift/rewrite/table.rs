//! CREATE TABLE, with columns, LIKE or AS; CREATE MATERIALIZED VIEW.

use super::column::Column;
use super::token::{Node, render, split};
use super::{Translated, expression, name_text, qualified_name};
use crate::redshift::error::{SqlError, SqlResult};

/// `CREATE [[LOCAL] TEMP] TABLE [IF NOT EXISTS] name { (columns) | [(names)] AS query } attributes`
pub(super) fn translate(nodes: &[Node]) -> SqlResult<Translated> {
    let mut rest = &nodes[1..];
    let mut temporary = false;
    while let [first, tail @ ..] = rest {
        if first.is_any(&["LOCAL", "TEMP", "TEMPORARY"]) {
            temporary = true;
        } else if first.is("TABLE") {
            rest = tail;
            break;
        } else {
            return Err(SqlError::syntax(&first.shown()));
        }
        rest = tail;
    }
    let exists = rest.len() > 3 && rest[0].is("IF") && rest[1].is("NOT") && rest[2].is("EXISTS");
    if exists {
        rest = &rest[3..];
    }
    let (name, length) = qualified_name(rest)?;
    rest = &rest[length..];
    temporary |= name.starts_with("\"#");
    let head = format!(
        "CREATE {}TABLE {}{name}",
        if temporary { "TEMP " } else { "" },
        if exists { "IF NOT EXISTS " } else { "" }
    );
    let list = rest.first().and_then(Node::items);
    let attributes = if list.is_some() { &rest[1..] } else { rest };
    let query = attributes.iter().position(|node| node.is("AS"));
    let (attributes, query) = match query {
        Some(position) => (&attributes[..position], Some(&attributes[position + 1..])),
        None => (attributes, None),
    };
    let keys = table_attributes(attributes)?;
    match (list, query) {
        (list, Some(query)) => {
            let names = list.map(|items| format!(" ({})", render(items))).unwrap_or_default();
            let created = Translated::execute(format!("{head}{names} AS {}", as_query(query)?));
            Ok(if temporary { created } else { super::rebind(created) })
        }
        (Some(items), None) => Ok(Translated::execute(format!("{head} ({})", elements(items, &keys)?))),
        (None, None) => Err(SqlError::new("syntax error at end of input")),
    }
}

/// `CREATE MATERIALIZED VIEW name attributes AS query`
pub(super) fn materialized_view(nodes: &[Node]) -> SqlResult<Translated> {
    let (name, length) = qualified_name(&nodes[3..])?;
    let rest = &nodes[3 + length..];
    let position = rest.iter().position(|node| node.is("AS")).ok_or_else(|| SqlError::syntax("materialized"))?;
    table_attributes(&rest[..position])?;
    Ok(Translated::execute(format!("CREATE MATERIALIZED VIEW {name} AS {}", as_query(&rest[position + 1..])?)))
}

fn as_query(query: &[Node]) -> SqlResult<String> {
    match query {
        [] => Err(SqlError::new("syntax error at end of input")),
        _ => Ok(render(&expression::level(query.to_vec())?)),
    }
}

/// Reads what follows the columns: it is Redshift's business alone. Answers the columns that it names.
fn table_attributes(nodes: &[Node]) -> SqlResult<Vec<String>> {
    let mut named = Vec::new();
    let mut rest = nodes;
    while let Some(first) = rest.first() {
        let next = rest.get(1);
        let word = first.keyword().ok_or_else(|| SqlError::syntax(&first.shown()))?;
        let length = match word.as_str() {
            "BACKUP" if next.is_some_and(|node| node.is_any(&["YES", "NO"])) => 2,
            "DISTSTYLE" if next.is_some_and(|node| node.is_any(&["EVEN", "ALL", "AUTO", "KEY"])) => 2,
            "ENCODE" if next.is_some_and(|node| node.is("AUTO")) => 2,
            "AUTO" if next.is_some_and(|node| node.is("REFRESH")) => 3,
            "COMPOUND" | "INTERLEAVED" if next.is_some_and(|node| node.is("SORTKEY")) => 1,
            "SORTKEY" if next.is_some_and(|node| node.is("AUTO")) => 2,
            "SORTKEY" | "DISTKEY" => {
                let items = next.and_then(Node::items).ok_or_else(|| SqlError::syntax(&word.to_lowercase()))?;
                for column in split(items) {
                    named.push(name_text(column.first())?);
                }
                2
            }
            _ => return Err(SqlError::syntax(&word.to_lowercase())),
        };
        rest = &rest[length.min(rest.len())..];
    }
    Ok(named)
}

/// The columns and constraints. `keys` are the columns that DISTKEY and SORTKEY name.
fn elements(items: &[Node], keys: &[String]) -> SqlResult<String> {
    let mut columns: Vec<Column> = Vec::new();
    let mut likes = Vec::new();
    let mut required: Vec<String> = Vec::new();
    for item in split(items) {
        let mut item = item;
        if item.first().is_some_and(|node| node.is("CONSTRAINT")) {
            item = item.get(2..).unwrap_or_default();
        }
        let first = item.first().ok_or_else(|| SqlError::syntax(","))?;
        let second = item.get(1);
        if first.is("LIKE") {
            likes.push(like(&item[1..])?);
        } else if first.is("PRIMARY") && second.is_some_and(|node| node.is("KEY")) {
            required.extend(key_columns(item.get(2))?);
        } else if first.is("UNIQUE") && second.is_some_and(|node| node.items().is_some()) {
            key_columns(second)?;
        } else if first.is("FOREIGN") && second.is_some_and(|node| node.is("KEY")) {
            key_columns(item.get(2))?;
        } else if first.is("CHECK") {
            return Err(SqlError::not_redshift("a CHECK constraint"));
        } else {
            columns.push(Column::read(item)?);
        }
    }
    for key in required.iter().chain(keys).filter(|_| likes.is_empty()) {
        if !columns.iter().any(|column| column.name == *key) {
            return Err(SqlError::new(format!("column \"{}\" named in key does not exist", key.trim_matches('"'))));
        }
    }
    for column in &mut columns {
        column.not_null |= required.contains(&column.name);
    }
    let columns = columns.iter().map(Column::render);
    Ok(columns.chain(likes).collect::<Vec<_>>().join(", "))
}

fn key_columns(group: Option<&Node>) -> SqlResult<Vec<String>> {
    let items = group.and_then(Node::items).ok_or_else(|| SqlError::syntax("key"))?;
    split(items).into_iter().map(|column| name_text(column.first())).collect()
}

/// `LIKE table [{INCLUDING | EXCLUDING} DEFAULTS]`. The only constraints that a table has here are its byte lengths.
fn like(nodes: &[Node]) -> SqlResult<String> {
    let (name, length) = qualified_name(nodes)?;
    let defaults = match &nodes[length..] {
        [] => "",
        [mode, what] if what.is("DEFAULTS") && mode.is("INCLUDING") => " INCLUDING DEFAULTS",
        [mode, what] if what.is("DEFAULTS") && mode.is("EXCLUDING") => "",
        [other, ..] => return Err(SqlError::syntax(&other.shown())),
    };
    Ok(format!("LIKE {name} INCLUDING CONSTRAINTS{defaults}"))
}
