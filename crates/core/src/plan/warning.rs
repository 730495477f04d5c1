//! Warnings about changes between stacks, which no change set shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deployed::Stack;
use super::stack::{Known, StackPlan};
use super::stack_parameters::ParameterValue;
use super::{AccountRegion, in_use, moved_resources};
use crate::error::Result;
use crate::render::RenderedStack;
use crate::spec::Map;

/// Something that goes wrong between stacks, or that a deploy leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    pub kind: WarningKind,
    /// The short name of the stack.
    pub stack: String,
    /// The resource or the output that it is about; none if it is the whole stack.
    pub name: Option<String>,
    pub message: String,
    /// What to do, in this order.
    pub steps: Vec<String>,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// Something goes that another deployed stack still uses.
    InUse,
    /// A resource goes from one stack to another.
    Moved,
    /// A deployed stack that the project does not have any more.
    Orphan,
}

/// One stack with what is known of it and planned for it.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub desired: &'a RenderedStack,
    pub known: Option<&'a Known>,
    pub plan: &'a StackPlan,
}

impl Side<'_> {
    /// The parameters with which the stack is deployed.
    pub(super) fn given(&self) -> Map<ParameterValue> {
        let parameters = self.known.map(|known| &known.stack.parameters).into_iter().flatten();
        parameters.map(|(name, value)| (name.clone(), ParameterValue::Known(value.clone()))).collect()
    }
}

/// All that goes wrong between the stacks of a plan.
pub fn between(sides: &[Side<'_>], account_region: &AccountRegion) -> Result<Vec<Warning>> {
    let mut warnings = in_use::find(sides, account_region)?;
    warnings.extend(moved_resources::find(sides, account_region)?);
    Ok(warnings)
}

/// The warning about a deployed stack that the project does not have.
pub fn orphaned_stack(stack: &Stack, short_name: &str, environment: &str) -> Warning {
    let mut steps = Vec::new();
    if stack.termination_protection {
        steps.push(format!(
            "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {}",
            stack.name
        ));
    }
    steps.push(format!("pipectl destroy --env {environment} --stack {short_name}"));
    Warning {
        kind: WarningKind::Orphan,
        stack: short_name.to_owned(),
        name: None,
        message: format!(
            "`{}` is deployed ({}), but the project has no such stack: a deploy does not change it",
            stack.name, stack.status
        ),
        steps,
    }
}

/// The short names of the stacks that an environment would have under these names, and that are not among its own.
/// Its tags show whether it belongs to the environment.
pub fn strangers<'a>(names: &'a [String], prefix: &str, own: &BTreeSet<&str>) -> Vec<(&'a str, &'a str)> {
    let short = |name: &'a String| Some((name.as_str(), name.strip_prefix(prefix)?));
    let mut found: Vec<(&str, &str)> =
        names.iter().filter_map(short).filter(|(_, short)| !short.is_empty() && !own.contains(short)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The section of a plan in text; empty if there are no warnings.
pub(super) fn text(warnings: &[Warning]) -> String {
    let mut text = String::new();
    for warning in warnings {
        let _ = writeln!(text, "  {}", warning.message);
        for (index, step) in warning.steps.iter().enumerate() {
            let number = if warning.steps.len() == 1 { String::new() } else { format!("{}. ", index + 1) };
            let _ = writeln!(text, "    {number}{step}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::deployed::Status;
    use super::super::{Comparison, Plan};
    use super::*;
    use crate::template::Template;
    use crate::yaml::Source;

    /// A stack with its deployed template and the one that is wanted; none of them for one that is not there.
    fn plan(stacks: &[(&str, &str, &str)]) -> String {
        let account_region = AccountRegion { account: "111111111111".into(), region: "eu-central-1".into() };
        let rendered = |name: &str, text: &str| RenderedStack {
            name: name.into(),
            stack_name: format!("shop-dev-{name}"),
            text: text.into(),
            template: Template::parse(&Source::new(format!("{name}.yaml"), text)).unwrap(),
            inputs: Vec::new(),
            tags: Map::new(),
            termination_protection: false,
        };
        let known = |name: &str, text: &str| {
            let status = Status("UPDATE_COMPLETE".into());
            let given = Map::from([("Lookup".to_owned(), "/shop/vpc".to_owned())]);
            let name = format!("shop-dev-{name}");
            Known::new(Stack { name, id: "arn".into(), status, parameters: given, ..Stack::default() }, text.into())
        };
        let all: Vec<_> = stacks
            .iter()
            .map(|(name, before, after)| {
                let (known, desired) = ((!before.is_empty()).then(|| known(name, before)), rendered(name, after));
                let parameters = Map::new();
                let comparison = Comparison {
                    desired: &desired,
                    known: known.as_ref(),
                    parameters: &parameters,
                    account_region: &account_region,
                };
                let mut plan = comparison.from_templates().unwrap();
                for resource in &mut plan.resources {
                    resource.physical_id =
                        (resource.resource_type == "AWS::SSM::Parameter").then(|| "/shop/vpc".to_owned());
                }
                (desired, known, plan)
            })
            .collect();
        let sides: Vec<_> =
            all.iter().map(|(desired, known, plan)| Side { desired, known: known.as_ref(), plan }).collect();
        text(&between(&sides, &account_region).unwrap())
    }

    const EMPTY: &str = "Resources:\n  Topic: {Type: 'AWS::SNS::Topic'}\n";
    const BUCKET: &str = "Resources:\n  Topic: {Type: 'AWS::SNS::Topic'}\n  Raw:\n    Type: AWS::S3::Bucket\n    \
                          Properties: {BucketName: !Sub 'shop-${AWS::AccountId}'}\n";

    #[test]
    fn a_moved_resource_is_reported_with_steps_to_keep_it() {
        let other_id = BUCKET.replace("Raw:", "Landing:");
        insta::assert_snapshot!(plan(&[("storage", BUCKET, EMPTY), ("lake", EMPTY, &other_id)]), @r"
        `Raw` (AWS::S3::Bucket, `shop-111111111111`) moves from `storage` to `lake`: it would be deleted there, with its data, and its name may still be taken here
          1. give `Raw` in `storage` the line `DeletionPolicy: Retain`, and deploy that alone
          2. remove it from `storage`, without adding it to `lake` yet, and deploy: it leaves the stack and is retained
          3. add `Landing` to `lake` with `DeletionPolicy: Retain`, and deploy: it exists already and is imported
        ");
        let kept = BUCKET.replace("Type: AWS::S3::Bucket", "Type: AWS::S3::Bucket\n    DeletionPolicy: Retain");
        insta::assert_snapshot!(plan(&[("storage", &kept, EMPTY), ("lake", EMPTY, BUCKET)]), @r"
        `Raw` (AWS::S3::Bucket, `shop-111111111111`) moves from `storage` to `lake`: both stacks would contain it for a while, which CloudFormation rejects
          1. remove it from `storage`, without adding it to `lake` yet, and deploy: it leaves the stack and is retained
          2. add `Raw` to `lake` with `DeletionPolicy: Retain`, and deploy: it exists already and is imported
        ");
        let unnamed = EMPTY.replace("Topic:", "Alarms:");
        insta::assert_snapshot!(plan(&[("events", &format!("{EMPTY}  Alarms: {{Type: 'AWS::SNS::Topic'}}\n"), EMPTY), ("monitoring", "", &unnamed)]), @r"
        `Alarms` (AWS::SNS::Topic) seems to move from `events` to `monitoring`: it would be deleted there, with its data, and created again here
          1. give `Alarms` in `events` the line `DeletionPolicy: Retain`, and deploy that alone
          2. remove it from `events`, without adding it to `monitoring` yet, and deploy: it leaves the stack and is retained
          3. give `Alarms` in `monitoring` the name that it has in the account and `DeletionPolicy: Retain`, and deploy: it is imported
        ");
        // Another name, another type, or the same stack: nothing moves.
        let named_else = BUCKET.replace("shop-", "other-");
        assert_eq!(plan(&[("storage", BUCKET, EMPTY), ("lake", EMPTY, &named_else)]), "");
        assert_eq!(plan(&[("storage", BUCKET, &other_id), ("lake", EMPTY, EMPTY)]), "");
        assert_eq!(plan(&[("storage", BUCKET, EMPTY), ("lake", EMPTY, EMPTY)]), "");
    }

    #[test]
    fn an_export_removed_while_imported_is_reported() {
        let owner = format!("{BUCKET}Outputs:\n  RawName: {{Value: !Ref Raw}}\n");
        let user = "Metadata: {pipectl: {inputs: {Bucket: output storage.RawName}}}\nParameters: {Bucket: {Type: String, Default: x}}\n";
        let user = format!("{user}{EMPTY}");
        insta::assert_snapshot!(plan(&[("storage", &owner, EMPTY), ("glue", &user, EMPTY)]), @r"
        `storage` drops `Raw` (AWS::S3::Bucket), which the deployed `glue` still has as its parameter `Bucket`
          1. keep `Raw` and the output `RawName` in `storage` for now and deploy: `glue` stops using it
          2. then remove them and deploy again
        ");
        // The output alone may go: a parameter keeps its value.
        assert_eq!(plan(&[("storage", &owner, BUCKET), ("glue", &user, EMPTY)]), "");
        let kept = owner.replace("Type: AWS::S3::Bucket", "Type: AWS::S3::Bucket\n    DeletionPolicy: Retain");
        assert_eq!(plan(&[("storage", &kept, EMPTY), ("glue", &user, EMPTY)]), "");
    }

    #[test]
    fn an_export_in_use_cannot_be_removed_or_changed() {
        let owner =
            format!("{EMPTY}Outputs:\n  Name: {{Value: one, Export: {{Name: !Sub 'shop-${{AWS::Region}}'}}}}\n");
        let user = "Resources:\n  Rule: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !ImportValue shop-eu-central-1}}\n";
        insta::assert_snapshot!(plan(&[("storage", &owner, EMPTY), ("glue", user, EMPTY)]), @r"
        the export `shop-eu-central-1` of `storage` goes while the deployed `glue` imports it: CloudFormation refuses that
          1. leave `storage` as it is deployed for now, and deploy: `glue` drops the import
          2. then change `storage` and deploy again
        ");
        let other = owner.replace("one", "two");
        insta::assert_snapshot!(plan(&[("storage", &owner, &other), ("glue", user, user)]), @r"
        the export `shop-eu-central-1` of `storage` would change while the deployed `glue` imports it: CloudFormation refuses that
          1. remove the import of `shop-eu-central-1` from `glue`, leave `storage` as it is deployed, and deploy
          2. then change `storage` and deploy again
        ");
    }

    #[test]
    fn a_dynamic_parameter_in_an_export_is_reported() {
        let owner = format!("{EMPTY}  Vpc: {{Type: 'AWS::SSM::Parameter', Properties: {{Type: String, Value: x}}}}\n");
        let typed = format!(
            "Parameters: {{Lookup: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/vpc}}}}\n{EMPTY}"
        );
        insta::assert_snapshot!(plan(&[("network", &owner, EMPTY), ("glue", &typed, EMPTY)]), @r"
        `network` drops the parameter `/shop/vpc`, which the deployed `glue` looks up
          1. keep `Vpc` in `network` for now and deploy: `glue` stops using it
          2. then remove it and deploy again
        ");
        let resolved = EMPTY.replace("Topic'}", "Topic', Properties: {DisplayName: '{{resolve:ssm:/shop/vpc}}'}}");
        assert!(plan(&[("network", &owner, EMPTY), ("glue", &resolved, EMPTY)]).contains("looks up"));
        let other = resolved.replace("/shop/vpc", "/shop/vpc-2");
        assert_eq!(plan(&[("network", &owner, EMPTY), ("glue", &other, EMPTY)]), "");
    }

    #[test]
    fn a_stack_that_is_not_in_the_project_is_orphaned() {
        let names: Vec<String> =
            ["shop-dev-storage", "shop-dev-old", "shop-dev-", "shop-prod-old"].map(str::to_owned).into();
        let own = BTreeSet::from(["storage", "network"]);
        assert_eq!(strangers(&names, "shop-dev-", &own), [("shop-dev-old", "old")]);
        let stack = Stack {
            name: "shop-dev-old".into(),
            status: Status("UPDATE_COMPLETE".into()),
            termination_protection: true,
            ..Stack::default()
        };
        let plan = Plan { warnings: vec![orphaned_stack(&stack, "old", "dev")], ..Plan::default() };
        insta::assert_snapshot!(plan.text(false), @r"
        Between stacks:
          `shop-dev-old` is deployed (UPDATE_COMPLETE), but the project has no such stack: a deploy does not change it
            1. aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name shop-dev-old
            2. pipectl destroy --env dev --stack old

        No changes. 0 stacks are up to date.
        ");
    }
}
