//! Fixtures of the fault tests: small stand-ins for all stacks, and accounts in which a deploy has every kind of work.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::cloud::{Cloud, ENVIRONMENT};
use super::{Test, UNCHECKED};

pub(crate) const DEPLOY: [&str; 4] = ["deploy", "--env", ENVIRONMENT, "--yes"];

/// The projects, and the accounts that they are deployed to.
pub(crate) struct Fixtures {
    /// The desired state.
    pub(crate) after: Test,
    /// Only the bootstrap stack is there.
    pub(crate) new: TempDir,
    /// Something of everything: `iam` was rolled back when it was to be created, so that it has to be deleted first;
    /// `storage` needs it and is not there; its template is too long for a request. `warehouse` has another value, which
    /// `glue` is given. The template of `ingest` differs in a comment only, so that its change set is empty. An object
    /// of the artifact bucket is gone. The rest is up to date.
    pub(crate) mixed: TempDir,
}

impl Fixtures {
    /// Makes all of it, or says what is missing.
    pub(crate) fn create() -> Option<Self> {
        let after = project("two", "# Changed.\n", "AWS::SSM::Parameter")?;
        let before = project("one", "", "AWS::S3::Bucket")?;
        let cloud = Cloud::empty();
        let printed = cloud.run(&after, &["bootstrap", "--env", ENVIRONMENT, "--yes"]);
        assert_eq!(printed.code, Some(0), "{}", printed.text);
        let new = cloud.close();
        let cloud = Cloud::copy_of(new.path());
        let printed = cloud.run(&before, &DEPLOY);
        assert!(
            printed.code == Some(1) && printed.text.contains("`shop-trial-iam` was not created"),
            "{}",
            printed.text
        );
        cloud.lose("lambda/load-");
        Some(Self { after, new, mixed: cloud.close() })
    }
}

/// The reference pipeline with stand-ins for its stacks.
fn project(warehouse: &str, ingest: &str, iam: &str) -> Option<Test> {
    let test = Test::packaged()?
        .write(
            &format!("stacks/{ENVIRONMENT}.yaml"),
            "account: \"111111111111\"\nregion: us-east-1\nproduction: true\n",
        )
        .write("templates/bootstrap.yaml.hbs", BOOTSTRAP);
    small_packages(&test);
    let iam = match iam {
        // Not a name of a bucket: the creation fails.
        "AWS::S3::Bucket" => format!(
            "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n{UNCHECKED}    Properties: {{BucketName: No_Bucket}}\n\
             Outputs: {{Value: {{Value: !Ref Bucket}}}}\n"
        ),
        _ => stand_in("iam", &[], "one"),
    };
    // Longer than the 51,200 bytes that a request may bring.
    let long = "# Nothing to be seen here, but a template that does not fit into a request.\n".repeat(700);
    let documents = [("ArtifactBucketName", "output bootstrap.ArtifactBucketName"), ("DocumentKey", "document")];
    Some(
        test.write("templates/iam.yaml.hbs", &iam)
            .write(
                "templates/storage.yaml.hbs",
                &(stand_in("storage", &[("Given", "output iam.Value")], "one") + &long),
            )
            .write("templates/warehouse.yaml.hbs", &stand_in("warehouse", &[], warehouse))
            .write("templates/ingest.yaml.hbs", &(stand_in("ingest", &documents, "one") + ingest))
            .write("templates/glue.yaml.hbs", &stand_in("glue", &[("Given", "output warehouse.Value")], "one"))
            .write("templates/network.yaml.hbs", &stand_in("network", &[], "one"))
            .write("templates/events.yaml.hbs", &stand_in("events", &[("Given", "output network.Value")], "one"))
            .write("templates/monitoring.yaml.hbs", &stand_in("monitoring", &[], "one"))
            .write("templates/analytics.yaml.hbs", &stand_in("analytics", &[], "one")),
    )
}

/// Puts a few bytes in the place of the Lambdas: megabytes would be read, digested and stored hundreds of times.
fn small_packages(test: &Test) {
    let path = test.path(".pipectl/package/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for built in manifest["lambda"]["artifacts"].as_array_mut().unwrap() {
        let (name, bytes) = (built["name"].as_str().unwrap().to_owned(), format!("stands in for {built}").into_bytes());
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(test.path(&format!(".pipectl/package/lambda/{name}-{digest}.zip")), &bytes).unwrap();
        built["sha256"] = digest.into();
        built["size"] = bytes.len().into();
    }
    std::fs::write(path, manifest.to_string()).unwrap();
}

const BOOTSTRAP: &str = r#"Resources:
  ArtifactBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: {{buckets.artifacts}}}
Outputs:
  ArtifactBucketName: {Value: !Ref ArtifactBucket}
  ExecutionRoleArn: {Value: !Sub "arn:aws:iam::${AWS::AccountId}:role/{{prefix}}-execution"}
"#;

/// A stack of one parameter, which holds what the stack is given.
fn stand_in(stack: &str, inputs: &[(&str, &str)], value: &str) -> String {
    let mut text = format!("Description: \"{{{{prefix}}}}: stands in for {stack}\"\n");
    if !inputs.is_empty() {
        text += "Metadata:\n  pipectl:\n    inputs:\n";
        for (parameter, from) in inputs {
            let _ = writeln!(text, "      {parameter}: {from}");
        }
        text += "Parameters:\n";
        for (parameter, _) in inputs {
            let _ = writeln!(text, "  {parameter}: {{Type: String}}");
        }
    }
    let given: Vec<String> = inputs.iter().map(|(parameter, _)| format!(" ${{{parameter}}}")).collect();
    let _ = write!(
        text,
        "Resources:\n  Setting:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: /{{{{prefix}}}}/{stack}\n      \
         Type: String\n      Value: !Sub \"{value}{}\"\nOutputs:\n  Value: {{Value: !GetAtt Setting.Value}}\n",
        given.concat()
    );
    text
}
