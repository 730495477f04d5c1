//! The ingest of one source: all its objects, each from its cursor to its new cursor.

use std::collections::VecDeque;
use std::time::Duration;

use pipeline::document::{Object, Shopify};
use pipeline::s3::Bucket;
use pipeline::{Deadline, Error, Result};
use serde_json::{Map, Value, json};

use crate::bulk::{self, Operation, Start};
use crate::client::Client;
use crate::delivery::{Delivery, Fault, deliver};
use crate::http::Http;
use crate::state::{Started, State, advance};
use crate::throttle::{backoff, pause};

/// How often a result that did not arrive whole is fetched before its operation is given up.
const FETCHES: u32 = 3;

/// The wait before asking again when operations that this ingest did not start keep Shopify busy.
const BUSY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Ingest<'a> {
    pub name: &'a str,
    pub source: &'a Shopify,
    pub client: Client<'a>,
    pub http: &'a Http,
    pub raw: Bucket,
    pub deadline: Deadline,
}

impl Ingest<'_> {
    /// Starts the operations of all objects, as many at a time as Shopify takes, and delivers one after the other.
    ///
    /// An object that fails does not stop the others; the errors come together at the end.
    pub async fn run(&self) -> Result<Value> {
        let mut state = State::load(&self.raw, self.name).await?;
        let mut waiting: VecDeque<&Object> = self.source.objects.iter().collect();
        let mut running: VecDeque<(&Object, String)> = VecDeque::new();
        let mut delivered = Map::new();
        let mut errors = Vec::new();
        loop {
            let mut busy = None;
            while let Some(object) = waiting.front() {
                match self.start(&mut state, object).await {
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
                match self.finish(&mut state, object, &id).await {
                    Ok(delivery) => {
                        let files = delivery.files;
                        delivered.insert(object.name.clone(), json!({"rows": delivery.rows, "files": files}));
                    }
                    Err(error) => errors.push(error),
                }
            } else if let Some(reason) = busy {
                self.client.sleep(BUSY, &reason).await.map_err(|error| {
                    error.hint("another bulk operation of this app keeps Shopify busy; the next invocation asks again")
                })?;
            } else {
                break;
            }
        }
        match Error::all(errors) {
            Some(error) => Err(error),
            None => Ok(json!({"objects": delivered})),
        }
    }

    /// Starts the operation of an object, or takes up the one that an earlier invocation left.
    async fn start(&self, state: &mut State, object: &Object) -> Result<Start> {
        let own = state.objects.entry(object.name.clone()).or_default();
        // The query of an operation under way has the cursor of its time, which is still the cursor.
        let query = bulk::query(object, own.cursor.as_deref(), self.source.start.as_deref())?;
        if let Some(started) = &own.operation {
            if started.query == query {
                tracing::info!(object = object.name, operation = started.id, "continuing a bulk operation");
                return Ok(Start::Started(started.id.clone()));
            }
            tracing::warn!(
                object = object.name,
                operation = started.id,
                "the query has changed; its running operation is dropped"
            );
        }
        let start = bulk::start(&self.client, &object.name, &query).await?;
        if let Start::Started(id) = &start {
            tracing::info!(object = object.name, operation = id, "started a bulk operation");
            own.operation = Some(Started { id: id.clone(), query });
            state.save(&self.raw, self.name).await?;
        }
        Ok(start)
    }

    /// Waits for an operation, delivers its result, and moves the cursor, in this order.
    async fn finish(&self, state: &mut State, object: &Object, id: &str) -> Result<Delivery> {
        let mut fetches = 0;
        loop {
            let operation = self.wait(state, object, id).await?;
            let fault = match deliver(self.http, &self.raw, object, &operation, self.deadline).await {
                Ok(delivery) => {
                    let own = state.objects.entry(object.name.clone()).or_default();
                    own.cursor = advance(own.cursor.as_deref(), delivery.newest.as_ref(), &operation.started()?)?;
                    own.operation = None;
                    tracing::info!(object = object.name, rows = delivery.rows, cursor = own.cursor, "delivered");
                    state.save(&self.raw, self.name).await?;
                    return Ok(delivery);
                }
                Err(Fault::Fatal(error)) => return Err(error),
                Err(Fault::Broken(fault)) => fault,
            };
            fetches += 1;
            if fetches == FETCHES {
                self.forget(state, object).await?;
                let message =
                    format!("the result of the bulk operation {id} of `{}` does not arrive whole", object.name);
                let hint =
                    "nothing of it was kept and the cursor did not move; the next invocation starts a new operation";
                return Err(Error::new(message).cause(fault).hint(hint));
            }
            tracing::warn!(object = object.name, "{fault}; fetching the result again");
            self.client.sleep(backoff(fetches), &fault).await?;
        }
    }

    async fn wait(&self, state: &mut State, object: &Object, id: &str) -> Result<Operation> {
        let mut polls = 0;
        loop {
            let Some(operation) = bulk::look(&self.client, id).await? else {
                self.forget(state, object).await?;
                let message = format!("Shopify does not know the bulk operation {id} of `{}`", object.name);
                return Err(Error::new(message).hint("the next invocation starts a new one from the same cursor"));
            };
            if let Some(failure) = operation.failure(&object.name) {
                self.forget(state, object).await?;
                return Err(failure);
            }
            if operation.over() {
                return Ok(operation);
            }
            let reason = format!("the bulk operation {id} of `{}` is still running", object.name);
            self.client.sleep(pause(polls), &reason).await?;
            polls += 1;
        }
    }

    /// Drops an operation that will not be delivered, so that the next invocation starts another.
    async fn forget(&self, state: &mut State, object: &Object) -> Result<()> {
        state.objects.entry(object.name.clone()).or_default().operation = None;
        state.save(&self.raw, self.name).await
    }
}
