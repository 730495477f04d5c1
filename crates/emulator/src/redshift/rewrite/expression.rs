//! One level of parentheses: the words that Redshift and PostgreSQL say differently, and those Redshift refuses.

use std::collections::VecDeque;

use super::token::Node;
use super::types::{self, TypeContext};
use super::{aggregate, call, reserved, select};
use crate::redshift::error::{SqlError, SqlResult};

/// Rewrites a level and all below it.
pub(super) fn level(nodes: Vec<Node>) -> SqlResult<Vec<Node>> {
    let nodes = expressions(below(nodes)?)?;
    if nodes.first().is_some_and(|node| node.is_any(&["SELECT", "WITH"])) { select::query(nodes) } else { Ok(nodes) }
}

/// Rewrites what stands in the parentheses of a level.
fn below(nodes: Vec<Node>) -> SqlResult<Vec<Node>> {
    nodes
        .into_iter()
        .map(|node| match node {
            Node::Group { items, spaced } => Ok(Node::Group { items: level(items)?, spaced }),
            other => Ok(other),
        })
        .collect()
}

fn expressions(nodes: Vec<Node>) -> SqlResult<Vec<Node>> {
    let mut rest = VecDeque::from(nodes);
    let mut out: Vec<Node> = Vec::with_capacity(rest.len());
    while let Some(node) = rest.pop_front() {
        let after_period = out.last().is_some_and(|last| last.is_symbol("."));
        match node {
            Node::Word { text, spaced } if after_period => {
                if reserved::is_reserved(&text) {
                    return Err(reserved::reserved(&text));
                }
                out.push(Node::Word { text, spaced });
            }
            Node::Word { text, spaced } => {
                let start = out.len();
                word(&text, spaced, &mut rest, &mut out)?;
                if let Some(first) = out.get_mut(start) {
                    first.set_spaced(spaced);
                }
            }
            Node::Symbol { text, spaced } if text == "::" => {
                let tail: Vec<Node> = rest.iter().take(4).cloned().collect();
                let kind = types::read(&tail, TypeContext::Cast)?;
                rest.drain(..kind.length);
                out.push(Node::Symbol { text, spaced });
                out.push(Node::Word { text: kind.postgres, spaced: false });
            }
            Node::Symbol { text, .. } if is_foreign_operator(&text) => {
                return Err(SqlError::not_redshift(&format!("the operator `{text}`")));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn word(text: &str, spaced: bool, rest: &mut VecDeque<Node>, out: &mut Vec<Node>) -> SqlResult<()> {
    let named = out.last().is_some_and(|last| last.is("AS"));
    if named && !matches!(rest.front(), Some(Node::Group { .. })) {
        out.push(Node::Word { text: text.to_owned(), spaced });
        return Ok(());
    }
    refuse(text, rest)?;
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "SYSDATE" => out.extend([Node::word("sysdate"), Node::arguments(Vec::new())]),
        "MINUS" => out.push(Node::word("EXCEPT")),
        "RESPECT" if rest.front().is_some_and(|next| next.is("NULLS")) => {
            rest.pop_front();
        }
        "APPROXIMATE" if rest.front().is_some_and(|next| next.is_any(&["COUNT", "PERCENTILE_DISC"])) => {
            if let Some(next) = rest.pop_front().and_then(|next| next.keyword()) {
                word(&next, true, rest, out)?;
            }
        }
        _ => {
            if let Some(Node::Group { items, spaced: gap }) =
                rest.pop_front_if(|next| matches!(next, Node::Group { .. }))
            {
                match aggregate::rewrite(&upper, &items, rest)? {
                    Some(nodes) => out.extend(nodes),
                    None => match call::rewrite(&upper, items)? {
                        call::Call::Same(items) => {
                            out.push(Node::Word { text: text.to_owned(), spaced });
                            out.push(Node::Group { items, spaced: gap });
                        }
                        call::Call::Other(nodes) => out.extend(nodes),
                    },
                }
            } else {
                out.push(Node::Word { text: text.to_owned(), spaced });
            }
        }
    }
    Ok(())
}

/// Words that PostgreSQL takes and Redshift does not, or that only Redshift has and nobody here runs.
fn refuse(text: &str, rest: &VecDeque<Node>) -> SqlResult<()> {
    let next = rest.front();
    let next_is = |keyword: &str| next.is_some_and(|node| node.is(keyword));
    let opens = |keyword: &str| {
        next.and_then(Node::items).and_then(|items| items.first()).is_some_and(|first| first.is(keyword))
    };
    match text.to_ascii_uppercase().as_str() {
        "DISTINCT" if next_is("ON") => Err(SqlError::not_redshift("SELECT DISTINCT ON")),
        "ON" if next_is("CONFLICT") => Err(SqlError::not_redshift("INSERT … ON CONFLICT")),
        "FILTER" if opens("WHERE") => Err(SqlError::not_redshift("FILTER (WHERE …) on an aggregate")),
        "LATERAL" => Err(SqlError::not_redshift("LATERAL")),
        "RETURNING" => Err(SqlError::not_redshift("RETURNING")),
        "TABLESAMPLE" => Err(SqlError::not_redshift("TABLESAMPLE")),
        "ARRAY" if next.is_some_and(|node| node.is_symbol("[")) => Err(SqlError::not_redshift("ARRAY[…]")),
        "IGNORE" if next_is("NULLS") => Err(SqlError::not_rehearsed("IGNORE NULLS")),
        "PIVOT" | "UNPIVOT" if matches!(next, Some(Node::Group { .. })) => Err(SqlError::not_rehearsed(text)),
        "CONNECT" if next_is("BY") => Err(SqlError::not_rehearsed("CONNECT BY")),
        _ if reserved::never_in_a_query(text) => Err(reserved::reserved(text)),
        _ => Ok(()),
    }
}

fn is_foreign_operator(text: &str) -> bool {
    matches!(text, "->" | "->>" | "#>" | "#>>" | "@>" | "<@" | "@?" | "@@" | "#-" | "==" | "&&")
}
