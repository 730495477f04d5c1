//! STS, Secrets Manager, and services that others add.

use std::sync::Arc;

use aws_sdk_sts as sts;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Local, message};
use crate::account::{JsonCall, JsonHandler};

const WAREHOUSE: &str = "Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {RoleName: load, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: redshift.amazonaws.com}, Action: 'sts:AssumeRole'}]}}
  Namespace:
    Type: AWS::RedshiftServerless::Namespace
    Properties: {NamespaceName: shop-dev, AdminUsername: pipectl_admin, ManageAdminPassword: true}
  Workgroup:
    Type: AWS::RedshiftServerless::Workgroup
    Properties: {WorkgroupName: shop-dev, NamespaceName: !Ref Namespace, BaseCapacity: 4}
Outputs:
  Endpoint: {Value: !GetAtt Workgroup.Workgroup.Endpoint.Address}
  Port: {Value: !GetAtt Workgroup.Workgroup.Endpoint.Port}
";

/// A call as an SDK makes it, without the SDK of that service.
async fn call(local: &Local, target: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
    let (body, key) = (body.to_string(), local.account.access_key("test"));
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Amz-Target: {target}\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/secretsmanager/aws4_request, SignedHeaders=host\r\n\
         \r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", local.endpoint.port())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn secrets_are_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    assert_eq!(local.deploy("warehouse", WAREHOUSE, &[]).await, "CREATE_COMPLETE");
    let outputs = local.account.stacks()[0].outputs.clone();
    assert_eq!(outputs["Endpoint"], "shop-dev.000000000000.us-east-1.redshift-serverless.amazonaws.com");
    assert_eq!(outputs["Port"], "5439");
    let id = json!({"SecretId": "redshift!shop-dev-pipectl_admin"});
    let (status, secret) = call(&local, "secretsmanager.GetSecretValue", &id).await;
    assert_eq!(status, 200);
    let value: serde_json::Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(value["username"], "pipectl_admin");
    let put = json!({"SecretId": secret["ARN"], "SecretString": "new"});
    assert_eq!(call(&local, "secretsmanager.PutSecretValue", &put).await.0, 200);
    let (_, secret) = call(&local, "secretsmanager.GetSecretValue", &id).await;
    assert_eq!(secret["SecretString"], "new");
    let (_, described) = call(&local, "secretsmanager.DescribeSecret", &id).await;
    assert_eq!(described["OwningService"], "redshift");
    let (status, error) = call(&local, "secretsmanager.GetSecretValue", &json!({"SecretId": "nope"})).await;
    assert_eq!((status, &error["__type"]), (400, &json!("ResourceNotFoundException")));
    assert_eq!(local.delete("warehouse").await, "DELETE_COMPLETE");
    assert_eq!(local.account.secret_value("redshift!shop-dev-pipectl_admin"), None);
}

const CATALOG: &str = "Resources:
  Database:
    Type: AWS::Glue::Database
    Properties:
      CatalogId: '000000000000'
      DatabaseInput: {Name: shop, LocationUri: 's3://lake/iceberg'}
  Table:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: '000000000000'
      DatabaseName: !Ref Database
      TableInput: {Name: files}
";

/// What Iceberg's commits rest on: a table changes only from the version that the caller has seen.
#[tokio::test]
async fn tables_of_the_catalog_change_from_one_version_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    local.deploy("catalog", CATALOG, &[]).await;
    let ask = async |operation: &str, body: serde_json::Value| {
        let (status, answer) = call(&local, &format!("AWSGlue.{operation}"), &body).await;
        (status, answer["__type"].as_str().unwrap_or_default().to_owned(), answer)
    };
    let error = async |operation: &str, body: serde_json::Value| ask(operation, body).await.1;
    let (_, _, found) = ask("GetDatabase", json!({"Name": "shop"})).await;
    assert_eq!(found["Database"]["LocationUri"], "s3://lake/iceberg");
    assert_eq!(error("GetDatabase", json!({"Name": "x"})).await, "EntityNotFoundException");
    let named = |name: &str| json!({"DatabaseName": "shop", "Name": name});
    assert_eq!(ask("GetTable", named("files")).await.2["Table"]["DatabaseName"], "shop");
    assert_eq!(error("GetTable", named("orders")).await, "EntityNotFoundException");

    let table = |at: &str, more: serde_json::Value| {
        let mut body =
            json!({"DatabaseName": "shop", "TableInput": {"Name": "orders", "Parameters": {"metadata_location": at}}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(ask("CreateTable", table("a", json!({}))).await.0, 200);
    assert_eq!(error("CreateTable", table("a", json!({}))).await, "AlreadyExistsException");
    let (_, _, found) = ask("GetTable", named("orders")).await;
    assert_eq!(found["Table"]["VersionId"], "0");
    assert_eq!(ask("UpdateTable", table("b", json!({"VersionId": "0"}))).await.0, 200);
    assert_eq!(error("UpdateTable", table("c", json!({"VersionId": "0"}))).await, "ConcurrentModificationException");
    let location = || local.account.table_parameter("shop", "orders", "metadata_location");
    assert_eq!(location().as_deref(), Some("b"));
    assert_eq!(ask("DeleteTable", named("orders")).await.0, 200);
    assert_eq!(error("DeleteTable", named("orders")).await, "EntityNotFoundException");
    assert_eq!(error("BatchDeleteTable", named("orders")).await, "UnknownOperationException");

    // With the database goes what is in it.
    assert_eq!(ask("CreateTable", table("a", json!({}))).await.0, 200);
    local.delete("catalog").await;
    assert_eq!(location(), None);
}

#[tokio::test]
async fn further_services_are_registered() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    let handler: JsonHandler =
        Arc::new(|call: JsonCall| Box::pin(async move { Ok(json!({"Was": call.operation, "By": call.access_key})) }));
    local.account.register("RedshiftData", handler);
    let (status, answer) = call(&local, "RedshiftData.BatchExecuteStatement", &json!({})).await;
    assert_eq!((status, answer), (200, json!({"Was": "BatchExecuteStatement", "By": "test"})));
    let (status, answer) = call(&local, "AWSGlue.StartJobRun", &json!({})).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("UnknownOperationException")));
}

#[tokio::test]
async fn callers_are_known_and_authorized() {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::open(directory.path()).await;
    local.deploy("warehouse", WAREHOUSE, &[]).await;
    let sts = sts::Client::new(&local.config);
    let caller = sts.get_caller_identity().send().await.unwrap();
    assert_eq!((caller.account(), caller.arn()), (Some("000000000000"), Some("arn:aws:iam::000000000000:user/local")));
    let role = "arn:aws:iam::000000000000:role/load";
    let session = sts.assume_role().role_arn(role).role_session_name("s").send().await.unwrap();
    assert_eq!(session.credentials().unwrap().access_key_id(), local.account.access_key("ROLE.load"));
    let unknown = sts.assume_role().role_arn("arn:aws:iam::000000000000:role/x").role_session_name("s").send().await;
    assert!(message(unknown.unwrap_err()).starts_with("AccessDenied"));

    local.account.authorizer(Arc::new(|call| {
        if call.action == "s3:PutObject" && call.resource.ends_with("/closed/x") {
            Err(format!("{} may not {}", call.access_key, call.action))
        } else {
            Ok(())
        }
    }));
    local.s3.create_bucket().bucket("data").send().await.unwrap();
    local.put("data", "open/x", b"x").await;
    let denied = local.s3.put_object().bucket("data").key("closed/x").body(vec![1].into()).send().await.unwrap_err();
    assert_eq!(message(denied), "AccessDenied: test may not s3:PutObject");
}
