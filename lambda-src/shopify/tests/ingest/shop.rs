//! A Shopify on loopback: rows that a test sets, as bulk results and as pages, and faults in front of them.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use test_server::{Reply, Request, Server};

/// The kinds of requests that a fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scopes,
    Run,
    Look,
    Cancel,
    Page,
    Children,
    One,
    Events,
    Result,
    Invoke,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shop {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    url: String,
    secret: String,
    objects: Vec<Value>,
    events: Vec<Value>,
    scopes: Option<Vec<String>>,
    /// Every request, with its query.
    log: Vec<(Kind, String)>,
    queries: Vec<String>,
    invocations: Vec<Value>,
    faults: Vec<(Kind, Reply)>,
    pending: u32,
    grants: usize,
    /// Seconds for which a granted token is good.
    lives: Option<u64>,
    /// The hours that the shop's clock is ahead of 2026-10-01T00:00:00Z.
    hours: u64,
    slow: Option<(usize, Duration)>,
}

/// An order with one line, which `rows` writes as two rows.
pub(crate) fn order(number: u32, updated_at: &str) -> Value {
    order_with(number, updated_at, 1)
}

/// An order with so many lines, a refund and no notes.
pub(crate) fn order_with(number: u32, updated_at: &str, lines: u32) -> Value {
    json!({"id": format!("gid://shopify/Order/{number}"), "updatedAt": updated_at, "lines": lines})
}

fn lines(object: &Value) -> Vec<Value> {
    let id = object["id"].as_str().unwrap_or_default();
    let number = id.rsplit('/').next().unwrap_or_default();
    (0..object["lines"].as_u64().unwrap_or_default())
        .map(|line| json!({"id": format!("gid://shopify/LineItem/{number}{line:03}")}))
        .collect()
}

fn own(object: &Value) -> Value {
    let mut own = object.clone();
    if let Some(fields) = own.as_object_mut() {
        fields.remove("lines");
    }
    own
}

/// Writes a result as Shopify does: with `\/`, and the children after all parents.
pub(crate) fn rows(objects: &[Value]) -> String {
    let children = objects.iter().flat_map(|object| {
        lines(object).into_iter().map(|mut line| {
            line["__parentId"] = object["id"].clone();
            line
        })
    });
    let roots = objects.iter().map(own);
    roots.chain(children).map(|row| row.to_string().replace('/', "\\/") + "\n").collect()
}

impl Shop {
    pub(crate) async fn serve(&self, secret: Value) -> Server {
        let shop = self.clone();
        let server = Server::start(move |request| shop.lock().answer(&request)).await.unwrap();
        self.lock().url.clone_from(&server.url);
        self.lock().secret = secret.to_string();
        server
    }

    /// Sets the rows of every result and page from now on.
    pub(crate) fn result(&self, objects: &[Value]) {
        self.lock().objects = objects.to_vec();
    }

    pub(crate) fn event(&self, number: u32, action: &str, subject: &str, at: &str) {
        let (kind, id) = subject.split_once('/').unwrap();
        self.lock()
            .events
            .push(json!({"id": format!("gid://shopify/BasicEvent/{number}"), "action": action, "createdAt": at,
            "subjectType": kind.to_uppercase(), "subjectId": format!("gid://shopify/{kind}/{id}")}));
    }

    pub(crate) fn grant(&self, scopes: &[&str]) {
        self.lock().scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    }

    /// Answers the next request of a kind with this instead.
    pub(crate) fn fault(&self, kind: Kind, reply: Reply) {
        self.lock().faults.push((kind, reply));
    }

    /// Lets one more look find the operation running.
    pub(crate) fn pending(&self, looks: u32) {
        self.lock().pending = looks;
    }

    pub(crate) fn lives(&self, seconds: u64) {
        self.lock().lives = Some(seconds);
    }

    pub(crate) fn hours(&self, hours: u64) {
        self.lock().hours = hours;
    }

    pub(crate) fn slow(&self, slow: Option<(usize, Duration)>) {
        self.lock().slow = slow;
    }

    /// The queries of all operations that were started.
    pub(crate) fn queries(&self) -> Vec<String> {
        self.lock().queries.clone()
    }

    /// How many requests of a kind there were.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.lock().log.iter().filter(|(other, _)| *other == kind).count()
    }

    pub(crate) fn asked(&self, kind: Kind) -> Vec<String> {
        self.lock().log.iter().filter(|(other, _)| *other == kind).map(|(_, query)| query.clone()).collect()
    }

    /// The events with which the function has invoked itself.
    pub(crate) fn invocations(&self) -> Vec<Value> {
        self.lock().invocations.clone()
    }

    pub(crate) fn grants(&self) -> usize {
        self.lock().grants
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
            let lives = self.lives.unwrap_or(86_399);
            let grant = json!({"access_token": format!("hidden-{}", self.grants), "expires_in": lives});
            return Reply::new(200, grant.to_string());
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let query = body["query"].as_str().unwrap_or_default().to_owned();
        let kind = match query.as_str() {
            _ if request.path.starts_with("/2015-03-31/functions/test/invocations") => Kind::Invoke,
            "" => Kind::Result,
            query if query.contains("accessScopes") => Kind::Scopes,
            query if query.contains("bulkOperationRunQuery") => Kind::Run,
            query if query.contains("bulkOperationCancel") => Kind::Cancel,
            query if query.contains("on BulkOperation") => Kind::Look,
            query if query.contains("events(") => Kind::Events,
            query if query.contains("node(id: $id)") && query.contains("$after") => Kind::Children,
            query if query.contains("node(id: $id)") => Kind::One,
            _ => Kind::Page,
        };
        self.log.push((kind, query.clone()));
        if !matches!(kind, Kind::Result | Kind::Invoke) {
            assert_eq!(request.path, "/admin/api/2026-10/graphql.json");
            assert!(request.header("x-shopify-access-token").contains("hidden"));
        }
        let reply = match self.faults.iter().position(|(other, _)| *other == kind) {
            Some(position) => self.faults.remove(position).1,
            None => self.reply(kind, &query, &body, request),
        };
        let (day, hour) = (1 + self.hours / 24, self.hours % 24);
        reply.header("date", format!("Thu, {day:02} Oct 2026 {hour:02}:00:00 GMT"))
    }

    fn reply(&mut self, kind: Kind, query: &str, body: &Value, request: &Request) -> Reply {
        let variables = &body["variables"];
        let data = match kind {
            Kind::Invoke => {
                assert_eq!(request.header("x-amz-invocation-type"), "Event");
                assert!(request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
                self.invocations.push(body.clone());
                return Reply::new(202, "");
            }
            Kind::Result => return self.download(request),
            Kind::Scopes => {
                let all = ["read_orders", "read_all_orders"].map(str::to_owned).to_vec();
                let scopes = self.scopes.clone().unwrap_or(all);
                let scopes: Vec<Value> = scopes.iter().map(|scope| json!({"handle": scope})).collect();
                json!({"currentAppInstallation": {"accessScopes": scopes}})
            }
            Kind::Run => {
                self.queries.push(variables["query"].as_str().unwrap().to_owned());
                let id = format!("gid://shopify/BulkOperation/{}", self.queries.len());
                let operation = json!({"id": id, "status": "CREATED", "createdAt": "2026-10-01T00:00:00Z"});
                json!({"bulkOperationRunQuery": {"bulkOperation": operation, "userErrors": []}})
            }
            Kind::Cancel => json!({"bulkOperationCancel": {"bulkOperation": null, "userErrors": []}}),
            Kind::Look => json!({"node": self.operation(&variables["id"])}),
            Kind::Events => json!({"events": connection(self.events.clone(), 0, 250)}),
            Kind::Page => {
                let since = query.split("updated_at:>='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
                let found = self.objects.iter().filter(|object| object["updatedAt"].as_str().unwrap() >= since);
                let found = found.map(|object| with_lines(object, query)).collect();
                let first = argument(query, "first: ");
                json!({"orders": connection(found, after(variables), first)})
            }
            Kind::One | Kind::Children => {
                let object = self.objects.iter().find(|object| object["id"] == variables["id"]);
                let node = object.map(|object| {
                    if kind == Kind::One {
                        return with_lines(object, query);
                    }
                    json!({"lineItems": connection(lines(object), after(variables), argument(query, "lineItems(first: "))})
                });
                json!({"node": node})
            }
        };
        Reply::new(200, json!({"data": data}).to_string())
    }

    fn download(&self, request: &Request) -> Reply {
        let body = rows(&self.objects).into_bytes();
        let from = request.header("range").trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
        let reply = Reply::new(if from > 0 { 206 } else { 200 }, &body[from..]);
        match self.slow {
            Some((piece, pause)) => reply.slow(piece, pause),
            None => reply,
        }
    }

    fn operation(&mut self, id: &Value) -> Value {
        let running = self.pending > 0;
        self.pending = self.pending.saturating_sub(1);
        let text = rows(&self.objects);
        let count = text.lines().count();
        json!({
            "id": id,
            "status": if running { "RUNNING" } else { "COMPLETED" },
            "errorCode": null,
            "createdAt": "2026-10-01T00:00:00Z",
            "objectCount": if running { "3".to_owned() } else { count.to_string() },
            "fileSize": text.len().to_string(),
            "url": (!running && count > 0).then(|| format!("{}/result", self.url)),
            "partialDataUrl": null,
        })
    }
}

fn with_lines(object: &Value, query: &str) -> Value {
    let mut row = own(object);
    row["lineItems"] = connection(lines(object), 0, argument(query, "lineItems(first: "));
    row
}

fn argument(query: &str, name: &str) -> usize {
    let rest = query.split(name).nth(1).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn after(variables: &Value) -> usize {
    variables["after"].as_str().map_or(0, |after| after.parse().unwrap())
}

/// A page of a connection; the cursor is the number of the first row of the next.
fn connection(nodes: Vec<Value>, after: usize, first: usize) -> Value {
    let more = nodes.len() > after + first;
    let edges: Vec<Value> = nodes.into_iter().skip(after).take(first).map(|node| json!({"node": node})).collect();
    let end = more.then(|| (after + first).to_string());
    json!({"edges": edges, "pageInfo": {"hasNextPage": more, "endCursor": end}})
}
