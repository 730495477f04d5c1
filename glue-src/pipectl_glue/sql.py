"""Text and names as Spark SQL writes them."""


def literal(text: str) -> str:
    """A string as Spark SQL writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\x00", "\\u0000")
    return f"'{escaped}'"


def identifier(column: str) -> str:
    """A column's name as Spark SQL writes it."""
    return f"`{column.replace('`', '``')}`"
