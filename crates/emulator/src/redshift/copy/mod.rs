//! COPY of Parquet files from S3, as Redshift does it: by position, with types that fit exactly, all or nothing.

mod encode;
pub(super) mod listing;
mod schema;

pub(super) use schema::numeric as numeric_modifier;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::SinkExt as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use tokio::sync::mpsc;
use tokio_postgres::Client;

use self::listing::Object;
use self::schema::Target;
use super::error::{SqlError, SqlResult};
use super::rewrite::{Copy, literal, quote};

/// The buckets of the local account, and the authorizer of access to them.
#[derive(Clone, Default)]
pub(crate) struct Files {
    /// Each bucket's directory.
    pub(crate) buckets: BTreeMap<String, PathBuf>,
    pub(crate) region: String,
    pub(crate) authorizer: Option<ReadAuthorizer>,
}

/// Says whether a read is allowed; the text is what AWS would answer.
pub type ReadAuthorizer = Arc<dyn Fn(&Read) -> Result<(), String> + Send + Sync>;

/// A read of S3 that a COPY makes with the role of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// `s3:ListBucket` or `s3:GetObject`.
    pub action: &'static str,
    pub bucket: String,
    /// The object's key, or the prefix that is listed.
    pub key: String,
    /// The role's ARN; nothing for the default role.
    pub role: Option<String>,
}

/// The rows of one message to the server.
const BATCH: usize = 8192;

/// Copies the files into the table; answers with the number of rows.
pub(crate) async fn run(client: &Client, copy: &Copy, files: &Files) -> SqlResult<i64> {
    let targets = targets(client, copy).await?;
    let objects = listing::objects(copy, files)?;
    let names: Vec<String> = targets.iter().map(|target| quote(&target.name)).collect();
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", copy.table, names.join(", "));
    let sink = client.copy_in::<_, Bytes>(&sql).await?;
    let mut sink = std::pin::pin!(sink);

    let (sender, mut receiver) = mpsc::channel::<Bytes>(4);
    let fill = copy.fill;
    let reader = tokio::task::spawn_blocking(move || {
        sender.blocking_send(encode::header()).ok();
        for object in &objects {
            read(object, &targets, fill, &sender)?;
        }
        sender.blocking_send(encode::trailer()).ok();
        Ok::<_, SqlError>(())
    });
    // A refused message means that the server has given up; `finish` says why.
    while let Some(chunk) = receiver.recv().await {
        if sink.send(chunk).await.is_err() {
            break;
        }
    }
    drop(receiver);
    // An error here drops the sink, which makes the server discard what it has.
    reader.await.map_err(|error| SqlError::new(format!("the reader of the files failed: {error}")))??;
    let rows = sink.finish().await?;
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// The columns that the COPY fills, in its order.
async fn targets(client: &Client, copy: &Copy) -> SqlResult<Vec<Target>> {
    let sql = format!(
        "SELECT attname, atttypid, atttypmod, attidentity::text FROM pg_catalog.pg_attribute \
         WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        literal(&copy.table)
    );
    let mut all = Vec::new();
    for row in client.query(&sql, &[]).await? {
        let identity: String = row.get(3);
        // Redshift fills an IDENTITY column itself, unless the statement names it.
        if identity.is_empty() || !copy.columns.is_empty() {
            all.push(Target { name: row.get(0), kind: row.get(1), modifier: row.get(2) });
        }
    }
    if copy.columns.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        all.iter()
            .find(|target| target.name == *name)
            .cloned()
            .ok_or_else(|| SqlError::new(format!("column \"{name}\" of relation \"{}\" does not exist", copy.table)))
    };
    copy.columns.iter().map(find).collect()
}

/// Sends the rows of one file.
fn read(object: &Object, targets: &[Target], fill: bool, sender: &mpsc::Sender<Bytes>) -> SqlResult<()> {
    let broken = |error: &dyn std::fmt::Display| {
        schema::scan_error(15001, &format!("Error reading file {}: {error}", object.url))
    };
    let opened = File::open(&object.path).map_err(|error| broken(&error))?;
    let reader = SerializedFileReader::new(opened).map_err(|error| broken(&error))?;
    let parquet = reader.metadata().file_metadata().schema_descr_ptr();
    let columns = schema::fit(&parquet, targets, fill, object)?;
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index).map_err(|error| broken(&error))?;
        let mut readers = Vec::new();
        for (position, column) in columns.iter().enumerate() {
            let reader = group.get_column_reader(position).map_err(|error| broken(&error))?;
            readers.push(encode::Reader::new(reader, column.clone()));
        }
        let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        while left > 0 {
            let count = left.min(BATCH);
            for reader in &mut readers {
                reader.fill(count).map_err(|error| broken(&error))?;
            }
            let mut out = BytesMut::with_capacity(count * targets.len() * 16);
            let fields = i16::try_from(targets.len()).unwrap_or(i16::MAX);
            for row in 0..count {
                out.put_i16(fields);
                for reader in &mut readers {
                    reader.write(row, &mut out).map_err(|what| schema::value_error(&what, object))?;
                }
                for _ in columns.len()..targets.len() {
                    out.put_i32(-1);
                }
            }
            left -= count;
            if sender.blocking_send(out.freeze()).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
