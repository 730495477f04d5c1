//! MERGE, with the rules that Redshift has and PostgreSQL does not.

use super::token::{Node, render, split};
use super::{Step, Translated, expression, literal, name_text, qualified_name};
use crate::redshift::error::{SqlError, SqlResult};

/// `MERGE INTO target USING source [[AS] alias] ON condition { WHEN MATCHED … WHEN NOT MATCHED … | REMOVE DUPLICATES }`
pub(super) fn translate(nodes: &[Node]) -> SqlResult<Translated> {
    let (target, length) = qualified_name(&nodes[2..])?;
    let rest = &nodes[2 + length..];
    match rest.first() {
        Some(node) if node.is("USING") => {}
        Some(node) => {
            return Err(SqlError::syntax(&node.shown()).hint("the target of a MERGE takes no alias in Redshift"));
        }
        None => return Err(SqlError::new("syntax error at end of input")),
    }
    if rest.get(1).is_some_and(|node| node.items().is_some()) {
        return Err(SqlError::new("the source of a MERGE must be a table")
            .hint("Redshift takes no subquery here: CREATE TEMP TABLE … AS it first"));
    }
    let (source, length) = qualified_name(&rest[1..])?;
    let rest = &rest[1 + length..];
    let on = rest.iter().position(|node| node.is("ON")).ok_or_else(|| SqlError::syntax(&target))?;
    let alias = match &rest[..on] {
        [] => None,
        [as_, name] if as_.is("AS") => Some(name_text(Some(name))?),
        [name] => Some(name_text(Some(name))?),
        [_, other, ..] => return Err(SqlError::syntax(&other.shown())),
    };
    let end = rest
        .iter()
        .position(|node| node.is_any(&["WHEN", "REMOVE"]))
        .ok_or_else(|| SqlError::new("syntax error at end of input"))?;
    let condition = &rest[on + 1..end];
    only_equal(condition)?;
    let condition = render(&expression::level(condition.to_vec())?);
    let actions = &rest[end..];
    let known = alias.clone().unwrap_or_else(|| source.clone());
    let using = alias.map_or_else(|| source.clone(), |alias| format!("{source} AS {alias}"));
    let check = |table: &str, role: &str| {
        Step::Execute(format!("SELECT redshift.require_table({}, {})", literal(table), literal(role)))
    };
    let mut steps = vec![check(&source, "source"), check(&target, "target")];
    match actions {
        [remove, duplicates] if remove.is("REMOVE") && duplicates.is("DUPLICATES") => steps.extend([
            Step::Execute(format!("DELETE FROM {target} USING {using} WHERE {condition}")),
            Step::Execute(format!("INSERT INTO {target} SELECT DISTINCT {known}.* FROM {using}")),
        ]),
        _ => {
            let clauses = clauses(actions)?;
            steps.push(Step::Execute(format!("MERGE INTO {target} USING {using} ON {condition} {clauses}")));
        }
    }
    Ok(Translated { steps, ..Translated::default() })
}

/// The match condition: columns equal to columns, joined with AND.
fn only_equal(condition: &[Node]) -> SqlResult<()> {
    let refused = || {
        SqlError::new("the condition of a MERGE must compare columns for equality")
            .hint("write it as `target.key = source.key [AND …]`")
    };
    if let [Node::Group { items, .. }] = condition {
        return only_equal(items);
    }
    for term in condition.split(|node| node.is("AND")) {
        if let [Node::Group { items, .. }] = term {
            only_equal(items)?;
            continue;
        }
        let mut sides = term.split(|node| node.is_symbol("="));
        let (left, right) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if sides.next().is_some() || !is_column(left) || !is_column(right) {
            return Err(refused());
        }
    }
    Ok(())
}

fn is_column(nodes: &[Node]) -> bool {
    nodes.len() % 2 == 1
        && nodes
            .iter()
            .enumerate()
            .all(|(index, node)| if index % 2 == 0 { node.name().is_some() } else { node.is_symbol(".") })
}

/// Exactly one WHEN MATCHED and one WHEN NOT MATCHED, in this order and without conditions.
fn clauses(nodes: &[Node]) -> SqlResult<String> {
    let expected =
        || SqlError::new("a MERGE needs exactly WHEN MATCHED THEN UPDATE or DELETE, and WHEN NOT MATCHED THEN INSERT");
    let starts: Vec<usize> =
        nodes.iter().enumerate().filter(|(_, node)| node.is("WHEN")).map(|(index, _)| index).collect();
    let [0, second] = starts[..] else {
        return Err(expected());
    };
    let (matched, missing) = nodes.split_at(second);
    let is = |nodes: &[Node], words: &[&str]| {
        words.iter().enumerate().all(|(index, word)| nodes.get(index).is_some_and(|node| node.is(word)))
    };
    if is(matched, &["WHEN", "MATCHED", "AND"]) || is(missing, &["WHEN", "NOT", "MATCHED", "AND"]) {
        return Err(SqlError::not_redshift("WHEN [NOT] MATCHED AND …"));
    }
    if !is(missing, &["WHEN", "NOT", "MATCHED", "THEN", "INSERT"]) || !missing.iter().any(|node| node.is("VALUES")) {
        return Err(expected());
    }
    if is(matched, &["WHEN", "MATCHED", "THEN", "UPDATE", "SET"]) {
        for assignment in split(&matched[5..]) {
            name_text(assignment.first())?;
            if !assignment.get(1).is_some_and(|node| node.is_symbol("=")) {
                return Err(SqlError::syntax(&assignment.get(1).map(Node::shown).unwrap_or_default())
                    .hint("SET takes the column's name alone, without its table"));
            }
        }
    } else if !(is(matched, &["WHEN", "MATCHED", "THEN", "DELETE"]) && matched.len() == 4) {
        return Err(expected());
    }
    // Each clause is rewritten by itself: its expressions are what can differ.
    let rewritten = |nodes: &[Node]| Ok::<_, SqlError>(render(&expression::level(nodes.to_vec())?));
    Ok(format!("{} {}", rewritten(matched)?, rewritten(missing)?))
}
