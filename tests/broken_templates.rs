//! Templates with an error between parts of the pipeline: a rehearsal names the hop and the line to fix.

use crate::rehearse::{count, findings, project, report};
use crate::support::{Test, root};

/// A temporary project with a changed template, and the data of one store.
fn with_template(test: Test, name: &str, edits: &[(&str, &str)]) -> Test {
    let mut template = std::fs::read_to_string(root().join(format!("templates/{name}.yaml.hbs"))).unwrap();
    for (from, to) in edits {
        assert!(template.contains(from), "`{from}` is not in {template}");
        template = template.replace(from, to);
    }
    test.write(&format!("templates/{name}.yaml.hbs"), &template)
        .write("stores/stores.csv", "id,name,opened_at,tax_rate\n1,One,2024-01-01,0.1\n")
}

#[test]
fn a_missing_permission_fails_the_rehearsal() {
    let Some(test) = project() else { return };
    // The role of the load may write no ledger entry, and the workgroup is another pipeline's.
    let write = "Sid: WriteLedger\n                Effect: Allow\n                Action: \"s3:PutObject\"";
    let test = with_template(test, "iam", &[(write, &write.replace("PutObject", "PutObjectAcl"))]);
    let (code, report) = report(&test, &["--data", "erp=stores"]);
    let found = findings(&report);
    assert_eq!(code, Some(1), "{found}");
    // The cause comes first; what it led to comes after it.
    assert!(
        found.starts_with(
            "error: error: IAM: the role `shop-local-load` may not s3:PutObject on arn:aws:s3:::shop-local-transformed-\
             000000000000-us-east-1/_ledger/setup/*: `WriteLedger` allows other actions on it"
        ),
        "{found}"
    );
    assert!(
        found.contains("Action: \"s3:PutObjectAcl\"") && found.contains("hint: add `s3:PutObject` to `Action`"),
        "{found}"
    );
    assert!(found.contains("the function `shop-local-load` failed") && found.contains("AccessDenied"), "{found}");
    assert_eq!(count(&report, "stores"), 0, "{found}");
}

/// The rule of the raw zone also takes what the jobs write, which would start them for ever.
#[test]
fn an_event_loop_is_stopped_and_reported() {
    let Some(test) = project() else { return };
    let landing = "StartsWith: [!Sub \"arn:${AWS::Partition}:s3:::${RawBucketName}/{{folders.landing}}/\"";
    let test = with_template(
        test,
        "events",
        &[
            (landing, &format!("{landing}, \"arn:aws:s3:::{{{{buckets.cleaned}}}}/\"")),
            ("bucketName: [!Ref RawBucketName]", "bucketName: [!Ref RawBucketName, \"{{buckets.cleaned}}\"]"),
            ("key: [{prefix: {{folders.landing}}/}]", "key: [{prefix: \"\"}]"),
        ],
    );
    let (code, report) = report(&test, &["--data", "erp=stores"]);
    let found = findings(&report);
    assert_eq!(code, Some(1), "{found}");
    let printed = found.split("a loop: ").nth(1).unwrap_or_else(|| panic!("{found}"));
    assert!(
        printed.starts_with(
            "the rule `shop-local-landing` would start workflow shop-local again by what `shop-local-clean` has just written"
        ),
        "{found}"
    );
    assert!(printed.contains("EventPattern:") && printed.contains("hint: narrow the rule's pattern"), "{found}");
    // It is reported, not skipped: everything else continues.
    assert_eq!(count(&report, "stores"), 1, "{found}");
}
