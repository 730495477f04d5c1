//! What must hold of database sources and the tables made from them.

use pipectl_contract::keys;

use crate::error::{Error, did_you_mean};
use crate::yaml::{Key, Node};

use super::Engine;

/// Keys that only a database that exists has.
const OF_EXISTING: [&str; 4] = ["host", "secret", "vpc", "port"];

/// The column types that a watermark can have.
const WATERMARKS: [&str; 5] = ["timestamp", "date", "smallint", "integer", "bigint"];

/// The engine and the block of a database source.
pub fn database(source: &Node) -> Option<(Engine, &Node)> {
    [Engine::Mysql, Engine::Postgresql].into_iter().find_map(|engine| Some((engine, source.get(engine.key())?)))
}

/// The source that a table names, when it is a database: its engine and block, and the table in the database.
fn of_table<'a>(table: &'a Node, sources: &'a [(Key, Node)]) -> Option<(Engine, &'a Node, Option<&'a str>)> {
    let text = table.get("source")?.as_str()?;
    let (name, object) = text.split_once('.').map_or((text, None), |(name, object)| (name, Some(object)));
    let (_, source) = sources.iter().find(|(key, _)| key.name == name)?;
    let (engine, block) = database(source)?;
    Some((engine, block, object))
}

fn is_cdc(block: &Node) -> bool {
    block.get("capture").and_then(Node::as_str) == Some("cdc")
}

/// Checks all database sources and all tables made from them.
pub fn check(sources: &[(Key, Node)], tables: &[(Key, Node)], errors: &mut Vec<Error>) {
    for (key, source) in sources {
        if let Some((engine, block)) = database(source) {
            place(key, engine, block, errors);
            capture(key, block, errors);
        }
    }
    for (key, table) in tables {
        match of_table(table, sources) {
            Some((_, block, object)) => {
                object_name(table, object, errors);
                let keyed = table.get("key").is_some_and(|key| !key.items().is_empty());
                if is_cdc(block) { followed(key, table, keyed, errors) } else { read(key, table, keyed, errors) }
            }
            None => {
                if let Some((name, _)) = table.entries().iter().find(|(name, _)| name.name == "watermark") {
                    errors.push(
                        Error::project(format!(
                            "table `{}` has a watermark, and its source is not a database",
                            key.name
                        ))
                        .at(&name.span, "for `capture: watermark` only")
                        .hint("remove the line"),
                    );
                }
                shared_name(key, sources, errors);
            }
        }
    }
    read_twice(tables, sources, errors);
}

/// Where the database is: exactly one of `host` and `create`.
fn place(key: &Key, engine: Engine, block: &Node, errors: &mut Vec<Error>) {
    let name = &key.name;
    let Some(create) = block.get("create") else {
        if block.get("host").is_none() {
            errors.push(
                Error::project(format!("the source `{name}` does not say where its database is"))
                    .at(&key.span, "neither `host` nor `create`")
                    .hint("add `host: <host name>`, or `create: {}` to have one made in Amazon RDS"),
            );
        }
        return schema(engine, block, errors);
    };
    for (given, _) in block.entries().iter().filter(|(given, _)| OF_EXISTING.contains(&given.name.as_str())) {
        errors.push(
            Error::project(format!("the source `{name}` has both `create` and `{}`", given.name))
                .at(&given.span, "of a database that exists")
                .note(format!("`create` creates a new database (line {}) and sets its address", create.span.line()))
                .hint(format!("remove `{}`, or remove `create`", given.name)),
        );
    }
    schema(engine, block, errors);
}

fn schema(engine: Engine, block: &Node, errors: &mut Vec<Error>) {
    if let Some(schema) = block.get("schema").filter(|_| engine == Engine::Mysql) {
        errors.push(
            Error::project("MySQL has no schemas within a database")
                .at(&schema.span, "for `postgresql` only")
                .hint("remove the line; `database` names where the tables are"),
        );
    }
    if let Some(subnets) = block.pointer("/vpc/subnets") {
        if subnets.items().is_empty() {
            errors.push(
                Error::project("`vpc.subnets` is empty")
                    .at(&subnets.span, "")
                    .hint("list the subnets from which the database can be reached: `subnets: [subnet-…, subnet-…]`"),
            );
        }
        for subnet in subnets.items() {
            let text = subnet.as_str().unwrap_or_default();
            let digits = text.strip_prefix("subnet-").unwrap_or_default();
            if digits.len() < 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                errors.push(
                    Error::project(format!("`{text}` is not a subnet ID"))
                        .at(&subnet.span, "")
                        .hint("write it as the console shows it: `subnet-0123456789abcdef0`"),
                );
            }
        }
    }
}

/// Rejects keys of the other way of capturing.
fn capture(key: &Key, block: &Node, errors: &mut Vec<Error>) {
    let cdc = is_cdc(block);
    let (foreign, other): (&[&str], _) =
        if cdc { (&["schedule", "overlap_minutes"], "watermark") } else { (&["replication"], "cdc") };
    for (given, _) in block.entries().iter().filter(|(given, _)| foreign.contains(&given.name.as_str())) {
        let why = if cdc { "DMS follows the database all the time" } else { "the job needs no replication" };
        errors.push(
            Error::project(format!("the source `{}` cannot have `{}`: {why}", key.name, given.name))
                .at(&given.span, format!("for `capture: {other}` only"))
                .hint(format!("remove it, or write `capture: {other}`")),
        );
    }
    let schedule = block.get("schedule").filter(|_| !cdc);
    if let Some(schedule) = schedule
        && let Some(text) = schedule.as_str().filter(|text| text.starts_with("rate("))
    {
        let cron = match text {
            "rate(1 day)" => "cron(0 6 * * ? *)",
            "rate(15 minutes)" => "cron(0/15 * * * ? *)",
            "rate(30 minutes)" => "cron(0/30 * * * ? *)",
            _ => "cron(0 * * * ? *)",
        };
        errors.push(
            Error::project(format!("`{text}` cannot start a Glue job: its triggers know no rates"))
                .at(&schedule.span, "must be `cron(…)`")
                .hint(format!("write `schedule: {cron}`; the time is UTC")),
        );
    }
}

/// `crm.orders`: the name must be one that is also good as a part of an object's key.
fn object_name(table: &Node, object: Option<&str>, errors: &mut Vec<Error>) {
    let Some(source) = table.get("source") else { return };
    let text = source.as_str().unwrap_or_default();
    let Some(object) = object else {
        errors.push(
            Error::project(format!("`{text}` is a database, so the table must name a table of it"))
                .at(&source.span, "which table?")
                .hint(format!("write `source: {text}.<table>`")),
        );
        return;
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-');
    if object.is_empty() || !object.chars().all(good) || object.starts_with(['_', '$', '-']) {
        let fix = match object.rsplit_once('.') {
            Some((schema, _)) => format!("name the schema once, as `schema: {schema}` of the source"),
            None => "letters, digits, `_`, `$` and `-` can be read; make a view with such a name".to_owned(),
        };
        errors.push(
            Error::project(format!("`{object}` cannot be read as a table of the database"))
                .at(&source.span, "")
                .hint(fix),
        );
    }
}

/// A table that is read by its watermark.
fn read(key: &Key, table: &Node, keyed: bool, errors: &mut Vec<Error>) {
    let name = &key.name;
    let columns = table.get("columns").map_or(&[][..], Node::entries);
    let kind = |node: &Node| node.get("type").unwrap_or(node).as_str().unwrap_or_default().to_owned();
    let fitting: Vec<&str> = columns
        .iter()
        .filter(|(_, node)| WATERMARKS.contains(&kind(node).as_str()))
        .map(|(column, _)| column.name.as_str())
        .collect();
    let Some(watermark) = table.get("watermark") else {
        let guess = fitting.iter().find(|column| column.contains("updated") || column.contains("modified"));
        let hint = match guess.or(fitting.first()) {
            Some(column) => format!(
                "add `watermark: {column}`, if that column changes with every change of a row; else use `capture: cdc`"
            ),
            None => "add the column that says when a row was last changed, and name it as `watermark`".to_owned(),
        };
        errors.push(
            Error::project(format!("table `{name}` has no `watermark` column to find new rows"))
                .at(&key.span, "no `watermark`")
                .hint(hint),
        );
        return no_key(key, keyed, errors);
    };
    let text = watermark.as_str().unwrap_or_default();
    match columns.iter().find(|(column, _)| column.name == text) {
        None if columns.is_empty() => {}
        None => errors.push(
            Error::project(format!("`watermark` of table `{name}` names an unknown column `{text}`"))
                .at(&watermark.span, "no such column")
                .hint(did_you_mean(text, columns.iter().map(|(column, _)| column.name.as_str()))),
        ),
        Some((_, node)) if !WATERMARKS.contains(&kind(node).as_str()) => errors.push(
            Error::project(format!("`watermark` of table `{name}` is {} column", article(&kind(node))))
                .at(&watermark.span, "must be a time or a whole number")
                .hint(if fitting.is_empty() {
                    format!("a watermark is one of: {}", WATERMARKS.join(", "))
                } else {
                    format!("name one of: {}", fitting.join(", "))
                }),
        ),
        Some(_) => {}
    }
    no_key(key, keyed, errors);
}

/// Rows near the watermark are read more than once, so the table needs a key.
fn no_key(key: &Key, keyed: bool, errors: &mut Vec<Error>) {
    if !keyed {
        errors.push(
            Error::project(format!("table `{}` is read by its watermark and has no key", key.name))
                .at(&key.span, "rows at the watermark are read more than once")
                .hint("add `key: [id]` with the columns that identify a row"),
        );
    }
}

/// A table that is followed by DMS.
fn followed(key: &Key, table: &Node, keyed: bool, errors: &mut Vec<Error>) {
    let name = &key.name;
    if let Some((watermark, _)) = table.entries().iter().find(|(given, _)| given.name == "watermark") {
        errors.push(
            Error::project(format!("table `{name}` has a watermark, and its source is followed by DMS"))
                .at(&watermark.span, "for `capture: watermark` only")
                .hint("remove the line"),
        );
    }
    if let Some((order, _)) = table.entries().iter().find(|(given, _)| given.name == "order_by") {
        errors.push(
            Error::project(format!("table `{name}` follows a database, and has `order_by`"))
                .at(&order.span, "for sources without a log only")
                .note("the log has the changes in their order; a column of the table would set another")
                .hint("remove the line"),
        );
    }
    if let Some(load) = table.get("load").filter(|load| load.as_str() == Some("append")) {
        errors.push(
            Error::project(format!("table `{name}` follows updates and deletes, and cannot append"))
                .at(&load.span, "must be `upsert`")
                .hint("remove the line, and add `key: [id]` with the columns that identify a row"),
        );
    } else if !keyed {
        errors.push(
            Error::project(format!("table `{name}` follows a database and has no key"))
                .at(&key.span, "updates and deletes could not find their rows")
                .hint("add `key: [id]` with the columns of the primary key"),
        );
    }
}

/// Objects of a database are under `landing/<source>/<table>/`, those of other sources under `landing/<table>/`.
fn shared_name(key: &Key, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    if let Some((source, _)) = sources.iter().find(|(name, node)| name.name == key.name && database(node).is_some()) {
        errors.push(
            Error::project(format!("the table `{0}` and the database source `{0}` share their name", key.name))
                .at(&key.span, format!("both would have their objects under `{}`", keys::landing_folder(&key.name)))
                .note(format!("the source is in line {}", source.span.line()))
                .hint("rename one of them"),
        );
    }
}

/// Two tables of one table in a database would take each other's objects.
fn read_twice(tables: &[(Key, Node)], sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (key, table) in tables {
        let Some(source) = table.get("source").filter(|_| of_table(table, sources).is_some()) else { continue };
        let text = source.as_str().unwrap_or_default();
        match known.iter().find(|(other, _)| *other == text) {
            Some((_, first)) => errors.push(
                Error::project(format!("the tables `{first}` and `{}` are both made from `{text}`", key.name))
                    .at(&source.span, format!("`{first}` has it already"))
                    .hint(format!("put the columns of `{}` into `{first}`, and select them in a mart", key.name)),
            ),
            None => known.push((text, &key.name)),
        }
    }
}

fn article(kind: &str) -> String {
    format!("{} {kind}", if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
}

#[cfg(test)]
mod tests;
