//! JSON lines: one object a line, and the values of the first ones.

use std::io::{self, BufRead, Read};

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::limits::ROW_BYTES;
use crate::quantity::size;
use crate::spec::ColumnType;

use super::csv::TYPED;
use super::read::Text;
use super::{Finding, Findings, Target, value};

/// Reads all lines; answers how many rows there are.
pub(super) fn check(text: &mut Text, target: &Target<'_>, findings: &mut Findings) -> io::Result<u64> {
    let (mut rows, mut number) = (0, 0);
    let mut line = Vec::new();
    let mut seen = false;
    loop {
        line.clear();
        if text.by_ref().take(ROW_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        if line.len() as u64 == ROW_BYTES {
            findings.error(
                Finding::new(format!("a line is longer than {}", size(ROW_BYTES)))
                    .at(number)
                    .hint("write each object on its own line: jq -c '.[]'"),
            );
            break;
        }
        let row = line.trim_ascii();
        if row.is_empty() {
            continue;
        }
        rows += 1;
        if rows == 1 && row.starts_with(b"[") {
            findings.error(
                Finding::new("the file is one JSON list, and not one object a line")
                    .at(number)
                    .hint("write each object on its own line: jq -c '.[]'"),
            );
            break;
        }
        let reason = if rows <= TYPED {
            match serde_json::from_slice::<Value>(row) {
                Ok(Value::Object(object)) => {
                    let (any, reason) = fault(&Value::Object(object), target);
                    seen |= any;
                    reason
                }
                _ => Some("the line is not one JSON object".to_owned()),
            }
        } else if row.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(row).is_ok() {
            None
        } else {
            Some("the line is not one JSON object".to_owned())
        };
        if let Some(reason) = reason {
            findings.bad_row(number, reason);
        }
    }
    if rows > 0 && !seen && findings.errors.is_empty() && findings.bad_rows < rows {
        let names: Vec<&str> =
            target.table.columns.iter().map(|(name, column)| column.from().unwrap_or(name)).collect();
        findings.error(
            Finding::new(format!("no object has any of the columns of `{}`", target.name))
                .hint(format!("the expected names are {}", names.join(", "))),
        );
    }
    if rows == 0 && text.torn.is_none() {
        findings.note(Finding::new("the file has no rows"));
    }
    Ok(rows)
}

/// Whether the object has any of the table's columns, and what is wrong with it.
fn fault(object: &Value, target: &Target<'_>) -> (bool, Option<String>) {
    let mut any = false;
    let mut faults = Vec::new();
    for (name, column) in target.table.columns.iter().filter(|(_, column)| column.is_in_file()) {
        let path = column.from().unwrap_or(name);
        let found = path.split('.').try_fold(object, |value, part| value.get(part)).filter(|value| !value.is_null());
        let Some(found) = found else {
            if column.required() || target.table.key.contains(name) {
                faults.push(format!("`{name}` is missing, and it is required"));
            }
            continue;
        };
        any = true;
        if *column.kind() == ColumnType::Super {
            faults.extend(value::fault(name, column.kind(), &found.to_string()));
            continue;
        }
        let text = match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        faults.extend(value::fault(name, column.kind(), value::cell(column.kind(), &text)));
    }
    (any, (!faults.is_empty()).then(|| faults.join("; ")))
}
