//! A mart's rows, out of the warehouse: through the Redshift Data API, or from the files that a run has written.
//!
//! Nothing here needs a way into the private network of the warehouse.

use std::io::Write;

use pipectl_contract::names::Zone;
use pipectl_contract::{keys, names};
use serde_json::{Value, json};

use crate::aws::{Aws, Failure};
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::spec::{Spec, Unload};

/// Writes the rows of a mart. Returns how many there were, where it is known.
pub async fn export(aws: &Aws, spec: &Spec, mart: &str, format: Unload, out: &mut dyn Write) -> Result<Option<u64>> {
    if check(spec, mart, format)? {
        files(aws, spec, mart, format, out).await.map(|()| None)
    } else {
        rows(aws, spec, mart, out).await.map(Some)
    }
}

/// Whether a mart's rows are taken from the files of the last run, and not from the warehouse. Fails if there is no such
/// mart, or not in this format.
pub fn check(spec: &Spec, mart: &str, format: Unload) -> Result<bool> {
    let marts = &spec.pipeline.marts;
    let Some(known) = marts.get(mart) else {
        return Err(Error::new(format!("unknown mart `{mart}`"))
            .hint(did_you_mean(mart, marts.keys().map(String::as_str)))
            .exit(Exit::Usage));
    };
    match format {
        _ if known.unload == Some(format) => Ok(true),
        Unload::Csv => Ok(false),
        Unload::Parquet => Err(Error::new(format!("the mart `{mart}` is not written as Parquet"))
            .hint("add `unload: parquet` to it and deploy; or take `--format csv`")
            .exit(Exit::Usage)),
    }
}

/// The files of the last run.
async fn files(aws: &Aws, spec: &Spec, mart: &str, format: Unload, out: &mut dyn Write) -> Result<()> {
    let (bucket, prefix) = (spec.bucket(Zone::Transformed), keys::export_folder(mart));
    let failed = |failure: Failure| Error::from(failure).note(format!("while reading s3://{bucket}/{prefix}"));
    let objects = aws.s3.list(&bucket, &prefix).await.map_err(failed)?;
    if objects.is_empty() {
        return Err(Error::new(format!("there are no files of the mart `{mart}` yet"))
            .note(format!("s3://{bucket}/{prefix} is empty"))
            .hint("they are written after each load: see `pipectl status`"));
    }
    if format == Unload::Parquet && objects.len() > 1 {
        return Err(Error::new(format!("the mart `{mart}` has {} Parquet files", objects.len()))
            .hint(format!("copy them all: `aws s3 cp --recursive s3://{bucket}/{prefix} .`")));
    }
    for (number, object) in objects.iter().enumerate() {
        let bytes = aws.s3.get(&bucket, &object.key).await.map_err(failed)?.unwrap_or_default();
        // Each file has its own header.
        let header = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        out.write_all(&bytes[if number == 0 || format == Unload::Parquet { 0 } else { header }..])?;
    }
    Ok(())
}

/// The rows as they are now.
async fn rows(aws: &Aws, spec: &Spec, mart: &str, out: &mut dyn Write) -> Result<u64> {
    let prefix = spec.prefix();
    let reader = spec.readers().next().map(|(_, secret)| secret);
    let body = json!({
        "WorkgroupName": prefix,
        "Database": spec.pipeline.warehouse.database,
        "SecretArn": reader.unwrap_or_else(|| names::warehouse_secret(&prefix)),
        "StatementName": names::export_statement(&prefix, mart),
        "Sql": format!("SELECT * FROM marts.{mart}"),
    });
    let hint = "do your credentials allow redshift-data and the secret of the user? see docs/warehouse.md";
    let failed = |failure: Failure| Error::from(failure).hint(hint);
    let sent = aws.signed_calls.redshift_data("ExecuteStatement", &body).await.map_err(failed)?;
    let id = sent["Id"].as_str().unwrap_or_default().to_owned();
    let mut waits = aws.pace.waits();
    loop {
        let described =
            aws.signed_calls.redshift_data("DescribeStatement", &json!({ "Id": id })).await.map_err(failed)?;
        match described["Status"].as_str().unwrap_or_default() {
            "FINISHED" => break,
            "FAILED" | "ABORTED" => {
                let why = described["Error"].as_str().unwrap_or("Redshift gives no reason").to_owned();
                return Err(Error::new(format!("the mart `{mart}` cannot be read"))
                    .note(why)
                    .hint("is it there yet? it is made after the first load: see `pipectl status`"));
            }
            _ => tokio::time::sleep(waits.next().unwrap_or_default()).await,
        }
    }
    let (mut next, mut count) = (Value::Null, 0);
    loop {
        let mut body = json!({ "Id": id });
        if !next.is_null() {
            body["NextToken"] = next.clone();
        }
        let page = aws.signed_calls.redshift_data("GetStatementResult", &body).await.map_err(failed)?;
        if next.is_null() {
            let columns = page["ColumnMetadata"].as_array().into_iter().flatten();
            let names = columns.map(|column| quoted(column["name"].as_str().unwrap_or_default()));
            writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
        }
        for row in page["Records"].as_array().into_iter().flatten() {
            let values = row.as_array().into_iter().flatten().map(text);
            writeln!(out, "{}", values.collect::<Vec<_>>().join(","))?;
            count += 1;
        }
        next = page["NextToken"].clone();
        if next.as_str().is_none_or(str::is_empty) {
            break;
        }
    }
    out.flush()?;
    Ok(count)
}

/// A value as a field of CSV: nothing for NULL, `""` for an empty text, all else as UNLOAD writes it.
fn text(field: &Value) -> String {
    let Some((kind, value)) = field.as_object().and_then(|field| field.iter().next()) else { return String::new() };
    match (kind.as_str(), value) {
        ("stringValue", Value::String(text)) => quoted(text),
        ("booleanValue", Value::Bool(truth)) => if *truth { "t" } else { "f" }.to_owned(),
        ("longValue" | "doubleValue", number) => number.to_string(),
        _ => String::new(),
    }
}

/// A text as a field of CSV, in quotes where a reader needs them.
fn quoted(text: &str) -> String {
    let needs =
        text.is_empty() || text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ');
    if needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_unload_writes_them() {
        for (field, expected) in [
            (json!({"stringValue": "12.50"}), "12.50"),
            (json!({"stringValue": ""}), "\"\""),
            (json!({"stringValue": "a,\"b\"\n"}), "\"a,\"\"b\"\"\n\""),
            (json!({"longValue": 7}), "7"),
            (json!({"booleanValue": true}), "t"),
            (json!({"isNull": true}), ""),
            (json!({"doubleValue": 0.5}), "0.5"),
        ] {
            assert_eq!(text(&field), expected);
        }
    }
}
