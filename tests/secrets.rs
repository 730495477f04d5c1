//! No secret is in anything that is written: `NoEcho` values, dynamic references and the variables of Lambdas, in plans,
//! saved plans, errors, records of deploys and the history made of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use crate::support::Test;

/// What must never be seen, and what it is.
const SECRETS: [(&str, &str); 7] = [
    ("hunter2-of-the-shop", "a NoEcho value"),
    ("hunter3-of-the-shop", "a NoEcho value that came later"),
    ("way-to-a-secret", "a dynamic reference"),
    ("token-one-of-the-function", "a variable of a Lambda"),
    ("token-two-of-the-function", "a variable of a Lambda that came later"),
    ("phrase-of-the-secret", "the text of a secret"),
    ("external-id-of-a-partner", "a NoEcho value in a policy"),
];

/// Two stacks that nothing else needs: one with secrets, and one to which a secret comes by an output.
fn project(test: Test, password: &str, token: &str, more: &str) -> Test {
    let owner = format!(
        r#"Metadata: {{pipectl: {{inputs: {{BoundaryArn: output bootstrap.BoundaryArn}}}}}}
Parameters:
  BoundaryArn: {{Type: String}}
  Password: {{Type: String, NoEcho: true, Default: {password}}}
  Partner: {{Type: String, NoEcho: true, Default: external-id-of-a-partner}}
  Reference: {{Type: String, Default: "\{{{{resolve:ssm-secure:way-to-a-secret}}}}"}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {{{{prefix}}}}-keeper
      PermissionsBoundary: !Ref BoundaryArn
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {{Effect: Allow, Action: "sts:AssumeRole", Principal: {{Service: lambda.amazonaws.com}},
             Condition: {{StringEquals: {{"sts:ExternalId": !Ref Partner}}}}}}
  Load:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: {{{{prefix}}}}-keeper
      Role: !GetAtt Role.Arn
      Handler: index.handler
      Runtime: python3.13
      Code: {{ZipFile: "def handler(event, context): pass"}}
      Environment: {{Variables: {{TOKEN: {token}}}}}
  Kept:
    Type: AWS::SecretsManager::Secret
    Properties: {{Name: "{{{{prefix}}}}/kept", SecretString: phrase-of-the-secret}}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {{TopicName: "{{{{prefix}}}}-keeper", DisplayName: !Ref Password}}
  Setting:
    Type: AWS::SSM::Parameter
    Properties:
      Name: "/{{{{prefix}}}}/keeper"
      Type: String
      Value: !Sub "user:${{Password}} \{{{{resolve:secretsmanager:way-to-a-secret:SecretString:key}}}}"
{more}Outputs:
  Password: {{Value: !Ref Password}}
"#
    );
    let user = "Metadata: {pipectl: {inputs: {Given: output analytics.Password}}}\nParameters:\n  Given: {Type: String}\n\
         Resources:\n  Setting:\n    Type: AWS::SSM::Parameter\n    Properties: {Name: \"/{{prefix}}/user\", Type: String, Value: !Ref Given}\n";
    test.write("templates/analytics.yaml.hbs", &owner).write("templates/monitoring.yaml.hbs", user)
}

/// A resource that fails and says so with the password.
const BROKEN: &str = "  Broken:\n    Type: AWS::Lambda::Permission\n    \
     Properties: {FunctionName: !Ref Password, Action: \"lambda:InvokeFunction\", Principal: events.amazonaws.com}\n";

const DEPLOY: [&str; 4] = ["deploy", "--env", "local", "--yes"];

/// All that the runs have written.
#[derive(Default)]
struct Written {
    plans: String,
    saved: String,
    deploys: String,
    error: String,
    records: String,
    history: String,
    outputs: String,
}

static WRITTEN: LazyLock<Option<Written>> = LazyLock::new(|| {
    let test = project(Test::packaged()?, "hunter2-of-the-shop", "token-one-of-the-function", "");
    let mut written = Written::default();
    plan(&test, &mut written);
    let made = test.run(&DEPLOY);
    assert!(made.starts_with("exit code: 0"), "{made}");
    written.deploys += &made;
    let test = project(test, "hunter3-of-the-shop", "token-two-of-the-function", "");
    plan(&test, &mut written);
    let changed = test.run(&["deploy", "plan.json"]);
    assert!(changed.starts_with("exit code: 0"), "{changed}");
    written.deploys += &changed;
    let test = project(test, "hunter3-of-the-shop", "token-two-of-the-function", BROKEN);
    written.error = test.run(&DEPLOY);
    assert!(written.error.starts_with("exit code: 1"), "{}", written.error);
    for format in ["text", "json"] {
        written.history += &test.run(&["history", "--env", "local", "--format", format]);
        written.outputs += &test.run(&["outputs", "--env", "local", "--format", format]);
    }
    let records = test.path(".pipectl/local/s3/buckets/shop-local-artifacts-000000000000-us-east-1/deploys");
    written.records = all_under(&records);
    Some(written)
});

/// Every form of a plan, and the file of a saved one.
fn plan(test: &Test, written: &mut Written) {
    for more in [&[][..], &["--format", "json"], &["--format", "markdown"], &["--drift"], &["--out", "plan.json"]] {
        let printed = test.run(&[&["plan", "--env", "local"], more].concat());
        assert!(printed.starts_with("exit code: 0"), "{printed}");
        written.plans += &printed;
    }
    written.saved += &std::fs::read_to_string(test.path("plan.json")).unwrap();
}

fn all_under(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        text += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

/// Fails if a secret is in a text, or if the text does not contain what should be masked.
fn holds_no_secret(of: impl Fn(&Written) -> &String, printed: &[&str]) {
    let Some(written) = WRITTEN.as_ref() else { return };
    let text = of(written);
    let mut found = String::new();
    for (secret, what) in SECRETS {
        for line in text.lines().filter(|line| line.contains(secret)) {
            let _ = writeln!(found, "{what}: {line}");
        }
    }
    assert!(found.is_empty(), "{found}");
    for part in printed {
        assert!(text.contains(part), "`{part}` is not told:\n{text}");
    }
}

#[test]
fn in_a_plan() {
    let printed = ["Load  AWS::Lambda::Function", "TOKEN", "(secret)", "sts:ExternalId", "~ Given: (secret)"];
    holds_no_secret(|written| &written.plans, &printed);
}

#[test]
fn in_a_saved_plan() {
    holds_no_secret(|written| &written.saved, &["\"Load\"", "/Properties/Environment", "(secret)"]);
}

#[test]
fn in_the_output_of_a_deploy() {
    holds_no_secret(|written| &written.deploys, &["analytics is created", "analytics is updated", "(secret)"]);
}

#[test]
fn in_an_error() {
    let printed = ["`Broken` (AWS::Lambda::Permission) failed: ", "function:(secret)"];
    holds_no_secret(|written| &written.error, &printed);
}

#[test]
fn in_the_record_of_a_deploy() {
    holds_no_secret(|written| &written.records, &["\"result\": \"succeeded\"", "function:(secret)"]);
}

#[test]
fn in_the_history() {
    holds_no_secret(|written| &written.history, &["function:(secret)", "\"action\": \"deploy\""]);
}

#[test]
fn in_the_outputs() {
    holds_no_secret(|written| &written.outputs, &["analytics.Password = (secret)"]);
}
