//! Redshift SQL to PostgreSQL statements.
//!
//! A statement is cut into a tree of words and parentheses (`token`), its first words say which kind it is, and each kind
//! has a file. What is not understood is refused by name: a statement that would mean something else on Redshift never
//! runs here as if it were the same.

mod admin;
mod aggregate;
mod alter;
mod call;
mod column;
mod copy_options;
mod date_part;
mod expression;
mod merge;
mod qualify;
mod reserved;
mod select;
mod table;
mod token;
mod types;
mod unload_options;

use std::collections::{BTreeMap, BTreeSet};

use pipectl_core::sql::reaches_out;

pub(crate) use copy_options::Copy;
pub(crate) use token::{literal, quote};
pub(crate) use unload_options::{Unload, UnloadFormat};

use self::token::{Node, render};
use super::error::{SqlError, SqlResult};

/// What a Redshift statement is to PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Translated {
    /// Run one after the other; the last one's rows are the statement's. None: nothing is to be done.
    pub(crate) steps: Vec<Step>,
    /// Whether Redshift refuses the statement within a transaction.
    pub(crate) alone: Option<&'static str>,
    /// Whether the statement ends the transaction it runs in, as TRUNCATE does.
    pub(crate) commits: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A statement that changes something.
    Execute(String),
    /// A statement that answers with rows.
    Query(String),
    /// A COPY, which is executed here.
    Copy(Copy),
    /// An UNLOAD, which is executed here.
    Unload(Unload),
}

impl Translated {
    fn execute(sql: impl Into<String>) -> Self {
        Self { steps: vec![Step::Execute(sql.into())], ..Self::default() }
    }

    fn query(sql: impl Into<String>) -> Self {
        Self { steps: vec![Step::Query(sql.into())], ..Self::default() }
    }

    fn nothing() -> Self {
        Self::default()
    }

    fn alone(mut self, statement: &'static str) -> Self {
        self.alone = Some(statement);
        self
    }
}

/// Translates one statement; `parameters` replace its `:names`. Adds the names it used to `used`.
pub(crate) fn translate(
    sql: &str,
    parameters: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> SqlResult<Translated> {
    let nodes = with_parameters(token::parse(sql)?, parameters, used)?;
    refuse_functions(&nodes)?;
    let first = nodes.first().map(Node::shown).unwrap_or_default().to_ascii_uppercase();
    let second = nodes.get(1).and_then(Node::keyword).unwrap_or_default();
    let rewritten = |nodes| Ok::<_, SqlError>(render(&expression::level(nodes)?));
    match (first.as_str(), second.as_str()) {
        ("SELECT" | "(", _) => Ok(Translated::query(rewritten(nodes)?)),
        ("WITH", _) => {
            // The list of a WITH may also feed a statement that writes.
            let writes = nodes.iter().any(|node| node.is_any(&["INSERT", "UPDATE", "DELETE"]));
            let sql = rewritten(nodes)?;
            Ok(if writes { Translated::execute(sql) } else { Translated::query(sql) })
        }
        ("EXPLAIN", "VERBOSE" | "ANALYZE") => Err(SqlError::not_rehearsed("EXPLAIN with options")),
        ("EXPLAIN", _) => Ok(Translated::query(format!("EXPLAIN {}", after_keyword(&nodes, "SELECT")?))),
        ("INSERT", "INTO") => Ok(Translated::execute(insert(nodes)?)),
        ("UPDATE" | "DELETE", _) => Ok(Translated::execute(rewritten(nodes)?)),
        ("MERGE", "INTO") => merge::translate(&nodes),
        ("COPY", _) => copy_options::parse(&nodes)
            .map(|copy| Translated { steps: vec![Step::Copy(copy)], ..Translated::default() }),
        ("CREATE", _) => create(nodes),
        ("ALTER", "TABLE") => alter::table(&nodes),
        ("DROP", "TABLE" | "VIEW") => drop_relation(&nodes),
        ("DROP", "SCHEMA" | "MATERIALIZED" | "USER" | "ROLE" | "GROUP") | ("COMMENT", "ON") | ("LOCK", _) => {
            Ok(Translated::execute(render(&nodes)))
        }
        // It sees what is committed, and is a separate transaction.
        ("REFRESH", "MATERIALIZED") => Ok(Translated::execute(render(&nodes)).alone("REFRESH MATERIALIZED VIEW")),
        ("UNLOAD", _) => unload_options::parse(&nodes),
        ("ALTER", "USER") => admin::alter_user(&nodes),
        ("ALTER", "DEFAULT") => Ok(Translated::execute(render(&nodes))),
        ("TRUNCATE", _) => Ok(Translated { commits: true, ..Translated::execute(render(&nodes)) }),
        ("VACUUM", _) => Ok(Translated::nothing().alone("VACUUM")),
        ("ANALYZE" | "ANALYSE", "COMPRESSION") => Ok(Translated::nothing()),
        ("ANALYZE" | "ANALYSE", _) => Ok(Translated::execute(analyze(&nodes))),
        ("GRANT" | "REVOKE", _) => admin::grant(&nodes),
        ("SET", _) => admin::set(&nodes),
        ("BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT", _) => {
            Err(SqlError::not_rehearsed(&format!("{first} in a statement of the Data API"))
                .hint("a BatchExecuteStatement is one transaction by itself"))
        }
        ("", _) => Err(SqlError::new("the statement is empty")),
        (
            "ALTER" | "CALL" | "CANCEL" | "CLOSE" | "DEALLOCATE" | "DECLARE" | "DESC" | "DESCRIBE" | "DROP" | "EXECUTE"
            | "FETCH" | "PREPARE" | "RESET" | "SHOW" | "USE",
            _,
        ) => Err(SqlError::not_rehearsed(format!("{first} {second}").trim_end())),
        _ => Err(SqlError::syntax(&nodes[0].shown())),
    }
}

/// PostgreSQL has functions that read files of this machine and run other statements. Redshift has none of them. (It has
/// `pg_sleep`, which waits.)
fn refuse_functions(nodes: &[Node]) -> SqlResult<()> {
    for (index, node) in nodes.iter().enumerate() {
        let Some(items) = node.items() else { continue };
        let name = index.checked_sub(1).and_then(|before| nodes[before].name()).unwrap_or_default();
        if name != "pg_sleep" && reaches_out(&name) {
            return Err(SqlError::new(format!("function {name}() does not exist")));
        }
        refuse_functions(items)?;
    }
    Ok(())
}

/// Puts the values in place of `:name`, as literals, which the server converts as it needs.
fn with_parameters(
    nodes: Vec<Node>,
    parameters: &BTreeMap<String, String>,
    used: &mut BTreeSet<String>,
) -> SqlResult<Vec<Node>> {
    let mut out = Vec::with_capacity(nodes.len());
    let mut rest = nodes.into_iter().peekable();
    while let Some(node) = rest.next() {
        match node {
            Node::Group { items, spaced } => {
                out.push(Node::Group { items: with_parameters(items, parameters, used)?, spaced });
            }
            Node::Symbol { text, spaced } if text == ":" => {
                let Some(Node::Word { text: name, .. } | Node::Symbol { text: name, .. }) = rest.next() else {
                    return Err(SqlError::syntax(":"));
                };
                let value = parameters
                    .get(&name)
                    .ok_or_else(|| SqlError::new(format!("the parameter :{name} has no value")))?;
                used.insert(name);
                out.push(Node::Text { text: value.clone(), spaced });
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// `INSERT INTO table [(columns)] { VALUES … | query }`
fn insert(mut nodes: Vec<Node>) -> SqlResult<String> {
    let (name, mut length) = qualified_name(&nodes[2..])?;
    length += 2;
    if nodes.get(length).and_then(Node::items).is_some_and(|items| !items.iter().any(|node| node.is("SELECT"))) {
        length += 1;
    }
    let source = nodes.split_off(length);
    if source.is_empty() {
        return Err(SqlError::new("syntax error at end of input"));
    }
    let columns = nodes.get(length - 1).filter(|node| node.items().is_some());
    let columns = columns.map(|node| format!(" {}", render(std::slice::from_ref(node)))).unwrap_or_default();
    Ok(format!("INSERT INTO {name}{columns} {}", render(&expression::level(source)?)))
}

fn create(nodes: Vec<Node>) -> SqlResult<Translated> {
    let words: Vec<String> = nodes.iter().take(5).map(|node| node.keyword().unwrap_or_default()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_, "TABLE" | "TEMP" | "TEMPORARY" | "LOCAL", ..] => table::translate(&nodes),
        [_, "SCHEMA", ..] => admin::create_schema(&nodes),
        [_, "EXTERNAL", "SCHEMA", ..] => admin::create_external_schema(&nodes),
        [_, "VIEW", ..] | [_, "OR", "REPLACE", "VIEW", ..] => view(nodes),
        [_, "MATERIALIZED", "VIEW", ..] => table::materialized_view(&nodes),
        [_, "USER" | "ROLE" | "GROUP", ..] => admin::create_principal(&nodes),
        [_, "INDEX" | "UNIQUE", ..] => Err(SqlError::not_redshift("CREATE INDEX")),
        [_, second, ..] => Err(SqlError::not_rehearsed(&format!("CREATE {second}"))),
        _ => Err(SqlError::syntax("create")),
    }
}

/// Views that nothing binds make room, and what is known of a view goes with it.
fn drop_relation(nodes: &[Node]) -> SqlResult<Translated> {
    let exists = usize::from(nodes.get(2).is_some_and(|node| node.is("IF"))) * 2;
    let (name, _) = qualified_name(nodes.get(2 + exists..).unwrap_or_default())?;
    let name = literal(&name);
    let before = if nodes[1].is("VIEW") {
        format!("DELETE FROM redshift.late_binding WHERE name = {name}; PERFORM redshift.release({name})")
    } else {
        format!("PERFORM redshift.release({name})")
    };
    let steps = vec![Step::Execute(format!("DO $$ BEGIN {before}; END $$")), Step::Execute(render(nodes))];
    Ok(Translated { steps, ..Translated::default() })
}

/// Creates the views again that were lost with a table.
fn rebind(mut translated: Translated) -> Translated {
    translated.steps.push(Step::Execute("DO $$ BEGIN PERFORM redshift.rebind(); END $$".to_owned()));
    translated
}

/// `CREATE [OR REPLACE] VIEW … AS query [WITH NO SCHEMA BINDING]`. What it reads must exist when it is made,
/// late-binding or not.
fn view(mut nodes: Vec<Node>) -> SqlResult<Translated> {
    let length = nodes.len();
    let late =
        length > 4 && nodes[length - 4].is("WITH") && nodes[length - 3].is("NO") && nodes[length - 1].is("BINDING");
    if late {
        nodes.truncate(length - 4);
    }
    let position = nodes.iter().position(|node| node.is("AS")).ok_or_else(|| SqlError::syntax("view"))?;
    let query = nodes.split_off(position + 1);
    let query = render(&expression::level(query)?);
    let created = Step::Execute(format!("{} {query}", render(&nodes)));
    if !late {
        return Ok(Translated { steps: vec![created], ..Translated::default() });
    }
    let start = nodes.iter().position(|node| node.is("VIEW")).map_or(2, |position| position + 1);
    let (name, _) = qualified_name(&nodes[start..])?;
    let known = Step::Execute(format!(
        "DO $$ BEGIN PERFORM redshift.bind_late({}, {}); END $$",
        literal(&name),
        literal(&query)
    ));
    Ok(Translated { steps: vec![known, created], ..Translated::default() })
}

/// `ANALYZE [table [(columns)]] [PREDICATE COLUMNS | ALL COLUMNS]`
fn analyze(nodes: &[Node]) -> String {
    let end = nodes.iter().position(|node| node.is_any(&["PREDICATE", "ALL"])).unwrap_or(nodes.len());
    let verbose = usize::from(nodes.get(1).is_some_and(|node| node.is("VERBOSE")));
    format!("ANALYZE {}", render(&nodes[1 + verbose..end.max(1 + verbose)])).trim_end().to_owned()
}

/// The rewritten rest of a statement from the keyword on.
fn after_keyword(nodes: &[Node], keyword: &str) -> SqlResult<String> {
    let position = nodes
        .iter()
        .position(|node| node.is(keyword) || node.is("WITH"))
        .ok_or_else(|| SqlError::not_rehearsed("EXPLAIN of this statement"))?;
    Ok(render(&expression::level(nodes[position..].to_vec())?))
}

/// A possibly qualified name as PostgreSQL writes it, and how many nodes it takes.
fn qualified_name(nodes: &[Node]) -> SqlResult<(String, usize)> {
    let mut text = name_text(nodes.first())?;
    let mut length = 1;
    while nodes.get(length).is_some_and(|node| node.is_symbol(".")) {
        text = format!("{text}.{}", name_text(nodes.get(length + 1))?);
        length += 2;
    }
    Ok((text, length))
}

/// A name that is not a reserved word, quoted if it was.
fn name_text(node: Option<&Node>) -> SqlResult<String> {
    let name = reserved::name(node)?;
    Ok(match node {
        Some(Node::Word { .. }) if !name.starts_with('#') => name,
        _ => quote(&name),
    })
}

#[cfg(test)]
mod tests;
