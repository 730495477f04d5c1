//! The ingest of one source: all its objects, each from its cursor to its new cursor.

use std::collections::VecDeque;
use std::time::Duration;

use aws_smithy_types::DateTime;
use pipectl_contract::keys;
use pipeline::document::{Object, Shopify};
use pipeline::s3::Bucket;
use pipeline::{Error, Result, instant};
use serde_json::{Map, Value, json};

use crate::bulk::{self, Operation, Start};
use crate::client::Client;
use crate::delivery::{self, Delivery, Route};
use crate::demultiplex::number_of;
use crate::http::Http;
use crate::landing::{self, Fault, Landed, Landing};
use crate::scopes::Scopes;
use crate::state::{ObjectState, Progress, Started, Store};
use crate::throttle::{backoff, pause};
use crate::{deletions, graphql, pages};

/// How often a result that did not arrive whole is fetched before its operation is given up.
const FETCHES: u32 = 3;

/// As many bulk operations as Shopify runs for an app and shop at once.
const AT_ONCE: usize = 5;

/// The wait before asking again when operations that this ingest did not start keep Shopify busy.
const BUSY: Duration = Duration::from_secs(5);

/// An operation that has found nothing new for so long is given up, in seconds; and one that is so old in any case.
const STALLED: i64 = 3_600;
const LONGEST: i64 = 86_400;

/// The moment that stands for "everything" in a first query.
const BEGINNING: &str = "1970-01-01T00:00:00Z";

#[derive(Debug)]
pub struct Ingest<'a> {
    pub name: &'a str,
    pub source: &'a Shopify,
    pub client: &'a Client<'a>,
    pub http: &'a Http,
    pub raw: &'a Bucket,
    pub store: &'a Store,
}

impl Ingest<'_> {
    /// Reads all objects: small changes page by page, the others by bulk operations, as many at a time as Shopify takes.
    ///
    /// An object that fails does not stop the others; the errors come together at the end.
    pub async fn run(&self) -> Result<Value> {
        let scopes = Scopes::fetch(self.client).await?;
        scopes.check(self.source)?;
        self.watch_deletions().await?;
        let (mut delivered, mut errors) = (Map::new(), Vec::new());
        let mut waiting = VecDeque::new();
        for object in &self.source.objects {
            match self.small(&scopes, object).await {
                Ok(Some(landed)) => {
                    delivered.insert(object.name.clone(), shown(&landed));
                }
                Ok(None) => waiting.push_back(object),
                Err(error) => errors.push(error),
            }
        }
        self.bulk(waiting, &mut delivered, &mut errors).await;
        match self.deletions().await {
            Ok(Some(landed)) if landed.rows > 0 => {
                delivered.insert(deletions::NAME.to_owned(), shown(&landed));
            }
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
        // Unfinished objects are reported only without errors: another invocation continues.
        if errors.iter().any(|error| !error.is_unfinished()) {
            errors.retain(|error| !error.is_unfinished());
        } else if let Some(unfinished) = errors.into_iter().next() {
            return Err(unfinished);
        } else {
            return Ok(json!({"objects": delivered}));
        }
        Err(Error::all(errors).unwrap_or_else(|| Error::new("the ingest failed")))
    }

    /// Runs bulk operations for the objects, and delivers one result after the other.
    async fn bulk(&self, mut waiting: VecDeque<&Object>, delivered: &mut Map<String, Value>, errors: &mut Vec<Error>) {
        let mut running: VecDeque<(&Object, String)> = VecDeque::new();
        loop {
            let mut busy = None;
            while let Some(object) = waiting.front().filter(|_| running.len() < AT_ONCE) {
                match self.start(object).await {
                    Ok(Start::Started(id)) => running.push_back((object, id)),
                    Ok(Start::Busy(reason)) => {
                        busy = Some(reason);
                        break;
                    }
                    Err(error) => errors.push(error),
                }
                waiting.pop_front();
            }
            if let Some((object, id)) = running.pop_front() {
                match self.finish(object, &id).await {
                    Ok(landed) => {
                        delivered.insert(object.name.clone(), shown(&landed));
                    }
                    Err(error) => errors.push(error),
                }
            } else if let Some(reason) = busy {
                // Operations of others: nothing to do but wait.
                if let Err(error) = self.client.sleep(BUSY, &reason).await {
                    errors.push(error);
                    return;
                }
            } else {
                return;
            }
        }
    }

    /// Where the reading of an object starts.
    fn since(&self, own: &ObjectState) -> Result<DateTime> {
        instant::parse(own.cursor.as_deref().or(self.source.start.as_deref()).unwrap_or(BEGINNING))
            .map_err(|error| error.hint("`since` of the source is a day such as 2026-01-01"))
    }

    /// Reads what is small page by page; nothing is returned for what is left to a bulk operation.
    async fn small(&self, scopes: &Scopes, object: &Object) -> Result<Option<Landed>> {
        self.look_for_new_tables(object).await?;
        let own = self.store.object(&object.name);
        let since = self.since(&own)?;
        let until = own.until.as_deref().map(instant::parse).transpose()?;
        scopes.check_window(self.source, object, &since.max(until.unwrap_or(since)), &self.client.now())?;
        if own.cursor.is_none() || own.operation.is_some() {
            return Ok(None);
        }
        let since = instant::format(&since);
        let now = self.client.now();
        let name = landing::name(&now, &format!("pages-{}", now.secs()));
        let mut landing = Landing::new(self.raw, object, name);
        let started = match pages::read(self.client, object, &since, &mut landing).await {
            Ok(pages::Paged::Whole(started)) => started,
            Ok(pages::Paged::TooMany) => {
                landing.abort().await;
                tracing::info!(object = object.name, "too many rows for pages; a bulk operation reads them");
                return Ok(None);
            }
            Err(fault) => {
                landing.abort().await;
                return match fault {
                    // Shopify's own trouble with pages: a bulk operation may have none.
                    Fault::Broken(why) => {
                        tracing::warn!(object = object.name, "{why}; a bulk operation reads the rows");
                        Ok(None)
                    }
                    Fault::Fatal(error) => Err(error),
                };
            }
        };
        let known = own.knows(&landing.newest)?;
        let newest = landing.newest.clone();
        let landed = if known {
            landing.abort().await;
            Landed::default()
        } else {
            landing.complete().await?
        };
        self.delivered(object, &since, &newest, &started).await?;
        Ok(Some(landed))
    }

    /// A table that was added has no row of the time before: its object is read from the start again.
    async fn look_for_new_tables(&self, object: &Object) -> Result<()> {
        self.store
            .change(|state| {
                let own = state.object(&object.name);
                let new =
                    own.tables.as_ref().and_then(|known| object.tables.values().find(|table| !known.contains(table)));
                if let Some(table) = new {
                    tracing::info!(object = object.name, table, "the table is new: reading its object from the start");
                    *own = ObjectState::default();
                }
                Ok(())
            })
            .await
    }

    /// Starts the operation of an object, or takes up the one that an earlier invocation left.
    async fn start(&self, object: &Object) -> Result<Start> {
        let own = self.store.object(&object.name);
        // The query of an operation under way has the cursor of its time, which is still the cursor.
        let query = graphql::bulk(object, Some(&instant::format(&self.since(&own)?)));
        if let Some(started) = &own.operation {
            if started.query == query {
                tracing::info!(object = object.name, operation = started.id, "continuing a bulk operation");
                return Ok(Start::Started(started.id.clone()));
            }
            tracing::warn!(object = object.name, operation = started.id, "its query has changed; it is cancelled");
            bulk::cancel(self.client, &started.id).await;
        }
        let start = bulk::start(self.client, &object.name, &query).await?;
        if let Start::Started(id) = &start {
            tracing::info!(object = object.name, operation = id, "started a bulk operation");
            self.store
                .change(|state| {
                    let started = Started { id: id.clone(), query: query.clone(), ..Started::default() };
                    state.object(&object.name).operation = Some(started);
                    Ok(())
                })
                .await?;
        }
        Ok(start)
    }

    /// Waits for an operation, delivers its result, and moves the cursor, in this order.
    async fn finish(&self, object: &Object, id: &str) -> Result<Landed> {
        let since = instant::format(&self.since(&self.store.object(&object.name))?);
        let mut fetches = 0;
        loop {
            let operation = self.wait(object, id).await?;
            let folder = format!("{}{}", keys::parked_folder(self.name), number_of(id));
            let deadline = self.client.deadline();
            let route = Route { http: self.http, raw: self.raw, object, folder: &folder, deadline };
            let parked = self.store.object(&object.name).operation.and_then(|started| started.parked);
            let fault = match route.deliver(&operation, parked.as_ref()).await {
                Ok(Delivery::Whole(landed)) => {
                    self.delivered(object, &since, &landed.newest, &operation.started()?).await?;
                    tracing::info!(object = object.name, rows = landed.rows, "delivered");
                    return Ok(landed);
                }
                Ok(Delivery::Parked(parked)) => {
                    self.keep(object, id, |started| started.parked = Some(parked.clone())).await?;
                    return Err(delivery::unfinished(object, &parked));
                }
                Err(Fault::Fatal(error)) => return Err(error),
                Err(Fault::Broken(fault)) => fault,
            };
            fetches += 1;
            if fetches == FETCHES {
                self.forget(object, id).await?;
                let message =
                    format!("the result of the bulk operation {id} of `{}` does not arrive whole", object.name);
                let hint =
                    "nothing of it was kept and the cursor did not move; the next invocation starts a new operation";
                return Err(Error::new(message).cause(fault).hint(hint));
            }
            tracing::warn!(object = object.name, "{fault}; fetching the result again");
            // What was parked belongs to a reading that did not end well.
            self.keep(object, id, |started| started.parked = None).await?;
            self.client.sleep(backoff(fetches), &fault).await?;
        }
    }

    async fn delivered(&self, object: &Object, since: &str, newest: &landing::Newest, at: &DateTime) -> Result<()> {
        let tables: Vec<String> = object.tables.values().cloned().collect();
        self.store.change(|state| state.object(&object.name).delivered(since, newest, at, tables.clone())).await
    }

    async fn wait(&self, object: &Object, id: &str) -> Result<Operation> {
        let mut polls = 0;
        let mut progress = self.store.object(&object.name).operation.and_then(|started| started.progress);
        loop {
            let Some(operation) = bulk::look(self.client, id).await? else {
                self.forget(object, id).await?;
                let message = format!("Shopify does not know the bulk operation {id} of `{}`", object.name);
                return Err(Error::new(message).hint("the next invocation starts a new one from the same cursor"));
            };
            if let Some(failure) = operation.failure(&object.name) {
                self.forget(object, id).await?;
                return Err(failure);
            }
            if operation.over() {
                return Ok(operation);
            }
            let now = self.client.now();
            let objects = operation.object_count.unwrap_or_default();
            let last = match progress {
                Some(last) if last.objects == objects => last,
                _ => Progress { objects, since: instant::format(&now) },
            };
            let stalled = now.secs() - instant::parse(&last.since)?.secs();
            let age = now.secs() - operation.started()?.secs();
            if stalled > STALLED || age > LONGEST {
                bulk::cancel(self.client, id).await;
                self.forget(object, id).await?;
                let message = format!("the bulk operation {id} of `{}` does not end", object.name);
                let cause =
                    format!("it is {} minutes old, and has been at {objects} objects for {}", age / 60, stalled / 60);
                let hint = "it was cancelled, and the cursor did not move; the next invocation starts a new one";
                return Err(Error::new(message).cause(cause).hint(hint));
            }
            let reason = format!("the bulk operation {id} of `{}` is still running", object.name);
            if let Err(error) = self.client.sleep(pause(polls), &reason).await {
                self.keep(object, id, |started| started.progress = Some(last.clone())).await?;
                return Err(error);
            }
            progress = Some(last);
            polls += 1;
        }
    }

    /// Drops an operation that will not be delivered, so that the next invocation starts another.
    async fn forget(&self, object: &Object, id: &str) -> Result<()> {
        self.store
            .change(|state| {
                let own = state.object(&object.name);
                if own.operation.as_ref().is_some_and(|started| started.id == id) {
                    own.operation = None;
                }
                Ok(())
            })
            .await
    }

    async fn keep(&self, object: &Object, id: &str, change: impl Fn(&mut Started)) -> Result<()> {
        self.store
            .change(|state| {
                if let Some(started) = state.object(&object.name).operation.as_mut().filter(|started| started.id == id)
                {
                    change(started);
                }
                Ok(())
            })
            .await
    }

    /// From the first run on, deletions are looked for: what is read now may be gone before its reading ends.
    async fn watch_deletions(&self) -> Result<()> {
        let now = instant::format(&self.client.now());
        self.store
            .change(|state| {
                state.object(deletions::NAME).cursor.get_or_insert_with(|| now.clone());
                Ok(())
            })
            .await
    }

    async fn deletions(&self) -> Result<Option<Landed>> {
        let own = self.store.object(deletions::NAME);
        let landed = deletions::read(self.client, self.raw, self.source, own.cursor.as_deref(), &own.edge).await?;
        if let Some(landed) = &landed {
            self.store
                .change(|state| {
                    let own = state.object(deletions::NAME);
                    own.cursor.clone_from(&landed.newest.at);
                    own.edge.clone_from(&landed.newest.ids);
                    Ok(())
                })
                .await?;
        }
        Ok(landed)
    }
}

fn shown(landed: &Landed) -> Value {
    json!({"rows": landed.rows, "files": landed.files})
}
