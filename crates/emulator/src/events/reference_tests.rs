//! Removes each connection of the reference pipeline: the report names the hop that stopped, and the line to fix.

use super::tests::object;
use super::*;
use crate::authorizer::Authorizer;
use crate::render::{edited, forecast};
use crate::spec::Spec;
use crate::yaml::Source;
use pipectl_core::testing::built_in;

/// What is deployed once a text of a template is another.
fn deployed(path: &str, from: &str, to: &str) -> Resources {
    in_environment("dev", &built_in("stacks/dev.yaml").unwrap(), path, from, to)
}

fn in_environment(name: &str, environment: &std::sync::Arc<Source>, path: &str, from: &str, to: &str) -> Resources {
    let spec = Spec::load(&built_in("stacks/pipeline.yaml").unwrap(), environment, name).unwrap();
    let (account, region) = (&spec.environment.account, &spec.environment.region);
    let all = forecast(&edited(&spec, path, from, to), account, region);
    let all = all.into_iter().map(|one| Resource {
        stack: one.stack,
        id: one.id,
        kind: one.kind,
        name: one.name,
        properties: one.properties,
        node: one.node,
    });
    Resources { all: all.collect(), account: account.clone(), region: region.clone() }
}

/// The way from an object to the last statement, every job and statement ending well; where it stops, why.
fn way(resources: &Resources) -> String {
    let authorizer = Authorizer::new(resources);
    let bucket = resources.of("AWS::S3::Bucket").find(|bucket| bucket.id == "RawBucket").unwrap().name.clone();
    let mut steps = Vec::new();
    let mut stops = Vec::new();
    for scheduled in schedules(resources, &authorizer) {
        match scheduled.function {
            Ok(function) => steps.push(format!("schedule → {function}")),
            Err(stop) => stops.push(stop),
        }
    }
    let (sent, more) = object_events(resources, &ObjectWritten { bucket, ..object("landing/stores/x.csv") });
    stops.extend(more);
    let mut events: Vec<Value> = sent.into_iter().map(|sent| sent.event).collect();
    let (mut workflows, mut loaded) = (Workflows::default(), false);
    while let Some(event) = events.pop() {
        let (deliveries, more) = deliver(resources, &authorizer, &event);
        stops.extend(more.into_iter().filter(|_| deliveries.is_empty()));
        for delivery in deliveries {
            match delivery.target {
                Err(stop) => stops.push(stop),
                Ok(Target::Function(name)) => {
                    steps.push(format!("{} → {name}", delivery.rule));
                    let state = serde_json::json!({"source": "aws.redshift-data", "detail-type": "Redshift Data Statement Status Change",
                        "detail": {"statementName": "shop-dev/load/1/orders", "state": "FINISHED"}});
                    events.extend((!loaded).then_some(state));
                    loaded = true;
                }
                Ok(Target::Workflow(name)) => {
                    steps.push(format!("{} → {name}", delivery.rule));
                    match workflows.notify(resources, &name, 0) {
                        Err(stop) => stops.push(stop),
                        Ok(fired) => {
                            stops.extend(broken(resources, &name));
                            let mut due: Vec<Triggered> = fired.into_iter().collect();
                            due.extend(workflows.close(resources, 100_000));
                            let mut states = std::collections::BTreeMap::new();
                            while let Some(triggered) = due.pop() {
                                for job in triggered.jobs {
                                    steps.push(format!("{} → {job}", triggered.trigger));
                                    states.insert(job.clone(), "SUCCEEDED".to_owned());
                                    due.extend(follow(resources, &name, &states, &job));
                                    // Of the other jobs nobody waits for the event.
                                    if job.ends_with("transform") {
                                        events.push(job_state_change(resources, &job, "jr_1", "SUCCEEDED", ""));
                                    }
                                }
                            }
                        }
                    }
                }
                Ok(Target::Recorded(_)) => {}
            }
        }
    }
    if stops.is_empty() {
        return steps.join("\n");
    }
    // Without the numbers of the lines, which any change of a template moves.
    let reported = |stop: &Stop| {
        let line = stop.span.as_ref().map(|span| format!("{} | {}", span.file(), span.source_line().trim()));
        format!("{}: {}\n  {}\n  {}", stop.hop, stop.why, line.unwrap_or_default(), stop.fix)
    };
    stops.iter().map(reported).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_event_of_the_reference_pipeline_reaches_its_target() {
    insta::assert_snapshot!(way(&deployed("templates/events.yaml.hbs", "", "")), @"
    schedule → shop-dev-ingest-shop
    shop-dev-landing → shop-dev
    shop-dev-start → shop-dev-clean
    shop-dev-then-transform → shop-dev-transform
    shop-dev-transformed → shop-dev-load
    shop-dev-statement → shop-dev-load
    ");
}

/// What is denied of the calls that wait for a failure, or for a database.
fn denied(resources: &Resources) -> String {
    let authorizer = Authorizer::new(resources);
    authorizer.standby(resources);
    let denials: Vec<String> = authorizer.take_denials().iter().map(|denial| Error::from(denial).to_string()).collect();
    denials.iter().filter_map(|text| text.lines().next()).collect::<Vec<_>>().join(
        "
",
    )
}

#[test]
fn failure_and_database_events_reach_their_targets() {
    let databases = Source::new("databases.yaml", include_str!("../../../../tests/environments/databases.yaml"));
    let with = |path: &str, from: &str, to: &str| denied(&in_environment("databases", &databases, path, from, to));
    assert_eq!(denied(&deployed("templates/iam.yaml.hbs", "", "")), "");
    assert_eq!(with("templates/iam.yaml.hbs", "", ""), "");
    for (path, from, to, expected) in [
        (
            "templates/iam.yaml.hbs",
            "Service: [dms.amazonaws.com, !Sub \"dms.${AWS::Region}.amazonaws.com\"]",
            "Service: dms.amazonaws.com",
            "dms.eu-west-1.amazonaws.com may not assume the role",
        ),
        (
            "templates/iam.yaml.hbs",
            "\"s3:PutObject\", \"s3:PutObjectTagging\"]",
            "\"s3:PutObject\"]",
            "may not s3:PutObjectTagging on",
        ),
        (
            "templates/monitoring.yaml.hbs",
            "Principal: {Service: cloudwatch.amazonaws.com}",
            "Principal: {Service: budgets.amazonaws.com}",
            "cloudwatch.amazonaws.com may not sns:Publish on",
        ),
    ] {
        let reported = with(path, from, to);
        assert!(reported.contains(expected), "{reported}");
    }
}

#[test]
fn each_removed_connection_is_reported_with_hop_and_line() {
    let events = |from: &str, to: &str| way(&deployed("templates/events.yaml.hbs", from, to));
    insta::assert_snapshot!(events("key: [{prefix: {{folders.landing}}/}]", "key: [{prefix: landed/}]"), @r#"
    rule `shop-dev-landing`: `detail.requestParameters.key` is "landing/stores/x.csv", the pattern wants {"prefix":"landed/"}
      events.yaml | key: [{prefix: landed/}]
      change the pattern so that it takes the event
    "#);
    insta::assert_snapshot!(events("${RawBucketName}/{{folders.landing}}/", "${RawBucketName}/incoming/"), @r#"
    trail `shop-dev-landing`: `resources.ARN` is `arn:aws:s3:::shop-dev-raw-111111111111-eu-central-1/landing/stores/x.csv`, the selector wants StartsWith ["arn:aws:s3:::shop-dev-raw-111111111111-eu-central-1/incoming/"]
      events.yaml | - {Field: resources.ARN, StartsWith: [!Sub "arn:${AWS::Partition}:s3:::${RawBucketName}/incoming/"]}
      change this field selector so that it takes the object
    "#);
    insta::assert_snapshot!(events("Description: An object arrived in the raw zone\n      State: ENABLED", "State: DISABLED"), @"
    rule `shop-dev-landing`: it is disabled
      events.yaml | State: DISABLED
      set `State: ENABLED`
    ");
    insta::assert_snapshot!(events("jobName: [!Ref TransformJobName]", "jobName: [transform]"), @r#"
    rule `shop-dev-transformed`: `detail.jobName` is "shop-dev-transform", the pattern wants "transform"
      events.yaml | jobName: [transform]
      change the pattern so that it takes the event
    "#);
    insta::assert_snapshot!(events("statementName: [{prefix: {{prefix}}/}]", "statementName: [{prefix: load/}]"), @r#"
    rule `shop-dev-statement`: `detail.statementName` is "shop-dev/load/1/orders", the pattern wants {"prefix":"load/"}
      events.yaml | statementName: [{prefix: load/}]
      change the pattern so that it takes the event
    "#);
    let glue = |from: &str, to: &str| way(&deployed("templates/glue.yaml.hbs", from, to));
    insta::assert_snapshot!(glue("Type: EVENT", "Type: ON_DEMAND"), @"
    workflow `shop-dev`: no trigger of type EVENT starts it
      glue.yaml | Type: ON_DEMAND
      give the first trigger of the workflow `Type: EVENT`
    ");
    insta::assert_snapshot!(glue("StartOnCreation: true", "StartOnCreation: false"), @"
    trigger `shop-dev-then-transform`: it is not activated
      glue.yaml | StartOnCreation: false
      set `StartOnCreation: true`
    ");
    insta::assert_snapshot!(glue("JobName: !Ref CleanJob, State", "JobName: clean, State"), @"
    trigger `shop-dev-then-transform`: it waits for the job `clean`, which no trigger of the workflow starts
      glue.yaml | - {LogicalOperator: EQUALS, JobName: clean, State: SUCCEEDED}
      wait for one of shop-dev-clean, shop-dev-transform
    ");
    insta::assert_snapshot!(glue("Actions: [{JobName: !Ref TransformJob}]", "Actions: [{JobName: transform}]"), @r#"
    trigger `shop-dev-then-transform`: it starts the job `transform`, which does not exist
      glue.yaml | Actions: [{JobName: transform}]
      name a job of the stack `glue`
    rule `shop-dev-transformed`: `detail.jobName` is "transform", the pattern wants "shop-dev-transform"
      events.yaml | jobName: [!Ref TransformJobName]
      change the pattern so that it takes the event
    "#);
    let iam = |from: &str, to: &str| way(&deployed("templates/iam.yaml.hbs", from, to));
    insta::assert_snapshot!(iam("Action: \"glue:notifyEvent\"", "Action: \"glue:StartWorkflowRun\""), @r#"
    role `shop-dev-events-to-glue`: it may not glue:notifyEvent on arn:aws:glue:eu-central-1:111111111111:workflow/shop-dev: `Notify` allows other actions on it
      iam.yaml | Action: "glue:StartWorkflowRun"
      add `glue:notifyEvent` to `Action`
    "#);
    insta::assert_snapshot!(iam("Action: \"lambda:InvokeFunction\"", "Action: \"lambda:InvokeAsync\""), @"
    schedule → shop-dev-ingest-shop
    shop-dev-landing → shop-dev
    shop-dev-start → shop-dev-clean
    shop-dev-then-transform → shop-dev-transform
    shop-dev-transformed → shop-dev-load
    shop-dev-statement → shop-dev-load
    ");
    let permission = "Action: \"lambda:InvokeFunction\"\n      Principal: events.amazonaws.com";
    let foreign = "Action: \"lambda:InvokeFunction\"\n      Principal: s3.amazonaws.com";
    insta::assert_snapshot!(way(&deployed("templates/ingest.yaml.hbs", permission, foreign)), @"
    schedule → shop-dev-ingest-shop
    shop-dev-landing → shop-dev
    shop-dev-start → shop-dev-clean
    shop-dev-then-transform → shop-dev-transform
    shop-dev-transformed → shop-dev-load
    shop-dev-statement → shop-dev-load
    ");
    insta::assert_snapshot!(way(&deployed("templates/bootstrap.yaml.hbs", "Action: \"glue:notifyEvent\"", "Action: \"glue:StartWorkflowRun\"")), @r#"
    role `shop-dev-events-to-glue`: it may not glue:notifyEvent on arn:aws:glue:eu-central-1:111111111111:workflow/shop-dev: its boundary `shop-dev-boundary` does not allow it: `Workflow` allows other actions on it
      bootstrap.yaml | Action: "glue:StartWorkflowRun"
      add `glue:notifyEvent` to `Action`
    "#);
}
