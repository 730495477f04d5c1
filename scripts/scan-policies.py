"""Runs parliament, an IAM linter, over every policy of rendered templates: scan-policies.py TEMPLATE...

It runs in .venv/scanners. Prints each finding with its template and exits with 1 if there is any."""

import json
import re
import sys
from pathlib import Path

import parliament
import yaml

ACCOUNT, REGION = "123456789012", "eu-central-1"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}

# Kinds of findings that are skipped, each with its reason.
SKIPPED = {
    # `Resource: "*"` where the action has no resource types, or creates what has no name yet.
    "RESOURCE_STAR",
    # An action with a wildcard matches actions of other resource types too, which then grant nothing. `pipectl check` compares
    # each action and resource with AWS's service reference (crates/core/src/iam/actions.json), wildcards included.
    "RESOURCE_MISMATCH",
    # The execution role creates the buckets, so it sets their policies and lifecycles, and could let itself read the rows.
    # Only CloudFormation can assume it, and only for templates that the deploy role submits: docs/iam.md.
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
    # StringEquals on a key that holds an ARN: exact comparison is meant, which ArnEquals is not (it takes wildcards).
    "MISMATCHED_TYPE_BUT_USABLE",
}
# Actions that parliament 1.6.4 does not know or has with an old resource, each with AWS's page.
UNKNOWN = {
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
    "cloudformation:DescribeEvents",
}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms, such as `!Sub`, as the functions that they stand for."""


def function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", function)


class Template:
    def __init__(self, path):
        self.path = Path(path)
        self.resources = yaml.load(self.path.read_text(), Loader)["Resources"]  # nosec B506 # Loader is a SafeLoader

    def reference(self, name, attribute=None):
        """Returns a value of the form that AWS gives a reference, as far as a policy depends on its form."""
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        kind = self.resources.get(name, {}).get("Type", "")
        service = kind.split("::")[1].lower() if kind else ""
        if kind in ("AWS::SNS::Topic", "AWS::IAM::ManagedPolicy") or (attribute or "").endswith("Arn"):
            if service == "s3":
                return f"arn:aws:s3:::{name.lower()}"
            if service == "iam":
                return f"arn:aws:iam::{ACCOUNT}:{'role' if kind.endswith('Role') else 'policy'}/{name}"
            if service == "secretsmanager":
                return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"
            return f"arn:aws:{service or 'service'}:{REGION}:{ACCOUNT}:{name}"
        return "arn:aws:iam::123456789012:role/parameter" if name.endswith("Arn") else name.lower()

    def resolve(self, value):
        """Replaces intrinsic functions by texts."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self.reference(argument)
            if name == "Fn::GetAtt":
                resource, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self.reference(resource, attribute)
            if name == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                return re.sub(r"\$\{([^!}.]+)(?:\.([^}]+))?\}", lambda found: self.reference(found[1], found[2]), text)
            if name == "Fn::Join":
                return argument[0].join(str(self.resolve(item)) for item in argument[1])
            if name == "Fn::If":
                return self.resolve(argument[1])
        return {key: self.resolve(item) for key, item in value.items()}

    def policies(self):
        for name, resource in self.resources.items():
            yield from documents(resource, name)


def documents(node, path):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "PolicyDocument":
                yield path, value
            else:
                yield from documents(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from documents(value, f"{path}.{index}")


def main(paths):
    count, findings = 0, {}
    for template in map(Template, paths):
        for path, document in template.policies():
            count += 1
            text = json.dumps(template.resolve(document), default=str)
            for finding in parliament.analyze_policy_string(text, ignore_private_auditors=True).findings:
                unknown = finding.issue == "UNKNOWN_ACTION" and finding.location.get("string") in UNKNOWN
                if finding.issue not in SKIPPED and not unknown:
                    where = f"{template.path.parent.name}/{template.path.name}: {path}"
                    detail = finding.detail or finding.location.get("string")
                    findings.setdefault(f"{finding.issue} {detail}", where)
    for finding, where in findings.items():
        print(f"{where}: {finding}", file=sys.stderr)
    print(f"parliament: {count} policies, {len(findings) or 'no'} finding{'s' if len(findings) > 1 else ''}")
    return 1 if findings else 0


sys.exit(main(sys.argv[1:]))
