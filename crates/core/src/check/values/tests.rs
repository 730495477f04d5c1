use super::*;
use crate::testing::built_in;
use crate::yaml::Source;

/// What is found in the reference pipeline, or in one with the environment of a test.
fn found(name: &str, environment: &std::sync::Arc<Source>) -> String {
    let spec = Spec::load(&built_in("stacks/pipeline.yaml").unwrap(), environment, name).unwrap();
    let stacks = crate::render::stacks(&spec, &|path| Ok(built_in(path))).unwrap();
    check(&spec, &stacks).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn the_templates_of_every_environment_pass() {
    for name in ["dev", "local", "prod"] {
        assert_eq!(found(name, &built_in(&format!("stacks/{name}.yaml")).unwrap()), "", "{name}");
    }
    for name in ["databases", "github", "iceberg", "native-events", "outlets", "own-source"] {
        let source = built_in(&format!("tests/environments/{name}.yaml")).unwrap();
        assert_eq!(found(name, &source), "", "{name}");
    }
}

/// What is found in the reference pipeline with a text of the template `events` changed.
fn found_after(from: &str, to: &str) -> Vec<Error> {
    let spec =
        Spec::load(&built_in("stacks/pipeline.yaml").unwrap(), &built_in("stacks/dev.yaml").unwrap(), "dev").unwrap();
    check(&spec, &crate::render::edited(&spec, "templates/events.yaml.hbs", from, to))
}

#[test]
fn an_error_names_the_line_the_rule_and_the_fix() {
    let errors = found_after("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 2000000");
    let told = |error: &Error| {
        let span = error.span().unwrap();
        let (rule, source) = error.broken_rule().unwrap();
        format!(
            "{}\n{} | {}\n{rule}, {source}\n{}",
            error.message(),
            span.file(),
            span.source_line().trim(),
            error.hints()[0]
        )
    };
    insta::assert_snapshot!(errors.iter().map(told).collect::<Vec<_>>().join("\n\n"), @"
    `UndeliveredQueue` (AWS::SQS::Queue) has a wrong value: `MessageRetentionPeriod` is 2000000
    events.yaml | MessageRetentionPeriod: 2000000
    schema, https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
    the most is 1209600
    ");
}

#[test]
fn a_rule_is_ignored_with_a_reason_where_it_finds_something() {
    let queue = "    Properties:\n      QueueName: {{prefix}}-undelivered\n      MessageRetentionPeriod: 1209600\n";
    let found = |ignored: &str, seconds: u32| {
        let text = format!(
            "    Metadata: {{pipectl: {{ignore: {{{ignored}}}}}}}\n    Properties:\n      QueueName: {{{{prefix}}}}-undelivered\n      \
             MessageRetentionPeriod: {seconds}\n"
        );
        let errors = found_after(queue, &text);
        errors.iter().map(|error| error.message().to_owned()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(found("sqs-ranges: the quota was raised, schema: the quota was raised", 2_000_000), "");
    insta::assert_snapshot!(found("sqs-ranges: \"\"", 1_209_600), @"`UndeliveredQueue` ignores the rule `sqs-ranges` without a reason");
    insta::assert_snapshot!(found("sqs-ranges: why not", 1_209_600), @"`UndeliveredQueue` ignores the rule `sqs-ranges`, which finds nothing here");
    insta::assert_snapshot!(found("sqs-range: why not", 1_209_600), @"`UndeliveredQueue` ignores the unknown rule `sqs-range`");
}
