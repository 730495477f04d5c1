//! Tables of the documentation that a test makes: `PIPECTL_UPDATE=1` writes them, every other run compares.

use super::root;

/// Compares what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->` of docs/reliability.md.
pub(crate) fn compare(name: &str, table: &str) {
    let path = root().join("docs/reliability.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = page.split_once(&begin).unwrap();
    let (old, tail) = rest.split_once(&end).unwrap();
    if std::env::var_os("PIPECTL_UPDATE").is_some() {
        std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(old, table, "docs/reliability.md is out of date: run this test with PIPECTL_UPDATE=1");
    }
}
