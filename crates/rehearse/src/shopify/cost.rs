//! What a query costs, reckoned as Shopify documents it: an object a point, a connection two and what its page may hold.

use serde_json::Value;

use super::query::{Selection, fields};
use super::rows::node;

/// The most that one query may cost, whatever the bucket holds.
pub(super) const MOST: f64 = 1_000.0;

/// What a mutation costs.
pub(super) const MUTATION: f64 = 10.0;

/// The points of selections.
pub(super) fn requested(selections: &[Selection]) -> f64 {
    fields(selections)
        .into_iter()
        .map(|field| {
            if let Some(node) = node(field) {
                let page = ["first", "last"].iter().find_map(|name| field.arguments.get(*name)?.as_f64());
                2.0 + page.unwrap_or(1.0) * (1.0 + requested(&node.selections))
            } else if field.selections.is_empty() {
                0.0
            } else {
                1.0 + requested(&field.selections)
            }
        })
        .sum()
}

/// The points of an answer: what its objects and rows came to.
pub(super) fn actual(answer: &Value) -> f64 {
    match answer {
        Value::Array(items) => items.iter().map(actual).sum(),
        Value::Object(fields) => 1.0 + fields.values().map(actual).sum::<f64>(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::shopify::query::parse;

    #[test]
    #[expect(clippy::float_cmp, reason = "sums of whole numbers")]
    fn pages_cost_what_they_may_hold() {
        for (query, expected) in [
            ("{ shop { name } }", 1.0),
            ("{ orders(first: 10) { edges { node { id } } } }", 12.0),
            ("{ orders(first: 10) { nodes { id customer { id } lineItems(first: 5) { nodes { id } } } } }", 92.0),
        ] {
            assert_eq!(requested(&parse(query, &Map::new()).unwrap().selections), expected, "{query}");
        }
    }
}
