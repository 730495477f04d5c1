//! EventBridge's event patterns.
//!
//! Written here rather than taken from the crate `quamina`: a rehearsal must say which part of a pattern did not match,
//! and quamina (0.7) only answers whether one does. What is not known is refused by name, never taken as a match.

use serde_json::{Map, Value};

/// Why an event does not match.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The field, from the root of the event: `detail`, `requestParameters`, `key`.
    pub path: Vec<String>,
    /// What the pattern wants of it, or what is wrong with the pattern.
    pub expected: String,
    /// What the event has there.
    pub found: Option<Value>,
}

/// Matches an event against a pattern; a mismatch is the first one.
pub fn matches(pattern: &Value, event: &Value) -> Result<(), Mismatch> {
    let Some(pattern) = pattern.as_object() else {
        return Err(mismatch(&[], "a pattern that is a mapping".into(), None));
    };
    fields(pattern, &[event], &mut Vec::new())
}

fn mismatch(path: &[String], expected: String, found: Option<&Value>) -> Mismatch {
    Mismatch { path: path.to_vec(), expected, found: found.cloned() }
}

/// Every field of the pattern must match in one of the objects; there are several when an array holds objects.
fn fields(pattern: &Map<String, Value>, objects: &[&Value], path: &mut Vec<String>) -> Result<(), Mismatch> {
    for (name, expected) in pattern {
        if name == "$or" {
            alternatives(expected, objects, path)?;
            continue;
        }
        path.push(name.clone());
        let values: Vec<&Value> = objects.iter().filter_map(|object| object.get(name)).flat_map(flatten).collect();
        match expected {
            Value::Object(inner) if values.is_empty() => fields(inner, &[&Value::Null], path)?,
            Value::Object(inner) => fields(inner, &values, path)?,
            Value::Array(matchers) => leaf(matchers, &values, path)?,
            _ => return Err(mismatch(path, "a list: EventBridge takes no bare value".into(), None)),
        }
        path.pop();
    }
    Ok(())
}

fn alternatives(patterns: &Value, objects: &[&Value], path: &[String]) -> Result<(), Mismatch> {
    let mut first = None;
    for pattern in patterns.as_array().into_iter().flatten().filter_map(Value::as_object) {
        let mut inner = path.to_vec();
        match fields(pattern, objects, &mut inner) {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| mismatch(path, "`$or` with a list of patterns".into(), None)))
}

/// An array matches if one of its items does.
fn flatten(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(flatten).collect(),
        other => vec![other],
    }
}

fn leaf(matchers: &[Value], values: &[&Value], path: &[String]) -> Result<(), Mismatch> {
    for matcher in matchers {
        if let Some(expected) = matcher.get("exists") {
            let leaf = values.iter().any(|value| !value.is_object());
            if expected.as_bool() == Some(leaf) {
                return Ok(());
            }
            continue;
        }
        for value in values {
            if one(matcher, value).map_err(|wrong| mismatch(path, wrong, None))? {
                return Ok(());
            }
        }
    }
    let expected: Vec<String> = matchers.iter().map(Value::to_string).collect();
    Err(mismatch(path, expected.join(" or "), values.first().copied()))
}

/// Whether a matcher takes a value; the error says what is wrong with the matcher.
fn one(matcher: &Value, value: &Value) -> Result<bool, String> {
    let Value::Object(matcher) = matcher else { return Ok(equal(matcher, value)) };
    let mut entries = matcher.iter();
    let (Some((name, expected)), None) = (entries.next(), entries.next()) else {
        return Err("a matcher with exactly one key".into());
    };
    let text = value.as_str();
    Ok(match name.as_str() {
        "prefix" => affix(expected, text, |text, prefix| text.starts_with(prefix))?,
        "suffix" => affix(expected, text, |text, suffix| text.ends_with(suffix))?,
        "equals-ignore-case" => text.is_some_and(|text| same_text(expected, text)),
        "wildcard" => match (expected.as_str(), text) {
            (Some(pattern), Some(text)) => wildcard(pattern, text),
            (None, _) => return Err("`wildcard` with a text".into()),
            (_, None) => false,
        },
        "anything-but" => anything_but(expected, value)?,
        "numeric" => numeric(expected, value)?,
        _ => return Err(format!("a matcher that the rehearsal knows, not `{name}`")),
    })
}

fn equal(expected: &Value, value: &Value) -> bool {
    match (expected.as_f64(), value.as_f64()) {
        // 300, 300.0 and 3.0e2 are one number.
        (Some(expected), Some(value)) => (expected - value).abs() < f64::EPSILON,
        _ => expected == value,
    }
}

fn same_text(expected: &Value, text: &str) -> bool {
    expected.as_str().is_some_and(|expected| expected.to_lowercase() == text.to_lowercase())
}

fn affix(expected: &Value, text: Option<&str>, test: impl Fn(&str, &str) -> bool) -> Result<bool, String> {
    match (expected, expected.get("equals-ignore-case").and_then(Value::as_str)) {
        (Value::String(expected), _) => Ok(text.is_some_and(|text| test(text, expected))),
        (_, Some(expected)) => Ok(text.is_some_and(|text| test(&text.to_lowercase(), &expected.to_lowercase()))),
        _ => Err("`prefix` or `suffix` with a text".into()),
    }
}

fn anything_but(expected: &Value, value: &Value) -> Result<bool, String> {
    match expected {
        Value::Array(items) => Ok(!items.iter().any(|item| equal(item, value))),
        Value::Object(inner) => {
            let (name, items) = inner.iter().next().ok_or("`anything-but` with a value")?;
            for item in flatten(items) {
                if one(&serde_json::json!({ name: item }), value)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        single => Ok(!equal(single, value)),
    }
}

/// `["<", 10]`, `[">=", 0, "<", 5]`.
fn numeric(expected: &Value, value: &Value) -> Result<bool, String> {
    let wrong = || "`numeric` with pairs of a comparison and a number".to_owned();
    let conditions =
        expected.as_array().filter(|list| !list.is_empty() && list.len().is_multiple_of(2)).ok_or_else(wrong)?;
    let mut holds = true;
    for pair in conditions.chunks(2) {
        let (sign, bound) = (pair[0].as_str().ok_or_else(wrong)?, pair[1].as_f64().ok_or_else(wrong)?);
        holds &= value.as_f64().is_some_and(|value| match sign {
            "<" => value < bound,
            "<=" => value <= bound,
            ">" => value > bound,
            ">=" => value >= bound,
            _ => sign == "=" && (value - bound).abs() < f64::EPSILON,
        });
    }
    Ok(holds)
}

/// `*` stands for any characters; a backslash takes the next character as it is. So `*` in IAM works, too.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on after the last star: what follows it, and the text that it has not taken yet.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix('*') {
            pattern = rest;
            retry = Some((rest, text));
            continue;
        }
        let literal = pattern.strip_prefix('\\').filter(|rest| !rest.is_empty()).unwrap_or(pattern);
        match (literal.chars().next(), text.chars().next()) {
            (None, None) => return true,
            (Some(expected), Some(found)) if expected == found => {
                pattern = &literal[expected.len_utf8()..];
                text = &text[found.len_utf8()..];
            }
            _ => {
                let Some((after, untaken)) = retry else { return false };
                let Some(skipped) = untaken.chars().next() else { return false };
                text = &untaken[skipped.len_utf8()..];
                pattern = after;
                retry = Some((after, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let event = json!({
            "source": "aws.s3", "time": null, "n": 300, "tags": ["a", "b"], "flag": true,
            "detail": {"key": "landing/orders/x.JSONL", "list": [{"a": 1, "b": 1}, {"a": 2}], "empty": ""},
        });
        for (pattern, expected) in [
            (json!({}), true),
            (json!({"source": ["aws.s3"]}), true),
            (json!({"source": ["aws.glue", "aws.s3"]}), true),
            (json!({"source": ["aws.glue"]}), false),
            (json!({"source": "aws.s3"}), false),
            (json!({"nope": ["x"]}), false),
            (json!({"nope": {"deeper": ["x"]}}), false),
            (json!({"nope": {"deeper": [{"exists": false}]}}), true),
            (json!({"time": [null]}), true),
            (json!({"flag": [true]}), true),
            (json!({"n": [300.0]}), true),
            (json!({"n": ["300"]}), false),
            (json!({"tags": ["b"]}), true),
            (json!({"tags": ["c"]}), false),
            (json!({"detail": {"key": [{"prefix": "landing/"}]}}), true),
            (json!({"detail": {"key": [{"prefix": "raw/"}]}}), false),
            (json!({"detail": {"key": [{"prefix": {"equals-ignore-case": "LANDING/"}}]}}), true),
            (json!({"detail": {"key": [{"suffix": ".jsonl"}]}}), false),
            (json!({"detail": {"key": [{"suffix": {"equals-ignore-case": ".jsonl"}}]}}), true),
            (json!({"detail": {"key": [{"wildcard": "landing/*/*.JSONL"}]}}), true),
            (json!({"detail": {"key": [{"wildcard": "landing/*.csv"}]}}), false),
            (json!({"detail": {"key": [{"equals-ignore-case": "LANDING/orders/x.jsonl"}]}}), true),
            (json!({"detail": {"key": [{"anything-but": "x"}]}}), true),
            (json!({"detail": {"key": [{"anything-but": {"prefix": "landing/"}}]}}), false),
            (json!({"detail": {"key": [{"anything-but": {"suffix": [".csv", ".JSONL"]}}]}}), false),
            (json!({"detail": {"key": [{"anything-but": ["a", "landing/orders/x.JSONL"]}]}}), false),
            (json!({"detail": {"nope": [{"anything-but": "x"}]}}), false),
            (json!({"detail": {"key": [{"exists": true}]}}), true),
            (json!({"detail": [{"exists": true}]}), false),
            (json!({"detail": {"nope": [{"exists": false}]}}), true),
            (json!({"detail": {"empty": [""]}}), true),
            (json!({"detail": {"list": {"a": [2]}}}), true),
            (json!({"n": [{"numeric": [">", 0, "<=", 300]}]}), true),
            (json!({"n": [{"numeric": ["<", 300]}]}), false),
            (json!({"n": [{"numeric": ["=", 300]}]}), true),
            (json!({"source": [{"numeric": ["<", 300]}]}), false),
            (json!({"$or": [{"n": [1]}, {"source": ["aws.s3"]}]}), true),
            (json!({"$or": [{"n": [1]}, {"source": ["x"]}], "flag": [true]}), false),
            (json!({"source": [{"cidr": "10.0.0.0/8"}]}), false),
        ] {
            let matched = matches(&pattern, &event);
            assert_eq!(matched.is_ok(), expected, "{pattern}: {matched:?}");
        }
    }

    #[test]
    fn mismatches_have_path_and_value() {
        let event = json!({"detail": {"key": "state/x"}});
        let reported = |pattern| {
            let error = matches(&pattern, &event).unwrap_err();
            format!(
                "{} wants {}, has {:?}",
                error.path.join("."),
                error.expected,
                error.found.map(|found| found.to_string())
            )
        };
        let text = [
            json!({"detail": {"key": [{"prefix": "landing/"}, "x"]}}),
            json!({"source": ["aws.s3"]}),
            json!({"detail": {"key": [{"cidr": "10.0.0.0/8"}]}}),
            json!({"detail": {"key": [{"prefix": 1}]}}),
            json!({"detail": "x"}),
            json!(["x"]),
        ]
        .map(reported)
        .join("\n");
        insta::assert_snapshot!(text, @r#"
        detail.key wants {"prefix":"landing/"} or "x", has Some("\"state/x\"")
        source wants "aws.s3", has None
        detail.key wants a matcher that the rehearsal knows, not `cidr`, has None
        detail.key wants `prefix` or `suffix` with a text, has None
        detail wants a list: EventBridge takes no bare value, has None
         wants a pattern that is a mapping, has None
        "#);
    }

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "axxbyybzc", true),
            ("*.csv", "x.csv.csv", true),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("", "x", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// A pattern and an event, on a line each.
    #[test]
    fn fuzz_event_pattern() {
        pipectl_core::testing::fuzz::run("event-pattern", 2_000, |input| {
            let text = String::from_utf8_lossy(input);
            let mut values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let (Some(pattern), event) = (values.next(), values.next().unwrap_or_default()) else { return };
            drop(matches(&pattern, &event));
            drop(matches(&pattern, &pattern));
        });
    }
}
