//! What a Shopify source has: its objects, what they are called in the API, and the fields that their columns can read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, closest, did_you_mean};
use crate::spec::Table;
use crate::yaml::{Key, Node};

/// An object that a table can be made from: `<source>.<name>`.
#[derive(Debug)]
pub struct Object {
    pub name: &'static str,
    /// The type, as it stands in global ids: `gid://shopify/Order/1`.
    pub kind: &'static str,
    pub path: ObjectPath,
    /// Its name in deletion events.
    pub event: Option<&'static str>,
    /// What the app must be allowed to.
    pub scopes: &'static [&'static str],
}

/// Where an object's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectPath {
    /// At the root of a query, with further arguments.
    Root { arguments: &'static str },
    /// A connection of the object `of`.
    Child { of: &'static str, connection: &'static str },
    /// A list inside the rows of the object `of`.
    List { of: &'static str, field: &'static str },
    /// A connection of objects that have no table. It changes without them, so it has its own cursor.
    Below { root: &'static str, root_kind: &'static str, arguments: &'static str, connection: &'static str },
}

const BY_TIME: ObjectPath = ObjectPath::Root { arguments: "sortKey: UPDATED_AT" };

/// All objects, in the order in which they are read.
pub const OBJECTS: [Object; 9] = [
    Object { name: "customers", kind: "Customer", path: BY_TIME, event: Some("CUSTOMER"), scopes: &["read_customers"] },
    Object {
        name: "orders",
        kind: "Order",
        path: BY_TIME,
        event: Some("ORDER"),
        scopes: &["read_all_orders", "read_orders"],
    },
    Object {
        name: "orders.lineItems",
        kind: "LineItem",
        path: ObjectPath::Child { of: "orders", connection: "lineItems" },
        event: None,
        scopes: &[],
    },
    Object {
        name: "orders.refunds",
        kind: "Refund",
        path: ObjectPath::List { of: "orders", field: "refunds" },
        event: None,
        scopes: &[],
    },
    Object {
        name: "orders.transactions",
        kind: "OrderTransaction",
        path: ObjectPath::List { of: "orders", field: "transactions" },
        event: None,
        scopes: &[],
    },
    Object { name: "products", kind: "Product", path: BY_TIME, event: Some("PRODUCT"), scopes: &["read_products"] },
    Object {
        name: "products.variants",
        kind: "ProductVariant",
        path: ObjectPath::Child { of: "products", connection: "variants" },
        event: Some("PRODUCT_VARIANT"),
        scopes: &[],
    },
    Object {
        name: "inventoryItems",
        kind: "InventoryItem",
        path: ObjectPath::Root { arguments: "" },
        event: None,
        scopes: &["read_inventory"],
    },
    Object {
        name: "inventoryItems.inventoryLevels",
        kind: "InventoryLevel",
        // The time of an item does not move with its levels.
        path: ObjectPath::Below {
            root: "locations",
            root_kind: "Location",
            arguments: "includeInactive: true",
            connection: "inventoryLevels",
        },
        event: None,
        scopes: &["read_inventory", "read_locations"],
    },
];

/// Fields whose objects need their own scope, for any object that has the field.
pub const FIELD_SCOPES: [(&str, &str); 6] = [
    ("customer", "read_customers"),
    ("inventoryItem", "read_inventory"),
    ("location", "read_locations"),
    ("product", "read_products"),
    ("staffMember", "read_users"),
    ("variant", "read_products"),
];

/// The states that a quantity of an inventory level can be of.
pub const QUANTITIES: [&str; 8] =
    ["available", "committed", "damaged", "incoming", "on_hand", "quality_control", "reserved", "safety_stock"];

#[derive(Debug, Deserialize)]
struct Fields {
    version: String,
    types: BTreeMap<String, BTreeMap<String, String>>,
}

/// Made by scripts/shopify-fields.py.
static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    serde_json::from_str(include_str!("fields.json"))
        .unwrap_or_else(|error| unreachable!("src/spec/source/shopify/fields.json: {error}"))
});

pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    OBJECTS.iter().map(|object| object.name)
}

pub fn object(name: &str) -> Option<&'static Object> {
    OBJECTS.iter().find(|object| object.name == name)
}

/// The object whose reading brings the rows of an object, by its short name: `lineItems` come with `orders`.
pub fn read_with(name: &str) -> Option<&'static str> {
    let object = object(name)?;
    let read = match object.path {
        ObjectPath::Root { .. } | ObjectPath::Below { .. } => object.name,
        ObjectPath::Child { of, .. } | ObjectPath::List { of, .. } => of,
    };
    Some(last(read))
}

/// `inventoryItems.inventoryLevels` → `inventoryLevels`: what the ingest calls an object.
pub fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether a table receives deletions: Shopify reports them, and the table's key is the ID in the event.
pub fn deletes(table: &Table) -> bool {
    let object = table.source().1.and_then(object);
    let key = match &table.key[..] {
        [column] => table.columns.get(column).map(|found| found.from().unwrap_or(column)),
        _ => None,
    };
    object.is_some_and(|object| object.event.is_some()) && key == Some("id")
}

/// `created_at` to `createdAt`, as Shopify names its fields.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// Checks the object that a table is made from; `name` is the source.
pub fn check_object(node: &Node, name: &str, object: Option<&str>) -> Option<Error> {
    match object {
        None => Some(
            Error::project(format!("`{name}` is a Shopify source, so the table must name an object of it"))
                .at(&node.span, "which object?")
                .hint(format!(
                    "write one of: {}",
                    names().map(|object| format!("{name}.{object}")).collect::<Vec<_>>().join(", ")
                )),
        ),
        Some(object) if self::object(object).is_none() => Some(
            Error::project(format!("unknown Shopify object `{object}`"))
                .at(&node.span, "no such object")
                .hint(did_you_mean(object, names())),
        ),
        Some(_) => None,
    }
}

/// Checks the fields that the columns of a table read.
///
/// A field that is not known may be newer than the table of fields, so only what looks like a slip is an error.
pub fn check_columns(object: &str, columns: &[(Key, Node)]) -> Vec<Error> {
    let Some(object) = self::object(object) else { return Vec::new() };
    let wrong = |(key, node): &(Key, Node)| {
        let from = node.get("from").filter(|from| from.as_str().is_some());
        let span = from.map_or(&key.span, |from| &from.span);
        let path = from.and_then(Node::as_str).map_or_else(|| camel_case(&key.name), str::to_owned);
        let (message, hint) = check_path(object, &path)?;
        Some(Error::project(message).at(span, format!("read by `{}`", key.name)).hint(hint))
    };
    columns.iter().filter_map(wrong).collect()
}

/// Says what is wrong with a path, and what would be right.
fn check_path(object: &Object, path: &str) -> Option<(String, String)> {
    let name = object.name;
    if path == "__parentId" {
        return match object.path {
            ObjectPath::Child { .. } | ObjectPath::List { .. } => None,
            ObjectPath::Root { .. } => Some((format!("`{name}` has no parent"), "remove `__parentId`".into())),
            ObjectPath::Below { .. } => Some((
                format!("the parent of `{name}` is not in its rows"),
                "read `item.id`, the inventory item, or `location.id`".into(),
            )),
        };
    }
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !path.split('.').all(is_name) {
        let hint = "write names joined by dots, such as `totalPriceSet.shopMoney.amount`";
        return Some((format!("`{path}` is not a path of fields"), hint.into()));
    }
    if object.kind == "InventoryLevel"
        && let Some(quantity) = path.strip_prefix("quantities").and_then(|rest| rest.strip_prefix('.'))
    {
        let known = QUANTITIES.contains(&quantity);
        return (!known).then(|| (format!("unknown quantity `{quantity}`"), did_you_mean(quantity, QUANTITIES)));
    }
    if object.kind == "InventoryLevel" && path == "quantities" {
        return None;
    }
    let mut kind = object.kind.to_owned();
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let known = FIELDS.types.get(&kind)?;
        let Some(below) = known.get(part) else {
            let meant = closest(part, known.keys().map(String::as_str))
                .filter(|meant| strsim::osa_distance(part, meant) <= 2)
                // A later version of a field is called `priceRangeV2`.
                .filter(|meant| !part.strip_prefix(meant).is_some_and(|rest| rest.starts_with('V')))?;
            return Some((format!("`{kind}` of Shopify has no field `{part}`"), format!("did you mean `{meant}`?")));
        };
        let more = parts.peek().copied();
        match (shape(below), more) {
            (Shape::Plain, Some(more)) => {
                return Some((
                    format!("`{part}` of `{kind}` is a value and has no field `{more}`"),
                    format!("read `{}` alone", &path[..path.len() - rest(path, part)]),
                ));
            }
            (Shape::Object(inner), None) => {
                let fields = FIELDS.types.get(inner).map(|fields| fields.keys().map(String::as_str));
                let known = fields.map(|fields| fields.take(6).collect::<Vec<_>>().join(", "));
                let hint = match known {
                    Some(known) => format!("read a field of it: {path}.<field>, with one of {known}, …"),
                    None => format!("read a field of it: {path}.<field>"),
                };
                return Some((format!("`{part}` of `{kind}` is an object"), hint));
            }
            (Shape::Many, more) => return many(object, part, more.is_some()),
            (Shape::Argument, _) => {
                return Some((
                    format!("`{part}` of `{kind}` needs an argument, which a column cannot give"),
                    "leave the column out".into(),
                ));
            }
            (Shape::Object(inner), Some(_)) => inner.clone_into(&mut kind),
            (Shape::Plain | Shape::Values, None) => {}
            (Shape::Values, Some(_)) => {
                return Some((
                    format!("`{part}` of `{kind}` is a list"),
                    format!("read `{part}` into a `super` column"),
                ));
            }
        }
    }
    None
}

/// How many characters of a path follow a part of it.
fn rest(path: &str, part: &str) -> usize {
    path.find(part).map_or(0, |start| path.len() - start - part.len())
}

/// Says how to read what is more than one row.
fn many(object: &Object, part: &str, more: bool) -> Option<(String, String)> {
    let below = format!("{}.{part}", object.name);
    let Some(table) = self::object(&below) else {
        let message = format!("`{part}` of `{}` are many rows, which are not read", object.kind);
        return Some((
            message,
            format!("the objects that tables are made from: {}", names().collect::<Vec<_>>().join(", ")),
        ));
    };
    // A list stays in the row as well, when its own table says what it holds.
    if matches!(table.path, ObjectPath::List { .. }) && !more {
        return None;
    }
    Some((format!("`{part}` of `{}` are separate rows", object.kind), format!("make a table from `{below}`")))
}

/// What is below a field.
enum Shape<'a> {
    Plain,
    Object(&'a str),
    /// Plain values.
    Values,
    /// Objects, in a list or a connection.
    Many,
    Argument,
}

fn shape(below: &str) -> Shape<'_> {
    match below {
        "" => Shape::Plain,
        "[]" => Shape::Values,
        "(…)" => Shape::Argument,
        many if many.starts_with('[') || many.ends_with('…') => Shape::Many,
        object => Shape::Object(object),
    }
}

/// The version of the API that the table of fields was made from.
pub fn fields_version() -> &'static str {
    &FIELDS.version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_against_the_fields_of_the_api() {
        let mut report = String::new();
        for (name, path) in [
            ("orders", "totalPriceSet.shopMoney.amount"),
            ("orders", "totalPriceSets.shopMoney.amount"),
            ("orders", "totalPriceSet.shopMoney.amont"),
            ("orders", "totalPriceSet"),
            ("orders", "name.first"),
            ("orders", "somethingOfALaterVersion"),
            ("orders", "tags"),
            ("orders", "lineItems"),
            ("orders", "lineItems[0].id"),
            ("orders", "refunds"),
            ("orders", "metafield"),
            ("orders", "__parentId"),
            ("orders.lineItems", "__parentId"),
            ("inventoryItems.inventoryLevels", "__parentId"),
            ("inventoryItems.inventoryLevels", "quantities.on_hand"),
            ("inventoryItems.inventoryLevels", "quantities.onhand"),
        ] {
            let result = check_path(object(name).unwrap(), path);
            let result = result.map_or_else(|| "ok".to_owned(), |(message, hint)| format!("{message} ({hint})"));
            report += &[name, " ", path, ": ", &result, "\n"].concat();
        }
        insta::assert_snapshot!(report, @"
        orders totalPriceSet.shopMoney.amount: ok
        orders totalPriceSets.shopMoney.amount: `Order` of Shopify has no field `totalPriceSets` (did you mean `totalPriceSet`?)
        orders totalPriceSet.shopMoney.amont: `MoneyV2` of Shopify has no field `amont` (did you mean `amount`?)
        orders totalPriceSet: `totalPriceSet` of `Order` is an object (read a field of it: totalPriceSet.<field>, with one of presentmentMoney, shopMoney, …)
        orders name.first: `name` of `Order` is a value and has no field `first` (read `name` alone)
        orders somethingOfALaterVersion: ok
        orders tags: ok
        orders lineItems: `lineItems` of `Order` are separate rows (make a table from `orders.lineItems`)
        orders lineItems[0].id: `lineItems[0].id` is not a path of fields (write names joined by dots, such as `totalPriceSet.shopMoney.amount`)
        orders refunds: ok
        orders metafield: `metafield` of `Order` needs an argument, which a column cannot give (leave the column out)
        orders __parentId: `orders` has no parent (remove `__parentId`)
        orders.lineItems __parentId: ok
        inventoryItems.inventoryLevels __parentId: the parent of `inventoryItems.inventoryLevels` is not in its rows (read `item.id`, the inventory item, or `location.id`)
        inventoryItems.inventoryLevels quantities.on_hand: ok
        inventoryItems.inventoryLevels quantities.onhand: unknown quantity `onhand` (did you mean `on_hand`?)
        ");
    }
}
