"""Measures the release binary in projects of its own, and prints the table of docs/performance.md.

    benches/run.py [--write] [--quick] [--only WORD]… [--binary target/release/pipectl]

Only loopback is used. What cannot be measured on this machine is skipped, with the reason. No number is a test: the
targets stand beside the numbers, and whoever reads them decides.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import projects
import sources
from measurements import Measurement, Skip, report, table, write
from processes import Run, run_once, shown, spread, timed

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
_ORDERS = 70_000
# What `rehearse` generates when it is given no data.
_SAMPLE = 1_000
_TABLES = (25, 50, 100, 200)
_ENVIRONMENTS = 5


class Bench:
    """One run of all measurements: the binary, a project made by it, and how often to repeat."""

    def __init__(self, binary: Path, folder: Path, quick: bool) -> None:
        self.binary = binary
        self.folder = folder
        self.quick = quick
        self._project: Path | None = None

    @property
    def project(self) -> Path:
        """The reference pipeline as `init` writes it, packaged."""
        if self._project is None:
            self._project = projects.reference(self.binary, self.folder / "reference", ROOT)
        return self._project

    def pipectl(self, *arguments: str, project: Path | None = None) -> list[str]:
        return [str(self.binary), *arguments, "--project", str(project or self.project)]

    def times(self, often: int) -> int:
        return max(2, often // 5) if self.quick else often

    def render(self) -> list[Measurement]:
        out = str(self.folder / "rendered")
        command = self.pipectl("render", "--env", "dev", "--out", out)
        return [Measurement("`render --env dev`, all stacks", spread(timed(command, self.times(50))), "≤ 20 ms")]

    def render_many(self) -> list[Measurement]:
        found = []
        for count in _TABLES:
            project = projects.wide(self.binary, self.folder / f"wide-{count}", count, _ENVIRONMENTS)
            rounds = []
            for _ in range(self.times(5)):
                seconds = work = 0.0
                for number in range(_ENVIRONMENTS):
                    out = str(self.folder / "rendered-wide")
                    command = self.pipectl("render", "--env", f"env{number}", "--out", out, project=project)
                    run = run_once(command)
                    seconds, work = seconds + run.seconds, work + run.work
                rounds.append(Run(seconds, work, ""))
            found.append((count, rounds))
        first, last = (min(run.work for run in rounds) for _, rounds in (found[0], found[-1]))
        growth = f"{last / first:.1f}× the work for {found[-1][0] // found[0][0]}× the tables"
        return [
            Measurement(
                f"`render`, {count} tables × {_ENVIRONMENTS} environments",
                spread(rounds),
                "linear" if count == _TABLES[-1] else "",
                growth if count == _TABLES[-1] else "",
            )
            for count, rounds in found
        ]

    def package(self) -> list[Measurement]:
        command = self.pipectl("package", "--env", "local")
        run_once(command)
        return [Measurement("`package`, nothing changed", spread(timed(command, self.times(20))), "≤ 200 ms")]

    def deploy(self) -> list[Measurement]:
        command = self.pipectl("deploy", "--env", "local", "--yes")
        before = lambda: projects.forget_account(self.project)  # noqa: E731
        deploy = timed(command, self.times(10), before=before)
        plan = timed(self.pipectl("plan", "--env", "local"), self.times(20))
        return [
            Measurement("`deploy --env local --yes`, all stacks, new account", spread(deploy), "≤ 5 s"),
            Measurement("`plan --env local`, nothing changed", spread(plan), "≤ 500 ms"),
        ]

    def lambda_start(self) -> list[Measurement]:
        found = []
        for name, bootstrap in projects.functions(self.project, self.folder / "functions"):
            often = self.times(30)
            starts = [machine.first_next(bootstrap) for _ in range(often)]
            found.append(Measurement(f"Lambda `{name}`: exec to its first `/next`", shown(starts), "≤ 15 ms"))
        return found

    def rehearse(self) -> list[Measurement]:
        python = projects.python_with_spark(ROOT)
        projects.prepare_spark(python, self.project)
        # Both fill the Lambda's buffers, one part of an upload a table: what grows beyond them would be a leak.
        small, large = _ORDERS // 2, _ORDERS
        runs = {
            orders: [self._rehearse(python, orders) for _ in range(often)]
            for orders, often in ((small, 1), (large, 1 if self.quick else 3))
        }
        seconds = [run.seconds for run, _ in runs[large]]
        parts = projects.seconds_of_parts(runs[large][seconds.index(min(seconds))][1])
        memory = [run.memory for orders in runs for run, _ in runs[orders] if run.memory]
        ingest = {orders: max(projects.ingest_memory(told) for _, told in runs[orders]) for orders in runs}
        return [
            # Times alone: Spark's processor time is not the process's own.
            Measurement(f"`rehearse` of {large:,} orders", shown(seconds), "≤ 60 s", parts),
            Measurement("memory of the pipectl process meanwhile", _mib(memory), "≤ 150 MiB"),
            Measurement(
                "memory of the ingest Lambda",
                (f"{ingest[large]} MiB", "", ""),
                "constant",
                f"{ingest[small]} MiB with {small:,} orders",
            ),
        ]

    def rehearse_all_sources(self) -> list[Measurement]:
        """Everything that pipectl reads itself, the second time with one row more in each database."""
        python = projects.python_with_spark(ROOT)
        folder = self.folder / "all"
        project = sources.project(self.binary, folder, ROOT)
        projects.prepare_spark(python, project)
        data = sources.data(self.binary, self.folder, _SAMPLE)
        given = [word for name, path in data.items() for word in ("--data", f"{name}={path}")]
        command = self.pipectl("rehearse", "--env", "local", "--format", "json", project=project) + given
        environment = {"PIPECTL_PYTHON": str(python)}
        first = run_once(command, environment=environment, watch=True)
        told = projects.rehearsal(first.output, _SAMPLE)
        left_out = [finding["text"] for finding in told["findings"] if "was skipped" in finding["text"]]
        if left_out:
            raise Skip(", ".join(left_out))
        again = run_once(command, environment=environment)
        sources.one_more(data)
        more = run_once(command, environment=environment)
        tables = [f"{name}_orders" for name in sources.BY_WATERMARK]
        counts = [projects.rows(json.loads(run.output), tables) for run in (first, again, more)]
        expected = [sources.ORDERS, sources.ORDERS, sources.ORDERS + 1]
        if any(count != {table: rows for table in tables} for count, rows in zip(counts, expected, strict=True)):
            raise SystemExit(f"error: {counts} rows of {expected}")
        of = f"{_SAMPLE:,} orders of a shop, files, and four databases, two of them with {sources.ORDERS:,} orders"
        return [
            Measurement(
                f"`rehearse` of all sources: {of}", shown([first.seconds]), "≤ 120 s", projects.seconds_of_parts(told)
            ),
            Measurement(
                "the same again, nothing new", shown([again.seconds]), "", f"{sources.ORDERS:,} orders, as before"
            ),
            Measurement(
                "the same with one new row in each database", shown([more.seconds]), "", f"{expected[-1]:,} orders"
            ),
        ]

    def rehearse_files(self) -> list[Measurement]:
        python = projects.python_with_spark(ROOT)
        projects.prepare_spark(python, self.project)
        data = projects.sample(self.binary, self.folder, _SAMPLE)
        command = self.pipectl("rehearse", "--env", "local", "--format", "json", "--data", f"erp={data}/erp")
        seconds = []
        for _ in range(self.times(10)):
            projects.forget_account(self.project)
            seconds.append(run_once(command, environment={"PIPECTL_PYTHON": str(python)}).seconds)
        return [Measurement("`rehearse` of files only", shown(seconds), "≤ 45 s")]

    def _rehearse(self, python: Path, orders: int) -> tuple[Run, dict[str, Any]]:
        data = projects.sample(self.binary, self.folder, orders)
        projects.forget_account(self.project)
        command = self.pipectl("rehearse", "--env", "local", "--format", "json")
        command += ["--data", f"shop={data}/shop", "--data", f"erp={data}/erp"]
        run = run_once(command, environment={"PIPECTL_PYTHON": str(python)}, watch=True)
        return run, projects.rehearsal(run.output, orders)


def _mib(sizes: list[int]) -> tuple[str, str, str]:
    """The largest, as that is what a limit is about."""
    return (f"{max(sizes) / 2**20:.0f} MiB", "", "") if sizes else ("not known on this system", "", "")


def main() -> int:
    options = _options()
    binary = Path(options.binary).resolve()
    if not binary.exists():
        print(f"error: there is no `{binary}`\n= hint: cargo build --release", file=sys.stderr)
        return 1
    results: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="pipectl-bench-") as folder:
        bench = Bench(binary, Path(folder), options.quick)
        measurements: list[Callable[[], list[Measurement]]] = [
            bench.render,
            bench.render_many,
            bench.package,
            bench.deploy,
            bench.lambda_start,
            bench.rehearse,
            bench.rehearse_files,
            bench.rehearse_all_sources,
        ]
        for measure in measurements:
            if options.only and not any(word in measure.__name__ for word in options.only):
                continue
            print(f"measuring: {measure.__name__.replace('_', ' ')}", file=sys.stderr)
            try:
                results += measure()
            except Skip as reason:
                print(f"skipped: {measure.__name__.replace('_', ' ')}: {reason}", file=sys.stderr)
                results.append(Measurement(measure.__name__.replace("_", " "), (f"skipped: {reason}", "", ""), ""))
        text = report(machine.describe(binary), table(results))
    print(text)
    if options.write:
        write(PAGE, text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the release binary of pipectl.")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--only", action="append", help="only the measurements with this word in their name")
    parser.add_argument("--binary", default=ROOT / "target" / "release" / "pipectl")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
