//! The Admin API: GraphQL with tokens, throttling and retries.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use pipeline::document::Shopify;
use pipeline::{Deadline, Error, Result, instant};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::credentials::{Credentials, Secret, fix};
use crate::http::{Answer, Http};
use crate::throttle::{Cost, backoff, retry_after};

/// How often a request is sent again after a fault that should pass.
const RETRIES: u32 = 6;

/// The most of a server's own words that an error repeats.
const EXCERPT: usize = 300;

#[derive(Debug)]
pub struct Client<'a> {
    http: &'a Http,
    endpoint: String,
    source: &'a Shopify,
    credentials: Credentials,
    token: RefCell<Option<Token>>,
    warned: Cell<bool>,
    deadline: Deadline,
    /// What the last answer said of the limit, and when.
    limit: RefCell<Option<(Cost, Instant)>>,
    /// Shopify's clock at its last answer, and ours.
    clock: Cell<Option<(DateTime, Instant)>>,
}

/// A token, and when it has to be replaced.
#[derive(Clone, Debug)]
struct Token {
    secret: Secret,
    until: Option<Instant>,
}

/// A token is replaced this long before it expires.
const EARLY: Duration = Duration::from_mins(1);

/// The answer to a query, unless it costs more points than one query may.
#[derive(Debug)]
pub enum Answered<T> {
    Data(T),
    TooExpensive(Error),
}

/// What is to be done after an answer.
enum Next<T> {
    Done(T),
    /// Shopify asks to wait; it may ask as often as the time allows.
    Wait(Duration, String),
    /// A fault that should pass.
    Retry(String),
    /// The query costs more than a query may.
    TooExpensive(Error),
    /// The token is not accepted.
    Unauthorized,
}

#[derive(Deserialize)]
struct Envelope {
    data: Option<Value>,
    #[serde(default)]
    errors: Value,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
struct Extensions {
    cost: Option<Cost>,
}

impl<'a> Client<'a> {
    pub fn new(
        http: &'a Http,
        endpoint: &str,
        source: &'a Shopify,
        credentials: Credentials,
        deadline: Deadline,
    ) -> Self {
        Self {
            http,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            source,
            credentials,
            token: RefCell::new(None),
            warned: Cell::new(false),
            deadline,
            limit: RefCell::new(None),
            clock: Cell::new(None),
        }
    }

    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What the last query cost, as Shopify reckoned before it ran.
    pub fn last_cost(&self) -> Option<f64> {
        self.limit.borrow().as_ref()?.0.requested_query_cost
    }

    /// Shopify's time in its last response. Our clock may be wrong.
    pub fn now(&self) -> DateTime {
        match self.clock.get() {
            Some((at, seen)) => {
                DateTime::from_secs(at.secs() + i64::try_from(seen.elapsed().as_secs()).unwrap_or_default())
            }
            None => instant::now(),
        }
    }

    /// Runs a query, and waits and retries as far as the deadline allows.
    pub async fn query<T: DeserializeOwned>(&self, query: &str, variables: Value) -> Result<T> {
        match self.ask(query, variables, 0.0).await? {
            Answered::Data(data) => Ok(data),
            Answered::TooExpensive(error) => Err(error),
        }
    }

    /// Runs a query that costs about so many points: it is sent when the limit has room for it.
    pub async fn ask<T: DeserializeOwned>(&self, query: &str, variables: Value, points: f64) -> Result<Answered<T>> {
        let url = format!("{}/admin/api/{}/graphql.json", self.endpoint, self.source.api_version);
        let body = json!({"query": query, "variables": variables}).to_string();
        let mut refreshed = false;
        let mut retries = 0;
        let wait = self.limit.borrow().as_ref().map(|(cost, at)| cost.wait_for(points, at.elapsed()));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            self.sleep(wait, "the limit of query costs").await?;
        }
        loop {
            let headers = [
                ("content-type", "application/json".to_owned()),
                ("x-shopify-access-token", self.token().await?.reveal().to_owned()),
            ];
            let next = match self.http.send("POST", &url, &headers, body.clone()).await {
                Ok(answer) => self.understand(answer).await?,
                Err(fault) => Next::Retry(fault),
            };
            match next {
                Next::Done(data) => {
                    return serde_json::from_value(data).map(Answered::Data).map_err(|error| {
                        Error::new("a response of Shopify does not have the documented form").cause(error)
                    });
                }
                Next::TooExpensive(error) => return Ok(Answered::TooExpensive(error)),
                Next::Wait(wait, reason) => self.sleep(wait, &reason).await?,
                Next::Retry(reason) => {
                    self.retry(retries, &reason).await?;
                    retries += 1;
                }
                Next::Unauthorized if !refreshed && matches!(self.credentials, Credentials::Client { .. }) => {
                    tracing::info!("Shopify does not accept the token; fetching a new one");
                    self.token.replace(None);
                    refreshed = true;
                }
                Next::Unauthorized => return Err(self.unauthorized()),
            }
        }
    }

    /// Sleeps when the deadline allows it.
    pub async fn sleep(&self, wait: Duration, reason: &str) -> Result<()> {
        if !self.deadline.allows(wait) {
            let message = format!("the time of this invocation ends before a wait of {:.1} s", wait.as_secs_f64());
            let error = Error::new(message).cause(reason).hint("the next invocation resumes where this one stopped");
            return Err(error.unfinished());
        }
        tracing::debug!(seconds = wait.as_secs_f64(), "waiting: {reason}");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Sleeps before the given retry (from 0), or says that there were enough of them.
    pub async fn retry(&self, retries: u32, reason: &str) -> Result<()> {
        if retries >= RETRIES {
            let message = format!("Shopify failed, also after {RETRIES} retries");
            let hint = "see https://www.shopifystatus.com; the next invocation resumes where this one stopped";
            return Err(Error::new(message).cause(reason).hint(hint));
        }
        tracing::warn!(retry = retries + 1, "Shopify: {reason}; trying again");
        self.sleep(backoff(retries), reason).await
    }

    async fn understand(&self, answer: Answer) -> Result<Next<Value>> {
        let status = answer.status;
        if status == 429 {
            return Ok(Next::Wait(retry_after(answer.retry_after.as_deref()), "HTTP 429".into()));
        }
        let served = answer.api_version.clone();
        let date = answer.date.as_deref().and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(date) = date {
            self.clock.set(Some((date, Instant::now())));
        }
        let bytes = match answer.bytes().await {
            Ok(bytes) => bytes,
            Err(fault) => return Ok(Next::Retry(fault)),
        };
        match status {
            200 => {}
            401 => return Ok(Next::Unauthorized),
            408 | 500..=599 => return Ok(Next::Retry(format!("HTTP {status}"))),
            _ => return Err(self.refused(status, &bytes)),
        }
        self.compare_version(served.as_deref());
        match serde_json::from_slice(&bytes) {
            Ok(envelope) => self.open(envelope),
            Err(error) => Ok(Next::Retry(format!("the answer is not the expected JSON: {error}"))),
        }
    }

    fn open(&self, envelope: Envelope) -> Result<Next<Value>> {
        let errors = match &envelope.errors {
            Value::Null => &[][..],
            Value::Array(errors) => errors,
            other => std::slice::from_ref(other),
        };
        let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or_default().to_owned();
        let codes: Vec<String> = errors.iter().map(code).collect();
        let messages =
            errors.iter().map(|error| error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned));
        let messages = excerpt(messages.collect::<Vec<_>>().join("; ").as_bytes());
        let has = |code: &str| codes.iter().any(|other| other == code);
        let cost = envelope.extensions.and_then(|extensions| extensions.cost);
        if let Some(cost) = &cost {
            self.limit.replace(Some((cost.clone(), Instant::now())));
        }
        if has("MAX_COST_EXCEEDED") || has("THROTTLED") && cost.as_ref().is_some_and(Cost::is_too_much) {
            return Ok(Next::TooExpensive(
                Error::new("a query costs more points than Shopify allows")
                    .cause(messages)
                    .hint("give the tables of this object fewer columns"),
            ));
        }
        if has("THROTTLED") {
            let wait = cost.as_ref().and_then(Cost::wait).unwrap_or(Duration::from_secs(1));
            return Ok(Next::Wait(wait, "THROTTLED".into()));
        }
        if has("ACCESS_DENIED") {
            let hint = "add the scope that it names to the app's configuration, release it and install it again; \
                        orders older than 60 days need `read_all_orders`, personal data an approval";
            return Err(Error::new("Shopify denies access").cause(messages).hint(hint));
        }
        if has("INTERNAL_SERVER_ERROR") {
            return Ok(Next::Retry(messages));
        }
        match envelope.data {
            Some(data) if errors.is_empty() => Ok(Next::Done(data)),
            _ => Err(Error::new("Shopify refuses a query")
                .cause(messages)
                .hint(format!("check the query of the object against the Admin API {}", self.source.api_version))),
        }
    }

    /// Tells once when Shopify serves another version than asked: a version that is past its year falls forward silently.
    ///
    /// At level ERROR, so that the log scan sees it: the rows still come, but nobody has read what changed in them.
    fn compare_version(&self, served: Option<&str>) {
        let asked = &self.source.api_version;
        if let Some(served) = served.filter(|served| served != asked)
            && !self.warned.replace(true)
        {
            tracing::error!(
                asked,
                served,
                "Shopify serves the API version {served} instead of {asked}: set `api_version: \"{served}\"` in stacks/pipeline.yaml, and check the queries against it"
            );
        }
    }

    async fn token(&self) -> Result<Secret> {
        let held = self.token.borrow().clone();
        if let Some(token) = held.filter(|token| token.until.is_none_or(|until| Instant::now() < until)) {
            return Ok(token.secret);
        }
        let token = match &self.credentials {
            Credentials::Token(secret) => Token { secret: secret.clone(), until: None },
            Credentials::Client { id, secret } => self.grant(id, secret).await?,
        };
        self.token.replace(Some(token.clone()));
        Ok(token.secret)
    }

    /// Fetches a token by the client credentials grant.
    async fn grant(&self, id: &str, secret: &Secret) -> Result<Token> {
        #[derive(Deserialize)]
        struct Grant {
            access_token: Secret,
            /// In seconds: a day.
            expires_in: Option<u64>,
        }
        let url = format!("{}/admin/oauth/access_token", self.endpoint);
        let body =
            json!({"client_id": id, "client_secret": secret.reveal(), "grant_type": "client_credentials"}).to_string();
        let headers = [("content-type", "application/json".to_owned()), ("accept", "application/json".to_owned())];
        let mut retries = 0;
        loop {
            let fault = match self.http.send("POST", &url, &headers, body.clone()).await {
                Err(fault) => fault,
                Ok(answer) if answer.status == 429 => {
                    let wait = retry_after(answer.retry_after.as_deref());
                    self.sleep(wait, "HTTP 429 for a token").await?;
                    continue;
                }
                Ok(answer) if answer.status >= 500 => format!("HTTP {} for a token", answer.status),
                Ok(answer) => {
                    let status = answer.status;
                    let bytes = answer.bytes().await.unwrap_or_default();
                    // Neither the parser's message nor the body is printed: they may contain the token.
                    let grant = (status == 200).then(|| serde_json::from_slice::<Grant>(&bytes).ok()).flatten();
                    let token = grant.map(|grant| Token {
                        until: grant.expires_in.map(|lives| {
                            let lives = Duration::from_secs(lives);
                            Instant::now() + lives.saturating_sub(EARLY.min(lives / 2))
                        }),
                        secret: grant.access_token,
                    });
                    return token.ok_or_else(|| {
                        let message = format!("Shopify gives no token for the app in the secret `{}` (HTTP {status})", self.source.secret);
                        Error::new(message).hint(format!(
                            "the app must be installed on {} by the same organisation; set its current client id and secret: {}",
                            self.source.store,
                            fix(&self.source.secret)
                        ))
                    });
                }
            };
            self.retry(retries, &fault).await?;
            retries += 1;
        }
    }

    fn unauthorized(&self) -> Error {
        let secret = &self.source.secret;
        let message = format!("Shopify does not accept the token of the secret `{secret}`: it is invalid or expired");
        Error::new(message).hint(match self.credentials {
            Credentials::Token(_) => {
                format!("store a new token, or the client id and secret of an app: {}", fix(secret))
            }
            Credentials::Client { .. } => {
                format!("a new token was rejected: is the app still installed on {}?", self.source.store)
            }
        })
    }

    fn refused(&self, status: u16, body: &[u8]) -> Error {
        let store = &self.source.store;
        let hint = match status {
            402 => format!("the shop {store} is frozen until its bill is paid"),
            403 => format!("the app may not use the Admin API of {store}: check its scopes and that it is installed"),
            404 => format!(
                "is `{store}` the shop's permanent myshopify.com name, and `{}` an API version?",
                self.source.api_version
            ),
            423 => format!("Shopify has locked the shop {store}"),
            _ => "see https://shopify.dev/docs/api/usage/response-codes".to_owned(),
        };
        Error::new(format!("Shopify answers HTTP {status}")).cause(excerpt(body)).hint(hint)
    }
}

/// Takes the start of a server's text, in one line.
pub fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().take(EXCERPT).collect()
}
