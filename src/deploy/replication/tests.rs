//! Against the local account, which refuses to change what runs, as DMS does.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::aws::Aws;
use crate::deploy::conflict::Halt;
use crate::deploy::consent::Consent;
use crate::deploy::destroy::{destroy, inventory};
use crate::deploy::progress::{Progress, Step};
use crate::deploy::stop::Stop;
use crate::deploy::{Release, Scope, Session, rollout, survey};
use crate::render::RenderedStack;
use crate::spec::{Map, Spec};
use crate::template::Template;
use crate::yaml::{self, Source};
use pipectl_emulator::account::{Endpoint, LocalAccount};

const STACK: &str = r#"
Resources:
  Raw:
    Type: AWS::S3::Bucket
    Properties: {BucketName: shop-dev-raw}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: dms.eu-central-1.amazonaws.com}, Action: "sts:AssumeRole"}]
  Source:
    Type: AWS::DMS::Endpoint
    Properties: {EndpointType: source, EngineName: postgres, DatabaseName: shop}
  Target:
    Type: AWS::DMS::Endpoint
    Properties:
      EndpointType: target
      EngineName: s3
      S3Settings: {BucketName: !Ref Raw, ServiceAccessRoleArn: !GetAtt Role.Arn, CdcMaxBatchInterval: 60}
  Replication:
    Type: AWS::DMS::ReplicationConfig
    Properties:
      ReplicationConfigIdentifier: shop-dev-crm
      ReplicationType: full-load-and-cdc
      SourceEndpointArn: !Ref Source
      TargetEndpointArn: !Ref Target
      ComputeConfig: {MaxCapacityUnits: 2}
      TableMappings: {rules: []}
"#;

#[derive(Default)]
struct Said(Vec<String>);

impl Progress for Said {
    fn step(&mut self, step: &Step) {
        if let Step::Stack { what, .. } | Step::Done { what, .. } = step
            && !self.0.contains(what)
        {
            self.0.push(what.clone());
        }
    }
}

struct World {
    account: LocalAccount,
    endpoint: Endpoint,
    spec: Spec,
    _directory: tempfile::TempDir,
}

impl World {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let account = LocalAccount::open(directory.path(), "111111111111", "eu-central-1").unwrap();
        let endpoint = account.serve(0).await.unwrap();
        let pipeline = Source::new("pipeline.yaml", "name: shop\nsources: {}\ntables: {}\n");
        let node = yaml::parse(&pipeline).unwrap();
        let environment = "account: \"111111111111\"\nregion: eu-central-1\nlocal: true\n";
        let environment = yaml::parse(&Source::new("dev.yaml", environment)).unwrap();
        let spec = Spec {
            pipeline: serde_json::from_value(node.to_json()).unwrap(),
            environment: serde_json::from_value(environment.to_json()).unwrap(),
            environment_name: "dev".into(),
            tree: node,
        };
        Self { account, endpoint, spec, _directory: directory }
    }

    async fn session(&self, text: &str) -> (Arc<Session>, UnboundedReceiver<Step>) {
        let stack = RenderedStack {
            name: "source-database".into(),
            stack_name: "shop-dev-source-database".into(),
            text: text.into(),
            template: Template::parse(&Source::new("source-database.yaml", text)).unwrap(),
            inputs: Vec::new(),
            tags: Map::new(),
            termination_protection: false,
        };
        let desired = Release { stacks: vec![stack], ..Release::default() };
        let aws =
            Aws::connect(&self.spec.environment, Some((&self.endpoint.url(), &self.account.access_key("deploy"))))
                .await
                .unwrap();
        let (_, stop) = Stop::controlled();
        Session::open(aws, &self.spec, desired, Scope::Pipeline, stop).await.unwrap()
    }

    /// Deploys; what the plan noted, then what was said.
    async fn deploy(&self, text: &str) -> crate::error::Result<String> {
        let (session, mut steps) = self.session(text).await;
        let mut said = Said::default();
        let survey = survey::prepare(&session, &mut steps, &mut said).await?;
        let notes = survey.plan.stacks[0].notes.join("\n");
        rollout::execute(&session, survey, &Consent::To(Vec::new()), &mut steps, &mut said).await.result?;
        Ok(format!("{notes}\n---\n{}", said.0.join("\n")))
    }

    fn runs(&self) -> bool {
        let resources = self.account.resources();
        let replication = resources.iter().find(|one| one.resource_type == super::CONFIGURATION).unwrap();
        self.account.is_replicating(&replication.physical_id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_starts_after_its_stack_and_stops_for_what_it_uses() {
    let world = World::open().await;
    let first = world.deploy(STACK).await.unwrap();
    assert!(first.contains("the replication `Replication` is started after this stack"), "{first}");
    assert!(first.contains("starts the replication `shop-dev-crm`"), "{first}");
    assert!(world.runs());
    // Nothing changes: nothing stops.
    let same = world.deploy(STACK).await.unwrap();
    assert!(!same.contains("replication"), "{same}");
    let slower = STACK.replace("CdcMaxBatchInterval: 60", "CdcMaxBatchInterval: 300");
    let changed = world.deploy(&slower).await.unwrap();
    assert!(changed.contains("it is stopped before this update, and resumed after it"), "{changed}");
    assert!(changed.contains("stops the replication `shop-dev-crm`"), "{changed}");
    assert!(changed.contains("resumes the replication `shop-dev-crm`"), "{changed}");
    assert!(world.runs());

    // Somebody has stopped it by hand.
    let (session, _) = world.session(&slower).await;
    session.stop_replications("source-database", "shop-dev-source-database").await.unwrap();
    assert!(!world.runs());
    let resumed = world.deploy(&slower).await.unwrap();
    assert!(resumed.contains("the replication `shop-dev-crm` is stopped: it is started after this stack"), "{resumed}");
    assert!(resumed.contains("resumes the replication `shop-dev-crm`"), "{resumed}");
    assert!(world.runs());

    // An update that fails leaves it running.
    let broken = slower.replace("DatabaseName: shop", "DatabaseName: other, Nonsense: 1");
    let error = world.deploy(&broken).await.unwrap_err().to_string();
    assert!(error.contains("Nonsense"), "{error}");
    assert!(world.runs());

    let (session, mut steps) = world.session(&slower).await;
    let mut said = Said::default();
    let found = inventory(&session, true).await.unwrap();
    destroy(&session, found, true, &mut steps, &mut said).await.unwrap();
    assert!(said.0.iter().any(|what| what.starts_with("stops the replication `shop-dev-crm`")), "{:?}", said.0);
    assert!(world.account.resources().is_empty());
}

/// Without the stop, the change is refused: what the local account answers is what the deploy avoids.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_cannot_be_changed_by_cloudformation_alone() {
    let world = World::open().await;
    world.deploy(STACK).await.unwrap();
    let (session, mut steps) = world.session(&STACK.replace("MaxCapacityUnits: 2", "MaxCapacityUnits: 4")).await;
    let survey = survey::prepare(&session, &mut steps, &mut Said::default()).await.unwrap();
    let (stack, change_set) =
        survey.stacks.values().next().map(|one| (one.known.clone(), one.change_set.clone())).unwrap();
    let desired = session.stack("source-database").unwrap();
    let done = session.execute(&desired, &stack.unwrap().stack.id, &change_set.unwrap(), false).await;
    let Err(Halt::Failed(error)) = done else { panic!("{done:?}") };
    assert!(
        error.to_string().contains("can be changed and deleted in the states created, stopped and failed only"),
        "{error}"
    );
    assert!(world.runs());
}
