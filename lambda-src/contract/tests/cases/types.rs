use pipectl_contract::types::{ColumnType, PLAIN};
use pipectl_contract::{limits, timestamps};
use serde_json::{Value, json};

use crate::written;

#[test]
fn column_types() {
    let parts = |text: &str| -> Value {
        let kind: ColumnType = text.parse().unwrap();
        assert_eq!(kind.to_string(), text);
        let name = text.split('(').next().unwrap();
        match kind {
            ColumnType::Decimal(precision, scale) => {
                json!({"text": text, "kind": name, "precision": precision, "scale": scale})
            }
            ColumnType::Varchar(size) => json!({"text": text, "kind": name, "size": size}),
            _ => json!({"text": text, "kind": name}),
        }
    };
    let accepted: Vec<Value> = PLAIN
        .into_iter()
        .chain(["decimal(12,2)", "decimal(1,0)", "decimal(1,1)", "decimal(38,0)", "decimal(38,38)"])
        .chain(["varchar(1)", "varchar(255)", "varchar(65535)"])
        .map(parts)
        .collect();
    let refused = [
        "",
        "int",
        "BIGINT",
        " bigint",
        "bigint(4)",
        "decimal",
        "decimal()",
        "decimal(0,0)",
        "decimal(39,2)",
        "decimal(2,3)",
        "decimal(12)",
        "decimal(12,2",
        "decimal(12,2,1)",
        "decimal(12,-1)",
        "varchar",
        "varchar(0)",
        "varchar(65536)",
        "varchar(max)",
        "varchar(1,2)",
        "varchar(+5)",
        "timestamptz",
    ];
    for text in refused {
        assert!(text.parse::<ColumnType>().is_err(), "{text}");
    }
    written("column_types", &json!({"accepted": accepted, "refused": refused}));
}

#[test]
fn limits_and_versions() {
    written(
        "limits",
        &json!({
            "DOCUMENT_VERSION": pipectl_contract::document::VERSION,
            "LEDGER_VERSION": pipectl_contract::ledger::VERSION,
            "REPORT_VERSION": pipectl_contract::report::VERSION,
            "REPLAY_VERSION": pipectl_contract::replay::VERSION,
            "TRANSACTION_STATEMENTS": limits::TRANSACTION_STATEMENTS,
            "STATEMENT_BYTES": limits::STATEMENT_BYTES,
            "VARCHAR_BYTES": limits::VARCHAR_BYTES,
            "DECIMAL_DIGITS": limits::DECIMAL_DIGITS,
            "UNPACKED_RATIO": limits::UNPACKED_RATIO,
            "UNPACKED_FREE_BYTES": limits::UNPACKED_FREE_BYTES,
        }),
    );
}

#[test]
fn times() {
    let times: Vec<Value> = [0, 951_782_400, 1_793_520_000, 4_107_542_399, 253_402_300_799]
        .map(|seconds| {
            let stamp = timestamps::stamp(seconds);
            assert_eq!(timestamps::begun(&format!("{stamp}-0123456789ab")), Some(seconds));
            json!({"seconds": seconds, "rfc3339": timestamps::rfc3339(seconds), "stamp": stamp})
        })
        .into();
    written("timestamps", &times);
}
