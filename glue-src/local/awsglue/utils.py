"""Job arguments, read as Glue reads them."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

# Glue passes these itself; a job that asks for one by name is refused there, and so it is here.
_GLUE_OWN = ("JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION", "TempDir", "RedshiftTempDir")


class GlueArgumentError(Exception):
    """An argument is missing or malformed."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise GlueArgumentError(message)


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, Any]:  # noqa: N802 (Glue's name)
    """Returns the values of the named options; each is required, and others on the command line are left alone."""
    parser = _Parser(add_help=False)
    for name in _GLUE_OWN:
        parser.add_argument(f"--{name}")
    for name in options:
        parser.add_argument(f"--{name}", required=True)
    found, _ = parser.parse_known_args(list(args)[1:])
    return vars(found)
