//! What roles, services and policies of resources let through, and the line to change where they do not.

use super::*;

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
fn reported(request: &Request) -> String {
    match Template::read(TEMPLATE).policies().decide(request) {
        Decision::Allowed(_) => "allowed".to_owned(),
        Decision::Denied(denial) => format!("{}\nAWS: {}", Error::from(&*denial), denial.answer("123456789012")),
    }
}

#[test]
fn a_denial_names_the_line_to_change() {
    let of = |action: &str, resource: &str| Request::of_role("loader", action, resource);
    assert_eq!(reported(&of("s3:GetObject", "arn:aws:s3:::zone/orders/batch=1/a.parquet")), "allowed");
    insta::assert_snapshot!(reported(&of("s3:PutObject", "arn:aws:s3:::zone/orders/batch=1/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:PutObject on arn:aws:s3:::zone/orders/*: `ReadRows` allows other actions on it
      --> iam.yaml:30:15
       |
    30 |               Action: ["s3:GetObject"]
       |               ^^^^^^
      = hint: add `s3:PutObject` to `Action`
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::zone/orders/batch=1/a.parquet" because no identity-based policy allows the s3:PutObject action
    "#);
    insta::assert_snapshot!(reported(&of("s3:GetObject", "arn:aws:s3:::zone/visits/batch=1/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:GetObject on arn:aws:s3:::zone/visits/*: `ReadRows` allows it on other resources
      --> iam.yaml:31:15
       |
    31 |               Resource: "arn:aws:s3:::zone/orders/*"
       |               ^^^^^^^^
      = hint: add `arn:aws:s3:::zone/visits/*` to `Resource`
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/visits/batch=1/a.parquet" because no identity-based policy allows the s3:GetObject action
    "#);
    insta::assert_snapshot!(reported(&of("s3:ListBucket", "arn:aws:s3:::zone").with("s3:prefix", "visits/")), @r#"
    error: IAM: the role `loader` may not s3:ListBucket on arn:aws:s3:::zone: `ListRows` would, but its condition wants `s3:prefix` StringLike `orders/*`; in the call it is `visits/`
      --> iam.yaml:36:40
       |
    36 |               Condition: {StringLike: {"s3:prefix": "orders/*"}}
       |                                        ^^^^^^^^^^^
      = hint: let the condition on `s3:prefix` take it, or add a statement that does
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::zone" because no identity-based policy allows the s3:ListBucket action
    "#);
    insta::assert_snapshot!(reported(&of("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf")), @r#"
    error: IAM: the role `loader` may not secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-??????: no statement allows it
      --> iam.yaml:27:11
       |
    27 |           Statement:
       |           ^^^^^^^^^
      = hint: add {Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-??????"}
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: secretsmanager:GetSecretValue on resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf" because no identity-based policy allows the secretsmanager:GetSecretValue action
    "#);
    insta::assert_snapshot!(reported(&of("s3:GetObject", "arn:aws:s3:::zone/_ledger/load/a.json")), @r#"
    error: IAM: the role `loader` may not s3:GetObject on arn:aws:s3:::zone/_ledger/load/*: `KeepLedger` of a policy of the role denies it
      --> iam.yaml:41:15
       |
    41 |             - Sid: KeepLedger
       |               ^^^
      = hint: narrow what this statement denies, or do not make the call
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/_ledger/load/a.json" with an explicit deny
    "#);
    // Its own policy allows it, its boundary does not.
    insta::assert_snapshot!(reported(&of("s3:DeleteObject", "arn:aws:s3:::zone/orders/a.parquet")), @r#"
    error: IAM: the role `loader` may not s3:DeleteObject on arn:aws:s3:::zone/orders/*: its boundary `limit` does not allow it: no statement allows it
     --> iam.yaml:7:7
      |
    7 |       Statement:
      |       ^^^^^^^^^
      = hint: add {Effect: Allow, Action: "s3:DeleteObject", Resource: "arn:aws:s3:::zone/orders/*"}
    AWS: User: arn:aws:sts::123456789012:assumed-role/loader/rehearsal is not authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::zone/orders/a.parquet" because no permissions boundary allows the s3:DeleteObject action
    "#);
    insta::assert_snapshot!(reported(&Request::of_role("nobody", "s3:GetObject", "arn:aws:s3:::zone/x")), @r#"
    error: IAM: the role `nobody` may not s3:GetObject on arn:aws:s3:::zone/x: there is no role `nobody`
    AWS: User: arn:aws:sts::123456789012:assumed-role/nobody/rehearsal is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::zone/x" because no identity-based policy allows the s3:GetObject action
    "#);
}

#[test]
fn policies_of_resources_count_too() {
    let of = |resource: &str| Request::of_role("loader", "s3:PutObject", resource);
    // A policy that names the role is enough; one that names the account leaves it to the role's own.
    assert_eq!(reported(&of("arn:aws:s3:::zone/named/x")), "allowed");
    assert!(reported(&of("arn:aws:s3:::zone/account/x")).contains("no identity-based policy"));
    // But the boundary limits the role all the same.
    let deletes = Request::of_role("loader", "s3:DeleteObject", "arn:aws:s3:::zone/named/x");
    assert!(reported(&deletes).contains("no permissions boundary"));
    let plain =
        Request::of_role("loader", "s3:GetObject", "arn:aws:s3:::zone/orders/x").with("aws:SecureTransport", "false");
    insta::assert_snapshot!(reported(&plain), @r#"
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
fn services_need_a_resource_policy_or_role_trust() {
    let rule = "arn:aws:events:us-east-1:123456789012:rule/landing";
    let send = |source: &str| {
        Request::of_service("events.amazonaws.com", "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:late")
            .with("aws:SourceArn", source)
    };
    assert_eq!(reported(&send(rule)), "allowed");
    insta::assert_snapshot!(reported(&send("arn:aws:events:us-east-1:123456789012:rule/other")), @r#"
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
    assert_eq!(reported(&call("events.amazonaws.com")), "allowed");
    insta::assert_snapshot!(reported(&call("sns.amazonaws.com")), @r#"
    error: IAM: sns.amazonaws.com may not lambda:InvokeFunction on arn:aws:lambda:us-east-1:123456789012:function:load: the policy of `function:load` does not let it in: the statement of line 69 allows it to others
      --> iam.yaml:69:69
       |
    69 |   Properties: {FunctionName: load, Action: "lambda:InvokeFunction", Principal: events.amazonaws.com, SourceArn: "arn:aws:events:us-east-1:123456789012:rule/landing"}
       |                                                                     ^^^^^^^^^
      = hint: add sns.amazonaws.com to `Principal`
    AWS: sns.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: "arn:aws:lambda:us-east-1:123456789012:function:load" because no resource-based policy allows the lambda:InvokeFunction action
    "#);
    insta::assert_snapshot!(reported(&Request::of_service("events.amazonaws.com", "sns:Publish", "arn:aws:sns:us-east-1:123456789012:alerts")), @r#"
    error: IAM: events.amazonaws.com may not sns:Publish on arn:aws:sns:us-east-1:123456789012:alerts: `alerts` has no policy that lets events.amazonaws.com in
    = hint: add a policy of the resource: {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sns:Publish", Resource: "arn:aws:sns:us-east-1:123456789012:alerts", Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}}
    AWS: events.amazonaws.com is not authorized to perform: sns:Publish on resource: "arn:aws:sns:us-east-1:123456789012:alerts" because no resource-based policy allows the sns:Publish action
    "#);
    let assume =
        |service: &str| Request::of_service(service, "sts:AssumeRole", "arn:aws:iam::123456789012:role/loader");
    assert_eq!(reported(&assume("scheduler.amazonaws.com").with("aws:SourceAccount", "123456789012")), "allowed");
    insta::assert_snapshot!(reported(&assume("scheduler.amazonaws.com")), @r#"
    error: IAM: scheduler.amazonaws.com may not assume the role `loader`: its trust policy does not let scheduler.amazonaws.com in: the statement of line 18 would, but its condition wants `aws:SourceAccount` StringEquals `123456789012`; in the call it is not there
      --> iam.yaml:21:38
       |
    21 |           Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}
       |                                      ^^^^^^^^^^^^^^^^^^^
      = hint: let the condition on `aws:SourceAccount` take it, or add a statement that does
    AWS: scheduler.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "arn:aws:iam::123456789012:role/loader" because no resource-based policy allows the sts:AssumeRole action
    "#);
    insta::assert_snapshot!(reported(&assume("lambda.amazonaws.com")), @r#"
    error: IAM: lambda.amazonaws.com may not assume the role `loader`: its trust policy does not let lambda.amazonaws.com in
      --> iam.yaml:17:7
       |
    17 |       Statement:
       |       ^^^^^^^^^
      = hint: let lambda.amazonaws.com assume it in `AssumeRolePolicyDocument`
    AWS: lambda.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "arn:aws:iam::123456789012:role/loader" because no resource-based policy allows the sts:AssumeRole action
    "#);
}
