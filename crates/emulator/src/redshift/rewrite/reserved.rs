//! Redshift's reserved words, and where they may not stand unquoted.

use super::token::Node;
use crate::redshift::error::{SqlError, SqlResult};

/// From Redshift's list of reserved words.
const RESERVED: &str = " AES128 AES256 ALL ALLOWOVERWRITE ANALYSE ANALYZE AND ANY ARRAY AS ASC AUTHORIZATION AZ64 BACKUP \
BETWEEN BINARY BLANKSASNULL BOTH BYTEDICT BZIP2 CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CREDENTIALS CROSS \
CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURRENT_USER_ID DEFAULT DEFERRABLE DEFLATE DEFRAG DELTA DELTA32K \
DESC DISABLE DISTINCT DO ELSE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION END EXCEPT EXPLICIT FALSE FOR FOREIGN FREEZE \
FROM FULL GLOBALDICT256 GLOBALDICT64K GRANT GROUP GZIP HAVING IDENTITY IGNORE ILIKE IN INITIALLY INNER INTERSECT INTERVAL \
INTO IS ISNULL JOIN LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP LUN LUNS LZO LZOP MINUS MOSTLY16 MOSTLY32 MOSTLY8 \
NATURAL NEW NOT NOTNULL NULL NULLS OFF OFFLINE OFFSET OID OLD ON ONLY OPEN OR ORDER OUTER OVERLAPS PARALLEL PARTITION \
PERCENT PERMISSIONS PIVOT PLACING PRIMARY RAW READRATIO RECOVER REFERENCES REJECTLOG RESORT RESPECT RESTORE RIGHT SELECT \
SESSION_USER SIMILAR SNAPSHOT SOME SYSDATE SYSTEM TABLE TAG TDES TEXT255 TEXT32K THEN TIMESTAMP TO TOP TRAILING TRUE \
TRUNCATECOLUMNS UNION UNIQUE UNNEST UNPIVOT USER USING VERBOSE WALLET WHEN WHERE WITH WITHOUT ";

/// Reserved by Redshift, unknown to PostgreSQL, and part of no query's grammar: PostgreSQL would take them as names.
const NEVER_IN_A_QUERY: &str = " AES128 AES256 ALLOWOVERWRITE AZ64 BLANKSASNULL BYTEDICT BZIP2 CREDENTIALS DEFLATE DEFRAG \
DELTA DELTA32K DISABLE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION EXPLICIT GLOBALDICT256 GLOBALDICT64K GZIP LUN LUNS \
LZO LZOP MOSTLY16 MOSTLY32 MOSTLY8 NEW OFF OFFLINE OID OLD OPEN PARALLEL PERMISSIONS RAW READRATIO RECOVER REJECTLOG \
RESORT RESTORE SNAPSHOT SYSTEM TAG TDES TEXT255 TEXT32K TRUNCATECOLUMNS WALLET ";

/// Whether Redshift takes the word as a name only in double quotes.
pub(super) fn is_reserved(word: &str) -> bool {
    listed(RESERVED, word)
}

pub(super) fn never_in_a_query(word: &str) -> bool {
    listed(NEVER_IN_A_QUERY, word)
}

fn listed(list: &str, word: &str) -> bool {
    !word.contains(' ') && list.contains(&format!(" {} ", word.to_ascii_uppercase()))
}

/// The name at a place where the grammar wants one.
pub(super) fn name(node: Option<&Node>) -> SqlResult<String> {
    match node {
        Some(Node::Word { text, .. }) if is_reserved(text) => Err(reserved(text)),
        Some(node) => node.name().ok_or_else(|| SqlError::syntax(&node.shown())),
        None => Err(SqlError::new("syntax error at end of input")),
    }
}

/// The error for a reserved word that stands as a name.
pub(super) fn reserved(word: &str) -> SqlError {
    SqlError::syntax(&word.to_lowercase())
        .hint(format!("`{0}` is a reserved word of Redshift: rename it, or write \"{0}\"", word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_second_list_are_reserved() {
        for word in NEVER_IN_A_QUERY.split_whitespace() {
            assert!(is_reserved(word), "{word}");
        }
        assert!(is_reserved("order"));
        assert!(!is_reserved("orders"));
        assert!(!is_reserved(""));
    }
}
