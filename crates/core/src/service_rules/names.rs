//! Names: which property names a resource, and two resources with one name.

use super::{Findings, Rule, Subject, reference};

/// The property whose value only one resource of a type in an account and region can have. Not every name is one: two
/// queries of Athena may have the same.
pub(super) fn of(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::Athena::WorkGroup"
        | "AWS::Events::EventBus"
        | "AWS::Events::Rule"
        | "AWS::Glue::Crawler"
        | "AWS::Glue::Job"
        | "AWS::Glue::SecurityConfiguration"
        | "AWS::Glue::Trigger"
        | "AWS::Glue::Workflow"
        | "AWS::Scheduler::Schedule"
        | "AWS::Scheduler::ScheduleGroup"
        | "AWS::SecretsManager::Secret"
        | "AWS::SSM::Parameter" => "Name",
        "AWS::CloudTrail::Trail" => "TrailName",
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => "AlarmName",
        "AWS::CloudWatch::Dashboard" => "DashboardName",
        "AWS::DMS::Endpoint" => "EndpointIdentifier",
        "AWS::DMS::ReplicationConfig" => "ReplicationConfigIdentifier",
        "AWS::DMS::ReplicationSubnetGroup" => "ReplicationSubnetGroupIdentifier",
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::Glue::Connection" => "ConnectionInput/Name",
        "AWS::Glue::Database" => "DatabaseInput/Name",
        "AWS::Glue::Table" => "TableInput/Name",
        "AWS::IAM::Group" => "GroupName",
        "AWS::IAM::InstanceProfile" => "InstanceProfileName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::IAM::User" => "UserName",
        "AWS::KMS::Alias" => "AliasName",
        "AWS::Lambda::Function" => "FunctionName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
        "AWS::RDS::DBSubnetGroup" => "DBSubnetGroupName",
        "AWS::RDS::DBParameterGroup" => "DBParameterGroupName",
        "AWS::RedshiftServerless::Namespace" => "NamespaceName",
        "AWS::RedshiftServerless::Workgroup" => "WorkgroupName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::StepFunctions::StateMachine" => "StateMachineName",
        _ => return None,
    })
}

/// What else must differ for two resources to have the same name.
const WITHIN: [&str; 6] = ["CatalogId", "DatabaseName", "GroupName", "EventBusName", "Path", "Scope"];

pub(super) const RULES: &[Rule] = &[Rule {
    id: "name-taken",
    types: &["*"],
    property: "Name",
    accepts: "each name once in an account and region, over all stacks",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html",
    bad: "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: orders}\n  B:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: orders}",
    good: "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: orders}\n  B:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: refunds}",
    check: taken,
}];

fn taken(subject: &Subject<'_>, found: &mut Findings) {
    // An account says so itself, in the words of CloudFormation.
    if !subject.world.is_complete {
        return;
    }
    let resource = subject.resource;
    let (Some(name), Some(property)) = (resource.name(), of(resource.resource_type)) else { return };
    let same = |other: &&super::Declared<'_>| {
        other.resource_type == resource.resource_type
            && other.name() == Some(name)
            && WITHIN.iter().all(|key| reference(other.properties, key) == reference(resource.properties, key))
    };
    let first = subject.world.resources.iter().find(same);
    if let Some(first) = first
        && (first.logical_id, first.stack) != (resource.logical_id, resource.stack)
    {
        let whose = if first.stack == resource.stack {
            format!("`{}`", first.logical_id)
        } else {
            format!("`{}` of the stack `{}`", first.logical_id, first.stack)
        };
        found.add(property, format!("has the name `{name}`, which {whose} has too"), "rename one of them");
    }
}
