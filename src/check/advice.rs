//! What must be done by hand before a deploy, as no template can do it.

use crate::spec::Spec;

/// What a person must do first, a line each.
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
    advice
}
