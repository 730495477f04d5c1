//! The Query protocol's answers: a JSON value as AWS's XML.

use serde_json::Value;

/// The answer to an action. Lists become `<member>` elements, as the Query protocol wants it.
pub(crate) fn answer(action: &str, namespace: &str, result: &Value, request_id: &str) -> String {
    let mut xml = format!("<{action}Response xmlns=\"{namespace}\"><{action}Result>");
    write_children(&mut xml, result);
    xml.push_str(&format_end(action, request_id));
    xml
}

fn format_end(action: &str, request_id: &str) -> String {
    format!(
        "</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// An error answer.
pub(crate) fn error(namespace: &str, code: &str, message: &str, request_id: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        escape(code),
        escape(message)
    )
}

fn write_children(xml: &mut String, value: &Value) {
    match value {
        Value::Object(entries) => {
            for (name, child) in entries {
                // An absent member is no element at all.
                if child.is_null() {
                    continue;
                }
                xml.push('<');
                xml.push_str(name);
                xml.push('>');
                write_children(xml, child);
                xml.push_str("</");
                xml.push_str(name);
                xml.push('>');
            }
        }
        Value::Array(items) => {
            for item in items {
                xml.push_str("<member>");
                write_children(xml, item);
                xml.push_str("</member>");
            }
        }
        Value::String(text) => xml.push_str(&escape(text)),
        Value::Bool(value) => xml.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => xml.push_str(&number.to_string()),
        Value::Null => {}
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#xD;"),
            // Not allowed in XML 1.0 in any spelling.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_query_xml() {
        let result = serde_json::json!({"A": [{"B": "x<y"}, {"B": null}], "C": true, "D": []});
        assert_eq!(
            answer("Do", "urn:x", &result, "1"),
            "<DoResponse xmlns=\"urn:x\"><DoResult><A><member><B>x&lt;y</B></member><member></member></A><C>true</C><D>\
             </D></DoResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DoResponse>"
        );
    }
}
