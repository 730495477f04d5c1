#!/usr/bin/env python3
"""Writes crates/core/src/template/properties.json: what AWS's published resource schemas say about the types that pipectl renders.

Run it with the Python that has cfn-lint (its package ships the schemas):

    .venv/bin/python scripts/resource-properties.py > crates/core/src/template/properties.json
"""

import json
import sys
from importlib.metadata import version

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

REGION = "us-east-1"

TYPES = """
AWS::Athena::NamedQuery AWS::Athena::WorkGroup AWS::CloudTrail::Trail AWS::CloudWatch::Alarm
AWS::CloudWatch::Dashboard AWS::DMS::Endpoint AWS::DMS::ReplicationConfig AWS::DMS::ReplicationSubnetGroup
AWS::EC2::FlowLog AWS::EC2::RouteTable AWS::EC2::SecurityGroup AWS::EC2::SecurityGroupEgress
AWS::EC2::SecurityGroupIngress AWS::EC2::Subnet AWS::EC2::SubnetRouteTableAssociation AWS::EC2::VPC
AWS::EC2::VPCEndpoint AWS::Events::EventBus AWS::Events::Rule AWS::Glue::Connection AWS::Glue::Crawler AWS::Glue::DataQualityRuleset
AWS::Glue::Database AWS::Glue::Job AWS::Glue::SecurityConfiguration AWS::Glue::Table AWS::Glue::Trigger
AWS::Glue::Workflow AWS::IAM::ManagedPolicy AWS::IAM::OIDCProvider AWS::IAM::Role AWS::IAM::RolePolicy
AWS::KMS::Alias AWS::KMS::Key AWS::Lambda::EventInvokeConfig AWS::Lambda::EventSourceMapping
AWS::Lambda::Function AWS::Lambda::Permission AWS::Logs::LogGroup AWS::Logs::MetricFilter
AWS::Logs::QueryDefinition AWS::Logs::SubscriptionFilter AWS::QuickSight::DataSet AWS::QuickSight::DataSource
AWS::QuickSight::RefreshSchedule AWS::QuickSight::VPCConnection AWS::RDS::DBInstance AWS::RDS::DBParameterGroup AWS::RDS::DBSubnetGroup
AWS::RedshiftServerless::Namespace AWS::RedshiftServerless::Workgroup AWS::S3::Bucket AWS::S3::BucketPolicy
AWS::SNS::Subscription AWS::SNS::Topic AWS::SNS::TopicPolicy AWS::SQS::Queue AWS::SQS::QueuePolicy
AWS::SSM::Parameter AWS::Scheduler::Schedule AWS::Scheduler::ScheduleGroup AWS::SecretsManager::RotationSchedule
AWS::SecretsManager::Secret
""".split()


def pointer(path):
    """`/properties/A/B` as `A/B`."""
    return path.removeprefix("/properties/").replace("/properties/", "/")


def constraints(schema, definition):
    """What can be said of one property: its JSON type and, for texts, their shape."""
    reference = definition.get("$ref")
    if reference:
        target = schema
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        definition = {**target, **definition}
    kind = definition.get("type")
    if kind is None and "properties" in definition:
        kind = "object"
    result = {}
    if kind:
        result["type"] = kind if isinstance(kind, list) else [kind]
    for key in ("pattern", "minLength", "maxLength", "enum"):
        if key in definition:
            result[key] = definition[key]
    return result


def describe(resource_type):
    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type)
    schema = found.schema
    read_only = sorted(pointer(path) for path in schema.get("readOnlyProperties", []))
    return {
        "identifier": [pointer(path) for path in schema.get("primaryIdentifier", [])],
        "required": sorted(schema.get("required", [])),
        "create_only": sorted(pointer(path) for path in schema.get("createOnlyProperties", [])),
        "conditional_create_only": sorted(pointer(path) for path in schema.get("conditionalCreateOnlyProperties", [])),
        "read_only": read_only,
        "write_only": sorted(pointer(path) for path in schema.get("writeOnlyProperties", [])),
        "attributes": sorted(found.get_atts),
        "properties": {
            name: constraints(schema, definition) for name, definition in sorted(schema["properties"].items())
        },
    }


def main():
    lines = [
        f'"source": "cfn-lint {version("cfn-lint")}, data/schemas, {REGION}"',
        '"generated_by": "scripts/resource-properties.py"',
    ]
    types = [f"{json.dumps(name)}: {json.dumps(describe(name), separators=(',', ':'))}" for name in sorted(TYPES)]
    sys.stdout.write("{\n" + ",\n".join(lines) + ',\n"types": {\n' + ",\n".join(types) + "\n}\n}\n")


if __name__ == "__main__":
    main()
