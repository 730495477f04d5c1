//! COPY … FROM 's3://…': what is asked for. `copy/` does it.

use super::qualified_name;
use super::reserved;
use super::token::{Node, split};
use crate::redshift::error::{SqlError, SqlResult};

/// A COPY of Parquet files into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    /// The table as PostgreSQL reads it.
    pub(crate) table: String,
    /// The columns to fill, in the order of the file's; empty for all.
    pub(crate) columns: Vec<String>,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The role's ARN; nothing for the namespace's default role.
    pub(crate) role: Option<String>,
    /// Whether columns that a file lacks at its end are NULL.
    pub(crate) fill: bool,
    /// Whether the key is a manifest, which lists the files.
    pub(crate) manifest: bool,
}

/// Known to COPY, but not for columnar files.
const NOT_FOR_PARQUET: &[&str] = &[
    "ACCEPTANYDATE",
    "BLANKSASNULL",
    "BZIP2",
    "COMPROWS",
    "COMPUPDATE",
    "DATEFORMAT",
    "DELIMITER",
    "EMPTYASNULL",
    "ENCODING",
    "ENCRYPTED",
    "ESCAPE",
    "FIXEDWIDTH",
    "GZIP",
    "IGNOREBLANKLINES",
    "IGNOREHEADER",
    "LZOP",
    "MAXERROR",
    "NOLOAD",
    "NULL",
    "QUOTE",
    "READRATIO",
    "REGION",
    "REMOVEQUOTES",
    "ROUNDEC",
    "TIMEFORMAT",
    "TRIMBLANKS",
    "TRUNCATECOLUMNS",
    "ZSTD",
];

pub(super) fn parse(nodes: &[Node]) -> SqlResult<Copy> {
    let (table, length) = qualified_name(&nodes[1..])?;
    let mut rest = &nodes[1 + length..];
    let mut columns = Vec::new();
    if let Some(items) = rest.first().and_then(Node::items) {
        columns = split(items).into_iter().map(|column| reserved::name(column.first())).collect::<SqlResult<_>>()?;
        rest = &rest[1..];
    }
    let [from, Node::Text { text: source, .. }, options @ ..] = rest else {
        return Err(SqlError::syntax(&rest.first().map(Node::shown).unwrap_or_default()));
    };
    if !from.is("FROM") {
        return Err(SqlError::syntax(&from.shown()));
    }
    let Some((bucket, prefix)) = source.strip_prefix("s3://").map(|path| path.split_once('/').unwrap_or((path, "")))
    else {
        return Err(SqlError::not_rehearsed(&format!("COPY from `{source}`, which is not on s3://")));
    };
    let mut copy = Copy {
        table,
        columns,
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        role: None,
        fill: false,
        manifest: false,
    };
    read_options(options, &mut copy)?;
    Ok(copy)
}

/// The role after `IAM_ROLE`, in `COPY` and `UNLOAD` alike; none for the namespace's default.
pub(super) fn iam_role(next: Option<&Node>) -> SqlResult<Option<String>> {
    match next {
        Some(node) if node.is("DEFAULT") => Ok(None),
        Some(Node::Text { text, .. }) if text.eq_ignore_ascii_case("default") => Ok(None),
        Some(Node::Text { text, .. }) => Ok(Some(text.clone())),
        _ => Err(SqlError::syntax("iam_role")),
    }
}

fn read_options(options: &[Node], copy: &mut Copy) -> SqlResult<()> {
    let mut format = None;
    let mut credentials = false;
    let mut rest = options;
    while let Some(first) = rest.first() {
        let word = first.keyword().ok_or_else(|| SqlError::syntax(&first.shown()))?;
        let next = rest.get(1);
        let length = match word.as_str() {
            "IAM_ROLE" => {
                copy.role = iam_role(next)?;
                credentials = true;
                2
            }
            "FORMAT" => {
                let skipped = usize::from(next.is_some_and(|node| node.is("AS")));
                format = rest.get(1 + skipped).and_then(Node::keyword);
                2 + skipped
            }
            "PARQUET" | "ORC" | "CSV" | "JSON" | "AVRO" | "SHAPEFILE" => {
                format = Some(word);
                1 + usize::from(matches!(next, Some(Node::Text { .. })))
            }
            "FILLRECORD" => {
                copy.fill = true;
                1
            }
            // Invalid UTF-8 is replaced or refused by the reader either way; statistics are PostgreSQL's own.
            "ACCEPTINVCHARS" => {
                let as_ = usize::from(next.is_some_and(|node| node.is("AS")));
                1 + as_ + usize::from(matches!(rest.get(1 + as_), Some(Node::Text { .. })))
            }
            "STATUPDATE" => 1 + usize::from(next.is_some_and(|node| node.is_any(&["ON", "OFF", "TRUE", "FALSE"]))),
            "MANIFEST" => {
                copy.manifest = true;
                1
            }
            "SERIALIZETOJSON" | "EXPLICIT_IDS" | "JOB" => {
                return Err(SqlError::not_rehearsed(&format!("COPY with {word}")));
            }
            "CREDENTIALS" | "ACCESS_KEY_ID" | "SECRET_ACCESS_KEY" => {
                return Err(SqlError::not_rehearsed("COPY with keys in the statement").hint("use IAM_ROLE default"));
            }
            other if NOT_FOR_PARQUET.contains(&other) => {
                return Err(SqlError::new(format!("{other} argument is not supported for PARQUET based COPY")));
            }
            other => return Err(SqlError::syntax(&other.to_lowercase())),
        };
        rest = &rest[length.min(rest.len())..];
    }
    if !credentials {
        return Err(SqlError::new("must specify credentials for COPY").hint("add `IAM_ROLE default`"));
    }
    match format.as_deref() {
        Some("PARQUET") => Ok(()),
        Some(other) => Err(SqlError::not_rehearsed(&format!("COPY with FORMAT {other}"))),
        None => Err(SqlError::not_rehearsed("COPY of delimited text").hint("add `FORMAT AS PARQUET`")),
    }
}
