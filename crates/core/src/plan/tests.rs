//! Whole plans: of new stacks, of changed ones, and of what is not known yet.

use serde_json::json;

use super::change_set::{Change, ChangeSet, Detail};
use super::deployed::{Stack, Status};
use super::stack_parameters::ParameterValue;
use super::*;
use crate::render::{Input, InputSource, RenderedStack};
use crate::spec::Map;
use crate::template::Template;
use crate::yaml::Source;

mod comment;
mod formats;

const STORAGE: &str = "
Parameters:
  Prefix: {Type: String}
  Days: {Type: Number, Default: 30}
  Password: {Type: String, NoEcho: true, Default: hunter2!}
Conditions:
  Keep: !Equals [!Ref Days, 0]
Resources:
  RawBucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub '${Prefix}-raw-${AWS::AccountId}-${AWS::Region}'
      LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: !Ref Days}]}
  Alarm:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !GetAtt RawBucket.Arn, DisplayName: !Ref Password}
  Never:
    Type: AWS::SNS::Topic
    Condition: Keep
Outputs:
  RawBucketName: {Value: !Ref RawBucket}
  Zone: {Value: !Sub '${Prefix}-raw'}
";

fn desired(text: &str) -> RenderedStack {
    RenderedStack {
        name: "storage".into(),
        stack_name: "shop-dev-storage".into(),
        text: text.into(),
        template: Template::parse(&Source::new("storage.yaml", text)).unwrap(),
        inputs: vec![Input {
            parameter: "Prefix".into(),
            from: InputSource::Output { stack: "network".into(), output: "Prefix".into() },
        }],
        tags: Map::from([("project".into(), "shop".into())]),
        termination_protection: false,
    }
}

fn known(text: &str) -> Known {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Map<String>>();
    Known::new(
        Stack {
            name: "shop-dev-storage".into(),
            id: "arn:aws:cloudformation:us-east-1:000000000000:stack/shop-dev-storage/1".into(),
            status: Status("UPDATE_COMPLETE".into()),
            parameters: map(&[("Prefix", "shop-dev"), ("Days", "30"), ("Password", "****")]),
            tags: map(&[("project", "shop")]),
            outputs: map(&[("RawBucketName", "shop-dev-raw"), ("Zone", "shop-dev-raw")]),
            ..Stack::default()
        },
        text.into(),
    )
}

fn prefix(value: ParameterValue) -> Map<ParameterValue> {
    Map::from([("Prefix".into(), value)])
}

fn account_region() -> AccountRegion {
    AccountRegion { account: "000000000000".into(), region: "us-east-1".into() }
}

fn plan(stacks: Vec<StackPlan>) -> Plan {
    Plan {
        environment: "dev".into(),
        account: account_region().account,
        region: account_region().region,
        stacks,
        ..Plan::default()
    }
}

#[test]
fn a_role_that_another_account_may_assume_is_named_again_at_the_end_of_a_plan() {
    let template = "Resources:
  Auditors:
    Type: AWS::IAM::Role
    Properties:
      RoleName: shop-dev-auditors
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {AWS: 'arn:aws:iam::999999999999:root'}, Action: 'sts:AssumeRole'}
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}
";
    let desired = RenderedStack { inputs: Vec::new(), ..desired(template) };
    let comparison =
        Comparison { desired: &desired, known: None, parameters: &Map::new(), account_region: &account_region() };
    let plan = plan(vec![comparison.from_templates().unwrap()]);
    insta::assert_snapshot!(plan.text(false), @r#"
    shop-dev-storage (new stack)
      + Auditors  AWS::IAM::Role
          RoleName: "shop-dev-auditors"
          AssumeRolePolicyDocument: {"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:…

    Lets in others than this account and the services of AWS:
      storage/Auditors: allow arn:aws:iam::999999999999:root sts:AssumeRole

    Plan: 1 to add, 0 to change, 0 to replace, 0 to remove in 1 of 1 stack.
    "#);
    insta::assert_snapshot!(plan.markdown(), @r#"
    ### Plan for `dev`

    Plan: 1 to add, 0 to change, 0 to replace, 0 to remove in 1 of 1 stack.

    > [!CAUTION]
    > **Lets in others than this account and the services of AWS:**
    > - storage/Auditors: allow arn:aws:iam::999999999999:root sts:AssumeRole

    <details><summary><b>shop-dev-storage</b>: 1 to add, 0 to change, 0 to replace, 0 to remove</summary>

    ```diff
    +   Auditors  AWS::IAM::Role
           RoleName: "shop-dev-auditors"
           AssumeRolePolicyDocument: {"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:…
    ```
    </details>
    "#);
}

#[test]
fn a_new_stack_is_planned_from_its_template() {
    let desired = desired(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison =
        Comparison { desired: &desired, known: None, parameters: &parameters, account_region: &account_region() };
    let stack = comparison.from_templates().unwrap();
    assert_eq!(
        comparison.outputs_after(&stack).unwrap(),
        Map::from([("RawBucketName".into(), None), ("Zone".into(), Some("shop-dev-raw".into()))])
    );
    insta::assert_snapshot!(plan(vec![stack]).text(false), @r#"
    shop-dev-storage (new stack)
      + RawBucket  AWS::S3::Bucket
          BucketName: "shop-dev-raw-000000000000-us-east-1"
          LifecycleConfiguration: {"Rules":[{"Status":"Enabled","ExpirationInDays":"30"}]}
      + Alarm  AWS::SNS::Topic
          TopicName: (known after deploy)
          DisplayName: (secret)

    Plan: 2 to add, 0 to change, 0 to replace, 0 to remove in 1 of 1 stack.
    "#);
}

#[test]
fn an_unchanged_stack_needs_no_change_set() {
    let desired = desired(STORAGE);
    let known = known(&format!("{STORAGE}\n"));
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison {
        desired: &desired,
        known: Some(&known),
        parameters: &parameters,
        account_region: &account_region(),
    };
    assert!(comparison.unchanged());
    let stack = comparison.nothing();
    assert_eq!(comparison.outputs_after(&stack).unwrap()["RawBucketName"], Some("shop-dev-raw".into()));
    insta::assert_snapshot!(plan(vec![stack]).text(false), @"No changes. 1 stack is up to date.");

    for (parameters, text) in [
        (prefix(ParameterValue::Known("other".into())), STORAGE.to_owned()),
        (prefix(ParameterValue::AfterDeploy("network.Prefix".into())), STORAGE.to_owned()),
        (parameters.clone(), STORAGE.replace("Enabled", "Disabled")),
    ] {
        let desired = self::desired(&text);
        assert!(
            !Comparison {
                desired: &desired,
                known: Some(&known),
                parameters: &parameters,
                account_region: &account_region()
            }
            .unchanged()
        );
    }
}

#[test]
fn changes_that_depend_on_values_known_after_deploy_are_listed() {
    let desired = desired(&STORAGE.replace("  Never:", "  Added:\n    Type: AWS::SQS::Queue\n  Never:"));
    let known = known(&STORAGE.replace("  Never:", "  Gone:\n    Type: AWS::SQS::Queue\n  Never:"));
    let parameters = prefix(ParameterValue::AfterDeploy("network.Prefix".into()));
    let comparison = Comparison {
        desired: &desired,
        known: Some(&known),
        parameters: &parameters,
        account_region: &account_region(),
    };
    assert!(!comparison.decided());
    insta::assert_snapshot!(plan(vec![comparison.from_templates().unwrap()]).text(false), @r#"
    shop-dev-storage
    -/+ RawBucket  AWS::S3::Bucket  # may be replaced because of BucketName
          ~ BucketName: "shop-dev-raw-000000000000-us-east-1" → (known after deploy)  # forces replacement
      + Added  AWS::SQS::Queue
      - Gone  AWS::SQS::Queue  # is deleted
        parameters
          ~ Prefix: "shop-dev" → (known after deploy)
        outputs
          ~ RawBucketName: "shop-dev-raw" → (known after deploy)
          ~ Zone: "shop-dev-raw" → (known after deploy)

    Data would be lost:
      storage/Gone loses the messages that wait in it

    Plan: 1 to add, 0 to change, 1 to replace, 1 to remove in 1 of 1 stack.
    "#);
}

#[test]
fn dynamic_parameters_need_a_change_set() {
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let looked_up = "  Vpc: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/vpc}\nConditions:";
    for text in
        [STORAGE.replace("Conditions:", looked_up), STORAGE.replace("!Ref Password", "'{{resolve:ssm:/shop/name}}'")]
    {
        let (desired, mut known) = (desired(&text), known(&text));
        known.stack.parameters.insert("Vpc".into(), "/shop/vpc".into());
        let comparison = Comparison {
            desired: &desired,
            known: Some(&known),
            parameters: &parameters,
            account_region: &account_region(),
        };
        assert!(!comparison.unchanged(), "{text}");
    }
}

#[test]
fn outputs_and_tags_alone_are_a_change() {
    let mut desired = desired(&STORAGE.replace("-raw'}", "-new'}\n  Added: {Value: one}"));
    desired.tags.insert("owner".into(), "data".into());
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison {
        desired: &desired,
        known: Some(&known),
        parameters: &parameters,
        account_region: &account_region(),
    };
    let plan = plan(vec![comparison.with_change_set(&ChangeSet::default()).unwrap()]);
    assert!(plan.has_changes());
    insta::assert_snapshot!(plan.text(false), @r#"
    shop-dev-storage
        outputs
          ~ Zone: "shop-dev-raw" → "shop-dev-new"
          + Added: "one"
        tags
          + owner: "data"

    Plan: 0 to add, 0 to change, 0 to replace, 0 to remove in 1 of 1 stack.
    "#);
}
