//! What must hold of a table that is read from files.

use crate::error::{Error, did_you_mean};
use crate::service_rules::zones;
use crate::spec::table::PSEUDO_COLUMNS;
use crate::yaml::{Key, Node, Value};

/// The encodings of CSV that the jobs can read: Python decodes a file's start by this name, Java the rest.
const ENCODINGS: [&str; 65] = [
    "ascii",
    "auto",
    "big5",
    "big5-hkscs",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "cp437",
    "cp850",
    "cp852",
    "cp855",
    "cp857",
    "cp858",
    "cp860",
    "cp861",
    "cp862",
    "cp863",
    "cp864",
    "cp865",
    "cp866",
    "cp869",
    "euc-jp",
    "euc-kr",
    "gb18030",
    "gb2312",
    "gbk",
    "iso-2022-jp",
    "iso-8859-1",
    "iso-8859-13",
    "iso-8859-15",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-9",
    "koi8-r",
    "koi8-u",
    "latin1",
    "shift_jis",
    "tis-620",
    "us-ascii",
    "utf-16",
    "utf-16be",
    "utf-16le",
    "utf-32",
    "utf-8",
    "utf8",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
];

/// Checks how a source's files are written.
pub(super) fn dialect(key: &Key, source: &Node, errors: &mut Vec<Error>) {
    let csv = source.pointer("/files/csv").or(source.pointer("/lambda/files/csv"));
    let Some(encoding) = csv.and_then(|csv| csv.get("encoding")) else { return };
    let Some(name) = encoding.as_str().filter(|name| !ENCODINGS.contains(&name.to_lowercase().as_str())) else {
        return;
    };
    errors.push(
        Error::project(format!("the source `{}` has an encoding that the jobs do not know: `{name}`", key.name))
            .at(&encoding.span, "unknown")
            .hint(did_you_mean(name, ENCODINGS)),
    );
}

/// Checks the columns that are found in another way than by name, and the time zones of dates.
pub(super) fn columns(table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let source = table.get("source").and_then(Node::as_str).unwrap_or_default();
    let source = sources.iter().find(|(name, _)| name.name == source).map(|(_, source)| source);
    let files = source.and_then(|source| source.get("files").or(source.pointer("/lambda/files")));
    let header = files.and_then(|files| files.pointer("/csv/header")).and_then(Node::as_str);
    for (key, column) in table.get("columns").map_or(&[][..], Node::entries) {
        if let Some(from) = column.get("from")
            && let Some(name) = from.as_str()
        {
            let is_pseudo = PSEUDO_COLUMNS.contains(&name);
            if is_pseudo && source.is_some_and(|source| source.get("files").or(source.get("lambda")).is_none()) {
                errors.push(
                    Error::project(format!("the column `{}` is from `{name}`, which only files have", key.name))
                        .at(&from.span, "")
                        .hint("name a field of the source"),
                );
            } else if !is_pseudo && header == Some("none") {
                errors.push(
                    Error::project(format!("the column `{}` is found by a name, and the files have no header", key.name))
                        .at(&from.span, "")
                        .hint("remove `from` and put the columns in the order of the fields; only `_file` and `_line` need none"),
                );
            }
        }
        let Some(timezone) = column.get("timezone") else { continue };
        if column.get("type").and_then(Node::as_str) != Some("date") {
            errors.push(
                Error::project(format!("the column `{}` has a time zone and is no date", key.name))
                    .at(&timezone.span, "")
                    .hint("remove `timezone`: a timestamp is always UTC"),
            );
        } else if let Some(zone) = timezone.as_str().filter(|zone| !zones().any(|known| known == *zone)) {
            errors.push(
                Error::project(format!("the column `{}` has a time zone that does not exist: `{zone}`", key.name))
                    .at(&timezone.span, "unknown")
                    .hint("write a name of the IANA database, such as `Europe/Berlin` or `UTC`"),
            );
        }
    }
}

/// Checks what a table needs when each of its files is the whole table.
pub(super) fn check(key: &Key, table: &Node, sources: &[(Key, Node)], errors: &mut Vec<Error>) {
    let source = table.get("source").and_then(Node::as_str).unwrap_or_default();
    let Some((_, source)) = sources.iter().find(|(name, _)| name.name == source) else { return };
    let snapshot = source
        .pointer("/files/snapshot")
        .or(source.pointer("/lambda/files/snapshot"))
        .is_some_and(|node| node.value == Value::Bool(true));
    if !snapshot {
        return;
    }
    if table.get("key").is_none_or(|key| key.items().is_empty()) {
        errors.push(
            Error::project(format!("table `{}` is read from snapshots and has no key", key.name))
                .at(&key.span, "rows cannot be distinguished")
                .hint("add `key: [id]` with the columns that identify a row, or `snapshot: false` to its source"),
        );
    }
    if let Some(load) = table.get("load").filter(|load| load.as_str() == Some("append")) {
        errors.push(
            Error::project(format!("table `{}` is read from snapshots, whose rows change and go", key.name))
                .at(&load.span, "only adds rows")
                .hint("write `load: upsert`, or `snapshot: false` to its source"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{Header, Spec};
    use crate::yaml::Source;

    const ENVIRONMENT: &str = "account: 012345678901\nregion: eu-central-1\n";

    #[test]
    fn columns_that_no_name_finds_and_dates_in_a_zone() {
        let pipeline = "\
name: shop
sources:
  bare: {files: {csv: {header: none}}}
tables:
  items:
    source: bare
    key: [file, line]
    columns:
      file: {type: varchar(99), from: _file}
      line: {type: bigint, from: _line}
      name: {type: varchar(9), from: NAME}
      day: {type: date, timezone: Europe/Berlin}
      at: {type: timestamp, timezone: UTC}
      other: {type: date, timezone: Berlin}
";
        let load = |text: &str| Spec::load(&Source::new("p.yaml", text), &Source::new("dev.yaml", ENVIRONMENT), "dev");
        let text = load(pipeline).unwrap_err().to_string();
        let reported: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert_eq!(
            reported,
            [
                "the column `name` is found by a name, and the files have no header",
                "the column `at` has a time zone and is no date",
                "the column `other` has a time zone that does not exist: `Berlin`",
            ]
        );
        let right = pipeline
            .replace(", from: NAME", "")
            .replace("timestamp, timezone: UTC", "timestamp")
            .replace("timezone: Berlin", "timezone: UTC");
        let spec = load(&right).unwrap();
        assert_eq!(spec.pipeline.sources["bare"].files().unwrap().csv.header, Header::None);
        assert!(!spec.pipeline.tables["items"].columns["line"].is_in_file());
    }
}
