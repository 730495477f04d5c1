use std::collections::BTreeMap;

use super::*;
use crate::yaml::Source;

fn read(text: &str) -> Template {
    Template::parse(&Source::new("test.yaml", text)).unwrap()
}

fn complaints(text: &str) -> String {
    Template::parse(&Source::new("test.yaml", text)).unwrap_err().to_string()
}

fn wording(text: &str) -> String {
    let source = Source::new("test.yaml", text);
    let node = crate::yaml::parse(&source).unwrap();
    Problem::wording(&Template::from_node(&source, &node).unwrap_err())
}

/// Evaluates the property `V` of a topic, with the given parameters.
fn value(expression: &str, given: &[(&str, &str)]) -> Evaluated {
    let text = format!(
        "Parameters:\n  P: {{Type: String, Default: p}}\n  L: {{Type: CommaDelimitedList, Default: 'a,b,c'}}\n\
         \x20 Later: {{Type: String, Default: ''}}\n\
         Mappings:\n  M: {{us-east-1: {{size: 4}}}}\n\
         Conditions:\n  IsP: !Equals [!Ref P, p]\n  Not: !Not [!Condition IsP]\n  Both: !And [!Condition IsP, !Condition Not]\n\
         \x20 IsLater: !Equals [!Ref Later, x]\n\
         Resources:\n  T: {{Type: 'AWS::SNS::Topic'}}\n  R: {{Type: 'AWS::SNS::Topic', Properties: {{V: {expression}}}}}\n"
    );
    let template = read(&text);
    let given: BTreeMap<String, String> = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let texts = template.parameter_texts(&given).unwrap();
    let mut parameters = template.parameter_values(&texts);
    if !given.contains_key("Later") {
        parameters.insert("Later".to_owned(), Evaluated::Unknown("another stack".to_owned()));
    }
    let pseudo = PseudoParameters {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        stack_name: "s".into(),
        ..PseudoParameters::default()
    };
    let scope = Scope {
        template: &template,
        parameters: &parameters,
        pseudo: &pseudo,
        lookup: &|lookup| match lookup {
            Lookup::Resource { logical_id } => Evaluated::Unknown(logical_id.to_owned()),
            Lookup::Attribute { logical_id, attribute } => Evaluated::Unknown(format!("{logical_id}.{attribute}")),
            Lookup::Import { name } => Evaluated::String(format!("imported {name}")),
        },
    };
    let properties = scope.properties(template.resource("R").unwrap()).unwrap();
    properties.get("V").cloned().unwrap_or(Evaluated::Null)
}

#[test]
fn functions_are_evaluated() {
    let text = |text: &str| Evaluated::String(text.to_owned());
    let later = |text: &str| Evaluated::Unknown(text.to_owned());
    for (expression, expected) in [
        ("!Ref P", text("p")),
        ("{Ref: P}", text("p")),
        ("!Sub '${P}-${AWS::Region}-${!kept}'", text("p-us-east-1-${kept}")),
        ("!Sub ['${x}/${P}', {x: !Ref AWS::AccountId}]", text("000000000000/p")),
        ("{'Fn::Sub': 'arn:${AWS::Partition}:${AWS::URLSuffix}'}", text("arn:aws:amazonaws.com")),
        ("!Join ['-', [a, !Ref P, 3]]", text("a-p-3")),
        ("!Join [',', !Ref L]", text("a,b,c")),
        ("!Select [1, !Ref L]", text("b")),
        ("!Select ['0', !Split ['/', 'x/y']]", text("x")),
        ("!If [IsP, yes, no]", text("yes")),
        ("!If [Not, 1, !Ref 'AWS::NoValue']", Evaluated::Null),
        ("!If [Both, 1, other]", text("other")),
        ("!FindInMap [M, !Ref AWS::Region, size]", Evaluated::Number(4.into())),
        ("!FindInMap [M, nowhere, size, {DefaultValue: none}]", text("none")),
        ("!ImportValue x", text("imported x")),
        ("!Base64 'héé'", text("aMOpw6k=")),
        ("!Select [2, !Cidr ['10.0.0.0/16', 4, 8]]", text("10.0.2.0/24")),
        ("!Select [0, !GetAZs '']", text("us-east-1a")),
        ("!GetAtt T.TopicArn", later("T.TopicArn")),
        ("!GetAtt [T, TopicArn]", later("T.TopicArn")),
        ("!Sub 'x-${T.TopicArn}'", later("T.TopicArn")),
        ("!Ref T", later("T")),
        ("!Ref Later", later("another stack")),
        ("!If [IsLater, a, b]", later("condition IsLater")),
        ("!Join ['', [a, !Ref T]]", later("T")),
    ] {
        assert_eq!(value(expression, &[]), expected, "{expression}");
    }
    assert_eq!(value("!If [IsLater, a, b]", &[("Later", "x")]), text("a"));
    assert_eq!(value("{a: !Ref T, b: [1, !Ref AWS::NoValue]}", &[]).known(), None);
    assert_eq!(value("{b: [1, !Ref AWS::NoValue]}", &[]).known(), Some(serde_json::json!({"b": [1]})));
}

#[test]
fn order_follows_references_then_the_text() {
    for (resources, expected) in [
        ("B: {P: !Ref A}\nA: {}", "A B"),
        ("A: {}\nB: {}", "A B"),
        ("D: {P: !Sub '${B}${C.Arn}'}\nC: {P: !GetAtt A.Arn}\nB: {P: [{y: !Ref A}]}\nA: {}", "A C B D"),
    ] {
        let mut text = "Resources:\n".to_owned();
        for resource in resources.lines() {
            let (name, properties) = resource.split_once(": ").unwrap();
            text.push_str(&["  ", name, ": {Type: 'My::Own::Type', Properties: ", properties, "}\n"].concat());
        }
        let template = read(&text);
        let order: Vec<&str> = template.creation_order().iter().map(|resource| resource.logical_id.as_str()).collect();
        assert_eq!(order.join(" "), expected);
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = "Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Ref Nmae
  Topic:
    Type: AWS::SNS::Topic
    DependsOn: Buckett
    Condition: Missing
    Properties:
      TopicName: !GetAtt Bucket.Anr
      DisplayName: !GetAtt Gone.Arn
      Other: !If [Nope, 1, 2]
      Map: !FindInMap [M, a, b]
Outputs:
  Out: {Value: !Ref Buckte}
Parameters:
  Name: {Type: String}
";
    let report = complaints(text);
    for expected in [
        "test.yaml:5:",
        "did you mean `Name`?",
        "test.yaml:8:16",
        "did you mean `Bucket`?",
        "unknown condition `Missing`",
        "unknown condition `Nope`",
        "`AWS::S3::Bucket` has no attribute `Anr`",
        "did you mean `Arn`?",
        "`Gone.Arn` refers to a resource",
        "unknown mapping `M`",
        "test.yaml:16:",
    ] {
        assert!(report.contains(expected), "{expected} is missing in:\n{report}");
    }
}

#[test]
fn cycles_are_named() {
    let text = "Resources:
  A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref B}}
  B: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Sub '${C.TopicName}'}}
  C: {Type: 'AWS::SNS::Topic', DependsOn: [A]}
";
    assert!(complaints(text).contains("in a cycle: A → B → C → A"));
    assert_eq!(wording(text), "Circular dependency between resources: [A, B, C]");
}

#[test]
fn errors_have_cloudformations_wording() {
    for (text, expected) in [
        (
            "Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref X, TopicName: !Ref Y}}}",
            "Template format error: Unresolved resource dependencies [X, Y] in the Resources block of the template",
        ),
        (
            "Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !GetAtt X.Arn}}}",
            "Template error: instance of Fn::GetAtt references undefined resource X",
        ),
        (
            "Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !GetAtt ''}}}",
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the \
             resource attribute",
        ),
        ("Outputs: {A: {Value: x}}", "Template format error: At least one Resources member must be defined."),
        (
            "Resources: {A: {Properties: {}}}",
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        ("Resources: {A: {Type: 'X::Y::Z', Invalid: 1}}", "Invalid template resource property 'Invalid'"),
        ("Resources: {A: x}", "Template format error: Any Resources member must be an object."),
        (
            "Resources: {'AWS::NoValue': {Type: 'X::Y::Z'}}",
            "Template format error: Resource name AWS::NoValue is non alphanumeric.",
        ),
        (
            "Resources: {A: {Type: 'X::Y::Z'}}\nOutputs: {MyOutput: {Value: }}",
            "[/Outputs/MyOutput/Value] 'null' values are not allowed in templates",
        ),
        (
            "Resources: {A: {Type: 'X::Y::Z'}}\nOutputs: {MyOutput: {}}",
            "Template format error: Every Outputs member must contain a Value object",
        ),
        ("[1]", "Template format error: unsupported structure."),
    ] {
        assert_eq!(wording(text), expected, "{text}");
    }
}

#[test]
fn parameters_are_checked() {
    let template = read(
        "Parameters:
  Size: {Type: Number, MinValue: 4, MaxValue: 512, Default: 8}
  Kind: {Type: String, AllowedValues: [a, b], Default: a}
  Name: {Type: String, AllowedPattern: '[a-z]+', MaxLength: 5}
Resources: {A: {Type: 'AWS::SNS::Topic'}}
",
    );
    let check = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        template.parameter_texts(&given).map(|texts| texts.into_values().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(check(&[("Name", "abc")]), Ok("a abc 8".into()));
    for (given, expected) in [
        (vec![], "Parameters: [Name] must have values"),
        (vec![("Name", "a"), ("Nmae", "b")], "Parameters: [Nmae] do not exist in the template"),
        (vec![("Name", "a"), ("Size", "x")], "Parameter 'Size' must be a number."),
        (vec![("Name", "a"), ("Size", "2")], "Parameter 'Size' must be a number not less than 4"),
        (vec![("Name", "a"), ("Kind", "c")], "Parameter 'Kind' must be one of AllowedValues"),
        (vec![("Name", "abcdef")], "Parameter 'Name' must contain at most 5 characters"),
    ] {
        assert_eq!(check(&given), Err(expected.into()));
    }
    assert!(check(&[("Name", "A1")]).unwrap_err().contains("regular expression pattern: [a-z]+"));
}

#[test]
fn the_resource_table_is_parsed() {
    assert!(schema::source().starts_with("cfn-lint "));
    assert!(schema::types().count() > 55);
    let bucket = schema::of("AWS::S3::Bucket").unwrap();
    assert_eq!(bucket.recreation("BucketName"), schema::Recreation::Always);
    assert_eq!(bucket.recreation("Tags"), schema::Recreation::Never);
    assert!(bucket.has_attribute("Arn") && !bucket.has_attribute("Url"));
    let name = &bucket.properties["BucketName"];
    assert_eq!(
        name.complaint("BucketName", &"Not_Ok".into()).unwrap(),
        "#/BucketName: failed validation constraint for keyword [pattern]"
    );
    assert_eq!(name.complaint("BucketName", &"fine-name".into()), None);
}

const TOPIC: &str = "Resources:\n  T: {Type: 'AWS::SNS::Topic'}\n";

#[test]
fn conditions_are_bounded() {
    let chain = |length: usize, next: &dyn Fn(usize) -> String| {
        let conditions: String = (0..length).map(|at| format!("  C{at}: {}\n", next(at + 1))).collect();
        format!("Conditions:\n{conditions}  C{length}: !Equals [a, a]\n{TOPIC}")
    };
    let not = |next| format!("!Not [!Condition C{next}]");
    let twice = |next| format!("!And [!Condition C{next}, !Condition C{next}]");
    assert!(Template::parse(&Source::new("t.yaml", chain(40, &not))).is_ok());
    insta::assert_snapshot!(complaints(&chain(5_000, &not)).lines().take(2).collect::<Vec<_>>().join("\n"), @"
    error: the condition `C0` depends on 50 others in a row
     --> test.yaml:2:3
    ");
    insta::assert_snapshot!(complaints(&chain(40, &twice)).lines().take(2).collect::<Vec<_>>().join("\n"), @"
    error: the condition `C0` takes more than 1000 others to evaluate
     --> test.yaml:2:3
    ");
    // A cycle that goes through `Fn::If` as well.
    let cycle = format!("Conditions:\n  A: !If [B, true, true]\n  B: !Not [!Condition A]\n{TOPIC}");
    insta::assert_snapshot!(complaints(&cycle).lines().take(2).collect::<Vec<_>>().join("\n"), @"
    error: conditions depend on each other in a cycle: A → B → A
     --> test.yaml:2:3
    ");
}

#[test]
fn functions_and_resources_are_bounded() {
    let join = |depth: usize| {
        let value = "!Join ['', [".repeat(depth) + "x" + &"]]".repeat(depth);
        format!("Resources:\n  T: {{Type: 'AWS::SNS::Topic', Properties: {{TopicName: {value}}}}}\n")
    };
    assert!(Template::parse(&Source::new("t.yaml", join(40))).is_ok());
    for depth in [60, 2_000] {
        assert!(complaints(&join(depth)).contains("nested more than 100 levels deep"), "{depth}");
    }
    let many = |count: usize| -> String {
        (0..count).map(|at| format!("  T{at}: {{Type: 'AWS::SNS::Topic', DependsOn: T{}}}\n", at + 1)).collect()
    };
    let text = |count: usize| format!("Resources:\n{}  T{count}: {{Type: 'AWS::SNS::Topic'}}\n", many(count));
    assert!(Template::parse(&Source::new("t.yaml", text(499))).is_ok());
    insta::assert_snapshot!(complaints(&text(20_000)).lines().take(2).collect::<Vec<_>>().join("\n"), @"
    error: `test.yaml` defines 20001 resources; a stack has at most 500
       --> test.yaml:502:3
    ");
}
