"""A job's begin and end. Glue uses them for bookmarks, which pipectl's jobs do not use: their ledger is in S3."""

from typing import Any

from awsglue.context import GlueContext


class Job:
    """Knows whether the script initialised and committed it."""

    def __init__(self, glue_context: GlueContext) -> None:
        self._context = glue_context
        self._initialized = False

    def init(self, job_name: str, args: dict[str, Any] | None = None) -> None:
        """Begins the job."""
        if not job_name:
            raise ValueError("a job needs a name")
        self._initialized = True

    def isInitialized(self) -> bool:  # noqa: N802 (Glue's name)
        """Whether `init` was called."""
        return self._initialized

    def commit(self) -> None:
        """Ends the job."""
        if not self._initialized:
            raise RuntimeError("`commit` before `init`")
        self._initialized = False
