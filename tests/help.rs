//! The help of every verb: what a newcomer reads first.

use crate::support::Test;

#[test]
fn every_verb_has_help() {
    let test = Test::empty();
    let overview = help(&test, &[]);
    let verbs: Vec<&str> = overview
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 10, "{verbs:?}");
    insta::assert_snapshot!("pipectl", overview);
    for verb in verbs {
        insta::assert_snapshot!(verb, help(&test, &[verb]));
    }
}

fn help(test: &Test, verb: &[&str]) -> String {
    let arguments: Vec<&str> = verb.iter().copied().chain(["--help"]).collect();
    let output = test.command(&arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
