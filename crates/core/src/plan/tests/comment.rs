//! A plan as a comment: always short enough, and no deletion is dropped silently.

use proptest::prelude::*;

use super::*;

#[test]
fn a_long_plan_stays_under_the_limit_of_a_comment() {
    let desired = desired(STORAGE);
    let known = known(STORAGE);
    let parameters = prefix(ParameterValue::Known("shop-dev".into()));
    let comparison = Comparison {
        desired: &desired,
        known: Some(&known),
        parameters: &parameters,
        account_region: &account_region(),
    };
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
    let rule = text(60).prop_map(|text| Rule { text, broadens: true, foreign: false });
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
    fn a_comment_stays_under_the_limit_and_reports_omitted_deletions(plan in any_plan()) {
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
