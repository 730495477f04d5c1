//! JSON lines as Shopify writes them: compact, and with `/` escaped.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a row and its line break.
pub fn write_row(out: &mut impl Write, row: &impl Serialize) -> io::Result<()> {
    row.serialize(&mut Serializer::with_formatter(&mut *out, EscapedSlashes))?;
    out.write_all(b"\n")
}

/// Compact JSON in which a slash is `\/`.
struct EscapedSlashes;

impl Formatter for EscapedSlashes {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut parts = fragment.split('/');
        writer.write_all(parts.next().unwrap_or_default().as_bytes())?;
        for part in parts {
            writer.write_all(b"\\/")?;
            writer.write_all(part.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_escaped_and_nothing_else_changes() {
        let mut out = Vec::new();
        write_row(&mut out, &serde_json::json!({"id": "gid://shopify/Order/1", "note": "\"a\"\n/", "é": null}))
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "{\"id\":\"gid:\\/\\/shopify\\/Order\\/1\",\"note\":\"\\\"a\\\"\\n\\/\",\"é\":null}\n");
    }
}
