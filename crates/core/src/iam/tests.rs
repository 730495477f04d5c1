use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::error::Error;
use crate::resource::Resource;
use crate::yaml::{self, Node, Source};

mod denials;
mod laws;

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
    Resource {
        stack: "iam".into(),
        id: name.into(),
        kind: kind.into(),
        name: name.into(),
        properties,
        node: node.map(Arc::new),
    }
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
fn statements_match_as_documented() {
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
fn conditions_match_as_documented() {
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
