//! One plan, whole, in its three forms.

use super::*;

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
#[expect(clippy::too_many_lines, reason = "one plan, whole, in its three forms")]
fn a_change_set_is_shown_property_by_property() {
    let mut desired = desired(&STORAGE.replace("-raw'}", "-new'}"));
    desired.tags.insert("owner".into(), "data".into());
    desired.termination_protection = true;
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-new".into()));
    let comparison = Comparison {
        desired: &desired,
        known: Some(&known),
        parameters: &parameters,
        account_region: &account_region(),
    };
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
fn color_is_optional() {
    let desired = desired(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison =
        Comparison { desired: &desired, known: None, parameters: &parameters, account_region: &account_region() };
    let plan = plan(vec![comparison.from_templates().unwrap()]);
    assert!(plan.text(true).contains("\u{1b}["));
    assert!(!plan.text(false).contains("\u{1b}["));
}
