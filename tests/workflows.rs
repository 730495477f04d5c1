//! The workflows that `pipectl init` writes: code of a pull request never runs where the identity is.

use pipectl::yaml::{self, Node, Source};

use crate::support::{Test, root};

/// A workflow's jobs, each with its name.
fn jobs(name: &str) -> Vec<(String, Node)> {
    let text = std::fs::read_to_string(root().join(".github/workflows").join(name)).unwrap();
    let tree = yaml::parse(&Source::new(name, text)).unwrap();
    let jobs = tree.get("jobs").unwrap().entries();
    jobs.iter().map(|(key, job)| (key.name.clone(), job.clone())).collect()
}

fn text<'a>(node: &'a Node, path: &str) -> &'a str {
    node.pointer(path).and_then(Node::as_str).unwrap_or_default()
}

#[test]
fn the_job_with_the_identity_compiles_nothing_and_verifies_what_it_runs() {
    for name in ["plan.yml", "deploy.yml"] {
        let jobs = jobs(name);
        let trusted: Vec<_> = jobs.iter().filter(|(_, job)| text(job, "/permissions/id-token") == "write").collect();
        let [(_, job)] = trusted.as_slice() else { panic!("{name}: {} jobs have an identity", trusted.len()) };
        let steps = job.get("steps").unwrap().items();
        let position = |what: &str| {
            let is = |step: &Node| text(step, "/run").contains(what) || text(step, "/uses").contains(what);
            steps.iter().position(is).unwrap_or_else(|| panic!("{name} has no `{what}`"))
        };
        assert!(position("sha256sum --check --strict") < position("configure-aws-credentials"), "{name}");
        assert!(position("configure-aws-credentials") < position("--no-build"), "{name}");
        let runs = steps.iter().map(|step| text(step, "/run")).collect::<Vec<_>>().join("\n");
        for word in ["cargo", " package ", "npm", "make", "python", "./"] {
            assert!(!runs.contains(word), "{name} runs `{word}` with an identity");
        }
        // The digests come from outputs of the jobs, not from the artifacts.
        let given = steps[position("sha256sum")].get("env").unwrap().entries();
        assert!(given.iter().all(|(_, value)| value.as_str().unwrap().contains(".outputs.sha256")), "{name}");
        assert!(jobs.iter().any(|(_, job)| {
            job.get("steps").unwrap().items().iter().any(|step| text(step, "/run").contains(" package "))
        }));
    }
}

#[test]
fn actions_and_pipectl_are_pinned_to_commits() {
    for name in ["plan.yml", "deploy.yml"] {
        for (job, node) in jobs(name) {
            for step in node.get("steps").unwrap().items() {
                let uses = text(step, "/uses");
                let commit = uses.rsplit('@').next().unwrap_or_default();
                let pinned = commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
                assert!(uses.is_empty() || pinned, "{name} {job}: {uses}");
                let run = text(step, "/run");
                assert!(
                    !run.contains("--git") || run.contains("--rev \"$PIPECTL_REVISION\"") && run.contains("{40}"),
                    "{name} {job}"
                );
            }
        }
    }
}

#[test]
fn without_a_package_nothing_is_compiled() {
    let test = Test::reference();
    for arguments in [&["plan"][..], &["deploy", "--yes"]] {
        let told = test.end(&[arguments, &["--env", "dev", "--no-build"]].concat());
        insta::allow_duplicates!(insta::assert_snapshot!(told, @"
        exit code: 65
        error: nothing is packaged for these sources of the Lambdas `load`, `shopify`
        = hint: run `pipectl package` with this pipectl and these files first, or leave out `--no-build`
        "));
    }
}
