//! The character sets of MySQL and MariaDB, by the number of a collation: the binlog has texts as their column keeps them.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GBK, ISO_8859_2, KOI8_R, SHIFT_JIS, UTF_16BE, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
};

/// MariaDB's collations that do not pad are this far from those that do.
const NOT_PADDED: u16 = 1024;

/// The encoding of a collation; none of UTF-8, of bytes, and of what is not known.
pub(super) fn encoding(collation: u16) -> Option<&'static Encoding> {
    let collation = if (NOT_PADDED..2048).contains(&collation) { collation - NOT_PADDED } else { collation };
    Some(match collation {
        // MySQL's latin1 is what Windows has for Western Europe.
        5 | 8 | 15 | 31 | 47..=49 | 94 => WINDOWS_1252,
        2 | 9 | 21 | 27 | 77 => ISO_8859_2,
        26 | 34 | 44 | 66 | 99 => WINDOWS_1250,
        14 | 23 | 50..=52 => WINDOWS_1251,
        7 | 74 => KOI8_R,
        25 | 70 => WINDOWS_1253,
        30 | 78 => WINDOWS_1254,
        16 | 71 => WINDOWS_1255,
        57 | 67 => WINDOWS_1256,
        29 | 58 | 59 => WINDOWS_1257,
        24 | 86 | 28 | 87 => GBK,
        13 | 88 | 95 | 96 => SHIFT_JIS,
        12 | 91 | 97 | 98 => EUC_JP,
        19 | 85 => EUC_KR,
        1 | 84 => BIG5,
        // UCS-2 and UTF-16, the latter ones of MariaDB alone.
        35 | 54 | 55 | 90 | 101..=124 | 128..=151 | 2560..3072 => UTF_16BE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_have_the_encoding_of_their_character_set() {
        let text = |collation: u16, bytes: &[u8]| encoding(collation).map(|found| found.decode(bytes).0.into_owned());
        // latin1_swedish_ci, latin1_swedish_nopad_ci, cp1251_general_ci, ucs2_general_ci, utf8mb4_general_ci, binary
        assert_eq!(text(8, b"caf\xe9 \x80"), Some("café €".into()));
        assert_eq!(text(8 + 1024, b"\xe9"), Some("é".into()));
        assert_eq!(text(51, b"\xcc\xe8\xf0"), Some("Мир".into()));
        assert_eq!(text(35, b"\x01\x41"), Some("Ł".into()));
        assert_eq!((text(45, b"x"), text(63, b"x")), (None, None));
    }
}
