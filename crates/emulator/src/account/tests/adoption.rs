//! Resources that a deletion policy has kept, and the next deploy of their stack.

use super::Local;

const KEPT: &str = r"
Resources:
  Raw:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {BucketName: shop-raw}
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    DeletionPolicy: RetainExceptOnCreate
    Properties: {NamespaceName: shop, DbName: warehouse, AdminUsername: admin, ManageAdminPassword: true}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: shop/token}
";

/// Makes the stack, puts an object into its bucket and deletes it.
async fn left_behind(folder: &std::path::Path) -> Local {
    let local = Local::open(folder).await;
    assert_eq!(local.deploy("shop", KEPT, &[]).await, "CREATE_COMPLETE");
    local.put("shop-raw", "landing/a.csv", b"1").await;
    assert_eq!(local.delete("shop").await, "DELETE_COMPLETE");
    local
}

async fn import(local: &Local, template: &str) -> String {
    let created = local.cloudformation.create_change_set().stack_name("shop").change_set_name("again");
    let created = created
        .change_set_type(super::ChangeSetType::Create)
        .template_body(template)
        .import_existing_resources(true)
        .send()
        .await
        .unwrap();
    created.id().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_deploy_imports_retained_resources() {
    let folder = tempfile::tempdir().unwrap();
    left_behind(folder.path()).await.endpoint.stop().await.unwrap();
    // Another process knows it too.
    let local = Local::open(folder.path()).await;
    let id = import(&local, KEPT).await;
    let described = local.cloudformation.describe_change_set().change_set_name(&id).send().await.unwrap();
    let changes = described.changes().iter().map(|change| change.resource_change().unwrap());
    let actions: Vec<String> =
        changes.map(|one| format!("{} {:?}", one.logical_resource_id().unwrap(), one.action().unwrap())).collect();
    assert_eq!(actions, ["Namespace Import", "Raw Import", "Secret Add"]);
    local.execute(&id).await.unwrap();
    assert_eq!(local.status("shop").await, "CREATE_COMPLETE");
    let events = local.events("shop").await;
    assert!(events.iter().any(|event| event == "Raw IMPORT_COMPLETE"), "{events:?}");
    assert!(local.account.0.store.list("shop-raw", "", false).unwrap().any(|key| key == "landing/a.csv"));
}

#[tokio::test]
async fn without_import_an_existing_name_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let local = left_behind(folder.path()).await;
    assert_eq!(local.deploy("shop", KEPT, &[]).await, "ROLLBACK_COMPLETE");
    assert!(local.account.0.store.has_bucket("shop-raw"));
}

#[tokio::test]
async fn a_rollback_releases_imported_resources() {
    let folder = tempfile::tempdir().unwrap();
    let local = left_behind(folder.path()).await;
    let broken = format!(
        "{KEPT}  Bad: {{Type: 'AWS::S3::Bucket', DependsOn: [Raw, Namespace], Properties: {{BucketName: UPPER}}}}\n"
    );
    let id = import(&local, &broken).await;
    local.execute(&id).await.unwrap();
    assert_eq!(local.status("shop").await, "ROLLBACK_COMPLETE");
    assert!(local.account.0.store.list("shop-raw", "", false).unwrap().any(|key| key == "landing/a.csv"));
    assert_eq!(local.delete("shop").await, "DELETE_COMPLETE");
    let id = import(&local, KEPT).await;
    local.execute(&id).await.unwrap();
    assert_eq!(local.status("shop").await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn an_import_fails_for_changed_immutable_properties() {
    let group = |compartment: &str| {
        format!(
            "Resources:\n  Group:\n    Type: AWS::RedshiftServerless::Workgroup\n    DeletionPolicy: Retain\n    \
             Properties: {{WorkgroupName: shop, NamespaceName: {compartment}}}\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let local = Local::open(folder.path()).await;
    let spaces = "Resources:\n  One: {Type: 'AWS::RedshiftServerless::Namespace', Properties: {NamespaceName: shop}}\n  Two: {Type: \
                  'AWS::RedshiftServerless::Namespace', Properties: {NamespaceName: other}}\n";
    assert_eq!(local.deploy("spaces", spaces, &[]).await, "CREATE_COMPLETE");
    assert_eq!(local.deploy("warehouse", &group("shop"), &[]).await, "CREATE_COMPLETE");
    assert_eq!(local.delete("warehouse").await, "DELETE_COMPLETE");
    let id = import(&local, &group("other")).await;
    local.execute(&id).await.unwrap();
    assert_eq!(local.status("shop").await, "ROLLBACK_COMPLETE");
    let events = local.events("shop").await;
    assert!(events.iter().any(|event| event.contains("another NamespaceName")), "{events:?}");
}
