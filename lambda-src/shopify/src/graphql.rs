//! The queries that fetch an object: bulk, page by page, and one row by its id. Pure.

use pipeline::document::{Child, Object};

/// What becomes of a search term when there is no time to search from.
const BEGINNING: &str = "1970-01-01T00:00:00Z";

/// How many rows a page holds, and how many children each of them brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub rows: u32,
    pub children: u32,
}

/// A page of a connection, as GraphQL says whether there is another.
const PAGE_INFO: &str = "pageInfo { hasNextPage endCursor }";

/// The bulk query for what changed since a moment. No order of the result is assumed: the API promises none.
pub fn bulk(object: &Object, since: Option<&str>) -> String {
    let connections = |child: &Child| {
        let arguments = parentheses(&[filter(object, &child.kind, since)]);
        format!("{}{arguments} {{ edges {{ node {{ {} }} }} }}", child.connection, child.fields)
    };
    let arguments = parentheses(&[filter(object, &object.kind, since), object.arguments.clone()]);
    format!("{{ {}{arguments} {{ edges {{ node {{ {} }} }} }} }}", object.connection, row(object, connections))
}

/// The query for one page of what changed since a moment; its variable is `$after`.
pub fn page(object: &Object, since: Option<&str>, size: Size) -> String {
    let arguments = parentheses(&[
        format!("first: {}, after: $after", size.rows),
        filter(object, &object.kind, since),
        object.arguments.clone(),
    ]);
    let connections = |child: &Child| connection(object, child, since, &format!("first: {}", size.children));
    format!(
        "query($after: String) {{ {}{arguments} {{ edges {{ node {{ {} }} }} {PAGE_INFO} }} }}",
        object.connection,
        row(object, connections)
    )
}

/// The query for the next children of a row; its variables are `$id` and `$after`.
pub fn children(object: &Object, child: &Child, since: Option<&str>, size: Size) -> String {
    let connection = connection(object, child, since, &format!("first: {}, after: $after", size.rows));
    format!("query($id: ID!, $after: String) {{ node(id: $id) {{ ... on {} {{ {connection} }} }} }}", object.kind)
}

/// The query for one row by its id, of the object itself or of a child; its variable is `$id`.
pub fn one(object: &Object, kind: &str, size: Size) -> String {
    let fields = match object.children.iter().find(|child| child.kind == kind) {
        Some(child) => child.fields.clone(),
        None => row(object, |child| connection(object, child, None, &format!("first: {}", size.children))),
    };
    format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {fields} }} }} }}")
}

/// The query for events of a kind of subject since a moment; its variable is `$after`.
///
/// Deletions are picked out of the answer: since 2026-07 the API no longer documents a filter by action.
pub fn events(subjects: &[&str], since: &str) -> String {
    let subjects: Vec<String> = subjects.iter().map(|subject| format!("subject_type:{subject}")).collect();
    format!(
        "query($after: String) {{ events(first: 250, after: $after, sortKey: CREATED_AT, \
         query: \"({}) AND comments:false AND created_at:>='{since}'\") \
         {{ edges {{ node {{ id action createdAt ... on BasicEvent {{ subjectId subjectType }} }} }} {PAGE_INFO} }} }}",
        subjects.join(" OR ")
    )
}

fn row(object: &Object, connections: impl Fn(&Child) -> String) -> String {
    let mut parts = vec![object.fields.clone()];
    parts.extend(object.lists.iter().map(|list| format!("{} {{ {} }}", list.field, list.fields)));
    parts.extend(object.children.iter().map(connections));
    parts.join(" ")
}

fn connection(object: &Object, child: &Child, since: Option<&str>, arguments: &str) -> String {
    let arguments = parentheses(&[arguments.to_owned(), filter(object, &child.kind, since)]);
    format!("{}{arguments} {{ edges {{ node {{ {} }} }} {PAGE_INFO} }}", child.connection, child.fields)
}

/// The filter of the connection whose rows move the cursor; no other connection has one.
fn filter(object: &Object, kind: &str, since: Option<&str>) -> String {
    let searched = object.cursor == kind;
    if searched { format!("query: \"updated_at:>='{}'\"", since.unwrap_or(BEGINNING)) } else { String::new() }
}

fn parentheses(arguments: &[String]) -> String {
    let given: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.is_empty()).collect();
    if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) }
}

#[cfg(test)]
pub(crate) mod tests {
    use pipeline::document::List;

    use super::*;

    pub(crate) fn orders() -> Object {
        Object {
            name: "orders".into(),
            connection: "orders".into(),
            arguments: "sortKey: UPDATED_AT".into(),
            kind: "Order".into(),
            fields: "id updatedAt".into(),
            children: vec![Child { connection: "lineItems".into(), kind: "LineItem".into(), fields: "id sku".into() }],
            lists: vec![List { field: "refunds".into(), kind: "Refund".into(), fields: "id note".into(), keep: false }],
            cursor: "Order".into(),
            tables: [("Order", "orders"), ("LineItem", "order_lines"), ("Refund", "refunds")]
                .map(|(kind, table)| (kind.to_owned(), table.to_owned()))
                .into(),
            ..Object::default()
        }
    }

    fn levels() -> Object {
        Object {
            connection: "locations".into(),
            kind: "Location".into(),
            fields: "id".into(),
            children: vec![Child {
                connection: "inventoryLevels".into(),
                kind: "InventoryLevel".into(),
                fields: "id".into(),
            }],
            cursor: "InventoryLevel".into(),
            ..Object::default()
        }
    }

    #[test]
    fn queries_contain_the_selected_fields() {
        let (orders, levels) = (orders(), levels());
        let size = Size { rows: 50, children: 10 };
        for (query, expected) in [
            (
                bulk(&orders, Some("2026-05-01T00:00:00Z")),
                "{ orders(query: \"updated_at:>='2026-05-01T00:00:00Z'\", sortKey: UPDATED_AT) { edges { node { id updatedAt \
                 refunds { id note } lineItems { edges { node { id sku } } } } } } }",
            ),
            (
                bulk(&levels, None),
                "{ locations { edges { node { id inventoryLevels(query: \"updated_at:>='1970-01-01T00:00:00Z'\") \
                 { edges { node { id } } } } } } }",
            ),
            (
                page(&orders, Some("2026-05-01T00:00:00Z"), size),
                "query($after: String) { orders(first: 50, after: $after, query: \"updated_at:>='2026-05-01T00:00:00Z'\", \
                 sortKey: UPDATED_AT) { edges { node { id updatedAt refunds { id note } lineItems(first: 10) { edges { node \
                 { id sku } } pageInfo { hasNextPage endCursor } } } } pageInfo { hasNextPage endCursor } } }",
            ),
            (
                children(&orders, &orders.children[0], None, size),
                "query($id: ID!, $after: String) { node(id: $id) { ... on Order { lineItems(first: 50, after: $after) \
                 { edges { node { id sku } } pageInfo { hasNextPage endCursor } } } } }",
            ),
            (
                one(&levels, "InventoryLevel", size),
                "query($id: ID!) { node(id: $id) { ... on InventoryLevel { id } } }",
            ),
        ] {
            assert_eq!(query, expected);
        }
        assert!(events(&["ORDER", "PRODUCT"], "x").contains("(subject_type:ORDER OR subject_type:PRODUCT) AND"));
    }
}
