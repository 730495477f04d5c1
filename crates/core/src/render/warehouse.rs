//! What templates say of the warehouse's readers and of the ways out of it.

use serde::Serialize;

use super::Templates;
use super::context::logical_id;

use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::sql::{Kind, marts};

#[derive(Serialize)]
pub(super) struct Outlets {
    /// The users of the warehouse that may only read.
    readers: Vec<Reader>,
    /// The marts whose rows become files.
    exports: Vec<String>,
    quicksight: Option<QuickSight>,
}

#[derive(Serialize)]
struct Reader {
    id: String,
    user: String,
    secret: String,
}

#[derive(Serialize)]
struct QuickSight {
    user: String,
    refresh_at: String,
    marts: Vec<DataSet>,
}

#[derive(Serialize)]
struct DataSet {
    id: String,
    name: String,
    columns: Vec<InputColumn>,
}

#[derive(Serialize)]
struct InputColumn {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Outlets {
    /// Whether QuickSight reads the marts.
    pub(super) fn has_quicksight(&self) -> bool {
        self.quicksight.is_some()
    }
}

pub(super) fn outlets(spec: &Spec, files: Templates<'_>) -> Result<Outlets> {
    let marts = &spec.pipeline.marts;
    let quicksight = match &spec.pipeline.analytics.quicksight {
        Some(settings) => Some(QuickSight {
            user: settings.user.clone(),
            refresh_at: settings.refresh_at.clone(),
            marts: data_sets(spec, files)?,
        }),
        None => None,
    };
    Ok(Outlets {
        readers: spec
            .readers()
            .map(|(user, secret)| Reader { id: logical_id(user), user: user.to_owned(), secret })
            .collect(),
        exports: marts.iter().filter(|(_, mart)| mart.unload.is_some()).map(|(name, _)| name.clone()).collect(),
        quicksight,
    })
}

fn data_sets(spec: &Spec, files: Templates<'_>) -> Result<Vec<DataSet>> {
    let mut sources = Vec::new();
    for (name, mart) in &spec.pipeline.marts {
        // A file that is missing is reported where the marts are read.
        if let Some(source) = files(&mart.sql)? {
            sources.push((name.clone(), source));
        }
    }
    let (errors, columns) = marts::checked(spec, &sources);
    Error::all(errors)?;
    let mut errors = Vec::new();
    let mut sets = Vec::new();
    for (name, source) in &sources {
        let made = columns.get(name).map(Vec::as_slice).unwrap_or_default();
        let unknown: Vec<&str> =
            made.iter().filter(|column| column.kind == Kind::Unknown).map(|column| column.name.as_str()).collect();
        if made.is_empty() || !unknown.is_empty() {
            let which =
                if unknown.is_empty() { "its columns".to_owned() } else { format!("`{}`", unknown.join("`, `")) };
            errors.push(
                Error::project(format!(
                    "QuickSight must know the columns of the mart `{name}`, and {which} cannot be determined"
                ))
                .at(&crate::yaml::Span::new(source, 0, 0), "")
                .hint(
                    "name each column instead of `*`, and cast what comes out of a function: `…::DECIMAL(14,2) AS x`",
                ),
            );
        }
        sets.push(DataSet {
            id: logical_id(name),
            name: name.clone(),
            columns: made.iter().map(|c| InputColumn { name: c.name.clone(), kind: input_type(c.kind) }).collect(),
        });
    }
    Error::all(errors)?;
    Ok(sets)
}

/// A type in the words of QuickSight.
fn input_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Smallint | Kind::Integer | Kind::Bigint => "INTEGER",
        Kind::Decimal(..) | Kind::Double => "DECIMAL",
        Kind::Boolean => "BOOLEAN",
        Kind::Date | Kind::Timestamp => "DATETIME",
        Kind::Unknown | Kind::Literal | Kind::Text(_) | Kind::Interval | Kind::Super => "STRING",
    }
}
