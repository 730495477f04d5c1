//! Schema changes of the warehouse that a deploy will cause, by comparison with the deployed pipeline document.

use pipectl_contract::Map;
use pipectl_contract::schema_change::Migration;

use crate::account::Account;
use crate::error::Result;
use crate::plan::TableMigration;
use crate::spec::Spec;
use crate::warehouse::schema_changes;

/// What the warehouse will change of its tables. Fails if a change would lose data. Before the first deploy there is
/// nothing to compare with.
pub(crate) async fn changes(account: &Account, spec: &Spec) -> Result<Vec<TableMigration>> {
    let Some(stack) = account.aws.cloudformation.stack(&spec.stack_name("ingest")).await? else {
        return Ok(Vec::new());
    };
    let parameter = |name: &str| stack.parameters.get(name).cloned();
    let (Some(bucket), Some(key)) = (parameter("ArtifactBucketName"), parameter("DocumentKey")) else {
        return Ok(Vec::new());
    };
    // A missing document, or one without tables, is ignored; the load inspects the tables themselves.
    let Ok(Some(bytes)) = account.aws.s3.get(&bucket, &key).await else { return Ok(Vec::new()) };
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let schema = document.pointer("/warehouse/schema").cloned().unwrap_or_default();
    let Ok(deployed) = serde_json::from_value::<Map<_>>(schema) else { return Ok(Vec::new()) };
    let planned = |(table, migration): (String, Migration)| TableMigration {
        table,
        changes: migration.changes.iter().map(ToString::to_string).collect(),
        statements: migration.steps.into_iter().flatten().collect(),
    };
    Ok(schema_changes::between(spec, &deployed)?.into_iter().map(planned).collect())
}
