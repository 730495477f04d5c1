//! The text of a query without its comments and string literals.

/// The text with comments and string literals blanked out, every byte at its place.
pub(crate) fn mask_literals(sql: &str) -> String {
    let bytes = sql.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'-', b'-', ..] => sql[at..].find('\n').map_or(bytes.len(), |length| at + length),
            [b'/', b'*', ..] => sql[at + 2..].find("*/").map_or(bytes.len(), |length| at + length + 4),
            [b'\'', ..] => sql[at + 1..].find('\'').map_or(bytes.len(), |length| at + length + 2),
            _ => {
                at += 1;
                while !sql.is_char_boundary(at) {
                    at += 1;
                }
                continue;
            }
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(code).unwrap_or_default()
}
