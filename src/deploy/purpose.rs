//! The purposes of change sets, which decide their names: the roles of CI may use some names only.

/// What a change set is created for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be shown. The role of pull requests may create change sets and upload templates under this name only.
    Plan,
    /// To be shown, and executed after approval: a saved plan names it.
    Saved,
    /// To be shown: what was changed since the last deploy.
    Drift,
    /// To be executed.
    Deploy,
}

impl Purpose {
    /// The name of a run's change sets.
    pub(super) fn change_set(self, run: &str) -> String {
        match self {
            Self::Plan => format!("plan-{run}"),
            // The role of pull requests may create `plan-*` only, and the role that deploys executes all but those.
            Self::Saved => format!("saved-{run}"),
            Self::Drift => format!("plan-drift-{run}"),
            Self::Deploy => format!("deploy-{run}"),
        }
    }

    /// The key of a long template in the artifact bucket.
    pub(super) fn template_key(self, stack: &str, sha256: &str) -> String {
        match self {
            Self::Plan | Self::Saved | Self::Drift => format!("plan/{stack}-{sha256}.yaml"),
            Self::Deploy => format!("templates/{stack}-{sha256}.yaml"),
        }
    }
}
