//! Whole plans in their three forms.

use proptest::prelude::*;
use serde_json::json;

use super::change_set::{Change, ChangeSet, Detail};
use super::deployed::{Stack, Status};
use super::wanted::ParameterValue;
use super::*;
use crate::render::{Input, InputSource, RenderedStack};
use crate::spec::Map;
use crate::template::Template;
use crate::yaml::Source;

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

fn wanted(text: &str) -> RenderedStack {
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

fn place() -> Place {
    Place { account: "000000000000".into(), region: "us-east-1".into() }
}

fn plan(stacks: Vec<StackPlan>) -> Plan {
    Plan { environment: "dev".into(), account: place().account, region: place().region, stacks, ..Plan::default() }
}

fn topic_change() -> ChangeSet {
    let detail = |name: &str, before: &str, after: &str, recreation: &str, cause: Option<&str>| Detail {
        attribute: "Properties".into(),
        name: Some(name.into()),
        path: Some(format!("/Properties/{name}")),
        before: Some(before.into()),
        after: Some(after.into()),
        change_type: Some("Modify".into()),
        requires_recreation: Some(recreation.into()),
        source: Some("DirectModification".into()),
        cause: cause.map(Into::into),
        drift: None,
    };
    ChangeSet {
        changes: vec![
            Change {
                action: "Modify".into(),
                logical_id: "RawBucket".into(),
                physical_id: Some("shop-dev-raw".into()),
                resource_type: "AWS::S3::Bucket".into(),
                replacement: Some("True".into()),
                policy_action: Some("ReplaceAndRetain".into()),
                details: vec![detail("BucketName", "shop-dev-raw", "shop-new-raw", "Always", None)],
                before: Some(
                    json!({"Properties": {"BucketName": "shop-dev-raw", "Tags": [{"Key": "a", "Value": "b"}]}}),
                ),
                after: Some(
                    json!({"Properties": {"BucketName": "shop-new-raw", "Tags": [{"Key": "a", "Value": "c"}]}}),
                ),
                ..Change::default()
            },
            Change {
                action: "Modify".into(),
                logical_id: "Alarm".into(),
                physical_id: Some("arn:aws:sns:us-east-1:000000000000:x".into()),
                resource_type: "AWS::SNS::Topic".into(),
                replacement: Some("Conditional".into()),
                details: vec![detail(
                    "TopicName",
                    "x",
                    "{{changeSet:KNOWN_AFTER_APPLY}}",
                    "Always",
                    Some("RawBucket.Arn"),
                )],
                ..Change::default()
            },
            Change {
                action: "Remove".into(),
                logical_id: "Old".into(),
                physical_id: Some("old".into()),
                resource_type: "AWS::SQS::Queue".into(),
                policy_action: Some("Delete".into()),
                ..Change::default()
            },
        ],
        ..ChangeSet::default()
    }
}

#[test]
fn a_new_stack_is_planned_from_its_template() {
    let wanted = wanted(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison { wanted: &wanted, known: None, parameters: &parameters, place: &place() };
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
    let wanted = wanted(STORAGE);
    let known = known(&format!("{STORAGE}\n"));
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
    assert!(comparison.unchanged());
    let stack = comparison.nothing();
    assert_eq!(comparison.outputs_after(&stack).unwrap()["RawBucketName"], Some("shop-dev-raw".into()));
    insta::assert_snapshot!(plan(vec![stack]).text(false), @"No changes. 1 stack is up to date.");

    for (parameters, text) in [
        (prefix(ParameterValue::Known("other".into())), STORAGE.to_owned()),
        (prefix(ParameterValue::AfterDeploy("network.Prefix".into())), STORAGE.to_owned()),
        (parameters.clone(), STORAGE.replace("Enabled", "Disabled")),
    ] {
        let wanted = self::wanted(&text);
        assert!(
            !Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() }.unchanged()
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one plan, whole, in its three forms")]
fn a_change_set_is_shown_property_by_property() {
    let mut wanted = wanted(&STORAGE.replace("-raw'}", "-new'}"));
    wanted.tags.insert("owner".into(), "data".into());
    wanted.termination_protection = true;
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-new".into()));
    let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
    let stack = comparison.with_change_set(&topic_change()).unwrap();
    let nothing = StackPlan { name: "network".into(), ..comparison.nothing() };
    let plan = plan(vec![stack, StackPlan { protect: false, ..nothing }]);
    insta::assert_snapshot!(plan.text(false), @r#"
    shop-dev-storage
    -/+ RawBucket  AWS::S3::Bucket  # is replaced because of BucketName; the old one is kept, outside of the stack
          ~ BucketName: "shop-dev-raw" → "shop-new-raw"  # forces replacement
          ~ Tags.0.Value: "b" → "c"
    -/+ Alarm  AWS::SNS::Topic  # may be replaced because of TopicName (through RawBucket.Arn)
          ~ TopicName: "x" → (known after deploy)  # forces replacement, through RawBucket.Arn
      - Old  AWS::SQS::Queue  # is deleted
        parameters
          ~ Prefix: "shop-dev" → "shop-new"
        outputs
          ~ RawBucketName: "shop-dev-raw" → (known after deploy)
          ~ Zone: "shop-dev-raw" → "shop-new-new"
        tags
          + owner: "data"
      + termination protection

    Unchanged: network

    Data would be lost:
      storage/Old (old) loses the messages that wait in it

    Plan: 0 to add, 0 to change, 2 to replace, 1 to remove in 1 of 2 stacks.
    "#);
    insta::assert_snapshot!(plan.markdown(), @r#"
    ### Plan for `dev`

    Plan: 0 to add, 0 to change, 2 to replace, 1 to remove in 1 of 2 stacks.

    > [!CAUTION]
    > 1 removed, 1 replaced, 1 may be replaced:
    > - `storage/RawBucket` (AWS::S3::Bucket) is replaced because of BucketName; the old one is kept, outside of the stack
    > - `storage/Alarm` (AWS::SNS::Topic) may be replaced because of TopicName (through RawBucket.Arn)
    > - `storage/Old` (AWS::SQS::Queue) is deleted
    >
    > **Data would be lost.** `deploy` refuses this unless each is allowed by name:
    > - storage/Old (old) loses the messages that wait in it

    <details><summary><b>shop-dev-storage</b>: 0 to add, 0 to change, 2 to replace, 1 to remove</summary>

    ```diff
    - -/+ RawBucket  AWS::S3::Bucket  # is replaced because of BucketName; the old one is kept, outside of the stack
    !       BucketName: "shop-dev-raw" → "shop-new-raw"  # forces replacement
    !       Tags.0.Value: "b" → "c"
    - -/+ Alarm  AWS::SNS::Topic  # may be replaced because of TopicName (through RawBucket.Arn)
    !       TopicName: "x" → (known after deploy)  # forces replacement, through RawBucket.Arn
    -   Old  AWS::SQS::Queue  # is deleted
         parameters
    !       Prefix: "shop-dev" → "shop-new"
         outputs
    !       RawBucketName: "shop-dev-raw" → (known after deploy)
    !       Zone: "shop-dev-raw" → "shop-new-new"
         tags
    +       owner: "data"
    +   termination protection
    ```
    </details>

    Unchanged: `network`
    "#);
    insta::assert_snapshot!(plan.json(), @r#"
    {
      "format_version": 1,
      "has_changes": true,
      "summary": {
        "add": 0,
        "change": 0,
        "replace": 2,
        "remove": 1,
        "changed_stacks": 1,
        "stacks": 2
      },
      "losses": [
        {
          "stack": "storage",
          "logical_id": "Old",
          "type": "AWS::SQS::Queue",
          "physical_id": "old",
          "certain": true,
          "holds": "the messages that wait in it",
          "remark": null
        }
      ],
      "environment": "dev",
      "account": "000000000000",
      "region": "us-east-1",
      "stacks": [
        {
          "name": "storage",
          "stack_name": "shop-dev-storage",
          "action": "update",
          "resources": [
            {
              "action": "replace",
              "logical_id": "RawBucket",
              "type": "AWS::S3::Bucket",
              "physical_id": "shop-dev-raw",
              "policy": "ReplaceAndRetain",
              "forced_by": [
                "BucketName"
              ],
              "properties": [
                {
                  "path": "/Properties/BucketName",
                  "before": "shop-dev-raw",
                  "after": "shop-new-raw",
                  "requires_recreation": "Always",
                  "cause": null
                },
                {
                  "path": "/Properties/Tags/0/Value",
                  "before": "b",
                  "after": "c",
                  "requires_recreation": null,
                  "cause": null
                }
              ]
            },
            {
              "action": "may-replace",
              "logical_id": "Alarm",
              "type": "AWS::SNS::Topic",
              "physical_id": "arn:aws:sns:us-east-1:000000000000:x",
              "policy": null,
              "forced_by": [
                "TopicName (through RawBucket.Arn)"
              ],
              "properties": [
                {
                  "path": "/Properties/TopicName",
                  "before": "x",
                  "after": "(known after deploy)",
                  "requires_recreation": "Always",
                  "cause": "RawBucket.Arn"
                }
              ]
            },
            {
              "action": "remove",
              "logical_id": "Old",
              "type": "AWS::SQS::Queue",
              "physical_id": "old",
              "policy": "Delete",
              "forced_by": [],
              "properties": []
            }
          ],
          "undecided": false,
          "access": [],
          "parameters": [
            {
              "name": "Prefix",
              "before": "shop-dev",
              "after": "shop-new"
            }
          ],
          "outputs": [
            {
              "name": "RawBucketName",
              "before": "shop-dev-raw",
              "after": "(known after deploy)"
            },
            {
              "name": "Zone",
              "before": "shop-dev-raw",
              "after": "shop-new-new"
            }
          ],
          "tags": [
            {
              "name": "owner",
              "before": null,
              "after": "data"
            }
          ],
          "protect": true,
          "notes": []
        },
        {
          "name": "network",
          "stack_name": "shop-dev-storage",
          "action": "none",
          "resources": [],
          "undecided": false,
          "access": [],
          "parameters": [],
          "outputs": [],
          "tags": [],
          "protect": false,
          "notes": []
        }
      ],
      "warnings": [],
      "migrations": []
    }
    "#);
}

#[test]
fn what_may_follow_a_value_known_after_the_deploy_is_listed() {
    let wanted = wanted(&STORAGE.replace("  Never:", "  Added:\n    Type: AWS::SQS::Queue\n  Never:"));
    let known = known(&STORAGE.replace("  Never:", "  Gone:\n    Type: AWS::SQS::Queue\n  Never:"));
    let parameters = prefix(ParameterValue::AfterDeploy("network.Prefix".into()));
    let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
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
fn what_is_looked_up_at_each_deploy_needs_a_change_set() {
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let looked_up = "  Vpc: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/vpc}\nConditions:";
    for text in
        [STORAGE.replace("Conditions:", looked_up), STORAGE.replace("!Ref Password", "'{{resolve:ssm:/shop/name}}'")]
    {
        let (wanted, mut known) = (wanted(&text), known(&text));
        known.stack.parameters.insert("Vpc".into(), "/shop/vpc".into());
        let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
        assert!(!comparison.unchanged(), "{text}");
    }
}

#[test]
fn outputs_and_tags_alone_are_a_change() {
    let mut wanted = wanted(&STORAGE.replace("-raw'}", "-new'}\n  Added: {Value: one}"));
    wanted.tags.insert("owner".into(), "data".into());
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
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

#[test]
fn a_long_plan_stays_under_the_limit_of_a_comment() {
    let wanted = wanted(STORAGE);
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison { wanted: &wanted, known: Some(&known), parameters: &parameters, place: &place() };
    for (resources, length) in [(10, 200), (900, 60), (20_000, 1)] {
        let change = |index: usize| Change {
            action: if index == 0 { "Remove".into() } else { "Add".into() },
            logical_id: format!("Resource{index}"),
            resource_type: "AWS::SQS::Queue".into(),
            after: Some(json!({"Properties": {"QueueName": "`".repeat(length)}})),
            ..Change::default()
        };
        let change_set = ChangeSet { changes: (0..resources).map(change).collect(), ..ChangeSet::default() };
        let text = plan(vec![comparison.with_change_set(&change_set).unwrap()]).markdown();
        assert!(text.chars().count() < 65_536);
        assert!(text.contains("> - `storage/Resource0` (AWS::SQS::Queue) is deleted"), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}

/// A plan of any size: stacks, resources in each, the length of their names and values, and what happens to them.
fn any_plan() -> impl Strategy<Value = Plan> {
    let action = prop_oneof![
        Just(Action::Add),
        Just(Action::Change),
        Just(Action::Remove),
        Just(Action::Replace),
        Just(Action::MayReplace),
        "[a-z]{1,9}".prop_map(Action::Other),
    ];
    let text = |longest: usize| ("[a-z`|<>\n*~ -]{1,8}", 0..longest).prop_map(|(text, times)| text.repeat(times + 1));
    let resource = (action, text(40), text(40), any::<bool>()).prop_map(|(action, id, value, bucket)| ResourcePlan {
        action,
        logical_id: id.clone(),
        resource_type: if bucket { "AWS::S3::Bucket".into() } else { "AWS::SNS::Topic".into() },
        physical_id: Some(value.clone()),
        policy: None,
        forced_by: vec![id],
        properties: vec![PropertyChange {
            path: "/Properties/A".into(),
            after: Some(value.into()),
            ..PropertyChange::default()
        }],
    });
    let stacks = prop_oneof![Just(1_usize), Just(4), Just(40)];
    let each = prop_oneof![Just(1_usize), Just(20), Just(90)];
    let rule = text(60).prop_map(|text| Rule { text, broadens: true });
    let parts = (proptest::collection::vec(resource, 1..8), rule, text(400), stacks, each);
    parts.prop_map(|(resources, rule, long, stacks, each)| {
        let access =
            AccessChange { logical_id: "P".into(), resource_type: "T".into(), added: vec![rule], removed: Vec::new() };
        let stack = |index: usize| StackPlan {
            name: format!("s{index}"),
            stack_name: format!("shop-dev-s{index}"),
            action: StackAction::Update,
            resources: resources.iter().cycle().take(each).cloned().collect(),
            undecided: false,
            access: vec![access.clone(); each.min(50)],
            parameters: Vec::new(),
            outputs: Vec::new(),
            tags: Vec::new(),
            protect: false,
            notes: vec![long.clone()],
            overwrites: Vec::new(),
        };
        let warning = Warning {
            kind: WarningKind::Orphan,
            stack: long.clone(),
            name: None,
            message: long.clone(),
            steps: vec![long.clone()],
        };
        let migration =
            TableMigration { table: long.clone(), changes: vec![long.clone()], statements: vec![long.clone()] };
        Plan {
            stacks: (0..stacks).map(stack).collect(),
            environment: long,
            warnings: vec![warning; each],
            migrations: vec![migration; each],
            ..Plan::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_comment_is_never_too_long_and_drops_no_deletion_silently(plan in any_plan()) {
        let text = plan.markdown();
        prop_assert!(text.chars().count() < 65_536);
        prop_assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        let count = |action: &Action| plan.stacks.iter().flat_map(|stack| &stack.resources).filter(|one| one.action == *action).count();
        for (action, word) in [(Action::Remove, "removed"), (Action::Replace, "replaced"), (Action::MayReplace, "may be replaced")] {
            let count = count(&action);
            prop_assert!(count == 0 || text.contains(&format!("{count} {word}")), "{} {}", count, word);
        }
        // What stands in the list and what is counted at its end is all there is.
        let lossy: usize = [Action::Remove, Action::Replace, Action::MayReplace].iter().map(count).sum();
        if let Some((_, caution)) = text.split_once("> [!CAUTION]\n") {
            let list = caution.lines().skip(1).take_while(|line| line.starts_with("> -"));
            let (mut listed, mut more) = (0, 0);
            for line in list {
                match line.strip_prefix("> - … and ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok()) {
                    Some(count) => more = count,
                    None => listed += 1,
                }
            }
            prop_assert_eq!(listed + more, lossy);
        } else {
            prop_assert_eq!(lossy, 0);
        }
    }
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let wanted = wanted(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison { wanted: &wanted, known: None, parameters: &parameters, place: &place() };
    let plan = plan(vec![comparison.from_templates().unwrap()]);
    assert!(plan.text(true).contains("\u{1b}["));
    assert!(!plan.text(false).contains("\u{1b}["));
}
