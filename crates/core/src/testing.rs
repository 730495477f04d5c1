//! What the tests of this crate and of those above it share: the reference project's files, and skipping a test by name.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::spec::Spec;
use crate::yaml::Source;

/// A file of this repository by its path; `None` if it is not there.
pub fn built_in(path: &str) -> Option<Arc<Source>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(repository.join(path)).ok()?;
    Some(Source::new(path, text))
}

/// The reference pipeline in one of its environments, and the SQL of its marts.
pub fn reference(environment: &str) -> (Spec, Vec<(String, Arc<Source>)>) {
    let file = |path: &str| built_in(path).unwrap_or_else(|| panic!("no {path}"));
    let spec = Spec::load(&file("stacks/pipeline.yaml"), &file(&format!("stacks/{environment}.yaml")), environment)
        .unwrap_or_else(|error| panic!("{error}"));
    let marts = spec.pipeline.marts.iter().map(|(name, mart)| (name.clone(), file(&mart.sql))).collect();
    (spec, marts)
}

/// Reports that a test cannot run on this machine: fails it, unless `PIPECTL_SKIP` names what is missing.
///
/// It returns only if the test is skipped, so the caller returns after it.
#[track_caller]
pub fn cannot_run(missing: &str, reason: impl Display, hint: &str) {
    let skipped = std::env::var("PIPECTL_SKIP").unwrap_or_default();
    match skip_or_fail(&skipped, missing, &reason.to_string(), hint) {
        Ok(message) => say(&message),
        Err(message) => panic!("{message}"),
    }
}

/// The folder `recorded/` with answers of AWS, which is no part of the repository: beside the checkout, or in the folder
/// that `PIPECTL_SHARED` names. Without it the tests that compare with AWS are skipped, with a message.
pub fn recorded() -> Option<PathBuf> {
    let named = std::env::var_os("PIPECTL_SHARED").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = named.clone().unwrap_or_else(beside).join("recorded");
    if folder.is_dir() {
        return Some(folder);
    }
    if named.is_some() {
        cannot_run(
            "shared",
            format!("PIPECTL_SHARED names no folder with `recorded/`: {}", folder.display()),
            "unset it",
        );
    }
    say("skipped: shared (no recorded answers of AWS beside the checkout; PIPECTL_SHARED names another folder)");
    None
}

/// The message of a skipped test, or of one that fails because it cannot run.
fn skip_or_fail(skipped: &str, missing: &str, reason: &str, hint: &str) -> Result<String, String> {
    if skipped.split([',', ' ']).any(|name| name == missing) {
        Ok(format!("skipped: {missing} ({reason})"))
    } else {
        Err(format!("this test cannot run here: {reason}\n= hint: {hint}; or skip such tests: PIPECTL_SKIP={missing}"))
    }
}

#[expect(clippy::print_stderr, reason = "a test says what it skips")]
fn say(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use super::skip_or_fail;

    #[test]
    fn only_what_is_named_is_skipped() {
        let result = |skipped| skip_or_fail(skipped, "spark", "no Python with Spark", "make setup");
        for skipped in ["spark", "mariadb,spark", "mariadb spark"] {
            assert_eq!(result(skipped).unwrap(), "skipped: spark (no Python with Spark)");
        }
        for skipped in ["", "mariadb", "sparkle", "SPARK"] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(result(skipped).unwrap_err(), @r"
                this test cannot run here: no Python with Spark
                = hint: make setup; or skip such tests: PIPECTL_SKIP=spark
                ");
            }
        }
    }
}
