//! Schemas, principals, grants and session settings.

use super::token::{Node, render};
use super::{Translated, literal, name_text, qualified_name, quote};
use crate::redshift::error::{SqlError, SqlResult};

/// `CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION user] [QUOTA …]`
pub(super) fn create_schema(nodes: &[Node]) -> SqlResult<Translated> {
    let exists = nodes.len() > 5 && nodes[2].is("IF") && nodes[3].is("NOT") && nodes[4].is("EXISTS");
    let start = if exists { 5 } else { 2 };
    let name = name_text(nodes.get(start))?;
    let rest = &nodes[start + 1..];
    let end = rest.iter().position(|node| node.is("QUOTA")).unwrap_or(rest.len());
    let owner = render(&rest[..end]);
    let sql = format!("CREATE SCHEMA {}{name} {owner}", if exists { "IF NOT EXISTS " } else { "" });
    Ok(Translated::execute(sql.trim_end()))
}

/// `CREATE EXTERNAL SCHEMA [IF NOT EXISTS] name FROM …`: the schema is there, and empty; a query of it fails by name.
pub(super) fn create_external_schema(nodes: &[Node]) -> SqlResult<Translated> {
    let exists = nodes.len() > 6 && nodes[3].is("IF");
    let name = name_text(nodes.get(if exists { 6 } else { 3 }))?;
    Ok(Translated::execute(format!("CREATE SCHEMA {}{name}", if exists { "IF NOT EXISTS " } else { "" })))
}

/// `CREATE { USER | ROLE | GROUP } name [PASSWORD …]`: a principal that grants can name.
pub(super) fn create_principal(nodes: &[Node]) -> SqlResult<Translated> {
    let name = name_text(nodes.get(2))?;
    if !nodes[1].is("USER") {
        return Ok(Translated::execute(format!("CREATE ROLE {name}")));
    }
    if nodes.len() == 3 {
        return Err(SqlError::new("syntax error at end of input").hint("Redshift wants a PASSWORD"));
    }
    Ok(Translated::execute(format!("CREATE ROLE {name} LOGIN {}", password(&nodes[3..])?)))
}

/// `ALTER USER name PASSWORD …`
pub(super) fn alter_user(nodes: &[Node]) -> SqlResult<Translated> {
    let name = name_text(nodes.get(2))?;
    Ok(Translated::execute(format!("ALTER ROLE {name} {}", password(nodes.get(3..).unwrap_or_default())?)))
}

/// `PASSWORD { 'text' | 'md5…' | DISABLE }`. A password in clear text must have what Redshift asks of one.
fn password(nodes: &[Node]) -> SqlResult<String> {
    match nodes {
        [word, Node::Text { text, .. }] if word.is("PASSWORD") => {
            let hashed = text.len() == 35 && text.starts_with("md5");
            let has = |what: fn(&char) -> bool| text.chars().any(|c| what(&c));
            let strong = (8..=64).contains(&text.len())
                && has(char::is_ascii_uppercase)
                && has(char::is_ascii_lowercase)
                && has(char::is_ascii_digit);
            if hashed || strong {
                return Ok(format!("PASSWORD {}", literal(text)));
            }
            Err(SqlError::new(
                "password must be 8 to 64 characters with an upper-case and a lower-case letter and a digit",
            ))
        }
        [word, disable] if word.is("PASSWORD") && disable.is("DISABLE") => Ok("PASSWORD NULL".to_owned()),
        [first, ..] => Err(SqlError::not_rehearsed(&format!("a USER with {}", first.shown().to_uppercase()))),
        [] => Err(SqlError::new("syntax error at end of input")),
    }
}

/// GRANT and REVOKE. `TO ROLE name` and `GRANT ROLE name` lose the word that PostgreSQL does not use.
pub(super) fn grant(nodes: &[Node]) -> SqlResult<Translated> {
    let mut out: Vec<Node> = Vec::new();
    for node in nodes {
        let after =
            out.last().is_some_and(|last| last.is_any(&["TO", "FROM", "GRANT", "REVOKE"]) || last.is_symbol(","));
        if node.is("ROLE") && after {
            continue;
        }
        if node.is_any(&["ASSUMEROLE", "EXTERNAL", "LANGUAGE", "MODEL", "DATASHARE"]) {
            return Err(SqlError::not_rehearsed(&format!("{} … {}", nodes[0].shown().to_uppercase(), node.shown())));
        }
        out.push(node.clone());
    }
    Ok(Translated::execute(render(&out)))
}

/// SET of what means the same here; the function's schema stays in reach whatever the search path.
pub(super) fn set(nodes: &[Node]) -> SqlResult<Translated> {
    let (name, length) = qualified_name(&nodes[1..])?;
    let rest = nodes.get(2 + length..).unwrap_or_default();
    match name.as_str() {
        "search_path" => Ok(Translated::execute(format!("SET search_path TO {}, redshift, pg_catalog", render(rest)))),
        "timezone" | "statement_timeout" | "datestyle" => {
            Ok(Translated::execute(format!("SET {name} TO {}", render(rest))))
        }
        "query_group" | "enable_result_cache_for_session" | "wlm_query_slot_count" | "application_name" => {
            Ok(Translated::nothing())
        }
        other => Err(SqlError::not_rehearsed(&format!("SET {}", quote(other)))),
    }
}
