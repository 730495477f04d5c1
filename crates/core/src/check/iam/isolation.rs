//! What the roles of a pipeline may do to others, and how far they can raise their own rights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::iam::{Context, Effect, Kind, Policies, Request, Statement, actions};
use crate::render::{RenderedStack, edited, forecast, stacks};
use crate::resource::Resource;
use crate::spec::Spec;
use crate::testing::built_in;
use crate::yaml::{self, Source};

const ENVIRONMENTS: [(&str, &str); 6] = [
    ("databases", include_str!("../../../../../tests/environments/databases.yaml")),
    ("github", include_str!("../../../../../tests/environments/github.yaml")),
    ("iceberg", include_str!("../../../../../tests/environments/iceberg.yaml")),
    ("native-events", include_str!("../../../../../tests/environments/native-events.yaml")),
    ("outlets", include_str!("../../../../../tests/environments/outlets.yaml")),
    ("own-source", include_str!("../../../../../tests/environments/own-source.yaml")),
];
const ACCOUNT: &str = "666666666666";
const REGION: &str = "eu-central-1";

/// A pipeline that has everything: the overrides of all environments that the tests have.
fn everything(name: &str, environment: &str) -> Pipeline {
    let mut overrides: Option<yaml::Node> = None;
    for (file, text) in ENVIRONMENTS {
        let tree = yaml::parse(&Source::new(file, text)).unwrap();
        let Some(more) = tree.get("overrides").cloned() else { continue };
        match &mut overrides {
            Some(all) => all.merge(more),
            None => overrides = Some(more),
        }
    }
    let mut overrides = overrides.unwrap().to_json();
    overrides["name"] = name.into();
    // Both ways in which events can go need their parts in turn; CloudTrail has more of them.
    overrides["trigger"] = json!({"mode": "cloudtrail"});
    let text = json!({"account": ACCOUNT, "region": REGION, "production": true, "overrides": overrides}).to_string();
    Pipeline::load(environment, &Source::new(format!("{environment}.yaml"), text))
}

/// A rendered pipeline, with the policies of all its roles.
struct Pipeline {
    spec: Spec,
    stacks: Vec<RenderedStack>,
    resources: Vec<Resource>,
    policies: Policies,
}

impl Pipeline {
    fn load(name: &str, environment: &Arc<Source>) -> Self {
        let spec = Spec::load(&built_in("stacks/pipeline.yaml").unwrap(), environment, name);
        let spec = spec.unwrap_or_else(|error| panic!("{error}"));
        let stacks = stacks(&spec, &|path| Ok(built_in(path))).unwrap_or_else(|error| panic!("{error}"));
        Self::of(spec, stacks)
    }

    fn of(spec: Spec, stacks: Vec<RenderedStack>) -> Self {
        let (account, region) = (&spec.environment.account, &spec.environment.region);
        let resources = forecast(&stacks, account, region);
        let policies = Policies::gather(account, region, &resources);
        Self { spec, stacks, resources, policies }
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        let (account, region) = (&self.spec.environment.account, &self.spec.environment.region);
        format!("arn:aws:{service}:{region}:{account}:{rest}")
    }

    /// The ARNs of all that the pipeline has, its stacks included, each with whether it can carry tags.
    fn arns(&self) -> BTreeSet<String> {
        let mut arns: BTreeSet<String> = self
            .stacks
            .iter()
            .map(|stack| self.arn("cloudformation", &format!("stack/{}/0a1b", stack.stack_name)))
            .collect();
        arns.extend(self.resources.iter().flat_map(|resource| self.arns_of(resource)));
        arns
    }

    fn arns_of(&self, resource: &Resource) -> Vec<String> {
        let name = resource.name.as_str();
        if super::OF_THE_ACCOUNT.contains(&name) {
            return Vec::new();
        }
        let text = |path: &str| resource.text(path).unwrap_or_default().to_owned();
        // What EC2, Redshift and DMS make up.
        let id = format!("{}-0a1b2c", resource.id.to_lowercase());
        let account = &self.spec.environment.account;
        let one = |service: &str, rest: String| vec![self.arn(service, &rest)];
        match resource.kind.as_str() {
            "AWS::S3::Bucket" => {
                vec![format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/landing/orders/1.json")]
            }
            "AWS::SQS::Queue" => one("sqs", name.rsplit('/').next().unwrap_or(name).to_owned()),
            "AWS::SNS::Topic" | "AWS::SecretsManager::Secret" => vec![name.to_owned()],
            "AWS::Lambda::Function" => one("lambda", format!("function:{name}")),
            "AWS::Logs::LogGroup" => {
                vec![
                    self.arn("logs", &format!("log-group:{name}")),
                    self.arn("logs", &format!("log-group:{name}:log-stream:1")),
                ]
            }
            "AWS::Glue::Job" => one("glue", format!("job/{name}")),
            "AWS::Glue::Workflow" => one("glue", format!("workflow/{name}")),
            "AWS::Glue::Trigger" => one("glue", format!("trigger/{name}")),
            "AWS::Glue::Crawler" => one("glue", format!("crawler/{name}")),
            "AWS::Glue::Connection" => one("glue", format!("connection/{}", text("/ConnectionInput/Name"))),
            "AWS::Glue::Database" => one("glue", format!("database/{name}")),
            "AWS::Glue::Table" => one("glue", format!("table/{}/{name}", text("/DatabaseName"))),
            "AWS::IAM::Role" => vec![format!("arn:aws:iam::{account}:role/{name}")],
            "AWS::IAM::ManagedPolicy" => {
                vec![format!("arn:aws:iam::{account}:policy/{}", text("/ManagedPolicyName"))]
            }
            "AWS::Events::Rule" => {
                let bus = resource.text("/EventBusName").filter(|bus| *bus != "default");
                one("events", bus.map_or_else(|| format!("rule/{name}"), |bus| format!("rule/{bus}/{name}")))
            }
            "AWS::Scheduler::Schedule" => one("scheduler", format!("schedule/default/{name}")),
            "AWS::CloudTrail::Trail" => one("cloudtrail", format!("trail/{name}")),
            "AWS::CloudWatch::Alarm" => one("cloudwatch", format!("alarm:{name}")),
            "AWS::Athena::WorkGroup" => one("athena", format!("workgroup/{name}")),
            "AWS::RedshiftServerless::Namespace" => one("redshift-serverless", format!("namespace/{id}")),
            "AWS::RedshiftServerless::Workgroup" => one("redshift-serverless", format!("workgroup/{id}")),
            "AWS::EC2::VPC" => one("ec2", format!("vpc/{id}")),
            "AWS::EC2::Subnet" => one("ec2", format!("subnet/{id}")),
            "AWS::EC2::RouteTable" => one("ec2", format!("route-table/{id}")),
            "AWS::EC2::SecurityGroup" => one("ec2", format!("security-group/{id}")),
            "AWS::EC2::VPCEndpoint" => one("ec2", format!("vpc-endpoint/{id}")),
            "AWS::RDS::DBInstance" => one("rds", format!("db:{}", text("/DBInstanceIdentifier"))),
            "AWS::RDS::DBParameterGroup" => one("rds", format!("pg:{}", text("/DBParameterGroupName"))),
            "AWS::RDS::DBSubnetGroup" => one("rds", format!("subgrp:{}", text("/DBSubnetGroupName"))),
            "AWS::DMS::Endpoint" => one("dms", format!("endpoint:{}", id.to_uppercase())),
            "AWS::DMS::ReplicationConfig" => one("dms", format!("replication-config:{}", id.to_uppercase())),
            "AWS::DMS::ReplicationSubnetGroup" => {
                one("dms", format!("subgrp:{}", text("/ReplicationSubnetGroupIdentifier")))
            }
            "AWS::QuickSight::DataSource" => one("quicksight", format!("datasource/{}", text("/DataSourceId"))),
            "AWS::QuickSight::VPCConnection" => {
                one("quicksight", format!("vpcConnection/{}", text("/VPCConnectionId")))
            }
            "AWS::QuickSight::DataSet" => vec![
                self.arn("quicksight", &format!("dataset/{}", text("/DataSetId"))),
                self.arn("quicksight", &format!("dataset/{}/ingestion/0a1b-2c", text("/DataSetId"))),
            ],
            "AWS::QuickSight::RefreshSchedule" => {
                one("quicksight", format!("dataset/{}/refresh-schedule/daily", text("/DataSetId")))
            }
            "AWS::KMS::Key" => one("kms", format!("key/{id}")),
            _ => Vec::new(),
        }
    }
}

/// The circumstances of a call that the caller would choose so that a statement lets it through: all but the tags and
/// the owner of what is there.
fn chosen(statement: &Statement) -> Context {
    let mut context = Context::default();
    let given = ["aws:resourcetag/", "ec2:createaction", "ec2:vpc", "ec2:subnet", "redshift-data:"];
    for condition in &statement.conditions {
        let key = condition.key.to_lowercase();
        if !given.iter().any(|start| key.starts_with(start))
            && let Some(value) = condition.values.first()
        {
            context.set(&key, value.replace('*', "x"));
        }
    }
    context
}

/// Gives a resource of a pipeline the tags that its stack puts on it, if conditions know them.
fn tagged(mut context: Context, pipeline: &Pipeline, tags: bool) -> Context {
    if tags {
        context.set("aws:ResourceTag/pipectl:environment", pipeline.spec.environment_name.as_str());
        context.set("aws:ResourceTag/pipectl:pipeline", pipeline.spec.pipeline.name.as_str());
    }
    context
}

/// What the roles of one pipeline may do to the resources of another: role, action and resource.
fn reached(own: &Pipeline, other: &Pipeline) -> BTreeSet<String> {
    let arns = other.arns();
    let none = Context::default();
    let mut reached = BTreeSet::new();
    // The two that DMS asks for belong to the account.
    let roles = own.policies.roles.values().filter(|role| !super::OF_THE_ACCOUNT.contains(&role.name.as_str()));
    for role in roles {
        for statement in role.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
            let taken: Vec<&String> = arns.iter().filter(|arn| statement.takes_resource(arn, &none)).collect();
            for action in statement.actions.patterns.iter().filter_map(actions::matching).flatten() {
                for arn in &taken {
                    let kinds = action.kinds.iter().filter(|kind| is_of(kind, arn));
                    let Some(tags) = kinds.map(|kind| kind.tags).reduce(|one, other| one || other) else { continue };
                    if creates(&action.name, arn) || LISTS.contains(&action.name.as_str()) {
                        continue;
                    }
                    let mut request = Request::of_role(&role.name, &action.name, arn);
                    request.context = tagged(chosen(statement), other, tags);
                    if own.policies.decide(&request).is_allowed() {
                        reached.insert(format!("{} {} {arn}", role.name, action.name));
                    }
                }
            }
        }
    }
    reached
}

/// What looks at an account as a whole. It shows names and settings of others, and changes nothing.
const LISTS: [&str; 3] =
    ["cloudwatch:describealarms", "ec2:describesecuritygroupreferences", "ec2:describevpcattribute"];

/// Whether a resource can be of this kind. Ingestions and schedules are below their data set.
fn is_of(kind: &Kind, arn: &str) -> bool {
    let below = match kind.name.as_str() {
        "ingestion" => "/ingestion/",
        "refreshschedule" => "/refresh-schedule/",
        _ => "",
    };
    arn.contains(below) && kind.arns.iter().any(|one| one.matches_arn(arn, &Context::default()))
}

/// Whether an action makes a resource of this kind: one that is there already makes it fail.
fn creates(action: &str, arn: &str) -> bool {
    [
        ("ec2:createvpc", ":vpc/"),
        ("ec2:createsubnet", ":subnet/"),
        ("ec2:createroutetable", ":route-table/"),
        ("ec2:createsecuritygroup", ":security-group/"),
        ("ec2:createvpcendpoint", ":vpc-endpoint/"),
        ("rds:createdbinstance", ":db:"),
        ("rds:createdbparametergroup", ":pg:"),
        ("rds:createdbsubnetgroup", ":subgrp:"),
        ("redshift-serverless:createnamespace", ":namespace/"),
        ("redshift-serverless:createworkgroup", ":workgroup/"),
    ]
    .iter()
    .any(|(known, kind)| *known == action && arn.contains(kind))
}

#[test]
fn a_pipeline_with_a_longer_name_loses_nothing() {
    let dev = everything("shop", "dev");
    for other in [everything("shop", "dev-eu"), everything("shop-dev", "eu"), everything("shop-d", "ev")] {
        for (one, other) in [(&dev, &other), (&other, &dev)] {
            let reached = reached(one, other);
            let prefix = other.spec.prefix();
            assert!(reached.is_empty(), "{prefix}:\n{}", reached.into_iter().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The test above sees a policy that names a prefix.
#[test]
fn a_policy_by_prefix_reaches_others() {
    let (dev, other) = (everything("shop", "dev"), everything("shop", "dev-eu"));
    let path = "templates/partials/execution_policies.yaml.hbs";
    let wide = edited(&dev.spec, path, "function:{{this}}", "function:{{@root.prefix}}-*");
    let reached = reached(&Pipeline::of(dev.spec, wide), &other);
    assert!(reached.iter().any(|line| line.contains("lambda:updatefunctioncode")), "{reached:?}");
}

/// What a pipeline is made of, and an action with which CloudFormation makes or changes it.
const MAKES: [(&str, &str); 24] = [
    ("AWS::S3::Bucket", "s3:CreateBucket"),
    ("AWS::SQS::Queue", "sqs:CreateQueue"),
    ("AWS::SNS::Topic", "sns:CreateTopic"),
    ("AWS::Lambda::Function", "lambda:CreateFunction"),
    ("AWS::Logs::LogGroup", "logs:CreateLogGroup"),
    ("AWS::Glue::Job", "glue:CreateJob"),
    ("AWS::Glue::Workflow", "glue:CreateWorkflow"),
    ("AWS::Glue::Trigger", "glue:CreateTrigger"),
    ("AWS::Glue::Crawler", "glue:UpdateCrawler"),
    ("AWS::Glue::Connection", "glue:CreateConnection"),
    ("AWS::Glue::Database", "glue:CreateDatabase"),
    ("AWS::Glue::Table", "glue:CreateTable"),
    ("AWS::IAM::Role", "iam:CreateRole"),
    ("AWS::Events::Rule", "events:PutRule"),
    ("AWS::Scheduler::Schedule", "scheduler:CreateSchedule"),
    ("AWS::CloudTrail::Trail", "cloudtrail:CreateTrail"),
    ("AWS::CloudWatch::Alarm", "cloudwatch:PutMetricAlarm"),
    ("AWS::Athena::WorkGroup", "athena:CreateWorkGroup"),
    ("AWS::RedshiftServerless::Workgroup", "redshift-serverless:CreateWorkgroup"),
    ("AWS::EC2::Subnet", "ec2:CreateSubnet"),
    ("AWS::EC2::SecurityGroup", "ec2:AuthorizeSecurityGroupIngress"),
    ("AWS::RDS::DBInstance", "rds:CreateDBInstance"),
    ("AWS::DMS::ReplicationConfig", "dms:ModifyReplicationConfig"),
    ("AWS::QuickSight::DataSet", "quicksight:CreateDataSet"),
];

/// Exact names are written twice, in the templates and in the policies: each that the templates have is granted.
#[test]
fn the_execution_role_may_make_all_that_the_templates_have() {
    let all = [everything("shop", "dev"), everything("a-shop-of-one", "test-2")];
    let others = ENVIRONMENTS.map(|(name, text)| Pipeline::load(name, &Source::new(format!("{name}.yaml"), text)));
    for pipeline in all.iter().chain(&others) {
        let execution = format!("{}-execution", pipeline.spec.prefix());
        let boundary =
            format!("arn:aws:iam::{}:policy/{}-boundary", pipeline.spec.environment.account, pipeline.spec.prefix());
        let mut made = BTreeSet::new();
        for resource in pipeline.resources.iter().filter(|resource| resource.stack != "bootstrap") {
            let Some((kind, action)) = MAKES.iter().find(|(kind, _)| *kind == resource.kind) else { continue };
            made.insert(*kind);
            let arn = pipeline.arns_of(resource).remove(0);
            let request = Request::of_role(&execution, action, &arn)
                .with("aws:RequestTag/pipectl:environment", pipeline.spec.environment_name.as_str())
                .with("aws:RequestTag/pipectl:pipeline", pipeline.spec.pipeline.name.as_str())
                .with("iam:PermissionsBoundary", boundary.as_str());
            let request = Request { context: tagged(request.context.clone(), pipeline, true), ..request };
            let decision = pipeline.policies.decide(&request);
            assert!(decision.is_allowed(), "{:?}", decision.denial());
        }
        assert!(made.len() >= 18, "{made:?}");
    }
    let there: BTreeSet<&str> =
        all.iter().chain(&others).flat_map(|one| &one.resources).map(|one| one.kind.as_str()).collect();
    let missing: Vec<&str> = MAKES.iter().map(|(kind, _)| *kind).filter(|kind| !there.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// IAM's quotas: 10,240 characters for all inline policies of a role, 6,144 for a managed policy, white space left out;
/// 10 managed policies at a role.
#[test]
fn no_policy_outgrows_its_quota() {
    // As long as S3 allows the names of the buckets to be.
    let all = [everything("shop", "dev"), everything("a-shop", "production")];
    let others = ENVIRONMENTS.map(|(name, text)| Pipeline::load(name, &Source::new(format!("{name}.yaml"), text)));
    for pipeline in all.iter().chain(&others) {
        // The longest name of a partition.
        let size = |document: &Value| document.to_string().replace("arn:aws:", "arn:aws-us-gov:").len();
        let mut managed: BTreeMap<String, usize> = BTreeMap::new();
        for resource in &pipeline.resources {
            let name = &resource.name;
            if resource.kind == "AWS::IAM::ManagedPolicy" {
                let size = size(&resource.properties["PolicyDocument"]);
                assert!(size <= 6_144, "{name} has {size} characters");
                for role in crate::iam::texts(resource.properties.get("Roles")) {
                    *managed.entry(role).or_default() += 1;
                }
            }
            if resource.kind == "AWS::IAM::Role" {
                let inline = resource.properties.get("Policies").and_then(Value::as_array).into_iter().flatten();
                let size: usize = inline.map(|policy| size(&policy["PolicyDocument"])).sum();
                assert!(size <= 10_240, "{name} has {size} characters");
            }
        }
        assert!(managed.values().all(|count| *count <= 10), "{managed:?}");
    }
}

/// An exact name of one pipeline is never the name of another: between the two would stand a reserved word.
#[test]
fn no_two_names_meet() {
    let own = everything("shop", "dev");
    let named = |one: &Pipeline| {
        one.policies.roles["shop-dev-execution"]
            .statements
            .iter()
            .flat_map(|statement| statement.resources.iter().flat_map(|names| &names.patterns))
            .filter_map(|pattern| {
                let (start, name) = pattern.text().split_once("shop-dev-")?;
                let kind = start.split(':').skip(2).collect::<Vec<_>>().join(":");
                Some((kind, name.split(['/', ':']).next().unwrap_or_default().trim_end_matches('*').to_owned()))
            })
            .collect::<BTreeSet<(String, String)>>()
    };
    let all = named(&own);
    assert!(all.len() > 40, "{all:?}");
    for (kind, name) in &all {
        for (at, _) in name.match_indices('-') {
            let (between, rest) = (&name[..at], &name[at + 1..]);
            let meets = all.iter().any(|(of, other)| {
                of == kind
                    && !rest.is_empty()
                    && (other == rest || other.ends_with('-') && rest.starts_with(other.as_str()))
            });
            let reserved = between.split('-').any(|word| crate::spec::names::RESERVED_IN_PREFIX.contains(&word));
            assert!(!meets || reserved, "{kind} {between} {rest}");
        }
    }
}

/// Actions that give the caller, or a role that it can be, the rights of another role.
const ALTERS: [&str; 9] = [
    "iam:AttachRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UpdateAssumeRolePolicy",
    "sts:AssumeRole",
];
/// Services that act as a role that they are passed, and run what the caller says.
const PASSES: [&str; 10] = [
    "cloudformation.amazonaws.com",
    "dms.amazonaws.com",
    "ec2.amazonaws.com",
    "events.amazonaws.com",
    "glue.amazonaws.com",
    "lambda.amazonaws.com",
    "quicksight.amazonaws.com",
    "redshift.amazonaws.com",
    "s3.amazonaws.com",
    "scheduler.amazonaws.com",
];
/// Code that roles run: a principal that writes it acts with their permissions.
const CODE: [&str; 3] = ["config/pipeline.json", "glue/clean.py", "lambda/load.zip"];

/// Each role, the roles whose rights it can get in one step, and how.
fn steps(pipeline: &Pipeline) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let (prefix, account) = (pipeline.spec.prefix(), &pipeline.spec.environment.account);
    let boundary = format!("arn:aws:iam::{account}:policy/{prefix}-boundary");
    let pipeline_roles: Vec<&String> =
        pipeline.policies.roles.keys().filter(|name| !administrators(name, &prefix)).collect();
    let mut steps: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for role in pipeline.policies.roles.keys() {
        let found = steps.entry(role.clone()).or_default();
        let allowed = |request: Request| {
            // The caller chooses its tags and the boundary that it names.
            let request = request
                .with("iam:PermissionsBoundary", boundary.as_str())
                .with("aws:RequestTag/pipectl:environment", pipeline.spec.environment_name.as_str())
                .with("aws:RequestTag/pipectl:pipeline", pipeline.spec.pipeline.name.as_str());
            pipeline.policies.decide(&request).is_allowed()
        };
        for other in pipeline.policies.roles.values() {
            for action in ALTERS {
                if allowed(Request::of_role(role, action, &other.arn)) {
                    found.insert((other.name.clone(), action.to_owned()));
                }
            }
            for service in PASSES {
                let trusted = Request::of_service(service, "sts:AssumeRole", &other.arn)
                    .with("aws:SourceAccount", account.as_str());
                let pass = Request::of_role(role, "iam:PassRole", &other.arn).with("iam:PassedToService", service);
                if allowed(pass) && pipeline.policies.decide(&trusted).is_allowed() {
                    found.insert((other.name.clone(), format!("iam:PassRole to {service}")));
                }
            }
        }
        let bucket = pipeline.spec.bucket(pipectl_contract::names::Zone::Artifacts);
        if CODE
            .iter()
            .any(|key| allowed(Request::of_role(role, "s3:PutObject", &format!("arn:aws:s3:::{bucket}/{key}"))))
        {
            found.extend(pipeline_roles.iter().map(|name| ((*name).clone(), "s3:PutObject of code".to_owned())));
        }
        let policies =
            [format!("{prefix}-boundary"), format!("{prefix}-deployment-boundary"), format!("{prefix}-compare")];
        for policy in policies {
            for action in ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"] {
                let arn = format!("arn:aws:iam::{account}:policy/{policy}");
                if allowed(Request::of_role(role, action, &arn)) {
                    found.insert((policy.clone(), action.to_owned()));
                }
            }
        }
        let stack = pipeline.arn("cloudformation", &format!("stack/{prefix}-bootstrap/0a1b"));
        for action in [
            "CreateChangeSet",
            "ExecuteChangeSet",
            "DeleteStack",
            "SetStackPolicy",
            "UpdateStack",
            "UpdateTerminationProtection",
        ] {
            if allowed(Request::of_role(role, &format!("cloudformation:{action}"), &stack)) {
                found.insert((format!("{prefix}-bootstrap"), action.to_owned()));
            }
        }
    }
    steps
}

/// The roles of the bootstrap stack.
fn administrators(role: &str, prefix: &str) -> bool {
    ["execution", "github-deploy", "github-plan"].iter().any(|name| role == format!("{prefix}-{name}"))
}

#[test]
fn no_role_can_raise_its_rights() {
    let pipeline = everything("shop", "dev");
    let steps = steps(&pipeline);
    let mut deployed = Vec::new();
    for (role, found) in &steps {
        let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        match role.as_str() {
            // It makes the roles of the pipeline, each within the boundary, and hands them over.
            "shop-dev-execution" => deployed = names.into_iter().map(str::to_owned).collect(),
            // It hands the execution role over to CloudFormation, and writes the code.
            "shop-dev-github-deploy" => {
                let code =
                    |how: &str| how == "s3:PutObject of code" || how == "iam:PassRole to cloudformation.amazonaws.com";
                assert!(found.iter().all(|(_, how)| code(how)), "{found:?}");
                let execution: Vec<_> = found.iter().filter(|(name, _)| administrators(name, "shop-dev")).collect();
                assert_eq!(
                    execution,
                    [&("shop-dev-execution".to_owned(), "iam:PassRole to cloudformation.amazonaws.com".to_owned())]
                );
            }
            _ => assert!(found.is_empty(), "{role}: {found:?}"),
        }
    }
    // No role of the bootstrap stack, none of its policies, and not the stack itself.
    assert!(deployed.len() > 10, "{deployed:?}");
    assert!(
        deployed.iter().all(|name| !administrators(name, "shop-dev") && pipeline.policies.roles.contains_key(name)),
        "{deployed:?}"
    );
}

/// The names of the roles are one lock, the denials of the boundary are another.
#[test]
fn either_lock_alone_keeps_the_roles_of_the_administrator() {
    let dev = everything("shop", "dev").spec;
    let altered = |path: &str, from: &str, to: &str| {
        let steps = steps(&Pipeline::of(dev.clone(), edited(&dev, path, from, to)));
        let found = steps["shop-dev-execution"]
            .iter()
            .filter(|(name, how)| administrators(name, "shop-dev") && !how.starts_with("iam:PassRole"));
        found.map(|(name, how)| format!("{how} on {name}")).collect::<Vec<_>>()
    };
    let none = Vec::<String>::new();
    let (boundary, policies) = ("templates/bootstrap.yaml.hbs", "templates/partials/execution_policies.yaml.hbs");
    assert_eq!(
        altered(
            boundary,
            "Sid: NoChangeOfTheRules\n            Effect: Deny",
            "Sid: NoChangeOfTheRules\n            Effect: Allow"
        ),
        none
    );
    assert_eq!(altered(policies, "role/{{this}}\"", "role/{{@root.prefix}}-*\""), none);
}
