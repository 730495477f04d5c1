#!/usr/bin/env python3
"""Writes crates/core/src/spec/source/shopify/fields.json: the fields of the objects that a table can be made from.

    scripts/shopify-fields.py admin.types.d.ts 2026-01 > crates/core/src/spec/source/shopify/fields.json

The input is what `@shopify/api-codegen-preset` generates from the introspection of the Admin API of that version:
`npx graphql-codegen` in any app of Shopify's template leaves it as app/types/admin.types.d.ts.

Of each field stands what is below it: "" nothing, "X" an object of type X, "[]" a list of plain values, "[X]" a list of
objects, "X…" a connection, "(…)" a field that needs an argument. An object whose type has no entry is not resolved.
"""

import json
import re
import sys

TYPES = """Customer Order LineItem Refund OrderTransaction Product ProductVariant InventoryItem InventoryLevel Location
MoneyBag MoneyV2 MailingAddress CustomerEmailAddress CustomerPhoneNumber Attribute Count SEO CountryHarmonizedSystemCode
ProductPriceRangeV2 InventoryItemMeasurement Weight""".split()


def main() -> None:
    text, version = open(sys.argv[1], encoding="utf-8").read(), sys.argv[2]
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    table = {name: fields(text, name) for name in TYPES if defined(text, name)}
    print("{")
    print(f' "version": "{version}",')
    print(' "types": {')
    print(",\n".join(f"  {json.dumps(name)}: {json.dumps(row, ensure_ascii=False)}" for name, row in table.items()))
    print(" }\n}")


def defined(text: str, name: str) -> bool:
    return bool(re.search(rf"^export type {re.escape(name)} = ", text, re.MULTILINE))


def fields(text: str, name: str) -> dict[str, str]:
    body = re.search(rf"^export type {name} = [^{{]*\{{(.*?)^\s*\}};$", text, re.MULTILINE | re.DOTALL)[1]
    row = {}
    for field, kind in re.findall(r"^\s+(\w+)\??: (.+?);$", body, re.MULTILINE):
        if field != "__typename":
            row[field] = "(…)" if needs_argument(text, name, field) else below(kind, text)
    return row


def needs_argument(text: str, name: str, field: str) -> bool:
    arguments = re.search(
        rf"^export type {name}{field[0].upper()}{field[1:]}Args = \{{(.*?)^\}}", text, re.MULTILINE | re.DOTALL
    )
    return bool(arguments and re.search(r"^\s+\w+: ", arguments[1], re.MULTILINE))


def below(kind: str, text: str) -> str:
    kind = re.sub(r"^(Maybe|InputMaybe)<(.*)>$", r"\2", kind)
    if listed := re.match(r"Array<(?:Maybe<)?(.*?)>*$", kind):
        inner = below(listed[1], text)
        return f"[{inner}]"
    if kind.endswith("Connection"):
        return f"{kind.removesuffix('Connection')}…"
    if kind.startswith("Scalars") or not defined(text, kind):
        return ""
    is_object = re.search(rf"^export type {re.escape(kind)} = [^;]*?\{{", text, re.MULTILINE)
    is_union = re.search(rf"^export type {re.escape(kind)} = \w+( \| \w+)*;", text, re.MULTILINE)
    return kind if is_object or is_union else ""


if __name__ == "__main__":
    main()
