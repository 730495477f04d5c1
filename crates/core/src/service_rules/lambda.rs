//! Lambda: functions, invocation settings, event source mappings, permissions.

use serde_json::Value;

use super::{Findings, Rule, Subject, arn_parts, in_range, number, reference, shown, text};
use crate::error::did_you_mean;

const FUNCTION: &[&str] = &["AWS::Lambda::Function"];
const CREATE: &str = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html";
const LIMITS: &str = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html";
const RUNTIMES: &str = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "lambda-ranges",
        types: FUNCTION,
        property: "Timeout",
        accepts: "a timeout of 1 to 900 seconds, a memory of 128 to 10,240 MB, a temporary storage of 512 to 10,240 MB",
        source: LIMITS,
        bad: "{Timeout: 1000, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{Timeout: 900, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: |subject, found| {
            in_range(subject, found, "Timeout", 1.0, 900.0);
            in_range(subject, found, "MemorySize", 128.0, 10_240.0);
            in_range(subject, found, "EphemeralStorage/Size", 512.0, 10_240.0);
        },
    },
    Rule {
        id: "lambda-environment",
        types: FUNCTION,
        property: "Environment/Variables",
        accepts: "names of letters, digits and underscores that begin with a letter, none that Lambda keeps to itself, and 4,096 bytes in all",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html",
        bad: "{Environment: {Variables: {AWS_REGION: x}}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{Environment: {Variables: {REGION: x}}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: environment,
    },
    Rule {
        id: "lambda-runtime",
        types: FUNCTION,
        property: "Runtime",
        accepts: "a runtime that Lambda still creates functions for, with a handler that fits it",
        source: RUNTIMES,
        bad: "{Runtime: python3.7, Role: !GetAtt Role.Arn, Handler: i.h, Code: {ZipFile: x}}",
        good: "{Runtime: python3.13, Role: !GetAtt Role.Arn, Handler: i.h, Code: {ZipFile: x}}",
        check: runtime,
    },
    Rule {
        id: "lambda-code",
        types: FUNCTION,
        property: "Code",
        accepts: "one of `ZipFile`, `S3Bucket` with `S3Key`, and `ImageUri`; `ZipFile` up to 4 MB; `Runtime` and `Handler` with a zip, and neither with an image",
        source: CREATE,
        bad: "{Code: {ZipFile: x, S3Bucket: builds, S3Key: load.zip}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h}",
        good: "{Code: {S3Bucket: builds, S3Key: load.zip}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h}",
        check: code,
    },
    Rule {
        id: "lambda-name",
        types: FUNCTION,
        property: "FunctionName",
        accepts: "up to 64 letters, digits, hyphens and underscores; a description of up to 256 characters",
        source: CREATE,
        bad: "{FunctionName: \"load orders\", Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{FunctionName: load-orders, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: |subject, found| {
            if let Some(name) = subject.text("FunctionName")
                && !name.starts_with("arn:")
                && (name.is_empty()
                    || name.len() > 64
                    || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
            {
                found.refuse(
                    "FunctionName",
                    format!("has the function name `{name}`"),
                    "write up to 64 letters, digits, hyphens and underscores",
                    format!("Value '{name}' at 'functionName' failed to satisfy constraint"),
                );
            }
            if let Some(text) = subject.text("Description").filter(|text| text.chars().count() > 256) {
                found.add(
                    "Description",
                    format!("has a description of {} characters", text.chars().count()),
                    "write at most 256 characters",
                );
            }
        },
    },
    Rule {
        id: "lambda-layers",
        types: FUNCTION,
        property: "Layers",
        accepts: "up to 5 versions of different layers, with a zip",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html",
        bad: "{Layers: [\"arn:aws:lambda:us-east-1:222222222222:layer:tools\"], Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{Layers: [\"arn:aws:lambda:us-east-1:222222222222:layer:tools:3\"], Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: layers,
    },
    Rule {
        id: "lambda-concurrency",
        types: FUNCTION,
        property: "ReservedConcurrentExecutions",
        accepts: "0 to 900: an account has 1,000 concurrent executions, and 100 of them stay unreserved",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
        bad: "{ReservedConcurrentExecutions: 950, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{ReservedConcurrentExecutions: 5, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: |subject, found| {
            let Some(count) = subject.number("ReservedConcurrentExecutions") else { return };
            let all: f64 = subject
                .world
                .of_type("AWS::Lambda::Function")
                .filter(|one| one.logical_id != subject.resource.logical_id)
                .filter_map(|one| number(one.properties, "ReservedConcurrentExecutions"))
                .sum();
            if count < 0.0 || count.fract() != 0.0 {
                found.add(
                    "ReservedConcurrentExecutions",
                    format!("reserves {} executions", shown(count)),
                    "write a whole number, 0 or more",
                );
            } else if count + all > 900.0 {
                found.refuse("ReservedConcurrentExecutions", format!("makes the functions reserve {} executions of 1,000", shown(count + all)), "leave 100 unreserved, or ask AWS for more", "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].");
            }
        },
    },
    Rule {
        id: "lambda-settings",
        types: FUNCTION,
        property: "VpcConfig",
        accepts: "subnets together with security groups, one architecture, file systems only in a VPC, a dead-letter queue or topic, a log level only with JSON logs",
        source: CREATE,
        bad: "{VpcConfig: {SubnetIds: [subnet-0123456789abcdef0]}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{VpcConfig: {SubnetIds: [subnet-0123456789abcdef0], SecurityGroupIds: [sg-0123456789abcdef0]}, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: settings,
    },
    Rule {
        id: "lambda-role",
        types: FUNCTION,
        property: "Role",
        accepts: "the ARN of a role that trusts `lambda.amazonaws.com`",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
        bad: "{Role: load, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        good: "{Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}",
        check: role,
    },
    Rule {
        id: "lambda-invoke-config",
        types: &["AWS::Lambda::EventInvokeConfig"],
        property: "MaximumRetryAttempts",
        accepts: "0 to 2 retries, an age of 60 to 21,600 seconds, `$LATEST`, a version or an alias, and ARNs of queues, topics, functions, buses and buckets as destinations",
        source: "https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html",
        bad: "{FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 3}",
        good: "{FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 2}",
        check: invoke_config,
    },
    Rule {
        id: "lambda-event-source",
        types: &["AWS::Lambda::EventSourceMapping"],
        property: "EventSourceArn",
        accepts: "batches of the size that the source has, a window with batches above 10 messages, a queue whose visibility timeout is not shorter than the function's timeout",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
        bad: "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 30}\n  Function:\n    Type: AWS::Lambda::Function\n    Properties: {Timeout: 60, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}\n  Mapping:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {FunctionName: !Ref Function, EventSourceArn: !GetAtt Queue.Arn}",
        good: "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: 360}\n  Function:\n    Type: AWS::Lambda::Function\n    Properties: {Timeout: 60, Role: !GetAtt Role.Arn, Runtime: python3.13, Handler: i.h, Code: {ZipFile: x}}\n  Mapping:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {FunctionName: !Ref Function, EventSourceArn: !GetAtt Queue.Arn}",
        check: event_source,
    },
    Rule {
        id: "lambda-permission",
        types: &["AWS::Lambda::Permission"],
        property: "Principal",
        accepts: "an action of `lambda`, and a principal that is a service, an account, an ARN or `*`; a source account of 12 digits, a source that is an ARN",
        source: "https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html",
        bad: "{FunctionName: !Ref Function, Action: \"lambda:InvokeFunction\", Principal: events}",
        good: "{FunctionName: !Ref Function, Action: \"lambda:InvokeFunction\", Principal: events.amazonaws.com}",
        check: permission,
    },
    Rule {
        id: "lambda-alias",
        types: &["AWS::Lambda::Alias"],
        property: "Name",
        accepts: "letters, digits, hyphens and underscores, not digits alone; `$LATEST` or a number as the version",
        source: "https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html",
        bad: "{FunctionName: !Ref Function, FunctionVersion: $LATEST, Name: \"1\"}",
        good: "{FunctionName: !Ref Function, FunctionVersion: $LATEST, Name: live}",
        check: |subject, found| {
            if let Some(name) = subject.text("Name")
                && (name.chars().all(|c| c.is_ascii_digit())
                    || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
            {
                found.add(
                    "Name",
                    format!("is named `{name}`"),
                    "write letters, digits, hyphens and underscores, not digits alone",
                );
            }
            if let Some(version) = subject.text("FunctionVersion")
                && version != "$LATEST"
                && version.parse::<u64>().is_err()
            {
                found.add(
                    "FunctionVersion",
                    format!("has the version `{version}`"),
                    "write `$LATEST` or the number of a version",
                );
            }
        },
    },
];

const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

fn environment(subject: &Subject<'_>, found: &mut Findings) {
    let Some(variables) = subject.get("Environment/Variables").and_then(Value::as_object) else { return };
    let mut bytes = 0;
    for (name, value) in variables {
        let path = format!("Environment/Variables/{name}");
        let mut chars = name.chars();
        if RESERVED.contains(&name.as_str()) {
            found.refuse(
                &path,
                format!("sets the environment variable `{name}`, which Lambda sets itself"),
                "remove it, or rename it",
                format!("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"),
            );
        } else if !chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            || name.len() < 2
            || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            found.refuse(&path, format!("sets the environment variable `{name}`"), "begin with a letter, and write at least two letters, digits and underscores", "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]");
        }
        let text = match value {
            value if super::is_unknown(value) => String::new(),
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => {
                found.add(
                    &path,
                    format!("sets the environment variable `{name}` to a value that is not a text"),
                    "write a text; `Fn::ToJsonString` or a JSON text holds structures",
                );
                String::new()
            }
        };
        // Name, value, and the JSON around them.
        bytes += name.len() + text.len() + 6;
    }
    if bytes > 4_096 {
        found.refuse("Environment/Variables", format!("sets environment variables of {bytes} bytes; Lambda accepts 4,096"), "move long values into a parameter or an object of S3", "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.");
    }
}

/// Runtimes that functions can still be created for.
const CURRENT: [&str; 19] = [
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "dotnet8",
    "dotnet10",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "provided.al2023",
];

/// Runtimes whose end of creation lies too close to say whether it has come.
const ENDING: [&str; 5] = ["provided.al2", "python3.9", "nodejs18.x", "dotnet6", "ruby4.0"];

fn runtime(subject: &Subject<'_>, found: &mut Findings) {
    let Some(runtime) = subject.text("Runtime") else { return };
    if !CURRENT.contains(&runtime) && !ENDING.contains(&runtime) {
        found.refuse(
            "Runtime",
            format!("has the runtime `{runtime}`, which Lambda does not create functions for"),
            did_you_mean(runtime, CURRENT),
            format!("The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions."),
        );
    }
    if let Some(handler) = subject.text("Handler") {
        let wrong = handler.is_empty()
            || handler.len() > 128
            || handler.contains(char::is_whitespace)
            || (runtime.starts_with("python") && !handler.contains('.'))
            || (runtime.starts_with("nodejs") && !handler.contains('.'));
        if wrong {
            found.add(
                "Handler",
                format!("has the handler `{handler}`"),
                "write a module and a function: `index.handler`",
            );
        }
    }
}

fn code(subject: &Subject<'_>, found: &mut Findings) {
    if subject.get("Code").is_none_or(super::is_unknown) {
        return;
    }
    let forms: Vec<&str> =
        ["ZipFile", "S3Bucket", "ImageUri"].into_iter().filter(|key| subject.has(&format!("Code/{key}"))).collect();
    if forms.len() > 1 {
        found.refuse(
            "Code",
            format!("has `{}` together", forms.join("` and `")),
            "keep one of them",
            "Please provide only one of the following: ImageUri, S3Bucket and ZipFile.",
        );
    } else if forms.is_empty() {
        found.refuse(
            "Code",
            "has no code",
            "add `S3Bucket` and `S3Key`, `ZipFile` or `ImageUri`",
            "Please provide a source for function code.",
        );
    }
    if subject.has("Code/S3Bucket") != subject.has("Code/S3Key") {
        found.add("Code", "needs `S3Bucket` and `S3Key` together", "add the other one");
    }
    let image = subject.text("PackageType") == Some("Image") || forms == ["ImageUri"];
    if image {
        for key in ["Runtime", "Handler", "Layers"] {
            if subject.has(key) {
                found.refuse(
                    key,
                    format!("has `{key}` with an image"),
                    format!("remove `{key}`"),
                    format!("Please don't provide {key} when the intended function PackageType is Image."),
                );
            }
        }
        if forms != ["ImageUri"] && !forms.is_empty() {
            found.add("Code", "is of the package type `Image` without `ImageUri`", "write `Code: {ImageUri: …}`");
        }
        if subject.text("PackageType") != Some("Image")
            && subject.get("PackageType").is_none_or(|value| !super::is_unknown(value))
        {
            found.add("Code/ImageUri", "has an image without `PackageType: Image`", "add `PackageType: Image`");
        }
    } else {
        for key in ["Runtime", "Handler"] {
            if !subject.has(key) {
                found.refuse(
                    "Code",
                    format!("lacks `{key}`"),
                    format!("add `{key}`"),
                    "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
                );
            }
        }
    }
    if let Some(text) = subject.text("Code/ZipFile").filter(|text| text.len() > 4_194_304) {
        found.add("Code/ZipFile", format!("has inline code of {} bytes", text.len()), "put the code into S3");
    }
}

fn layers(subject: &Subject<'_>, found: &mut Findings) {
    let layers = subject.list("Layers");
    if layers.len() > 5 {
        found.refuse(
            "Layers",
            format!("has {} layers; Lambda accepts 5", layers.len()),
            "join layers",
            "Too many layers: a function can reference at most 5 layers",
        );
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let Some(text) = layer.as_str().filter(|text| !text.contains(super::UNKNOWN)) else { continue };
        let parts: Vec<&str> = text.split(':').collect();
        let is_version =
            parts.len() == 8 && parts[2] == "lambda" && parts[5] == "layer" && parts[7].parse::<u64>().is_ok();
        if !is_version {
            found.refuse(
                &format!("Layers/{index}"),
                format!("has the layer `{text}`"),
                "write the ARN of a version: `arn:aws:lambda:<region>:<account>:layer:<name>:<version>`",
                "Layer version ARN is not valid",
            );
        } else if names.contains(&parts[6]) {
            found.refuse(
                &format!("Layers/{index}"),
                format!("has two versions of the layer `{}`", parts[6]),
                "keep one of them",
                "Two different versions of the same layer are not allowed to be referenced in the same function.",
            );
        } else if parts[3] != subject.world.region && !subject.world.region.is_empty() {
            found.add(
                &format!("Layers/{index}"),
                format!("has a layer of the region `{}`", parts[3]),
                "name a layer of the function's region",
            );
        } else {
            names.push(parts[6]);
        }
    }
}

fn settings(subject: &Subject<'_>, found: &mut Findings) {
    let has_items =
        |path: &str| subject.get(path).is_some_and(|value| value.as_array().is_none_or(|items| !items.is_empty()));
    let (subnets, groups) = (has_items("VpcConfig/SubnetIds"), has_items("VpcConfig/SecurityGroupIds"));
    if subnets != groups {
        found.refuse(
            "VpcConfig",
            "needs subnets and security groups together",
            "add the other one",
            "Subnets and Security Groups must be specified together",
        );
    }
    if has_items("FileSystemConfigs") && !subnets {
        found.refuse(
            "FileSystemConfigs",
            "has a file system without a VPC",
            "add `VpcConfig`",
            "Function must be configured to execute in a VPC to reference file systems",
        );
    }
    if subject.list("Architectures").len() > 1 {
        found.add("Architectures", "has more than one architecture", "keep one of `arm64` and `x86_64`");
    }
    if let Some(target) = subject.text("DeadLetterConfig/TargetArn") {
        let fits = matches!(arn_parts(target), Some([_, "sqs" | "sns", _, _, rest]) if !rest.is_empty());
        if !target.is_empty() && !fits {
            found.add(
                "DeadLetterConfig/TargetArn",
                format!("has the dead-letter target `{target}`"),
                "write the ARN of a queue or a topic",
            );
        } else if target.ends_with(".fifo") {
            found.add("DeadLetterConfig/TargetArn", "has a FIFO queue for failed events", "name a standard queue");
        }
    }
    for level in ["ApplicationLogLevel", "SystemLogLevel"] {
        if subject.has(&format!("LoggingConfig/{level}"))
            && subject.text("LoggingConfig/LogFormat").is_none_or(|format| format == "Text")
            && subject.get("LoggingConfig/LogFormat").is_none_or(|value| !super::is_unknown(value))
        {
            found.refuse(
                &format!("LoggingConfig/{level}"),
                format!("has `{level}` without JSON logs"),
                "add `LogFormat: JSON`",
                "LogLevel is not supported when LogFormat is set to \"Text\".",
            );
        }
    }
    if subject.text("SnapStart/ApplyOn") == Some("PublishedVersions")
        && let Some(runtime) = subject.text("Runtime")
        && !["java11", "java17", "java21", "java25", "python3.12", "python3.13", "python3.14", "dotnet8", "dotnet10"]
            .contains(&runtime)
    {
        found.add("SnapStart", format!("has SnapStart with the runtime `{runtime}`"), "remove `SnapStart`");
    }
}

fn role(subject: &Subject<'_>, found: &mut Findings) {
    let Some(role) = reference(subject.properties(), "Role") else { return };
    if !role.contains(super::UNKNOWN)
        && !matches!(arn_parts(role), Some([_, "iam", "", _, rest]) if rest.starts_with("role/"))
    {
        found.refuse(
            "Role",
            format!("has the role `{role}`"),
            "write the ARN of a role: `!GetAtt Role.Arn`",
            format!("Value '{role}' at 'role' failed to satisfy constraint"),
        );
        return;
    }
    if let Some(declared) = subject.world.find("AWS::IAM::Role", role)
        && let Some(trust) = declared.properties.get("AssumeRolePolicyDocument")
        && !super::has_unknown(trust)
        && !trust.to_string().contains("lambda.amazonaws.com")
    {
        found.refuse(
            "Role",
            format!("runs as `{}`, which does not trust Lambda", declared.logical_id),
            format!("add `Service: lambda.amazonaws.com` to the trust policy of `{}`", declared.logical_id),
            "The role defined for the function cannot be assumed by Lambda.",
        );
    }
}

fn invoke_config(subject: &Subject<'_>, found: &mut Findings) {
    in_range(subject, found, "MaximumRetryAttempts", 0.0, 2.0);
    in_range(subject, found, "MaximumEventAgeInSeconds", 60.0, 21_600.0);
    for side in ["OnFailure", "OnSuccess"] {
        let path = format!("DestinationConfig/{side}/Destination");
        if let Some(text) = subject.text(&path) {
            let service = arn_parts(text).map(|parts| parts[1]);
            if !matches!(service, Some("sqs" | "sns" | "lambda" | "events" | "s3")) {
                found.refuse(
                    &path,
                    format!("has the destination `{text}`"),
                    "write the ARN of a queue, topic, function, event bus or bucket",
                    "The provided destination config DestinationConfig is invalid.",
                );
            } else if text.ends_with(".fifo") {
                found.add(&path, "has a FIFO destination", "name a standard queue or topic");
            }
        }
    }
}

#[expect(clippy::too_many_lines, reason = "one rule after the other, each a few lines")]
fn event_source(subject: &Subject<'_>, found: &mut Findings) {
    let Some(source) = reference(subject.properties(), "EventSourceArn") else { return };
    let queue = subject.world.find("AWS::SQS::Queue", source);
    let service = if queue.is_some() { Some("sqs") } else { arn_parts(source).map(|parts| parts[1]) };
    let batch = subject.number("BatchSize");
    let window = subject.number("MaximumBatchingWindowInSeconds").unwrap_or(0.0);
    if !(0.0..=300.0).contains(&window) {
        found.add(
            "MaximumBatchingWindowInSeconds",
            format!("waits for a batch for {} seconds", shown(window)),
            "write 0 to 300 seconds",
        );
    }
    match service {
        Some("sqs") => {
            let fifo =
                queue.map_or_else(|| source.ends_with(".fifo"), |queue| super::is_true(queue.properties, "FifoQueue"));
            let most = if fifo { 10.0 } else { 10_000.0 };
            if let Some(batch) = batch {
                if !(1.0..=most).contains(&batch) {
                    found.refuse(
                        "BatchSize",
                        format!("has batches of {}", shown(batch)),
                        format!("write 1 to {}", shown(most)),
                        "Invalid request provided: BatchSize is out of range for the event source.",
                    );
                } else if batch > 10.0
                    && window < 1.0
                    && subject.get("MaximumBatchingWindowInSeconds").is_none_or(|value| !super::is_unknown(value))
                {
                    found.refuse("BatchSize", format!("has batches of {} without a window", shown(batch)), "add `MaximumBatchingWindowInSeconds: 1` or more", "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10");
                }
            }
            if fifo && window > 0.0 {
                found.refuse(
                    "MaximumBatchingWindowInSeconds",
                    "has a window for a FIFO queue",
                    "remove it",
                    "Batching window is not supported for FIFO queues",
                );
            }
            for key in [
                "StartingPosition",
                "BisectBatchOnFunctionError",
                "MaximumRecordAgeInSeconds",
                "MaximumRetryAttempts",
                "ParallelizationFactor",
                "TumblingWindowInSeconds",
            ] {
                if subject.has(key) {
                    found.refuse(
                        key,
                        format!("has `{key}` for a queue"),
                        format!("remove `{key}`"),
                        format!("Unsupported {key} parameter for given event source mapping type."),
                    );
                }
            }
            if let Some(count) = subject.number("ScalingConfig/MaximumConcurrency")
                && !(2.0..=2_000.0).contains(&count)
            {
                found.add(
                    "ScalingConfig/MaximumConcurrency",
                    format!("has a concurrency of {}", shown(count)),
                    "write 2 to 2,000",
                );
            }
            let function = reference(subject.properties(), "FunctionName")
                .and_then(|name| subject.world.find("AWS::Lambda::Function", name));
            if let (Some(queue), Some(function)) = (queue, function) {
                let known = |value: &Value, path: &str, default: f64| match super::get(value, path) {
                    None => Some(default),
                    Some(value) => super::as_number(value),
                };
                if let (Some(visibility), Some(timeout)) =
                    (known(queue.properties, "VisibilityTimeout", 30.0), known(function.properties, "Timeout", 3.0))
                    && visibility < timeout
                {
                    found.refuse(
                        "EventSourceArn",
                        format!("reads `{}`, whose visibility timeout of {} seconds is shorter than the timeout of `{}`, {} seconds", queue.logical_id, shown(visibility), function.logical_id, shown(timeout)),
                        format!("write `VisibilityTimeout: {}` or more for `{}`", shown(timeout * 6.0), queue.logical_id),
                        format!("Invalid request provided: Queue visibility timeout: {} seconds is less than Function timeout: {} seconds", shown(visibility), shown(timeout)),
                    );
                }
            }
        }
        Some("kinesis" | "dynamodb") => {
            if !subject.has("StartingPosition") {
                found.refuse("EventSourceArn", "lacks `StartingPosition` for a stream", "add `StartingPosition: TRIM_HORIZON`", "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.");
            }
            let most = if service == Some("dynamodb") { 1_000.0 } else { 10_000.0 };
            if let Some(batch) = batch.filter(|batch| !(1.0..=most).contains(batch)) {
                found.add(
                    "BatchSize",
                    format!("has batches of {}", shown(batch)),
                    format!("write 1 to {}", shown(most)),
                );
            }
        }
        _ => {}
    }
    for (index, filter) in subject.list("FilterCriteria/Filters").iter().enumerate() {
        if let Some(pattern) = text(filter, "Pattern")
            && serde_json::from_str::<serde_json::Map<String, Value>>(pattern).is_err()
        {
            found.add(
                &format!("FilterCriteria/Filters/{index}/Pattern"),
                "has a filter that is not a JSON object",
                "write a JSON pattern",
            );
        }
    }
    if subject.list("FilterCriteria/Filters").len() > 5 {
        found.add("FilterCriteria/Filters", "has more than 5 filters", "join filters");
    }
}

fn permission(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(action) = subject.text("Action")
        && !(action == "*" || action.starts_with("lambda:"))
    {
        found.refuse("Action", format!("grants `{action}`"), "write `lambda:InvokeFunction`", format!("Value '{action}' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"));
    }
    if let Some(principal) = subject.text("Principal") {
        let is_account = principal.len() == 12 && principal.chars().all(|c| c.is_ascii_digit());
        let is_service = principal.ends_with(".amazonaws.com") || principal.ends_with(".amazonaws.com.cn");
        if !is_account
            && !is_service
            && principal != "*"
            && !principal.starts_with("arn:")
            && !principal.ends_with(".alexa.com")
        {
            found.refuse(
                "Principal",
                format!("grants to `{principal}`"),
                "write a service such as `events.amazonaws.com`, an account, or an ARN",
                "The provided principal was invalid. Please check the principal and try again.",
            );
        }
    }
    if let Some(account) = subject.text("SourceAccount")
        && !(account.len() == 12 && account.chars().all(|c| c.is_ascii_digit()))
    {
        found.add("SourceAccount", format!("has the source account `{account}`"), "write the 12 digits of the account");
    }
    if let Some(source) = subject.text("SourceArn")
        && arn_parts(source).is_none()
    {
        found.add("SourceArn", format!("has the source `{source}`"), "write an ARN");
    }
}
