//! The clauses of a SELECT that PostgreSQL does not have: TOP and QUALIFY.

use super::qualify;
use super::token::Node;
use crate::redshift::error::{SqlError, SqlResult};

/// Rewrites a query: a level that begins with SELECT or WITH, its expressions rewritten already.
pub(super) fn query(mut nodes: Vec<Node>) -> SqlResult<Vec<Node>> {
    let Some(start) = nodes.iter().position(|node| node.is("SELECT")) else {
        return Ok(nodes);
    };
    let body = nodes.split_off(start);
    let operators = body.iter().filter(|node| node.is_any(&["UNION", "EXCEPT", "INTERSECT"])).count();
    if operators == 0 {
        nodes.extend(single(body)?);
        return Ok(nodes);
    }
    if body.windows(2).any(|pair| pair[0].is("SELECT") && pair[1].is("TOP")) {
        return Err(SqlError::not_rehearsed("TOP beside UNION, EXCEPT or INTERSECT"));
    }
    if body.iter().any(|node| node.is("QUALIFY")) {
        return Err(SqlError::not_rehearsed("QUALIFY beside UNION, EXCEPT or INTERSECT"));
    }
    nodes.extend(body);
    Ok(nodes)
}

/// A query of one SELECT.
fn single(body: Vec<Node>) -> SqlResult<Vec<Node>> {
    let (mut body, limit) = top(body)?;
    if body.iter().any(|node| node.is("QUALIFY")) {
        body = qualify::rewrite(&body)?;
    }
    if let Some(limit) = limit {
        if body.iter().any(|node| node.is("LIMIT")) {
            return Err(SqlError::new("TOP and LIMIT cannot stand in one query"));
        }
        body.push(Node::word("LIMIT"));
        body.push(limit);
    }
    Ok(body)
}

/// Takes `TOP n` out of the body.
fn top(mut body: Vec<Node>) -> SqlResult<(Vec<Node>, Option<Node>)> {
    if !body.get(1).is_some_and(|node| node.is("TOP")) {
        return Ok((body, None));
    }
    match body.get(2) {
        Some(Node::Symbol { text, .. }) if text.chars().all(|c| c.is_ascii_digit()) => {
            let limit = Node::Symbol { text: text.clone(), spaced: true };
            body.drain(1..3);
            Ok((body, Some(limit)))
        }
        Some(node) => Err(SqlError::syntax(&node.shown())),
        None => Err(SqlError::syntax("top")),
    }
}
