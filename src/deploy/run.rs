//! The identity of a run: its id, and the names and tokens that contain it.

use std::hash::{BuildHasher, Hasher};

use pipectl_contract::timestamps;
use time::OffsetDateTime;

use super::Purpose;
use super::record::Action;
use super::settings::Settings;
use super::stop::Stop;
use crate::plan::saved::{Commit, RUN_LENGTH, is_run};

/// Which stacks a run deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The bootstrap stack alone, by someone who may create roles.
    Bootstrap,
    /// The pipeline. The bootstrap stack is part of it in the local account only.
    Pipeline,
}

/// One run of pipectl.
#[derive(Debug)]
pub(super) struct Run {
    /// Part of the names and client request tokens of everything that the run creates.
    pub(super) id: String,
    pub(super) scope: Scope,
    /// The commit of the project's files, for the record.
    pub(super) commit: Option<Commit>,
    pub(super) settings: Settings,
    /// Whether someone asked to stop the run.
    pub(super) stop: Stop,
}

impl Run {
    pub(super) fn new(scope: Scope, commit: Option<Commit>, settings: Settings, stop: Stop) -> Self {
        let id = settings.saved_run.clone().unwrap_or_else(new_id);
        Self { id, scope, commit, settings, stop }
    }

    /// Whether the run executes a saved plan: exactly what was shown, or nothing.
    pub(super) fn is_of_saved_plan(&self) -> bool {
        self.settings.saved_run.is_some()
    }

    pub(super) fn action(&self) -> Action {
        match self.scope {
            Scope::Bootstrap => Action::Bootstrap,
            Scope::Pipeline => Action::Deploy,
        }
    }

    /// What the names of the run's change sets begin with.
    pub(super) fn change_set_name(&self, purpose: Purpose) -> String {
        purpose.change_set(&self.id)
    }

    /// The client request token of the run's operation on a stack.
    pub(super) fn client_token(&self, stack: &str) -> String {
        format!("{}-{stack}", self.id)
    }

    /// The client request token of a further operation on a stack: each operation needs a different one.
    pub(super) fn new_client_token(&self, stack: &str) -> String {
        format!("{}-{stack}-{:08x}", self.id, random() >> 32)
    }
}

/// A new, unique run id: the time, so that people can distinguish runs, and a random number.
pub(super) fn new_id() -> String {
    let time = timestamps::stamp(OffsetDateTime::now_utc().unix_timestamp());
    format!("{time}-{:016x}", random())
}

fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Whether a text is or begins with a run id.
pub(super) fn starts_with_id(text: &str) -> bool {
    text.get(..RUN_LENGTH).is_some_and(is_run)
}

/// The id of the run that started an operation on a stack, if the client request token is one of pipectl's.
pub(super) fn id_in_token<'a>(token: &'a str, stack: &str) -> Option<&'a str> {
    let id = token.get(..RUN_LENGTH).filter(|id| is_run(id))?;
    let rest = token[RUN_LENGTH..].strip_prefix('-')?.strip_prefix(stack)?;
    (rest.is_empty() || rest.starts_with('-')).then_some(id)
}
