//! The EventBridge event that a statement with `WithEvent` sends when it ends.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::identifier::uuid;
use super::statement::{Statement, Status};
use crate::redshift::WarehouseConfig;

/// Results are kept for a day.
const RETENTION_SECONDS: i64 = 24 * 60 * 60;

pub(super) fn status_change(statement: &Statement, status: Status, config: &WarehouseConfig) -> Value {
    let now = OffsetDateTime::now_utc();
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    json!({
        "version": "0",
        "id": uuid(),
        "detail-type": "Redshift Data Statement Status Change",
        "source": "aws.redshift-data",
        "account": config.account,
        "time": now.format(format).unwrap_or_default(),
        "region": config.region,
        "resources": [config.workgroup_arn],
        "detail": {
            "principal": statement.caller,
            "statementName": statement.submission.name.as_deref().unwrap_or_default(),
            "statementId": statement.id,
            "redshiftQueryId": -1,
            "state": status.name(),
            "rows": statement.rows(),
            "expireAt": now.unix_timestamp() + RETENTION_SECONDS,
        }
    })
}
