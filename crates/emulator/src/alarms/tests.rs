use serde_json::json;

use super::*;
use crate::error::Error;
use crate::events;
use pipectl_core::resource::testing::resources;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:shop-alerts";

const TEMPLATE: &str = r#"Failed:
  Type: AWS::Events::Rule
  Properties:
    Name: failed
    EventPattern: {source: [aws.glue], detail: {state: [FAILED]}}
    Targets:
      - Id: mail
        Arn: arn:aws:sns:us-east-1:000000000000:shop-alerts
        DeadLetterConfig: {Arn: "arn:aws:sqs:us-east-1:000000000000:shop-undelivered"}
        InputTransformer:
          InputPathsMap: {job: $.detail.jobName, run: $.detail.jobRunId, reason: $.detail.message, time: $.time}
          InputTemplate: |
            "The job <job> failed (<aws.events.rule-name>)"
            "Reason: <reason>"
            "https://console/#/job/<job>/run/<run>, 1 < 2"
      - {Id: queue, Arn: "arn:aws:sqs:us-east-1:000000000000:shop-undelivered", InputPath: $.detail}
Policy:
  Type: AWS::SNS::TopicPolicy
  Properties:
    Topics: ["arn:aws:sns:us-east-1:000000000000:shop-alerts"]
    PolicyDocument:
      Statement:
        - {Effect: Allow, Principal: {Service: cloudwatch.amazonaws.com}, Action: "sns:Publish", Resource: "arn:aws:sns:us-east-1:000000000000:shop-alerts", Condition: {StringEquals: {"aws:SourceAccount": "000000000000"}}}
        - {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sns:Publish", Resource: "arn:aws:sns:us-east-1:000000000000:shop-alerts"}
Mail:
  Type: AWS::SNS::Subscription
  Properties: {TopicArn: "arn:aws:sns:us-east-1:000000000000:shop-alerts", Protocol: email, Endpoint: data@example.com}
Admission:
  Type: AWS::SQS::QueuePolicy
  Properties:
    Queues: ["https://sqs.us-east-1.amazonaws.com/000000000000/shop-undelivered"]
    PolicyDocument:
      Statement:
        - {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:000000000000:shop-undelivered", Condition: {ArnLike: {"aws:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/fail*"}}}
Scan:
  Type: AWS::Logs::MetricFilter
  Properties:
    LogGroupName: /pipectl/shop/load
    FilterPattern: '{ $.level = "ERROR" }'
    MetricTransformations: [{MetricNamespace: shop, MetricName: load-errors, MetricValue: "1"}]
LogAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties: {Name: load-log, AlarmDescription: "Read it.", Namespace: shop, MetricName: load-errors, Statistic: Sum, Period: 300, EvaluationPeriods: 1, Threshold: 0, ComparisonOperator: GreaterThanThreshold, TreatMissingData: notBreaching, AlarmActions: ["arn:aws:sns:us-east-1:000000000000:shop-alerts"]}
NoData:
  Type: AWS::CloudWatch::Alarm
  Properties: {Name: no-data, AlarmDescription: "Nothing for 26 hours.", Namespace: AWS/Events, MetricName: TriggeredRules, Dimensions: [{Name: RuleName, Value: landing}], Statistic: Sum, Period: 3600, EvaluationPeriods: 26, DatapointsToAlarm: 26, Threshold: 1, ComparisonOperator: LessThanThreshold, TreatMissingData: breaching, AlarmActions: ["arn:aws:sns:us-east-1:000000000000:shop-alerts"], OKActions: ["arn:aws:sns:us-east-1:000000000000:shop-alerts"]}
"#;

/// The template's resources, with the physical ids that topics and queues have.
fn deployed(template: &str) -> Resources {
    let mut resources = resources(template);
    let mut add = |kind: &str, name: &str| {
        let mut one = resources.all[0].clone();
        (one.kind, one.name, one.node) = (kind.into(), name.into(), None);
        resources.all.push(one);
    };
    add("AWS::SNS::Topic", TOPIC);
    add("AWS::SQS::Queue", "https://sqs.us-east-1.amazonaws.com/000000000000/shop-undelivered");
    resources
}

fn received(template: &str, arn: &str, event: &Value) -> String {
    let resources = deployed(template);
    let rule = resources.named("AWS::Events::Rule", "failed").unwrap();
    match receive(&resources, rule, arn, event) {
        Ok(Received::Mail(mail)) => format!("to {}: {}\n{}", mail.recipients(), mail.gist(), mail.text),
        Ok(Received::Queued(queue, text)) => format!("in {queue}: {text}"),
        Ok(Received::Unknown) => "unknown".into(),
        Err(stop) => Error::from(&stop).to_string(),
    }
}

fn failure(resources: &Resources) -> Value {
    let mut event = events::job_state_change(resources, "clean", "jr_1", "FAILED", "the file \"x\" is broken");
    event["time"] = "2026-11-21T10:00:00Z".into();
    event
}

#[test]
fn a_rule_sends_its_configured_mail() {
    let event = failure(&resources(TEMPLATE));
    insta::assert_snapshot!(received(TEMPLATE, TOPIC, &event), @r#"
    to data@example.com: The job clean failed (failed)
    The job clean failed (failed)
    Reason: the file "x" is broken
    https://console/#/job/clean/run/jr_1, 1 < 2
    "#);
    let queue = "arn:aws:sqs:us-east-1:000000000000:shop-undelivered";
    insta::assert_snapshot!(received(TEMPLATE, queue, &json!({"detail": {"a": 1}})), @r#"in shop-undelivered: {"a":1}"#);
}

#[test]
fn a_blocked_mail_is_reported_with_file_and_line() {
    let event = failure(&resources(TEMPLATE));
    let with = |from: &str, to: &str, arn: &str| {
        assert!(TEMPLATE.contains(from), "{from}");
        received(&TEMPLATE.replacen(from, to, 1), arn, &event)
    };
    let rules = "Service: events.amazonaws.com}, Action: \"sns:Publish\", Resource: \"arn:aws:sns:us-east-1:000000000000:shop-alerts\"";
    let asked = format!("{rules}, Condition: {{StringEquals: {{\"aws:SourceAccount\": \"000000000000\"}}}}");
    let queue = "arn:aws:sqs:us-east-1:000000000000:shop-undelivered";
    let reported = [
        with(rules, &asked, TOPIC),
        with(
            "Action: \"sns:Publish\", Resource: \"arn:aws:sns:us-east-1:000000000000:shop-alerts\"}",
            "Action: \"sns:Subscribe\", Resource: \"*\"}",
            TOPIC,
        ),
        with("$.detail.message", "$.detail.reason", TOPIC),
        with("<reason>", "<why>", TOPIC),
        with("rule/fail*", "rule/landing", queue),
    ];
    insta::assert_snapshot!(reported.join("\n\n"), @"
    error: topic `shop-alerts` stops the event: its policy has a condition on `aws:SourceAccount`, and events.amazonaws.com sends SNS no such key
      --> events.yaml:21:5
       |
    21 |     PolicyDocument:
       |     ^^^^^^^^^^^^^^ here
      = hint: remove the condition from this service's statement

    error: topic `shop-alerts` stops the event: its policy does not allow sns:Publish to events.amazonaws.com
      --> events.yaml:21:5
       |
    21 |     PolicyDocument:
       |     ^^^^^^^^^^^^^^ here
      = hint: allow sns:Publish to the service events.amazonaws.com

    error: rule `failed` stops the event: `reason` is to be `$.detail.reason`, which the event does not have
      --> events.yaml:11:74
       |
    11 |           InputPathsMap: {job: $.detail.jobName, run: $.detail.jobRunId, reason: $.detail.reason, time: $.time}
       |                                                                          ^^^^^^ here
      = hint: take a path that every event of the pattern has, or narrow the pattern by `exists: true`

    error: rule `failed` stops the event: its text has `<why>`, which is not a variable
      --> events.yaml:12:11
       |
    12 |           InputTemplate: |
       |           ^^^^^^^^^^^^^ here
      = hint: add `why` to `InputPathsMap`

    error: queue `shop-undelivered` stops the event: the condition on `aws:SourceArn` in its policy does not hold for failed
      --> events.yaml:32:5
       |
    32 |     PolicyDocument:
       |     ^^^^^^^^^^^^^^ here
      = hint: let `aws:SourceArn` match failed
    ");
}

#[test]
fn alarms_send_cloudwatchs_mails() {
    let resources = deployed(TEMPLATE);
    let mut metrics = Metrics::default();
    let lines = [r#"{"level":"INFO"}"#, r#"{"level":"ERROR","message":"no token"}"#, "ERROR in words"];
    metrics.scan(&resources, "/pipectl/shop/load", &lines, 10);
    metrics.scan(&resources, "/pipectl/shop/other", &lines, 10);
    // Data in the first two hours, then none for long, then some again.
    for at in [0, 3_700, 40 * 3_600] {
        metrics.count("AWS/Events", "TriggeredRules", ("RuleName", "landing"), at, 3.0);
    }
    let (mails, stops) = metrics.alarms(&resources, 41 * 3_600);
    assert!(stops.is_empty(), "{stops:?}");
    let reported: Vec<String> =
        mails.iter().map(|mail| format!("to {}: {}\n{}", mail.recipients(), mail.subject, mail.text)).collect();
    insta::assert_snapshot!(reported.join("\n\n"), @r#"
    to data@example.com: ALARM: "load-log" in us-east-1
    Your Amazon CloudWatch Alarm "load-log" in the us-east-1 region has entered the ALARM state, because "Threshold Crossed: 1 out of the last 1 datapoints [1.0] was greater than the threshold (0.0)".
    View this alarm in the AWS Management Console:
    https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1#alarmsV2:alarm/load-log
    Description: Read it.

    to data@example.com: ALARM: "no-data" in us-east-1
    Your Amazon CloudWatch Alarm "no-data" in the us-east-1 region has entered the ALARM state, because "Threshold Crossed: no datapoints were received for 26 periods, and missing data is treated as breaching".
    View this alarm in the AWS Management Console:
    https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1#alarmsV2:alarm/no-data
    Description: Nothing for 26 hours.

    to data@example.com: OK: "no-data" in us-east-1
    Your Amazon CloudWatch Alarm "no-data" in the us-east-1 region has entered the OK state, because "Threshold Crossed: 25 out of the last 26 datapoints [3.0] was not less than the threshold (1.0)".
    View this alarm in the AWS Management Console:
    https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1#alarmsV2:alarm/no-data
    Description: Nothing for 26 hours.
    "#);
    assert!(metrics.alarms(&resources, 26 * 3_600).0.iter().all(|mail| !mail.subject.contains("no-data")));
}
