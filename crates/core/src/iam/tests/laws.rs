//! What holds for all policies.

use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "sqs:SendMessage", "s3:ListBucket"])
}

fn thing() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "arn:aws:s3:::a/x",
        "arn:aws:s3:::a/y/z",
        "arn:aws:s3:::b",
        "arn:aws:sqs:us-east-1:123456789012:q",
    ])
}

fn statement() -> impl Strategy<Value = Value> {
    let action =
        prop::sample::select(vec!["s3:*", "s3:Get*", "s3:PutObject", "*", "sqs:*", "s3:?etObject", "s3:ListBucket"]);
    let resource =
        prop::sample::select(vec!["*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/x", "arn:aws:s3:::b", "arn:aws:sqs:*:*:q"]);
    let condition = prop::sample::select(vec![
        json!({}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"k": "v"}}),
        json!({"StringNotLike": {"k": "v*"}}),
        json!({"Null": {"k": "true"}}),
    ]);
    (any::<bool>(), any::<bool>(), any::<bool>(), action, resource, condition).prop_map(
        |(allow, not_action, not_resource, action, resource, condition)| {
            json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                if not_action { "NotAction" } else { "Action" }: action,
                if not_resource { "NotResource" } else { "Resource" }: resource,
                "Condition": condition,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The order of statements does not matter, nor does one that stands twice.
    #[test]
    fn order_does_not_matter(statements in prop::collection::vec(statement(), 0..6), action in name(), thing in thing()) {
        let mut turned = statements.clone();
        turned.reverse();
        turned.extend(statements.first().cloned());
        let [one, other] = [statements, turned].map(|list| allows(&role(&json!(list)), action, thing, &[("k", "v")]));
        prop_assert_eq!(one, other);
    }

    /// One more Allow takes no right away, one more Deny gives none.
    #[test]
    fn adding_an_allow_never_removes_access(statements in prop::collection::vec(statement(), 0..6), more in statement(), action in name(), thing in thing()) {
        let before = allows(&role(&json!(statements)), action, thing, &[]);
        let grants = more["Effect"] == "Allow";
        let after = allows(&role(&json!([statements, vec![more]].concat())), action, thing, &[]);
        let (more, less) = if grants { (after, before) } else { (before, after) };
        prop_assert!(more || !less);
    }

    /// A Deny that takes the call wins over any Allow, and over a policy of the resource.
    #[test]
    fn an_explicit_deny_wins(statements in prop::collection::vec(statement(), 0..6), action in name(), thing in thing()) {
        let all = [vec![json!({"Effect": "Deny", "Action": action, "Resource": thing})], statements].concat();
        prop_assert!(!allows(&role(&json!(all)), action, thing, &[]));
    }

    /// A boundary only takes away: what is allowed with one is allowed without it.
    #[test]
    fn a_boundary_grants_nothing(own in prop::collection::vec(statement(), 0..4), limit in prop::collection::vec(statement(), 0..4), action in name(), thing in thing()) {
        let free = role(&json!(own));
        let mut bound = free.clone();
        let limits = role(&json!(limit)).roles["app"].statements.clone();
        let boundary = super::gather::Boundary { name: "limit".into(), statements: limits.clone(), node: None };
        bound.roles.get_mut("app").unwrap().boundary = Some(boundary);
        let with = allows(&bound, action, thing, &[]);
        prop_assert_eq!(with, allows(&free, action, thing, &[]) && allows(&role(&json!(limit)), action, thing, &[]));
    }

    /// A text stands for itself; with a star in place of a part of it, too.
    #[test]
    fn a_pattern_matches_its_own_text(text in "[a-z:/=*?$]{0,12}", from in 0usize..12, until in 0usize..12) {
        let none = Context::default();
        let literal = text.replace('*', "${*}").replace('?', "${?}");
        prop_assert!(Pattern::new(&literal, true).matches(&text, &none));
        let (from, until) = (from.min(text.len()), until.min(text.len()));
        let starred = format!("{}*{}", &text[..from.min(until)], &text[from.max(until)..]);
        prop_assert!(Pattern::new(&starred, false).matches(&text, &none));
    }
}
