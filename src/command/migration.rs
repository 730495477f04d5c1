//! What a deploy will do to the warehouse's tables, from the pipeline document that is deployed.

use super::account::Account;
use crate::error::Result;
use crate::spec::{Map, Spec};
use crate::warehouse::migration;

/// Says what the warehouse will change, or nothing. Fails if a change would lose data. Before the first deploy there is
/// nothing to compare with.
pub(super) async fn changes(account: &Account, spec: &Spec) -> Result<Option<String>> {
    let Some(stack) = account.aws.cloudformation.stack(&spec.stack_name("ingest")).await? else { return Ok(None) };
    let parameter = |name: &str| stack.parameters.get(name).cloned();
    let (Some(bucket), Some(key)) = (parameter("ArtifactBucketName"), parameter("DocumentKey")) else {
        return Ok(None);
    };
    // A document that is gone, or of a version without tables, says nothing; the load looks at the tables themselves.
    let Ok(Some(bytes)) = account.aws.s3.get(&bucket, &key).await else { return Ok(None) };
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let schema = document.pointer("/warehouse/schema").cloned().unwrap_or_default();
    let Ok(deployed) = serde_json::from_value::<Map<_>>(schema) else { return Ok(None) };
    let migrations = migration::between(spec, &deployed)?;
    Ok((!migrations.is_empty()).then(|| migration::text(&migrations)))
}
