//! HTTP calls, authorized as by AWS.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::*;
use crate::account::LocalAccount;
use crate::error::Error;
use pipectl_core::resource::testing::resources;

const TEMPLATE: &str = r#"Reader:
  Type: AWS::IAM::Role
  Properties:
    RoleName: reader
    AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
    Policies:
      - PolicyName: read
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - {Sid: Read, Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::zone/*"}
            - {Sid: Write, Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::zone/out/*"}
            - {Sid: List, Effect: Allow, Action: "s3:ListBucket", Resource: "arn:aws:s3:::zone", Condition: {StringLike: {"s3:prefix": "in/*"}}}
            - {Sid: Clear, Effect: Allow, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::zone/in/*"}
"#;

fn client(endpoint: &str, access_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(access_key, "x", None, None, "test"))
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// The code of an error, as a program sees it.
fn code<T, E: std::error::Error>(answer: Result<T, E>) -> &'static str {
    let Err(error) = answer else { return "done" };
    let text = DisplayErrorContext(&error).to_string();
    ["AccessDenied", "NoSuchKey", "NotFound", "403", "404"]
        .into_iter()
        .find(|code| text.contains(code))
        .unwrap_or("other")
}

#[tokio::test]
async fn s3_calls_are_authorized_by_the_policies() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAccount::open(directory.path(), "000000000000", "us-east-1").unwrap();
    let endpoint = account.serve(0).await.unwrap();
    let person = client(&endpoint.url(), &account.access_key("me"));
    person.create_bucket().bucket("zone").send().await.unwrap();
    for key in ["in/a", "in/b", "keep/c"] {
        person.put_object().bucket("zone").key(key).body(vec![1].into()).send().await.unwrap();
    }
    let authorizer = Authorizer::new(&resources(TEMPLATE));
    account.authorizer(authorizer.for_calls());
    let role = client(&endpoint.url(), &account.access_key("reader"));
    let get = |key: &str| role.get_object().bucket("zone").key(key).send();
    assert_eq!(code(get("in/a").await), "done");
    // Only callers with `s3:ListBucket` see that an object is missing.
    assert_eq!(code(get("in/none").await), "NoSuchKey");
    assert_eq!(code(get("keep/none").await), "AccessDenied");
    assert_eq!(code(role.list_objects_v2().bucket("zone").prefix("in/").send().await), "done");
    assert_eq!(code(role.list_objects_v2().bucket("zone").send().await), "AccessDenied");
    let put = |key: &str| role.put_object().bucket("zone").key(key).body(vec![1].into()).send();
    assert_eq!((code(put("out/x").await), code(put("in/x").await)), ("done", "AccessDenied"));
    // A copy reads, and writes.
    let copy = |from: &str| role.copy_object().bucket("zone").key("out/y").copy_source(from).send();
    assert_eq!((code(copy("zone/in/a").await), code(copy("other/in/a").await)), ("done", "AccessDenied"));
    // Each of several objects is authorized separately.
    let names = ["in/a", "keep/c"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(names.into())).build().unwrap();
    let deleted = role.delete_objects().bucket("zone").delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted()[0].key(), deleted.errors()[0].key()), (Some("in/a"), Some("keep/c")));
    assert_eq!(deleted.errors()[0].code(), Some("AccessDenied"));
    // People are not in the templates, and not authorized.
    assert_eq!(code(person.get_object().bucket("zone").key("keep/c").send().await), "done");
    // Each kind of denial is reported once.
    let denials: Vec<String> = authorizer.take_denials().iter().map(|denial| Error::from(denial).to_string()).collect();
    let reported: Vec<&str> = denials.iter().filter_map(|text| text.lines().next()).collect();
    insta::assert_snapshot!(reported.join("\n"), @"
    error: IAM: the role `reader` may not s3:ListBucket on arn:aws:s3:::zone: `List` would, but its condition wants `s3:prefix` StringLike `in/*`; in the call it is `keep/none`
    error: IAM: the role `reader` may not s3:PutObject on arn:aws:s3:::zone/in/*: `Clear` allows other actions on it
    error: IAM: the role `reader` may not s3:GetObject on arn:aws:s3:::other/in/*: `Read` allows it on other resources
    error: IAM: the role `reader` may not s3:DeleteObject on arn:aws:s3:::zone/keep/*: `Clear` allows it on other resources
    ");
    insta::assert_snapshot!(authorizer.grants().text(true), @"4 of 4 grants were used");
    endpoint.stop().await.unwrap();
}
