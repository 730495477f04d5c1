"""From the objects of a table to rows of text cells: one reader a format, all with the same shape.

A reader never fails for what one object holds. It gives the rows that it can, each with what is wrong with it, and
names the objects that cannot be read as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession

from pipectl_glue.arrivals import Input
from pipectl_glue.document import Table
from pipectl_glue.store import Store


@dataclass(frozen=True)
class Given:
    """What a reader reads: the objects of one table."""

    spark: SparkSession
    store: Store
    bucket: str
    table: Table
    inputs: list[Input]

    def path(self, entry: Input) -> str:
        """The address of an object."""
        return f"s3://{self.bucket}/{entry.key}"

    @property
    def size(self) -> int:
        """The bytes of all objects."""
        return sum(entry.size for entry in self.inputs)


@dataclass
class Read:
    """What a reader found."""

    # The columns of `rows.beside` and one `rows.cell` for each column of the table; None when there is nothing to read.
    frame: DataFrame | None = None
    # Of each object, by key, the columns that the table takes and their kinds of type ("" where the format has none);
    # left out by formats that name their columns row by row.
    schemas: dict[str, dict[str, str]] = field(default_factory=dict)
    # Names in the objects that the table does not take.
    unknown: list[str] = field(default_factory=list)
    # What is worth a word.
    remarks: list[str] = field(default_factory=list)
    # Objects that cannot be read as a whole, by key, with the reason.
    refused: dict[str, str] = field(default_factory=dict)


def read(given: Given) -> Read:
    """Reads objects with the reader of their table's format."""
    return _readers()[given.table.format](given)


def _readers() -> dict[str, Callable[[Given], Read]]:
    # Imported late: the readers import the shape above.
    from pipectl_glue import read_changes, read_csv, read_jsonl, read_parquet

    return {
        "changes": read_changes.read,
        "csv": read_csv.read,
        "jsonl": read_jsonl.read,
        "parquet": read_parquet.read,
    }
