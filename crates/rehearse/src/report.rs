//! The report of a rehearsal, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::iceberg::IcebergTable;
use super::ledger::TableRows;
use super::timeline::{Finding, Severity, Step};
use crate::quantity::counted;
pub use crate::quantity::{size, thousands};
use pipectl_emulator::alarms::Mail;
use pipectl_emulator::authorizer::Grants;

/// What a rehearsal has shown.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub pipeline: String,
    pub failed: bool,
    pub seconds: f64,
    pub timeline: Vec<Step>,
    /// Rows in and out of each step, by table.
    pub rows: BTreeMap<String, TableRows>,
    pub warehouse: Vec<TableCount>,
    pub marts: Vec<Mart>,
    /// The Iceberg tables, where the pipeline has them.
    pub iceberg: Vec<IcebergTable>,
    pub findings: Vec<Finding>,
    /// The permissions that the templates grant, and those that no call has used.
    pub grants: Grants,
    /// Whether the text lists what was not used.
    #[serde(skip)]
    pub list_grants: bool,
    /// What people would hear.
    pub mails: Vec<Mail>,
    /// What stood in for what.
    pub stood_in: Vec<(String, String)>,
}

/// The rows of a table of the warehouse, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableCount {
    pub table: String,
    pub before: u64,
    pub after: u64,
}

/// The first rows of a mart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mart {
    pub name: String,
    pub count: u64,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// The longest text of a cell.
const WIDEST: usize = 80;

/// The length of the longest bar.
const BAR: usize = 16;

/// A kind of text on a terminal.
#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
    Cyan,
}

impl Report {
    /// One line that says how it went.
    pub fn verdict(&self) -> String {
        let rows = self.warehouse.iter().map(|table| table.after.saturating_sub(table.before)).sum::<u64>();
        let changed: u64 = self.rows.values().map(|rows| rows.changed).sum();
        if self.failed {
            let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
            format!("failed: {errors}")
        } else if changed == 0 && rows == 0 {
            "done: nothing was new, and no row was added".to_owned()
        } else if rows == 0 {
            format!("done: no row was added; {} repeated rows were overwritten", thousands(changed))
        } else {
            let quarantined: u64 = self.rows.values().map(|rows| rows.quarantined).sum();
            let kept = match quarantined {
                0 => String::new(),
                1 => ", 1 row in quarantine".to_owned(),
                count => format!(", {} rows in quarantine", thousands(count)),
            };
            format!(
                "done: {} rows are new, {} written{kept}; every row is accounted for",
                thousands(rows),
                thousands(changed)
            )
        }
    }

    /// The report as text; on a terminal with bars and colours.
    pub fn text(&self, rich: bool) -> String {
        let paint = |style, text: &str| if rich { painted(style, text) } else { text.to_owned() };
        let mut out = String::new();
        let title = format!("{} rehearsed in {:.1} s", self.pipeline, self.seconds);
        let _ = writeln!(out, "{}\n", paint(Style::Bold, &title));
        self.write_timeline(&mut out, rich);
        let heading = |out: &mut String, text: &str| {
            let _ = writeln!(out, "\n{}", paint(Style::Bold, text));
        };
        if !self.rows.is_empty() {
            heading(&mut out, "rows");
            out += &indented(&self.rows_table());
        }
        heading(&mut out, "warehouse");
        out += &indented(&self.warehouse_table());
        if !self.iceberg.is_empty() {
            heading(&mut out, "iceberg");
            let lines: Vec<Vec<String>> = self.iceberg.iter().map(iceberg_line).collect();
            out += &indented(&table(&lines, &[1, 2]));
        }
        for mart in &self.marts {
            let shown = if mart.count > mart.rows.len() as u64 {
                format!(", the first {}", mart.rows.len())
            } else {
                String::new()
            };
            heading(&mut out, &format!("marts.{} ({}{shown})", mart.name, counted(mart.count, "row")));
            out += &indented(&mart_table(mart));
        }
        if !self.findings.is_empty() {
            heading(&mut out, "findings");
            for finding in &self.findings {
                let (word, style) = match finding.severity {
                    Severity::Error => ("error", Style::Red),
                    Severity::Warning => ("warning", Style::Yellow),
                    Severity::Note => ("note", Style::Cyan),
                };
                let text = finding.text.strip_prefix("error: ").unwrap_or(&finding.text).replace('\n', "\n    ");
                let _ = writeln!(out, "  {}: {text}", paint(style, word));
            }
        }
        heading(&mut out, "permissions");
        out += &indented(&self.grants.text(self.list_grants));
        if !self.mails.is_empty() {
            heading(&mut out, "mails");
            for mail in &self.mails {
                let _ =
                    writeln!(out, "  {}", paint(Style::Cyan, &format!("to {}: {}", mail.recipients(), mail.subject)));
                for line in mail.text.lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
        heading(&mut out, "what stood in");
        let pairs: Vec<Vec<String>> = self.stood_in.iter().map(|(what, by)| vec![what.clone(), by.clone()]).collect();
        out += &indented(&table(&pairs, &[]));
        let style = if self.failed { Style::Red } else { Style::Green };
        let _ = writeln!(out, "\n{}", paint(style, &self.verdict()));
        out
    }

    fn write_timeline(&self, out: &mut String, rich: bool) {
        let paint = |style, text: &str| if rich { painted(style, text) } else { text.to_owned() };
        let names = self.timeline.iter().map(|step| width(&step.name)).max().unwrap_or_default().min(56);
        let longest = self.timeline.iter().filter_map(|step| step.seconds).fold(0.0, f64::max);
        for step in &self.timeline {
            let took = step.seconds.map_or_else(String::new, |seconds| format!("{seconds:.2} s"));
            let bar = if rich {
                format!("{} ", padded(&bar(step.seconds.unwrap_or_default(), longest), BAR))
            } else {
                String::new()
            };
            let times = if step.times > 1 { format!(" ×{}", step.times) } else { String::new() };
            let line = format!(
                "{} {} {} {} {}{}{times}",
                paint(Style::Dim, &format!("{:>7.2} s ", step.at)),
                paint(if step.failed { Style::Red } else { Style::Cyan }, &padded(step.kind.word(), 8)),
                padded(&step.name, names),
                paint(Style::Dim, &format!("{took:>8}")),
                if rich { paint(if step.failed { Style::Red } else { Style::Green }, &bar) } else { String::new() },
                step.detail,
            );
            let _ = writeln!(out, "{}{}", line.trim_end(), if step.failed && !rich { "  FAILED" } else { "" });
        }
    }

    fn rows_table(&self) -> String {
        let header = ["", "objects", "read", "cleaned", "quarantine", "duplicates", "transformed", "staged", "written"];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        for (name, rows) in &self.rows {
            let numbers = [
                rows.objects,
                rows.read,
                rows.cleaned,
                rows.quarantined,
                rows.duplicates,
                rows.transformed,
                rows.staged,
                rows.changed,
            ];
            lines.push(std::iter::once(name.clone()).chain(numbers.map(thousands)).collect());
        }
        table(&lines, &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    fn warehouse_table(&self) -> String {
        let mut lines = vec![["", "rows", "new"].map(str::to_owned).to_vec()];
        for count in &self.warehouse {
            let new = match (count.after.checked_sub(count.before), count.before.saturating_sub(count.after)) {
                (Some(0), _) => String::new(),
                (Some(new), _) => format!("+{}", thousands(new)),
                (None, lost) => format!("-{}", thousands(lost)),
            };
            lines.push(vec![format!("core.{}", count.table), thousands(count.after), new]);
        }
        table(&lines, &[1, 2])
    }
}

fn iceberg_line(table: &IcebergTable) -> Vec<String> {
    let states = if table.snapshots == 1 { "1 snapshot".to_owned() } else { format!("{} snapshots", table.snapshots) };
    vec![table.table.clone(), counted(table.rows, "row"), states]
}

fn mart_table(mart: &Mart) -> String {
    let number = |column: usize| {
        mart.rows
            .iter()
            .all(|row| row.get(column).and_then(Option::as_ref).is_none_or(|value| value.parse::<f64>().is_ok()))
    };
    let right: Vec<usize> = (0..mart.columns.len()).filter(|column| number(*column)).collect();
    let mut lines = vec![mart.columns.clone()];
    lines.extend(
        mart.rows.iter().map(|row| row.iter().map(|value| value.clone().unwrap_or_else(|| "·".into())).collect()),
    );
    table(&lines, &right)
}

/// Columns two spaces apart; those that are named stand at the right.
fn table(lines: &[Vec<String>], right: &[usize]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let cell = |line: &Vec<String>, column: usize| line.get(column).map(|text| shortened(text)).unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| width(&cell(line, column))).max().unwrap_or_default())
        .collect();
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> = (0..columns)
            .map(|column| {
                let (text, wide) = (cell(line, column), widths[column]);
                if right.contains(&column) {
                    format!("{}{text}", " ".repeat(wide - width(&text)))
                } else {
                    padded(&text, wide)
                }
            })
            .collect();
        out += cells.join("  ").trim_end();
        out.push('\n');
    }
    out
}

fn shortened(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    if text.chars().count() <= WIDEST { text } else { text.chars().take(WIDEST - 1).chain(['…']).collect() }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| if line.is_empty() { out + "\n" } else { out + "  " + line + "\n" })
}

/// How many columns a text takes on a terminal: two for the wide characters of East Asia.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0x1f300..=0x1faff);
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// A bar of eighths of a character.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 128")]
fn bar(seconds: f64, longest: f64) -> String {
    if seconds <= 0.0 || longest <= 0.0 {
        return String::new();
    }
    let eighths = ((seconds / longest * (BAR * 8) as f64) as usize).clamp(1, BAR * 8);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

fn painted(style: Style, text: &str) -> String {
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Red => "31",
        Style::Yellow => "33",
        Style::Green => "32",
        Style::Cyan => "36",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Kind;
    use pipectl_emulator::authorizer::Unused;

    fn step(at: f64, kind: Kind, name: &str, detail: &str, seconds: Option<f64>) -> Step {
        Step { at, kind, name: name.into(), detail: detail.into(), seconds, times: 1, failed: false }
    }

    fn report() -> Report {
        let rows = TableRows {
            objects: 1,
            read: 1_010,
            cleaned: 1_000,
            quarantined: 4,
            duplicates: 6,
            transformed: 1_000,
            staged: 1_000,
            waiting: 0,
            late: 0,
            changed: 1_000,
        };
        Report {
            pipeline: "shop-local".into(),
            failed: false,
            seconds: 12.34,
            timeline: vec![
                step(0.0, Kind::File, "landing/stores/stores.csv", "1.2 KiB", Some(0.01)),
                Step {
                    times: 3,
                    ..step(
                        0.5,
                        Kind::Event,
                        "landing/orders: trail shop-local-landing",
                        "rule shop-local-landing → workflow shop-local",
                        None,
                    )
                },
                step(0.6, Kind::Trigger, "shop-local-start", "1 s after the first event", None),
                step(0.6, Kind::Job, "shop-local-clean", "", Some(4.0)),
                Step {
                    failed: true,
                    ..step(5.0, Kind::Statement, "shop-local/load/b/orders", "7 statements, one transaction", Some(0.2))
                },
            ],
            rows: BTreeMap::from([("orders".to_owned(), rows)]),
            warehouse: vec![
                TableCount { table: "orders".into(), before: 10, after: 1_010 },
                TableCount { table: "stores".into(), before: 0, after: 0 },
            ],
            marts: vec![Mart {
                name: "daily_revenue".into(),
                count: 212,
                columns: vec!["day".into(), "city".into(), "revenue".into()],
                rows: vec![
                    vec![Some("2024-01-01".into()), Some("東京".into()), Some("12.50".into())],
                    vec![Some("2024-01-02".into()), None, Some("1003.00".into())],
                ],
            }],
            mails: Vec::new(),
            iceberg: vec![IcebergTable { table: "orders".into(), rows: 1_000, snapshots: 1 }],
            findings: vec![Finding {
                severity: Severity::Warning,
                text: "the data of `shop` has no `Order.name`: it is null in every row".into(),
            }],
            grants: Grants {
                all: 12,
                unused: vec![Unused {
                    of: "shop-local-load".into(),
                    statement: "ReadLedger".into(),
                    action: "s3:GetObject".into(),
                    file: "iam.yaml".into(),
                    line: 7,
                }],
            },
            list_grants: true,
            stood_in: vec![("AWS Glue".into(), "Spark 3.5.6".into())],
        }
    }

    #[test]
    fn the_text_of_the_report() {
        insta::assert_snapshot!(report().text(false), @"
        shop-local rehearsed in 12.3 s

           0.00 s  file     landing/stores/stores.csv                  0.01 s 1.2 KiB
           0.50 s  event    landing/orders: trail shop-local-landing          rule shop-local-landing → workflow shop-local ×3
           0.60 s  trigger  shop-local-start                                  1 s after the first event
           0.60 s  glue job shop-local-clean                           4.00 s
           5.00 s  sql      shop-local/load/b/orders                   0.20 s 7 statements, one transaction  FAILED

        rows
                  objects   read  cleaned  quarantine  duplicates  transformed  staged  written
          orders        1  1,010    1,000           4           6        1,000   1,000    1,000

        warehouse
                        rows     new
          core.orders  1,010  +1,000
          core.stores      0

        iceberg
          orders  1,000 rows  1 snapshot

        marts.daily_revenue (212 rows, the first 2)
          day         city  revenue
          2024-01-01  東京    12.50
          2024-01-02  ·     1003.00

        findings
          warning: the data of `shop` has no `Order.name`: it is null in every row

        permissions
          11 of 12 grants were used
          not used: shop-local-load
            iam.yaml:7 ReadLedger s3:GetObject

        what stood in
          AWS Glue  Spark 3.5.6

        done: 1,000 rows are new, 1,000 written, 4 rows in quarantine; every row is accounted for
        ");
    }

    #[test]
    fn a_terminal_shows_bars() {
        let text = report().text(true);
        assert!(text.contains("████████████████") && text.contains("\u{1b}[32m"), "{text}");
    }

    #[test]
    fn verdicts() {
        let nothing_new = Report {
            rows: BTreeMap::new(),
            warehouse: vec![TableCount { table: "orders".into(), before: 7, after: 7 }],
            ..report()
        };
        let error = Finding { severity: Severity::Error, text: "x".into() };
        let failed = Report { failed: true, findings: vec![error], ..report() };
        insta::assert_snapshot!([report(), nothing_new, failed].map(|report| report.verdict()).join("\n"), @"
        done: 1,000 rows are new, 1,000 written, 4 rows in quarantine; every row is accounted for
        done: nothing was new, and no row was added
        failed: 1 error
        ");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 1, 2_000].map(|count| counted(count, "row")), ["0 rows", "1 row", "2,000 rows"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([999, 2_048, 3 << 20].map(size), ["999 B", "2.0 KiB", "3.0 MiB"]);
    }
}
