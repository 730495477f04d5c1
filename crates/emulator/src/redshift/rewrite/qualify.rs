//! QUALIFY, as a condition on a subquery.
//!
//! `SELECT list FROM … QUALIFY condition` becomes `SELECT names FROM (SELECT list, condition AS kept FROM …) WHERE kept`.
//! A `*` has no name to select by: the row of each table it covers travels as one value and is opened again outside.

use super::token::{Node, join, split};
use crate::redshift::error::{SqlError, SqlResult};

const CLAUSES: &[&str] = &["FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET"];

/// Rewrites the body of a single SELECT that has a QUALIFY.
pub(super) fn rewrite(body: &[Node]) -> SqlResult<Vec<Node>> {
    let list_end = clause(body, "FROM").ok_or_else(|| SqlError::syntax("qualify"))?;
    let qualify = clause(body, "QUALIFY").ok_or_else(|| SqlError::syntax("qualify"))?;
    let tail = body[qualify + 1..]
        .iter()
        .position(|node| node.is_any(CLAUSES))
        .map_or(body.len(), |position| qualify + 1 + position);
    let distinct = body[1].is("DISTINCT");
    let list = &body[if distinct { 2 } else { 1 }..list_end];
    let from_end = body[list_end + 1..]
        .iter()
        .position(|node| node.is_any(CLAUSES))
        .map_or(body.len(), |position| list_end + 1 + position);

    let tables = tables(&body[list_end + 1..from_end])?;
    let mut inner = Vec::new();
    let mut outer = Vec::new();
    let mut aliases: Vec<(String, Vec<Node>)> = Vec::new();
    for (index, item) in split(list).into_iter().enumerate() {
        match starred(item, &tables)? {
            Some(rows) => {
                for (number, row) in rows.into_iter().enumerate() {
                    let alias = Node::Name { text: format!("row {index}.{number}"), spaced: true };
                    inner.push(vec![row, Node::word("AS"), alias.clone()]);
                    let mut alias = alias;
                    alias.set_spaced(false);
                    outer.push(vec![Node::group(vec![alias]), Node::symbol("."), Node::symbol("*")]);
                }
            }
            None => {
                let (expression, name) = named(item, index)?;
                let name = Node::Name { text: name, spaced: true };
                let mut shown = expression.to_vec();
                shown.extend([Node::word("AS"), name.clone()]);
                inner.push(shown);
                if let (Node::Name { text, .. }, true) = (&name, expression.len() > 1) {
                    aliases.push((text.clone(), expression.to_vec()));
                }
                outer.push(vec![name]);
            }
        }
    }
    let kept = Node::Name { text: "kept by qualify".to_owned(), spaced: true };
    let condition = with_aliases(&body[qualify + 1..tail], &aliases);
    inner.push(vec![Node::group(trimmed(condition)), Node::word("AS"), kept.clone()]);

    let mut subquery = vec![Node::Word { text: "SELECT".to_owned(), spaced: false }];
    subquery.extend(first_spaced(join(inner)));
    subquery.extend(body[list_end..qualify].to_vec());
    // The order may name columns that only the subquery sees; filtering keeps it.
    let limit =
        tail + body[tail..].iter().position(|node| node.is_any(&["LIMIT", "OFFSET"])).unwrap_or(body.len() - tail);
    subquery.extend(body[tail..limit].to_vec());
    let mut out = vec![body[0].clone()];
    if distinct {
        out.push(Node::word("DISTINCT"));
    }
    out.extend(first_spaced(join(outer)));
    out.extend([
        Node::word("FROM"),
        Node::group(subquery),
        Node::word("AS"),
        Node::Name { text: "q".to_owned(), spaced: true },
    ]);
    out.extend([Node::word("WHERE"), kept]);
    out.extend(body[limit..].to_vec());
    Ok(out)
}

fn clause(body: &[Node], keyword: &str) -> Option<usize> {
    body.iter().position(|node| node.is(keyword))
}

/// The names by which the tables of a FROM clause are known, in order.
fn tables(from: &[Node]) -> SqlResult<Vec<String>> {
    let mut names = Vec::new();
    let mut index = 0;
    let mut expected = true;
    while let Some(node) = from.get(index) {
        if expected {
            let mut name = node.name();
            while from.get(index + 1).is_some_and(|next| next.is_symbol(".")) {
                index += 2;
                name = from.get(index).and_then(Node::name);
            }
            if from.get(index + 1).is_some_and(|next| next.is("AS")) {
                index += 1;
            }
            if let Some(alias) = from.get(index + 1).and_then(Node::name).filter(|_| !is_join_word(&from[index + 1])) {
                name = Some(alias);
                index += 1;
            }
            names.push(name.ok_or_else(|| SqlError::new("subquery in FROM must have an alias"))?);
            expected = false;
        } else if node.is("JOIN") || node.is_symbol(",") {
            expected = true;
        }
        index += 1;
    }
    Ok(names)
}

fn is_join_word(node: &Node) -> bool {
    node.is_any(&["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ON", "USING"])
}

/// The rows that `*` or `table.*` stands for; nothing for another item.
fn starred(item: &[Node], tables: &[String]) -> SqlResult<Option<Vec<Node>>> {
    let row = |name: &str| Node::Name { text: name.to_owned(), spaced: true };
    match item {
        [star] if star.is_symbol("*") => Ok(Some(tables.iter().map(|name| row(name)).collect())),
        [.., table, dot, star] if dot.is_symbol(".") && star.is_symbol("*") => {
            let name = table.name().ok_or_else(|| SqlError::syntax("*"))?;
            Ok(Some(vec![row(&name)]))
        }
        _ => Ok(None),
    }
}

/// An item of the SELECT list and the name of its column.
fn named(item: &[Node], index: usize) -> SqlResult<(&[Node], String)> {
    match item {
        [] => Err(SqlError::syntax(",")),
        [expression @ .., as_, name] if as_.is("AS") => {
            Ok((expression, name.name().ok_or_else(|| SqlError::syntax(&name.shown()))?))
        }
        [column] | [.., column] if column.name().is_some() && is_path(item) => {
            Ok((item, column.name().unwrap_or_default()))
        }
        [expression @ .., last] if last.name().is_some() && ends_an_operand(expression) => {
            Ok((expression, last.name().unwrap_or_default()))
        }
        [first, Node::Group { .. }] if first.name().is_some() => Ok((item, first.name().unwrap_or_default())),
        _ => Ok((item, format!("?column{index}?"))),
    }
}

/// `a.b.c`
fn is_path(item: &[Node]) -> bool {
    item.iter()
        .enumerate()
        .all(|(index, node)| if index % 2 == 0 { node.name().is_some() } else { node.is_symbol(".") })
}

/// Whether an alias without AS may follow.
fn ends_an_operand(expression: &[Node]) -> bool {
    match expression.last() {
        Some(Node::Symbol { text, .. }) => text.starts_with(|c: char| c.is_ascii_digit()),
        Some(Node::Word { text, .. }) => {
            !["AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE"].contains(&text.to_ascii_uppercase().as_str())
        }
        Some(_) => true,
        None => false,
    }
}

/// Redshift lets the condition name the columns of the SELECT list.
fn with_aliases(condition: &[Node], aliases: &[(String, Vec<Node>)]) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::new();
    for (index, node) in condition.iter().enumerate() {
        let qualified = index > 0 && condition[index - 1].is_symbol(".");
        let is_table = condition.get(index + 1).is_some_and(|next| next.is_symbol("."));
        let found = node.name().filter(|_| !qualified && !is_table);
        let found = found.and_then(|name| aliases.iter().find(|(alias, _)| *alias == name));
        match (found, node) {
            (Some((_, expression)), _) => out.push(Node::group(trimmed(expression.clone()))),
            (None, Node::Group { items, spaced }) => {
                out.push(Node::Group { items: with_aliases(items, aliases), spaced: *spaced });
            }
            (None, other) => out.push(other.clone()),
        }
    }
    out
}

fn trimmed(mut nodes: Vec<Node>) -> Vec<Node> {
    if let Some(first) = nodes.first_mut() {
        first.set_spaced(false);
    }
    nodes
}

fn first_spaced(mut nodes: Vec<Node>) -> Vec<Node> {
    if let Some(first) = nodes.first_mut() {
        first.set_spaced(true);
    }
    nodes
}
