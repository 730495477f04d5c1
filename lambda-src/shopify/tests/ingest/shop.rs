//! A Shopify on loopback: bulk operations whose results a test sets, and faults in front of them.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use wire::{Reply, Request, Server};

/// The kinds of requests that a fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Look,
    Result,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shop {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    url: String,
    secret: String,
    result: String,
    queries: Vec<String>,
    faults: Vec<(Kind, Reply)>,
    pending: u32,
    grants: usize,
}

/// An order with one line, which `rows` writes as two rows.
pub(crate) fn order(number: u32, updated_at: &str) -> Value {
    json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": updated_at, "line": number})
}

/// Writes a result as Shopify does: with `\/`, and the children after all parents.
pub(crate) fn rows(objects: &[Value]) -> String {
    let line = |object: &Value| {
        object["line"].as_u64().map(|number| {
        json!({"id": format!("gid://shopify/LineItem/{number}"), "__parentId": format!("gid://shopify/Order/{number}")})
    })
    };
    let children = objects.iter().filter_map(line);
    objects.iter().cloned().chain(children).map(|row| row.to_string().replace('/', "\\/") + "\n").collect()
}

impl Shop {
    pub(crate) async fn serve(&self, secret: Value) -> Server {
        let shop = self.clone();
        let server = Server::start(move |request| shop.lock().answer(&request)).await.unwrap();
        self.lock().url.clone_from(&server.url);
        self.lock().secret = secret.to_string();
        server
    }

    /// Sets the rows of every result from now on.
    pub(crate) fn result(&self, objects: &[Value]) {
        self.lock().result = rows(objects);
    }

    /// Answers the next request of a kind with this instead.
    pub(crate) fn fault(&self, kind: Kind, reply: Reply) {
        self.lock().faults.push((kind, reply));
    }

    /// Lets one more look find the operation running.
    pub(crate) fn pending(&self) {
        self.lock().pending += 1;
    }

    pub(crate) fn settle(&self) {
        self.lock().pending = 0;
    }

    /// The queries of all operations that were started.
    pub(crate) fn queries(&self) -> Vec<String> {
        self.lock().queries.clone()
    }

    pub(crate) fn grants(&self) -> usize {
        self.lock().grants
    }

    /// The state of an operation that was started from the first cursor.
    pub(crate) fn started(&self) -> Value {
        let query = "{ orders(query: \"updated_at:>='1970-01-01T00:00:00Z'\") { edges { node { id updatedAt lineItems { edges { node { id } } } } } } }";
        self.lock().queries.push(query.to_owned());
        json!({"id": "gid://shopify/BulkOperation/1", "query": query})
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Inner {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.header("x-amz-target") == "secretsmanager.GetSecretValue" {
            return Reply::new(200, json!({"Name": "shop-dev/shop", "SecretString": self.secret}).to_string());
        }
        if request.path == "/admin/oauth/access_token" {
            self.grants += 1;
            return Reply::new(
                200,
                json!({"access_token": format!("hidden-{}", self.grants), "expires_in": 86399}).to_string(),
            );
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let kind = match body["query"].as_str() {
            Some(query) if query.contains("bulkOperationRunQuery") => Kind::Run,
            Some(_) => Kind::Look,
            None => Kind::Result,
        };
        if kind != Kind::Result {
            assert_eq!(request.path, "/admin/api/2026-10/graphql.json");
            assert!(request.header("x-shopify-access-token").contains("hidden"));
        }
        if let Some(position) = self.faults.iter().position(|(other, _)| *other == kind) {
            return self.faults.remove(position).1;
        }
        match kind {
            Kind::Run => {
                self.queries.push(body["variables"]["query"].as_str().unwrap().to_owned());
                let operation = json!({"id": format!("gid://shopify/BulkOperation/{}", self.queries.len()), "status": "CREATED", "createdAt": "2026-10-01T00:00:00Z"});
                Reply::new(
                    200,
                    json!({"data": {"bulkOperationRunQuery": {"bulkOperation": operation, "userErrors": []}}})
                        .to_string(),
                )
            }
            Kind::Look => {
                Reply::new(200, json!({"data": {"node": self.operation(&body["variables"]["id"])}}).to_string())
            }
            Kind::Result => Reply::new(200, self.result.clone()),
        }
    }

    fn operation(&mut self, id: &Value) -> Value {
        let running = self.pending > 0;
        self.pending = self.pending.saturating_sub(1);
        let rows = self.result.lines().count();
        json!({
            "id": id,
            "status": if running { "RUNNING" } else { "COMPLETED" },
            "errorCode": null,
            "createdAt": "2026-10-01T00:00:00Z",
            "objectCount": rows.to_string(),
            "fileSize": self.result.len().to_string(),
            "url": (!running && rows > 0).then(|| format!("{}/result", self.url)),
            "partialDataUrl": null,
        })
    }
}
