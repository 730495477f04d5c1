//! The Redshift Data API: JSON 1.1, the actions that a loader and an operator need.

mod answer;
mod event;
mod http;
mod identifier;
mod request;
mod results;
mod run;
mod statement;
mod store;

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};

pub use self::answer::Answer;
use self::answer::Fault;
use self::request::{Execute, Submission};
use self::statement::{Statement, Status};
use self::store::Store;
use super::Warehouse;

/// The service. Clones share their statements.
#[derive(Clone)]
pub struct DataApi {
    inner: Arc<Inner>,
}

/// The service, a weak reference: the authorizer of the warehouse must not keep it alive.
#[derive(Clone)]
pub struct WeakDataApi(Weak<Inner>);

impl WeakDataApi {
    /// The service; none once it is gone.
    pub fn get(&self) -> Option<DataApi> {
        Some(DataApi { inner: self.0.upgrade()? })
    }
}

struct Inner {
    warehouse: Warehouse,
    store: Store,
}

type Reply = Result<Value, Fault>;

impl DataApi {
    pub fn downgrade(&self) -> WeakDataApi {
        WeakDataApi(Arc::downgrade(&self.inner))
    }

    pub(super) fn new(warehouse: Warehouse) -> Self {
        Self { inner: Arc::new(Inner { warehouse, store: Store::default() }) }
    }

    /// Answers a request: `action` is what follows `RedshiftData.` in the header X-Amz-Target, `caller` the ARN of who
    /// asks, as events and statements name it.
    pub async fn handle(&self, action: &str, body: &Value, caller: &str) -> Answer {
        let reply = match action {
            "ExecuteStatement" => self.execute(body, caller).await,
            "BatchExecuteStatement" => self.batch(body, caller).await,
            "DescribeStatement" => self.describe(body).await,
            "GetStatementResult" => self.result(body).await,
            "CancelStatement" => self.cancel(body).await,
            "ListStatements" => self.list(body),
            other => Err(Fault::new(
                "UnknownOperationException",
                format!("the rehearsal does not know RedshiftData.{other}"),
            )),
        };
        Answer::from(reply)
    }

    /// The ARN of the principal that submitted a statement.
    pub fn caller(&self, id: &str) -> Option<String> {
        self.inner.store.get(id.split(':').next().unwrap_or(id)).map(|statement| statement.caller.clone())
    }

    async fn execute(&self, body: &Value, caller: &str) -> Reply {
        let request: Execute = request::parse(body)?;
        self.submit(request.into_single()?, caller).await
    }

    async fn batch(&self, body: &Value, caller: &str) -> Reply {
        let request: Execute = request::parse(body)?;
        self.submit(request.into_batch()?, caller).await
    }

    async fn submit(&self, submission: Submission, caller: &str) -> Reply {
        submission.check(self.inner.warehouse.config())?;
        let wait = submission.wait;
        let (statement, fresh) = self.inner.store.add(submission, caller)?;
        if fresh {
            tokio::spawn(run::run(self.inner.warehouse.clone(), Arc::clone(&statement)));
        }
        if let Some(wait) = wait {
            statement.wait(wait).await;
        }
        Ok(statement.accepted(wait.is_some()))
    }

    async fn describe(&self, body: &Value) -> Reply {
        let request: request::ById = request::parse(body)?;
        let (statement, number) = self.find(&request).await?;
        match number {
            None => Ok(statement.described()),
            Some(number) => statement.described_part(number).ok_or_else(|| not_found(&request.id)),
        }
    }

    async fn result(&self, body: &Value) -> Reply {
        let request: request::ById = request::parse(body)?;
        let (statement, number) = self.find(&request).await?;
        let result = statement.result(number.unwrap_or(1)).ok_or_else(|| {
            Fault::not_found(
                "Query does not have result. Please check query status with DescribeStatement.",
                &request.id,
            )
        })?;
        results::page(&result, request.next_token.as_deref())
    }

    async fn cancel(&self, body: &Value) -> Reply {
        let request: request::ById = request::parse(body)?;
        let (statement, _) = self.find(&request).await?;
        match statement.cancel().await {
            Ok(()) => Ok(json!({ "Status": true })),
            Err(status) => {
                Err(Fault::validation(format!("Could not cancel a query that is already in {} state.", status.name())))
            }
        }
    }

    fn list(&self, body: &Value) -> Reply {
        let request: request::List = request::parse(body)?;
        let status = match request.status.as_deref() {
            None => Some(Status::Finished),
            Some("ALL") => None,
            // A statement starts here as soon as it is submitted.
            Some("PICKED") => return Ok(json!({ "Statements": [] })),
            Some(name) => Some(Status::of(name).ok_or_else(|| Fault::validation(format!("unknown Status {name}")))?),
        };
        self.inner.store.list(status, &request)
    }

    /// The statement of an id, which may carry the number of a part; waits if the request says so.
    async fn find(&self, request: &request::ById) -> Result<(Arc<Statement>, Option<usize>), Fault> {
        let (id, number) = match request.id.split_once(':') {
            Some((id, number)) => (id, Some(number.parse().map_err(|_| not_found(&request.id))?)),
            None => (request.id.as_str(), None),
        };
        let statement = self.inner.store.get(id).ok_or_else(|| not_found(&request.id))?;
        if let Some(seconds) = request.wait_time_seconds {
            statement.wait(Duration::from_secs(seconds.min(30))).await;
        }
        Ok((statement, number))
    }
}

fn not_found(id: &str) -> Fault {
    Fault::not_found("Query does not exist.", id)
}
