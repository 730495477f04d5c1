use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::Error;
use crate::resource::Resource;
use crate::yaml::{self, Node, Source};

/// Resources of a template in which nothing is left to evaluate.
struct Template(Vec<Resource>);

impl Template {
    fn read(text: &str) -> Self {
        let document = yaml::parse(&Source::new("iam.yaml", text)).unwrap();
        let resources = document.entries().iter().map(|(key, node)| {
            let value = node.to_json();
            let properties = value["Properties"].clone();
            let names = ["RoleName", "ManagedPolicyName", "QueueName", "WorkgroupName", "FunctionName"];
            let name = names.iter().find_map(|name| properties[*name].as_str()).unwrap_or(&key.name).to_owned();
            resource(value["Type"].as_str().unwrap(), &name, properties, Some(node.clone()))
        });
        Self(resources.collect())
    }

    fn policies(&self) -> Policies {
        Policies::gather("123456789012", "us-east-1", &self.0)
    }
}

fn resource(kind: &str, name: &str, properties: Value, node: Option<Node>) -> Resource {
    Resource { stack: "iam".into(), id: name.into(), kind: kind.into(), name: name.into(), properties, node }
}

/// A role `app` with these statements.
fn role(statements: &Value) -> Policies {
    let trust = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let properties = json!({
        "RoleName": "app", "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
    });
    Policies::gather("123456789012", "us-east-1", &[resource("AWS::IAM::Role", "app", properties, None)])
}

fn allows(policies: &Policies, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    let mut request = Request::of_role("app", action, resource);
    request.context = context.iter().copied().collect();
    policies.decide(&request).is_allowed()
}

/// The examples of the IAM user guide: evaluation logic, elements, operators.
#[test]
fn statements_are_read_as_documented() {
    let bucket = "arn:aws:s3:::photos";
    let object = "arn:aws:s3:::photos/2026/a.jpg";
    for (statements, action, resource, expected) in [
        // By default all is denied; an allow grants; a deny wins.
        (json!([]), "s3:GetObject", object, false),
        (json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": object}]), "s3:GetObject", object, true),
        (
            json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:Get*", "Resource": object}]),
            "s3:GetObject",
            object,
            false,
        ),
        (json!({"Effect": "Allow", "Action": "*", "Resource": "*"}), "sqs:SendMessage", "*", true),
        // Actions know no case, resources do.
        (json!([{"Effect": "Allow", "Action": "S3:getobject", "Resource": "*"}]), "s3:GetObject", object, true),
        (
            json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::Photos/*"}]),
            "s3:GetObject",
            object,
            false,
        ),
        // `*` and `?`; the objects of a bucket are not the bucket.
        (
            json!([{"Effect": "Allow", "Action": "s3:*Object", "Resource": "arn:aws:s3:::photos/*"}]),
            "s3:PutObject",
            object,
            true,
        ),
        (
            json!([{"Effect": "Allow", "Action": "s3:*Object", "Resource": "arn:aws:s3:::photos/*"}]),
            "s3:ListBucket",
            bucket,
            false,
        ),
        (
            json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"}]),
            "s3:ListBucket",
            bucket,
            false,
        ),
        (
            json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/????/?.jpg"}]),
            "s3:GetObject",
            object,
            true,
        ),
        (
            json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/?.jpg"}]),
            "s3:GetObject",
            object,
            false,
        ),
        // A wildcard does not reach over the colons of an ARN.
        (
            json!([{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:jobs"}]),
            "sqs:SendMessage",
            "arn:aws:sqs:us-east-1:123456789012:jobs",
            false,
        ),
        (
            json!([{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:jobs"}]),
            "sqs:SendMessage",
            "arn:aws:sqs:us-east-1:123456789012:jobs",
            true,
        ),
        // NotAction with Allow grants all else; with Deny it denies all else, and grants nothing.
        (json!([{"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "*"}]), "s3:GetObject", object, true),
        (json!([{"Effect": "Allow", "NotAction": "s3:Delete*", "Resource": "*"}]), "s3:DeleteObject", object, false),
        (json!([{"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}]), "s3:GetObject", object, false),
        (
            json!([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret/*"}]),
            "s3:GetObject",
            object,
            true,
        ),
        (
            json!([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::photos/*"}]),
            "s3:GetObject",
            object,
            false,
        ),
        // An action without a resource is granted by `*` alone.
        (
            json!([{"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "arn:aws:cloudwatch:*:*:*"}]),
            "cloudwatch:PutMetricData",
            "*",
            false,
        ),
    ] {
        assert_eq!(allows(&role(&statements), action, resource, &[]), expected, "{statements} {action} {resource}");
    }
}

#[test]
fn conditions_are_read_as_documented() {
    let call = [
        ("aws:PrincipalTag/team", "blue"),
        ("s3:prefix", "home/ann/x"),
        ("aws:SourceIp", "203.0.113.7"),
        ("aws:MultiFactorAuthAge", "300"),
        ("aws:CurrentTime", "2026-11-20T12:00:00Z"),
        ("aws:SourceArn", "arn:aws:s3:::bucket"),
        ("aws:username", "ann"),
    ];
    for (condition, expected) in [
        (json!({"StringEquals": {"aws:principaltag/TEAM": "blue"}}), true),
        (json!({"StringEquals": {"aws:PrincipalTag/team": ["red", "blue"]}}), true),
        (json!({"StringEquals": {"aws:PrincipalTag/team": "b*"}}), false),
        (json!({"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "BLUE"}}), true),
        (json!({"StringNotEquals": {"aws:PrincipalTag/team": ["red", "blue"]}}), false),
        (json!({"StringNotEquals": {"aws:PrincipalTag/team": "red"}}), true),
        (json!({"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}), true),
        (json!({"StringLike": {"s3:prefix": "home/${aws:PrincipalTag/team}/*"}}), false),
        (json!({"StringLike": {"s3:prefix": "home/${aws:nobody}/*"}}), false),
        (json!({"StringLike": {"s3:prefix": "home/${aws:nobody, 'ann'}/*"}}), true),
        (json!({"StringNotLike": {"s3:prefix": "away/*"}}), true),
        // Both operators, and both keys of one, must hold.
        (json!({"StringLike": {"s3:prefix": "home/*"}, "StringEquals": {"aws:PrincipalTag/team": "red"}}), false),
        (json!({"StringLike": {"s3:prefix": "home/*", "aws:PrincipalTag/team": "bl*"}}), true),
        // A key that is not there: no, but for negated operators and IfExists.
        (json!({"StringEquals": {"aws:nope": "x"}}), false),
        (json!({"StringNotEquals": {"aws:nope": "x"}}), true),
        (json!({"StringEqualsIfExists": {"aws:nope": "x"}}), true),
        (json!({"StringEqualsIfExists": {"aws:PrincipalTag/team": "x"}}), false),
        (json!({"Null": {"aws:nope": "true"}}), true),
        (json!({"Null": {"aws:PrincipalTag/team": "true"}}), false),
        (json!({"Null": {"aws:PrincipalTag/team": "false"}}), true),
        (json!({"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]}}), true),
        (json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}), false),
        (json!({"IpAddress": {"aws:SourceIp": "2001:DB8::/32"}}), false),
        (json!({"IpAddress": {"aws:SourceIp": "203.0.113.7"}}), true),
        (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), true),
        (json!({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": 300}}), true),
        (json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}), false),
        (json!({"NumericNotEquals": {"aws:MultiFactorAuthAge": "7"}}), true),
        (json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-20T00:00:00Z"}}), true),
        (json!({"DateLessThan": {"aws:CurrentTime": "2026-11-20"}}), false),
        (json!({"Bool": {"aws:SecureTransport": "true"}}), true),
        (json!({"Bool": {"aws:SecureTransport": true}}), true),
        (json!({"Bool": {"aws:SecureTransport": "false"}}), false),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b*"}}), true),
        (json!({"ArnEquals": {"aws:SourceArn": "arn:*:s3:*:*:bucket"}}), true),
        (json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::c*"}}), true),
        // An operator that IAM does not have makes an Allow void.
        (json!({"StringMatches": {"aws:PrincipalTag/team": "blue"}}), false),
    ] {
        let policies =
            role(&json!([{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": condition}]));
        assert_eq!(allows(&policies, "s3:ListBucket", "arn:aws:s3:::bucket", &call), expected, "{condition}");
    }
}

#[test]
fn keys_with_several_values_need_a_quantifier() {
    for (condition, found, expected) in [
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}), &["a", "b"][..], true),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}), &["a", "c"], false),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), &[], true),
        (json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}), &["a", "c"], true),
        (json!({"ForAnyValue:StringLike": {"aws:TagKeys": ["x*"]}}), &["a", "c"], false),
        (json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}), &[], false),
        (json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a"]}}), &["b", "c"], true),
        (json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a"]}}), &["a", "c"], false),
        (json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}), &["a", "c"], true),
    ] {
        let policies = role(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]));
        let mut request = Request::of_role("app", "s3:PutObject", "arn:aws:s3:::b/k");
        request.context.set_all("aws:TagKeys", found.iter().map(|&value| value.to_owned()).collect());
        assert_eq!(policies.decide(&request).is_allowed(), expected, "{condition} {found:?}");
    }
}

const TEMPLATE: &str = r#"Limit:
  Type: AWS::IAM::ManagedPolicy
  Properties:
    ManagedPolicyName: limit
    PolicyDocument:
      Version: "2012-10-17"
      Statement:
        - Sid: Zones
          Effect: Allow
          Action: ["s3:GetObject", "s3:ListBucket", "s3:PutObject", "sqs:SendMessage"]
          Resource: "*"
Loader:
  Type: AWS::IAM::Role
  Properties:
    RoleName: loader
    AssumeRolePolicyDocument:
      Statement:
        - Effect: Allow
          Principal: {Service: scheduler.amazonaws.com}
          Action: "sts:AssumeRole"
          Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}
    PermissionsBoundary: arn:aws:iam::123456789012:policy/limit
    Policies:
      - PolicyName: load
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Sid: ReadRows
              Effect: Allow
              Action: ["s3:GetObject"]
              Resource: "arn:aws:s3:::zone/orders/*"
            - Sid: ListRows
              Effect: Allow
              Action: "s3:ListBucket"
              Resource: arn:aws:s3:::zone
              Condition: {StringLike: {"s3:prefix": "orders/*"}}
            - Sid: Clean
              Effect: Allow
              Action: "s3:DeleteObject"
              Resource: "arn:aws:s3:::zone/*"
            - Sid: KeepLedger
              Effect: Deny
              Action: "s3:*"
              Resource: "arn:aws:s3:::zone/_ledger/*"
Zone:
  Type: AWS::S3::BucketPolicy
  Properties:
    Bucket: zone
    PolicyDocument:
      Version: "2012-10-17"
      Statement:
        - {Sid: Tls, Effect: Deny, Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::zone/*", Condition: {Bool: {"aws:SecureTransport": "false"}}}
        - {Sid: Named, Effect: Allow, Principal: {AWS: "arn:aws:iam::123456789012:role/loader"}, Action: "s3:*", Resource: "arn:aws:s3:::zone/named/*"}
        - {Sid: Whole, Effect: Allow, Principal: {AWS: "123456789012"}, Action: "s3:*", Resource: "arn:aws:s3:::zone/account/*"}
Queue:
  Type: AWS::SQS::QueuePolicy
  Properties:
    Queues: ["https://sqs.us-east-1.amazonaws.com/123456789012/late"]
    PolicyDocument:
      Statement:
        - Sid: Rules
          Effect: Allow
          Principal: {Service: events.amazonaws.com}
          Action: "sqs:SendMessage"
          Resource: "*"
          Condition: {ArnEquals: {"aws:SourceArn": ["arn:aws:events:us-east-1:123456789012:rule/landing"]}}
Permission:
  Type: AWS::Lambda::Permission
  Properties: {FunctionName: load, Action: "lambda:InvokeFunction", Principal: events.amazonaws.com, SourceArn: "arn:aws:events:us-east-1:123456789012:rule/landing"}
"#;

/// What people are told of a call.
fn told(request: &Request) -> String {
    match Template::read(TEMPLATE).policies().decide(request) {
        Decision::Allowed(_) => "allowed".to_owned(),
        Decision::Denied(denial) => format!("{}\nAWS: {}", Error::from(&*denial), denial.answer("123456789012")),
    }
}

#[test]
fn a_denial_names_the_line_to_change() {
    let of = |action: &str, resource: &str| Request::of_role("loader", action, resource);
    assert_eq!(told(&of("s3:GetObject", "arn:aws:s3:::zone/orders/batch=1/a.parquet")), "allowed");
    insta::assert_snapshot!(told(&of("s3:PutObject", "arn:aws:s3:::zone/orders/batch=1/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:PutObject on arn:aws:s3:::zone/orders/*: `ReadRows` allows other actions on it
      --> iam.yaml:30:15
       |
    30 |               Action: ["s3:GetObject"]
       |               ^^^^^^
      = hint: add `s3:PutObject` to `Action`
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::zone/orders/batch=1/a.parquet" because no identity-based policy allows the s3:PutObject action
    "#);
    insta::assert_snapshot!(told(&of("s3:GetObject", "arn:aws:s3:::zone/visits/batch=1/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:GetObject on arn:aws:s3:::zone/visits/*: `ReadRows` allows it on other resources
      --> iam.yaml:31:15
       |
    31 |               Resource: "arn:aws:s3:::zone/orders/*"
       |               ^^^^^^^^
      = hint: add `arn:aws:s3:::zone/visits/*` to `Resource`
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/visits/batch=1/a.parquet" because no identity-based policy allows the s3:GetObject action
    "#);
    insta::assert_snapshot!(told(&of("s3:ListBucket", "arn:aws:s3:::zone").with("s3:prefix", "visits/")), @r#"
    error: IAM: the role `loader` may not s3:ListBucket on arn:aws:s3:::zone: `ListRows` would, but its condition wants `s3:prefix` StringLike `orders/*`; in the call it is `visits/`
      --> iam.yaml:36:40
       |
    36 |               Condition: {StringLike: {"s3:prefix": "orders/*"}}
       |                                        ^^^^^^^^^^^
      = hint: let the condition on `s3:prefix` take it, or add a statement that does
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::zone" because no identity-based policy allows the s3:ListBucket action
    "#);
    insta::assert_snapshot!(told(&of("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf")), @r#"
    error: IAM: the role `loader` may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-??????: no statement allows it
      --> iam.yaml:27:11
       |
    27 |           Statement:
       |           ^^^^^^^^^
      = hint: add {Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-??????"}
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: secretsmanager:GetSecretValue on resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf" because no identity-based policy allows the secretsmanager:GetSecretValue action
    "#);
    insta::assert_snapshot!(told(&of("s3:GetObject", "arn:aws:s3:::zone/_ledger/load/a.json")), @r#"
    error: IAM: the role `loader` may not s3:GetObject on arn:aws:s3:::zone/_ledger/load/*: `KeepLedger` of a policy of the role denies it
      --> iam.yaml:41:15
       |
    41 |             - Sid: KeepLedger
       |               ^^^
      = hint: narrow what this statement denies, or do not make the call
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/_ledger/load/a.json" with an explicit deny
    "#);
    // Its own policy allows it, its boundary does not.
    insta::assert_snapshot!(told(&of("s3:DeleteObject", "arn:aws:s3:::zone/orders/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:DeleteObject on arn:aws:s3:::zone/orders/*: its boundary `limit` does not allow it: no statement allows it
     --> iam.yaml:7:7
      |
    7 |       Statement:
      |       ^^^^^^^^^
      = hint: add {Effect: Allow, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::zone/orders/*"}
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::zone/orders/a.parquet" because no permissions boundary allows the s3:DeleteObject action
    "#);
    insta::assert_snapshot!(told(&Request::of_role("nobody", "s3:GetObject", "arn:aws:s3:::zone/x")), @r#"
    error: IAM: the role `nobody` may not s3:GetObject on arn:aws:s3:::zone/x: there is no role `nobody`
    AWS: User: arn:aws:sts::123456789012:assumed-role/nobody/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/x" because no identity-based policy allows the s3:GetObject action
    "#);
}

#[test]
fn policies_of_resources_count_too() {
    let of = |resource: &str| Request::of_role("loader", "s3:PutObject", resource);
    // A policy that names the role is enough; one that names the account leaves it to the role's own.
    assert_eq!(told(&of("arn:aws:s3:::zone/named/x")), "allowed");
    assert!(told(&of("arn:aws:s3:::zone/account/x")).contains("no identity-based policy"));
    // But the boundary limits the role all the same.
    let deletes = Request::of_role("loader", "s3:DeleteObject", "arn:aws:s3:::zone/named/x");
    assert!(told(&deletes).contains("no permissions boundary"));
    let plain =
        Request::of_role("loader", "s3:GetObject", "arn:aws:s3:::zone/orders/x").with("aws:SecureTransport", "false");
    insta::assert_snapshot!(told(&plain), @r#"
    error: IAM: the role `loader` may not s3:GetObject on arn:aws:s3:::zone/orders/*: `Tls` of the policy of the resource denies it
      --> iam.yaml:52:12
       |
    52 |         - {Sid: Tls, Effect: Deny, Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::zone/*", Condition: {Bool: {"aws:SecureTransport": "false"}}}
       |            ^^^
      = hint: narrow what this statement denies, or do not make the call
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/orders/x" with an explicit deny
    "#);
}

#[test]
fn services_need_the_resources_policy_or_the_roles_trust() {
    let rule = "arn:aws:events:us-east-1:123456789012:rule/landing";
    let send = |source: &str| {
        Request::of_service("events.amazonaws.com", "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:late")
            .with("aws:SourceArn", source)
    };
    assert_eq!(told(&send(rule)), "allowed");
    insta::assert_snapshot!(told(&send("arn:aws:events:us-east-1:123456789012:rule/other")), @r#"
    error: IAM: events.amazonaws.com may not sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:late: the policy of `late` does not let it in: `Rules` would, but its condition wants `aws:SourceArn` ArnEquals `arn:aws:events:us-east-1:123456789012:rule/landing`; in the call it is `arn:aws:events:us-east-1:123456789012:rule/other`
      --> iam.yaml:66:35
       |
    66 |           Condition: {ArnEquals: {"aws:SourceArn": ["arn:aws:events:us-east-1:123456789012:rule/landing"]}}
       |                                   ^^^^^^^^^^^^^^^
      = hint: let the condition on `aws:SourceArn` take it, or add a statement that does
    AWS: events.amazonaws.com is not authorized to perform: sqs:SendMessage on resource: "arn:aws:sqs:us-east-1:123456789012:late" because no resource-based policy allows the sqs:SendMessage action
    "#);
    let function = "arn:aws:lambda:us-east-1:123456789012:function:load";
    let call =
        |service: &str| Request::of_service(service, "lambda:InvokeFunction", function).with("aws:SourceArn", rule);
    assert_eq!(told(&call("events.amazonaws.com")), "allowed");
    insta::assert_snapshot!(told(&call("sns.amazonaws.com")), @r#"
    error: IAM: sns.amazonaws.com may not lambda:InvokeFunction on arn:aws:lambda:us-east-1:123456789012:function:load: the policy of `function:load` does not let it in: the statement of line 69 allows it to others
      --> iam.yaml:69:69
       |
    69 |   Properties: {FunctionName: load, Action: "lambda:InvokeFunction", Principal: events.amazonaws.com, SourceArn: "arn:aws:events:us-east-1:123456789012:rule/landing"}
       |                                                                     ^^^^^^^^^
      = hint: add sns.amazonaws.com to `Principal`
    AWS: sns.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: "arn:aws:lambda:us-east-1:123456789012:function:load" because no resource-based policy allows the lambda:InvokeFunction action
    "#);
    insta::assert_snapshot!(told(&Request::of_service("events.amazonaws.com", "sns:Publish", "arn:aws:sns:us-east-1:123456789012:alerts")), @r#"
    error: IAM: events.amazonaws.com may not sns:Publish on arn:aws:sns:us-east-1:123456789012:alerts: `alerts` has no policy that lets events.amazonaws.com in
    = hint: add a policy of the resource: {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sns:Publish", Resource: "arn:aws:sns:us-east-1:123456789012:alerts", Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}}
    AWS: events.amazonaws.com is not authorized to perform: sns:Publish on resource: "arn:aws:sns:us-east-1:123456789012:alerts" because no resource-based policy allows the sns:Publish action
    "#);
    let assume =
        |service: &str| Request::of_service(service, "sts:AssumeRole", "arn:aws:iam::123456789012:role/loader");
    assert_eq!(told(&assume("scheduler.amazonaws.com").with("aws:SourceAccount", "123456789012")), "allowed");
    insta::assert_snapshot!(told(&assume("scheduler.amazonaws.com")), @r#"
    error: IAM: scheduler.amazonaws.com may not assume the role `loader`: its trust policy does not let scheduler.amazonaws.com in: the statement of line 18 would, but its condition wants `aws:SourceAccount` StringEquals `123456789012`; in the call it is not there
      --> iam.yaml:21:38
       |
    21 |           Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}
       |                                      ^^^^^^^^^^^^^^^^^^^
      = hint: let the condition on `aws:SourceAccount` take it, or add a statement that does
    AWS: scheduler.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "arn:aws:iam::123456789012:role/loader" because no resource-based policy allows the sts:AssumeRole action
    "#);
    insta::assert_snapshot!(told(&assume("lambda.amazonaws.com")), @r#"
    error: IAM: lambda.amazonaws.com may not assume the role `loader`: its trust policy does not let lambda.amazonaws.com in
      --> iam.yaml:17:7
       |
    17 |       Statement:
       |       ^^^^^^^^^
      = hint: let lambda.amazonaws.com assume it in `AssumeRolePolicyDocument`
    AWS: lambda.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "arn:aws:iam::123456789012:role/loader" because no resource-based policy allows the sts:AssumeRole action
    "#);
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "sqs:SendMessage", "s3:ListBucket"])
}

fn thing() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "arn:aws:s3:::a/x",
        "arn:aws:s3:::a/y/z",
        "arn:aws:s3:::b",
        "arn:aws:sqs:us-east-1:123456789012:q",
    ])
}

fn statement() -> impl Strategy<Value = Value> {
    let action =
        prop::sample::select(vec!["s3:*", "s3:Get*", "s3:PutObject", "*", "sqs:*", "s3:?etObject", "s3:ListBucket"]);
    let resource =
        prop::sample::select(vec!["*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/x", "arn:aws:s3:::b", "arn:aws:sqs:*:*:q"]);
    let condition = prop::sample::select(vec![
        json!({}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"k": "v"}}),
        json!({"StringNotLike": {"k": "v*"}}),
        json!({"Null": {"k": "true"}}),
    ]);
    (any::<bool>(), any::<bool>(), any::<bool>(), action, resource, condition).prop_map(
        |(allow, not_action, not_resource, action, resource, condition)| {
            json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                if not_action { "NotAction" } else { "Action" }: action,
                if not_resource { "NotResource" } else { "Resource" }: resource,
                "Condition": condition,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The order of statements does not matter, nor does one that stands twice.
    #[test]
    fn order_does_not_matter(statements in prop::collection::vec(statement(), 0..6), action in name(), thing in thing()) {
        let mut turned = statements.clone();
        turned.reverse();
        turned.extend(statements.first().cloned());
        let [one, other] = [statements, turned].map(|list| allows(&role(&json!(list)), action, thing, &[("k", "v")]));
        prop_assert_eq!(one, other);
    }

    /// One more Allow takes no right away, one more Deny gives none.
    #[test]
    fn rights_grow_and_shrink_one_way(statements in prop::collection::vec(statement(), 0..6), more in statement(), action in name(), thing in thing()) {
        let before = allows(&role(&json!(statements)), action, thing, &[]);
        let grants = more["Effect"] == "Allow";
        let after = allows(&role(&json!([statements, vec![more]].concat())), action, thing, &[]);
        let (more, less) = if grants { (after, before) } else { (before, after) };
        prop_assert!(more || !less);
    }

    /// A Deny that takes the call wins over any Allow, and over a policy of the resource.
    #[test]
    fn an_explicit_deny_wins(statements in prop::collection::vec(statement(), 0..6), action in name(), thing in thing()) {
        let all = [vec![json!({"Effect": "Deny", "Action": action, "Resource": thing})], statements].concat();
        prop_assert!(!allows(&role(&json!(all)), action, thing, &[]));
    }

    /// A boundary only takes away: what is allowed with one is allowed without it.
    #[test]
    fn a_boundary_grants_nothing(own in prop::collection::vec(statement(), 0..4), limit in prop::collection::vec(statement(), 0..4), action in name(), thing in thing()) {
        let free = role(&json!(own));
        let mut bound = free.clone();
        let limits = role(&json!(limit)).roles["app"].statements.clone();
        let boundary = super::gather::Boundary { name: "limit".into(), statements: limits.clone(), node: None };
        bound.roles.get_mut("app").unwrap().boundary = Some(boundary);
        let with = allows(&bound, action, thing, &[]);
        prop_assert_eq!(with, allows(&free, action, thing, &[]) && allows(&role(&json!(limit)), action, thing, &[]));
    }

    /// A text stands for itself; with a star in place of a part of it, too.
    #[test]
    fn patterns_take_what_they_came_from(text in "[a-z:/=*?$]{0,12}", from in 0usize..12, until in 0usize..12) {
        let none = Context::default();
        let literal = text.replace('*', "${*}").replace('?', "${?}");
        prop_assert!(Pattern::new(&literal, true).matches(&text, &none));
        let (from, until) = (from.min(text.len()), until.min(text.len()));
        let starred = format!("{}*{}", &text[..from.min(until)], &text[from.max(until)..]);
        prop_assert!(Pattern::new(&starred, false).matches(&text, &none));
    }
}
