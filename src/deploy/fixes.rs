//! Fixes of the failures that are met again and again: one table.

/// What is known of a failure.
struct Fix {
    /// The start of the resource type; empty for all.
    of: &'static str,
    /// One of these is in the reason, in small letters.
    says: &'static [&'static str],
    /// What to do.
    hint: &'static str,
}

const fn fix(of: &'static str, says: &'static [&'static str], hint: &'static str) -> Fix {
    Fix { of, says, hint }
}

/// The first that fits counts, so the narrower ones come first.
const FIXES: [Fix; 19] = [
    fix("AWS::S3::Bucket", &["not empty"], "run `pipectl destroy --delete-data` if the objects in it may go"),
    fix(
        "AWS::S3::Bucket",
        &["bucketalreadyexists", "requested bucket name is not available", "not unique"],
        "bucket names are unique in all of AWS and another account has this one: choose another `name` for the pipeline",
    ),
    fix(
        "AWS::SecretsManager::Secret",
        &["scheduled for deletion"],
        "a secret of this name waits for its deletion: restore it with `aws secretsmanager restore-secret`, then import it, or delete \
         it now with `aws secretsmanager delete-secret --force-delete-without-recovery`",
    ),
    fix(
        "",
        &["already exists", "already owned", "alreadyexists"],
        "something of this name is there already, perhaps kept when an earlier stack was deleted: delete it, or import it into the \
         stack",
    ),
    fix(
        "AWS::Glue::Trigger",
        &["was modified while adding trigger", "concurrentmodification"],
        "Glue takes the triggers of a workflow one after another only: run `pipectl deploy` again",
    ),
    fix(
        "AWS::DMS::",
        &["dms-vpc-role", "dms vpc role"],
        "DMS needs a role of exactly this name in the account: run `pipectl bootstrap` as an administrator, it makes the role",
    ),
    fix(
        "",
        &[
            "unable to assume",
            "cannot be assumed",
            "can't be assumed",
            "is not authorized to perform: sts:assumerole",
            "role defined for the function",
            "should be given assume role permissions",
            "the role with name",
        ],
        "a new role takes some seconds to be known everywhere: run `pipectl deploy` again",
    ),
    fix(
        "",
        &["denied by stack policy"],
        "the stack policy keeps data where it is, and this deploy would replace or delete some that the plan did not show: run \
         `pipectl plan`, then name the loss with `--allow-data-loss STACK/LOGICAL-ID`",
    ),
    fix(
        "",
        &["explicit deny in a service control policy", "service control policy", "permissions boundary"],
        "a policy of the organization or the permissions boundary forbids this: ask who keeps it; running it again does not help",
    ),
    fix(
        "",
        &["access denied", "accessdenied", "not authorized to perform", "is not authorized"],
        "the execution role lacks this right: run `pipectl bootstrap` again as an administrator, it brings the role up to date",
    ),
    fix(
        "AWS::EC2::VPC",
        &["maximum number of vpcs"],
        "ask for more VPCs in the Service Quotas console (Amazon VPC, VPCs per Region), or delete one, then run `pipectl deploy` again",
    ),
    fix(
        "AWS::Lambda::",
        &["unreservedconcurrentexecution"],
        "the account has too few concurrent executions to reserve some: ask for more in the Service Quotas console (AWS Lambda, \
         Concurrent executions)",
    ),
    fix(
        "",
        &["limit exceeded", "limitexceeded", "quota", "maximum number of"],
        "ask for a larger quota in the Service Quotas console, then run `pipectl deploy` again",
    ),
    fix(
        "AWS::RedshiftServerless",
        &["subnet", "availability zone", "ip address"],
        "Redshift Serverless wants three subnets in three availability zones, each with enough free addresses",
    ),
    fix(
        "",
        &["doesn't meet availability zone coverage", "availability zone coverage", "at least two availability zones"],
        "give the subnets of at least two availability zones",
    ),
    fix(
        "AWS::QuickSight::",
        &["quicksight"],
        "sign this account up for Amazon Quick Suite in this region and let it reach the warehouse, then run `pipectl deploy` again",
    ),
    fix("AWS::SNS::Subscription", &["invalid parameter: endpoint"], "correct the mail address in `alerts.emails`"),
    fix(
        "",
        &["rate exceeded", "throttling", "too many requests"],
        "AWS was asked too much at once: run `pipectl deploy` again, with fewer stacks at a time (`--parallel 2`)",
    ),
    fix(
        "",
        &["internal failure", "internalfailure", "service unavailable", "did not stabilize", "notstabilized"],
        "this may be temporary: run `pipectl deploy` again; if it fails again, check health.aws.amazon.com",
    ),
];

/// What to do about a failure of a resource.
pub(super) fn of(reason: &str, resource_type: &str) -> Option<&'static str> {
    let reason = reason.to_lowercase();
    let fits = |fix: &&Fix| resource_type.starts_with(fix.of) && fix.says.iter().any(|words| reason.contains(words));
    FIXES.iter().find(fits).map(|fix| fix.hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_fix_counts() {
        let first =
            |reason, of_type| of(reason, of_type).map(|hint| hint.split(' ').take(5).collect::<Vec<_>>().join(" "));
        let cases = [
            ("my-bucket already exists (BucketAlreadyExists)", "AWS::S3::Bucket"),
            ("orders already exists in stack arn", "AWS::Glue::Table"),
            ("The role defined for the function cannot be assumed by Lambda.", "AWS::Lambda::Function"),
            ("Workflow shop was modified while adding trigger x", "AWS::Glue::Trigger"),
            ("The maximum number of VPCs has been reached.", "AWS::EC2::VPC"),
            ("Action denied by stack policy: Statement [#1] does not allow [Update:Replace]", "AWS::S3::Bucket"),
            ("User is not authorized to perform: glue:CreateJob", "AWS::Glue::Job"),
            ("Something else", "AWS::Glue::Job"),
        ];
        let fixes: Vec<String> = cases.iter().map(|(reason, of)| first(reason, of).unwrap_or("none".into())).collect();
        insta::assert_snapshot!(fixes.join("\n"), @r"
        bucket names are unique in
        something of this name is
        a new role takes some
        Glue takes the triggers of
        ask for more VPCs in
        the stack policy keeps data
        the execution role lacks this
        none
        ");
    }
}
