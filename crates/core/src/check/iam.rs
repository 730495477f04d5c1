//! The policies of the rendered templates: no right without a bound, none that leads nowhere.

mod boundary;
#[cfg(test)]
mod isolation;
mod reference;

use std::collections::BTreeSet;

use crate::error::Error;
use crate::iam::{Boundary, Effect, Pattern, Policies, Role, Statement};
use crate::render::{RenderedStack, forecast};
use crate::resource::Resource;
use crate::resource_types::{self, Reference};
use crate::spec::Spec;
use crate::yaml::Span;

/// Roles that AWS asks for by name, one of each in an account: they are not the pipeline's.
const OF_THE_ACCOUNT: [&str; 2] = ["dms-vpc-role", "dms-cloudwatch-logs-role"];

/// Finds fault with the roles of all stacks.
pub fn check(spec: &Spec, stacks: &[RenderedStack]) -> Vec<Error> {
    let (account, region) = (&spec.environment.account, &spec.environment.region);
    let resources = forecast(stacks, account, region);
    let policies = Policies::gather(account, region, &resources);
    let known = Known::of(spec, &resources);
    let mut errors = Vec::new();
    for role in policies.roles.values().filter(|role| !OF_THE_ACCOUNT.contains(&role.name.as_str())) {
        if role.boundary.is_none() {
            let error = Error::project(format!("the role `{}` has no permissions boundary", role.name));
            errors.push(at(error, role.span_of(&["RoleName"])).hint("add `PermissionsBoundary: !Ref BoundaryArn`"));
        }
        for statement in role.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
            let found = open(role, statement).or_else(|| boundary::beyond(role, statement));
            errors.extend(found);
            errors.extend(hands_over(role, statement));
            errors.extend(known.leads_nowhere(role, statement));
            errors.extend(reference::without_effect(&format!("the role `{}`", role.name), statement));
        }
    }
    errors.extend(boundaries(&policies).flat_map(|boundary| {
        let owner = format!("the boundary `{}`", boundary.name);
        let allows = boundary.statements.iter().filter(|statement| statement.effect == Effect::Allow);
        allows.flat_map(|statement| reference::without_effect(&owner, statement)).collect::<Vec<_>>()
    }));
    errors
}

/// The boundaries of all roles, each once.
fn boundaries(policies: &Policies) -> impl Iterator<Item = &Boundary> {
    let mut seen = BTreeSet::new();
    let all = policies.roles.values().filter_map(|role| role.boundary.as_ref());
    all.filter(move |boundary| seen.insert(&boundary.name))
}

fn at(error: Error, span: Option<Span>) -> Error {
    match span {
        Some(span) => error.at(&span, ""),
        None => error,
    }
}

/// A right on everything, or to do everything, needs a condition, or a comment that says why.
fn open(role: &Role, statement: &Statement) -> Option<Error> {
    let all = |pattern: &Pattern| pattern.is_everything() || pattern.text().ends_with(":*");
    let action = statement.actions.not || statement.actions.patterns.iter().any(all);
    let resource =
        statement.resources.as_ref().is_none_or(|names| names.not || names.patterns.iter().any(Pattern::is_everything));
    // To look around mostly knows no resource.
    let looks = |pattern: &Pattern| {
        let verb = pattern.text().split(':').nth(1).unwrap_or_default();
        ["describe", "list"].iter().any(|start| verb.starts_with(start))
    };
    let harmless = !statement.actions.not && statement.actions.patterns.iter().all(looks);
    if !(action || resource && !harmless) || !statement.conditions.is_empty() || is_explained(statement) {
        return None;
    }
    let (part, what) = if action { ("Action", "every action of a service") } else { ("Resource", "every resource") };
    let message = format!("{} of the role `{}` allows {what}", statement.name(), role.name);
    Some(
        at(Error::project(message), statement.span_of(&[part]))
            .hint("name what it needs; where AWS knows nothing narrower, say so in a comment above the statement"),
    )
}

/// Whether a comment stands right above the statement or in it.
fn is_explained(statement: &Statement) -> bool {
    let Some(span) = statement.span_of(&[]) else { return false };
    let above = span.line().checked_sub(2).and_then(|line| span.source().text.lines().nth(line));
    let inside = statement.span_of(&["Resource"]).map(|span| span.source_line().to_owned());
    above.is_some_and(|line| line.trim_start().starts_with('#')) || inside.is_some_and(|line| line.contains(" # "))
}

/// A principal that may pass a role to any service can do what the role may do.
fn hands_over(role: &Role, statement: &Statement) -> Option<Error> {
    let passes = statement.actions.patterns.iter().any(|pattern| pattern.text() == "iam:passrole");
    let bound = statement.conditions.iter().any(|one| one.key.eq_ignore_ascii_case("iam:PassedToService"));
    if !passes || bound {
        return None;
    }
    let message = format!("{} of the role `{}` passes roles on to any service", statement.name(), role.name);
    let hint = "add `Condition: {StringEquals: {\"iam:PassedToService\": [<service>.amazonaws.com]}}`";
    Some(at(Error::project(message), statement.span_of(&["Action"])).hint(hint))
}

/// What the pipeline has, by ARN.
struct Known {
    prefix: String,
    arns: Vec<String>,
}

impl Known {
    fn of(spec: &Spec, resources: &[Resource]) -> Self {
        let (account, region) = (&spec.environment.account, &spec.environment.region);
        let arns = resources.iter().filter_map(|resource| {
            let name = resource.name.as_str();
            match resource_types::reference(&resource.kind) {
                Reference::Arn => Some(name.to_owned()),
                Reference::Name => resource_types::arn(&resource.kind, account, region, name),
                Reference::QueueUrl => {
                    resource_types::arn(&resource.kind, account, region, name.rsplit('/').next().unwrap_or(name))
                }
            }
        });
        Self { prefix: spec.prefix(), arns: arns.collect() }
    }

    /// A statement on something of this pipeline that the pipeline does not have.
    fn leads_nowhere(&self, role: &Role, statement: &Statement) -> Option<Error> {
        let names = statement.resources.as_ref().filter(|names| !names.not)?;
        // Those who deploy may make all that the pipeline can have, be it there today or not.
        if statement.span_of(&[]).is_some_and(|span| span.file() == "bootstrap.yaml") {
            return None;
        }
        let own = |pattern: &&Pattern| {
            let last = pattern.text().splitn(6, ':').last().unwrap_or_default();
            let start = last.trim_start_matches("function:").trim_start_matches("log-group:/pipectl/");
            let start = start.trim_start_matches("secret:").trim_start_matches("job/").trim_start_matches("workflow/");
            // All that has the prefix is what the pipeline may have, be it none today.
            let one = |rest: &str| rest.starts_with(['-', '/']) && !["-*", "/*"].contains(&rest);
            start.strip_prefix(self.prefix.as_str()).is_some_and(one)
        };
        let index = names.patterns.iter().position(|pattern| own(&pattern) && !self.may_be(pattern.text()))?;
        let pattern = &names.patterns[index];
        let message = format!(
            "{} of the role `{}` is about nothing that the pipeline has: {pattern}",
            statement.name(),
            role.name
        );
        let span = statement.span_of(&["Resource", &index.to_string()]);
        Some(at(Error::project(message), span).hint("correct the name, or remove it"))
    }

    /// Whether something that the pipeline has could be meant.
    fn may_be(&self, pattern: &str) -> bool {
        let service = pattern.split(':').nth(2).unwrap_or_default();
        if !["s3", "sqs", "sns", "lambda", "secretsmanager", "logs", "glue"].contains(&service) {
            return true;
        }
        // Of objects only the bucket is known, of streams only the group.
        let cut = if service == "s3" { pattern.split('/').next().unwrap_or(pattern) } else { pattern };
        let expected = Pattern::new(cut, false);
        self.arns.iter().any(|arn| {
            let none = crate::iam::Context::default();
            expected.matches_arn(arn, &none) || Pattern::new(arn, false).matches_arn(cut, &none)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::edited;
    use crate::testing::built_in;
    use crate::yaml::Source;

    /// What is said of the reference pipeline with a text of a template changed.
    fn found(path: &str, from: &str, to: &str) -> String {
        found_in("dev", &built_in("stacks/dev.yaml").unwrap(), path, from, to)
    }

    fn found_in(name: &str, environment: &std::sync::Arc<Source>, path: &str, from: &str, to: &str) -> String {
        let spec = Spec::load(&built_in("stacks/pipeline.yaml").unwrap(), environment, name).unwrap();
        let errors = check(&spec, &edited(&spec, path, from, to));
        // Without the numbers of the lines, which any change of a template moves.
        let reported = |error: &Error| {
            let span = error.span().unwrap();
            format!("{}\n  {} | {}", error.message(), span.file(), span.source_line().trim())
        };
        errors.iter().map(reported).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_reference_pipeline_has_no_unbounded_grant() {
        assert_eq!(found("templates/iam.yaml.hbs", "", ""), "");
        for (name, text) in [
            ("databases", include_str!("../../../../tests/environments/databases.yaml")),
            ("native-events", include_str!("../../../../tests/environments/native-events.yaml")),
            ("github", include_str!("../../../../tests/environments/github.yaml")),
            ("outlets", include_str!("../../../../tests/environments/outlets.yaml")),
        ] {
            assert_eq!(
                found_in(name, &Source::new(format!("{name}.yaml"), text), "templates/iam.yaml.hbs", "", ""),
                "",
                "{name}"
            );
        }
    }

    #[test]
    fn unbounded_grants_are_reported() {
        let iam = |from: &str, to: &str| found("templates/iam.yaml.hbs", from, to);
        insta::assert_snapshot!(iam("Action: \"glue:notifyEvent\"\n", "Action: \"glue:*\"\n"), @r#"
        `Notify` of the role `shop-dev-events-to-glue` allows every action of a service
          iam.yaml | Action: "glue:*"
        "#);
        insta::assert_snapshot!(iam("                  - !Sub \"arn:${AWS::Partition}:s3:::{{buckets.raw}}/{{folders.landing}}/*\"\n", "                  - \"*\"\n"), @"
        `ReadVersions` of the role `shop-dev-replication` allows every resource
          iam.yaml | Resource:
        ");
        insta::assert_snapshot!(iam("{{buckets.transformed}}/{{folders.ledger}}/*", "{{prefix}}-transform/_ledger/*"), @r#"
        `ReadLedger` of the role `shop-dev-load` allows s3:getobject on arn:aws:s3:::shop-dev-transform/_ledger/*, and its boundary `shop-dev-boundary` does not
          iam.yaml | Action: "s3:GetObject"
        `ReadLedger` of the role `shop-dev-load` is about nothing that the pipeline has: arn:aws:s3:::shop-dev-transform/_ledger/*
          iam.yaml | Resource: !Sub "arn:${AWS::Partition}:s3:::shop-dev-transform/_ledger/*"
        "#);
        insta::assert_snapshot!(iam("      PermissionsBoundary: !Ref BoundaryArn\n", ""), @"
        the role `shop-dev-replication` has no permissions boundary
          iam.yaml | RoleName: shop-dev-replication
        ");
        insta::assert_snapshot!(iam("Action: \"glue:notifyEvent\"\n", "Action: \"glue:StopWorkflowRun\"\n"), @r#"
        `Notify` of the role `shop-dev-events-to-glue` allows glue:stopworkflowrun on arn:aws:glue:eu-central-1:111111111111:workflow/shop-dev, and its boundary `shop-dev-boundary` does not
          iam.yaml | Action: "glue:StopWorkflowRun"
        "#);
        let execution = |from: &str, to: &str| found("templates/partials/execution_policies.yaml.hbs", from, to);
        insta::assert_snapshot!(execution("\"logs:DeleteMetricFilter\"", "\"cloudtrail:DescribeTrails\""), @r#"
        `Logs` of the role `shop-dev-execution` grants cloudtrail:describetrails on nothing
          bootstrap.yaml | - "cloudtrail:DescribeTrails"
        "#);
        insta::assert_snapshot!(execution("workgroup/{{prefix}}\"\n", "work-group/{{prefix}}\"\n"), @r#"
        no action of `Athena` of the role `shop-dev-execution` applies to arn:aws:athena:eu-central-1:111111111111:work-group/shop-dev
          bootstrap.yaml | Resource: !Sub "arn:${AWS::Partition}:athena:${AWS::Region}:${AWS::AccountId}:work-group/shop-dev"
        "#);
        let passing = "          Condition:\n            StringEquals:\n              \"iam:PassedToService\":\n";
        insta::assert_snapshot!(found("templates/partials/execution_policies.yaml.hbs", passing, "          Condition:\n            StringEquals:\n              \"aws:RequestedRegion\":\n"), @r#"
        `HandOver` of the role `shop-dev-execution` passes roles on to any service
          bootstrap.yaml | Action: "iam:PassRole"
        "#);
    }
}
