//! What pipectl knows of AWS resource types beyond AWS's own schemas: how one is named, its ARN, the data that is lost with
//! it, its secret properties.
//!
//! To add a type, or a fact about one, edit [`TYPES`]. Which properties can only be set at creation, and the identifier of
//! a type, come from AWS's schema: [`crate::template::schema`].

use crate::template::schema;

/// A type of resource, such as `AWS::S3::Bucket`.
#[derive(Debug)]
pub struct ResourceType {
    pub name: &'static str,
    /// The path of the property that names a resource, where it is not the primary identifier of the schema.
    named: Option<&'static str>,
    /// The ARN after `arn:aws:`, where it follows from the name.
    arn: Option<&'static str>,
    reference: Reference,
    /// The data of a resource, which its deletion destroys.
    pub data: Option<Data>,
    /// The paths of properties whose values are secret.
    pub secret_properties: &'static [&'static str],
}

/// The data that is destroyed with a resource.
#[derive(Debug)]
pub struct Data {
    /// What is lost, in words.
    pub holds: &'static str,
    /// What else a reader must know before allowing it; may be empty.
    pub remark: &'static str,
}

/// What `Ref` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Name,
    Arn,
    QueueUrl,
}

/// Everything that is known of types, sorted by name.
///
/// Source of `holds`: without a `DeletionPolicy` the resource "and its data" are deleted, says the CloudFormation user guide
/// (RDS clusters and instances outside of one default to `Snapshot`); what a type holds is in the service's own guide. It
/// lists types that pipectl's templates do not have, because those of a project may.
const TYPES: &[ResourceType] = &[
    resource_type("AWS::Athena::NamedQuery").named("Name"),
    resource_type("AWS::Backup::BackupVault")
        .holds("the backups in it", "CloudFormation cannot delete one that is not empty"),
    resource_type("AWS::CloudTrail::EventDataStore").holds("the recorded events", ""),
    resource_type("AWS::CloudTrail::Trail").arn("cloudtrail:{region}:{account}:trail/{name}"),
    resource_type("AWS::CloudWatch::Alarm").arn("cloudwatch:{region}:{account}:alarm:{name}"),
    resource_type("AWS::Cognito::UserPool").holds("its users", ""),
    resource_type("AWS::DMS::Endpoint")
        .named("EndpointIdentifier")
        .holds("where a replication reads or writes: it has to be loaded in full again", ""),
    resource_type("AWS::DMS::ReplicationConfig")
        .named("ReplicationConfigIdentifier")
        .holds("the position in the source's log: the next start loads every table in full", ""),
    resource_type("AWS::DocDB::DBCluster").holds("the database", "automated backups go with it"),
    resource_type("AWS::DynamoDB::GlobalTable").holds("its items, in all regions", ""),
    resource_type("AWS::DynamoDB::Table").holds("its items", ""),
    resource_type("AWS::EC2::Volume").holds("what is on it", ""),
    resource_type("AWS::ECR::Repository").holds("its images", "CloudFormation cannot delete one that is not empty"),
    resource_type("AWS::EFS::FileSystem").holds("its files", ""),
    resource_type("AWS::ElastiCache::CacheCluster").holds("what it holds", ""),
    resource_type("AWS::ElastiCache::ReplicationGroup").holds("what it holds", ""),
    resource_type("AWS::Events::Archive").holds("the archived events", ""),
    resource_type("AWS::Events::Rule").named("Name").arn("events:{region}:{account}:rule/{name}"),
    resource_type("AWS::FSx::FileSystem").holds("its files", ""),
    resource_type("AWS::Glue::Connection").named("ConnectionInput/Name"),
    resource_type("AWS::Glue::DataQualityRuleset").holds("the results of past evaluations", ""),
    resource_type("AWS::Glue::Database")
        .named("DatabaseInput/Name")
        .holds("the catalog's database and every table definition in it", "the objects in S3 stay"),
    resource_type("AWS::Glue::Job").arn("glue:{region}:{account}:job/{name}"),
    resource_type("AWS::Glue::Table")
        .named("TableInput/Name")
        .holds("the table definition and its partitions", "the objects in S3 stay"),
    resource_type("AWS::Glue::Workflow").arn("glue:{region}:{account}:workflow/{name}"),
    resource_type("AWS::IAM::ManagedPolicy")
        .named("ManagedPolicyName")
        .arn("iam::{account}:policy/{name}")
        .referenced_by(Reference::Arn),
    resource_type("AWS::IAM::Role").arn("iam::{account}:role/{name}"),
    resource_type("AWS::KMS::Key").holds(
        "the key: nothing that it has encrypted can be read again",
        "it is scheduled for deletion and can be brought back while that waits",
    ),
    resource_type("AWS::Kinesis::Stream").holds("the records that wait in it", ""),
    resource_type("AWS::Lambda::Function")
        .arn("lambda:{region}:{account}:function:{name}")
        .secret(&["Environment/Variables"]),
    resource_type("AWS::Logs::LogGroup").arn("logs:{region}:{account}:log-group:{name}:*").holds("the logs in it", ""),
    resource_type("AWS::Logs::MetricFilter").named("FilterName"),
    resource_type("AWS::Logs::SubscriptionFilter").named("FilterName"),
    resource_type("AWS::Neptune::DBCluster").holds("the database", "automated backups go with it"),
    resource_type("AWS::OpenSearchService::Domain").holds("its indices", ""),
    resource_type("AWS::QuickSight::DataSet").holds("the imported rows and what people have built on them", ""),
    resource_type("AWS::RDS::DBCluster").holds("the database", "automated backups go with it"),
    resource_type("AWS::RDS::DBInstance").holds("the database", "automated backups go with it"),
    resource_type("AWS::RDS::GlobalCluster")
        .holds("the tie between the clusters of several regions", "the clusters themselves stay"),
    resource_type("AWS::Redshift::Cluster").holds("the warehouse", "a snapshot is taken unless the policy is `Delete`"),
    resource_type("AWS::RedshiftServerless::Namespace").holds(
        "the warehouse: all databases, tables and users",
        "a final snapshot is taken only if the template names one",
    ),
    resource_type("AWS::RedshiftServerless::Snapshot").holds("the snapshot", ""),
    resource_type("AWS::S3::Bucket")
        .arn("s3:::{name}")
        .holds("all objects in it", "CloudFormation cannot delete a bucket that is not empty: the deploy fails on it"),
    resource_type("AWS::S3Express::DirectoryBucket")
        .holds("all objects in it", "CloudFormation cannot delete one that is not empty"),
    resource_type("AWS::S3Tables::Table").holds("its rows", ""),
    resource_type("AWS::S3Tables::TableBucket")
        .holds("all tables in it", "CloudFormation cannot delete one that is not empty"),
    resource_type("AWS::SNS::Topic")
        .named("TopicName")
        .arn("sns:{region}:{account}:{name}")
        .referenced_by(Reference::Arn),
    resource_type("AWS::SQS::Queue")
        .named("QueueName")
        .arn("sqs:{region}:{account}:{name}")
        .referenced_by(Reference::QueueUrl)
        .holds("the messages that wait in it", ""),
    resource_type("AWS::SSM::Parameter").holds("the parameter's value and history", ""),
    resource_type("AWS::Scheduler::Schedule").arn("scheduler:{region}:{account}:schedule/default/{name}"),
    resource_type("AWS::Scheduler::ScheduleGroup").arn("scheduler:{region}:{account}:schedule-group/{name}"),
    resource_type("AWS::SecretsManager::Secret")
        .named("Name")
        .arn("secretsmanager:{region}:{account}:secret:{name}-AbCdEf")
        .referenced_by(Reference::Arn)
        .secret(&["SecretString"])
        .holds("the secret's value", "it can be restored until its recovery window ends"),
    resource_type("AWS::Timestream::Table").holds("its rows", ""),
];

/// What is known of a type; `None` for most types, about which AWS's schema says enough.
pub fn find(resource_type: &str) -> Option<&'static ResourceType> {
    TYPES.binary_search_by(|one| one.name.cmp(resource_type)).ok().map(|index| &TYPES[index])
}

/// The path of the property that names a resource of a type, such as `BucketName` or `TableInput/Name`.
pub fn name_property(resource_type: &str) -> Option<&'static str> {
    let of_schema = || match schema::of(resource_type)?.identifier.as_slice() {
        [one] => Some(one.as_str()),
        _ => None,
    };
    find(resource_type).and_then(|one| one.named).or_else(of_schema)
}

/// The ARN of a resource, if it follows from its name.
pub fn arn(resource_type: &str, account: &str, region: &str, name: &str) -> Option<String> {
    let pattern = find(resource_type)?.arn?;
    let filled = pattern.replace("{region}", region).replace("{account}", account).replace("{name}", name);
    Some(format!("arn:aws:{filled}"))
}

/// What `Ref` returns for a resource of a type.
pub fn reference(resource_type: &str) -> Reference {
    find(resource_type).map_or(Reference::Name, |one| one.reference)
}

const fn resource_type(name: &'static str) -> ResourceType {
    ResourceType { name, named: None, arn: None, reference: Reference::Name, data: None, secret_properties: &[] }
}

impl ResourceType {
    const fn named(mut self, property: &'static str) -> Self {
        self.named = Some(property);
        self
    }

    const fn arn(mut self, pattern: &'static str) -> Self {
        self.arn = Some(pattern);
        self
    }

    const fn referenced_by(mut self, reference: Reference) -> Self {
        self.reference = reference;
        self
    }

    const fn secret(mut self, properties: &'static [&'static str]) -> Self {
        self.secret_properties = properties;
        self
    }

    const fn holds(mut self, holds: &'static str, remark: &'static str) -> Self {
        self.data = Some(Data { holds, remark });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted_and_each_is_listed_once() {
        let unsorted: Vec<_> = TYPES.windows(2).filter(|pair| pair[0].name >= pair[1].name).collect();
        assert!(unsorted.is_empty(), "{unsorted:#?}");
    }

    #[test]
    fn names_and_secrets_are_properties_of_the_schema() {
        for one in TYPES {
            let Some(schema) = schema::of(one.name) else { continue };
            for path in one.named.iter().chain(one.secret_properties) {
                let first = path.split('/').next().unwrap();
                assert!(schema.properties.contains_key(first), "{} has no property {first}", one.name);
            }
        }
    }

    #[test]
    fn a_name_is_found_in_the_registry_or_in_the_schema() {
        for (resource_type, expected) in [
            ("AWS::Glue::Table", Some("TableInput/Name")),
            ("AWS::S3::Bucket", Some("BucketName")),
            ("AWS::IAM::Role", Some("RoleName")),
            ("AWS::X::Y", None),
        ] {
            assert_eq!(name_property(resource_type), expected, "{resource_type}");
        }
        assert_eq!(arn("AWS::Glue::Job", "1", "eu", "j").as_deref(), Some("arn:aws:glue:eu:1:job/j"));
        assert_eq!(arn("AWS::EC2::VPC", "1", "eu", "v"), None);
    }
}
