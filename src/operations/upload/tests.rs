//! Real files, each wrong in its own way.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::spec::Spec;
use crate::yaml::Source;

const PIPELINE: &str = r#"
name: shop
sources:
  erp: {files: {format: csv, csv: {"null": ["", "NULL"]}}}
  log: {files: {format: jsonl}}
tables:
  visits:
    source: erp
    columns:
      store_id: {type: varchar(8), required: true}
      day: {type: date, required: true}
      visitors: integer
      note: {type: varchar(40), from: Note}
    key: [store_id, day]
    quarantine_limit: 0.5
  clicks:
    source: log
    columns:
      id: {type: bigint, required: true}
      at: {type: timestamp, from: page.at}
      price: "decimal(6,2)"
      tags: super
    key: [id]
"#;

fn spec() -> Spec {
    spec_of(PIPELINE)
}

fn spec_of(pipeline: &str) -> Spec {
    let environment = Source::new("stacks/dev.yaml", "account: '111111111111'\nregion: eu-central-1\n");
    Spec::load(&Source::new("stacks/pipeline.yaml", pipeline), &environment, "dev").unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// All that is said of a file, one finding a line.
fn say(name: &str, bytes: &[u8]) -> String {
    say_of(PIPELINE, name, bytes)
}

fn say_of(pipeline: &str, name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let spec = spec_of(pipeline);
    let source = if name.contains("clicks") { "log" } else { "erp" };
    let targets = targets(&spec, source, &[path], None).unwrap();
    let checked = check(&targets[0]).unwrap();
    let mut text = format!("{} rows, {}\n", checked.rows, checked.key);
    let findings = &checked.findings;
    for (kind, all) in [("error", &findings.errors), ("bad", &findings.bad), ("note", &findings.notes)] {
        for Finding { line, message, hint } in all {
            let line = line.map(|line| format!("{line}: ")).unwrap_or_default();
            let hint = hint.as_deref().map(|hint| format!(" [{hint}]")).unwrap_or_default();
            writeln!(text, "{kind} {line}{message}{hint}").unwrap();
        }
    }
    text
}

const GOOD: &str =
    "store_id,day,visitors,Note\ns1,2026-11-01,12,\"two\nlines, and a \"\"quote\"\"\"\ns2,2026-11-02,NULL,\n";

#[test]
fn a_valid_file_has_no_findings() {
    insta::assert_snapshot!(say("visits.csv", GOOD.as_bytes()), @"2 rows, landing/visits/visits-688af431411e5694.csv");
    // However it is packed and whatever its name has: the same text, another object.
    insta::assert_snapshot!(say("visits – Büro (2).csv", GOOD.as_bytes()), @"2 rows, landing/visits/visits---B-ro--2-688af431411e5694.csv");
    insta::assert_snapshot!(say("visits.csv", &gzip(GOOD.as_bytes())), @"2 rows, landing/visits/visits-947d4c1ada0f95d2.csv.gz");
    // With the mark that Excel writes, and in any order.
    insta::assert_snapshot!(say("visits.csv", "\u{feff}day,store_id\r\n2026-11-01,s1\r\n".as_bytes()), @"
    1 rows, landing/visits/visits-3bbeb93a4643f1c7.csv
    note 1: the header lacks `visitors`
    note 1: the header lacks `Note`
    ");
}

#[test]
fn values_that_a_run_would_quarantine_are_reported() {
    let many = format!("store_id,day\n{}", "s1,2026-11-01\n".repeat(50_000));
    let packed = gzip(many.as_bytes());
    let cases: [(&str, Vec<u8>); 14] = [
        ("visits.csv", Vec::new()),
        ("visits.csv", b"store_id;day;visitors\ns1;2026-11-01;3\n".to_vec()),
        ("visits.csv", b"store_id,dya,visitors\ns1,2026-11-01,3\n".to_vec()),
        ("visits.csv", b"store_id,day,day\ns1,2026-11-01,2026-11-01\n".to_vec()),
        ("visits.csv", b"a,b\n1,2\n".to_vec()),
        ("visits.csv", b"store_id,day,Note\ns1,2026-11-01,caf\xe9\n".to_vec()),
        ("visits.csv", b"store_id,day,Note\ns1,2026-11-01,ok\ns2,2026-11-01,\"open\ns3,2026-11-01,x\n".to_vec()),
        // A mark at the start says how it is written, and the job hears it.
        ("visits.csv", "\u{feff}store_id,day\ns1,2026-11-01\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("visits.csv", b"PK\x03\x04\x14\x00\x06\x00".to_vec()),
        ("visits.csv.gz", b"store_id,day\ns1,2026-11-01\n".to_vec()),
        ("visits.csv.gz", packed[..packed.len() - 20].to_vec()),
        ("visits.csv.gz", gzip(&[7, 0, 200, 201, 13, 10])),
        ("clicks.jsonl", b"[{\"id\": 1}]\n".to_vec()),
        ("clicks.jsonl", b"{\"a\": 1}\n{\"id\": \n".to_vec()),
    ];
    let said: Vec<String> = cases.iter().map(|(name, bytes)| say(name, bytes)).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    0 rows, landing/visits/visits-e3b0c44298fc1c14.csv
    error the file is empty

    1 rows, landing/visits/visits-ee5f913464b0a57a.csv
    note its delimiter is `;`, not `,`: it is read with `;`
    note 1: the header lacks `Note`

    1 rows, landing/visits/visits-ca2391457ae81e34.csv
    error 1: the header lacks `day` [if `dya` is meant, rename it, or declare `from: dya` for the column]
    note 1: the header lacks `Note`
    note 1: the table has no columns dya: they are ignored

    1 rows, landing/visits/visits-a95326cf5b5ea254.csv
    error 1: the header names `day` twice [drop or rename one of them]
    note 1: the header lacks `visitors`
    note 1: the header lacks `Note`

    1 rows, landing/visits/visits-492d5ea496056f1a.csv
    error 1: the header has none of the columns of `visits`: a, b [its first line must name them: store_id, day, visitors, Note]

    1 rows, landing/visits/visits-35b85e2d81244743.csv
    error 2: bytes that are not utf-8 (1 in the file) [save it as UTF-8, or declare `csv: {encoding: cp1252}`, which is what Excel's plain `CSV` is in Western Europe]
    note 1: the header lacks `visitors`

    2 rows, landing/visits/visits-3505fd43ebf83962.csv
    error 3: a quote is opened and never closed: this row extends to the end of the file [close it; a quote within a quoted value is written twice]
    note 1: the header lacks `visitors`

    1 rows, landing/visits/visits-b612d77d7dc0734a.csv
    note 1: the header lacks `visitors`
    note 1: the header lacks `Note`

    0 rows, landing/visits/visits-a3eb07c7db1eb255.csv
    error this is a ZIP file or an Excel workbook [save the workbook as `CSV UTF-8`, or unpack the archive]

    0 rows, landing/visits/visits-8217cb508026017f.csv
    error the name ends in `.gz`, and the file is not compressed with gzip [rename it]

    49869 rows, landing/visits/visits-70ddde1819de4d17.csv.gz
    error 49870: the gzip file is broken: incomplete deflate stream [compress it again, or download it again: it may be incomplete]
    note 1: the header lacks `visitors`
    note 1: the header lacks `Note`

    0 rows, landing/visits/visits-e69fe98d330e7180.csv.gz
    error 1: the first line is not text [is it a CSV file?]

    1 rows, landing/clicks/clicks-8eafc3cd0e0cf85c.jsonl
    error 1: the file is one JSON list, and not one object a line [write each object on its own line: jq -c '.[]']

    2 rows, landing/clicks/clicks-08657e67ce622cb3.jsonl
    error 2 of 2 rows are bad, and `quarantine_limit` allows 10%: the run would fail [correct the rows, or raise the table's `quarantine_limit`]
    bad 1: `id` is missing, and it is required
    bad 2: the line is not one JSON object
    ");
}

/// What spreadsheets write: their own delimiter on a first line, numbers with a comma, days the other way round.
#[test]
fn spreadsheet_csv_is_read_as_declared() {
    let pipeline = PIPELINE.replace(
        r#"csv: {"null": ["", "NULL"]}"#,
        r#"csv: {encoding: auto, decimal: ",", thousands: ".", date_format: d.M.yyyy}"#,
    );
    let csv = b"sep=;\r\nstore_id;day;visitors;Note\r\ns1;31.12.2026;1.234;caf\xe9\r\ns2;01.11.2026;1,5;x\r\ns3;2026-11-01;7;y\r\n";
    insta::assert_snapshot!(say_of(&pipeline, "visits.csv", csv), @r#"
    3 rows, landing/visits/visits-c182ea78bb741f8a.csv
    bad 4: `visitors`: "1,5" is not an integer (decimal comma)
    note it is not UTF-8, and will be read as windows-1252
    "#);
    // Another delimiter than the declared one, headers written otherwise, formatted cells without content.
    let csv = b"Store-ID;Day ;VISITORS;note;\r\ns1;31.12.2026;1.234;x;\r\n;;;;\r\ns2;1.11.2026;2;y;;;\r\ns3;1.11.2026;3;z;;b\r\n";
    insta::assert_snapshot!(say_of(&pipeline, "visits.csv", csv), @"
    3 rows, landing/visits/visits-2f3d57e12f10ae6c.csv
    bad 5: 6 fields, and the header has 5
    note its delimiter is `;`, not `,`: it is read with `;`
    note 1: the header `Store-ID` is read as `store_id`
    note 1: the header `Day` is read as `day`
    note 1: the header `VISITORS` is read as `visitors`
    note 1: the header `note` is read as `Note`
    ");
}

#[test]
fn parquet_files_are_checked() {
    let pipeline = PIPELINE.replace("format: jsonl", "format: parquet");
    insta::assert_snapshot!(say_of(&pipeline, "clicks.parquet", b"PAR1\x00\x00garbagePAR1"), @"
    0 rows, landing/clicks/clicks-cb235923c5c98e03.parquet
    error the Parquet file cannot be read: EOF: Parquet file too small. Size is 17 but need 1701273962 [write it again, or download it again: it may be incomplete]
    ");
    insta::assert_snapshot!(say_of(&pipeline, "clicks.parquet", b"id,at\n"), @"
    0 rows, landing/clicks/clicks-51c0d48d2082cf79.parquet
    error this is not a Parquet file [a Parquet file begins with PAR1]
    ");
}

#[test]
fn rows_for_quarantine_are_reported_with_line() {
    let csv = "store_id,day,visitors,Note\n\
               s1,2026-11-01,3,\n\
               much too long,2026-02-30,3.5,a\n\
               s2,2026-11-01 10:00:00+01:00,1.2E3,a,b\n\
               ,2026-11-01T10:00Z,-4,x\n\
               s3,2026-11-01,4.000,y\n\
               s4,2026-11-01,99999999999,y\n\
               s5,2026-11-01,2147483647,y\n\
               s6,2026-11-01,7,y\ns6,2026-11-02,7,y\ns7,2026-11-01,7,y\n";
    insta::assert_snapshot!(say("visits.csv", csv.as_bytes()), @r#"
    10 rows, landing/visits/visits-2e3fc9a4ae1ff59a.csv
    bad 3: `store_id`: 13 bytes do not fit varchar(8): "much too long"; `day`: "2026-02-30" is not a date; `visitors`: "3.5" is not an integer
    bad 4: 5 fields, and the header has 4
    bad 5: `store_id` is missing, and it is required
    bad 7: `visitors`: "99999999999" is not an integer
    "#);
    let jsonl = "{\"id\": \"gid://shopify/Order/5\", \"page\": {\"at\": \"2026-11-01T00:00:00Z\"}, \"price\": 12.5, \"tags\": [1]}\n\
                 {\"id\": 6, \"price\": 12345.67}\n\n\
                 {\"id\": 7, \"price\": \"1.005\", \"page\": {\"at\": \"yesterday\"}}\n\
                 {\"id\": 8} {\"id\": 9}\n\
                 {\"price\": 1}\n{\"id\": 10}\n{\"id\": 11}\n{\"id\": 12}\n{\"id\": 13}\n";
    insta::assert_snapshot!(say("clicks.jsonl", jsonl.as_bytes()), @r#"
    9 rows, landing/clicks/clicks-d69233daaddf20e5.jsonl
    error 4 of 9 rows are bad, and `quarantine_limit` allows 10%: the run would fail [correct the rows, or raise the table's `quarantine_limit`]
    bad 2: `price`: "12345.67" is not a decimal(6,2)
    bad 4: `at`: "yesterday" is not a timestamp; `price`: "1.005" is not a decimal(6,2)
    bad 5: the line is not one JSON object
    bad 6: `id` is missing, and it is required
    "#);
}

/// The table is found by the file's name, by its folder, or by what the name begins with, and nothing is guessed.
#[test]
fn each_file_is_matched_to_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "x").unwrap();
        path
    };
    let spec = spec();
    let found = |paths: &[PathBuf], table| match targets(&spec, "erp", paths, table) {
        Ok(targets) => targets.iter().map(|target| target.name).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string().replace(&folder.path().display().to_string(), "DIR"),
    };
    let paths = ["visits.csv.gz", "visits/march.csv", "visits-2026-11.csv", "visits_3.csv"].map(file);
    assert_eq!(found(&paths, None), "visits visits visits visits");
    let others =
        [file("march.csv"), file("visitors.csv"), folder.path().join("gone.csv"), folder.path().join("visits")];
    insta::assert_snapshot!(found(&others, None), @"
    error: `DIR/march.csv` has the name of no table of the source `erp`
    = note: its tables: visits
    = hint: name the table with `--table`, or name the file after it

    error: `DIR/visitors.csv` has the name of no table of the source `erp`
    = note: its tables: visits
    = hint: is it for `visits`? then add `--table visits`

    error: `DIR/gone.csv` does not exist

    error: `DIR/visits` is a folder
    = hint: name its files: DIR/visits/*
    ");
    assert_eq!(found(&[file("march.csv")], Some("visits")), "visits");
    insta::assert_snapshot!(found(&[file("march.csv")], Some("visit")), @"
    error: `erp` has no table `visit`
    = hint: did you mean `visits`?
    ");
    insta::assert_snapshot!(targets(&spec, "erq", &[], None).unwrap_err(), @"
    error: there is no source `erq`
    = hint: did you mean `erp`?
    ");
}

/// The digests are those of the file as it lies there, however far the check has read.
#[test]
fn the_digests_are_of_the_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("visits.csv");
    let bytes = format!("store_id,day\n{}", "s1,2026-11-01\n".repeat(1_300_000));
    std::fs::write(&path, &bytes).unwrap();
    let spec = spec();
    let checked = check(&targets(&spec, "erp", std::slice::from_ref(&path), None).unwrap()[0]).unwrap();
    assert_eq!((checked.rows, checked.digests.size), (1_300_000, bytes.len() as u64));
    assert_eq!(checked.digests.sha256, crate::digest::sha256(&bytes));
    assert_eq!(checked.digests.parts.len(), 2);
    let second = &bytes.as_bytes()[usize::try_from(checked.digests.part_size).unwrap()..];
    assert_eq!(crate::digest::hex(&checked.digests.parts[1]), crate::digest::sha256(second));
    assert!(Path::new(&checked.key).extension().is_some_and(|ending| ending == "csv"));
}

fn fuzzed(name: &str) -> impl Fn(&[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec();
    let name = name.to_owned();
    move |input: &[u8]| {
        for ending in ["", ".gz"] {
            let path = folder.path().join(format!("{name}{ending}"));
            std::fs::write(&path, input).unwrap();
            let source = if name.contains("clicks") { "log" } else { "erp" };
            let targets = targets(&spec, source, &[path], None).unwrap();
            check(&targets[0]).unwrap();
        }
    }
}

#[test]
fn fuzz_csv() {
    pipectl_core::testing::fuzz::run("csv", 500, fuzzed("visits.csv"));
}

#[test]
fn fuzz_json_lines() {
    pipectl_core::testing::fuzz::run("json-lines", 500, fuzzed("clicks.jsonl"));
}

/// A few hundred kilobytes that stand for hundreds of megabytes.
#[test]
fn a_gzip_bomb_is_not_unpacked() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(b"store_id,day,visitors,Note\n").unwrap();
    // Few and long rows: an unoptimized build takes seconds for a million of them.
    let row = [b"s1,2026-11-01,1,".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
    for _ in 0..=crate::limits::UNPACKED_FREE_BYTES >> 20 {
        packer.write_all(&row).unwrap();
    }
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    let said = say("visits.csv.gz", &bomb);
    assert!(
        said.contains("the gzip file was not read to its end: it holds more than 200 times as much as its size"),
        "{said}"
    );
    // The same in one row.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b'x'; usize::try_from(crate::limits::UNPACKED_FREE_BYTES).unwrap() * 2]).unwrap();
    let said = say("visits.csv.gz", &packer.finish().unwrap());
    assert!(said.contains("not read to its end") || said.contains("a row is longer than 64.0 MiB"), "{said}");
}

#[test]
fn a_row_without_end_is_not_kept_in_memory() {
    // The CSV reader reads 64 KiB ahead, which count for the row before.
    let long = usize::try_from(crate::limits::ROW_BYTES).unwrap() + 128 * 1024;
    let csv = [b"store_id,day,visitors,Note\ns1,2026-11-01,1,\"".as_slice(), &vec![b'x'; long], b"\"\n"].concat();
    let said = say("visits.csv", &csv);
    assert!(said.contains("error 2: a row is longer than 64.0 MiB"), "{said}");
    let json = [b"{\"id\": 1, \"tags\": \"".as_slice(), &vec![b'x'; long], b"\"}\n{\"id\": 2}\n"].concat();
    let said = say("clicks.jsonl", &json);
    assert!(said.contains("error 1: a line is longer than 64.0 MiB"), "{said}");
}
