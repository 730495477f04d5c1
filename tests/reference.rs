//! docs/spec.md: its reference is what the schemas say.

use crate::support::root;

/// What stands before this line is written by hand, what follows it is generated.
const MARK: &str = "<!-- The rest is generated: PIPECTL_UPDATE=1 cargo test --test main reference:: -->\n";

#[test]
fn the_committed_reference_is_up_to_date() {
    let path = root().join("docs/spec.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let (introduction, _) = committed.split_once(MARK).unwrap();
    let text = format!("{introduction}{MARK}\n{}", pipectl::spec::reference::markdown());
    if std::env::var_os("PIPECTL_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    } else {
        assert_eq!(text, committed, "run the tests with PIPECTL_UPDATE=1");
    }
}
