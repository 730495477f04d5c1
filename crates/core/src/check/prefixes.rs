//! Environments of one account whose names would begin with each other's prefix.
//!
//! The policies of `shop-dev` name what begins with `shop-dev-`. With an environment `dev-eu` beside it, they would also
//! name the buckets, roles and stacks of `shop-dev-eu`.

use std::sync::Arc;

use crate::error::Error;
use crate::spec::Spec;
use crate::spec::load::environment_schema;
use crate::spec::names::RESERVED_IN_PREFIX;
use crate::spec::shape;
use crate::yaml::{self, Node, Source, Span};

/// An environment of a project, as far as its names go.
#[derive(Debug, Clone)]
pub struct Environment {
    name: String,
    prefix: String,
    account: String,
    /// The account is on this machine, and each local environment has its own.
    local: bool,
    /// Where the account stands.
    span: Span,
}

/// Reads the environments of a project, each by its name. Returns nothing about a file that cannot be read: the check of
/// that environment reports it.
pub fn environments(pipeline: &Arc<Source>, files: &[(String, Arc<Source>)]) -> Vec<Environment> {
    let Ok(pipeline) = yaml::parse(pipeline) else { return Vec::new() };
    files.iter().filter_map(|(name, file)| environment(&pipeline, name, file)).collect()
}

fn environment(pipeline: &Node, name: &str, file: &Arc<Source>) -> Option<Environment> {
    let mut tree = yaml::parse(file).ok()?;
    // An account without quotes is a number until its shape is checked.
    let _ = shape::check(&mut tree, environment_schema());
    let pipeline = tree.pointer("/overrides/name").or_else(|| pipeline.get("name"))?.as_str()?;
    let account = tree.get("account")?;
    Some(Environment {
        name: name.to_owned(),
        prefix: format!("{pipeline}-{name}"),
        account: account.as_str()?.to_owned(),
        local: matches!(tree.get("local"), Some(Node { value: yaml::Value::Bool(true), .. })),
        span: account.span.clone(),
    })
}

/// Reports each other environment of the same account whose prefix begins the prefix of `spec`, or is begun by it.
pub fn check(spec: &Spec, environments: &[Environment]) -> Vec<Error> {
    let Some(own) = environments.iter().find(|one| one.name == spec.environment_name) else { return Vec::new() };
    let mut errors: Vec<Error> = reserved(spec, own).into_iter().collect();
    let others = environments.iter().filter(|other| other.name != own.name && clash(&own.prefix, &other.prefix));
    let others = others.filter(|other| !own.local && !other.local && own.account == other.account);
    errors.extend(others.map(|other| {
        // The same error from both sides: a check of all environments reports it once.
        let longer = |one: &Environment| (one.prefix.len(), one.name.clone());
        let (short, long) = if longer(own) < longer(other) { (own, other) } else { (other, own) };
        refusal(short, long, environments)
    }));
    errors
}

/// A word with which names of another pipeline begin, known to this project or not.
fn reserved(spec: &Spec, own: &Environment) -> Option<Error> {
    if own.local {
        return None;
    }
    let words: Vec<&str> = own.prefix.split('-').collect();
    let at = (2..words.len()).find(|at| RESERVED_IN_PREFIX.contains(&words[*at]))?;
    let (word, other) = (words[at], words[..at].join("-"));
    let of_pipeline = at < spec.pipeline.name.split('-').count();
    let place = spec.tree.get("name").filter(|_| of_pipeline).map_or(&own.span, |name| &name.span);
    let what = if of_pipeline { "the pipeline".to_owned() } else { format!("`{}`", own.span.file()) };
    let error = Error::project(format!(
        "the prefix `{}` would make this a part of another pipeline: a pipeline `{other}` calls its own parts `{other}-{word}-…`",
        own.prefix
    ));
    let label = if of_pipeline { String::new() } else { format!("the account of `{}`", own.name) };
    Some(error.at(place, label).hint(format!("rename {what} so that no word after the second is `{word}`")))
}

/// Whether one prefix is the other, or the other with a delimiter and more.
fn clash(one: &str, other: &str) -> bool {
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('-'));
    one == other || begins(one, other) || begins(other, one)
}

fn refusal(short: &Environment, long: &Environment, environments: &[Environment]) -> Error {
    let (one, other) = (&long.name, &short.name);
    let message = if long.prefix == short.prefix {
        format!("the environments `{one}` and `{other}` would give the same names, `{}-…`, in one account", long.prefix)
    } else {
        format!(
            "the environment `{other}` would own what `{one}` has: its prefix `{}` begins `{}`, in one account",
            short.prefix, long.prefix
        )
    };
    let file = long.span.file();
    let error = Error::project(message).at(&long.span, format!("the account of `{other}` too"));
    error.hint(match renamed(short, long, environments) {
        Some(name) => format!("rename `{file}`, for example to `stacks/{name}.yaml`, or deploy to another account"),
        None => format!("rename `{file}` so that neither prefix begins the other, or deploy to another account"),
    })
}

/// A name for the environment that clashes with none: `eu-dev` for `dev-eu`.
fn renamed(short: &Environment, long: &Environment, environments: &[Environment]) -> Option<String> {
    let rest = long.name.strip_prefix(short.name.as_str())?.strip_prefix('-')?;
    let name = format!("{rest}-{}", short.name);
    let pipeline = long.prefix.strip_suffix(long.name.as_str())?;
    let prefix = format!("{pipeline}{name}");
    let free = environments.iter().all(|one| one.name == long.name || !clash(&prefix, &one.prefix));
    free.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::built_in;

    /// What is reported of the reference pipeline in one of some environments, each a name and its file.
    fn reported(of: &str, files: &[(&str, &str)]) -> String {
        let pipeline = built_in("stacks/pipeline.yaml").unwrap();
        let files: Vec<(String, Arc<Source>)> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Source::new(format!("stacks/{name}.yaml"), *text)))
            .collect();
        let (_, file) = files.iter().find(|(name, _)| name == of).unwrap();
        let spec = Spec::load(&pipeline, file, of).unwrap_or_else(|error| panic!("{error}"));
        let errors = check(&spec, &environments(&pipeline, &files));
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
    }

    const ONE: &str = "account: 111111111111\nregion: eu-central-1\n";

    #[test]
    fn a_prefix_that_begins_another_is_refused_from_both_sides() {
        let files = [("dev", ONE), ("dev-eu", "region: eu-west-1\naccount: \"111111111111\"\n")];
        let error = reported("dev-eu", &files);
        insta::assert_snapshot!(error, @r#"
        error: the environment `dev` would own what `dev-eu` has: its prefix `shop-dev` begins `shop-dev-eu`, in one account
         --> stacks/dev-eu.yaml:2:10
          |
        2 | account: "111111111111"
          |          ^^^^^^^^^^^^^^ the account of `dev` too
          = hint: rename `stacks/dev-eu.yaml`, for example to `stacks/eu-dev.yaml`, or deploy to another account
        "#);
        assert_eq!(reported("dev", &files), error);
    }

    #[test]
    fn a_name_in_the_overrides_counts() {
        let renamed = format!("{ONE}overrides: {{name: shop-dev}}\n");
        insta::assert_snapshot!(reported("eu", &[("dev", ONE), ("eu", &renamed)]), @"
        error: the environment `dev` would own what `eu` has: its prefix `shop-dev` begins `shop-dev-eu`, in one account
         --> stacks/eu.yaml:1:10
          |
        1 | account: 111111111111
          |          ^^^^^^^^^^^^ the account of `dev` too
          = hint: rename `stacks/eu.yaml` so that neither prefix begins the other, or deploy to another account
        ");
        insta::assert_snapshot!(reported("eu", &[("dev-eu", ONE), ("eu", &renamed)]), @"
        error: the environments `eu` and `dev-eu` would give the same names, `shop-dev-eu-…`, in one account
         --> stacks/eu.yaml:1:10
          |
        1 | account: 111111111111
          |          ^^^^^^^^^^^^ the account of `dev-eu` too
          = hint: rename `stacks/eu.yaml` so that neither prefix begins the other, or deploy to another account
        ");
    }

    #[test]
    fn a_word_with_which_names_of_others_begin_is_refused() {
        insta::assert_snapshot!(reported("dev-ingest", &[("dev-ingest", ONE)]), @"
        error: the prefix `shop-dev-ingest` would make this a part of another pipeline: a pipeline `shop-dev` calls its own parts `shop-dev-ingest-…`
         --> stacks/dev-ingest.yaml:1:10
          |
        1 | account: 111111111111
          |          ^^^^^^^^^^^^ the account of `dev-ingest`
          = hint: rename `stacks/dev-ingest.yaml` so that no word after the second is `ingest`
        ");
        let renamed = format!("{ONE}overrides: {{name: shop-eu-source}}\n");
        insta::assert_snapshot!(reported("dev", &[("dev", &renamed)]), @"
        error: the prefix `shop-eu-source-dev` would make this a part of another pipeline: a pipeline `shop-eu` calls its own parts `shop-eu-source-…`
         --> stacks/dev.yaml:3:19
          |
        3 | overrides: {name: shop-eu-source}
          |                   ^^^^^^^^^^^^^^
          = hint: rename the pipeline so that no word after the second is `source`
        ");
        // No pipeline has a prefix of one word, so nothing of another begins there.
        let second = format!("{ONE}overrides: {{name: shop-ingest}}\n");
        assert_eq!(reported("dev", &[("dev", &second)]) + &reported("ingest", &[("ingest", ONE)]), "");
    }

    #[test]
    fn other_accounts_and_other_words_are_no_clash() {
        let other = "account: \"222222222222\"\nregion: eu-central-1\n";
        let local = format!("{ONE}local: true\n");
        for (name, text) in
            [("dev-eu", other), ("dev2", ONE), ("eu-dev", ONE), ("dev-eu", &local), ("dev-eu", "account: [\n")]
        {
            assert_eq!(reported("dev", &[("dev", ONE), (name, text)]), "", "{name} {text}");
        }
    }
}
