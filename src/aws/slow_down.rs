//! AWS asks to slow down: one answer slows all calls to that service, so that ten stacks at once do not each have to
//! learn it, and keep the others from being heard.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::Instant;

use super::error::{Kind, kind};

/// The longest that all calls are held back after one answer.
const LONGEST: Duration = Duration::from_secs(15);

/// Holds calls back after AWS has asked to slow down. Its clones know of each other.
#[derive(Clone)]
pub struct SlowDown {
    first: Duration,
    shared: Arc<Mutex<Shared>>,
}

/// Receives how long all calls are delayed.
type Listener = Box<dyn Fn(Duration) + Send>;

#[derive(Default)]
struct Shared {
    /// By the host that is called.
    holds: BTreeMap<String, Hold>,
    listener: Option<Listener>,
}

/// How long calls are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hold {
    since: Instant,
    until: Instant,
    /// How often AWS has asked for it in a row.
    times: u32,
}

impl Hold {
    /// The hold after an answer that asks to slow down, to a call that was made at `made`. None if the call was made
    /// before the hold that is in force: then the answer says nothing new.
    fn next(before: Option<Self>, made: Instant, now: Instant, first: Duration) -> Option<Self> {
        if before.is_some_and(|hold| made < hold.until) {
            return None;
        }
        let times = before.map_or(1, |hold| hold.times + 1);
        let wait = first.saturating_mul(1 << (times - 1).min(16)).min(LONGEST);
        Some(Self { since: now, until: now + wait, times })
    }
}

impl SlowDown {
    /// The first answer holds calls back for this time, each further one in a row for twice as long.
    pub(super) fn new(first: Duration) -> Self {
        Self { first, shared: Arc::default() }
    }

    /// Calls `listener` with the delay whenever calls are delayed.
    pub fn listen(&self, listener: impl Fn(Duration) + Send + 'static) {
        self.shared().listener = Some(Box::new(listener));
    }

    /// A client whose calls are held back.
    pub(super) fn around(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client { client, slow_down: self.clone() })
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as calls to this host are held back; each a little longer, so that not all come back at once.
    async fn wait(&self, host: &str) {
        loop {
            let hold = self.shared().holds.get(host).copied();
            let Some(hold) = hold.filter(|hold| hold.until > Instant::now()) else { return };
            tokio::time::sleep_until(hold.until + (hold.until - hold.since).mul_f64(jitter() / 2.0)).await;
        }
    }

    /// Takes note of an answer to a call that was made at `made`.
    fn take_note(&self, host: &str, made: Instant, throttled: bool) {
        let mut shared = self.shared();
        let before = shared.holds.get(host).copied();
        if !throttled {
            if before.is_some_and(|hold| made >= hold.until) {
                shared.holds.remove(host);
            }
            return;
        }
        let now = Instant::now();
        if let Some(hold) = Hold::next(before, made, now, self.first) {
            shared.holds.insert(host.to_owned(), hold);
            if let Some(listener) = &shared.listener {
                listener(hold.until - now);
            }
        }
    }
}

impl fmt::Debug for SlowDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlowDown").field("holds", &self.shared().holds).finish_non_exhaustive()
    }
}

/// From 0 to 1.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[derive(Debug)]
struct Client {
    client: SharedHttpClient,
    slow_down: SlowDown,
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connector, slow_down: self.slow_down.clone() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    slow_down: SlowDown,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, slow_down) = (self.connector.clone(), self.slow_down.clone());
        HttpConnectorFuture::new(async move {
            let host = host(request.uri()).to_owned();
            slow_down.wait(&host).await;
            let made = Instant::now();
            let mut response = connector.call(request).await?;
            let throttled = is_throttled(&mut response).await?;
            slow_down.take_note(&host, made, throttled);
            Ok(response)
        })
    }
}

fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// Whether an answer asks to slow down. Its body, which says so, can still be read afterwards.
async fn is_throttled(response: &mut HttpResponse) -> Result<bool, ConnectorError> {
    let status = response.status().as_u16();
    if !matches!(status, 400 | 403 | 429 | 503) {
        return Ok(false);
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let body = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let text = String::from_utf8_lossy(&body);
    let within = |start: &str, end: char| Some(text.split_once(start)?.1.split(end).next()?.to_owned());
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = within("<Code>", '<').or(header).or_else(|| within("\"__type\":\"", '"')).unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    let throttled = kind(code, "", Some(status)) == Kind::Throttled;
    *response.body_mut() = SdkBody::from(body);
    Ok(throttled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_in_a_row_doubles_the_hold_and_one_burst_counts_once() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut hold = Hold::next(None, start, start, second).unwrap();
        let mut waits = vec![(hold.until - hold.since).as_secs()];
        // A call that was on its way already.
        assert_eq!(Hold::next(Some(hold), start, start, second), None);
        for _ in 0..5 {
            hold = Hold::next(Some(hold), hold.until, hold.until, second).unwrap();
            waits.push((hold.until - hold.since).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn each_host_is_throttled_separately() {
        assert_eq!(host("https://cloudformation.eu-west-1.amazonaws.com/"), "cloudformation.eu-west-1.amazonaws.com");
        assert_eq!(host("http://127.0.0.1:80?x"), "127.0.0.1:80");
    }
}
