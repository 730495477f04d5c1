//! Calls of functions that PostgreSQL spells differently. What only needs another body is in `prelude.sql`.

use super::date_part;
use super::token::{Node, arguments, join};
use super::types::{self, TypeContext};
use crate::redshift::error::{SqlError, SqlResult};

/// PostgreSQL's own functions, which Redshift does not have.
const FOREIGN: &[&str] = &[
    "STRING_AGG",
    "ARRAY_AGG",
    "JSON_AGG",
    "JSONB_AGG",
    "JSON_BUILD_OBJECT",
    "JSONB_BUILD_OBJECT",
    "JSON_BUILD_ARRAY",
    "JSONB_BUILD_ARRAY",
    "TO_JSON",
    "TO_JSONB",
    "ROW_TO_JSON",
    "JSONB_EXTRACT_PATH",
    "JSONB_EXTRACT_PATH_TEXT",
    "JSONB_ARRAY_ELEMENTS",
    "JSON_ARRAY_ELEMENTS",
    "JSONB_SET",
    "UNNEST",
    "REGEXP_MATCHES",
    "REGEXP_SPLIT_TO_TABLE",
    "REGEXP_SPLIT_TO_ARRAY",
    "STRING_TO_ARRAY",
    "ARRAY_TO_STRING",
    "FORMAT",
    "GEN_RANDOM_UUID",
    "MAKE_DATE",
    "MAKE_INTERVAL",
    "MAKE_TIMESTAMP",
    "CLOCK_TIMESTAMP",
    "DATE_BIN",
    "STARTS_WITH",
    "ENCODE",
];

/// What became of a call.
pub(super) enum Call {
    /// The name stays.
    Same(Vec<Node>),
    /// The whole call is another expression.
    Other(Vec<Node>),
}

/// Rewrites the call `NAME(items)`, the name given in capitals.
pub(super) fn rewrite(name: &str, items: Vec<Node>) -> SqlResult<Call> {
    let other = |nodes| Ok(Call::Other(nodes));
    match name {
        "NVL" | "ISNULL" => other(called("COALESCE", items)),
        "NVL2" => other(nvl2(arguments(&items))?),
        "DECODE" => other(decode(arguments(&items))?),
        "CONCAT" => other(concat(arguments(&items))?),
        "DATEADD" | "DATEDIFF" | "DATE_DIFF" | "DATE_TRUNC" | "DATE_PART" | "DATE_ADD" => {
            date_call(name, arguments(&items))
        }
        "EXTRACT" => other(extract(&items)?),
        "CAST" => Ok(Call::Same(cast(items)?)),
        "TRY_CAST" => Err(SqlError::not_rehearsed("TRY_CAST")),
        "CONVERT" => other(convert(arguments(&items))?),
        "ARRAY" => other(called("pg_catalog.jsonb_build_array", items)),
        "OBJECT" => other(called("pg_catalog.jsonb_build_object", items)),
        "JSON_EXTRACT_PATH_TEXT" => other(json_path(arguments(&items))?),
        _ if FOREIGN.contains(&name) => {
            Err(SqlError::new(format!("function {}() does not exist", name.to_lowercase()))
                .hint("this is PostgreSQL's function; Redshift has no such"))
        }
        _ => Ok(Call::Same(items)),
    }
}

pub(super) fn called(name: &str, items: Vec<Node>) -> Vec<Node> {
    vec![Node::word(name), Node::arguments(items)]
}

fn count(name: &str, arguments: &[Vec<Node>], accepted: impl Fn(usize) -> bool) -> SqlResult<()> {
    if accepted(arguments.len()) && arguments.iter().all(|argument| !argument.is_empty()) {
        return Ok(());
    }
    Err(SqlError::new(format!("function {name} does not take {} arguments", arguments.len())))
}

fn nvl2(arguments: Vec<Vec<Node>>) -> SqlResult<Vec<Node>> {
    count("nvl2", &arguments, |count| count == 3)?;
    let mut arguments = arguments.into_iter().map(Node::group);
    let mut case = vec![start("CASE"), Node::word("WHEN")];
    case.extend(arguments.next());
    case.extend(["IS", "NOT", "NULL", "THEN"].map(Node::word));
    case.extend(arguments.next());
    case.push(Node::word("ELSE"));
    case.extend(arguments.next());
    case.push(Node::word("END"));
    Ok(vec![Node::group(case)])
}

/// `DECODE` finds NULL equal to NULL, which the short form of CASE does not.
fn decode(arguments: Vec<Vec<Node>>) -> SqlResult<Vec<Node>> {
    count("decode", &arguments, |count| count >= 3)?;
    let mut arguments = arguments.into_iter().map(Node::group);
    let subject = arguments.next();
    let mut case = vec![start("CASE")];
    while let Some(search) = arguments.next() {
        match arguments.next() {
            Some(result) => {
                case.push(Node::word("WHEN"));
                case.extend(subject.clone());
                case.extend(["IS", "NOT", "DISTINCT", "FROM"].map(Node::word));
                case.extend([search, Node::word("THEN"), result]);
            }
            None => case.extend([Node::word("ELSE"), search]),
        }
    }
    case.push(Node::word("END"));
    Ok(vec![Node::group(case)])
}

/// Redshift's CONCAT takes two values and is NULL if one is; PostgreSQL's takes NULL as nothing.
fn concat(arguments: Vec<Vec<Node>>) -> SqlResult<Vec<Node>> {
    count("concat", &arguments, |count| count == 2)?;
    let mut items = Vec::new();
    for (index, argument) in arguments.into_iter().enumerate() {
        if index > 0 {
            items.push(Node::Symbol { text: "||".to_owned(), spaced: true });
        }
        items.extend([
            Node::group(argument),
            Node::symbol("::"),
            Node::Word { text: "varchar".to_owned(), spaced: false },
        ]);
    }
    Ok(vec![Node::group(tight(items))])
}

fn date_call(name: &str, mut arguments: Vec<Vec<Node>>) -> SqlResult<Call> {
    let function = match name {
        "DATE_DIFF" => "datediff".to_owned(),
        "DATE_ADD" => "dateadd".to_owned(),
        other => other.to_lowercase(),
    };
    let expected = if matches!(function.as_str(), "date_trunc" | "date_part") { 2 } else { 3 };
    count(&function, &arguments, |count| count == expected)?;
    let part = date_part::read(&arguments[0], &function)?;
    if matches!(function.as_str(), "dateadd" | "datediff") && matches!(part, "dow" | "doy" | "epoch") {
        return Err(SqlError::new(format!("invalid datetime part \"{part}\" for function {function}")));
    }
    arguments[0] = tight(vec![Node::text(part)]);
    Ok(Call::Other(called(&function, join(arguments))))
}

/// `EXTRACT(part FROM value)`: Redshift answers with a whole number.
fn extract(items: &[Node]) -> SqlResult<Vec<Node>> {
    let from = items.iter().position(|node| node.is("FROM")).ok_or_else(|| SqlError::syntax("extract"))?;
    let part = date_part::read(&items[..from], "extract")?;
    let value = items[from + 1..].to_vec();
    Ok(called("extract_part", join(vec![tight(vec![Node::text(part)]), value])))
}

/// `expression AS type`, as CAST has it.
fn cast(mut items: Vec<Node>) -> SqlResult<Vec<Node>> {
    let position = items.iter().rposition(|node| node.is("AS")).ok_or_else(|| SqlError::syntax("cast"))?;
    let kind = types::read(&items[position + 1..], TypeContext::Cast)?;
    if position + 1 + kind.length != items.len() {
        return Err(SqlError::syntax(&items[position + 1 + kind.length].shown()));
    }
    items.truncate(position + 1);
    items.push(Node::word(&kind.postgres));
    Ok(items)
}

/// `CONVERT(type, expression)`.
fn convert(arguments: Vec<Vec<Node>>) -> SqlResult<Vec<Node>> {
    count("convert", &arguments, |count| count == 2)?;
    let mut arguments = arguments.into_iter();
    let (kind, value) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let mut items = tight(value);
    items.push(Node::word("AS"));
    items.extend(kind);
    Ok(called("CAST", cast(items)?))
}

/// A last argument TRUE asks for NULL where the text is not JSON; it goes first, as the path is of any length.
fn json_path(mut arguments: Vec<Vec<Node>>) -> SqlResult<Vec<Node>> {
    count("json_extract_path_text", &arguments, |count| count >= 2)?;
    let lenient = match arguments.last().map(Vec::as_slice) {
        Some([flag]) if flag.is("TRUE") => Some(true),
        Some([flag]) if flag.is("FALSE") => Some(false),
        _ => None,
    };
    if lenient.is_some() {
        arguments.pop();
    }
    let name = if lenient == Some(true) { "json_extract_path_text_or_null" } else { "json_extract_path_text" };
    Ok(called(name, join(arguments)))
}

/// A word without a space before it.
fn start(text: &str) -> Node {
    Node::Word { text: text.to_owned(), spaced: false }
}

/// The nodes without a space before the first.
pub(super) fn tight(mut nodes: Vec<Node>) -> Vec<Node> {
    if let Some(first) = nodes.first_mut() {
        first.set_spaced(false);
    }
    nodes
}
