//! One file, from its first byte to its last.

use std::io::{BufRead, BufReader};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::aws::s3::Digests;
use crate::error::{Error, Result};
use crate::spec::FileFormat;

use super::read::{self, Raw, Text, Unpacked};
use super::target::Packing;
use super::{Checked, Finding, Findings, Target, csv, jsonl, parquet};

/// One `.gz` above this size is slow: nothing but its first byte is a place to begin, so one worker reads it alone.
const LONG_FOR_ONE: u64 = 512 * 1024 * 1024;

/// Reads files. Returns those that can be read, and the errors of all. `reading` is called with the path of each.
pub fn check_all(targets: &[Target<'_>], reading: &dyn Fn(&Path)) -> (Vec<Checked>, Vec<Error>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for target in targets {
        reading(&target.path);
        match check(target) {
            Ok(file) => {
                errors.extend(file.findings.errors.iter().map(|finding| error(&file.path, finding)));
                files.push(file);
            }
            Err(error) => errors.push(error),
        }
    }
    (files, errors)
}

fn error(path: &Path, finding: &Finding) -> Error {
    let error = Error::project(finding.located(path));
    match &finding.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    }
}

/// Reads a file and says what is wrong with it. Fails if it cannot be read at all.
pub fn check(target: &Target<'_>) -> Result<Checked> {
    let unreadable =
        |error: std::io::Error| Error::new(format!("cannot read `{}`", target.path.display())).cause(&error);
    let mut raw = BufReader::with_capacity(256 * 1024, Raw::open(&target.path).map_err(unreadable)?);
    let start = raw.fill_buf().map_err(unreadable)?;
    let packing = Packing::of(start);
    let mut findings = Findings::default();
    let named_gzip = target.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    let parquet = target.files.format == FileFormat::Parquet;
    if start.is_empty() {
        findings.error(Finding::new("the file is empty"));
    } else if let Some((what, hint)) = of_another_kind(start, parquet) {
        findings.error(Finding::new(what).hint(hint));
    } else if named_gzip && packing != Packing::Gzip {
        findings
            .error(Finding::new("the name ends in `.gz`, and the file is not compressed with gzip").hint("rename it"));
    } else if packing == Packing::Bzip2 {
        findings.note(Finding::new("it is compressed with bzip2 and was not checked"));
    }
    let unpacked = Unpacked::new(raw, packing == Packing::Gzip);
    if !findings.errors.is_empty() || packing == Packing::Bzip2 || parquet {
        let digests = unpacked.finish().map_err(unreadable)?;
        let rows = if parquet && findings.errors.is_empty() { parquet::check(target, &mut findings) } else { 0 };
        return Ok(checked(target, rows, digests, packing, findings));
    }
    let name = if target.is_csv() { target.csv().encoding.as_str() } else { "utf-8" };
    let declared = if name == "auto" { Some(UTF_8) } else { read::encoding(name) };
    if declared.is_none() {
        findings.note(Finding::new(format!("bytes are not checked: `{name}` is unknown here")));
    }
    let mut text = Text::new(unpacked, declared.unwrap_or(WINDOWS_1252));
    let (rows, mut text) = if target.is_csv() {
        csv::check(text, target, &mut findings).map_err(unreadable)?
    } else {
        let rows = jsonl::check(&mut text, target, &mut findings).map_err(unreadable)?;
        (rows, text)
    };
    about_bytes(&mut text, target, name, declared, &mut findings);
    let share = target.table.quarantine_limit;
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let too_many = findings.errors.is_empty() && findings.bad_rows as f64 > rows as f64 * share;
    if too_many {
        let allowed = share * 100.0;
        findings.error(
            Finding::new(format!(
                "{} of {rows} rows are bad, and `quarantine_limit` allows {allowed}%: the run would fail",
                findings.bad_rows
            ))
            .hint("correct the rows, or raise the table's `quarantine_limit`"),
        );
    }
    let digests = text.finish().map_err(unreadable)?;
    if packing == Packing::Gzip && digests.size > LONG_FOR_ONE {
        findings.note(
            Finding::new("a compressed file is read by one worker only")
                .hint("split it into several, if it takes long"),
        );
    }
    Ok(checked(target, rows, digests, packing, findings))
}

fn checked(target: &Target<'_>, rows: u64, digests: Digests, packing: Packing, findings: Findings) -> Checked {
    Checked {
        path: target.path.clone(),
        table: target.name.to_owned(),
        key: target.key(&digests.sha256, packing),
        rows,
        digests,
        findings,
    }
}

/// What else the file is, if its first bytes say so.
fn of_another_kind(start: &[u8], parquet: bool) -> Option<(&'static str, &'static str)> {
    const KINDS: [(&[u8], &str, &str); 5] = [
        (
            b"PK\x03\x04",
            "this is a ZIP file or an Excel workbook",
            "save the workbook as `CSV UTF-8`, or unpack the archive",
        ),
        (b"\xd0\xcf\x11\xe0", "this is an old Excel workbook", "save the workbook as `CSV UTF-8`"),
        (b"PAR1", "this is a Parquet file", "declare `format: parquet` for its source"),
        (b"\x28\xb5\x2f\xfd", "this is compressed with zstd", "decompress it, or compress it with gzip"),
        (b"%PDF", "this is a PDF", "export the table as CSV"),
    ];
    if parquet {
        let sound = start.starts_with(b"PAR1");
        return (!sound).then_some(("this is not a Parquet file", "a Parquet file begins with PAR1"));
    }
    KINDS.iter().find(|(magic, ..)| start.starts_with(magic)).map(|(_, what, hint)| (*what, *hint))
}

/// What the bytes themselves say: torn packing, another encoding.
fn about_bytes(
    text: &mut Text,
    target: &Target<'_>,
    name: &str,
    declared: Option<&'static Encoding>,
    findings: &mut Findings,
) {
    if findings.no_text {
        return;
    }
    if let Some((line, why)) = text.torn.take() {
        let finding = if text.bomb {
            Finding::new(format!("the gzip file was not read to its end: {why}"))
                .hint("is it what you expect? then split it into several files, or unpack it before you upload it")
        } else {
            Finding::new(format!("the gzip file is broken: {why}"))
                .hint("compress it again, or download it again: it may be incomplete")
        };
        findings.error(finding.at(line));
    }
    let found = text.encoding();
    // What a mark at the start of a CSV file says is heard; everybody else's JSON is UTF-8.
    if declared.is_some_and(|declared| declared != found) && !target.is_csv() {
        let finding = Finding::new(format!("the file is in {}, and the source says `{name}`", found.name()));
        findings
            .error(finding.hint(format!("save it as `{name}`{}", or_declare(target, &found.name().to_lowercase()))));
    } else if name == "auto" && !text.broken.is_empty() {
        findings.note(Finding::new("it is not UTF-8, and will be read as windows-1252"));
    } else if let Some(line) = text.broken.first() {
        let count = text.broken_count;
        let finding = Finding::new(format!("bytes that are not {name} ({count} in the file)")).at(*line);
        let hint = if found == UTF_8 {
            format!(
                "save it as UTF-8{}, which is what Excel's plain `CSV` is in Western Europe",
                or_declare(target, "cp1252")
            )
        } else {
            format!("save it as `{name}`")
        };
        findings.error(finding.hint(hint));
    } else if let Some(line) = text.nul {
        findings.error(Finding::new("a NUL character").at(line).hint("is the file in UTF-16? then save it as UTF-8"));
    }
}

fn or_declare(target: &Target<'_>, encoding: &str) -> String {
    if target.is_csv() { format!(", or declare `csv: {{encoding: {encoding}}}`") } else { String::new() }
}
