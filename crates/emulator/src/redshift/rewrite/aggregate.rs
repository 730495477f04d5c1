//! Aggregates whose Redshift form takes more than a name: what follows the call belongs to it.

use std::collections::VecDeque;

use super::call::{called, tight};
use super::token::{Node, render, split};
use crate::redshift::error::{SqlError, SqlResult};

/// Rewrites the aggregate `NAME(items) …`, taking from `rest` what belongs to it; nothing for any other name.
pub(super) fn rewrite(name: &str, items: &[Node], rest: &mut VecDeque<Node>) -> SqlResult<Option<Vec<Node>>> {
    match name {
        "AVG" => Ok(Some(avg(items, rest))),
        "MEDIAN" => median(items, rest).map(Some),
        "LISTAGG" => listagg(items, rest).map(Some),
        "RATIO_TO_REPORT" => ratio_to_report(items, rest).map(Some),
        _ => Ok(None),
    }
}

/// `OVER (…)` or `OVER name`, if it comes next.
fn over(rest: &mut VecDeque<Node>) -> Vec<Node> {
    if !rest.front().is_some_and(|node| node.is("OVER")) {
        return Vec::new();
    }
    let count = rest.len().min(2);
    rest.drain(..count).collect()
}

/// Redshift's AVG keeps the type and the scale of its argument: of integers it is an integer. The sum carries both, and
/// the prelude's function of sum and count has the name that the column gets.
fn avg(items: &[Node], rest: &mut VecDeque<Node>) -> Vec<Node> {
    let window = over(rest);
    let mut arguments = tight(called("sum", items.to_vec()));
    arguments.extend(window.clone());
    arguments.push(Node::symbol(","));
    arguments.extend(called("count", items.to_vec()));
    arguments.extend(window);
    called("avg", arguments)
}

fn median(items: &[Node], rest: &mut VecDeque<Node>) -> SqlResult<Vec<Node>> {
    if !over(rest).is_empty() {
        return Err(SqlError::not_rehearsed("MEDIAN as a window function"));
    }
    let mut order = vec![Node::Word { text: "ORDER".to_owned(), spaced: false }, Node::word("BY")];
    order.extend(spaced(items.to_vec()));
    let mut nodes = called("percentile_cont", vec![Node::symbol("0.5")]);
    nodes.extend([Node::word("WITHIN"), Node::word("GROUP"), Node::group(order)]);
    Ok(called("median", tight(nodes)))
}

/// `LISTAGG([DISTINCT] value [, separator]) [WITHIN GROUP (ORDER BY …)]`.
fn listagg(items: &[Node], rest: &mut VecDeque<Node>) -> SqlResult<Vec<Node>> {
    let order = within_group(rest)?;
    if rest.front().is_some_and(|node| node.is("OVER")) {
        return Err(SqlError::not_rehearsed("LISTAGG as a window function"));
    }
    let distinct = items.first().is_some_and(|node| node.is("DISTINCT"));
    let parts = split(if distinct { &items[1..] } else { items });
    let (value, separator) = match parts.as_slice() {
        [value] => (value.to_vec(), vec![Node::text("")]),
        [value, separator] => (value.to_vec(), separator.to_vec()),
        _ => return Err(SqlError::new("function listagg takes a value and a separator")),
    };
    let text = |value: Vec<Node>| {
        vec![Node::group(tight(value)), Node::symbol("::"), Node::Word { text: "varchar".to_owned(), spaced: false }]
    };
    let mut arguments = Vec::new();
    if distinct {
        arguments.push(Node::Word { text: "DISTINCT".to_owned(), spaced: false });
        arguments.extend(text(value.clone()));
    } else {
        arguments.extend(tight(text(value.clone())));
    }
    arguments.push(Node::symbol(","));
    arguments.extend(spaced(separator));
    if let Some(order) = order {
        arguments.extend([Node::word("ORDER"), Node::word("BY")]);
        // With DISTINCT, PostgreSQL orders only by the very expression that it aggregates.
        let (by, direction) = direction(&order);
        if distinct && render(by).trim() == render(&value).trim() {
            arguments.extend(text(value));
            arguments.extend(direction.to_vec());
        } else {
            arguments.extend(spaced(order));
        }
    }
    Ok(called("listagg", tight(called("string_agg", arguments))))
}

fn direction(order: &[Node]) -> (&[Node], &[Node]) {
    match order.iter().position(|node| node.is_any(&["ASC", "DESC", "NULLS"])) {
        Some(position) => order.split_at(position),
        None => (order, &[]),
    }
}

/// What stands behind ORDER BY in `WITHIN GROUP (ORDER BY …)`, if that comes next.
fn within_group(rest: &mut VecDeque<Node>) -> SqlResult<Option<Vec<Node>>> {
    if !rest.front().is_some_and(|node| node.is("WITHIN")) {
        return Ok(None);
    }
    let taken: Vec<Node> = rest.drain(..rest.len().min(3)).collect();
    match taken.as_slice() {
        [_, group, Node::Group { items, .. }]
            if group.is("GROUP") && items.len() > 2 && items[0].is("ORDER") && items[1].is("BY") =>
        {
            Ok(Some(items[2..].to_vec()))
        }
        _ => Err(SqlError::syntax("within")),
    }
}

fn ratio_to_report(items: &[Node], rest: &mut VecDeque<Node>) -> SqlResult<Vec<Node>> {
    let window = over(rest);
    if window.is_empty() {
        return Err(SqlError::new("ratio_to_report needs an OVER clause"));
    }
    let mut sum = tight(called("sum", items.to_vec()));
    sum.extend(window);
    sum.extend([Node::symbol(","), Node::Symbol { text: "0".to_owned(), spaced: true }]);
    let mut ratio = vec![
        Node::Group { items: tight(items.to_vec()), spaced: false },
        Node::symbol("::"),
        Node::Word { text: "float8".to_owned(), spaced: false },
        Node::Symbol { text: "/".to_owned(), spaced: true },
    ];
    ratio.extend(called("NULLIF", sum));
    Ok(vec![Node::group(ratio)])
}

fn spaced(mut nodes: Vec<Node>) -> Vec<Node> {
    if let Some(first) = nodes.first_mut() {
        first.set_spaced(true);
    }
    nodes
}
