//! Every rule finds its bad example, and none finds its good one.

use std::collections::BTreeMap;

use super::*;
use crate::render::{RenderedStack, declared_resources};
use crate::template::{Template, shape};
use crate::yaml::Source;

/// Resources that the examples refer to.
const AROUND: &str = r#"
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}}}
  Function:
    Type: AWS::Lambda::Function
    Properties: {Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: index.handler, Code: {ZipFile: x}}
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}
  Failed: {Type: AWS::SQS::Queue, Properties: {}}
  Topic: {Type: AWS::SNS::Topic, Properties: {}}
  Key: {Type: AWS::KMS::Key, Properties: {}}
  Secret: {Type: AWS::SecretsManager::Secret, Properties: {}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {}}
  Other: {Type: AWS::S3::Bucket, Properties: {VersioningConfiguration: {Status: Enabled}}}
  Job:
    Type: AWS::Glue::Job
    Properties: {Role: !Ref Role, Command: {Name: glueetl, ScriptLocation: "s3://b/j.py"}}
"#;

/// An example as a template, with the resources around it that it does not define itself.
fn template(rule: &Rule, example: &str) -> String {
    let text = if example.starts_with("Resources:") {
        example.to_owned()
    } else {
        let properties = if example.starts_with('{') { example.to_owned() } else { format!("{{{example}}}") };
        format!("Resources:\n  Example:\n    Type: {}\n    Properties: {properties}", rule.types[0])
    };
    let around =
        AROUND.split("\n  ").filter(|part| !part.trim().is_empty()).fold(Vec::new(), |mut parts: Vec<String>, part| {
            match parts.last_mut() {
                Some(last) if part.starts_with(' ') => last.extend(["\n  ", part]),
                _ => parts.push(part.to_owned()),
            }
            parts
        });
    let missing = around.iter().filter(|part| {
        let name = part.split(':').next().unwrap_or_default();
        !text.contains(&format!("\n  {name}:"))
    });
    missing.fold(text.clone(), |all, part| format!("{all}\n  {}", part.trim_end()))
}

/// What all rules, and the schemas, say of a template.
fn said(text: &str) -> Vec<String> {
    said_in(text, "111111111111")
}

fn said_in(text: &str, account: &str) -> Vec<String> {
    let template =
        Template::parse(&Source::new("example.yaml", text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let stack = RenderedStack {
        name: "example".into(),
        stack_name: "example".into(),
        text: text.into(),
        template,
        inputs: Vec::new(),
        tags: crate::spec::Map::default(),
        termination_protection: false,
    };
    let resources = declared_resources(&[stack], account, "us-east-1");
    let world = World {
        account,
        region: "us-east-1",
        resources: resources.iter().map(|one| crate::check::values::of_template(one, account, "us-east-1")).collect(),
        is_complete: true,
    };
    let mut all = Vec::new();
    for one in &world.resources {
        for mismatch in shape::mismatches(one.resource_type, one.properties) {
            all.push(format!("schema: {}: {} {}", one.logical_id, mismatch.path.join("/"), mismatch.message));
        }
        for finding in findings(one, &world) {
            all.push(format!("{}: {} {}", finding.rule, one.logical_id, finding.message));
        }
    }
    all
}

#[test]
fn every_rule_finds_its_bad_example_and_no_rule_finds_its_good_one() {
    let mut wrong = Vec::new();
    for rule in rules().filter(|rule| !rule.bad.is_empty()) {
        let bad = said(&template(rule, rule.bad));
        if !bad.iter().any(|text| text.starts_with(&format!("{}: ", rule.id))) {
            wrong.push(format!("{} does not find its bad example: {bad:?}", rule.id));
        }
        let good = said(&template(rule, rule.good));
        if !good.is_empty() {
            wrong.push(format!("the good example of {}: {good:?}", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_have_different_ids_and_a_page_of_aws() {
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in rules() {
        *ids.entry(rule.id).or_default() += 1;
        assert!(rule.source.starts_with("https://docs.aws.amazon.com/"), "{}", rule.id);
        assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", rule.id);
    }
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
}

/// The page of the rules, service by service.
fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut service = "";
    for rule in rules() {
        let owner = match rule.types {
            ["*"] => "All services",
            types if types.len() > 5 && rule.id.starts_with("policy-") => "IAM",
            types => types[0].split("::").nth(1).unwrap_or_default(),
        };
        if owner != service {
            service = owner;
            let _ = writeln!(page, "\n## {service}");
        }
        let types = match rule.types {
            ["*"] => "every type".to_owned(),
            types if types.len() > 7 => "every type with a policy".to_owned(),
            types => types.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        let _ = writeln!(
            page,
            "\n### `{}`\n\n{types}, `{}`. AWS accepts {}. [AWS]({})",
            rule.id, rule.property, rule.accepts, rule.source
        );
        if !rule.bad.is_empty() {
            let _ = writeln!(page, "\n```yaml\n# refused\n{}\n# accepted\n{}\n```", rule.bad, rule.good);
        }
    }
    page
}

const INTRODUCTION: &str = "# The rules of `pipectl check`

<!-- Generated: PIPECTL_UPDATE=1 cargo test -p pipectl-core service_rules:: -->

`pipectl check` applies these rules to the rendered templates of every environment, your own templates included. An error names
the rule, the line of the template, and the page of AWS that says what is accepted.

Two rules come from AWS's resource schemas, as the `cfn-lint` package ships them:

- `schema`: unknown, missing and mutually exclusive properties, wrong types, values outside of an enumeration, a pattern, a length or a range
- `resource-type`: types that AWS does not have

The other rules are what the services refuse beyond their schemas. A value that is known only after a deployment is not checked.

To report errors to a program, run `pipectl check --format json`, or `--format sarif` for code scanning.

To ignore a rule for one resource, give the reason in the template:

```yaml
Trail:
  Type: AWS::CloudTrail::Trail
  Metadata:
    pipectl:
      ignore:
        reference: the audit team owns the bucket
```

An ignored rule without a reason, or one that finds nothing, is an error.

The examples refer to resources such as `Role` and `Queue`, which are in the same template.
";

#[test]
fn the_page_of_the_rules_is_the_committed_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md");
    if std::env::var_os("PIPECTL_UPDATE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page(), "docs/rules.md is out of date: run this test with PIPECTL_UPDATE=1");
}

/// Templates with one mistake each, which AWS refuses.
#[test]
fn every_template_with_a_mistake_is_found() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases/templates");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("skipped: no templates with mistakes on this machine");
        return;
    };
    let mut passed: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let found = said_in(&text, "000000000000");
            eprintln!("{}: {}", path.file_name().unwrap().display(), found.join("; "));
            found.is_empty().then(|| text.chars().take(300).collect())
        })
        .collect();
    passed.sort();
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

/// A template with many types of resources, which AWS's own linter passes.
#[test]
fn a_good_template_with_many_resources_passes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/aws-snippets.yaml");
    match std::fs::read_to_string(path) {
        Ok(text) => assert_eq!(said(&text), Vec::<String>::new()),
        Err(_) => eprintln!("skipped: no template with many resources on this machine"),
    }
}
