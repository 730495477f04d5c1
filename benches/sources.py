"""A project with every kind of source that pipectl reads itself, and data for each."""

from pathlib import Path

import projects

# As many as the shop whose data the pipeline was first tried with.
ORDERS = 68_883
_CONTACTS = 5_000
BY_WATERMARK = {"books": "postgresql", "stock": "mysql"}
_FOLLOWED = {"crm": "postgresql", "till": "mysql"}
_TYPES = {"postgresql": ("timestamp(6)", "boolean"), "mysql": ("datetime(6)", "tinyint(1)")}


def project(binary: Path, folder: Path, root: Path) -> Path:
    """The reference pipeline with its shop and its files, and four databases beside them."""
    made = projects.reference(binary, folder, root)
    sources, tables = "sources:\n", "tables:\n"
    for name, engine in BY_WATERMARK.items():
        sources += f"  {name}:\n    {engine}: {{host: db.example.com, database: shop}}\n"
        tables += (
            f"  {name}_orders:\n    source: {name}.orders\n    watermark: updated_at\n    columns:\n"
            "      id: {type: bigint, required: true}\n      customer: varchar(40)\n"
            '      total: "decimal(12,2)"\n      paid: boolean\n      day: date\n'
            "      updated_at: {type: timestamp, required: true}\n    key: [id]\n    order_by: updated_at\n"
        )
    for name, engine in _FOLLOWED.items():
        sources += f"  {name}:\n    {engine}: {{host: db.example.com, database: shop, capture: cdc}}\n"
        tables += (
            f"  {name}_contacts:\n    source: {name}.contacts\n    columns:\n"
            "      id: {type: bigint, required: true}\n      email: varchar(320)\n      seen: timestamp\n    key: [id]\n"
        )
    pipeline = made / "stacks" / "pipeline.yaml"
    text = pipeline.read_text(encoding="utf-8").replace("sources:\n", sources, 1).replace("tables:\n", tables, 1)
    pipeline.write_text(text, encoding="utf-8")
    return made


def data(binary: Path, folder: Path, orders: int) -> dict[str, Path]:
    """What the sources hold at first, by source. Of the databases, one table each."""
    sample = projects.sample(binary, folder, orders)
    found = {"shop": sample / "shop", "erp": sample / "erp"}
    for name, engine in (BY_WATERMARK | _FOLLOWED).items():
        found[name] = folder / name
        found[name].mkdir()
        table = _orders(engine) if name in BY_WATERMARK else _contacts(engine)
        for file, text in table.items():
            (found[name] / file).write_text(text, encoding="utf-8")
    return found


def one_more(data: dict[str, Path]) -> None:
    """One new row in each database, which comes after the first rehearsal."""
    for name in BY_WATERMARK:
        _change(data[name], "INSERT INTO orders VALUES (900001, 'new', 1, true, '2026-06-01', '2026-06-01 12:00:00')")
    for name in _FOLLOWED:
        _change(data[name], "INSERT INTO contacts VALUES (900001, 'new@example.com', '2026-06-01 12:00:00')")


def _change(folder: Path, statement: str) -> None:
    (folder / "changes").mkdir()
    (folder / "changes" / "1.sql").write_text(f"{statement};\n")


def _orders(engine: str) -> dict[str, str]:
    time, boolean = _TYPES[engine]
    schema = (
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(40), total numeric(12,2), "
        f"paid {boolean}, day date, updated_at {time} NOT NULL);\nCREATE INDEX updated ON orders (updated_at);\n"
    )
    rows = "".join(
        f"{id},customer {id % 1000},{id % 100_000 / 100:.2f},{id % 2},2026-01-{1 + id % 28:02},{_time(id)}\n"
        for id in range(ORDERS)
    )
    return {"schema.sql": schema, "orders.csv": "id,customer,total,paid,day,updated_at\n" + rows}


def _contacts(engine: str) -> dict[str, str]:
    time, _ = _TYPES[engine]
    schema = f"CREATE TABLE contacts (id bigint PRIMARY KEY, email varchar(320), seen {time} NULL);\n"
    rows = "".join(f"{id},contact{id}@example.com,{_time(id)}\n" for id in range(_CONTACTS))
    return {"schema.sql": schema, "contacts.csv": "id,email,seen\n" + rows}


def _time(number: int) -> str:
    """Second after second, from the first of January on."""
    day, second = divmod(number, 86_400)
    return f"2026-01-{1 + day:02} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
