//! Logs as one JSON object a line, so that `{ $.level = "ERROR" }` finds failures.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates of this workspace; the chosen level is theirs alone.
const OURS: [&str; 3] = ["load", "pipeline", "shopify"];

/// Starts logging at the level of `AWS_LAMBDA_LOG_LEVEL` or `RUST_LOG`, else at `info`.
pub fn start() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.to_ascii_lowercase().parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // The libraries stay at `warn`: below, an HTTP stack may print headers, and headers carry tokens.
    let filter = Targets::new().with_targets(OURS.map(|name| (name, level))).with_default(level.min(LevelFilter::WARN));
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // A second start, which only a test can make, changes nothing.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
