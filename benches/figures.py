"""A figure, the table of them, and the place in the documentation where it stands."""

from dataclasses import dataclass
from pathlib import Path


class Skip(Exception):
    """What is missing, so that something is not measured here."""


@dataclass(frozen=True)
class Figure:
    """One line of the table; `found` is the minimum, the median and the processor time, as text."""

    what: str
    found: tuple[str, str, str]
    target: str
    note: str = ""


def table(figures: list[Figure]) -> str:
    """The figures in Markdown."""
    lines = ["| what | best | median | processor | target | |", "|---|--:|--:|--:|--:|---|"]
    lines += [f"| {' | '.join((one.what, *one.found, one.target, one.note))} |" for one in figures]
    return "\n".join(lines)


def report(machine: str, figures: str) -> str:
    return f"{figures}\n\n{machine}"


def write(page: Path, text: str, name: str = "figures") -> None:
    """Replaces what stands between the markers of this name."""
    begin, end = f"<!-- {name}: begin (make bench) -->", f"<!-- {name}: end -->"
    before = page.read_text(encoding="utf-8")
    head, found, rest = before.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"error: {page} lacks the lines `{begin}` and `{end}`")
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")
