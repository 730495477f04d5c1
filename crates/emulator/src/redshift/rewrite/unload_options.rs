//! UNLOAD ('query') TO 's3://…': what is asked for. `unload` does it.

use super::token::Node;
use super::{Step, Translated, copy_options};
use crate::redshift::error::{SqlError, SqlResult};

/// A query whose rows become files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the statement")]
pub(crate) struct Unload {
    /// The query as PostgreSQL reads it.
    pub(crate) query: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The role's ARN; nothing for the namespace's default role.
    pub(crate) role: Option<String>,
    pub(crate) format: UnloadFormat,
    pub(crate) header: bool,
    pub(crate) extension: Option<String>,
    /// One file and not one a slice.
    pub(crate) together: bool,
    pub(crate) clean: bool,
    pub(crate) overwrite: bool,
    pub(crate) manifest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnloadFormat {
    Csv,
    Parquet,
}

pub(super) fn parse(nodes: &[Node]) -> SqlResult<Translated> {
    let [_, query, to, Node::Text { text: target, .. }, options @ ..] = nodes else {
        return Err(SqlError::syntax(&nodes.get(1).map(Node::shown).unwrap_or_default()));
    };
    let Some([Node::Text { text: sql, .. }]) = query.items() else { return Err(SqlError::syntax("unload")) };
    if !to.is("TO") {
        return Err(SqlError::syntax(&to.shown()));
    }
    let inner = super::translate(sql, &std::collections::BTreeMap::new(), &mut std::collections::BTreeSet::new())?;
    let [Step::Query(query)] = inner.steps.as_slice() else {
        return Err(SqlError::new("UNLOAD takes a SELECT"));
    };
    let Some((bucket, prefix)) = target.strip_prefix("s3://").map(|path| path.split_once('/').unwrap_or((path, "")))
    else {
        return Err(SqlError::new(format!(
            "UNLOAD destination is not supported. (Hint: only S3 based unload is allowed): {target}"
        )));
    };
    let mut unload = Unload {
        query: query.clone(),
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        role: None,
        format: UnloadFormat::Csv,
        header: false,
        extension: None,
        together: false,
        clean: false,
        overwrite: false,
        manifest: false,
    };
    read_options(options, &mut unload)?;
    Ok(Translated { steps: vec![Step::Unload(unload)], ..Translated::default() })
}

fn read_options(options: &[Node], unload: &mut Unload) -> SqlResult<()> {
    let mut format = None;
    let mut credentials = false;
    let mut rest = options;
    while let Some(first) = rest.first() {
        let word = first.keyword().ok_or_else(|| SqlError::syntax(&first.shown()))?;
        let next = rest.get(1);
        let length = match word.as_str() {
            "IAM_ROLE" => {
                unload.role = copy_options::iam_role(next)?;
                credentials = true;
                2
            }
            "FORMAT" => usize::from(next.is_some_and(|node| node.is("AS"))) + 1,
            "CSV" | "PARQUET" => {
                format = Some(if word == "CSV" { UnloadFormat::Csv } else { UnloadFormat::Parquet });
                1
            }
            "HEADER" => {
                unload.header = true;
                1
            }
            "EXTENSION" => {
                let Some(Node::Text { text, .. }) = next else { return Err(SqlError::syntax("extension")) };
                unload.extension = Some(text.clone());
                2
            }
            "PARALLEL" => {
                unload.together = next.is_some_and(|node| node.is_any(&["OFF", "FALSE"]));
                1 + usize::from(next.is_some_and(|node| node.is_any(&["ON", "OFF", "TRUE", "FALSE"])))
            }
            "CLEANPATH" => {
                unload.clean = true;
                1
            }
            "ALLOWOVERWRITE" => {
                unload.overwrite = true;
                1
            }
            "MANIFEST" => {
                unload.manifest = true;
                1
            }
            other => return Err(SqlError::not_rehearsed(&format!("UNLOAD with {other}"))),
        };
        rest = &rest[length.min(rest.len())..];
    }
    if !credentials {
        return Err(SqlError::new("must specify credentials for UNLOAD").hint("add `IAM_ROLE default`"));
    }
    if unload.clean && unload.overwrite {
        return Err(SqlError::new("CLEANPATH and ALLOWOVERWRITE cannot be specified together"));
    }
    let Some(format) = format else {
        return Err(
            SqlError::not_rehearsed("UNLOAD of delimited text").hint("add `FORMAT AS CSV` or `FORMAT AS PARQUET`")
        );
    };
    if format == UnloadFormat::Parquet && unload.header {
        return Err(SqlError::new("HEADER is not supported for UNLOAD to PARQUET"));
    }
    unload.format = format;
    Ok(())
}
