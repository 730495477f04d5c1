//! What DMS does with its roles: it reads the secret of a database, and writes files into a bucket.

use serde_json::Value;

use super::{Authorizer, Source};
use crate::iam::Request;
use pipectl_core::resource::{Resource, Resources};

impl Authorizer {
    /// Authorizes the calls of each replication, also if its database is not rehearsed.
    pub fn replications(&self, resources: &Resources) {
        for replication in resources.of("AWS::DMS::ReplicationConfig") {
            let endpoint = |property: &str| find(resources, replication.text(property)?);
            let source = Source { arn: Some(&replication.name), account: Some(&resources.account) };
            if let Some(from) = endpoint("/SourceEndpointArn") {
                self.reads_secret(resources, from, source);
            }
            if let Some(to) = endpoint("/TargetEndpointArn") {
                self.writes_files(to, source);
            }
        }
    }

    /// The secret is read by the DMS of the region.
    fn reads_secret(&self, resources: &Resources, endpoint: &Resource, source: Source<'_>) {
        let settings = endpoint.properties.as_object().into_iter().flatten();
        for (_, settings) in settings.filter(|(name, _)| name.ends_with("Settings")) {
            let text = |name: &str| settings.get(name).and_then(Value::as_str);
            let (Some(role), Some(secret)) = (text("SecretsManagerAccessRoleArn"), text("SecretsManagerSecretId"))
            else {
                continue;
            };
            let arn = if secret.starts_with("arn:") {
                secret.to_owned()
            } else {
                // Of a secret that exists elsewhere, the six characters at the end are not known.
                resources.arn_of("AWS::SecretsManager::Secret", secret)
            };
            let calls = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
                .map(|action| Request::of_role("", action, &arn));
            self.assumed(&format!("dms.{}.amazonaws.com", resources.region), role, source, &calls);
        }
    }

    fn writes_files(&self, endpoint: &Resource, source: Source<'_>) {
        let role = endpoint.text("/S3Settings/ServiceAccessRoleArn");
        let (Some(role), Some(bucket)) = (role, endpoint.text("/S3Settings/BucketName")) else { return };
        let bucket = format!("arn:aws:s3:::{bucket}");
        let folder = endpoint.text("/S3Settings/BucketFolder").unwrap_or_default();
        let file =
            format!("{bucket}/{folder}{}source/table/LOAD00000001.parquet", if folder.is_empty() { "" } else { "/" });
        let mut calls: Vec<Request> = ["s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging"]
            .map(|action| Request::of_role("", action, &file))
            .into();
        calls.push(Request::of_role("", "s3:ListBucket", &bucket).with("s3:prefix", format!("{folder}/")));
        calls.push(Request::of_role("", "s3:GetBucketLocation", &bucket));
        self.assumed("dms.amazonaws.com", role, source, &calls);
    }
}

/// An endpoint by its ARN, or by its identifier.
fn find<'a>(resources: &'a Resources, arn: &str) -> Option<&'a Resource> {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    resources.of("AWS::DMS::Endpoint").find(|one| one.name == arn || one.text("/EndpointIdentifier") == Some(name))
}
