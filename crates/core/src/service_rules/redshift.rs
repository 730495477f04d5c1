//! Redshift Serverless: namespaces and workgroups.

use super::{Findings, Rule, Subject, arn_parts, reference, shown};
use crate::error::did_you_mean;

const NAMESPACE: &[&str] = &["AWS::RedshiftServerless::Namespace"];
const WORKGROUP: &[&str] = &["AWS::RedshiftServerless::Workgroup"];
const API_WORKGROUP: &str =
    "https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_CreateWorkgroup.html";
const API_NAMESPACE: &str =
    "https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_CreateNamespace.html";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "redshift-capacity",
        types: WORKGROUP,
        property: "BaseCapacity",
        accepts: "a base capacity of 4 RPUs, of multiples of 8 up to 512, or of multiples of 32 up to 1,024; a maximum that is not below it",
        source: "https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html",
        bad: "{WorkgroupName: shop, BaseCapacity: 5}",
        good: "{WorkgroupName: shop, BaseCapacity: 8}",
        check: capacity,
    },
    Rule {
        id: "redshift-price-performance",
        types: WORKGROUP,
        property: "PricePerformanceTarget",
        accepts: "`ENABLED` with a level of 1, 25, 50, 75 or 100 and without a base capacity, or `DISABLED`",
        source: "https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_PerformanceTarget.html",
        bad: "{WorkgroupName: shop, BaseCapacity: 8, PricePerformanceTarget: {Status: ENABLED, Level: 50}}",
        good: "{WorkgroupName: shop, PricePerformanceTarget: {Status: ENABLED, Level: 50}}",
        check: |subject, found| {
            if subject.text("PricePerformanceTarget/Status") == Some("ENABLED") && subject.has("BaseCapacity") {
                found.refuse(
                    "BaseCapacity",
                    "has a base capacity and a price-performance target",
                    "remove `BaseCapacity`, or write `Status: DISABLED`",
                    "baseCapacity and pricePerformanceTarget cannot be specified together.",
                );
            }
            if let Some(level) = subject
                .number("PricePerformanceTarget/Level")
                .filter(|level| ![1.0, 25.0, 50.0, 75.0, 100.0].contains(level))
            {
                found.refuse(
                    "PricePerformanceTarget/Level",
                    format!("has a price-performance level of {}", shown(level)),
                    "write 1, 25, 50, 75 or 100",
                    "Level must be one of 1, 25, 50, 75, 100.",
                );
            }
        },
    },
    Rule {
        id: "redshift-names",
        types: &["AWS::RedshiftServerless::Workgroup", "AWS::RedshiftServerless::Namespace"],
        property: "WorkgroupName",
        accepts: "3 to 64 lowercase letters, digits and hyphens",
        source: API_WORKGROUP,
        bad: "WorkgroupName: Shop_Dev",
        good: "WorkgroupName: shop-dev",
        check: |subject, found| {
            for path in ["WorkgroupName", "NamespaceName"] {
                if let Some(name) = subject.text(path)
                    && (!(3..=64).contains(&name.len())
                        || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
                {
                    found.refuse(path, format!("has the name `{name}`"), "write 3 to 64 lowercase letters, digits and hyphens", format!("Value '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z0-9-]+"));
                }
            }
        },
    },
    Rule {
        id: "redshift-network",
        types: WORKGROUP,
        property: "Port",
        accepts: "a port of 5431 to 5455 or 8191 to 8215; subnets in different zones; parameters that Redshift Serverless has",
        source: API_WORKGROUP,
        bad: "{WorkgroupName: shop, Port: 5000}",
        good: "{WorkgroupName: shop, Port: 5439}",
        check: network,
    },
    Rule {
        id: "redshift-admin",
        types: NAMESPACE,
        property: "AdminUserPassword",
        accepts: "a password that AWS manages, or a user with a password of 8 to 64 characters with a capital, a small letter and a digit, without quotes, slashes, `@` and spaces",
        source: API_NAMESPACE,
        bad: "{NamespaceName: shop, AdminUsername: boss, AdminUserPassword: secret}",
        good: "{NamespaceName: shop, AdminUsername: boss, AdminUserPassword: Secret123}",
        check: admin,
    },
    Rule {
        id: "redshift-namespace",
        types: NAMESPACE,
        property: "DbName",
        accepts: "a database name of up to 127 lowercase letters, digits and underscores that is not reserved; known logs; the default role among the roles; up to 50 roles",
        source: API_NAMESPACE,
        bad: "{NamespaceName: shop, DbName: Shop-Data}",
        good: "{NamespaceName: shop, DbName: shop_data}",
        check: namespace,
    },
];

fn capacity(subject: &Subject<'_>, found: &mut Findings) {
    let fits = |capacity: f64| {
        capacity == 4.0
            || ((8.0..=512.0).contains(&capacity) && capacity % 8.0 == 0.0)
            || ((512.0..=1_024.0).contains(&capacity) && capacity % 32.0 == 0.0)
    };
    let base = subject.number("BaseCapacity");
    if let Some(base) = base.filter(|base| !fits(*base)) {
        found.refuse(
            "BaseCapacity",
            format!("has a base capacity of {} RPUs", shown(base)),
            "write 4, a multiple of 8 from 8 to 512, or a multiple of 32 up to 1,024",
            "The base capacity must be 4, or between 8 and 1024 RPUs in units of 8.",
        );
    }
    if let Some(most) = subject.number("MaxCapacity") {
        if most > 0.0 && (most != 4.0 && most % 8.0 != 0.0 || most > 5_632.0) {
            found.refuse(
                "MaxCapacity",
                format!("has a maximum capacity of {} RPUs", shown(most)),
                "write 4, or a multiple of 8 up to 5,632",
                "The max capacity must be in units of 8.",
            );
        }
        if most > 0.0 && most < base.unwrap_or(128.0) && !subject.has("PricePerformanceTarget") {
            found.refuse(
                "MaxCapacity",
                format!(
                    "has a maximum capacity of {} RPUs, below the base of {}",
                    shown(most),
                    shown(base.unwrap_or(128.0))
                ),
                "write a maximum that is not below the base",
                "The max capacity must be greater than or equal to the base capacity.",
            );
        }
    }
}

fn network(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(port) =
        subject.number("Port").filter(|port| !(5_431.0..=5_455.0).contains(port) && !(8_191.0..=8_215.0).contains(port))
    {
        found.refuse(
            "Port",
            format!("has the port {}", shown(port)),
            "write 5439, or another port of 5431 to 5455 or 8191 to 8215",
            "Invalid port. Valid ports are 5431-5455 and 8191-8215.",
        );
    }
    const KEYS: [&str; 21] = [
        "auto_mv",
        "datestyle",
        "enable_case_sensitive_identifier",
        "enable_user_activity_logging",
        "query_group",
        "search_path",
        "require_ssl",
        "use_fips_ssl",
        "max_query_cpu_time",
        "max_query_blocks_read",
        "max_scan_row_count",
        "max_query_execution_time",
        "max_query_queue_time",
        "max_query_cpu_usage_percent",
        "max_query_temp_blocks_to_disk",
        "max_join_row_count",
        "max_nested_loop_join_row_count",
        "wlm_json_configuration",
        "extra_compute_for_automatic_optimization",
        "statement_timeout",
        "default_isolation_level",
    ];
    for (index, parameter) in subject.list("ConfigParameters").iter().enumerate() {
        if let Some(key) = super::text(parameter, "ParameterKey").filter(|key| !KEYS.contains(key)) {
            found.refuse(
                &format!("ConfigParameters/{index}/ParameterKey"),
                format!("has the parameter `{key}`"),
                did_you_mean(key, KEYS),
                format!("Invalid parameter key {key}."),
            );
        }
    }
    let subnets = subject.list("SubnetIds");
    for (index, subnet) in subnets.iter().enumerate() {
        if subnets[..index].contains(subnet) {
            found.add(&format!("SubnetIds/{index}"), "lists a subnet twice", "remove one of the two");
        }
    }
    if subject.is_true("EnhancedVpcRouting") && subnets.len() == 1 {
        found.add("SubnetIds", "has one subnet with `EnhancedVpcRouting`", "name subnets in two zones or more");
    }
}

fn admin(subject: &Subject<'_>, found: &mut Findings) {
    let managed = subject.is_true("ManageAdminPassword");
    if managed && subject.has("AdminUserPassword") {
        found.refuse(
            "AdminUserPassword",
            "has a password and `ManageAdminPassword`",
            "remove `AdminUserPassword`",
            "You can't use adminUserPassword if manageAdminPassword is true.",
        );
    }
    if !managed && subject.has("AdminPasswordSecretKmsKeyId") {
        found.refuse(
            "AdminPasswordSecretKmsKeyId",
            "has a key for a password that AWS does not manage",
            "add `ManageAdminPassword: true`",
            "AdminPasswordSecretKmsKeyId requires ManageAdminPassword.",
        );
    }
    if !managed && subject.has("AdminUsername") != subject.has("AdminUserPassword") {
        found.refuse(
            "AdminUsername",
            "needs an admin user and its password together",
            "add the other one, or `ManageAdminPassword: true`",
            "Both adminUsername and adminUserPassword must be specified.",
        );
    }
    if let Some(password) = subject.text("AdminUserPassword").filter(|text| !text.starts_with("{{resolve:")) {
        let fits = (8..=64).contains(&password.chars().count())
            && password.chars().any(|c| c.is_ascii_uppercase())
            && password.chars().any(|c| c.is_ascii_lowercase())
            && password.chars().any(|c| c.is_ascii_digit())
            && password.chars().all(|c| c.is_ascii_graphic() && !"'\"\\/@ ".contains(c));
        if !fits {
            // The password itself is not shown.
            found.refuse("AdminUserPassword", "has an admin password that Redshift refuses", "write 8 to 64 characters with a capital, a small letter and a digit, without quotes, slashes, `@` and spaces", "The password must contain at least 8 characters, with an uppercase letter, a lowercase letter and a number.");
        }
    }
    if let Some(name) = subject.text("AdminUsername").filter(|text| !text.starts_with("{{resolve:")) {
        let first = name.chars().next();
        let fits = first.is_some_and(|c| c.is_ascii_alphabetic())
            && name.len() <= 128
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+.@-".contains(c));
        if !fits || name.eq_ignore_ascii_case("public") {
            found.refuse(
                "AdminUsername",
                format!("has the admin user `{name}`"),
                "begin with a letter, and write up to 128 letters, digits and `_+.@-`",
                "The admin user name is not valid.",
            );
        }
    }
}

fn namespace(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(name) = subject.text("DbName") {
        let fits = !name.is_empty()
            && name.len() <= 127
            && name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_@$".contains(c));
        const RESERVED: [&str; 8] =
            ["template0", "template1", "padb_harvest", "sys", "select", "table", "user", "order"];
        if !fits || RESERVED.contains(&name) {
            found.refuse(
                "DbName",
                format!("has the database name `{name}`"),
                "begin with a small letter, and write up to 127 small letters, digits and underscores",
                "The database name is not valid.",
            );
        }
    }
    const LOGS: [&str; 3] = ["useractivitylog", "userlog", "connectionlog"];
    for (index, log) in subject.list("LogExports").iter().enumerate() {
        if let Some(log) = log.as_str().filter(|log| !log.contains(super::UNKNOWN) && !LOGS.contains(log)) {
            found.refuse(
                &format!("LogExports/{index}"),
                format!("exports the log `{log}`"),
                did_you_mean(log, LOGS),
                format!("{log} is not a valid log type"),
            );
        }
    }
    let roles = subject.list("IamRoles");
    if roles.len() > 50 {
        found.add("IamRoles", format!("has {} roles; Redshift accepts 50", roles.len()), "remove some");
    }
    for (index, role) in roles.iter().enumerate() {
        if let Some(role) = role.as_str().filter(|role| {
            !role.contains(super::UNKNOWN)
                && !matches!(arn_parts(role), Some([_, "iam", "", _, rest]) if rest.starts_with("role/"))
        }) {
            found.refuse(
                &format!("IamRoles/{index}"),
                format!("has the role `{role}`"),
                "write the ARN of a role: `!GetAtt Role.Arn`",
                "The IAM role is not valid.",
            );
        }
    }
    if let Some(default) = reference(subject.properties(), "DefaultIamRoleArn")
        && !roles.iter().any(|role| role.as_str() == Some(default))
        && !subject.get("IamRoles").is_some_and(super::is_unknown)
    {
        found.refuse(
            "DefaultIamRoleArn",
            "has a default role that is not among its roles",
            "add it to `IamRoles`",
            "The default IAM role must be in the list of IAM roles.",
        );
    }
    let final_snapshot = subject.text("FinalSnapshotName");
    if let Some(name) = final_snapshot.filter(|name| {
        name.is_empty()
            || name.len() > 255
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }) {
        found.add(
            "FinalSnapshotName",
            format!("has the snapshot name `{name}`"),
            "write up to 255 small letters, digits and hyphens",
        );
    }
    if subject.has("FinalSnapshotRetentionPeriod") && final_snapshot.is_none() && !subject.has("FinalSnapshotName") {
        found.add("FinalSnapshotRetentionPeriod", "keeps a snapshot that has no name", "add `FinalSnapshotName`");
    }
}
