//! Ctrl-C twice while CloudFormation is at work.

use super::*;
use crate::deploy::progress::Answer;

/// Answers whether to cancel, and remembers what was asked.
struct Person {
    answer: bool,
    asked: Vec<String>,
    stopping: Option<String>,
}

impl Progress for Person {
    fn step(&mut self, step: &Step) {
        if let Step::Stopping { follow, .. } = step {
            self.stopping.clone_from(follow);
        }
    }

    fn cancel<'a>(&'a mut self, stacks: &'a [String], _stop: Stop) -> Answer<'a> {
        self.asked.extend_from_slice(stacks);
        Box::pin(std::future::ready(self.answer))
    }
}

/// An update that is left while it runs.
async fn left(answer: bool) -> (Fake, Person, Error) {
    let desired = Release { stacks: vec![stack("network", NETWORK, Vec::new())], ..Release::default() };
    let busy = result(&described("network", "UPDATE_IN_PROGRESS"));
    let fake = Fake::start()
        .await
        .on("DescribeStacks:shop-dev-network", result(&described("network", "CREATE_COMPLETE")))
        .on("DescribeStacks:shop-dev-network", busy.clone())
        .on("DescribeStacks:arn:network", busy)
        .on("GetTemplate", result(&json!({"TemplateBody": "Resources: {}"})))
        .on("CreateChangeSet", result(&json!({"Id": "arn:cs", "StackId": "arn:network"})))
        .on(
            "DescribeChangeSet",
            result(&json!({"ChangeSetId": "arn:cs", "StackId": "arn:network", "Status": "CREATE_COMPLETE"})),
        )
        .on("ExecuteChangeSet", result(&json!({})))
        .on("CancelUpdateStack", result(&json!({})))
        .on("DescribeStackEvents", result(&json!({"StackEvents": []})));
    let (sender, stop) = Stop::controlled();
    let (session, mut steps) = open(&fake, desired, stop).await;
    let survey = survey::prepare(&session, &mut steps, &mut Silent).await.unwrap();
    let watched = fake.clone();
    tokio::spawn(async move {
        while watched.requests("ExecuteChangeSet").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        sender.send(1).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        sender.send(2).unwrap();
        std::future::pending::<()>().await;
    });
    let mut person = Person { answer, asked: Vec::new(), stopping: None };
    let ending = rollout::execute(&session, survey, &Consent::To(Vec::new()), &mut steps, &mut person).await;
    assert_eq!(ending.report, [("network".into(), Outcome::Running)]);
    (fake, person, ending.result.unwrap_err())
}

#[tokio::test]
async fn an_update_is_cancelled_after_confirmation() {
    let (fake, person, error) = left(true).await;
    assert_eq!(person.asked, ["network"]);
    insta::assert_snapshot!(person.stopping.unwrap(), @"AWS continues without pipectl: `pipectl status --env dev` shows the progress");
    assert_eq!(fake.calls(true), ["CreateChangeSet", "ExecuteChangeSet", "CancelUpdateStack"]);
    assert_eq!(error.exit_code(), Exit::Interrupted);
    insta::assert_snapshot!(error, @"
    error: interrupted: one stack is still being changed in AWS: `network`
    = note: the update of `network` is cancelled: AWS rolls it back now
    = hint: follow with `pipectl status --env dev`
    = hint: run `pipectl deploy --env dev` again: it resumes where it stopped
    ");
}

#[tokio::test]
async fn nothing_is_cancelled_without_confirmation() {
    let (fake, _, error) = left(false).await;
    assert_eq!(fake.calls(true), ["CreateChangeSet", "ExecuteChangeSet"]);
    insta::assert_snapshot!(error, @"
    error: interrupted: one stack is still being changed in AWS: `network`
    = hint: follow with `pipectl status --env dev`
    = hint: to cancel an update while it runs:
              aws cloudformation cancel-update-stack --region us-east-1 --stack-name shop-dev-network
    = hint: run `pipectl deploy --env dev` again: it resumes where it stopped
    ");
}
