//! What must hold between the parts of a spec.
//!
//! The rules read the merged YAML tree and not the types, so that they run, and report, even where the shape of some
//! other part is wrong.

use pipectl_contract::keys;
use pipectl_contract::names::{ADMIN_USER, Zone, bucket};
use pipectl_contract::types::{ColumnType, PLAIN};

use crate::error::{Error, did_you_mean};
use crate::yaml::{Key, Node, Value};

mod files;
mod iceberg;
mod quality;

use super::grammar;
use super::late_rows;
use super::names::{self, is_identifier, is_reserved, is_resource_part};
use super::source::shopify::objects as shopify;
use super::source::{custom, database};

/// Checks the whole tree of a pipeline. `prefix` starts all names.
pub fn check(pipeline: &Node, prefix: &str, account: &str, region: &str) -> Vec<Error> {
    let mut errors = Vec::new();
    expanded_names(pipeline, prefix, account, region, &mut errors);
    sources(pipeline, prefix, &mut errors);
    tables(pipeline, &mut errors);
    database::rules::check(keys(pipeline, "sources"), keys(pipeline, "tables"), &mut errors);
    late_rows::check(pipeline, &mut errors);
    marts(pipeline, &mut errors);
    warehouse(pipeline, &mut errors);
    zones(pipeline, &mut errors);
    super::alerts::check(pipeline, &mut errors);
    tags(pipeline, &mut errors);
    branch(pipeline, &mut errors);
    errors
}

fn keys<'a>(node: &'a Node, name: &str) -> &'a [(Key, Node)] {
    node.get(name).map_or(&[], Node::entries)
}

fn expanded_names(pipeline: &Node, prefix: &str, account: &str, region: &str, errors: &mut Vec<Error>) {
    let Some(name) = pipeline.get("name") else { return };
    let buckets = Zone::ALL.map(|zone| bucket(prefix, zone, account, region));
    let bucket = buckets.into_iter().max_by_key(String::len).unwrap_or_default();
    if bucket.len() > names::BUCKET {
        let over = bucket.len() - names::BUCKET;
        errors.push(
            Error::project(format!(
                "the bucket name `{bucket}` is {} characters long; S3 allows {}",
                bucket.len(),
                names::BUCKET
            ))
            .at(&name.span, "is part of it")
            .hint(format!("shorten `name` or the environment's name by {over} characters")),
        );
    }
}

fn sources(pipeline: &Node, prefix: &str, errors: &mut Vec<Error>) {
    for (key, source) in keys(pipeline, "sources") {
        if let Some(custom) = source.get("lambda") {
            custom::check(key, custom, errors);
        }
        files::dialect(key, source, errors);
        schedule(key, source, errors);
        if !is_resource_part(&key.name) {
            errors.push(
                Error::project(format!("`{}` cannot be the name of a source", key.name))
                    .at(&key.span, "")
                    .hint("use lower-case letters, digits and `-`, and start with a letter"),
            );
        }
        let role = format!("{prefix}-ingest-{}", key.name);
        if role.len() > names::ROLE {
            errors.push(
                Error::project(format!(
                    "the role name `{role}` is {} characters long; IAM allows {}",
                    role.len(),
                    names::ROLE
                ))
                .at(&key.span, "is part of it")
                .hint(format!("shorten the source's name by {} characters", role.len() - names::ROLE)),
            );
        }
    }
}

fn identifier(key: &Key, what: &str, errors: &mut Vec<Error>) {
    let name = &key.name;
    if is_reserved(name) {
        errors.push(
            Error::project(format!("`{name}` is a reserved word of Redshift and cannot name a {what}"))
                .at(&key.span, "reserved")
                .hint(format!("rename it, for example to `{name}_{}`", if what == "table" { "data" } else { "value" })),
        );
    } else if !is_identifier(name) {
        let fixed: String =
            name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        errors.push(
            Error::project(format!("`{name}` cannot name a {what}"))
                .at(&key.span, "lower-case letters, digits and `_`, not starting with a digit")
                .hint(format!(
                    "rename it, for example to `{}`",
                    fixed.trim_start_matches(|c: char| c.is_ascii_digit())
                )),
        );
    }
}

fn tables(pipeline: &Node, errors: &mut Vec<Error>) {
    let sources = keys(pipeline, "sources");
    for (key, table) in keys(pipeline, "tables") {
        identifier(key, "table", errors);
        if let Some(source) = table.get("source").filter(|node| node.as_str().is_some()) {
            table_source(source, sources, errors);
        }
        transform(key, table, pipeline, errors);
        path(table.get("transform"), errors);
        columns(key, table, sources, errors);
        repeated_rows(key, table, sources, errors);
        shopify_fields(table, sources, errors);
        quality::check(pipeline, key, table, errors);
        iceberg::check(pipeline, key, errors);
        files::check(key, table, sources, errors);
        files::columns(table, sources, errors);
    }
}

/// What the SQL of a transform reads beside each table itself: the rows that a run has brought.
pub const CHANGED: &str = "changed_";

/// A table comes from a source, or is made by SQL from tables that do.
fn transform(key: &Key, table: &Node, pipeline: &Node, errors: &mut Vec<Error>) {
    match (table.get("source"), table.get("transform")) {
        (None, None) if matches!(table.value, Value::Mapping(_)) => errors.push(
            Error::project(format!("table `{}` has neither `source` nor `transform`", key.name))
                .at(&key.span, "")
                .hint("add `source: …`, or `transform: …` with a file of SQL"),
        ),
        (Some(_), Some(transform)) => errors.push(
            Error::project(format!("table `{}` has both `source` and `transform`", key.name))
                .at(&transform.span, "")
                .hint("a transform reads other tables: give the source its own table, and remove one of the two"),
        ),
        _ => {}
    }
    for (column, node) in keys(table, "columns") {
        if table.get("transform").is_some()
            && let Some(from) = node.get("from")
        {
            errors.push(
                Error::project(format!("`{}.{}` has `from`, and its table is made by SQL", key.name, column.name))
                    .at(&from.span, "")
                    .hint(format!("drop it, and name the column in the SQL: `… AS {}`", column.name)),
            );
        }
    }
    if let Some(name) = key.name.strip_prefix(CHANGED)
        && keys(pipeline, "tables").iter().any(|(key, _)| key.name == name)
    {
        errors.push(
            Error::project(format!("`{}` cannot name a table", key.name))
                .at(&key.span, "the SQL of transforms calls the changed rows of another table so")
                .hint("rename it"),
        );
    }
}

fn shopify_fields(table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let source = table.get("source").and_then(Node::as_str).and_then(|source| source.split_once('.'));
    if let Some((name, object)) = source
        && sources.iter().any(|(key, node)| key.name == name && node.get("shopify").is_some())
    {
        errors.extend(shopify::check_columns(object, keys(table, "columns")));
    }
}

/// Shopify is read from the last row's time on, that row included, so its rows come more than once.
fn repeated_rows(key: &Key, table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let name = table.get("source").and_then(Node::as_str).unwrap_or_default().split('.').next().unwrap_or_default();
    let shopify = sources.iter().any(|(source, node)| source.name == name && node.get("shopify").is_some());
    let has_key = table.get("key").is_some_and(|key| !key.items().is_empty());
    if let Some(load) = table.get("load").filter(|load| load.as_str() == Some("append"))
        && shopify
        && !has_key
    {
        errors.push(
            Error::project(format!("table `{}` would hold rows of Shopify more than once", key.name))
                .at(&load.span, "appends, and has no key")
                .hint("add `key: [id]`, so that only rows with a new key are added"),
        );
    }
}

fn table_source(node: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let text = node.as_str().unwrap_or_default();
    let (name, object) = text.split_once('.').map_or((text, None), |(name, object)| (name, Some(object)));
    let Some((_, source)) = sources.iter().find(|(key, _)| key.name == name) else {
        let known = sources.iter().map(|(key, _)| key.name.as_str());
        errors.push(
            Error::project(format!("unknown source `{name}`"))
                .at(&node.span, "no source has this name")
                .hint(did_you_mean(name, known)),
        );
        return;
    };
    let shopify = source.get("shopify").is_some();
    match object {
        object if shopify => errors.extend(shopify::check_object(node, name, object)),
        Some(object) if source.get("files").or(source.get("lambda")).is_some() => errors.push(
            Error::project(format!("`{name}` is a source of files and has no objects"))
                .at(&node.span, format!("drop `.{object}`"))
                .hint(format!("write `source: {name}`; the files belong under `{}`", keys::landing_folder("<table>"))),
        ),
        _ => {}
    }
}

fn columns(key: &Key, table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let columns = keys(table, "columns");
    let Some(columns_node) = table.get("columns") else { return };
    if columns.is_empty() && matches!(columns_node.value, Value::Mapping(_)) {
        errors.push(
            Error::project(format!("table `{}` has no columns", key.name))
                .at(&key.span, "")
                .hint("add at least one below `columns:`, such as `id: bigint`"),
        );
    }
    for (column, node) in columns {
        identifier(column, "column", errors);
        let kind = node.get("type").unwrap_or(node);
        if let Some(text) = kind.as_str()
            && let Err(problem) = text.parse::<ColumnType>()
        {
            let names = PLAIN.iter().copied().chain(["decimal(12,2)", "varchar(255)"]);
            let hint = match text {
                "int" => "write `integer`".to_owned(),
                "text" | "string" | "varchar" => "write `varchar(255)`, with the length in bytes".to_owned(),
                "float" | "real" => "write `double`".to_owned(),
                "numeric" | "decimal" => "write `decimal(12,2)`".to_owned(),
                "datetime" | "timestamptz" => "write `timestamp`; values are kept in UTC".to_owned(),
                "json" | "jsonb" => "write `super`".to_owned(),
                _ => did_you_mean(text, names),
            };
            errors.push(Error::project(problem).at(&kind.span, format!("the type of `{}`", column.name)).hint(hint));
        }
    }
    let known: Vec<&str> = columns.iter().map(|(column, _)| column.name.as_str()).collect();
    let mut refer = |node: &Node, name: &str, what: &str| {
        if !known.is_empty() && !known.contains(&name) {
            errors.push(
                Error::project(format!("{what} of table `{}` names an unknown column `{name}`", key.name))
                    .at(&node.span, "no such column")
                    .hint(did_you_mean(name, known.iter().copied())),
            );
        }
    };
    for list in ["/key", "/checks/not_null", "/checks/unique"] {
        for item in table.pointer(list).map_or(&[][..], Node::items) {
            refer(
                item,
                item.as_str().unwrap_or_default(),
                &format!("`{}`", list.trim_start_matches('/').replace('/', ".")),
            );
        }
    }
    if let Some(order_by) = table.get("order_by").filter(|node| node.as_str().is_some()) {
        refer(order_by, order_by.as_str().unwrap_or_default(), "`order_by`");
    }
    for check in ["accepted_values", "between", "matches", "references", "fresh_within"] {
        for (column, values) in table.pointer(&format!("/checks/{check}")).map_or(&[][..], Node::entries) {
            let at = Node { span: column.span.clone(), ..values.clone() };
            refer(&at, &column.name, &format!("`checks.{check}`"));
        }
    }
    // A database source says so itself, and says why.
    let of_database = table.get("source").and_then(Node::as_str).is_some_and(|source| {
        let name = source.split('.').next().unwrap_or_default();
        sources.iter().any(|(key, node)| key.name == name && database::rules::database(node).is_some())
    });
    let appends = of_database || table.get("load").and_then(Node::as_str) == Some("append");
    if !appends && table.get("key").is_none_or(|key| key.items().is_empty()) {
        errors.push(
            Error::project(format!("table `{}` is loaded by upsert and has no key", key.name))
                .at(&key.span, "")
                .hint("add `key: [id]` with the columns that identify a row, or `load: append`"),
        );
    }
    let bounds = |name: &str| match table.pointer(&format!("/checks/rows/{name}")) {
        Some(Node { value: Value::Number(number), .. }) => number.as_u64(),
        _ => None,
    };
    if let (Some(min), Some(max)) = (bounds("min"), bounds("max"))
        && min > max
        && let Some(rows) = table.pointer("/checks/rows")
    {
        errors.push(
            Error::project(format!("the row bounds of table `{}` exclude every count", key.name))
                .at(&rows.span, format!("{min} is more than {max}"))
                .hint(format!("write `rows: {{min: {max}, max: {min}}}`")),
        );
    }
}

fn marts(pipeline: &Node, errors: &mut Vec<Error>) {
    for (key, mart) in keys(pipeline, "marts") {
        identifier(key, "mart", errors);
        path(mart.get("sql"), errors);
    }
}

/// A file of the project is in the project. Whether a symbolic link leads out of it is seen when it is read.
fn path(node: Option<&Node>, errors: &mut Vec<Error>) {
    let Some((node, text)) = node.and_then(|node| Some((node, node.as_str()?))) else { return };
    if let Some(why) = grammar::not_in_project(text) {
        errors.push(
            Error::project(format!("`{text}` is no path within the project: {why}"))
                .at(&node.span, "")
                .hint("copy the file into the project, and name it by its path from the project's folder"),
        );
    }
}

/// When a source runs.
fn schedule(key: &Key, source: &Node, errors: &mut Vec<Error>) {
    for kind in ["shopify", "lambda", "mysql", "postgresql"] {
        let Some(node) = source.get(kind).and_then(|block| block.get("schedule")) else { continue };
        // A database says more of a rate.
        let database = matches!(kind, "mysql" | "postgresql");
        let Some(text) = node.as_str().filter(|text| !database || text.starts_with("cron(")) else { continue };
        if let Some(why) = grammar::wrong_schedule(text) {
            errors.push(
                Error::project(format!("the source `{}` has a schedule that AWS does not take: {why}", key.name))
                    .at(&node.span, "")
                    .hint("write `cron(0 6 * * ? *)` with minute, hour, day of the month, month, day of the week and year in UTC"),
            );
        }
    }
}

/// The branch stands in the trust policy of the role that deploys.
fn branch(pipeline: &Node, errors: &mut Vec<Error>) {
    let Some(node) = pipeline.pointer("/github/branch") else { return };
    if let Some(text) = node.as_str().filter(|text| !grammar::is_branch(text)) {
        errors.push(
            Error::project(format!("`{text}` cannot be the name of a branch"))
                .at(&node.span, "")
                .hint("write one branch, without wildcards, such as `main`"),
        );
    }
}

fn number(node: Option<&Node>) -> Option<u64> {
    match &node?.value {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn warehouse(pipeline: &Node, errors: &mut Vec<Error>) {
    let Some(warehouse) = pipeline.get("warehouse") else { return };
    read_only_users(warehouse, errors);
    let base = warehouse.get("base_capacity");
    let most = warehouse.get("max_capacity");
    for (name, node) in [("base_capacity", base), ("max_capacity", most)] {
        if let (Some(value), Some(node)) = (number(node), node)
            && value != 4
            && value % 8 != 0
        {
            errors.push(
                Error::project(format!("`warehouse.{name}` is {value} RPUs, which Redshift Serverless does not offer"))
                    .at(&node.span, "4, or a multiple of 8")
                    .hint(format!("write `{name}: {}`", value.div_ceil(8) * 8)),
            );
        }
    }
    let low = number(base).unwrap_or(4);
    let high = number(most).unwrap_or(8);
    if let Some(node) = most.or(base)
        && low > high
    {
        errors.push(
            Error::project(format!("`warehouse.base_capacity` ({low}) is more than `max_capacity` ({high})"))
                .at(&node.span, "")
                .hint(format!("write `max_capacity: {low}`")),
        );
    }
}

/// A user's name stands in SQL and in the name of a secret.
fn read_only_users(warehouse: &Node, errors: &mut Vec<Error>) {
    let mut seen: Vec<&str> = Vec::new();
    for user in warehouse.get("read_only_users").map_or(&[][..], Node::items) {
        let name = user.as_str().unwrap_or_default();
        let taken = [ADMIN_USER, "awsuser", "rdsdb", "public", "quicksight"].contains(&name);
        if !is_identifier(name) || is_reserved(name) || taken {
            errors.push(
                Error::project(format!("`{name}` cannot be the name of a user of the warehouse"))
                    .at(&user.span, if taken { "taken" } else { "lower-case letters, digits and `_`" })
                    .hint("name it for the tool that uses it, for example `metabase`"),
            );
        } else if seen.contains(&name) {
            errors.push(
                Error::project(format!("`{name}` is listed twice")).at(&user.span, "").hint("remove one of them"),
            );
        }
        seen.push(name);
    }
}

fn zones(pipeline: &Node, errors: &mut Vec<Error>) {
    let Some(archive) = pipeline.pointer("/zones/archive") else { return };
    if let Some(locked) = archive.get("lock").and_then(|lock| lock.get("days"))
        && let (Some(days), Some(expire)) = (number(Some(locked)), number(archive.get("expire_days")))
        && expire < days
    {
        errors.push(
            Error::project("the archive would delete its objects while they are locked")
                .at(&locked.span, format!("locked for {days} days; deleted after {expire}"))
                .hint(format!("write `expire_days: {days}` or more")),
        );
    }
    let Some(days) = archive.get("transition_days") else { return };
    let class = archive.get("storage_class").and_then(Node::as_str).unwrap_or("GLACIER");
    if class == "STANDARD_IA" && number(Some(days)).is_some_and(|days| days < 30) {
        errors.push(
            Error::project("objects can move to `STANDARD_IA` after 30 days at the earliest")
                .at(&days.span, "")
                .hint("write `transition_days: 30`"),
        );
    }
    if let (Some(transition), Some(expire)) = (number(Some(days)), number(archive.get("expire_days")))
        && expire <= transition
    {
        errors.push(
            Error::project("the archive deletes its objects before they move to the storage class")
                .at(&days.span, format!("after {transition} days; deleted after {expire}"))
                .hint(format!("write `expire_days: {}` or more", transition + 1)),
        );
    }
}

fn tags(pipeline: &Node, errors: &mut Vec<Error>) {
    let all = keys(pipeline, "tags");
    if let Some((key, _)) = all.get(grammar::TAGS) {
        errors.push(
            Error::project(format!("`tags` has {} tags; at most {} are possible", all.len(), grammar::TAGS))
                .at(&key.span, "the first that is too many")
                .hint("a resource of AWS has at most 50, and pipectl adds some"),
        );
    }
    for (key, node) in all {
        let value = node.as_str().unwrap_or_default();
        let (name, length) = (&key.name, value.chars().count());
        let wrong = if name.is_empty() || name.chars().count() > grammar::TAG_KEY {
            Some((&key.span, format!("the key of a tag must have 1 to {} characters", grammar::TAG_KEY)))
        } else if length > grammar::TAG_VALUE {
            Some((&node.span, format!("the value of the tag `{name}` has {length} characters")))
        } else if !grammar::is_tag_text(name) {
            Some((&key.span, format!("`{name}` cannot be the key of a tag")))
        } else if !grammar::is_tag_text(value) {
            Some((&node.span, format!("the tag `{name}` cannot have this value")))
        } else {
            None
        };
        if let Some((span, message)) = wrong {
            errors.push(Error::project(message).at(span, "").hint(format!(
                "AWS takes letters, digits, blanks and `_ . : / = + - @`, at most {} of them in a value",
                grammar::TAG_VALUE
            )));
        }
        if key.name.to_ascii_lowercase().starts_with("aws:") || key.name.starts_with("pipectl:") {
            errors.push(
                Error::project(format!("the tag `{}` has a reserved prefix", key.name))
                    .at(&key.span, "")
                    .hint("rename it: `aws:` belongs to AWS, `pipectl:` to this tool"),
            );
        }
    }
}
