"""What pipectl, its Lambdas and these jobs agree on.

The crate `lambda-src/contract` defines it. `tests/test_contract.py` compares this module with the cases of that crate.
"""

from datetime import UTC, datetime

DOCUMENT_VERSION = 1
LEDGER_VERSION = 1
REPORT_VERSION = 1
REPLAY_VERSION = 1

# Limits.
DECIMAL_DIGITS = 38
VARCHAR_BYTES = 65_535
# A packed file holds at most this many times its size, once it is this large.
UNPACKED_RATIO = 200
UNPACKED_FREE_BYTES = 64 << 20

# Columns that are added to those of a table.
DELETED = "_deleted"
POSITION = "_position"

# Arguments of the jobs.
DOCUMENT_ARGUMENT = "pipeline_document"
SOURCE_ARGUMENT = "source"

# Prefixes of keys.
LANDING = "landing/"
REPLAY_REQUESTS = "landing/_replay/"
LEDGER = "_ledger/"
ICEBERG = "iceberg/"

_STAMP = "%Y%m%dT%H%M%SZ"


def landing_folder(table: str) -> str:
    """Where the objects of a table arrive."""
    return f"{LANDING}{table}/"


def ingest_batch_folder(source: str, object: str, batch: str) -> str:
    """Where one run of a database's ingest writes the rows of a table."""
    return f"{LANDING}{source}/{object}/{batch}/"


def ingest_marker(source: str) -> str:
    """The object whose event announces the end of a database's ingest."""
    return f"{LANDING}{source}/_ingest.json"


def ingest_state_folder(source: str) -> str:
    """The rows at the watermark of each table of a database."""
    return f"state/ingest/{source}/"


def ledger_folder(stage: str) -> str:
    """The folder of a ledger."""
    return f"{LEDGER}{stage}/"


def ledger_entry(stage: str, batch: str) -> str:
    """An entry of the ledgers `clean`, `transform` and `loaded`."""
    return f"{LEDGER}{stage}/{batch}.json"


def ledger_index(stage: str) -> str:
    """What was read of a ledger, put together in one object."""
    return f"{LEDGER}index/{stage}.json.gz"


def ledger_index_folder(stage: str) -> str:
    """What was read of a ledger, compacted into several objects, which jobs may delete."""
    return f"_state/_ledger/{stage}/"


def ingest_entries_folder(source: str) -> str:
    """The ledger of a database's ingest."""
    return f"{LEDGER}ingest/{source}/"


def ingest_entry(source: str, batch: str) -> str:
    """An entry of that ledger."""
    return f"{LEDGER}ingest/{source}/{batch}.json"


def iceberg_mark(table: str) -> str:
    """The last batch that an Iceberg table has."""
    return f"{LEDGER}iceberg/{table}.json"


def batches_prefix(table: str) -> str:
    """The start of the folders of a table's batches, in the cleaned and in the transformed bucket."""
    return f"{table}/batch="


def rows_folder(table: str, batch: str) -> str:
    """The rows of a batch of a table."""
    return f"{batches_prefix(table)}{batch}/"


def quarantine_folder(table: str, batch: str) -> str:
    """Rows of a batch that broke a rule."""
    return f"quarantine/{rows_folder(table, batch)}"


def snapshots_folder(table: str) -> str:
    """The rows of a table's last snapshots."""
    return f"_state/{table}/"


def snapshot_folder(table: str, batch: str) -> str:
    """The rows of a snapshot, to compare the next one with."""
    return f"_state/{rows_folder(table, batch)}"


def report(batch: str) -> str:
    """The report of a run."""
    return f"reports/{batch}.json"


def rfc3339(moment: datetime) -> str:
    """A time as messages write it: `2026-11-01T08:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(moment: datetime) -> str:
    """A time as names begin with it: `20261101T080000Z`."""
    return moment.astimezone(UTC).strftime(_STAMP)


def begun(batch: str) -> datetime:
    """The time at which a batch began, from its name."""
    return datetime.strptime(batch.partition("-")[0], _STAMP).replace(tzinfo=UTC)
