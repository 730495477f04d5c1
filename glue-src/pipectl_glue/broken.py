"""Finds the object that made Spark fail: an archive that is cut off, a damaged Parquet file, or what Spark names."""

import bz2
import gzip
import re
import zlib
from dataclasses import replace

from pipectl_glue import readers, spark_errors
from pipectl_glue.readers import Given

_CHUNK = 1 << 20
_SHOWN = 200
_DAMAGE = re.compile(r"org\.apache\.parquet|uncompress|EOF|corrupt|snappy|magic|encoding", re.IGNORECASE)


def find(given: Given, error: Exception) -> dict[str, str]:
    """The objects that cannot be read, by key, with the reason; raises the error again when there is none."""
    culprits = {}
    for entry in given.inputs:
        reason = _of_archive(given, entry.key) or _of_parquet(given, entry.key)
        if reason is None and spark_errors.names_file(error, given.path(entry)):
            # What the machine or the network did is no fault of the file.
            reason = (
                None if spark_errors.is_environment(error) else f"Spark cannot read it: {spark_errors.cause(error)}"
            )
        if reason:
            culprits[entry.key] = reason
    if not culprits:
        raise error
    return culprits


def _of_archive(given: Given, key: str) -> str | None:
    opener = gzip.open if key.endswith(".gz") else bz2.open if key.endswith(".bz2") else None
    if opener is None:
        return None
    try:
        with given.store.file(given.bucket, key) as file, opener(file) as plain:
            while plain.read(_CHUNK):
                pass
    except (OSError, EOFError, zlib.error, ValueError) as broken:
        return f"it is not a whole {'bz2' if key.endswith('.bz2') else 'gzip'} file: {broken}"
    return None


def _of_parquet(given: Given, key: str) -> str | None:
    if given.table.format not in ("parquet", "changes"):
        return None
    alone = replace(given, inputs=[entry for entry in given.inputs if entry.key == key])
    read = readers.read(alone)
    try:
        if read.frame is not None:
            read.frame.write.format("noop").mode("overwrite").save()
    except Exception as failure:
        cause = spark_errors.cause(failure)[:_SHOWN]
        if _DAMAGE.search(cause):
            return f"it is not a whole Parquet file: {cause}"
        # An S3 that does not answer is no fault of the file.
        if spark_errors.is_environment(failure) or not spark_errors.names_file(failure, given.path(alone.inputs[0])):
            raise
        return f"Spark cannot read it: {cause}"
    return None
