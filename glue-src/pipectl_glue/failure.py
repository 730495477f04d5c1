"""The one error that is written for people: what is wrong, where, and what to do."""


class Failure(Exception):
    """Ends a run; nothing of it is committed."""
