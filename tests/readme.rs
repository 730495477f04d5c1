//! README.md and docs/ say what happens: the blocks marked `console tested` are run, in order, in a folder a page.
//!
//! A line that begins with `$ ` is a command: `pipectl …` or `cd …`. The lines after it are what it prints, stdout alone
//! or before stderr; a line `…` stands for any number of lines, and `…` in a line for any text.

use std::path::PathBuf;

use crate::support::{Test, root};

struct Step {
    command: String,
    expected: Vec<String>,
}

#[test]
fn the_readme_matches_the_program() {
    for (file, least) in [("README.md", 5), ("docs/plan.md", 1)] {
        let steps = steps(file);
        assert!(steps.len() >= least, "{} commands of {file} are tested", steps.len());
        run_steps(&steps, &Test::empty());
    }
}

/// With a rehearsal: what is packaged and the Spark of the repository stand in for the first, slow ones.
#[cfg(feature = "rehearse")]
#[test]
fn the_first_pipeline_matches_the_program() {
    if crate::rehearse::project().is_none() {
        return;
    }
    let steps = steps("docs/first-pipeline.md");
    assert!(steps.len() >= 6, "{} commands are tested", steps.len());
    let test = Test::empty();
    crate::rehearse::made_ready(&test, "my-shop");
    run_steps(&steps, &test);
}

fn run_steps(steps: &[Step], test: &Test) {
    let mut folder = PathBuf::new();
    for step in steps {
        let words: Vec<&str> = step.command.split_whitespace().collect();
        match words.as_slice() {
            ["cd", target] => folder.push(target),
            ["pipectl", arguments @ ..] => {
                let output = test.command(arguments).current_dir(test.path(folder.to_str().unwrap())).output().unwrap();
                let [stdout, stderr] =
                    [output.stdout, output.stderr].map(|printed_text| String::from_utf8(printed_text).unwrap());
                let result: Vec<&str> = stdout.lines().map(str::trim_end).collect();
                let printed_text: Vec<&str> = stdout.lines().chain(stderr.lines()).map(str::trim_end).collect();
                let expected: Vec<&str> = step.expected.iter().map(String::as_str).collect();
                let as_shown = matches(&expected, &printed_text) || !result.is_empty() && matches(&expected, &result);
                assert!(as_shown, "`{}` printed:\n{}", step.command, printed_text.join("\n"));
            }
            _ => panic!("`{}` is neither `pipectl …` nor `cd …`", step.command),
        }
    }
}

fn steps(file: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let blocks = text.split("```console tested\n").skip(1).filter_map(|rest| rest.split("```").next());
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

fn matches(expected: &[&str], printed_text: &[&str]) -> bool {
    match expected {
        [] => printed_text.is_empty(),
        ["…", rest @ ..] => (0..=printed_text.len()).any(|skipped| matches(rest, &printed_text[skipped..])),
        [first, rest @ ..] => {
            printed_text.first().is_some_and(|line| is_line(first, line)) && matches(rest, &printed_text[1..])
        }
    }
}

fn is_line(expected: &str, printed_text: &str) -> bool {
    match expected.split_once('…') {
        None => expected == printed_text,
        Some((start, rest)) => {
            let ends =
                |rest: &str| printed_text.strip_prefix(start).is_some_and(|printed_text| printed_text.ends_with(rest));
            ends(rest) && !rest.contains('…')
        }
    }
}

#[test]
fn the_examples_of_the_spec_are_valid() {
    for file in ["README.md", "docs/spec.md"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let mut blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let example = blocks.find(|block| block.starts_with("name: ")).unwrap();
        let mart = "SELECT id, total FROM core.orders\n";
        let test = Test::reference().write("stacks/pipeline.yaml", example).write("sql/marts/daily_revenue.sql", mart);
        let printed_text = test.run(&["check", "--env", "prod"]);
        assert!(printed_text.starts_with("exit code: 0"), "{file}:\n{printed_text}");
    }
}

/// Every relative link of a page leads to a file, and its anchor to a heading.
#[test]
fn links_of_pages_resolve() {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md"), root().join("CONTRIBUTING.md")];
    pages.extend(["docs", "docs/sources"].iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md"))
    }));
    let mut dead = Vec::new();
    let mut checked = 0;
    for page in &pages {
        let text = std::fs::read_to_string(page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            checked += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let leads = match std::fs::read_to_string(&file) {
                Ok(text) => anchor.is_empty() || text.lines().any(|line| anchor_of(line).as_deref() == Some(anchor)),
                Err(_) => file.is_dir(),
            };
            if !leads {
                dead.push(format!("{}: {target}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(checked > 50, "{checked} links were checked");
}

/// The anchor that GitHub gives a heading: lower case, without punctuation, `-` for blanks.
fn anchor_of(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#');
    let kept = title.trim().to_lowercase();
    (title.len() < line.len() && title.starts_with(' ')).then(|| {
        kept.chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

#[test]
fn an_ellipsis_matches_any_lines() {
    assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]) && matches(&["…"], &[]));
    assert!(!matches(&["a", "…", "d"], &["a", "b"]) && !matches(&[], &["a"]));
    assert!(matches(&["took … s"], &["took 1.2 s"]) && !matches(&["took … s"], &["took 1.2 min"]));
}
