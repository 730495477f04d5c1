//! A source of the user's own: a Lambda in the project's `lambda-src`.

use pipectl_contract::names::{Artifact, environment};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;
use crate::spec::Map;
use crate::spec::source::{FileFormat, Files};
use crate::yaml::{Key, Node};

/// Your own Lambda that writes objects below `landing/<table>/`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The crate in the project's `lambda-src/`, which is a cargo workspace. Its binary has the crate's name.
    #[serde(rename = "crate")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]*$"), length(max = 64))]
    pub package: String,
    /// When it runs: an EventBridge Scheduler expression, such as `rate(1 hour)` or `cron(0 6 * * ? *)`.
    #[serde(default = "default_schedule")]
    #[schemars(regex(pattern = r"^(rate|cron)\(.+\)$"))]
    pub schedule: String,
    /// Whether it has a secret. Its name is in the variable `SECRET_NAME`; you store the value once.
    #[serde(default)]
    pub secret: bool,
    /// The format of its objects. Default: JSON lines.
    #[serde(default = "default_files", deserialize_with = "json_lines_unless_said")]
    #[schemars(with = "Files", default = "default_files")]
    pub files: Files,
    /// Memory in MiB. Default: `functions.memory`.
    #[serde(default)]
    #[schemars(range(min = 128, max = 10240))]
    pub memory: Option<u32>,
    /// A call is stopped after this many seconds. Default: `functions.timeout`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 900))]
    pub timeout: Option<u32>,
    /// More environment variables. Not for secrets: the console shows them.
    #[serde(default)]
    pub environment: Map<String>,
}

fn default_schedule() -> String {
    "rate(1 hour)".into()
}

fn default_files() -> Files {
    Files { format: FileFormat::Jsonl, ..Files::default() }
}

/// Files whose format, where none is named, is JSON lines and not CSV.
fn json_lines_unless_said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Files, D::Error> {
    let mut files = serde_json::Map::deserialize(deserializer)?;
    files.entry("format").or_insert_with(|| "jsonl".into());
    serde_json::from_value(files.into()).map_err(serde::de::Error::custom)
}

/// What Lambda sets, and lets nobody else set.
const LAMBDAS: [&str; 3] = ["AWS_", "LAMBDA_", "_"];

/// Checks a `lambda` source by its node.
pub(in crate::spec) fn check(source: &Key, node: &Node, errors: &mut Vec<Error>) {
    if let Some(package) = node.get("crate")
        && let Some(name) =
            package.as_str().filter(|name| Artifact::ALL.iter().any(|artifact| artifact.as_str() == *name))
    {
        errors.push(
            Error::project(format!("the crate of the source `{}` cannot be called `{name}`", source.name))
                .at(&package.span, "a part of pipectl has this name")
                .hint(format!("rename the crate, for example to `{name}-source`")),
        );
    }
    for (key, _) in node.get("environment").map_or(&[][..], Node::entries) {
        let name = key.name.as_str();
        let problem = if environment::ALL.contains(&name) {
            Some("pipectl sets it")
        } else if LAMBDAS.iter().any(|start| name.starts_with(start)) {
            Some("Lambda keeps it for itself")
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            Some("letters, digits and `_` only")
        } else {
            None
        };
        if let Some(problem) = problem {
            errors.push(
                Error::project(format!("`{name}` cannot be an environment variable of the source `{}`", source.name))
                    .at(&key.span, problem)
                    .hint("rename the variable"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn a_crate_may_not_have_a_reserved_name() {
        let node =
            |package: &str| yaml::parse(&yaml::Source::new("p.yaml", format!("w: {{crate: {package}}}"))).unwrap();
        for (package, taken) in [("ingest", true), ("load", true), ("library", true), ("weather", false)] {
            let (node, mut errors) = (node(package), Vec::new());
            let (source, of) = &node.entries()[0];
            check(source, of, &mut errors);
            assert_eq!(errors.len(), usize::from(taken), "{package}");
        }
    }

    #[test]
    fn files_are_json_lines_by_default() {
        let format = |files: &str| {
            let custom: Custom = serde_json::from_str(&format!(r#"{{"crate": "weather"{files}}}"#)).unwrap();
            (custom.files.format, custom.files.snapshot)
        };
        assert_eq!(format(""), (FileFormat::Jsonl, false));
        assert_eq!(format(r#", "files": {"snapshot": true}"#), (FileFormat::Jsonl, true));
        assert_eq!(format(r#", "files": {"format": "csv"}"#), (FileFormat::Csv, false));
    }
}
