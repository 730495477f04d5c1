use std::collections::BTreeMap;

use super::*;
use crate::authorizer::Authorizer;
use pipectl_core::resource::testing::resources;

const TEMPLATE: &str = r#"Raw:
  Type: AWS::S3::Bucket
  Properties: {BucketName: raw}
Trail:
  Type: AWS::CloudTrail::Trail
  Properties:
    TrailName: landing
    IsLogging: true
    AdvancedEventSelectors:
      - FieldSelectors:
          - {Field: eventCategory, Equals: [Data]}
          - {Field: resources.ARN, StartsWith: ["arn:aws:s3:::raw/landing/"]}
Rule:
  Type: AWS::Events::Rule
  Properties:
    Name: arrived
    State: ENABLED
    EventPattern:
      source: [aws.s3]
      detail-type: [AWS API Call via CloudTrail]
      detail:
        errorCode: [{exists: false}]
        requestParameters:
          bucketName: [raw]
          key: [{prefix: landing/}]
    Targets:
      - Id: workflow
        Arn: arn:aws:glue:us-east-1:000000000000:workflow/shop
        RoleArn: arn:aws:iam::000000000000:role/starter
Ended:
  Type: AWS::Events::Rule
  Properties:
    Name: ended
    EventPattern: {source: [aws.glue], detail: {jobName: [transform], state: [SUCCEEDED]}}
    Targets:
      - {Id: load, Arn: "arn:aws:lambda:us-east-1:000000000000:function:load"}
      - {Id: mail, Arn: "arn:aws:sns:us-east-1:000000000000:alerts"}
Permission:
  Type: AWS::Lambda::Permission
  Properties:
    FunctionName: load
    Action: lambda:InvokeFunction
    Principal: events.amazonaws.com
    SourceArn: arn:aws:events:us-east-1:000000000000:rule/ended
Load:
  Type: AWS::Lambda::Function
  Properties: {FunctionName: load}
Starter:
  Type: AWS::IAM::Role
  Properties:
    RoleName: starter
    AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sts:AssumeRole"}]}
    Policies:
      - PolicyName: start
        PolicyDocument:
          Statement: {Effect: Allow, Action: "glue:notifyEvent", Resource: "arn:aws:glue:us-east-1:000000000000:workflow/shop"}
Workflow:
  Type: AWS::Glue::Workflow
  Properties: {Name: shop, MaxConcurrentRuns: 1}
Start:
  Type: AWS::Glue::Trigger
  Properties:
    Name: start
    Type: EVENT
    WorkflowName: shop
    EventBatchingCondition: {BatchSize: 3, BatchWindow: 300}
    Actions: [{JobName: clean}]
Then:
  Type: AWS::Glue::Trigger
  Properties:
    Name: then
    Type: CONDITIONAL
    StartOnCreation: true
    WorkflowName: shop
    Predicate: {Logical: AND, Conditions: [{LogicalOperator: EQUALS, JobName: clean, State: SUCCEEDED}]}
    Actions: [{JobName: transform}]
Hourly:
  Type: AWS::Scheduler::Schedule
  Properties:
    Name: hourly
    ScheduleExpression: rate(1 hour)
    Target: {Arn: "arn:aws:lambda:us-east-1:000000000000:function:load", RoleArn: "arn:aws:iam::000000000000:role/starter"}
"#;

pub(super) fn object(key: &str) -> ObjectWritten {
    ObjectWritten { bucket: "raw".into(), key: key.into(), size: 1, etag: "e".into(), operation: "PutObject".into() }
}

/// What becomes of an object, in words: targets reached, else the stops as people see them.
fn reported(template: &str, key: &str) -> String {
    let resources = resources(template);
    let (sent, mut stops) = object_events(&resources, &object(key));
    let mut lines = Vec::new();
    for sent in sent {
        let (deliveries, more) = deliver(&resources, &Authorizer::new(&resources), &sent.event);
        stops.extend(more);
        for delivery in deliveries {
            match delivery.target {
                Ok(target) => lines.push(format!("{} → {} → {target:?}", sent.by, delivery.rule)),
                Err(stop) => stops.push(stop),
            }
        }
    }
    if lines.is_empty() {
        lines.extend(stops.iter().map(|stop| Error::from(stop).to_string()));
    }
    lines.join("\n")
}

#[test]
fn an_object_reaches_the_workflow() {
    insta::assert_snapshot!(reported(TEMPLATE, "landing/orders/x.csv"), @r#"trail landing → arrived → Workflow("shop")"#);
    let own = TEMPLATE
        .replace("{BucketName: raw}", "{BucketName: raw, NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}}")
        .replace("AWS::CloudTrail::Trail", "AWS::Other::Thing")
        .replace("AWS API Call via CloudTrail", "Object Created")
        .replace("        errorCode: [{exists: false}]\n        requestParameters:\n          bucketName: [raw]\n          key: [{prefix: landing/}]\n",
            "        bucket: {name: [raw]}\n        object: {key: [{prefix: landing/}]}\n");
    insta::assert_snapshot!(reported(&own, "landing/orders/x.csv"), @r#"bucket raw → arrived → Workflow("shop")"#);
}

#[test]
fn a_stopped_event_is_reported_with_hop_and_line() {
    let with = |from: &str, to: &str| {
        assert!(TEMPLATE.contains(from), "{from}");
        reported(&TEMPLATE.replacen(from, to, 1), "landing/orders/x.csv")
    };
    insta::assert_snapshot!(with("raw/landing/", "raw/arrivals/"), @r#"
    error: trail `landing` stops the event: `resources.ARN` is `arn:aws:s3:::raw/landing/orders/x.csv`, the selector wants StartsWith ["arn:aws:s3:::raw/arrivals/"]
      --> events.yaml:12:13
       |
    12 |           - {Field: resources.ARN, StartsWith: ["arn:aws:s3:::raw/arrivals/"]}
       |             ^ here
      = hint: change this field selector so that it takes the object
    "#);
    insta::assert_snapshot!(with("IsLogging: true", "IsLogging: false"), @"
    error: trail `landing` stops the event: it does not log
     --> events.yaml:8:5
      |
    8 |     IsLogging: false
      |     ^^^^^^^^^ here
      = hint: set `IsLogging: true`
    ");
    insta::assert_snapshot!(with("{prefix: landing/}", "{suffix: .jsonl}"), @r#"
    error: rule `arrived` stops the event: `detail.requestParameters.key` is "landing/orders/x.csv", the pattern wants {"suffix":".jsonl"}
      --> events.yaml:25:11
       |
    25 |           key: [{suffix: .jsonl}]
       |           ^^^ here
      = hint: change the pattern so that it takes the event
    "#);
    insta::assert_snapshot!(with("State: ENABLED", "State: DISABLED"), @"
    error: rule `arrived` stops the event: it is disabled
      --> events.yaml:17:5
       |
    17 |     State: DISABLED
       |     ^^^^^ here
      = hint: set `State: ENABLED`
    ");
    insta::assert_snapshot!(with("workflow/shop", "workflow/shoe"), @"
    error: rule `arrived` stops the event: no workflow has the ARN `arn:aws:glue:us-east-1:000000000000:workflow/shoe`
      --> events.yaml:28:9
       |
    28 |         Arn: arn:aws:glue:us-east-1:000000000000:workflow/shoe
       |         ^^^ here
      = hint: name a workflow of the stack `glue`
    ");
    insta::assert_snapshot!(with("        RoleArn: arn:aws:iam::000000000000:role/starter\n", ""), @"
    error: rule `arrived` stops the event: a workflow is started only with a role
      --> events.yaml:28:9
       |
    28 |         Arn: arn:aws:glue:us-east-1:000000000000:workflow/shop
       |         ^^^ here
      = hint: add `RoleArn` of a role that allows glue:notifyEvent
    ");
    insta::assert_snapshot!(with("Action: \"glue:notifyEvent\"", "Action: \"glue:Get*\""), @r#"
    error: role `starter` stops the event: it may not glue:notifyEvent on arn:aws:glue:us-east-1:000000000000:workflow/shop: the statement of line 56 allows other actions on it
      --> events.yaml:56:38
       |
    56 |           Statement: {Effect: Allow, Action: "glue:Get*", Resource: "arn:aws:glue:us-east-1:000000000000:workflow/shop"}
       |                                      ^^^^^^ here
      = hint: add `glue:notifyEvent` to `Action`
    "#);
    insta::assert_snapshot!(with("Service: events.amazonaws.com", "Service: glue.amazonaws.com"), @r#"
    error: rule `arrived` stops the event: events.amazonaws.com may not assume the role `starter`: its trust policy does not let events.amazonaws.com in
      --> events.yaml:52:32
       |
    52 |     AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: glue.amazonaws.com}, Action: "sts:AssumeRole"}]}
       |                                ^^^^^^^^^ here
      = hint: let events.amazonaws.com assume it in `AssumeRolePolicyDocument`
    "#);
    insta::assert_snapshot!(with("AWS::CloudTrail::Trail", "AWS::Other::Thing"), @"
    error: bucket `raw` stops the event: no trail records its writes, and it sends no events to EventBridge
     --> events.yaml:3:3
      |
    3 |   Properties: {BucketName: raw}
      |   ^^^^^^^^^^ here
      = hint: set `trigger: {mode: s3}` or `trigger: {mode: cloudtrail}` in the pipeline
    ");
}

#[test]
fn the_end_of_a_job_reaches_the_function() {
    let resources_ = resources(TEMPLATE);
    let event = job_state_change(&resources_, "transform", "jr_1", "SUCCEEDED", "");
    let (deliveries, _) = deliver(&resources_, &Authorizer::new(&resources_), &event);
    let targets: Vec<_> = deliveries.into_iter().map(|delivery| delivery.target.unwrap()).collect();
    assert_eq!(
        targets,
        [Target::Function("load".into()), Target::Recorded("arn:aws:sns:us-east-1:000000000000:alerts".into())]
    );
    let failed = job_state_change(&resources_, "transform", "jr_1", "FAILED", "");
    assert!(deliver(&resources_, &Authorizer::new(&resources_), &failed).0.is_empty());
    let without = resources(&TEMPLATE.replace("rule/ended", "rule/other"));
    let stop = deliver(&without, &Authorizer::new(&without), &event).0[0].target.clone().unwrap_err();
    insta::assert_snapshot!(Error::from(&stop), @"
    error: rule `ended` stops the event: events.amazonaws.com may not lambda:InvokeFunction on arn:aws:lambda:us-east-1:000000000000:function:load: the policy of `function:load` does not let it in: the statement of line 41 would, but its condition wants `AWS:SourceArn` ArnLike `arn:aws:events:us-east-1:000000000000:rule/other`; in the call it is `arn:aws:events:us-east-1:000000000000:rule/ended`
      --> events.yaml:44:5
       |
    44 |     SourceArn: arn:aws:events:us-east-1:000000000000:rule/other
       |     ^^^^^^^^^ here
      = hint: let the condition on `AWS:SourceArn` take it, or add a statement that does
    ");
}

#[test]
fn schedules_need_a_role_that_lets_them_call() {
    let all = resources(TEMPLATE);
    let stop = schedules(&all, &Authorizer::new(&all))[0].function.clone().unwrap_err();
    insta::assert_snapshot!(Error::from(&stop), @r#"
    error: schedule `hourly` stops the event: scheduler.amazonaws.com may not assume the role `starter`: its trust policy does not let scheduler.amazonaws.com in
      --> events.yaml:52:32
       |
    52 |     AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sts:AssumeRole"}]}
       |                                ^^^^^^^^^ here
      = hint: let scheduler.amazonaws.com assume it in `AssumeRolePolicyDocument`
    "#);
    let allowed = TEMPLATE
        .replace("Service: events.amazonaws.com", "Service: [events.amazonaws.com, scheduler.amazonaws.com]")
        .replace(
            "Action: \"glue:notifyEvent\", Resource: \"arn:aws:glue:us-east-1:000000000000:workflow/shop\"",
            "Action: \"lambda:*\", Resource: \"*\"",
        );
    let all = resources(&allowed);
    let scheduled = &schedules(&all, &Authorizer::new(&all))[0];
    assert_eq!((scheduled.function.clone().unwrap().as_str(), scheduled.expression.as_str()), ("load", "rate(1 hour)"));
}

#[test]
fn batches_fill_or_their_window_closes() {
    let resources = resources(TEMPLATE);
    let mut workflows = Workflows::default();
    assert_eq!(workflows.notify(&resources, "shop", 0).unwrap(), None);
    assert_eq!(workflows.notify(&resources, "shop", 10).unwrap(), None);
    let full = workflows.notify(&resources, "shop", 20).unwrap().unwrap();
    assert_eq!((full.jobs.join(" ").as_str(), full.because.as_str(), full.events), ("clean", "3 events", 3));
    assert_eq!(workflows.notify(&resources, "shop", 50).unwrap(), None);
    assert_eq!((workflows.next_close(), workflows.close(&resources, 349).len()), (Some(350), 0));
    let closed = &workflows.close(&resources, 350)[0];
    assert_eq!((closed.because.as_str(), closed.events), ("300 s after the first event", 1));
    assert_eq!(workflows.next_close(), None);
    assert!(workflows.notify(&resources, "other", 0).unwrap_err().why.contains("no trigger of type EVENT"));
}

#[test]
fn conditional_triggers_follow_their_jobs() {
    let all = resources(TEMPLATE);
    let states = |state: &str| BTreeMap::from([("clean".to_owned(), state.to_owned())]);
    let next = follow(&all, "shop", &states("SUCCEEDED"), "clean");
    assert_eq!((next.len(), next[0].jobs[0].as_str(), next[0].because.as_str()), (1, "transform", "clean succeeded"));
    assert!(follow(&all, "shop", &states("FAILED"), "clean").is_empty());
    assert!(follow(&all, "shop", &states("SUCCEEDED"), "other").is_empty());
    let asleep = resources(&TEMPLATE.replace("StartOnCreation: true", "StartOnCreation: false"));
    assert!(follow(&asleep, "shop", &states("SUCCEEDED"), "clean").is_empty());
}

/// What is wrong with the triggers of the workflow, once something is changed.
fn broken_by(from: &str, to: &str) -> String {
    assert!(TEMPLATE.contains(from), "{from}");
    let jobs = "Clean:\n  Type: AWS::Glue::Job\n  Properties: {Name: clean}\nTransform:\n  Type: AWS::Glue::Job\n  Properties: {Name: transform}\n";
    let all = resources(&format!("{}{jobs}", TEMPLATE.replacen(from, to, 1)));
    let mut workflows = Workflows::default();
    let stops = match workflows.notify(&all, "shop", 0) {
        Err(stop) => vec![stop],
        Ok(_) => broken(&all, "shop"),
    };
    stops.iter().map(|stop| Error::from(stop).to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_blocked_workflow_is_reported_with_its_location() {
    assert_eq!(broken_by("shop", "shop"), "");
    insta::assert_snapshot!(broken_by("    Type: EVENT\n", "    Type: ON_DEMAND\n"), @"
    error: workflow `shop` stops the event: no trigger of type EVENT starts it
      --> events.yaml:64:5
       |
    64 |     Type: ON_DEMAND
       |     ^^^^ here
      = hint: give the first trigger of the workflow `Type: EVENT`
    ");
    insta::assert_snapshot!(broken_by("    StartOnCreation: true\n", ""), @"
    error: trigger `then` stops the event: it is not activated
      --> events.yaml:70:3
       |
    70 |   Properties:
       |   ^^^^^^^^^^ here
      = hint: set `StartOnCreation: true`
    ");
    insta::assert_snapshot!(broken_by("JobName: clean, State: SUCCEEDED", "JobName: cleanse, State: SUCCEEDED"), @"
    error: trigger `then` stops the event: it waits for the job `cleanse`, which no trigger of the workflow starts
      --> events.yaml:75:70
       |
    75 |     Predicate: {Logical: AND, Conditions: [{LogicalOperator: EQUALS, JobName: cleanse, State: SUCCEEDED}]}
       |                                                                      ^^^^^^^ here
      = hint: wait for one of clean, transform
    ");
    insta::assert_snapshot!(broken_by("JobName: clean, State: SUCCEEDED", "JobName: clean, State: SUCCESS"), @"
    error: trigger `then` stops the event: no job ends as `SUCCESS`
      --> events.yaml:75:86
       |
    75 |     Predicate: {Logical: AND, Conditions: [{LogicalOperator: EQUALS, JobName: clean, State: SUCCESS}]}
       |                                                                                      ^^^^^ here
      = hint: use one of SUCCEEDED, FAILED, STOPPED, TIMEOUT, ERROR
    ");
    insta::assert_snapshot!(broken_by("Actions: [{JobName: transform}]", "Actions: [{JobName: transfer}]"), @"
    error: trigger `then` stops the event: it starts the job `transfer`, which does not exist
      --> events.yaml:76:16
       |
    76 |     Actions: [{JobName: transfer}]
       |                ^^^^^^^ here
      = hint: name a job of the stack `glue`
    ");
}
