"""Deploys, updates and deletes the stacks on ministack, an emulator that shares no code with the local account.

What it does not know is left out, and said: Redshift Serverless, Glue's workflow with its triggers, and Athena's saved
queries. They are removed from copies of the templates in the test's project, as a user would override templates.
Usage: test_ministack.py PIPECTL
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ENVIRONMENT = """\
account: "000000000000"
region: us-east-1
overrides:
  # ministack has no CloudTrail.
  trigger: {mode: s3}
"""

WAREHOUSE = """\
Description: "{{prefix}}: in place of the warehouse, which ministack does not have"
Resources:
  Absent:
    Type: AWS::SSM::Parameter
    Properties: {Name: /{{prefix}}/warehouse, Type: String, Value: absent}
"""

# The rule that starts the workflow stays: ministack has rules, and does not ask what their target is.
NO_WORKFLOW = """\
    Metadata:
      pipectl:
        ignore:
          reference: ministack has no workflows, so no template defines one
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ministack:
    """A ministack on a free port, with nothing in it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rsplit(":", 1)[1]
        environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": port, "LOG_LEVEL": "ERROR"}
        self.log = (folder / "ministack.log").open("w+")
        program = ROOT / ".venv/bin/ministack"
        self.process = subprocess.Popen(
            [program], env=environment, cwd=folder, stdout=self.log, stderr=subprocess.STDOUT
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("error: ministack did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def project(folder: Path, pipectl: Path) -> None:
    subprocess.run([pipectl, "init", folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "stacks/emulator.yaml").write_text(ENVIRONMENT)
    templates = folder / "templates"
    templates.mkdir()
    (templates / "warehouse.yaml.hbs").write_text(WAREHOUSE)
    glue = (ROOT / "templates/glue.yaml.hbs").read_text()
    glue, cut = re.subn(r"  Workflow:\n    Type: AWS::Glue::Workflow\n.*?(?=Outputs:\n)", "", glue, flags=re.DOTALL)
    glue, named = re.subn(r"!Ref Workflow\n", "{{prefix}}\n", glue)
    if (cut, named) != (1, 1):
        raise SystemExit("error: templates/glue.yaml.hbs has changed: say here what ministack cannot take of it")
    (templates / "glue.yaml.hbs").write_text(glue)
    events = (ROOT / "templates/events.yaml.hbs").read_text()
    rule = "  LandingRule:\n    Type: AWS::Events::Rule\n"
    if events.count(rule) != 1:
        raise SystemExit("error: templates/events.yaml.hbs has changed: name the rule that starts the workflow here")
    (templates / "events.yaml.hbs").write_text(events.replace(rule, rule + NO_WORKFLOW))
    (templates / "partials").mkdir()
    (templates / "partials/athena.yaml.hbs").write_text("")
    packaged = ROOT / ".pipectl/package"
    if packaged.is_dir():
        shutil.copytree(packaged, folder / ".pipectl/package")


def main() -> None:
    pipectl = Path(sys.argv[1]).resolve()
    passed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulator = Ministack(folder)
        try:
            home = folder / "project"
            project(home, pipectl)
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
                "AWS_ENDPOINT_URL": emulator.url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true",
            }

            def run(*arguments: str, code: int = 0, shows: str = "") -> None:
                nonlocal passed
                command = [pipectl, *arguments, "--env", "emulator"]
                done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
                told = done.stdout + done.stderr
                if done.returncode != code or shows not in told:
                    print(told)
                    words = " ".join(arguments)
                    raise SystemExit(f"error: `pipectl {words}` gave {done.returncode}, not {code} with {shows!r}")
                passed += 1

            run("deploy", "--yes", code=1, shows="pipectl bootstrap --env emulator")
            run("bootstrap", "--yes", shows="Done: 1 created")
            run("plan", "--exit-code", code=2, shows="Plan:")
            run("deploy", "--yes", shows="created")
            run("plan", "--exit-code", code=0, shows="No changes")
            pipeline = home / "stacks/pipeline.yaml"
            pipeline.write_text(pipeline.read_text().replace("log_retention_days: 30", "log_retention_days: 60"))
            run("plan", "--exit-code", code=2, shows="RetentionInDays")
            # It says of every change that it may replace the resource, so that the gate for data asks for each log.
            run("deploy", "--yes", code=1, shows="this deploy would destroy data")
            logs = ["ingest/LoadLogs", "ingest/ShopLogs", "glue/JobErrorLogs", "glue/JobOutputLogs"]
            run("deploy", "--yes", *(f"--allow-data-loss={log}" for log in logs), shows="updated")
            run("plan", "--exit-code", code=0, shows="No changes")
            run("destroy", "--yes", "--delete-data")
            run("deploy", "--yes", shows="created")
            run("plan", "--exit-code", code=0, shows="No changes")
            run("destroy", "--yes", "--delete-data")
            run("status", shows="shop-emulator")
        finally:
            emulator.stop()
    print("ministack: left out Redshift Serverless, CloudTrail, and Glue's workflow and triggers: it has none")
    print("ministack: no retained resource is taken over here: `destroy` leaves no empty bucket behind")
    print(f"{passed} passed, 0 failed")


main()
