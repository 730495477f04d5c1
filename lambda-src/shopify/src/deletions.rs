//! Deletions, from Shopify's events.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use aws_smithy_types::DateTime;
use pipectl_contract::keys;
use pipeline::document::Shopify;
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answered, Client};
use crate::demultiplex::{number_of, type_of};
use crate::graphql;
use crate::landing::{self, Fault, Landed, Newest};
use crate::pages::{connection, deleted, next};
use crate::upload::{Upload, lane};

/// What the state calls them.
pub const NAME: &str = "deletions";

/// Events may show some minutes after they happened, so the last ones are looked through again, in seconds.
const LATE: i64 = 600;

/// What a page of events costs, about.
const POINTS: f64 = 260.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: String,
    action: String,
    created_at: String,
    subject_id: Option<String>,
    subject_type: Option<String>,
}

/// Lets a row with `_deleted` land for each deletion since the cursor that is not known yet.
///
/// Returns the moment up to which all deletions are known, with the ids of the last events.
pub async fn read(
    client: &Client<'_>,
    raw: &Bucket,
    source: &Shopify,
    cursor: Option<&str>,
    known: &[String],
) -> Result<Option<Landed>> {
    let kinds: BTreeMap<&str, &str> = source
        .objects
        .iter()
        .flat_map(|object| &object.deletions)
        .map(|(subject, kind)| (subject.as_str(), kind.as_str()))
        .collect();
    let tables: BTreeMap<&str, &str> = source
        .objects
        .iter()
        .flat_map(|object| &object.tables)
        .map(|(kind, table)| (kind.as_str(), table.as_str()))
        .collect();
    if kinds.is_empty() {
        return Ok(None);
    }
    let now = client.now();
    let late = |moment: DateTime| DateTime::from_secs(moment.secs() - LATE);
    // Before the first run there is nothing in the warehouse that could be gone.
    let since = late(cursor.map(instant::parse).transpose()?.unwrap_or(now));
    let query = graphql::events(&kinds.keys().copied().collect::<Vec<_>>(), &instant::format(&since));
    let mut gone: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    let (mut seen, mut ids) = (BTreeSet::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let mut data: Value = match client.ask(&query, json!({"after": after}), POINTS).await? {
            Answered::Data(data) => data,
            Answered::TooExpensive(error) => return Err(error),
        };
        let (nodes, info) = connection(data["events"].take()).map_err(broken)?;
        for node in nodes {
            let event: Event = serde_json::from_value(node)
                .map_err(|error| Error::new("an event does not have the documented form").cause(error))?;
            if event.action != "destroy" {
                continue;
            }
            let recent = instant::parse(&event.created_at)? >= late(now);
            if recent {
                ids.push(event.id.clone());
            }
            let kind = event.subject_type.as_deref().and_then(|subject| kinds.get(subject));
            let (Some(kind), Some(subject)) = (kind, &event.subject_id) else { continue };
            let Some(table) = tables.get(kind) else { continue };
            if known.contains(&event.id) || !seen.insert(event.id) {
                continue;
            }
            let id = match type_of(subject) {
                Some(_) => subject.clone(),
                None => format!("gid://shopify/{kind}/{}", number_of(subject)),
            };
            let row = serde_json::to_vec(&deleted(&id, &event.created_at));
            let row = row.map_err(|error| Error::new("a row cannot be written").cause(error))?;
            gone.entry(table).or_default().push(row);
        }
        match next(info).map_err(broken)? {
            Some(cursor) => after = cursor,
            None => break,
        }
    }
    let mut landed =
        Landed { newest: Newest { at: Some(instant::format(&now)), ids, many: false }, ..Landed::default() };
    for (table, rows) in gone {
        let mut hasher = DefaultHasher::new();
        rows.hash(&mut hasher);
        let name = landing::name(&now, &format!("deleted-{:016x}", hasher.finish()));
        let mut upload = Upload::new(raw.clone(), format!("{}{name}", keys::landing_folder(table)), lane());
        for row in &rows {
            upload.write(&[row]).await?;
        }
        tracing::info!(table, rows = rows.len(), "deletions landed");
        landed.rows += rows.len() as u64;
        landed.files.push(upload.complete().await?);
    }
    Ok(Some(landed))
}

fn broken(fault: Fault) -> Error {
    match fault {
        Fault::Broken(fault) => Error::new("the events of the shop cannot be read").cause(fault),
        Fault::Fatal(error) => error,
    }
}
