//! RDS: the source database that a pipeline can make.

use super::{Findings, Rule, Subject, in_range, number, shown};

const INSTANCE: &[&str] = &["AWS::RDS::DBInstance"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "rds-instance",
        types: INSTANCE,
        property: "DBInstanceIdentifier",
        accepts: "up to 63 letters, digits and single hyphens that begin with a letter; a backup retention of 0 to 35 days; a port of 1,150 to 65,535; storage that autoscaling may only raise",
        source: "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
        bad: "{DBInstanceIdentifier: shop-, DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", ManageMasterUserPassword: true, MasterUsername: boss}",
        good: "{DBInstanceIdentifier: shop, DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", ManageMasterUserPassword: true, MasterUsername: boss}",
        check: instance,
    },
    Rule {
        id: "rds-password",
        types: INSTANCE,
        property: "MasterUserPassword",
        accepts: "a password that AWS manages, or one of 8 to 41 characters without `/`, quotes, `@` and spaces, with a user",
        source: "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
        bad: "{DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", MasterUsername: boss, MasterUserPassword: short}",
        good: "{DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", MasterUsername: boss, ManageMasterUserPassword: true}",
        check: password,
    },
    Rule {
        id: "rds-windows",
        types: INSTANCE,
        property: "PreferredBackupWindow",
        accepts: "`hh:mm-hh:mm` for backups and `ddd:hh:mm-ddd:hh:mm` for maintenance, 30 minutes each at least",
        source: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Maintenance.html",
        bad: "{PreferredBackupWindow: \"3:00\", DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", ManageMasterUserPassword: true, MasterUsername: boss}",
        good: "{PreferredBackupWindow: \"03:00-04:00\", DBInstanceClass: db.t4g.micro, Engine: mysql, AllocatedStorage: \"20\", ManageMasterUserPassword: true, MasterUsername: boss}",
        check: windows,
    },
];

fn instance(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(name) = subject.text("DBInstanceIdentifier")
        && (!name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
            || !super::events::is_name(name, "-")
            || name.contains("--")
            || name.ends_with('-')
            || name.len() > 63)
    {
        found.refuse("DBInstanceIdentifier", format!("has the identifier `{name}`"), "begin with a letter, and write up to 63 letters, digits and single hyphens", "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.");
    }
    in_range(subject, found, "BackupRetentionPeriod", 0.0, 35.0);
    if let Some(port) = number(subject.properties(), "Port").filter(|port| !(1_150.0..=65_535.0).contains(port)) {
        found.refuse("Port", format!("has the port {}", shown(port)), "write 1150 to 65535", "Invalid database port.");
    }
    if let (Some(storage), Some(most)) = (subject.number("AllocatedStorage"), subject.number("MaxAllocatedStorage"))
        && most < storage
    {
        found.refuse(
            "MaxAllocatedStorage",
            format!("has storage of {} GB and at most {} GB", shown(storage), shown(most)),
            "write a larger maximum",
            "Invalid max storage size for engine name: max storage must be greater than the storage size",
        );
    }
    if let Some(days) = subject.number("PerformanceInsightsRetentionPeriod")
        && days != 7.0
        && days != 731.0
        && !(days % 31.0 == 0.0 && (31.0..=713.0).contains(&days))
    {
        found.add(
            "PerformanceInsightsRetentionPeriod",
            format!("keeps performance data for {} days", shown(days)),
            "write 7, 731, or a multiple of 31",
        );
    }
    if let Some(seconds) = subject
        .number("MonitoringInterval")
        .filter(|seconds| ![0.0, 1.0, 5.0, 10.0, 15.0, 30.0, 60.0].contains(seconds))
    {
        found.add(
            "MonitoringInterval",
            format!("monitors every {} seconds", shown(seconds)),
            "write 0, 1, 5, 10, 15, 30 or 60",
        );
    }
    if subject.is_true("MultiAZ") && subject.has("AvailabilityZone") {
        found.refuse(
            "AvailabilityZone",
            "has a zone and `MultiAZ`",
            "remove `AvailabilityZone`",
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        );
    }
}

fn password(subject: &Subject<'_>, found: &mut Findings) {
    let managed = subject.is_true("ManageMasterUserPassword");
    if managed && subject.has("MasterUserPassword") {
        found.refuse(
            "MasterUserPassword",
            "has a password and `ManageMasterUserPassword`",
            "remove `MasterUserPassword`",
            "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.",
        );
    }
    let made_new = !subject.has("SourceDBInstanceIdentifier")
        && !subject.has("DBSnapshotIdentifier")
        && !subject.has("DBClusterIdentifier")
        && !subject.has("RestoreTime")
        && !subject.has("UseLatestRestorableTime");
    if made_new && !managed && !subject.has("MasterUserPassword") {
        found.refuse(
            "MasterUserPassword",
            "has no password",
            "add `ManageMasterUserPassword: true`",
            "MasterUserPassword is required unless ManageMasterUserPassword is specified.",
        );
    }
    if let Some(text) = subject.text("MasterUserPassword").filter(|text| !text.starts_with("{{resolve:"))
        && (!(8..=128).contains(&text.len()) || text.contains(['/', '"', '@', ' ', '\'']) || !text.is_ascii())
    {
        found.refuse("MasterUserPassword", "has a master password that RDS refuses", "write 8 to 41 characters without `/`, quotes, `@` and spaces", "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.");
    }
    if let Some(name) = subject.text("MasterUsername").filter(|text| !text.starts_with("{{resolve:"))
        && (!name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
            || !super::events::is_name(name, "_")
            || name.len() > 63
            || name == "rdsadmin")
    {
        found.refuse(
            "MasterUsername",
            format!("has the user `{name}`"),
            "begin with a letter, and write letters, digits and underscores",
            "MasterUsername is not valid.",
        );
    }
}

fn windows(subject: &Subject<'_>, found: &mut Findings) {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (text.len() == 5 && hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    if let Some(text) = subject.text("PreferredBackupWindow") {
        let length = text.split_once('-').and_then(|(from, to)| Some((minute(to)? + 1_440 - minute(from)?) % 1_440));
        if length.is_none_or(|length| length < 30) {
            found.refuse(
                "PreferredBackupWindow",
                format!("has the backup window `{text}`"),
                "write `03:00-04:00`",
                format!("Invalid backup window format: {text}"),
            );
        }
    }
    if let Some(text) = subject.text("PreferredMaintenanceWindow") {
        let day = |text: &str| {
            let (day, time) = text.split_once(':')?;
            let index = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
                .iter()
                .position(|known| known.eq_ignore_ascii_case(day))?;
            Some(u32::try_from(index).ok()? * 1_440 + minute(time)?)
        };
        let length = text.split_once('-').and_then(|(from, to)| Some((day(to)? + 10_080 - day(from)?) % 10_080));
        if length.is_none_or(|length| !(30..=1_440).contains(&length)) {
            found.refuse(
                "PreferredMaintenanceWindow",
                format!("has the maintenance window `{text}`"),
                "write `sun:04:00-sun:05:00`",
                format!("Invalid maintenance window format: {text}"),
            );
        }
    }
}
