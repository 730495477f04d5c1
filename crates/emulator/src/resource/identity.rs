//! Physical ids and attributes, in AWS's shapes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Identity, ResourceAddress, flag, property, text};
use crate::account::clock;
use crate::account::state::StackResource;
use pipectl_core::resource_types;

/// The identity that a new resource gets.
pub(crate) fn identify(address: ResourceAddress<'_>, resource_type: &str, properties: &Value) -> Identity {
    let name = name_of(address, resource_type, properties);
    let maker = Maker { address, properties, name };
    let service = resource_type.split("::").nth(1).unwrap_or_default();
    let (physical_id, attributes) = match service {
        "EC2" => maker.network(resource_type),
        "IAM" | "KMS" | "SecretsManager" => maker.security(resource_type),
        "RedshiftServerless" | "RDS" | "DMS" | "QuickSight" => maker.database(resource_type),
        "SNS" | "SQS" | "Events" | "Scheduler" | "Lambda" => maker.event(resource_type),
        _ => maker.other(resource_type),
    };
    let attributes = match attributes {
        Value::Object(entries) => entries.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    Identity { physical_id, attributes }
}

/// An attribute of a resource: one that the service made, or a property that can be read back.
pub(crate) fn attribute(attributes: &BTreeMap<String, Value>, properties: &Value, name: &str) -> Option<Value> {
    attributes.get(name).or_else(|| property(properties, &name.replace('.', "/"))).cloned()
}

/// Whether two resources of a type would be the same thing: their ids are equal, and so is what the ids are unique in
/// (two databases may each have a table of one name).
pub(crate) fn is_same(one: &StackResource, other: &StackResource) -> bool {
    const WITHIN: [&str; 5] = ["CatalogId", "DatabaseName", "GroupName", "LogGroupName", "EventBusName"];
    one.resource_type == other.resource_type
        && one.physical_id == other.physical_id
        && WITHIN.iter().all(|name| one.properties.get(name) == other.properties.get(name))
}

/// The attributes of a resource after a change of its properties: those that follow from properties follow them, those
/// that the service made up stay.
pub(crate) fn refreshed(
    address: ResourceAddress<'_>,
    deployed: &StackResource,
    properties: &Value,
) -> BTreeMap<String, Value> {
    let [once, twice] = [(); 2].map(|()| identify(address, &deployed.resource_type, properties).attributes);
    let made_up =
        |name: &str, value: &Value| twice.get(name) != Some(value) || name.contains("Creat") || value.is_null();
    let mut attributes = deployed.attributes.clone();
    attributes.extend(once.into_iter().filter(|(name, value)| !made_up(name, value)));
    attributes
}

/// The name that the template gives, or one that CloudFormation would make up.
fn name_of(address: ResourceAddress<'_>, resource_type: &str, properties: &Value) -> String {
    let path = resource_types::name_property(resource_type);
    if let Some(name) = path.and_then(|path| text(properties, path)).filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let ResourceAddress { stack, logical_id, .. } = address;
    match resource_type {
        "AWS::S3::Bucket" => {
            let suffix = clock::random(12, clock::LOWER);
            let mut base = format!("{stack}-{logical_id}").to_lowercase();
            base.truncate(63 - 13);
            format!("{}-{suffix}", base.trim_end_matches('-'))
        }
        "AWS::SSM::Parameter" => format!("CFN-{logical_id}-{}", clock::random(12, clock::ALPHANUMERIC)),
        "AWS::SecretsManager::Secret" => format!("{logical_id}-{}", clock::random(12, clock::ALPHANUMERIC)),
        _ => {
            let suffix = clock::random(12, clock::ALPHANUMERIC);
            let longest =
                if resource_type == "AWS::IAM::Role" || resource_type == "AWS::Lambda::Function" { 64 } else { 128 };
            let mut base = format!("{stack}-{logical_id}");
            base.truncate(longest - 13);
            let name = format!("{base}-{suffix}");
            if resource_type.starts_with("AWS::RDS::") || resource_type.starts_with("AWS::DMS::") {
                name.to_lowercase()
            } else {
                name
            }
        }
    }
}

struct Maker<'a> {
    address: ResourceAddress<'a>,
    properties: &'a Value,
    name: String,
}

impl Maker<'_> {
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.address.region, self.address.account)
    }

    /// The ARN that follows from the type and the name.
    fn arn_of(&self, resource_type: &str) -> String {
        resource_types::arn(resource_type, self.address.account, self.address.region, &self.name).unwrap_or_default()
    }

    fn text(&self, path: &str) -> &str {
        text(self.properties, path).unwrap_or_default()
    }

    fn copy(&self, path: &str) -> Value {
        property(self.properties, path).cloned().unwrap_or(Value::Null)
    }

    fn network(&self, resource_type: &str) -> (String, Value) {
        let id = |prefix: &str| format!("{prefix}-0{}", clock::random(16, clock::HEX));
        match resource_type {
            "AWS::EC2::VPC" => {
                let vpc = id("vpc");
                let attributes = json!({
                    "VpcId": vpc, "CidrBlock": self.copy("CidrBlock"), "DefaultSecurityGroup": id("sg"),
                    "DefaultNetworkAcl": id("acl"), "CidrBlockAssociations": [id("vpc-cidr-assoc")],
                    "Ipv6CidrBlocks": [],
                });
                (vpc, attributes)
            }
            "AWS::EC2::Subnet" => {
                let subnet = id("subnet");
                let zone = match self.text("AvailabilityZone") {
                    "" => format!("{}a", self.address.region),
                    zone => zone.to_owned(),
                };
                let attributes = json!({
                    "SubnetId": subnet, "VpcId": self.copy("VpcId"), "CidrBlock": self.copy("CidrBlock"),
                    "AvailabilityZone": zone, "NetworkAclAssociationId": id("aclassoc"), "Ipv6CidrBlocks": [],
                });
                (subnet, attributes)
            }
            "AWS::EC2::RouteTable" => {
                let table = id("rtb");
                (table.clone(), json!({"RouteTableId": table}))
            }
            "AWS::EC2::SecurityGroup" => {
                let group = id("sg");
                (group.clone(), json!({"GroupId": group, "Id": group, "VpcId": self.copy("VpcId")}))
            }
            "AWS::EC2::VPCEndpoint" => {
                let endpoint = id("vpce");
                let subnets = property(self.properties, "SubnetIds").and_then(Value::as_array).map_or(0, Vec::len);
                let interfaces: Vec<String> = (0..subnets).map(|_| id("eni")).collect();
                let attributes = json!({
                    "Id": endpoint, "CreationTimestamp": clock::now(), "NetworkInterfaceIds": interfaces,
                    "DnsEntries": [],
                });
                (endpoint, attributes)
            }
            _ => {
                let prefix = match resource_type {
                    "AWS::EC2::SubnetRouteTableAssociation" => "rtbassoc",
                    "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => "sgr",
                    "AWS::EC2::FlowLog" => "fl",
                    _ => "id",
                };
                let made = id(prefix);
                (made.clone(), json!({"Id": made}))
            }
        }
    }

    fn security(&self, resource_type: &str) -> (String, Value) {
        let name = &self.name;
        let account = self.address.account;
        let path = match self.text("Path") {
            "" => "/",
            path => path,
        };
        match resource_type {
            "AWS::IAM::Role" => {
                let id = format!("AROA{}", clock::random(17, clock::UPPER));
                (name.clone(), json!({"Arn": format!("arn:aws:iam::{account}:role{path}{name}"), "RoleId": id}))
            }
            "AWS::IAM::RolePolicy" => (format!("{}|{}", self.text("PolicyName"), self.text("RoleName")), json!({})),
            "AWS::IAM::ManagedPolicy" => {
                let arn = format!("arn:aws:iam::{account}:policy{path}{name}");
                let id = format!("ANPA{}", clock::random(17, clock::UPPER));
                let attributes = json!({
                    "PolicyArn": arn, "PolicyId": id, "DefaultVersionId": "v1", "IsAttachable": true,
                    "AttachmentCount": 0, "PermissionsBoundaryUsageCount": 0, "CreateDate": clock::now(),
                    "UpdateDate": clock::now(),
                });
                (arn, attributes)
            }
            "AWS::IAM::OIDCProvider" => {
                let host = self.text("Url").trim_start_matches("https://");
                let arn = format!("arn:aws:iam::{account}:oidc-provider/{host}");
                (arn.clone(), json!({"Arn": arn}))
            }
            "AWS::KMS::Key" => {
                let id = clock::uuid();
                (id.clone(), json!({"Arn": self.arn("kms", &format!("key/{id}")), "KeyId": id}))
            }
            "AWS::SecretsManager::Secret" => {
                let suffix = clock::random(6, clock::ALPHANUMERIC);
                let arn = self.arn("secretsmanager", &format!("secret:{name}-{suffix}"));
                (arn.clone(), json!({"Id": arn}))
            }
            "AWS::SecretsManager::RotationSchedule" => {
                let secret = self.text("SecretId").to_owned();
                (secret.clone(), json!({"Id": secret}))
            }
            _ => (name.clone(), json!({})),
        }
    }

    fn database(&self, resource_type: &str) -> (String, Value) {
        let name = &self.name;
        let ResourceAddress { account, region, .. } = self.address;
        match resource_type {
            "AWS::RedshiftServerless::Namespace" => {
                let id = clock::uuid();
                let or = |path: &str, default: &str| match self.text(path) {
                    "" => default.to_owned(),
                    text => text.to_owned(),
                };
                let attributes = json!({
                    "Namespace.NamespaceArn": self.arn("redshift-serverless", &format!("namespace/{id}")),
                    "Namespace.NamespaceId": id, "Namespace.NamespaceName": name,
                    "Namespace.AdminUsername": or("AdminUsername", "admin"), "Namespace.DbName": or("DbName", "dev"),
                    "Namespace.KmsKeyId": or("KmsKeyId", "AWS_OWNED_KMS_KEY"),
                    "Namespace.DefaultIamRoleArn": self.text("DefaultIamRoleArn"),
                    "Namespace.IamRoles": self.copy("IamRoles"), "Namespace.LogExports": self.copy("LogExports"),
                    "Namespace.Status": "AVAILABLE", "Namespace.CreationDate": clock::now(),
                });
                (name.clone(), attributes)
            }
            "AWS::RedshiftServerless::Workgroup" => {
                let id = clock::uuid();
                let port = self.text("Port").parse().unwrap_or(5439);
                let attributes = json!({
                    "Workgroup.WorkgroupArn": self.arn("redshift-serverless", &format!("workgroup/{id}")),
                    "Workgroup.WorkgroupId": id, "Workgroup.WorkgroupName": name,
                    "Workgroup.NamespaceName": self.text("NamespaceName"),
                    "Workgroup.Endpoint.Address":
                        format!("{name}.{account}.{region}.redshift-serverless.amazonaws.com"),
                    "Workgroup.Endpoint.Port": port, "Workgroup.Status": "AVAILABLE",
                    "Workgroup.BaseCapacity": self.copy("BaseCapacity"),
                    "Workgroup.MaxCapacity": self.copy("MaxCapacity"),
                    "Workgroup.SubnetIds": self.copy("SubnetIds"),
                    "Workgroup.SecurityGroupIds": self.copy("SecurityGroupIds"),
                    "Workgroup.CreationDate": clock::now(),
                });
                (name.clone(), attributes)
            }
            "AWS::RDS::DBInstance" => {
                let identifier = name.to_lowercase();
                let port = if self.text("Engine").contains("postgres") { "5432" } else { "3306" };
                let host = format!("{identifier}.{}.{region}.rds.amazonaws.com", clock::random(12, clock::LOWER));
                let mut attributes = json!({
                    "Endpoint.Address": host, "Endpoint.Port": port, "Endpoint.HostedZoneId": "Z2R2ITUGPM61AM",
                    "DBInstanceArn": self.arn("rds", &format!("db:{identifier}")),
                    "DbiResourceId": format!("db-{}", clock::random(26, clock::UPPER)),
                });
                if flag(self.properties, "ManageMasterUserPassword") {
                    let suffix = clock::random(6, clock::ALPHANUMERIC);
                    let secret = format!("secret:rds!db-{}-{suffix}", clock::uuid());
                    attributes["MasterUserSecret.SecretArn"] = self.arn("secretsmanager", &secret).into();
                }
                (identifier, attributes)
            }
            "AWS::RDS::DBParameterGroup" | "AWS::RDS::DBSubnetGroup" => {
                let lower = name.to_lowercase();
                let (kind, attribute) = if resource_type.ends_with("SubnetGroup") {
                    ("subgrp", "DBSubnetGroupArn")
                } else {
                    ("pg", "DBParameterGroupArn")
                };
                let arn = self.arn("rds", &format!("{kind}:{lower}"));
                (lower, json!({attribute: arn}))
            }
            "AWS::DMS::Endpoint" => {
                let arn = self.arn("dms", &format!("endpoint:{}", clock::random(26, clock::UPPER)));
                (arn.clone(), json!({"EndpointArn": arn, "ExternalId": clock::uuid()}))
            }
            "AWS::DMS::ReplicationConfig" => {
                let arn = self.arn("dms", &format!("replication-config:{}", clock::random(26, clock::UPPER)));
                (arn.clone(), json!({"ReplicationConfigArn": arn}))
            }
            "AWS::QuickSight::RefreshSchedule" => {
                let schedule = match self.text("Schedule/ScheduleId") {
                    "" => name,
                    id => id,
                };
                let set = self.text("DataSetId");
                let arn = self.arn("quicksight", &format!("dataset/{set}/refresh-schedule/{schedule}"));
                (format!("{account}|{set}|{schedule}"), json!({"Arn": arn}))
            }
            "AWS::QuickSight::DataSource" | "AWS::QuickSight::DataSet" | "AWS::QuickSight::VPCConnection" => {
                let (kind, property) = match resource_type {
                    "AWS::QuickSight::DataSource" => ("datasource", "DataSourceId"),
                    "AWS::QuickSight::DataSet" => ("dataset", "DataSetId"),
                    _ => ("vpcConnection", "VPCConnectionId"),
                };
                let id = match self.text(property) {
                    "" => name,
                    id => id,
                };
                let arn = self.arn("quicksight", &format!("{kind}/{id}"));
                let attributes = json!({
                    "Arn": arn, "CreatedTime": clock::now(), "LastUpdatedTime": clock::now(),
                    "Status": "CREATION_SUCCESSFUL",
                });
                (format!("{account}|{id}"), attributes)
            }
            _ => (name.clone(), json!({})),
        }
    }

    fn event(&self, resource_type: &str) -> (String, Value) {
        let name = &self.name;
        let ResourceAddress { account, region, .. } = self.address;
        match resource_type {
            "AWS::SNS::Topic" => {
                let arn = self.arn_of(resource_type);
                (arn.clone(), json!({"TopicArn": arn, "TopicName": name}))
            }
            "AWS::SNS::Subscription" => {
                let arn = format!("{}:{}", self.text("TopicArn"), clock::uuid());
                (arn.clone(), json!({"Arn": arn}))
            }
            "AWS::SQS::Queue" => {
                let url = format!("https://sqs.{region}.amazonaws.com/{account}/{name}");
                (url.clone(), json!({"Arn": self.arn_of(resource_type), "QueueName": name, "QueueUrl": url}))
            }
            "AWS::Events::Rule" => {
                let bus = Some(self.text("EventBusName")).filter(|bus| !bus.is_empty() && *bus != "default");
                let (id, path) = match bus {
                    Some(bus) => (format!("{bus}|{name}"), format!("rule/{bus}/{name}")),
                    None => (name.clone(), format!("rule/{name}")),
                };
                (id, json!({"Arn": self.arn("events", &path), "RuleName": name}))
            }
            "AWS::Scheduler::Schedule" => {
                let group = match self.text("GroupName") {
                    "" => "default",
                    group => group,
                };
                (name.clone(), json!({"Arn": self.arn("scheduler", &format!("schedule/{group}/{name}"))}))
            }
            "AWS::Scheduler::ScheduleGroup" => {
                let attributes = json!({
                    "Arn": self.arn_of(resource_type), "State": "ACTIVE",
                    "CreationDate": clock::now(), "LastModificationDate": clock::now(),
                });
                (name.clone(), attributes)
            }
            "AWS::Lambda::Function" => (name.clone(), json!({"Arn": self.arn_of(resource_type)})),
            "AWS::Lambda::EventSourceMapping" => {
                let id = clock::uuid();
                let arn = self.arn("lambda", &format!("event-source-mapping:{id}"));
                (id.clone(), json!({"Id": id, "EventSourceMappingArn": arn}))
            }
            "AWS::Lambda::EventInvokeConfig" => {
                (format!("{}|{}", self.text("FunctionName"), self.text("Qualifier")), json!({}))
            }
            // Queue, topic and permission statements: an id that CloudFormation makes up.
            _ => (name.clone(), json!({"Id": name})),
        }
    }

    fn other(&self, resource_type: &str) -> (String, Value) {
        let name = &self.name;
        let region = self.address.region;
        match resource_type {
            "AWS::S3::Bucket" => {
                let attributes = json!({
                    "Arn": self.arn_of(resource_type), "DomainName": format!("{name}.s3.amazonaws.com"),
                    "RegionalDomainName": format!("{name}.s3.{region}.amazonaws.com"),
                    "DualStackDomainName": format!("{name}.s3.dualstack.{region}.amazonaws.com"),
                    "WebsiteURL": format!("http://{name}.s3-website-{region}.amazonaws.com"),
                });
                (name.clone(), attributes)
            }
            "AWS::CloudTrail::Trail" | "AWS::CloudWatch::Alarm" | "AWS::Logs::LogGroup" => {
                (name.clone(), json!({"Arn": self.arn_of(resource_type)}))
            }
            "AWS::Logs::QueryDefinition" => {
                let id = clock::uuid();
                (id.clone(), json!({"QueryDefinitionId": id}))
            }
            "AWS::Athena::NamedQuery" => {
                let id = clock::uuid();
                (id.clone(), json!({"NamedQueryId": id}))
            }
            "AWS::SSM::Parameter" => {
                let path = name.trim_start_matches('/');
                (name.clone(), json!({"Arn": self.arn("ssm", &format!("parameter/{path}"))}))
            }
            _ => (name.clone(), json!({})),
        }
    }
}
