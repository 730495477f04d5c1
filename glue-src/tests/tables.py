"""Tables of the pipeline document, as short as a test wants them."""

import re
from typing import Any


def table(columns: str, **options: Any) -> dict[str, Any]:
    """`table("id bigint!, total decimal(12,2) < total.amount")`: `!` is required, `<` names the source, `@` a zone."""
    described = []
    for text in re.split(r",\s*(?![^(]*\))", columns):
        declared, _, source = text.partition("<")
        name, kind, *zone = declared.split()
        described.append(
            {
                "name": name,
                "type": kind.rstrip("!"),
                "from": source.strip() or name,
                "required": kind.endswith("!"),
                **({"timezone": zone[0].removeprefix("@")} if zone else {}),
            }
        )
    csv = options.pop("csv", None)
    return {
        "source": "shop",
        "format": "jsonl" if csv is None else "csv",
        "schema_changes": "stop",
        "csv": csv,
        "columns": described,
        "key": [],
        "order_by": None,
        "load": "append",
        "checks": {},
        "quarantine_limit": 1.0,
        **options,
    }
