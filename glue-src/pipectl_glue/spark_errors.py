"""Exceptions of Spark as messages for people: the table, the file and the column, the cause, and what to do."""

import re
from collections.abc import Iterator
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from pipectl_glue.failure import Failure

# What Spark reads; where it writes ("failed while writing rows to …") is no file that a person can correct.
_FILE = re.compile(r"(?<!rows to )\b(?:s3a?|file|hdfs):/{1,3}[^\s,;\"'<>\])]+")
_COLUMN = re.compile(r"[Cc]olumn:? \[([^\]]+)\]|(?:column|field)(?: or function parameter)?(?: with name)? `([^`]+)`")
_SHOWN = 300
_MOST_CAUSES = 30
# What the text of an exception contains, and what then helps. The first that fits counts.
_FIXES = (
    (
        r"OutOfMemory|Java heap space|memory limits|Container killed|ExecutorLostFailure|GC overhead",
        "the workers ran out of memory; raise `worker_type` or `workers` under `jobs:` and run it again",
    ),
    (r"No space left on device", "the workers' disks are full; raise `workers` under `jobs:` and run it again"),
    (
        r"Access ?Denied|Status Code: 403|\b403 Forbidden",
        "the job's role may not do this; compare its policy with `pipectl drift`",
    ),
    (
        r"FileNotFound|No such file|does not exist|Status Code: 404",
        "the object was deleted or replaced while it was read; run it again",
    ),
    (
        r"timed? ?out|Connection (?:reset|refused)|SlowDown|Status Code: 50\d|UnknownHost",
        "a service did not answer; run it again",
    ),
)
_ENVIRONMENT = re.compile("|".join(pattern for pattern, _ in _FIXES), re.IGNORECASE)


def failure(error: Exception, table: str) -> Failure:
    """The error as one for people; one that already is stays as it is."""
    if isinstance(error, Failure):
        return error
    texts = list(_texts(error))
    whole = "\n".join(texts)
    places = [f"table `{table}`"]
    file, column = _file(whole), _column(whole)
    if file:
        places.append(f"file {file}")
    if column:
        places.append(f"column `{column}`")
    found = Failure(f"{', '.join(places)}: {cause(error)}; {_fix(whole, file)}")
    found.__cause__ = error
    return found


def cause(error: Exception) -> str:
    """The innermost cause in one line."""
    text = list(_texts(error))[-1].partition("\n")[0].strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def is_environment(error: Exception) -> bool:
    """Whether the machine, the network or the permissions failed, rather than the data."""
    return bool(_ENVIRONMENT.search("\n".join(_texts(error))))


def names_file(error: Exception, path: str) -> bool:
    """Whether Spark says that it was reading this file."""
    return any(found.group().removesuffix(".") == path for found in _FILE.finditer("\n".join(_texts(error))))


def _file(text: str) -> str | None:
    return next((found.group().removesuffix(".").removesuffix(":") for found in _FILE.finditer(text)), None)


def _column(text: str) -> str | None:
    found = _COLUMN.search(text)
    return (found[1] or found[2]) if found else None


def _fix(text: str, file: str | None) -> str:
    for pattern, fix in _FIXES:
        if re.search(pattern, text, re.IGNORECASE):
            return fix
    if file:
        return "correct the file or remove it, and run it again"
    return "run it again; the whole stack trace is in the job's log"


def _texts(error: Exception) -> Iterator[str]:
    """What each exception of the chain says, the outermost first."""
    if isinstance(error, Py4JJavaError):
        yield from _java_texts(error.java_exception)
        return
    if isinstance(error, PySparkException):
        yield str(error) or type(error).__name__
        origin = getattr(error, "_origin", None)
        if origin is not None:
            yield from list(_java_texts(origin))[1:]
        return
    yield f"{type(error).__name__}: {error}"


def _java_texts(exception: Any) -> Iterator[str]:
    for _ in range(_MOST_CAUSES):
        if exception is None:
            return
        try:
            name, message = exception.getClass().getSimpleName(), exception.getMessage()
            following = exception.getCause()
        except Py4JError:
            # The JVM is gone.
            yield "Spark ended before it could say why"
            return
        yield message or name if message and name.startswith("Spark") else f"{name}: {message}" if message else name
        exception = following
