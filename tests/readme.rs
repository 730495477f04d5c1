//! README.md and docs/plan.md say what happens: their blocks marked `console tested` are run, in order, in a folder each.
//!
//! A line that begins with `$ ` is a command: `pipectl …` or `cd …`. The lines after it are what it prints, stdout before
//! stderr; a line `…` stands for any number of lines.

use std::path::PathBuf;

use crate::support::{Test, root};

struct Step {
    command: String,
    expected: Vec<String>,
}

#[test]
fn the_readme_tells_the_truth() {
    for (file, least) in [("README.md", 5), ("docs/plan.md", 1)] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let steps = steps(&text);
        assert!(steps.len() >= least, "{} commands of {file} are tested", steps.len());
        carry_out(&steps);
    }
}

fn carry_out(steps: &[Step]) {
    let test = Test::empty();
    let mut folder = PathBuf::new();
    for step in steps {
        let words: Vec<&str> = step.command.split_whitespace().collect();
        match words.as_slice() {
            ["cd", target] => folder.push(target),
            ["pipectl", arguments @ ..] => {
                let output = test.command(arguments).current_dir(test.path(folder.to_str().unwrap())).output().unwrap();
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8(said).unwrap();
                let said: Vec<&str> = said.lines().map(str::trim_end).collect();
                let expected: Vec<&str> = step.expected.iter().map(String::as_str).collect();
                assert!(matches(&expected, &said), "`{}` printed:\n{}", step.command, said.join("\n"));
            }
            _ => panic!("`{}` is neither `pipectl …` nor `cd …`", step.command),
        }
    }
}

fn steps(readme: &str) -> Vec<Step> {
    let blocks = readme.split("```console tested\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            (None, Some(step)) => step.expected.push(line.trim_end().to_owned()),
            (None, None) => panic!("`{line}` comes before any command"),
        }
    }
    steps
}

fn matches(expected: &[&str], said: &[&str]) -> bool {
    match expected {
        [] => said.is_empty(),
        ["…", rest @ ..] => (0..=said.len()).any(|skipped| matches(rest, &said[skipped..])),
        [first, rest @ ..] => said.first() == Some(first) && matches(rest, &said[1..]),
    }
}

#[test]
fn an_ellipsis_stands_for_any_lines() {
    assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]) && matches(&["…"], &[]));
    assert!(!matches(&["a", "…", "d"], &["a", "b"]) && !matches(&[], &["a"]));
}
