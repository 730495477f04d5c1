//! CloudTrail's advanced event selectors.

use serde_json::Value;

/// What CloudTrail knows of a data event of S3.
#[derive(Debug, Clone)]
pub(super) struct DataEvent<'a> {
    pub(super) event_name: &'a str,
    pub(super) resource_arn: String,
}

/// A field selector that does not hold: its place among the selectors, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) selector: usize,
    pub(super) field: usize,
    pub(super) why: String,
}

/// Whether one of the selectors takes the event; if none does, the refusal of the one that came furthest.
pub(super) fn selects(selectors: &[Value], event: &DataEvent) -> Result<(), Option<Refusal>> {
    let mut furthest: Option<Refusal> = None;
    for (selector, value) in selectors.iter().enumerate() {
        let fields = value.get("FieldSelectors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        match fields.iter().position(|field| !holds(field, event)) {
            None => return Ok(()),
            Some(field) if furthest.as_ref().is_none_or(|refusal| refusal.field < field) => {
                furthest = Some(Refusal { selector, field, why: describe(&fields[field], event) });
            }
            Some(_) => {}
        }
    }
    Err(furthest)
}

fn found<'a>(name: &str, event: &'a DataEvent) -> Option<&'a str> {
    Some(match name {
        "eventCategory" => "Data",
        "eventSource" => "s3.amazonaws.com",
        "eventName" => event.event_name,
        "eventType" => "AwsApiCall",
        "readOnly" => "false",
        "resources.type" => "AWS::S3::Object",
        "resources.ARN" => &event.resource_arn,
        _ => return None,
    })
}

fn name_of(field: &Value) -> &str {
    field.get("Field").and_then(Value::as_str).unwrap_or_default()
}

/// Its name, what its test must give, and the test of a found value against a wanted one.
type Operator = (&'static str, bool, fn(&str, &str) -> bool);

/// A field selector holds when each of its operators does. Of `Equals`, `StartsWith` and `EndsWith` one value must fit,
/// of their opposites none may.
fn holds(field: &Value, event: &DataEvent) -> bool {
    let Some(found) = found(name_of(field), event) else { return false };
    let operators: [Operator; 6] = [
        ("Equals", true, |found, value| found == value),
        ("StartsWith", true, |found, value| found.starts_with(value)),
        ("EndsWith", true, |found, value| found.ends_with(value)),
        ("NotEquals", false, |found, value| found == value),
        ("NotStartsWith", false, |found, value| found.starts_with(value)),
        ("NotEndsWith", false, |found, value| found.ends_with(value)),
    ];
    operators.iter().all(|(operator, expected, test)| {
        let Some(values) = field.get(*operator).and_then(Value::as_array) else { return true };
        values.iter().filter_map(Value::as_str).any(|value| test(found, value)) == *expected
    })
}

fn describe(field: &Value, event: &DataEvent) -> String {
    let name = name_of(field);
    let value: Vec<String> = field
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(operator, _)| *operator != "Field")
        .map(|(operator, values)| format!("{operator} {values}"))
        .collect();
    match found(name, event) {
        Some(found) => format!("`{name}` is `{found}`, the selector wants {}", value.join(" and ")),
        None => format!("CloudTrail does not select data events of S3 by `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_their_fields() {
        let event = DataEvent { event_name: "PutObject", resource_arn: "arn:aws:s3:::raw/landing/orders/x.csv".into() };
        let data = json!({"Field": "eventCategory", "Equals": ["Data"]});
        for (fields, expected) in [
            (json!([data]), Ok(())),
            (json!([data, {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::raw/landing/", "x"]}]), Ok(())),
            (
                json!([data, {"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::raw/landing/", "x"]}]),
                Err(
                    "`resources.ARN` is `arn:aws:s3:::raw/landing/orders/x.csv`, the selector wants NotStartsWith [\"arn:aws:s3:::raw/landing/\",\"x\"]",
                ),
            ),
            (json!([data, {"Field": "eventName", "NotEquals": ["GetObject"], "StartsWith": ["Put"]}]), Ok(())),
            (
                json!([data, {"Field": "readOnly", "Equals": ["true"]}]),
                Err("`readOnly` is `false`, the selector wants Equals [\"true\"]"),
            ),
            (
                json!([data, {"Field": "userName", "Equals": ["x"]}]),
                Err("CloudTrail does not select data events of S3 by `userName`"),
            ),
            (json!([data, {"Field": "resources.ARN", "EndsWith": [".csv"]}]), Ok(())),
        ] {
            let selectors = [
                json!({"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}),
                json!({"FieldSelectors": fields}),
            ];
            let result = selects(&selectors, &event).map_err(|refusal| refusal.unwrap().why);
            assert_eq!(result, expected.map_err(str::to_owned), "{fields}");
        }
        assert_eq!(selects(&[], &event), Err(None));
    }
}
