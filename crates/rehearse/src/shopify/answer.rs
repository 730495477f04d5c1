//! From a GraphQL operation to its answer.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bulk::Bulk;
use super::pages;
use super::query::{self, Field, Operation, Selection};
use super::rows::Seen;
use super::search::Search;
use super::shop::Shop;

/// Five concurrent bulk queries an app and shop, since 2026-01.
const MOST_CONCURRENT: usize = 5;

/// The answer to an operation, with `data` or `errors`.
pub(super) fn answer(shop: &Arc<Shop>, operation: &Operation) -> Value {
    let root = if operation.mutation { "Mutation" } else { "QueryRoot" };
    let mut data = Map::new();
    for field in query::fields(&operation.selections) {
        if let Some(scope) = needed_scope(&field.name).filter(|scope| !shop.has_scope(scope)) {
            let message = format!("Access denied for {} field. Required access: `{scope}` access scope.", field.name);
            let extensions = json!({"code": "ACCESS_DENIED", "requiredAccess": format!("`{scope}` access scope.")});
            return json!({"data": null, "errors": [{"message": message, "path": [field.name], "extensions": extensions}]});
        }
        let resolved = match rows(shop, field, operation.mutation) {
            Some(rows) => rows,
            None => match resolve(shop, field, operation.mutation) {
                Some(value) => value.and_then(|value| select(&value, &field.selections, &field.name)),
                None => Err(format!("Field '{}' doesn't exist on type '{root}'", field.name)),
            },
        };
        match resolved {
            Ok(value) => data.insert(field.alias.clone(), value),
            Err(message) => {
                let code = json!({"code": "undefinedField", "typeName": root, "fieldName": field.name});
                return json!({"errors": [{"message": message, "path": [field.name], "extensions": code}]});
            }
        };
    }
    json!({ "data": data })
}

/// The scope without which a connection is denied.
pub(super) fn needed_scope(connection: &str) -> Option<&'static str> {
    Some(match connection {
        "customers" => "read_customers",
        "inventoryItems" => "read_inventory",
        "locations" => "read_locations",
        "orders" => "read_orders",
        "products" => "read_products",
        _ => return None,
    })
}

/// What is read from the rows of the shop, as it is asked for; nothing for a field of another kind.
fn rows(shop: &Arc<Shop>, field: &Field, mutation: bool) -> Option<Result<Value, String>> {
    let mut seen = Seen::default();
    let id = field.text("id").unwrap_or_default();
    let answer = match field.name.as_str() {
        _ if mutation => return None,
        name if pages::is_connection(name) => Search::parse(field.text("query").unwrap_or_default())
            .and_then(|search| pages::page(&shop.data(), field, &shop.visible(name, search), &mut seen)),
        "events" => pages::events(&shop.data(), field),
        "node" if !id.starts_with("gid://shopify/BulkOperation/") => pages::one(&shop.data(), id, field, &mut seen),
        _ => return None,
    };
    shop.miss(seen.missing());
    Some(answer)
}

/// The whole value of a root field, or nothing if there is no such field.
fn resolve(shop: &Arc<Shop>, field: &Field, mutation: bool) -> Option<Result<Value, String>> {
    Some(Ok(match (mutation, field.name.as_str()) {
        (true, "bulkOperationRunQuery") => run_query(shop, field.text("query").unwrap_or_default()),
        (true, "bulkOperationCancel") => {
            let operation = shop.with_operation(field.text("id")?, |operation| {
                operation.cancel();
                operation.show()
            });
            json!({"__typename": "BulkOperationCancelPayload", "bulkOperation": operation, "userErrors": []})
        }
        (false, "node" | "bulkOperation") => {
            shop.with_operation(field.text("id")?, super::operation::Operation::look).unwrap_or_default()
        }
        (false, "currentBulkOperation") => shop.look_at_newest(),
        (false, "bulkOperations") => {
            let nodes = shop.look_at_all();
            let edges: Vec<Value> = nodes.iter().map(|node| json!({"node": node})).collect();
            json!({"nodes": nodes, "edges": edges, "pageInfo": {"hasNextPage": false, "endCursor": null}})
        }
        (false, "shop") => json!({
            "__typename": "Shop", "id": "gid://shopify/Shop/1", "name": "Rehearsal", "currencyCode": "USD",
            "myshopifyDomain": "local.myshopify.com", "ianaTimezone": "Etc/UTC",
        }),
        (false, "currentAppInstallation") => json!({
            "__typename": "AppInstallation",
            "accessScopes": shop.scopes().iter().map(|scope| json!({"handle": scope})).collect::<Vec<_>>(),
        }),
        _ => return None,
    }))
}

fn run_query(shop: &Arc<Shop>, text: &str) -> Value {
    let refuse = |message: String, code: &str| {
        let error = json!({"field": ["query"], "message": message, "code": code});
        json!({"__typename": "BulkOperationRunQueryPayload", "bulkOperation": null, "userErrors": [error]})
    };
    let mut bulk = match Bulk::parse(text) {
        Ok(bulk) => bulk,
        Err(message) => return refuse(message, "INVALID"),
    };
    if let Some(scope) = needed_scope(&bulk.object).filter(|scope| !shop.has_scope(scope)) {
        return refuse(
            format!("Access denied for {} field. Required access: `{scope}` access scope.", bulk.object),
            "INVALID",
        );
    }
    bulk.search = shop.visible(&bulk.object, bulk.search);
    if shop.under_way() >= MOST_CONCURRENT {
        let message = "A bulk query operation for this app and shop is already in progress.".to_owned();
        return refuse(message, "OPERATION_IN_PROGRESS");
    }
    let operation = shop.run(bulk, text.to_owned());
    json!({"__typename": "BulkOperationRunQueryPayload", "bulkOperation": operation, "userErrors": []})
}

/// Takes what is asked for out of a value of ours, whose fields are all known.
fn select(value: &Value, selections: &[Selection], kind: &str) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.iter().map(|item| select(item, selections, kind)).collect(),
        Value::Object(_) if selections.is_empty() => Err(format!("Field must have selections (field '{kind}')")),
        Value::Object(object) => {
            let mut selected = Map::new();
            collect(object, selections, kind, &mut selected)?;
            Ok(Value::Object(selected))
        }
        other => Ok(other.clone()),
    }
}

fn collect(
    object: &Map<String, Value>,
    selections: &[Selection],
    kind: &str,
    into: &mut Map<String, Value>,
) -> Result<(), String> {
    let own = object.get("__typename").and_then(Value::as_str).unwrap_or(kind);
    for selection in selections {
        match selection {
            Selection::Field(field) => {
                let value = object
                    .get(&field.name)
                    .ok_or_else(|| format!("Field '{}' doesn't exist on type '{own}'", field.name))?;
                into.insert(field.alias.clone(), select(value, &field.selections, &field.name)?);
            }
            Selection::On(on, inner) if on.as_deref().is_none_or(|on| on == own) => {
                collect(object, inner, kind, into)?;
            }
            Selection::On(..) | Selection::Spread(_) => {}
        }
    }
    Ok(())
}
