"""The columns that travel beside a table's own until its rows are written."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipectl_glue import contract
from pipectl_glue.document import Table

# Where a row comes from: when its file arrived, the file, the block of the file, and its place in that block. Together
# they give every row of a run a place in one order that does not depend on how Spark splits the work.
ARRIVED = "__arrived"
FILE = "__file"
BLOCK = "__block"
PLACE = "__place"
# What was read, as text, for the quarantine.
RAW = "__raw"
# What is wrong with a row as a whole (null: nothing), found while reading.
FAULT = "__fault"
# The names that the row has at its top, where its format tells them row by row; null where nobody looked.
NAMES = "__names"
# Why a row goes to quarantine (null: it does not).
REASON = "__reason"
# 1 for the row that stays, more for those that it replaces.
RANK = "__rank"
BATCH = "__batch"
# Of tables whose source can delete: whether this row is a deletion, and its position in the source's own order.
DELETED = contract.DELETED
POSITION = contract.POSITION

_LANDED = f"^[a-z0-9]+://[^/]+/{contract.LANDING}"

PROVENANCE = (ARRIVED, FILE, BLOCK, PLACE)


def technical(table: Table) -> list[str]:
    """The columns that a cleaned row has behind the table's own."""
    return [POSITION, DELETED] if table.deletes else []


def beside(table: Table) -> list[str]:
    """What a reader gives beside the cells."""
    return [*PROVENANCE, RAW, FAULT, NAMES, *technical(table)]


def cell(index: int) -> str:
    """The name of the column that holds the text of a table's column number `index`."""
    return f"__cell_{index}"


def named(name: str) -> Column:
    """A column by its exact name, with any characters."""
    return F.col(f"`{name}`")


def provenance() -> list[Column]:
    """Where the rows of a file source come from."""
    # The path is that of a URI. A plus in it is a plus, although `url_decode` reads forms.
    path = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    return [
        # What is taken again from the archive is older than all that lands, whenever its copy was made.
        F.when(path.rlike(_LANDED), F.col("_metadata.file_modification_time")).alias(ARRIVED),
        path.alias(FILE),
        F.col("_metadata.file_block_start").alias(BLOCK),
        F.monotonically_increasing_id().alias(PLACE),
    ]


def union(frames: list[DataFrame]) -> DataFrame:
    """Puts frames of equal columns under each other."""
    return reduce(DataFrame.unionAll, frames)
