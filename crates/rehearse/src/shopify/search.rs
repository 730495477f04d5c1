//! Shopify's search syntax, as far as an ingest uses it: comparisons of dates, joined by `AND`.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

/// Conditions that all must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Search {
    conditions: Vec<Condition>,
    /// What the app may see at all.
    created_since: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    /// The field of the row, in camelCase.
    field: &'static str,
    comparison: Comparison,
    moment: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    AtLeast,
    Above,
    AtMost,
    Below,
    Equal,
}

impl Search {
    /// Reads `updated_at:>='2024-01-01T00:00:00Z' AND created_at:<2025-01-01`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for word in text.split_whitespace().filter(|word| !word.eq_ignore_ascii_case("AND")) {
            conditions.push(Condition::parse(word).ok_or_else(|| {
                format!(
                    "`{word}` is not a search term of the stand-in, which knows updated_at, created_at and processed_at"
                )
            })?);
        }
        Ok(Self { conditions, created_since: None })
    }

    /// Finds only rows that were created since a moment, too; a row without that date is found as before.
    pub(super) fn and_created_since(mut self, moment: OffsetDateTime) -> Self {
        self.created_since = Some(moment);
        self
    }

    /// A date that is asked for and that the row does not have: then it is never found.
    pub(super) fn lacking(&self, row: &Value) -> Option<&'static str> {
        let lacks =
            |condition: &&Condition| row.get(condition.field).and_then(Value::as_str).and_then(moment).is_none();
        self.conditions.iter().find(lacks).map(|condition| condition.field)
    }

    /// Whether a row is found; a row without the date is not.
    pub(super) fn finds(&self, row: &Value) -> bool {
        let date = |field: &str| row.get(field).and_then(Value::as_str).and_then(moment);
        let visible = self.created_since.is_none_or(|since| date("createdAt").is_none_or(|at| at >= since));
        visible && self.conditions.iter().all(|condition| date(condition.field).is_some_and(|at| condition.holds(at)))
    }
}

impl Condition {
    fn parse(word: &str) -> Option<Self> {
        let (name, rest) = word.split_once(':')?;
        let field = match name {
            "updated_at" => "updatedAt",
            "created_at" => "createdAt",
            "processed_at" => "processedAt",
            _ => return None,
        };
        let (comparison, rest) = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Above),
            ("<", Comparison::Below),
            ("", Comparison::Equal),
        ]
        .into_iter()
        .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))?;
        let moment = moment(rest.trim_matches(['\'', '"']))?;
        Some(Self { field, comparison, moment })
    }

    fn holds(&self, at: OffsetDateTime) -> bool {
        match self.comparison {
            Comparison::AtLeast => at >= self.moment,
            Comparison::Above => at > self.moment,
            Comparison::AtMost => at <= self.moment,
            Comparison::Below => at < self.moment,
            Comparison::Equal => at == self.moment,
        }
    }
}

/// A moment, or the start of a day, in UTC.
pub(super) fn moment(text: &str) -> Option<OffsetDateTime> {
    let date = time::macros::format_description!("[year]-[month]-[day]");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| Date::parse(text, &date).ok().map(|date| date.midnight().assume_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_terms_match_rows() {
        let row = serde_json::json!({"updatedAt": "2024-06-01T12:00:00Z", "createdAt": "2024-01-01T00:00:00+02:00"});
        for (text, expected) in [
            ("", Ok(true)),
            ("updated_at:>='2024-06-01T12:00:00Z'", Ok(true)),
            ("updated_at:>'2024-06-01T12:00:00Z'", Ok(false)),
            ("updated_at:>=2024-06-01", Ok(true)),
            ("updated_at:>=2024-06-01 AND updated_at:<\"2024-06-01T12:00:00Z\"", Ok(false)),
            ("created_at:2023-12-31T22:00:00Z", Ok(true)),
            ("processed_at:<2030-01-01", Ok(false)),
            ("status:open", Err(())),
            ("updated_at:>=yesterday", Err(())),
        ] {
            let found = Search::parse(text).map(|search| search.finds(&row)).map_err(|_| ());
            assert_eq!(found, expected, "{text}");
        }
    }
}
