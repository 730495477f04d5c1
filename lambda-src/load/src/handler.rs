//! One invocation: from the environment and the event to the run.

use pipectl_contract::names::environment;
use pipeline::digest::hex;
use pipeline::s3::Bucket;
use pipeline::{Deadline, Result, aws, document};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::ledger::Ledger;
use crate::run::Run;
use crate::statement::Statements;

/// Handles an event of EventBridge, or `{}` from a person.
pub async fn handle(event: Value, deadline: Deadline) -> Result<Value> {
    let config = aws::config()?;
    let s3 = aws::s3(&config);
    let bytes = document::fetch(&s3, &aws::variable(environment::DOCUMENT)?).await?;
    let document = document::parse(&bytes)?;
    let warehouse = &document.warehouse;
    let sha = hex(&Sha256::digest(&bytes)[..6]);
    let run = Run {
        prefix: &document.prefix,
        warehouse,
        ledger: Ledger { transformed: Bucket::new(&s3, &document.buckets.transformed), document: sha },
        config: &config,
        statements: Statements::new(&config, warehouse, &document.prefix),
        deadline,
    };
    run.handle(Event::parse(&document.prefix, &event)).await
}
