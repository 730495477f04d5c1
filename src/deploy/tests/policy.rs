//! The stack policy, in the local account, which enforces it as CloudFormation does.

use std::sync::Arc;

use super::*;
use crate::aws::Aws;
use pipectl_emulator::account::{Endpoint, LocalAccount};

struct World {
    folder: tempfile::TempDir,
    account: LocalAccount,
    _endpoint: Endpoint,
    aws: Aws,
}

impl World {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = LocalAccount::open(folder.path(), ACCOUNT, "us-east-1").unwrap();
        let endpoint = account.serve(0).await.unwrap();
        let aws =
            Aws::connect(&environment(ACCOUNT), Some((&endpoint.url(), &account.access_key("deploy")))).await.unwrap();
        Self { folder, account, _endpoint: endpoint, aws }
    }

    /// Prepares a deploy of one stack with a topic and two buckets, the first of this name.
    async fn prepared(&self, name: &str) -> (Arc<Session>, tokio::sync::mpsc::UnboundedReceiver<Step>, survey::Survey) {
        let text = format!(
            "Resources:\n  Topic: {{Type: 'AWS::SNS::Topic'}}\n  Raw: {{Type: 'AWS::S3::Bucket', Properties: {{BucketName: {name}}}}}\n  \
             Other: {{Type: 'AWS::S3::Bucket', Properties: {{BucketName: other}}}}\n"
        );
        let desired = Release { stacks: vec![stack("storage", &text, Vec::new())], ..Release::default() };
        let (_sender, stop) = Stop::controlled();
        let (session, mut steps) =
            Session::open(self.aws.clone(), &spec(true), desired, Scope::Pipeline, stop).await.unwrap();
        let survey = survey::prepare(&session, &mut steps, &mut Silent).await.unwrap();
        (session, steps, survey)
    }

    async fn deploy(&self, name: &str, consent: Consent) -> Result<()> {
        let (session, mut steps, survey) = self.prepared(name).await;
        rollout::execute(&session, survey, &consent, &mut steps, &mut Silent).await.result
    }

    fn policy(&self) -> String {
        let file = self.folder.path().join("stacks/shop-dev-storage.json");
        let state: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        state["policy"]["Statement"][0]["Resource"].to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_policy_is_opened_only_for_consented_losses() {
    let world = World::open().await;
    let kept = r#"["LogicalResourceId/Raw","LogicalResourceId/Other"]"#;
    world.deploy("raw", Consent::To(Vec::new())).await.unwrap();
    assert_eq!(world.policy(), kept);
    // A deploy that does not keep to the plan is stopped by CloudFormation.
    let (session, _steps, survey) = world.prepared("raw-2").await;
    let (known, change_set) =
        survey.stacks.values().next().map(|one| (one.known.clone().unwrap(), one.change_set.clone().unwrap())).unwrap();
    let desired = session.stacks.get("storage").unwrap();
    let done = session.execute(&desired, &known.stack.id, &change_set, false).await;
    let Err(crate::deploy::conflict::Halt::Failed(error)) = done else { panic!("{done:?}") };
    insta::assert_snapshot!(error, @"
    error: `shop-dev-storage` was not updated: `Raw` (AWS::S3::Bucket) failed: Action denied by stack policy: Statement [#1] does not allow [Update:Replace] for resource [LogicalResourceId/Raw]
     --> storage.yaml:3:3
      |
    3 |   Raw: {Type: 'AWS::S3::Bucket', Properties: {BucketName: raw-2}}
      |   ^^^ this resource
      = note: `shop-dev-storage` is now in UPDATE_ROLLBACK_COMPLETE
      = hint: the stack policy keeps data where it is, and this deploy would replace or delete some that the plan did not show: run `pipectl plan`, then name the loss with `--allow-data-loss STACK/LOGICAL-ID`
    ");
    assert!(world.account.bucket_directory("raw").exists());
    // What was named passes.
    world.deploy("raw-2", Consent::To(vec!["storage/Raw".into()])).await.unwrap();
    assert!(world.account.bucket_directory("raw-2").exists());
    assert_eq!(world.policy(), kept);
}
