"""A measurement, the table of them, and the place in the documentation where it stands."""

from dataclasses import dataclass
from pathlib import Path


class Skip(Exception):
    """What is missing, so that something is not measured here."""


@dataclass(frozen=True)
class Measurement:
    """One line of the table; `found` is the minimum, the median and the processor time, as text."""

    what: str
    found: tuple[str, str, str]
    target: str
    note: str = ""


def table(results: list[Measurement]) -> str:
    """The results in Markdown."""
    lines = ["| what | best | median | processor | target | |", "|---|--:|--:|--:|--:|---|"]
    lines += [f"| {' | '.join((one.what, *one.found, one.target, one.note))} |" for one in results]
    return "\n".join(lines)


def report(machine: str, results: str) -> str:
    return f"{results}\n\n{machine}"


def write(page: Path, text: str, name: str = "results") -> None:
    """Replaces what stands between the markers of this name."""
    begin, end = f"<!-- {name}: begin (make bench) -->", f"<!-- {name}: end -->"
    before = page.read_text(encoding="utf-8")
    head, found, rest = before.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"error: {page} lacks the lines `{begin}` and `{end}`")
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")
