//! Glue: jobs, triggers, crawlers, connections, the catalog.

use serde_json::Value;

use super::events::schedule;
use super::schedule_expression::Dialect;
use super::{Findings, Rule, Subject, in_range, list, reference, shown, text};
use crate::error::did_you_mean;

const JOB: &[&str] = &["AWS::Glue::Job"];
const TRIGGER: &[&str] = &["AWS::Glue::Trigger"];
const JOBS: &str = "https://docs.aws.amazon.com/glue/latest/dg/add-job.html";
const API_JOB: &str = "https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "glue-capacity",
        types: JOB,
        property: "WorkerType",
        accepts: "`WorkerType` with `NumberOfWorkers`, or `MaxCapacity`; for Spark of Glue 2.0 and later the workers, for a Python shell a capacity of 0.0625 or 1",
        source: API_JOB,
        bad: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, GlueVersion: \"5.0\", WorkerType: G.1X, NumberOfWorkers: 2, MaxCapacity: 2}",
        good: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, GlueVersion: \"5.0\", WorkerType: G.1X, NumberOfWorkers: 2}",
        check: capacity,
    },
    Rule {
        id: "glue-worker-type",
        types: JOB,
        property: "WorkerType",
        accepts: "a worker type that the kind of job and the Glue version have: `G.025X` for streaming, `Z.2X` for Ray, the others for Spark",
        source: JOBS,
        bad: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, GlueVersion: \"5.0\", WorkerType: G.3X, NumberOfWorkers: 2}",
        good: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, GlueVersion: \"5.0\", WorkerType: G.2X, NumberOfWorkers: 2}",
        check: worker_type,
    },
    Rule {
        id: "glue-job",
        types: JOB,
        property: "Command",
        accepts: "a command of Glue with a script in S3, a Glue version and a Python version that go together, up to 10 retries, a timeout of 1 to 10,080 minutes, up to 1,000 concurrent runs",
        source: API_JOB,
        bad: "{Role: !GetAtt Role.Arn, Command: {Name: spark, ScriptLocation: \"s3://b/j.py\"}}",
        good: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}}",
        check: job,
    },
    Rule {
        id: "glue-flex",
        types: JOB,
        property: "ExecutionClass",
        accepts: "`FLEX` for Spark jobs of Glue 3.0 and later",
        source: "https://docs.aws.amazon.com/glue/latest/dg/add-job.html",
        bad: "{Role: !GetAtt Role.Arn, Command: {Name: pythonshell, ScriptLocation: \"s3://b/j.py\"}, ExecutionClass: FLEX}",
        good: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, GlueVersion: \"5.0\", ExecutionClass: FLEX, WorkerType: G.1X, NumberOfWorkers: 2}",
        check: |subject, found| {
            if subject.text("ExecutionClass") == Some("FLEX") {
                let command = subject.text("Command/Name");
                let version = subject.text("GlueVersion").and_then(|text| text.parse::<f64>().ok());
                if command.is_some_and(|name| name != "glueetl") {
                    found.refuse(
                        "ExecutionClass",
                        "has the execution class FLEX, which only Spark jobs have",
                        "write `ExecutionClass: STANDARD`",
                        "FLEX execution class is only supported for glueetl jobs",
                    );
                } else if version.is_some_and(|version| version < 3.0) {
                    found.refuse(
                        "ExecutionClass",
                        "has the execution class FLEX with a Glue version before 3.0",
                        "write `GlueVersion: \"5.0\"`",
                        "FLEX execution class requires Glue version 3.0 or later",
                    );
                }
            }
        },
    },
    Rule {
        id: "glue-job-arguments",
        types: JOB,
        property: "DefaultArguments",
        accepts: "names that begin with `--`, none that Glue sets itself, and texts as values",
        source: "https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html",
        bad: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, DefaultArguments: {\"--JOB_NAME\": x}}",
        good: "{Role: !GetAtt Role.Arn, Command: {Name: glueetl, ScriptLocation: \"s3://b/j.py\"}, DefaultArguments: {\"--table\": x}}",
        check: |subject, found| {
            for property in ["DefaultArguments", "NonOverridableArguments"] {
                for (name, value) in subject.get(property).and_then(Value::as_object).into_iter().flatten() {
                    let path = format!("{property}/{name}");
                    if ["--JOB_NAME", "--mode", "--debug"].contains(&name.as_str()) {
                        found.add(
                            &path,
                            format!("sets the argument `{name}`, which Glue sets itself"),
                            "rename the argument",
                        );
                    } else if value.is_object() || value.is_array() {
                        found.refuse(
                            &path,
                            format!("has an argument `{name}` that is not a text"),
                            "write a text",
                            "Model validation failed",
                        );
                    }
                }
            }
        },
    },
    Rule {
        id: "glue-trigger",
        types: TRIGGER,
        property: "Type",
        accepts: "`SCHEDULED` with a schedule, `CONDITIONAL` with a predicate, `ON_DEMAND` and `EVENT` with neither; `EVENT` only in a workflow; actions on a job or a crawler",
        source: "https://docs.aws.amazon.com/glue/latest/webapi/API_CreateTrigger.html",
        bad: "{Type: SCHEDULED, Actions: [{JobName: !Ref Job}]}",
        good: "{Type: SCHEDULED, Schedule: cron(0 6 * * ? *), Actions: [{JobName: !Ref Job}]}",
        check: trigger,
    },
    Rule {
        id: "glue-predicate",
        types: TRIGGER,
        property: "Predicate",
        accepts: "conditions with `LogicalOperator: EQUALS`, each a job with `State` or a crawler with `CrawlState`; `Logical` with two conditions or more",
        source: "https://docs.aws.amazon.com/glue/latest/webapi/API_Condition.html",
        bad: "{Type: CONDITIONAL, Actions: [{JobName: !Ref Job}], Predicate: {Conditions: [{JobName: !Ref Job, State: DONE, LogicalOperator: EQUALS}]}}",
        good: "{Type: CONDITIONAL, Actions: [{JobName: !Ref Job}], Predicate: {Conditions: [{JobName: !Ref Job, State: SUCCEEDED, LogicalOperator: EQUALS}]}}",
        check: predicate,
    },
    Rule {
        id: "glue-schedule",
        types: &["AWS::Glue::Trigger", "AWS::Glue::Crawler"],
        property: "Schedule",
        accepts: "`cron(…)` of six fields with `?` for one of the days, at least 5 minutes apart",
        source: "https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html",
        bad: "{Type: SCHEDULED, Schedule: rate(1 hour), Actions: [{JobName: !Ref Job}]}",
        good: "{Type: SCHEDULED, Schedule: cron(0 * * * ? *), Actions: [{JobName: !Ref Job}]}",
        check: |subject, found| {
            let path = if subject.resource.resource_type == "AWS::Glue::Crawler" {
                "Schedule/ScheduleExpression"
            } else {
                "Schedule"
            };
            schedule(subject, found, path, Dialect::Glue, "Invalid schedule expression.");
        },
    },
    Rule {
        id: "glue-workflow",
        types: &["AWS::Glue::Workflow", "AWS::Glue::Trigger"],
        property: "Name",
        accepts: "one start trigger a workflow (`ON_DEMAND`, `SCHEDULED` or `EVENT`), and at least one concurrent run",
        source: "https://docs.aws.amazon.com/glue/latest/dg/workflows_overview.html",
        bad: "Resources:\n  Flow:\n    Type: AWS::Glue::Workflow\n    Properties: {Name: flow, MaxConcurrentRuns: 0}",
        good: "Resources:\n  Flow:\n    Type: AWS::Glue::Workflow\n    Properties: {Name: flow, MaxConcurrentRuns: 1}",
        check: workflow,
    },
    Rule {
        id: "glue-names",
        types: &[
            "AWS::Glue::Database",
            "AWS::Glue::Table",
            "AWS::Glue::Job",
            "AWS::Glue::Trigger",
            "AWS::Glue::Workflow",
            "AWS::Glue::Crawler",
            "AWS::Glue::Connection",
        ],
        property: "Name",
        accepts: "1 to 255 characters without control characters; lowercase names without slashes for databases and tables, so that Athena finds them",
        source: "https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html",
        bad: "{CatalogId: \"111111111111\", DatabaseInput: {Name: Shop}}",
        good: "{CatalogId: \"111111111111\", DatabaseInput: {Name: shop}}",
        check: names,
    },
    Rule {
        id: "glue-crawler",
        types: &["AWS::Glue::Crawler"],
        property: "Targets",
        accepts: "at least one target; paths of S3 as `s3://bucket/prefix`; `LOG` for deletions where only new folders are crawled; a table prefix of up to 128 characters; a configuration that is JSON",
        source: "https://docs.aws.amazon.com/glue/latest/webapi/API_CreateCrawler.html",
        bad: "{Role: !GetAtt Role.Arn, DatabaseName: default, Targets: {S3Targets: [{Path: /raw}]}}",
        good: "{Role: !GetAtt Role.Arn, DatabaseName: default, Targets: {S3Targets: [{Path: \"s3://shop-raw/orders\"}]}}",
        check: crawler,
    },
    Rule {
        id: "glue-connection",
        types: &["AWS::Glue::Connection"],
        property: "ConnectionInput",
        accepts: "a JDBC connection with a `jdbc:` URL and one of a secret and a user with a password; a network connection with a subnet and security groups",
        source: "https://docs.aws.amazon.com/glue/latest/webapi/API_ConnectionInput.html",
        bad: "{CatalogId: \"111111111111\", ConnectionInput: {ConnectionType: JDBC, ConnectionProperties: {USERNAME: u, PASSWORD: p}}}",
        good: "{CatalogId: \"111111111111\", ConnectionInput: {ConnectionType: JDBC, ConnectionProperties: {JDBC_CONNECTION_URL: \"jdbc:mysql://h:3306/d\", SECRET_ID: s}}}",
        check: connection,
    },
    Rule {
        id: "glue-table",
        types: &["AWS::Glue::Table"],
        property: "TableInput",
        accepts: "columns with different names and types of Hive; partition keys that are not columns; a location in S3",
        source: "https://docs.aws.amazon.com/athena/latest/ug/data-types.html",
        bad: "{CatalogId: \"111111111111\", DatabaseName: default, TableInput: {Name: orders, StorageDescriptor: {Columns: [{Name: id, Type: text}]}}}",
        good: "{CatalogId: \"111111111111\", DatabaseName: default, TableInput: {Name: orders, StorageDescriptor: {Columns: [{Name: id, Type: string}]}}}",
        check: table,
    },
];

fn capacity(subject: &Subject<'_>, found: &mut Findings) {
    let (workers, count, capacity) =
        (subject.has("WorkerType"), subject.has("NumberOfWorkers"), subject.has("MaxCapacity"));
    if (workers || count) && capacity {
        found.refuse(
            "MaxCapacity",
            "has `MaxCapacity` beside workers",
            "remove `MaxCapacity`",
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        );
        return;
    }
    if workers != count {
        let (has, lacks) = if workers { ("WorkerType", "NumberOfWorkers") } else { ("NumberOfWorkers", "WorkerType") };
        found.refuse(
            has,
            format!("has `{has}` without `{lacks}`"),
            format!("add `{lacks}`"),
            "Please set both Worker Type and Number of Workers.",
        );
    }
    let command = subject.text("Command/Name");
    if let Some(value) = subject.number("MaxCapacity") {
        if command == Some("pythonshell") {
            if ![0.0625, 1.0].contains(&value) {
                found.refuse(
                    "MaxCapacity",
                    format!("has a capacity of {}", shown(value)),
                    "write 0.0625 or 1",
                    "Invalid DPU value for Python shell job.",
                );
            }
        } else if command == Some("glueetl") {
            let version = subject.text("GlueVersion").and_then(|text| text.parse::<f64>().ok());
            if version.is_some_and(|version| version >= 2.0) {
                found.refuse("MaxCapacity", "has `MaxCapacity` with Glue 2.0 or later", "write `WorkerType` and `NumberOfWorkers`", "For Glue version 2.0 or later jobs, you cannot specify a Maximum capacity. Instead, you should specify a Worker type and the Number of workers.");
            } else if value < 2.0 {
                found.refuse(
                    "MaxCapacity",
                    format!("has a capacity of {}", shown(value)),
                    "write 2 or more",
                    "Max Capacity must be at least 2 for Spark jobs.",
                );
            }
        }
    }
    if command == Some("pythonshell") && workers {
        found.refuse(
            "WorkerType",
            "is a Python shell with workers",
            "write `MaxCapacity: 0.0625` or `1`",
            "Worker Type is not supported for Job Command pythonshell",
        );
    }
    if let Some(value) = subject.number("NumberOfWorkers") {
        let least = if matches!(command, Some("glueetl" | "gluestreaming")) { 2.0 } else { 1.0 };
        if value < least || value.fract() != 0.0 {
            found.refuse(
                "NumberOfWorkers",
                format!("has {} workers", shown(value)),
                format!("write {} or more", shown(least)),
                "Number of workers is less than the minimum.",
            );
        }
    }
}

const WORKERS: [&str; 13] =
    ["G.025X", "G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X", "Z.2X", "Standard"];

fn worker_type(subject: &Subject<'_>, found: &mut Findings) {
    let Some(worker) = subject.text("WorkerType") else { return };
    if !WORKERS.contains(&worker) {
        found.refuse(
            "WorkerType",
            format!("has the worker type `{worker}`"),
            did_you_mean(worker, WORKERS),
            format!("Worker type {worker} is not supported."),
        );
        return;
    }
    let command = subject.text("Command/Name");
    let version = subject.text("GlueVersion").and_then(|text| text.parse::<f64>().ok());
    let mistake = match (worker, command) {
        ("G.025X", Some(command)) if command != "gluestreaming" => Some("`G.025X` is for streaming jobs"),
        ("Z.2X", Some(command)) if command != "glueray" => Some("`Z.2X` is for Ray jobs"),
        (worker, Some("glueray")) if worker != "Z.2X" => Some("a Ray job has workers of `Z.2X`"),
        ("Standard", _) if version.is_some_and(|version| version >= 3.0) => {
            Some("Glue 3.0 and later has no `Standard` workers")
        }
        (worker, _)
            if (worker.starts_with("R.") || ["G.4X", "G.8X", "G.12X", "G.16X"].contains(&worker))
                && version.is_some_and(|version| version < 3.0) =>
        {
            Some("Glue before 3.0 does not have this worker type")
        }
        _ => None,
    };
    if let Some(mistake) = mistake {
        found.refuse(
            "WorkerType",
            format!("has the worker type `{worker}`: {mistake}"),
            "write `G.1X` or `G.2X`",
            format!("Worker type {worker} is not supported for the job."),
        );
    }
}

fn job(subject: &Subject<'_>, found: &mut Findings) {
    const COMMANDS: [&str; 4] = ["glueetl", "pythonshell", "gluestreaming", "glueray"];
    let command = subject.text("Command/Name");
    if let Some(command) = command.filter(|command| !COMMANDS.contains(command)) {
        found.refuse(
            "Command/Name",
            format!("has the command `{command}`"),
            did_you_mean(command, COMMANDS),
            format!("Unknown job command: {command}"),
        );
    }
    if !subject.has("Command/ScriptLocation") && !subject.get("Command").is_some_and(super::is_unknown) {
        found.refuse("Command", "has no script", "add `ScriptLocation: s3://…`", "Script location cannot be null.");
    }
    if let Some(script) = subject.text("Command/ScriptLocation").filter(|script| !script.starts_with("s3://")) {
        found.refuse(
            "Command/ScriptLocation",
            format!("has the script `{script}`"),
            "write `s3://bucket/key`",
            "Invalid S3 location for the script.",
        );
    }
    let version = subject
        .text("GlueVersion")
        .map(str::to_owned)
        .or_else(|| subject.number("GlueVersion").map(|number| format!("{number:.1}")));
    if let Some(version) = &version {
        const VERSIONS: [&str; 7] = ["0.9", "1.0", "2.0", "3.0", "4.0", "5.0", "5.1"];
        if !VERSIONS.contains(&version.as_str()) {
            found.refuse(
                "GlueVersion",
                format!("has the Glue version `{version}`"),
                "write `\"5.0\"`",
                format!("GlueVersion {version} is not valid."),
            );
        } else if ["0.9", "1.0", "2.0"].contains(&version.as_str()) && command == Some("glueetl") {
            found.add(
                "GlueVersion",
                format!("has the Glue version `{version}`, which AWS creates no jobs for any more"),
                "write `\"5.0\"`",
            );
        }
    }
    if let Some(python) = subject
        .text("Command/PythonVersion")
        .map(str::to_owned)
        .or_else(|| subject.number("Command/PythonVersion").map(|number| number.to_string()))
    {
        let fits = match command {
            Some("pythonshell") => ["3.6", "3.9", "3"].contains(&python.as_str()),
            Some("glueetl" | "gluestreaming") => ["2", "3"].contains(&python.as_str()),
            _ => true,
        };
        if !fits {
            found.refuse(
                "Command/PythonVersion",
                format!("has the Python version `{python}`"),
                "write `\"3\"` for Spark, `\"3.9\"` for a Python shell",
                "Invalid Python version.",
            );
        }
    }
    in_range(subject, found, "MaxRetries", 0.0, 10.0);
    in_range(subject, found, "ExecutionProperty/MaxConcurrentRuns", 1.0, 1_000.0);
    in_range(subject, found, "NotificationProperty/NotifyDelayAfter", 1.0, f64::MAX);
    let least = if command == Some("gluestreaming") { 0.0 } else { 1.0 };
    if let Some(minutes) = subject.number("Timeout").filter(|minutes| !(least..=10_080.0).contains(minutes)) {
        found.refuse(
            "Timeout",
            format!("has a timeout of {} minutes", shown(minutes)),
            "write 1 to 10,080 minutes",
            "Timeout must be between 1 and 10080 minutes.",
        );
    }
}

fn trigger(subject: &Subject<'_>, found: &mut Findings) {
    let Some(kind) = subject.text("Type") else { return };
    let answer = |text: &str| text.to_owned();
    match kind {
        "SCHEDULED" if !subject.has("Schedule") => {
            found.refuse(
                "Type",
                "is SCHEDULED without a schedule",
                "add `Schedule: cron(0 6 * * ? *)`",
                answer("Schedule cannot be null or empty for SCHEDULED trigger"),
            );
        }
        "CONDITIONAL" if !subject.has("Predicate") => {
            found.refuse(
                "Type",
                "is CONDITIONAL without a predicate",
                "add `Predicate`",
                answer("Predicate cannot be null or empty for CONDITIONAL trigger"),
            );
        }
        "EVENT" if !subject.has("WorkflowName") => {
            found.refuse(
                "Type",
                "is an EVENT trigger without a workflow",
                "add `WorkflowName`",
                answer("Workflow name is required for EVENT trigger"),
            );
        }
        _ => {}
    }
    for (property, owners) in [
        ("Schedule", &["SCHEDULED"][..]),
        ("Predicate", &["CONDITIONAL"][..]),
        ("EventBatchingCondition", &["EVENT"][..]),
    ] {
        if subject.has(property) && !owners.contains(&kind) {
            found.refuse(
                property,
                format!("is {kind} with `{property}`"),
                format!("remove `{property}`, or write `Type: {}`", owners[0]),
                format!("{property} is not allowed for {kind} trigger"),
            );
        }
    }
    if subject.is_true("StartOnCreation") && matches!(kind, "ON_DEMAND" | "EVENT") {
        found.refuse(
            "StartOnCreation",
            format!("is {kind} with `StartOnCreation`"),
            "remove `StartOnCreation`",
            format!("StartOnCreation is not supported for {kind} trigger"),
        );
    }
    in_range(subject, found, "EventBatchingCondition/BatchSize", 1.0, 100.0);
    in_range(subject, found, "EventBatchingCondition/BatchWindow", 1.0, 900.0);
    if subject.get("Actions").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        found.refuse("Actions", "has no action", "add `{JobName: …}`", "Actions cannot be null or empty");
    }
    for (index, action) in subject.list("Actions").iter().enumerate() {
        if super::is_unknown(action) {
            continue;
        }
        let (job, crawler) = (action.get("JobName").is_some(), action.get("CrawlerName").is_some());
        if job == crawler {
            let what = if job { "a job and a crawler" } else { "neither a job nor a crawler" };
            found.refuse(
                &format!("Actions/{index}"),
                format!("has an action with {what}"),
                "write one of `JobName` and `CrawlerName`",
                "Exactly one of job name and crawler name must be set for an action",
            );
        }
    }
}

fn predicate(subject: &Subject<'_>, found: &mut Findings) {
    let conditions = subject.list("Predicate/Conditions");
    if subject.has("Predicate")
        && subject.get("Predicate/Conditions").is_none_or(|value| value.as_array().is_some_and(Vec::is_empty))
        && !subject.get("Predicate").is_some_and(super::is_unknown)
    {
        found.refuse(
            "Predicate",
            "has a predicate without conditions",
            "add `Conditions`",
            "Conditions cannot be null or empty",
        );
    }
    if conditions.len() > 1 && !subject.has("Predicate/Logical") {
        found.refuse(
            "Predicate",
            format!("has {} conditions without `Logical`", conditions.len()),
            "add `Logical: AND` or `Logical: ANY`",
            "Logical operator is required for more than one condition",
        );
    }
    const STATES: [&str; 7] = ["SUCCEEDED", "STOPPED", "FAILED", "TIMEOUT", "ERROR", "RUNNING", "EXPIRED"];
    const CRAWL_STATES: [&str; 6] = ["SUCCEEDED", "CANCELLED", "FAILED", "RUNNING", "CANCELLING", "ERROR"];
    for (index, one) in conditions.iter().enumerate() {
        if super::is_unknown(one) {
            continue;
        }
        let base = format!("Predicate/Conditions/{index}");
        let has = |key: &str| one.get(key).is_some();
        if !has("LogicalOperator") {
            found.refuse(
                &base,
                "has a condition without `LogicalOperator`",
                "add `LogicalOperator: EQUALS`",
                "Logical operator cannot be null",
            );
        }
        if has("JobName") == has("CrawlerName") {
            found.refuse(
                &base,
                "has a condition that needs a job or a crawler, and not both",
                "write one of `JobName` and `CrawlerName`",
                "Exactly one of job name and crawler name must be set for a condition",
            );
        }
        for (name, state, other) in [("JobName", "State", "CrawlState"), ("CrawlerName", "CrawlState", "State")] {
            if has(name) && !has(state) {
                found.refuse(
                    &base,
                    format!("has a condition with `{name}` and without `{state}`"),
                    format!("add `{state}: SUCCEEDED`"),
                    format!("{state} is required"),
                );
            }
            if has(name) && has(other) && !has(if name == "JobName" { "CrawlerName" } else { "JobName" }) {
                found.refuse(
                    &format!("{base}/{other}"),
                    format!("has `{other}` with `{name}`"),
                    format!("write `{state}`"),
                    format!("{other} is not allowed"),
                );
            }
        }
        if let Some(state) = text(one, "State").filter(|state| !STATES[..4].contains(state)) {
            found.refuse(
                &format!("{base}/State"),
                format!("waits for the state `{state}`"),
                format!("write one of {}", STATES[..4].join(", ")),
                format!("State {state} is not valid for a trigger condition"),
            );
        }
        if let Some(state) = text(one, "CrawlState").filter(|state| !CRAWL_STATES[..3].contains(state)) {
            found.refuse(
                &format!("{base}/CrawlState"),
                format!("waits for the state `{state}`"),
                format!("write one of {}", CRAWL_STATES[..3].join(", ")),
                format!("CrawlState {state} is not valid for a trigger condition"),
            );
        }
    }
}

fn workflow(subject: &Subject<'_>, found: &mut Findings) {
    if subject.resource.resource_type == "AWS::Glue::Workflow" {
        in_range(subject, found, "MaxConcurrentRuns", 1.0, 1_000.0);
        return;
    }
    let starts = |kind: Option<&str>| matches!(kind, Some("ON_DEMAND" | "SCHEDULED" | "EVENT"));
    let Some(workflow) = reference(subject.properties(), "WorkflowName") else { return };
    if !starts(subject.text("Type")) {
        return;
    }
    let first = subject.world.of_type("AWS::Glue::Trigger").find(|other| {
        reference(other.properties, "WorkflowName") == Some(workflow) && starts(text(other.properties, "Type"))
    });
    if let Some(first) =
        first.filter(|first| (first.logical_id, first.stack) != (subject.resource.logical_id, subject.resource.stack))
    {
        found.refuse(
            "WorkflowName",
            format!("starts a workflow that `{}` starts too", first.logical_id),
            "keep one start trigger a workflow",
            "Workflow already has a starting trigger",
        );
    }
}

fn names(subject: &Subject<'_>, found: &mut Findings) {
    let catalog = matches!(subject.resource.resource_type, "AWS::Glue::Database" | "AWS::Glue::Table");
    let property = super::names::of(subject.resource.resource_type).unwrap_or("Name");
    let Some(name) = subject.text(property) else { return };
    let wrong = if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
        "write 1 to 255 characters"
    } else if catalog && name.chars().any(char::is_uppercase) {
        "write it in lowercase: Glue and Athena keep no capitals"
    } else if catalog && name.contains('/') {
        "write it without a slash"
    } else {
        return;
    };
    found.refuse(property, format!("has the name `{name}`"), wrong, "Name failed to satisfy constraint");
}

fn crawler(subject: &Subject<'_>, found: &mut Findings) {
    let targets = subject.get("Targets");
    if let Some(Value::Object(entries)) = targets
        && entries.values().all(|list| list.as_array().is_some_and(Vec::is_empty))
    {
        found.refuse(
            "Targets",
            "has no target",
            "add `S3Targets: [{Path: s3://…}]`",
            "Crawler must have at least one target.",
        );
    }
    for (index, target) in subject.list("Targets/S3Targets").iter().enumerate() {
        let Some(path) = text(target, "Path") else { continue };
        let bucket = path.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or_default());
        if bucket.is_none_or(str::is_empty) && !path.contains('.') && !is_plain_bucket(path) {
            found.refuse(
                &format!("Targets/S3Targets/{index}/Path"),
                format!("has the path `{path}`"),
                "write `s3://bucket/prefix`",
                "Invalid S3 path.",
            );
        }
    }
    let new_only = subject.text("RecrawlPolicy/RecrawlBehavior") == Some("CRAWL_NEW_FOLDERS_ONLY");
    for key in ["DeleteBehavior", "UpdateBehavior"] {
        let path = format!("SchemaChangePolicy/{key}");
        if new_only && subject.text(&path).is_some_and(|value| value != "LOG") {
            found.refuse(&path, format!("crawls new folders only, with `{key}: {}`", subject.text(&path).unwrap_or_default()), "write `LOG`", "The SchemaChangePolicy for CRAWL_NEW_FOLDERS_ONLY recrawl policy can only have LOG update and delete behavior.");
        }
    }
    if let Some(text) = subject.text("Configuration")
        && serde_json::from_str::<Value>(text).is_err()
    {
        found.refuse(
            "Configuration",
            "has a configuration that is not JSON",
            "write a JSON text",
            "Crawler configuration is not valid JSON.",
        );
    }
    if let Some(prefix) = subject.text("TablePrefix").filter(|prefix| prefix.chars().count() > 128) {
        found.add(
            "TablePrefix",
            format!("has a table prefix of {} characters", prefix.chars().count()),
            "write at most 128",
        );
    }
}

/// `bucket/prefix`, which Glue takes as well.
fn is_plain_bucket(path: &str) -> bool {
    let bucket = path.split('/').next().unwrap_or_default();
    bucket.len() >= 3 && bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn connection(subject: &Subject<'_>, found: &mut Findings) {
    let base = "ConnectionInput/ConnectionProperties";
    let has = |key: &str| subject.has(&format!("{base}/{key}"));
    match subject.text("ConnectionInput/ConnectionType") {
        Some("JDBC") => {
            if !has("JDBC_CONNECTION_URL") && subject.has(base) {
                found.refuse(
                    base,
                    "is a JDBC connection without a URL",
                    "add `JDBC_CONNECTION_URL: jdbc:…`",
                    "Connection property JDBC_CONNECTION_URL is required.",
                );
            } else if let Some(url) =
                subject.text(&format!("{base}/JDBC_CONNECTION_URL")).filter(|url| !url.starts_with("jdbc:"))
            {
                found.refuse(
                    &format!("{base}/JDBC_CONNECTION_URL"),
                    format!("has the URL `{url}`"),
                    "write `jdbc:mysql://host:3306/database`",
                    "Invalid JDBC URL.",
                );
            }
            let by_secret = has("SECRET_ID") || subject.has("ConnectionInput/AuthenticationConfiguration");
            let by_password = has("USERNAME") && (has("PASSWORD") || has("ENCRYPTED_PASSWORD"));
            if by_secret && has("PASSWORD") {
                found.refuse(
                    &format!("{base}/PASSWORD"),
                    "has a secret and a password",
                    "remove the password",
                    "SECRET_ID and PASSWORD cannot be specified together.",
                );
            } else if !by_secret && !by_password && subject.has(base) {
                found.refuse(
                    base,
                    "is a JDBC connection without a user",
                    "add `SECRET_ID`",
                    "Connection properties must include SECRET_ID or USERNAME and PASSWORD.",
                );
            }
        }
        Some("NETWORK") => {
            for key in ["SubnetId", "SecurityGroupIdList"] {
                if !subject.has(&format!("ConnectionInput/PhysicalConnectionRequirements/{key}")) {
                    found.refuse(
                        "ConnectionInput",
                        format!("is a network connection without `{key}`"),
                        format!("add `PhysicalConnectionRequirements: {{{key}: …}}`"),
                        format!("{key} is required for a NETWORK connection."),
                    );
                }
            }
        }
        _ => {}
    }
}

fn table(subject: &Subject<'_>, found: &mut Findings) {
    let mut names: Vec<String> = Vec::new();
    for path in ["TableInput/StorageDescriptor/Columns", "TableInput/PartitionKeys"] {
        for (index, column) in list(subject.properties(), path).iter().enumerate() {
            if let Some(name) = text(column, "Name") {
                let lower = name.to_lowercase();
                if names.contains(&lower) {
                    found.refuse(
                        &format!("{path}/{index}/Name"),
                        format!("has the column `{name}` twice"),
                        "rename one of them",
                        "Duplicate column name in table.",
                    );
                }
                names.push(lower);
            }
            if let Some(kind) = text(column, "Type").filter(|kind| !is_hive_type(kind)) {
                found.add(&format!("{path}/{index}/Type"), format!("has a column of the type `{kind}`"), "write a type of Hive: string, int, bigint, double, decimal(p,s), date, timestamp, boolean, array<…>, map<…>, struct<…>");
            }
        }
    }
}

/// Whether a text is a data type of the Glue catalog.
fn is_hive_type(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    const SIMPLE: [&str; 18] = [
        "string",
        "int",
        "integer",
        "bigint",
        "smallint",
        "tinyint",
        "double",
        "float",
        "boolean",
        "date",
        "timestamp",
        "binary",
        "decimal",
        "char",
        "varchar",
        "long",
        "timestamptz",
        "uuid",
    ];
    if SIMPLE.contains(&text.as_str()) || text.starts_with("interval") || text.starts_with("timestamp ") {
        return true;
    }
    let Some((name, rest)) = text.split_once(['(', '<']) else { return false };
    match name.trim() {
        "decimal" => {
            let inner = rest.trim_end_matches(')');
            let numbers: Vec<Option<u32>> = inner.split(',').map(|part| part.trim().parse().ok()).collect();
            match numbers.as_slice() {
                [Some(precision)] => (1..=38).contains(precision),
                [Some(precision), Some(scale)] => (1..=38).contains(precision) && scale <= precision,
                _ => false,
            }
        }
        "char" | "varchar" => {
            rest.trim_end_matches(')').trim().parse::<u32>().is_ok_and(|length| (1..=65_535).contains(&length))
        }
        "array" | "map" | "struct" | "uniontype" => text.ends_with('>'),
        _ => false,
    }
}
