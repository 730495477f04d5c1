//! What a rehearsal leaves alone, because it would call a real shop or database.

use pipectl_contract::names::environment;

use super::Run;
use crate::timeline::Severity;

impl Run<'_> {
    /// Whether a job reads a database that has no server here: it is left alone.
    pub(super) fn has_no_database(&mut self, job: &str) -> bool {
        let resource = self.pipeline.resources.named("AWS::Glue::Job", job);
        let Some(source) = resource.and_then(|resource| resource.text("/DefaultArguments/--source")) else {
            return false;
        };
        if self.pipeline.databases.get(source).is_some() {
            return false;
        }
        let left_out = self.pipeline.databases.left_out.iter().find(|(name, _)| name == source);
        let (severity, text) = match left_out {
            Some((_, why)) => (Severity::Warning, format!("the source `{source}` was skipped\n{why}")),
            None => (
                Severity::Note,
                format!(
                    "the source `{source}` was skipped: it has no data here, and `{job}` would call the real database\n\
                     to include it, pass its data: --data {source}=DIR"
                ),
            ),
        };
        self.timeline.find(severity, text);
        true
    }

    /// Whether a function reads a source that has no stand-in: it would call the real shop, so it is left alone.
    pub(super) fn has_no_data(&mut self, name: &str) -> bool {
        let resource = self.pipeline.resources.named("AWS::Lambda::Function", name);
        let Some(source) = resource.and_then(|resource| resource.variable(environment::SOURCE)) else {
            return false;
        };
        if self.pipeline.shops.contains_key(source) {
            return false;
        }
        if self.own.contains(source) {
            let secret = resource.and_then(|resource| resource.variable(environment::SECRET));
            let Some(secret) = secret.filter(|name| self.pipeline.account.secret_value(name).is_none()) else {
                return false;
            };
            let text = format!(
                "the Lambda of the source `{source}` was skipped: its secret `{secret}` is empty here\n\
                 to include it: --secret {source}=FILE"
            );
            self.timeline.find(Severity::Note, text);
            return true;
        }
        if resource.and_then(|resource| resource.variable(environment::STATE_KEY)).is_some() {
            let text = format!("the Lambda of the source `{source}` was skipped\nto include it: --data {source}");
            self.timeline.find(Severity::Note, text);
            return true;
        }
        let text = format!(
            "the source `{source}` was skipped: it has no data here, and `{name}` would call the real shop\n\
             to include it, pass its data: --data {source}=DIR"
        );
        self.timeline.find(Severity::Note, text);
        true
    }
}
