//! Small changes, page by page: a bulk operation takes a minute where two queries do.

use aws_smithy_types::DateTime;
use pipectl_contract::names::columns;
use pipeline::document::{Child, Object};
use pipeline::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{Answered, Client};
use crate::graphql::{self, Size};
use crate::landing::{Fault, Landing};

/// More rows than this are left to a bulk operation.
pub const MOST: u64 = 500;

/// How much the first query asks for.
const FIRST: Size = Size { rows: 50, children: 20 };

/// The children of one row that have a separate query.
const MORE: Size = Size { rows: 100, children: 0 };

/// What a page costs before Shopify has said what one costs.
const GUESS: f64 = 300.0;

/// What came of reading page by page.
#[derive(Debug, PartialEq, Eq)]
pub enum Paged {
    /// All is read; the moment is that of Shopify before the first page.
    Whole(DateTime),
    TooMany,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// Reads what changed since a moment into a landing.
pub async fn read(
    client: &Client<'_>,
    object: &Object,
    since: &str,
    landing: &mut Landing<'_>,
) -> Result<Paged, Fault> {
    let started = client.now();
    let mut size = FIRST;
    let mut points = GUESS;
    let mut after = Value::Null;
    loop {
        let query = graphql::page(object, Some(since), size);
        let mut data: Value = match client.ask(&query, json!({"after": after}), points).await? {
            Answered::Data(data) => data,
            Answered::TooExpensive(error) => {
                size = smaller(size).ok_or(error)?;
                continue;
            }
        };
        points = client.last_cost().unwrap_or(points);
        let (nodes, info) = connection(data[&object.connection].take())?;
        for node in nodes {
            land(client, object, since, node, landing).await?;
        }
        if landing.lines > MOST {
            return Ok(Paged::TooMany);
        }
        match next(info)? {
            Some(cursor) => after = cursor,
            None => return Ok(Paged::Whole(started)),
        }
    }
}

/// Reads one row by its id; false when the shop does not have it.
pub async fn one(
    client: &Client<'_>,
    object: &Object,
    kind: &str,
    id: &str,
    landing: &mut Landing<'_>,
) -> Result<bool, Fault> {
    let mut size = MORE;
    size.children = FIRST.children;
    loop {
        let query = graphql::one(object, kind, size);
        let mut data: Value = match client.ask(&query, json!({"id": id}), GUESS).await? {
            Answered::Data(data) => data,
            Answered::TooExpensive(error) => {
                size = smaller(size).ok_or(error)?;
                continue;
            }
        };
        let node = data["node"].take();
        if node.is_null() {
            return Ok(false);
        }
        if kind == object.kind {
            land(client, object, BEGINNING, node, landing).await?;
        } else {
            take(landing, &node).await?;
        }
        return Ok(true);
    }
}

const BEGINNING: &str = "1970-01-01T00:00:00Z";

/// Lets a row land with all of its children, in the form that a bulk operation gives them.
async fn land(
    client: &Client<'_>,
    object: &Object,
    since: &str,
    mut node: Value,
    landing: &mut Landing<'_>,
) -> Result<(), Fault> {
    let id = node["id"].clone();
    let fields = node.as_object_mut().ok_or_else(|| unexpected("a row"))?;
    let connections: Vec<(&Child, Value)> =
        object.children.iter().filter_map(|child| Some((child, fields.remove(&child.connection)?))).collect();
    take(landing, &node).await?;
    for (child, first) in connections {
        let (mut nodes, mut info) = connection(first)?;
        loop {
            for mut node in nodes {
                if let Some(fields) = node.as_object_mut() {
                    fields.insert("__parentId".to_owned(), id.clone());
                }
                take(landing, &node).await?;
            }
            // No child is passed over: a row with more than a page of them is asked for the others.
            let Some(after) = next(info)? else { break };
            let query = graphql::children(object, child, Some(since), MORE);
            let mut data: Value = match client.ask(&query, json!({"id": id, "after": after}), GUESS).await? {
                Answered::Data(data) => data,
                Answered::TooExpensive(error) => return Err(error.into()),
            };
            (nodes, info) = connection(data["node"][&child.connection].take())?;
        }
    }
    Ok(())
}

async fn take(landing: &mut Landing<'_>, row: &Value) -> Result<(), Fault> {
    let line = serde_json::to_vec(row).map_err(|error| Error::new("a row cannot be written").cause(error))?;
    landing.take(&line).await
}

/// Takes the nodes out of a connection, and whether there are more.
pub fn connection(connection: Value) -> Result<(Vec<Value>, Option<Value>), Fault> {
    let Value::Object(mut fields) = connection else { return Err(unexpected("a connection")) };
    let info = fields.remove("pageInfo");
    let Some(Value::Array(edges)) = fields.remove("edges") else { return Err(unexpected("a connection")) };
    let node = |edge: Value| match edge {
        Value::Object(mut edge) => edge.remove("node").ok_or_else(|| unexpected("an edge")),
        _ => Err(unexpected("an edge")),
    };
    Ok((edges.into_iter().map(node).collect::<Result<_, _>>()?, info))
}

/// The cursor of the next page. An answer that does not say whether there is one is not taken for the last.
pub fn next(info: Option<Value>) -> Result<Option<Value>, Fault> {
    let info = info.ok_or_else(|| unexpected("a page"))?;
    let info: PageInfo = serde_json::from_value(info).map_err(|_| unexpected("a page"))?;
    match (info.has_next_page, info.end_cursor) {
        (false, _) => Ok(None),
        (true, Some(cursor)) => Ok(Some(Value::String(cursor))),
        (true, None) => Err(unexpected("a page")),
    }
}

fn unexpected(what: &str) -> Fault {
    Fault::Broken(format!("{what} in a response of Shopify does not have the documented form"))
}

/// Asks for less: fewer children first, as there are many a row.
fn smaller(size: Size) -> Option<Size> {
    match size {
        Size { rows, children } if children > 5 => Some(Size { rows, children: children / 2 }),
        Size { rows, children } if rows > 1 => Some(Size { rows: rows / 2, children }),
        Size { rows, children } if children > 1 => Some(Size { rows, children: children / 2 }),
        _ => None,
    }
}

/// A row that says that another one is gone.
pub fn deleted(id: &str, at: &str) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("id".to_owned(), id.into());
    row.insert(columns::DELETED.to_owned(), true.into());
    row.insert("updatedAt".to_owned(), at.into());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_shrinks_until_it_is_one_row() {
        let mut size = Some(FIRST);
        let mut sizes = Vec::new();
        while let Some(now) = size {
            sizes.push((now.rows, now.children));
            size = smaller(now);
        }
        assert_eq!(sizes, [(50, 20), (50, 10), (50, 5), (25, 5), (12, 5), (6, 5), (3, 5), (1, 5), (1, 2), (1, 1)]);
    }

    #[test]
    fn a_page_that_does_not_say_whether_it_is_the_last_is_an_error() {
        for (info, expected) in [
            (json!({"hasNextPage": false, "endCursor": null}), Some(None)),
            (json!({"hasNextPage": true, "endCursor": "c"}), Some(Some(json!("c")))),
            (json!({"hasNextPage": true, "endCursor": null}), None),
            (json!({}), None),
        ] {
            assert_eq!(next(Some(info.clone())).ok(), expected, "{info}");
        }
        assert!(next(None).is_err() && connection(Value::Null).is_err());
    }
}
