//! The statements of this run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::answer::Fault;
use super::identifier::uuid;
use super::request::{List, Submission};
use super::statement::{Statement, Status};

#[derive(Default)]
pub(super) struct Store {
    statements: Mutex<Statements>,
}

#[derive(Default)]
struct Statements {
    /// In the order of their submission.
    all: Vec<Arc<Statement>>,
    by_id: HashMap<String, Arc<Statement>>,
    by_token: HashMap<String, Arc<Statement>>,
}

impl Store {
    /// Adds a statement; a request whose client token was seen before answers with the statement of then.
    pub(super) fn add(&self, submission: Submission, caller: &str) -> Result<(Arc<Statement>, bool), Fault> {
        let mut statements = self.lock();
        let token = submission.token.clone();
        if let Some(known) = token.as_ref().and_then(|token| statements.by_token.get(token)) {
            let same = Submission { wait: known.submission.wait, ..submission } == known.submission;
            return if same {
                Ok((Arc::clone(known), false))
            } else {
                Err(Fault::validation("ClientToken was used before with other parameters"))
            };
        }
        let number = i64::try_from(statements.all.len()).unwrap_or(i64::MAX) + 1;
        let statement = Arc::new(Statement::new(uuid(), number, submission, caller));
        statements.by_id.insert(statement.id.clone(), Arc::clone(&statement));
        statements.all.push(Arc::clone(&statement));
        if let Some(token) = token {
            statements.by_token.insert(token, Arc::clone(&statement));
        }
        Ok((statement, true))
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Statement>> {
        self.lock().by_id.get(id).cloned()
    }

    /// A page of the statements, the newest first.
    pub(super) fn list(&self, status: Option<Status>, request: &List) -> Result<Value, Fault> {
        let start: usize = match &request.next_token {
            Some(token) => token.parse().map_err(|_| Fault::validation("NextToken is not valid"))?,
            None => 0,
        };
        let most = request.max_results.filter(|most| *most > 0).unwrap_or(100).min(100);
        let statements = self.lock();
        let matching: Vec<&Arc<Statement>> = statements
            .all
            .iter()
            .rev()
            .filter(|statement| status.is_none_or(|status| statement.status() == status))
            .filter(|statement| {
                let name = statement.submission.name.as_deref().unwrap_or_default();
                request.statement_name.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
            })
            .collect();
        let page: Vec<Value> = matching.iter().skip(start).take(most).map(|statement| statement.listed()).collect();
        let mut answer = json!({ "Statements": page });
        if matching.len() > start + most {
            answer["NextToken"] = (start + most).to_string().into();
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Statements> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
