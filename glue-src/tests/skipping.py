"""Skips a test that cannot run on this machine, if somebody says so; fails it otherwise."""

import os
import re

import pytest


def cannot_run(missing: str, reason: str, hint: str) -> None:
    """Fails the test, unless PIPECTL_SKIP names what is missing. Never returns."""
    if missing in re.split("[, ]", os.environ.get("PIPECTL_SKIP", "")):
        pytest.skip(f"{missing} ({reason})")
    hint = f"{hint}; or skip such tests: PIPECTL_SKIP={missing}"
    pytest.fail(f"this test cannot run here: {reason}\n= hint: {hint}", pytrace=False)
