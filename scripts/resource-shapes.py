#!/usr/bin/env python3
"""Writes crates/core/src/template/shapes.jsonl: the schemas of resource types, down to the last nested property.

`properties.json` beside it says what CloudFormation does with a type; this table says which values AWS accepts. Each line
is one type. The first line says where the table comes from, and the second lists every type that AWS publishes.

Run it with the Python that has cfn-lint (its package ships the schemas):

    .venv/bin/python scripts/resource-shapes.py > crates/core/src/template/shapes.jsonl
"""

import json
import pathlib
import sys
from importlib.metadata import version

import cfnlint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

REGION = "us-east-1"

# The types that pipectl renders, and those that people add to a pipeline.
TYPES = """
AWS::Athena::DataCatalog AWS::Athena::NamedQuery AWS::Athena::PreparedStatement AWS::Athena::WorkGroup AWS::Budgets::Budget
AWS::CloudTrail::EventDataStore AWS::CloudTrail::Trail AWS::CloudWatch::Alarm AWS::CloudWatch::CompositeAlarm
AWS::CloudWatch::Dashboard AWS::DMS::Endpoint AWS::DMS::ReplicationConfig AWS::DMS::ReplicationInstance
AWS::DMS::ReplicationSubnetGroup AWS::DMS::ReplicationTask AWS::DynamoDB::Table AWS::EC2::EIP AWS::EC2::FlowLog
AWS::EC2::InternetGateway AWS::EC2::NatGateway AWS::EC2::NetworkAcl AWS::EC2::NetworkAclEntry AWS::EC2::Route
AWS::EC2::RouteTable AWS::EC2::SecurityGroup AWS::EC2::SecurityGroupEgress AWS::EC2::SecurityGroupIngress AWS::EC2::Subnet
AWS::EC2::SubnetNetworkAclAssociation AWS::EC2::SubnetRouteTableAssociation AWS::EC2::VPC AWS::EC2::VPCEndpoint
AWS::EC2::VPCGatewayAttachment AWS::Events::ApiDestination AWS::Events::Archive AWS::Events::Connection
AWS::Events::EventBus AWS::Events::EventBusPolicy AWS::Events::Rule AWS::Glue::Classifier AWS::Glue::Connection
AWS::Glue::Crawler AWS::Glue::DataQualityRuleset AWS::Glue::Database AWS::Glue::Job AWS::Glue::Partition
AWS::Glue::SecurityConfiguration AWS::Glue::Table AWS::Glue::Trigger AWS::Glue::Workflow AWS::IAM::Group
AWS::IAM::GroupPolicy AWS::IAM::InstanceProfile AWS::IAM::ManagedPolicy AWS::IAM::OIDCProvider AWS::IAM::Role
AWS::IAM::RolePolicy AWS::IAM::User AWS::IAM::UserPolicy AWS::KMS::Alias AWS::KMS::Key AWS::Kinesis::Stream
AWS::LakeFormation::DataLakeSettings AWS::LakeFormation::PrincipalPermissions AWS::LakeFormation::Resource
AWS::Lambda::Alias AWS::Lambda::EventInvokeConfig AWS::Lambda::EventSourceMapping AWS::Lambda::Function
AWS::Lambda::LayerVersion AWS::Lambda::LayerVersionPermission AWS::Lambda::Permission AWS::Lambda::Url
AWS::Lambda::Version AWS::Logs::LogGroup AWS::Logs::LogStream AWS::Logs::MetricFilter AWS::Logs::QueryDefinition
AWS::Logs::ResourcePolicy AWS::Logs::SubscriptionFilter AWS::Pipes::Pipe AWS::QuickSight::DataSet
AWS::QuickSight::DataSource AWS::QuickSight::RefreshSchedule AWS::QuickSight::VPCConnection AWS::RDS::DBInstance
AWS::RDS::DBParameterGroup AWS::RDS::DBSubnetGroup AWS::RedshiftServerless::Namespace
AWS::RedshiftServerless::Workgroup AWS::S3::AccessPoint AWS::S3::Bucket AWS::S3::BucketPolicy AWS::SNS::Subscription
AWS::SNS::Topic AWS::SNS::TopicInlinePolicy AWS::SNS::TopicPolicy AWS::SQS::Queue AWS::SQS::QueueInlinePolicy
AWS::SQS::QueuePolicy AWS::SSM::Parameter AWS::Scheduler::Schedule AWS::Scheduler::ScheduleGroup
AWS::SecretsManager::ResourcePolicy AWS::SecretsManager::RotationSchedule AWS::SecretsManager::Secret
AWS::SecretsManager::SecretTargetAttachment AWS::StepFunctions::Activity AWS::StepFunctions::StateMachine
""".split()

# What says nothing about the values that AWS accepts.
COMMENTS = {
    *(
        "$comment",
        "$id",
        "$schema",
        "default",
        "description",
        "examples",
        "format",
        "insertionOrder",
        "markdownDescription",
    ),
    *("relationshipRef", "tagging", "title", "anyOfMessage", "maxUniqueItems", "arrayType", "propertyTransform"),
}

# Where a map stands whose keys are names, not words of the schema language.
MAPS = {"properties", "definitions", "patternProperties", "dependentExcluded", "dependentRequired"}

# Rules of cfn-lint that are about one resource; these files need other data than the resource itself, or are lists of
# instance classes and versions that change every month.
TOO_LARGE = 20_000


def trimmed(schema):
    if isinstance(schema, list):
        return [trimmed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key in COMMENTS:
            continue
        if key in MAPS:
            result[key] = {name: trimmed(item) for name, item in value.items()}
        elif key == "additionalProperties" and value is not False:
            continue
        elif key == "const" or key == "enum":
            result[key] = value
        else:
            result[key] = trimmed(value)
    return result


def extensions(resource_type):
    """The schemas of cfn-lint's own rules about one resource of a type."""
    folder = (
        pathlib.Path(cfnlint.__file__).parent / "data/schemas/extensions" / resource_type.replace("::", "_").lower()
    )
    for path in sorted(folder.glob("*.json")):
        # A pattern for a nested value, or a warning about what AWS accepts.
        if path.name in ("awslayer.json", "environment_variable_keys.json") or path.name.startswith("backupretention"):
            continue
        text = path.read_text()
        if len(text) <= TOO_LARGE and "cfnGather" not in text:
            yield trimmed(json.loads(text))


def shape(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    kept = {
        *(
            "properties",
            "definitions",
            "required",
            "requiredXor",
            "requiredOr",
            "dependentExcluded",
            "dependentRequired",
        ),
        *("allOf", "anyOf", "oneOf", "patternProperties", "additionalProperties"),
    }
    result = trimmed({key: value for key, value in schema.items() if key in kept})
    more = list(extensions(resource_type))
    if more:
        result["allOf"] = result.get("allOf", []) + more
    return result


def main():
    def line(value):
        return json.dumps(value, separators=(",", ":")) + "\n"

    services = {}
    for name in sorted(PROVIDER_SCHEMA_MANAGER.get_resource_types(REGION)):
        if name.startswith("AWS::"):
            _, service, kind = name.split("::", 2)
            services.setdefault(service, []).append(kind)
    lines = [
        line(
            {
                "source": f"cfn-lint {version('cfn-lint')}, data/schemas, {REGION}",
                "generated_by": "scripts/resource-shapes.py",
            }
        ),
        line({"types": {service: " ".join(kinds) for service, kinds in services.items()}}),
    ]
    lines += [line({"type": name, "schema": shape(name)}) for name in sorted(TYPES)]
    sys.stdout.write("".join(lines))


if __name__ == "__main__":
    main()
