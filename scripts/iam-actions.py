#!/usr/bin/env python3
"""Writes crates/core/src/iam/actions.json: which kinds of resources each action of the services that pipectl uses applies to.

Run it with the Python that has cfn-lint (its package ships AWS's service authorization reference):

    .venv/bin/python scripts/iam-actions.py > crates/core/src/iam/actions.json
"""

import json
import sys
from importlib.metadata import version
from importlib.resources import files

SERVICES = """
athena cloudformation cloudtrail cloudwatch dms ec2 events glue iam kms lambda logs quicksight rds redshift-data
redshift-serverless s3 scheduler secretsmanager sns sqs sts
""".split()


def pattern(arn):
    """`arn:${Partition}:sqs:${Region}:${Account}:.*` as `arn:*:sqs:*:*:*`."""
    for name in ("Partition", "Region", "Account"):
        arn = arn.replace(f"${{{name}}}", "*")
    return arn.replace(".*", "*")


def service(found):
    """The kinds of resources, and for each action the numbers of the kinds that it applies to."""
    kinds = sorted(found.get("Resources", {}))
    resources = {}
    for name in kinds:
        kind = found["Resources"][name]
        resources[name] = {
            "arns": [pattern(arn) for arn in kind.get("ARNFormats", [])],
            "tags": any(key.startswith("aws:ResourceTag/") for key in kind.get("ConditionKeys", [])),
        }
    # The reference writes some kinds in two ways: `Secret` and `secret`.
    numbers = {kind.lower(): number for number, kind in enumerate(kinds)}
    actions = {
        name: [numbers[kind.lower()] for kind in action.get("Resources", [])]
        for name, action in sorted(found["Actions"].items())
    }
    return {"resources": resources, "actions": actions}


def main():
    reference = json.loads(files("cfnlint").joinpath("data/AdditionalSpecs/Policies.json").read_text("utf-8"))
    lines = [
        f'"source": "cfn-lint {version("cfn-lint")}, data/AdditionalSpecs/Policies.json"',
        '"generated_by": "scripts/iam-actions.py"',
    ]
    services = [
        f"{json.dumps(name)}: {json.dumps(service(reference[name]), separators=(',', ':'))}" for name in SERVICES
    ]
    sys.stdout.write("{\n" + ",\n".join(lines) + ',\n"services": {\n' + ",\n".join(services) + "\n}\n}\n")


if __name__ == "__main__":
    main()
