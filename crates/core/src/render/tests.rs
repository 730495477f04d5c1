use std::sync::LazyLock;

use super::*;
use crate::template::{Expression, Resource};
use crate::testing::built_in;

/// The reference pipeline in one of its environments, with more overrides laid over it.
fn spec(environment: &str, overrides: &str) -> Spec {
    let pipeline = built_in("stacks/pipeline.yaml").unwrap();
    let file = built_in(&format!("stacks/{environment}.yaml")).unwrap();
    let text = if overrides.is_empty() {
        file.text.clone()
    } else {
        let (head, _) = file.text.split_once("overrides:").unwrap();
        format!("{head}overrides: {overrides}\n")
    };
    Spec::load(&pipeline, &Source::new(file.name.clone(), text), environment).unwrap_or_else(|error| panic!("{error}"))
}

fn render(spec: &Spec) -> Vec<RenderedStack> {
    stacks(spec, &|path| Ok(built_in(path))).unwrap_or_else(|error| panic!("{error}"))
}

/// Every way that a template can go: the environments of the project, and what they leave out.
static VARIANTS: LazyLock<Vec<Vec<RenderedStack>>> = LazyLock::new(variants);

fn variants() -> Vec<Vec<RenderedStack>> {
    [
        ("dev", ""),
        ("prod", ""),
        ("local", ""),
        ("dev", "{trigger: {mode: s3}, functions: {architecture: arm64}, jobs: {crawlers: true}, zones: {transformed: {iceberg: true}}}"),
        ("dev", "{github: {repository: o/n, owner_id: 1, repository_id: 2, create_provider: false}, zones: {archive: {expire_days: 3650, lock: {mode: compliance, days: 400}}}}"),
    ]
    .map(|(environment, overrides)| render(&spec(environment, overrides)))
    .into_iter()
    .chain([render(&databases())])
    .collect()
}

/// The environment with databases, which cfn-lint sees as well.
fn databases() -> Spec {
    let pipeline = built_in("stacks/pipeline.yaml").unwrap();
    let text = include_str!("../../../../tests/environments/databases.yaml");
    Spec::load(&pipeline, &Source::new("databases.yaml", text), "databases").unwrap_or_else(|error| panic!("{error}"))
}

/// Renders with one template replaced.
fn with(path: &str, text: &str) -> Result<Vec<RenderedStack>> {
    stacks(&spec("dev", ""), &|requested| {
        Ok(if requested == path { Some(Source::new(path, text)) } else { built_in(requested) })
    })
}

fn resources(stacks: &[RenderedStack]) -> impl Iterator<Item = &Resource> {
    stacks.iter().flat_map(|stack| &stack.template.resources)
}

#[test]
fn the_stacks_of_dev_and_local() {
    for environment in ["dev", "local"] {
        for stack in render(&spec(environment, "")) {
            insta::assert_snapshot!(format!("{environment}-{}", stack.name), stack.text);
        }
    }
    let databases = render(&databases());
    let database = databases.iter().find(|stack| stack.name == "source-database").unwrap();
    insta::assert_snapshot!("databases-source-database", database.text);
    let prod = render(&spec("prod", ""));
    insta::assert_snapshot!("prod-bootstrap", prod[0].text);
}

#[test]
fn each_stack_follows_its_dependencies() {
    for stacks in VARIANTS.iter() {
        let names: Vec<&str> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        let expected: Vec<&str> =
            STACKS.into_iter().filter(|known| *known != SOURCE_DATABASE || names.contains(known)).collect();
        assert_eq!(names, expected);
        for (index, stack) in stacks.iter().enumerate() {
            for need in stack.needs() {
                assert!(names[..index].contains(&need), "{} needs {need}", stack.name);
            }
        }
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (first, second) in VARIANTS.iter().flatten().zip(variants().iter().flatten()) {
        assert_eq!(first.text, second.text);
        assert!(first.text.ends_with('\n') && !first.text.ends_with("\n\n"), "{}", first.name);
        assert!(!first.text.lines().any(|line| line.ends_with(' ')), "{}", first.name);
    }
}

/// A template that is compiled piece by piece says the same as one that is compiled as a whole.
#[test]
fn combined_templates_equal_the_rendered_stacks() {
    let context = context::context(&databases(), &|_| Ok(None)).unwrap();
    let engine = engine::Engine::load(&STACKS, &|path| Ok(built_in(path))).unwrap();
    let whole = engine::Engine::load_whole(&STACKS, &|path| Ok(built_in(path))).unwrap();
    for name in STACKS {
        assert_eq!(engine.render(name, &context).unwrap().text, whole.render(name, &context).unwrap().text, "{name}");
    }
}

#[test]
fn every_role_has_a_boundary_and_a_name_that_fits() {
    for stacks in VARIANTS.iter() {
        for role in resources(stacks).filter(|resource| resource.resource_type == "AWS::IAM::Role") {
            let name = role.properties.get("RoleName").and_then(Expression::as_str).unwrap();
            // DMS's own two belong to the account and not to one pipeline.
            assert!(role.properties.get("PermissionsBoundary").is_some() || name.starts_with("dms-"), "{name}");
            assert!(role.properties.get("ManagedPolicyArns").is_none(), "{name}");
            assert!(name.len() <= 64, "{name}");
        }
        for bucket in resources(stacks).filter(|resource| resource.resource_type == "AWS::S3::Bucket") {
            let name = bucket.properties.get("BucketName").and_then(Expression::as_str).unwrap();
            assert!((3..=63).contains(&name.len()), "{name}");
        }
    }
}

#[test]
fn resources_with_data_are_retained() {
    let stateful = ["AWS::S3::Bucket", "AWS::RedshiftServerless::Namespace"];
    for stacks in VARIANTS.iter() {
        for resource in resources(stacks).filter(|resource| stateful.contains(&resource.resource_type.as_str())) {
            assert_eq!(resource.deletion_policy(), "RetainExceptOnCreate", "{}", resource.logical_id);
            assert_eq!(resource.update_replace_policy(), "Retain", "{}", resource.logical_id);
        }
    }
}

#[test]
fn no_aws_managed_policy_and_no_access_key() {
    for stack in VARIANTS.iter().flatten() {
        for word in ["FullAccess", "AWSGlueServiceRole", "policy/service-role", "AKIA", "Export:", "shpat_"] {
            assert!(!stack.text.contains(word), "{} has {word}", stack.name);
        }
    }
}

#[test]
fn without_github_no_role_trusts_an_external_principal() {
    let trust = "sts:AssumeRoleWithWebIdentity";
    let text = |environment: &str, overrides: &str| render(&spec(environment, overrides))[0].text.clone();
    assert!(!text("dev", "").contains(trust) && !text("dev", "").contains("OIDCProvider"));
    let prod = text("prod", "");
    assert!(prod.contains("- \"repo:example/shop-data:environment:prod\""));
    assert!(prod.contains("- \"repo:example/shop-data:pull_request\""));
    assert!(!prod.contains("repository_id"));
    let both = text("dev", "{github: {repository: o/n, owner_id: 1, repository_id: 2, create_provider: false}}");
    assert!(both.contains("- \"repo:o@1/n@2:environment:dev\"") && both.contains("- \"repo:o/n:environment:dev\""));
    assert!(both.contains("repository_id\": \"2\"") && !both.contains("AWS::IAM::OIDCProvider"));
}

#[test]
fn template_errors_have_a_location() {
    let head = "AWSTemplateFormatVersion: \"2010-09-09\"\n";
    let path = "templates/analytics.yaml.hbs";
    let mistakes = [
        format!("{head}Description: {{{{prefx}}}}\n"),
        format!("{head}{{{{#if pipeline.nothing}}}}x: 1{{{{/if}}}}\n"),
        format!("{head}Description: {{{{shout prefix}}}}\n"),
        format!("{head}{{{{#each tables}}}}\n"),
        format!("{head}{{{{> nowhere}}}}\n"),
        format!("{head}Resources: [\n"),
        format!(
            "{head}Metadata: {{pipectl: {{inputs: {{A: output storage.RawBucket, B: artifact lod, C: output stora.X}}}}}}\n\
             Parameters: {{A: {{Type: String}}, B: {{Type: String}}, C: {{Type: String}}}}\n\
             Resources: {{T: {{Type: AWS::SNS::Topic, Properties: {{TopicName: !Sub \"${{A}}${{B}}${{C}}\"}}}}}}\n"
        ),
        format!(
            "{head}Parameters: {{A: {{Type: String}}}}\nResources: {{T: {{Type: AWS::SNS::Topic, Properties: {{TopicName: !Ref A}}}}}}\n"
        ),
    ];
    let errors: Vec<String> = mistakes
        .iter()
        .map(|text| with(path, text).map_or_else(|error| error.to_string(), |_| "none".into()))
        .collect();
    insta::assert_snapshot!(errors.join("\n\n"), @r"
    error: the template `analytics` uses the unknown variable `prefx`
     --> templates/analytics.yaml.hbs:2:14
      |
    2 | Description: {{prefx}}
      |              ^^^^^^^^^
      = hint: did you mean `prefix`?

    error: the template `analytics` uses the unknown variable `pipeline.nothing`
     --> templates/analytics.yaml.hbs:2:1
      |
    2 | {{#if pipeline.nothing}}x: 1{{/if}}
      | ^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: known here: name, sources, tables, marts, trigger, zones, warehouse, analytics, jobs, functions, network, alerts, github, tags

    error: the template `analytics` uses the unknown helper `shout`
     --> templates/analytics.yaml.hbs:2:14
      |
    2 | Description: {{shout prefix}}
      |              ^^^^^^^^^^^^^^^^
      = hint: known here: concat, each, if, lookup, quote, unless, with

    error: `templates/analytics.yaml.hbs` is not a valid Handlebars template
     --> templates/analytics.yaml.hbs:3:1
      |
    3 | 
      | ^ cannot be read from here on
      = hint: close every `{{#…}}` with its `{{/…}}`, and every `{{` with `}}`

    error: the template `templates/partials/nowhere.yaml.hbs` is missing
     --> templates/analytics.yaml.hbs:2:5
      |
    2 | {{> nowhere}}
      |     ^^^^^^^ is used here
      = hint: write `templates/partials/nowhere.yaml.hbs`, or take its use out

    error: `analytics.yaml` is not valid YAML: unclosed bracket '['
     --> analytics.yaml:2:12
      |
    2 | Resources: [
      |            ^
      = note: `analytics.yaml` is made from `templates/analytics.yaml.hbs`
      = hint: fix the YAML here: check indentation, quotes and duplicate keys

    error: the stack `storage` has no output `RawBucket`
     --> analytics.yaml:2:34
      |
    2 | Metadata: {pipectl: {inputs: {A: output storage.RawBucket, B: artifact lod, C: output stora.X}}}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^ no such output
      = hint: did you mean `RawBucketName`?

    error: unknown artifact `lod`
     --> analytics.yaml:2:63
      |
    2 | Metadata: {pipectl: {inputs: {A: output storage.RawBucket, B: artifact lod, C: output stora.X}}}
      |                                                               ^^^^^^^^^^^^ nothing of this name is packaged
      = hint: did you mean `load`?

    error: unknown stack `stora`
     --> analytics.yaml:2:80
      |
    2 | Metadata: {pipectl: {inputs: {A: output storage.RawBucket, B: artifact lod, C: output stora.X}}}
      |                                                                                ^^^^^^^^^^^^^^ no stack has this name
      = hint: did you mean `storage`?

    error: the parameter `A` gets no value
     --> analytics.yaml:2:14
      |
    2 | Parameters: {A: {Type: String}}
      |              ^
      = note: `analytics.yaml` is made from `templates/analytics.yaml.hbs`
      = hint: add `A: output <stack>.<Output>` under `Metadata.pipectl.inputs`, or give it a `Default`
    ");
}

#[test]
fn names_that_differ_only_in_punctuation_are_rejected() {
    let pipeline = "\
name: shop
sources: {erp: {files: {}}}
tables:
  a_1: {source: erp, columns: {id: bigint}, key: [id]}
  a1: {source: erp, columns: {id: bigint}, key: [id]}
";
    let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
    let spec =
        Spec::load(&Source::new("pipeline.yaml", pipeline), &Source::new("dev.yaml", environment), "dev").unwrap();
    let error = stacks(&spec, &|path| Ok(built_in(path))).unwrap_err();
    insta::assert_snapshot!(error, @r"
    error: the tables `a_1` and `a1` differ in punctuation only
    = note: both would be called `A1` in the templates, where only letters and digits are allowed
    = hint: rename `a1`
    ");
}

/// A pipeline of files alone has no schedule, no token and no Lambda for a shop.
#[test]
fn a_pipeline_without_a_shop_renders() {
    let pipeline =
        "name: shop\nsources: {erp: {files: {}}}\ntables:\n  t: {source: erp, columns: {id: bigint}, key: [id]}\n";
    let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
    let spec =
        Spec::load(&Source::new("pipeline.yaml", pipeline), &Source::new("dev.yaml", environment), "dev").unwrap();
    let types: Vec<String> = resources(&render(&spec)).map(|resource| resource.resource_type.clone()).collect();
    assert!(!types.iter().any(|kind| kind.contains("Scheduler") || kind.contains("Secret")));
    assert_eq!(types.iter().filter(|kind| *kind == "AWS::Lambda::Function").count(), 1);
}

/// Renders with templates and partials replaced, on a thread as small as those of the async runtime.
fn replaced(files: &[(&str, String)]) -> String {
    let files: Vec<(String, String)> = files.iter().map(|(path, text)| ((*path).to_owned(), text.clone())).collect();
    let work = move || {
        let file = |wanted: &str| {
            let own = files.iter().find(|(path, _)| path == wanted);
            Ok(own.map(|(path, text)| Source::new(path.clone(), text.clone())).or_else(|| built_in(wanted)))
        };
        stacks(&spec("dev", ""), &file).map_or_else(|error| error.to_string(), |_| String::new())
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap()
}

#[test]
fn no_template_overflows_the_stack_or_renders_for_ever() {
    const NETWORK: &str = "templates/network.yaml.hbs";
    let good = "Resources:\n  T: {Type: 'AWS::SNS::Topic'}\n";
    for depth in [60, 1_000] {
        let blocks = "{{#if true}}".repeat(depth) + "x: 1\n" + &"{{/if}}".repeat(depth);
        let chain = "{{#if false}}".to_owned() + &"{{else if false}}".repeat(depth) + "{{/if}}";
        let calls = format!("a: {{{{concat \"a\" {}\"x\"{}}}}}\n", "(concat \"a\" ".repeat(depth), ")".repeat(depth));
        let list = format!("a: {{{{quote {}{}}}}}\n", "[".repeat(depth), "]".repeat(depth));
        for (name, text) in [("blocks", blocks), ("chain", chain), ("calls", calls), ("list", list)] {
            let error = replaced(&[(NETWORK, format!("{good}{text}"))]);
            assert!(error.starts_with("error: "), "{name} {depth}: {error}");
            if (name, depth) == ("blocks", 60) {
                assert!(error.contains("nested more than 50 levels deep"), "{name} {depth}: {error}");
            }
        }
    }
    let partial = |name: &str, text: &str| (format!("templates/partials/{name}.yaml.hbs"), text.to_owned());
    let uses = |text: &str, partials: &[(String, String)]| {
        let mut files = vec![(NETWORK, format!("{good}{text}\n"))];
        files.extend(partials.iter().map(|(path, text)| (path.as_str(), text.clone())));
        replaced(&files)
    };
    let cycle = uses("{{> a}}", &[partial("a", "{{> b}}"), partial("b", "{{~> a}}")]);
    assert!(cycle.contains("uses itself: "), "{cycle}");
    let twice = |at: usize| partial(&format!("p{at}"), &format!("{{{{> p{0}}}}}{{{{> p{0}}}}}", at + 1));
    let levels: Vec<_> = (0..40).map(twice).chain([partial("p40", "x")]).collect();
    let doubled = uses("{{> p0}}", &levels);
    assert!(doubled.contains("renders more than 10000 partials"), "{doubled}");
}
