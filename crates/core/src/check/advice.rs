//! Advisories: not errors, but a person should check them: steps that no template can do, and entries that only one
//! environment has.

use crate::spec::Spec;

/// Returns the advisories, a line each.
pub fn of(spec: &Spec) -> Vec<String> {
    let mut advice = Vec::new();
    if spec.pipeline.analytics.quicksight.is_some() && !spec.environment.local {
        advice.push(format!(
            "`{}` has QuickSight: before its first deploy subscribe the account {} to QuickSight (Enterprise), and let \
             QuickSight read the secret `{}/warehouse/quicksight`; CloudFormation can do neither",
            spec.environment_name,
            spec.environment.account,
            spec.prefix()
        ));
    }
    advice.extend(["sources", "tables", "marts"].into_iter().flat_map(|section| added(spec, section)));
    advice
}

/// The entries that an environment adds to a section of the pipeline: often the pipeline has removed them.
fn added(spec: &Spec, section: &str) -> Vec<String> {
    let entries = spec.tree.get(section).map(crate::yaml::Node::entries).unwrap_or_default();
    let pipeline = spec.tree.span.file();
    let others = entries.iter().filter(|(key, _)| key.span.file() != pipeline);
    others
        .map(|(key, _)| {
            format!(
                "{}:{}: `{}` is only in this environment, in its {section}; if {pipeline} has it no more, take it out \
                 here too",
                key.span.file(),
                key.span.line(),
                key.name
            )
        })
        .collect()
}
