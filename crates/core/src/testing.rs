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

#[expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests run it, and read what it prints")]
pub mod fuzz {
    //! Hostile inputs: those in `fuzz/corpus`, and variations of them.
    //!
    //! A target is a function that takes any bytes and returns. The tests run each target over its corpus and a fixed number
    //! of variations, the same ones every time. `PIPECTL_FUZZ=600 cargo test fuzz` runs each for ten minutes over others, and
    //! keeps the input on which a target fails or is slow in `target/fuzz`.

    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use super::built_in;
    use crate::iam::{Policies, Request};
    use crate::resource::Resource;
    use crate::spec::Spec;
    use crate::sql::{self, Catalog, Column, Dialect, Kind, Relation};
    use crate::template::{Evaluated, PseudoParameters, Scope, Template};
    use crate::yaml::{self, Source};
    use crate::{render, warehouse};

    /// The longest input.
    const LONGEST: usize = 64 * 1024;
    /// A single input that takes longer is worth a look. Only the long run measures it.
    const SLOW: Duration = Duration::from_secs(2);

    /// Runs a target over its corpus and this many variations of it. Fails with the input on which the target panics.
    pub fn run(name: &str, variations: u64, target: impl Fn(&[u8])) {
        run_with(name, variations, &[], target);
    }

    /// The same with files of the reference project as a part of the corpus.
    pub fn run_with(name: &str, variations: u64, project: &[&str], target: impl Fn(&[u8])) {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = repository.join("fuzz/corpus").join(name);
        let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        corpus.extend(project.iter().map(|path| built_in(path).unwrap().text.as_bytes().to_vec()));
        assert!(!corpus.is_empty(), "no corpus in {}", folder.display());
        let seconds = std::env::var("PIPECTL_FUZZ").ok().and_then(|text| text.parse::<u64>().ok());
        let kept = repository.join("target/fuzz");
        let try_one = |input: &[u8]| {
            if seconds.is_some() {
                // A crash of the process leaves it there.
                fs::create_dir_all(&kept).unwrap();
                fs::write(kept.join(format!("{name}.last")), input).unwrap();
            }
            let begun = Instant::now();
            let panicked = catch_unwind(AssertUnwindSafe(|| target(input))).is_err();
            let slow = seconds.is_some() && begun.elapsed() > SLOW;
            if panicked || slow {
                fs::create_dir_all(&kept).unwrap();
                let what = if panicked { "panic" } else { "slow" };
                let path = kept.join(format!("{name}-{what}-{}", &crate::digest::sha256(input)[..12]));
                fs::write(&path, input).unwrap();
                assert!(!panicked, "{name} panics on {}", path.display());
                println!("{name} took {:?} on {}", begun.elapsed(), path.display());
            }
        };
        for input in &corpus {
            try_one(input);
        }
        let seed = if seconds.is_some() { u64::from(std::process::id()) } else { 1 };
        let mut make = Variations { random: Random(seed * 2 + 1), words: words(&corpus), corpus };
        let (begun, mut tried) = (Instant::now(), 0);
        while seconds.map_or(tried < variations, |seconds| begun.elapsed().as_secs() < seconds) {
            try_one(&make.next());
            tried += 1;
        }
        println!("{name}: {} inputs of the corpus, {tried} variations", make.corpus.len());
    }

    /// xorshift: the same seed gives the same numbers everywhere.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 11).unwrap_or(0) % end.max(1)
        }
    }

    struct Variations {
        random: Random,
        corpus: Vec<Vec<u8>>,
        /// Words and signs of the corpus, to be put where others are.
        words: Vec<Vec<u8>>,
    }

    fn words(corpus: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut words = BTreeSet::new();
        for input in corpus {
            for word in input.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b':' | b'!')) {
                words.insert(word[..word.len().min(40)].to_vec());
            }
        }
        let signs = [
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "\"",
            "'",
            "`",
            "\\",
            "--",
            "/*",
            "*/",
            ";",
            ":",
            ",",
            "\n",
            "\r\n",
            "\t",
            "\0",
            " ",
            "*",
            "&a ",
            "*a",
            "!Ref ",
            "${",
            "{{",
            "}}",
            "- ",
            "|\n",
            "\u{feff}",
            "é",
            "\u{202e}",
            "-1",
            "1e999",
            "0x",
            "18446744073709551616",
            "null",
            "true",
            "~",
            "<<: ",
            "%",
            "\x1b[2J",
        ];
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .chain(signs.iter().map(|sign| sign.as_bytes().to_vec()))
            .collect()
    }

    impl Variations {
        fn next(&mut self) -> Vec<u8> {
            let mut input = self.corpus[self.random.below(self.corpus.len())].clone();
            for _ in 0..=self.random.below(6) {
                self.change(&mut input);
            }
            input.truncate(LONGEST);
            input
        }

        fn change(&mut self, input: &mut Vec<u8>) {
            let from = self.random.below(input.len() + 1);
            let to = (from + self.random.below(24)).min(input.len());
            let part = input[from..to].to_vec();
            let word = self.words[self.random.below(self.words.len())].clone();
            match self.random.below(9) {
                0 => drop(input.splice(from..to, [])),
                1 => drop(input.splice(from..from, word)),
                2 => drop(input.splice(from..to, word)),
                3 => {
                    let times = [2, 10, 200, 3_000][self.random.below(4)];
                    let what = if self.random.below(2) == 0 { part } else { word };
                    let times = times.min(LONGEST / what.len().max(1));
                    input.splice(from..from, what.repeat(times));
                }
                4 => {
                    let other = &self.corpus[self.random.below(self.corpus.len())];
                    let (one, two) = (self.random.below(other.len() + 1), self.random.below(other.len() + 1));
                    input.splice(from..to, other[one.min(two)..one.max(two)].to_vec());
                }
                5 if from < input.len() => input[from] = u8::try_from(self.random.below(256)).unwrap_or(0),
                6 if from < input.len() => input[from] ^= 1 << self.random.below(8),
                7 => input.truncate(from),
                _ => {
                    let at = self.random.below(input.len() + 1);
                    input.splice(at..at, part);
                }
            }
        }
    }

    fn text(input: &[u8]) -> String {
        String::from_utf8_lossy(input).into_owned()
    }

    /// `stacks/pipeline.yaml`, and what is made of it.
    pub fn spec(input: &[u8]) {
        let environment = Source::new("stacks/dev.yaml", "account: '111111111111'\nregion: eu-central-1\n");
        match Spec::load(&Source::new("stacks/pipeline.yaml", text(input)), &environment, "dev") {
            Err(error) => drop(error.to_string()),
            Ok(spec) => {
                drop(warehouse::setup(&spec));
                drop(warehouse::check(&spec));
                // Templates that are rendered from a good spec are good.
                if let Err(error) = render::stacks(&spec, &|path| Ok(built_in(path))) {
                    assert!(!error.to_string().contains("is not valid YAML"), "{error}");
                }
            }
        }
    }

    /// A CloudFormation template, read and evaluated.
    pub fn template(input: &[u8]) {
        let template = match Template::parse(&Source::new("template.yaml", text(input))) {
            Ok(template) => template,
            Err(error) => return drop(error.to_string()),
        };
        let pseudo =
            PseudoParameters { account: "1".into(), region: "us-east-1".into(), ..PseudoParameters::default() };
        let Ok(texts) = template.parameter_texts(&BTreeMap::new()) else { return };
        let parameters = template.parameter_values(&texts);
        let lookup = &|_: crate::template::Lookup<'_>| Evaluated::Unknown("later".to_owned());
        let scope = Scope { template: &template, parameters: &parameters, pseudo: &pseudo, lookup };
        for resource in template.creation_order() {
            drop(scope.includes(resource));
            drop(scope.properties(resource));
        }
    }

    /// A Handlebars template.
    pub fn handlebars(input: &[u8]) {
        let (spec, _) = super::reference("dev");
        let source = Source::new("templates/network.yaml.hbs", text(input));
        let file = |path: &str| Ok(if path == source.name { Some(source.clone()) } else { built_in(path) });
        if let Err(error) = render::stacks(&spec, &file) {
            drop(error.to_string());
        }
    }

    /// The query of a mart and of a transform.
    pub fn sql(input: &[u8]) {
        let columns = ["id", "total", "tags"].map(|name| Column::new(name, Kind::Bigint)).to_vec();
        let relation = |schema: Option<&str>| Relation {
            schema: schema.map(str::to_owned),
            name: "orders".into(),
            columns: Some(columns.clone()),
        };
        let catalog =
            Catalog { relations: vec![relation(Some("core")), relation(None)], open: vec!["pg_catalog".into()] };
        for dialect in [Dialect::Redshift, Dialect::Spark] {
            let checked = sql::check(&Source::new("m.sql", text(input)), dialect, &catalog);
            drop(checked.errors.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }

    /// A policy of a role, asked about a call.
    pub fn iam(input: &[u8]) {
        let Ok(node) = yaml::parse(&Source::new("policy.json", text(input))) else { return };
        let document = node.to_json();
        for kind in ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"] {
            let properties = serde_json::json!({
                "RoleName": "app", "AssumeRolePolicyDocument": document, "PolicyDocument": document, "Roles": ["app"],
                "Policies": [{"PolicyName": "p", "PolicyDocument": document}], "Bucket": "b", "Queues": ["q"],
            });
            let resource = Resource {
                stack: "iam".into(),
                id: "R".into(),
                kind: kind.into(),
                name: "app".into(),
                properties,
                node: Some(node.clone().into()),
            };
            let policies = Policies::gather("123456789012", "us-east-1", &[resource]);
            for (action, on) in
                [("s3:GetObject", "arn:aws:s3:::b/k"), ("sts:AssumeRole", "arn:aws:iam::123456789012:role/app")]
            {
                let request = Request::of_role("app", action, on).with("aws:SourceIp", "10.0.0.1");
                drop(policies.decide(&request));
                drop(policies.decide(&Request::of_service("lambda.amazonaws.com", action, on)));
            }
        }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn fuzz_spec() {
            super::run_with("spec", 200, &["stacks/pipeline.yaml"], super::spec);
        }

        #[test]
        fn fuzz_template() {
            super::run("template", 400, super::template);
        }

        #[test]
        fn fuzz_handlebars() {
            super::run("handlebars", 20, super::handlebars);
        }

        #[test]
        fn fuzz_sql() {
            let marts = ["customer_value", "daily_revenue", "top_products"].map(|mart| format!("sql/marts/{mart}.sql"));
            super::run_with("sql", 300, &marts.each_ref().map(String::as_str), super::sql);
        }

        #[test]
        fn fuzz_iam() {
            super::run("iam", 400, super::iam);
        }
    }
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
