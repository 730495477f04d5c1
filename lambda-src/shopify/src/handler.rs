//! One invocation: from the environment and the event to what is to be done.

use aws_smithy_types::DateTime;
use pipectl_contract::names::environment;
use pipeline::document::{self, Shopify, Source};
use pipeline::lambda::Invocation;
use pipeline::s3::Bucket;
use pipeline::{Deadline, Error, Result, aws, instant};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::http::Http;
use crate::ingest::Ingest;
use crate::state::Store;
use crate::{credentials, invoke, webhook};

/// How often a run goes on in another invocation: some days of them, more than any bulk operation takes.
const MOST_STEPS: u32 = 400;

/// A lease holds this long after the invocation, in seconds: as long as the next one may take to start.
const GRACE: i64 = 90;

/// What an event asks for; the schedule sends `{}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    backfill: Option<Backfill>,
    r#continue: Option<Continue>,
}

/// Everything since a day is to be read again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backfill {
    since: String,
    /// All objects when none is named.
    #[serde(default)]
    objects: Vec<String>,
}

/// Another invocation had no time left.
#[derive(Debug, Deserialize)]
struct Continue {
    run: String,
    step: u32,
}

/// Does what the event asks for with the source that the environment names.
pub async fn handle(invocation: Invocation) -> Result<Value> {
    let Invocation { event, deadline, request_id } = invocation;
    let address = aws::variable(environment::DOCUMENT)?;
    let name = aws::variable(environment::SOURCE)?;
    let config = aws::config()?;
    let s3 = aws::s3(&config);
    let document = document::parse(&document::fetch(&s3, &address).await?)?;
    let Some(Source::Shopify(source)) = document.sources.get(&name) else {
        let error = Error::new(format!("the pipeline has no Shopify source `{name}`"));
        return Err(error.hint("SOURCE must name one of `sources`; run `pipectl deploy`, which sets it"));
    };
    let http = Http::new();
    let endpoint = std::env::var("SHOPIFY_ENDPOINT").unwrap_or_else(|_| format!("https://{}", source.store));
    let credentials = credentials::read(&config, &source.secret).await?;
    let client = Client::new(&http, &endpoint, source, credentials, deadline);
    let raw = Bucket::new(&s3, &document.buckets.raw);
    if event["detail-type"] == webhook::DETAIL_TYPE {
        return webhook::handle(&client, &raw, source, &event).await;
    }
    let wish: Wish = if event.is_object() {
        serde_json::from_value(event).map_err(|error| {
            Error::new("the event has no request that this function knows")
                .cause(error)
                .hint("send {} to read what has changed, or {\"backfill\": {\"since\": \"2026-01-01\"}}")
        })?
    } else {
        Wish::default()
    };
    let store = Store::open(&raw, &name).await?;
    if let Some(backfill) = &wish.backfill {
        rewind(&store, source, backfill).await?;
    }
    let (run, step) = wish.r#continue.map_or((request_id, 0), |go_on| (go_on.run, go_on.step));
    let now = instant::now();
    if let Some(lease) = store.take_lease(&run, &now, &lease_end(&now, deadline)).await? {
        tracing::info!(run = lease.run, until = lease.until, "another run reads this source; this one ends");
        return Ok(json!({"skipped": format!("another run reads this source, until {} at the latest", lease.until)}));
    }
    let ingest = Ingest { name: &name, source, client: &client, http: &http, raw: &raw, store: &store };
    match ingest.run().await {
        Err(error) if error.is_unfinished() && step < MOST_STEPS => {
            tracing::info!(step, "{error}; another invocation continues");
            let next = json!({"continue": {"run": run, "step": step + 1}});
            if let Err(error) = invoke::again(&http, &next).await {
                store.end_lease(&run).await?;
                return Err(error);
            }
            Ok(json!({"continues": step + 1}))
        }
        result => {
            // The result of the run counts for more than the lease, which ends by itself.
            if let Err(error) = store.end_lease(&run).await {
                tracing::warn!("{error}");
            }
            result
        }
    }
}

fn lease_end(now: &DateTime, deadline: Deadline) -> DateTime {
    let left = i64::try_from(deadline.remaining().as_secs()).unwrap_or_default();
    DateTime::from_secs(now.secs() + left + GRACE)
}

/// Sets cursors back. It counts at once, whether or not another run is at work.
async fn rewind(store: &Store, source: &Shopify, backfill: &Backfill) -> Result<()> {
    let text =
        if backfill.since.len() == 10 { format!("{}T00:00:00Z", backfill.since) } else { backfill.since.clone() };
    let since = instant::parse(&text)
        .map_err(|error| error.hint("`backfill.since` is a day, 2026-01-31, or a moment, 2026-01-31T12:00:00Z"))?;
    let names: Vec<&str> = source.objects.iter().map(|object| object.name.as_str()).collect();
    if let Some(unknown) = backfill.objects.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Error::new(format!("the source has no object `{unknown}`"))
            .hint(format!("its objects are {}", names.join(", "))));
    }
    let start = instant::parse(source.start.as_deref().unwrap_or("1970-01-01T00:00:00Z"))?;
    store
        .change(|state| {
            for name in &names {
                if backfill.objects.is_empty() || backfill.objects.iter().any(|object| object == name) {
                    state.object(name).rewind(&since, &start);
                }
            }
            Ok(())
        })
        .await
}
