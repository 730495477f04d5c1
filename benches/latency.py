"""Measures what distance costs: every answer of the API takes 100 ms longer. Prints a table of docs/performance.md.

    benches/latency.py [--write] [--binary target/release/pipectl] [--account target/release/examples/account]
                       [--peers FOLDER]

`cargo build --release --example account` builds the account. `--peers` names a virtual environment with `aws`
(awscli) and `sceptre`, which then deploy the same templates to the same account, each after its own manner.
"""

import argparse
import contextlib
import json
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloud
import machine
import projects
from measurements import Measurement, report, table, write
from processes import run_once, shown

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
_ACCOUNT = "111111111111"
_REGION = "us-east-1"
_ENVIRONMENT = "far"
_LATENCY = 0.1
_ROUNDS = 3
_MANY = 10
# One after another, what a new stack cannot do without: make the change set, read it, execute it, see that it has ended.
_CALLS_OF_A_STACK = 4
# And before the first stack: who am I, is there a bootstrap stack, what is there, is the artifact there, store it. After
# the last: its stack policy, and the record of the run.
_CALLS_AROUND = 7


class Bench:
    """A project, an account far away, and pipectl."""

    def __init__(self, binary: Path, program: Path, folder: Path) -> None:
        self.binary = binary
        self.program = program
        self.folder = folder
        self.project = projects.reference(binary, folder / "project", ROOT)
        self.bucket = f"shop-{_ENVIRONMENT}-artifacts-{_ACCOUNT}-{_REGION}"
        self.state = folder
        self._add_environment(_ENVIRONMENT)

    def _add_environment(self, name: str) -> None:
        text = f'account: "{_ACCOUNT}"\nregion: {_REGION}\n'
        (self.project / "stacks" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def pipectl(self, url: str, *arguments: str) -> float:
        command = [str(self.binary), *arguments, "--project", str(self.project)]
        return run_once(command, environment=self.credentials(url)).seconds

    @contextlib.contextmanager
    def far_account(self):
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as state,
            cloud.account(self.program, Path(state), _ACCOUNT, _REGION) as (address, access_key),
            cloud.distance(address, 0) as (near, _),
            cloud.distance(address, _LATENCY) as (far, calls),
        ):
            self.state, self.access_key = Path(state), access_key
            yield near, far, calls

    def credentials(self, url: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": _REGION,
        }

    def deploy(self) -> list[Measurement]:
        seconds, unchanged, counts, without = [], [], [], []
        for _ in range(_ROUNDS):
            with self.far_account() as (near, _, _):
                self.pipectl(near, "bootstrap", "--env", _ENVIRONMENT, "--yes")
                without.append(self.pipectl(near, "deploy", "--env", _ENVIRONMENT, "--yes"))
            with self.far_account() as (near, far, calls):
                self.pipectl(near, "bootstrap", "--env", _ENVIRONMENT, "--yes")
                seconds.append(self.pipectl(far, "deploy", "--env", _ENVIRONMENT, "--yes"))
                made = calls.take()
                unchanged.append(self.pipectl(far, "deploy", "--env", _ENVIRONMENT, "--yes"))
                counts.append((made, calls.take()))
        depth, path = self.longest_path()
        # What the stacks themselves take, and the delay of the calls that have to wait for each other.
        calls_in_a_row = _CALLS_AROUND + depth * _CALLS_OF_A_STACK
        least = min(without) + calls_in_a_row * _LATENCY
        made, again = counts[-1]
        stacks = cloud.by_stack(again)
        new = [number for name, number in cloud.by_stack(made).items() if not name.endswith("-bootstrap")]
        each = max(number for name, number in stacks.items() if not name.endswith(("-bootstrap", "-ingest")))
        path_shown = f"{calls_in_a_row} calls in a row along {' → '.join(path)}, and {min(without):.1f} s without delay"
        ratio = f"{min(seconds) / least:.2f} × {least:.1f} s: {path_shown}"
        return [
            Measurement("`deploy`, all stacks of a new environment", shown(seconds), f"≤ {least * 1.15:.1f} s", ratio),
            Measurement("calls a new stack", (f"{sum(new) / len(new):.1f}", "", ""), "", f"{len(made)} in all"),
            Measurement("`deploy`, nothing changed", shown(unchanged), "", f"{cloud.writes(again)} writing calls"),
            Measurement("calls an unchanged stack", (str(each), "", ""), "≤ 2", f"{len(again)} in all"),
        ]

    def longest_path(self) -> tuple[int, list[str]]:
        """The longest chain of stacks of which each needs an output of the one before."""
        out = self.folder / "rendered"
        command = [str(self.binary), "render", "--env", _ENVIRONMENT, "--out", str(out)]
        run_once([*command, "--project", str(self.project)])
        needs = {
            file.stem: {name for name in re.findall(r": output ([a-z-]+)\.", file.read_text()) if name != "bootstrap"}
            for file in out.glob("*.yaml")
            if file.stem != "bootstrap"
        }
        chains: dict[str, list[str]] = {}

        def chain(name: str) -> list[str]:
            if name not in chains:
                before = max((chain(need) for need in sorted(needs[name])), key=len, default=[])
                chains[name] = [*before, name]
            return chains[name]

        path = max((chain(name) for name in sorted(needs)), key=len)
        return len(path), path

    def plan_many(self) -> list[Measurement]:
        names = [f"far{number}" for number in range(_MANY)]
        for name in names:
            self._add_environment(name)
        with self.far_account() as (near, far, calls):
            for name in names:
                self.pipectl(near, "bootstrap", "--env", name, "--yes")
                self.pipectl(near, "deploy", "--env", name, "--yes")
            one, all_at_once = [], []
            for _ in range(_ROUNDS):
                one.append(self.pipectl(far, "plan", "--env", names[0]))
                began = time.perf_counter()
                with ThreadPoolExecutor(_MANY) as pool:
                    list(pool.map(lambda name: self.pipectl(far, "plan", "--env", name), names))
                all_at_once.append(time.perf_counter() - began)
            made = len(calls.take()) // _ROUNDS
        return [
            Measurement("`plan`, 9 unchanged stacks", shown(one), ""),
            Measurement(
                f"{_MANY} `plan` at once, of {_MANY} environments with 9 unchanged stacks each",
                shown(all_at_once),
                "≤ 3 s",
                f"{made} calls",
            ),
        ]

    def peers(self, tools: Path) -> list[Measurement]:
        """The same templates, by other tools, with the parameters that pipectl found."""
        with self.far_account() as (near, _, _):
            self.pipectl(near, "bootstrap", "--env", _ENVIRONMENT, "--yes")
            self.pipectl(near, "deploy", "--env", _ENVIRONMENT, "--yes")
            command = [str(tools / "bin/aws"), "cloudformation", "describe-stacks", "--endpoint-url", near]
            told = run_once(
                [*command, "--region", _REGION, "--output", "json"], environment=self.credentials(near)
            ).output
            buckets = self.state / "s3" / "buckets"
            shutil.copytree(buckets / self.bucket, self.folder / self.bucket, dirs_exist_ok=True)
        parameters = {
            stack["StackName"].removeprefix(f"shop-{_ENVIRONMENT}-"): {
                one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])
            }
            for stack in json.loads(told)["Stacks"]
        }
        return [self._aws(tools, parameters), self._sceptre(tools, parameters)]

    def _order(self) -> list[str]:
        out = self.folder / "rendered"
        texts = {file.stem: file.read_text() for file in out.glob("*.yaml")}
        order: list[str] = []
        while len(order) < len(texts):
            order += [
                name
                for name, text in sorted(texts.items())
                if name not in order and all(need in order for need in re.findall(r": output ([a-z-]+)\.", text))
            ]
        return order

    def _prepare(self, tools: Path, near: str) -> None:
        """The bootstrap stack, and the artifacts in its bucket."""
        self.pipectl(near, "bootstrap", "--env", _ENVIRONMENT, "--yes")
        command = [str(tools / "bin/aws"), "s3", "sync", str(self.folder / self.bucket), f"s3://{self.bucket}"]
        run_once([*command, "--endpoint-url", near, "--quiet"], environment=self.credentials(near))

    def _aws(self, tools: Path, parameters: dict[str, dict[str, str]]) -> Measurement:
        with self.far_account() as (near, far, calls):
            self._prepare(tools, near)
            began = time.perf_counter()
            for name in self._order():
                if name == "bootstrap":
                    continue
                template = self.folder / "rendered" / f"{name}.yaml"
                command = [str(tools / "bin/aws"), "cloudformation", "deploy", "--endpoint-url", far]
                command += ["--region", _REGION, "--capabilities", "CAPABILITY_NAMED_IAM"]
                command += ["--stack-name", f"shop-{_ENVIRONMENT}-{name}", "--template-file", str(template)]
                given = [f"{key}={value}" for key, value in parameters[name].items()]
                run_once(
                    command + (["--parameter-overrides", *given] if given else []), environment=self.credentials(far)
                )
            seconds = time.perf_counter() - began
        found = f"{len(calls.take())} calls, one stack after another"
        return Measurement("`aws cloudformation deploy`, the same stacks", shown([seconds]), "", found)

    def _sceptre(self, tools: Path, parameters: dict[str, dict[str, str]]) -> Measurement:
        home = self.folder / "sceptre"
        shutil.rmtree(home, ignore_errors=True)
        (home / "config" / "all").mkdir(parents=True)
        shutil.copytree(self.folder / "rendered", home / "templates")
        (home / "config" / "config.yaml").write_text(f"project_code: shop\nregion: {_REGION}\n")
        for name in self._order():
            if name == "bootstrap":
                continue
            text = (home / "templates" / f"{name}.yaml").read_text()
            needs = set(re.findall(r": output ([a-z-]+)\.", text)) - {"bootstrap"}
            config = {
                "template": {"path": f"{name}.yaml", "type": "file"},
                "stack_name": f"shop-{_ENVIRONMENT}-{name}",
                "dependencies": [f"all/{need}.yaml" for need in sorted(needs)],
                "parameters": parameters[name],
            }
            (home / "config" / "all" / f"{name}.yaml").write_text(json.dumps(config))
        with self.far_account() as (near, far, calls):
            self._prepare(tools, near)
            command = [str(tools / "bin/sceptre"), "--dir", str(home), "launch", "--yes", "all"]
            try:
                found = shown([run_once(command, environment=self.credentials(far)).seconds])
            except SystemExit:
                # It calls CreateStack, and the account knows change sets only.
                lacks = any(operation == "CreateStack" for operation, _ in calls.made)
                found = ("does not run: the account has no `CreateStack`" if lacks else "fails", "", "")
        return Measurement("`sceptre launch`, the same stacks", found, "", f"{len(calls.take())} calls")


def main() -> int:
    options = _options()
    binary, program = Path(options.binary).resolve(), Path(options.account).resolve()
    for needed, command in ((binary, "cargo build --release"), (program, "cargo build --release --example account")):
        if not needed.exists():
            print(f"error: there is no `{needed}`\n= hint: {command}", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory(prefix="pipectl-latency-") as folder:
        bench = Bench(binary, program, Path(folder))
        results = bench.deploy() + bench.plan_many()
        print(table(results), file=sys.stderr)
        if options.peers:
            results += bench.peers(Path(options.peers).resolve())
        text = report(machine.describe(binary), table(results))
    print(text)
    if options.write:
        write(PAGE, text, "latency")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what a far API costs.")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--binary", default=ROOT / "target" / "release" / "pipectl")
    parser.add_argument("--account", default=ROOT / "target" / "release" / "examples" / "account")
    parser.add_argument("--peers", help="a virtual environment with awscli and sceptre")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
