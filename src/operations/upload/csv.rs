//! CSV: the header against the table, the shape of every row, the values of the first ones.

use std::collections::BTreeSet;
use std::io::{self, BufRead};
use std::sync::atomic::Ordering;

use csv::{ByteRecord, ReaderBuilder};

use crate::error::closest;
use crate::limits::ROW_BYTES;
use crate::quantity::size;
use crate::spec::{Column, ColumnType, Csv, Header};

use super::read::Text;
use super::{Finding, Findings, Target, value};

/// How many rows have their values checked.
pub(super) const TYPED: u64 = 10_000;

/// A column of the table, and where it stands in the file.
struct Cell<'a> {
    at: usize,
    name: &'a str,
    kind: &'a ColumnType,
    required: bool,
}

/// Reads all rows; answers how many there are.
pub(super) fn check(mut text: Text, target: &Target<'_>, findings: &mut Findings) -> io::Result<(u64, Text)> {
    let declared = target.csv().delimiter.bytes().next().unwrap_or(b',');
    let own = own_delimiter(&mut text)?;
    let (delimiter, before) = match own {
        Some(delimiter) => (delimiter, 1),
        None => (other_delimiter(text.fill_buf()?, declared, target).unwrap_or(declared), 0),
    };
    if own.is_none() && delimiter != declared {
        let (found, declared) = (shown(delimiter), shown(declared));
        findings.note(Finding::new(format!("its delimiter is `{found}`, not `{declared}`: it is read with `{found}`")));
    }
    let budget = text.row_budget();
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .escape(target.csv().escape.as_ref().and_then(|escape| escape.bytes().next()))
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(64 * 1024)
        .from_reader(text);
    let mut record = ByteRecord::new();
    let mut cells = Vec::new();
    let (mut width, mut rows, mut last) = (0, 0, None);
    loop {
        budget.store(ROW_BYTES, Ordering::Relaxed);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if too_long(&error) => {
                let line = reader.position().line() + before;
                findings.error(
                    Finding::new(format!("a row is longer than {}", size(ROW_BYTES)))
                        .at(line)
                        .hint("is a quote opened and never closed? a quote within a quoted value is written twice"),
                );
                break;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        let line = record.position().map_or(0, csv::Position::line) + before;
        if width == 0 && target.csv().header == Header::None {
            cells = positional(target);
            width = cells.len();
        } else if width == 0 {
            width = record.len();
            let header: Vec<String> =
                record.iter().map(|name| value::trimmed(&String::from_utf8_lossy(name)).to_owned()).collect();
            if header.iter().any(|name| name.contains(|c: char| c == '\u{fffd}' || (c.is_control() && c != '\n'))) {
                findings.no_text = true;
                findings.error(Finding::new("the first line is not text").at(line).hint("is it a CSV file?"));
                break;
            }
            cells = columns(&header, line, delimiter, target, findings);
            continue;
        }
        // What spreadsheets write for formatted cells is no row, and behind the last column no field.
        let blank = |cell: &[u8]| value::trimmed(&String::from_utf8_lossy(cell)).is_empty();
        if record.iter().all(blank) {
            continue;
        }
        rows += 1;
        last = Some((line, record.iter().any(|cell| cell.contains(&b'\n'))));
        if record.len() < width || !record.iter().skip(width).all(blank) {
            let expected = if target.csv().header == Header::None { "the table" } else { "the header" };
            findings.bad_row(line, format!("{} fields, and {expected} has {width}", record.len()));
        } else if rows <= TYPED
            && let Some(reason) = fault(&record, &cells, target.csv())
        {
            findings.bad_row(line, reason);
        }
    }
    let text = reader.into_inner();
    budget.store(u64::MAX, Ordering::Relaxed);
    if let Some((line, true)) = last
        && target.csv().escape.is_none()
        && text.quotes % 2 == 1
    {
        findings.error(
            Finding::new("a quote is opened and never closed: this row extends to the end of the file")
                .at(line)
                .hint("close it; a quote within a quoted value is written twice"),
        );
    }
    if findings.no_text {
        return Ok((rows, text));
    }
    if target.csv().header == Header::None {
        return Ok((rows, text));
    }
    if width == 0 && text.torn.is_none() {
        findings.error(Finding::new("the file has no header"));
    } else if rows == 0 && text.torn.is_none() {
        findings.note(Finding::new("the file has a header and no rows"));
    }
    Ok((rows, text))
}

fn too_long(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge)
}

/// The delimiter that a spreadsheet writes into an extra first line: `sep=;`.
fn own_delimiter(text: &mut Text) -> io::Result<Option<u8>> {
    let start = text.fill_buf()?;
    let Some(rest) = start.strip_prefix(b"sep=") else { return Ok(None) };
    let (delimiter, length) = match rest {
        [delimiter, b'\r', b'\n', ..] => (*delimiter, 7),
        [delimiter, b'\n', ..] => (*delimiter, 6),
        _ => return Ok(None),
    };
    text.consume(length);
    Ok(Some(delimiter))
}

/// The delimiter that divides the header into the table's columns where the declared one does not divide it at all: a
/// program's language decides what it writes, and the jobs look at the same ones in the same order.
fn other_delimiter(start: &[u8], declared: u8, target: &Target<'_>) -> Option<u8> {
    let header = |delimiter: u8| {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(start);
        let mut record = ByteRecord::new();
        reader.read_byte_record(&mut record).ok()?;
        let names = record.iter().map(|name| value::trimmed(&String::from_utf8_lossy(name)).to_owned());
        Some(names.collect::<Vec<String>>())
    };
    if header(declared)?.len() > 1 {
        return None;
    }
    [b';', b',', b'\t', b'|'].into_iter().find(|other| {
        let names = header(*other).unwrap_or_default();
        let known = |(name, column): (&String, &Column)| index_of(&names, column.from().unwrap_or(name)).is_some();
        names.len() > 1 && target.table.columns.iter().any(known)
    })
}

fn shown(delimiter: u8) -> String {
    if delimiter == b'\t' { "\\t".to_owned() } else { char::from(delimiter).to_string() }
}

/// The columns of a file without a header: those of the table in their order.
fn positional<'a>(target: &Target<'a>) -> Vec<Cell<'a>> {
    read_columns(target)
        .enumerate()
        .map(|(at, (name, column))| Cell { at, name, kind: column.kind(), required: is_required(target, name, column) })
        .collect()
}

/// The columns whose values are in the file, and not where the row stands.
fn read_columns<'a>(target: &Target<'a>) -> impl Iterator<Item = (&'a String, &'a Column)> {
    target.table.columns.iter().filter(|(_, column)| column.is_in_file())
}

fn is_required(target: &Target<'_>, name: &str, column: &Column) -> bool {
    column.required() || target.table.key.iter().any(|key| key == name)
}

/// Where a column stands: under its exact name, else under the only one that differs in case, blanks, `-` and `_`.
fn index_of(header: &[String], expected: &str) -> Option<usize> {
    if let Some(at) = header.iter().position(|name| name == expected) {
        return Some(at);
    }
    let like = alike(expected);
    let mut found = header.iter().enumerate().filter(|(_, name)| alike(name) == like);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn alike(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_')).collect()
}

/// Finds the table's columns in the header.
fn columns<'a>(
    header: &[String],
    line: u64,
    read_by: u8,
    target: &Target<'a>,
    findings: &mut Findings,
) -> Vec<Cell<'a>> {
    let from = |name: &'a str, column: &'a Column| column.from().unwrap_or(name);
    let names: Vec<&str> = read_columns(target).map(|(name, column)| from(name, column)).collect();
    let declared = target.csv().delimiter.bytes().next() == Some(read_by);
    if let Some(finding) = delimiter(header, &names, target).filter(|_| declared) {
        findings.error(finding.at(line));
        return Vec::new();
    }
    let mut cells = Vec::new();
    let (mut lacking, mut used) = (Vec::new(), BTreeSet::new());
    for (name, column) in read_columns(target) {
        let expected = from(name, column);
        let required = is_required(target, name, column);
        if header.iter().filter(|name| *name == expected).count() > 1 {
            findings.error(
                Finding::new(format!("the header names `{expected}` twice"))
                    .at(line)
                    .hint("drop or rename one of them"),
            );
            continue;
        }
        let same: Vec<&str> = header.iter().filter(|name| alike(name) == alike(expected)).map(String::as_str).collect();
        if same.len() > 1 && !header.iter().any(|name| name == expected) {
            findings.error(
                Finding::new(format!("the header has columns that could be `{expected}`: `{}`", same.join("`, `")))
                    .at(line)
                    .hint("rename all but one of them"),
            );
            continue;
        }
        let Some(at) = index_of(header, expected) else {
            lacking.push((expected, required));
            continue;
        };
        if header[at] != expected {
            findings.note(Finding::new(format!("the header `{}` is read as `{expected}`", header[at])).at(line));
        }
        used.insert(at);
        cells.push(Cell { at, name, kind: column.kind(), required });
    }
    let others = header.iter().enumerate().filter(|(at, name)| !used.contains(at) && !name.is_empty());
    let unknown: BTreeSet<&str> = others.map(|(_, name)| name.as_str()).filter(|name| !names.contains(name)).collect();
    if cells.is_empty() {
        findings.error(
            Finding::new(format!("the header has none of the columns of `{}`: {}", target.name, header.join(", ")))
                .at(line)
                .hint(format!("its first line must name them: {}", names.join(", "))),
        );
        return cells;
    }
    for (expected, required) in lacking {
        let suggestion = closest(expected, unknown.iter().copied());
        let finding = Finding::new(format!("the header lacks `{expected}`")).at(line);
        let finding = match suggestion {
            Some(suggestion) => finding
                .hint(format!("if `{suggestion}` is meant, rename it, or declare `from: {suggestion}` for the column")),
            None => finding,
        };
        if required { findings.error(finding) } else { findings.note(finding) }
    }
    if !unknown.is_empty() {
        let unknown: Vec<&str> = unknown.into_iter().collect();
        findings
            .note(Finding::new(format!("the table has no columns {}: they are ignored", unknown.join(", "))).at(line));
    }
    cells
}

/// Whether the header falls into the table's columns with another delimiter than the declared one.
fn delimiter(header: &[String], names: &[&str], target: &Target<'_>) -> Option<Finding> {
    let declared = target.csv().delimiter.as_str();
    let known =
        |parts: &[&str]| parts.iter().filter(|part| names.contains(&value::trimmed(part).trim_matches('"'))).count();
    let line = header.join(declared);
    let now = known(&header.iter().map(String::as_str).collect::<Vec<_>>());
    let other = [",", ";", "\t", "|"].into_iter().filter(|other| *other != declared).find(|other| {
        let parts: Vec<&str> = line.split(other).collect();
        parts.len() > 1 && known(&parts) > now
    })?;
    let shown = |text: &str| text.bytes().next().map(shown).unwrap_or_default();
    Some(
        Finding::new(format!(
            "the header is delimited by `{}`, and the source declares `{}`",
            shown(other),
            shown(declared)
        ))
        .hint(format!(
            "declare `csv: {{delimiter: \"{}\"}}` for `{}`, or save the file with `{}`",
            shown(other),
            target.table.source,
            shown(declared)
        )),
    )
}

fn fault(record: &ByteRecord, cells: &[Cell<'_>], style: &Csv) -> Option<String> {
    let mut faults = Vec::new();
    for cell in cells {
        let text = String::from_utf8_lossy(record.get(cell.at).unwrap_or_default());
        let text = value::cell(cell.kind, &text);
        if style.null.iter().any(|null| null == text) {
            if cell.required {
                faults.push(format!("`{}` is missing, and it is required", cell.name));
            }
        } else {
            faults.extend(value::fault_in(cell.name, cell.kind, text, style));
        }
    }
    (!faults.is_empty()).then(|| faults.join("; "))
}
