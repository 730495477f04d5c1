//! Running a statement in the background.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::event;
use super::request;
use super::statement::{Statement, Status};
use crate::redshift::Warehouse;
use crate::redshift::error::{SqlError, SqlResult};
use crate::redshift::rewrite::{self, Translated};
use crate::redshift::session::{Outcome, Session};

/// Runs the statement to its end and sends its event, if it asked for one.
pub(super) async fn run(warehouse: Warehouse, statement: Arc<Statement>) {
    let start = Instant::now();
    let ended = execute(&warehouse, &statement).await;
    let (status, error) = match ended {
        _ if statement.was_cancelled() && ended.is_err() => {
            (Status::Aborted, Some("Query cancelled on user's request".to_owned()))
        }
        Ok(()) => (Status::Finished, None),
        Err(error) => (Status::Failed, Some(error)),
    };
    statement.end(status, start.elapsed(), error);
    if let (true, Some(events)) = (statement.submission.with_event, &warehouse.config().events) {
        // Nobody listens any more when the rehearsal is over.
        events.send(event::status_change(&statement, status, warehouse.config())).ok();
    }
}

async fn execute(warehouse: &Warehouse, statement: &Statement) -> Result<(), String> {
    let submission = &statement.submission;
    if submission.database != warehouse.config().database {
        return Err(format!("FATAL: database \"{}\" does not exist", submission.database));
    }
    // Without a secret, the caller's role is the database's user, and has only what was granted to it.
    let reader = submission.secret.as_ref().and_then(|secret| request::reader(warehouse.config(), secret));
    if let Some(user) = &reader {
        let known = warehouse.rows(&format!("SELECT 1 FROM pg_user WHERE usename = '{user}'")).await;
        if known.is_ok_and(|(_, rows)| rows.is_empty()) {
            return Err(format!("FATAL: password authentication failed for user \"{user}\""));
        }
    }
    let role = reader.or_else(|| submission.secret.is_none().then(|| database_user(&statement.caller)));
    let session = warehouse.session(role.as_deref()).await.map_err(|error| error.to_string())?;
    if !statement.start(session.cancel_token()) {
        return Err("Query cancelled on user's request".to_owned());
    }
    if !submission.is_batch {
        return part(warehouse, statement, &session, 0, false).await.map_err(|error| error.to_string());
    }
    if submission.together {
        transaction(warehouse, statement, &session).await
    } else {
        each(warehouse, statement, &session).await
    }
}

/// All statements as one transaction.
async fn transaction(warehouse: &Warehouse, statement: &Statement, session: &Session) -> Result<(), String> {
    session.begin(warehouse.config().isolation).await.map_err(|error| error.to_string())?;
    for index in 0..statement.submission.sqls.len() {
        if let Err(error) = part(warehouse, statement, session, index, true).await {
            // The connection's end rolls back too, should this fail.
            session.execute("ROLLBACK").await.ok();
            return Err(numbered(index, &error));
        }
    }
    session.execute("COMMIT").await.map_err(|error| error.to_string())
}

/// Each statement by itself: one that fails does not stop those after it.
async fn each(warehouse: &Warehouse, statement: &Statement, session: &Session) -> Result<(), String> {
    let mut errors = Vec::new();
    for index in 0..statement.submission.sqls.len() {
        if statement.was_cancelled() {
            return Err("Query cancelled on user's request".to_owned());
        }
        if let Err(error) = part(warehouse, statement, session, index, false).await {
            errors.push(numbered(index, &error));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

fn numbered(index: usize, error: &SqlError) -> String {
    format!("Query #{} failed with {error}", index + 1)
}

/// Runs one SQL text and records what became of it.
async fn part(
    warehouse: &Warehouse,
    statement: &Statement,
    session: &Session,
    index: usize,
    within: bool,
) -> SqlResult<()> {
    statement.start_part(index);
    let start = Instant::now();
    let sql = &statement.submission.sqls[index];
    let outcome = match rewrite::translate(sql, &statement.submission.parameters, &mut BTreeSet::new()) {
        Ok(translated) => translated_part(warehouse, session, &translated, within).await,
        Err(error) => Err(error),
    };
    let (recorded, answer) = match outcome {
        Ok(outcome) => (Ok(outcome), Ok(())),
        Err(error) => (Err(error.to_string()), Err(error)),
    };
    statement.end_part(index, start.elapsed(), recorded);
    answer
}

async fn translated_part(
    warehouse: &Warehouse,
    session: &Session,
    translated: &Translated,
    within: bool,
) -> SqlResult<Outcome> {
    let files = &warehouse.shared.files;
    if within {
        if let Some(what) = translated.alone {
            return Err(SqlError::new(format!("{what} cannot run inside a transaction block")));
        }
        let outcome = session.run(translated, files).await?;
        if translated.commits {
            // Redshift's TRUNCATE ends the transaction it stands in: what came before it stays, whatever follows.
            session.execute("COMMIT").await?;
            session.begin(warehouse.config().isolation).await?;
        }
        return Ok(outcome);
    }
    if translated.steps.len() < 2 {
        return session.run(translated, files).await;
    }
    // What is one statement for Redshift happens as a whole or not at all.
    session.begin(warehouse.config().isolation).await?;
    match session.run(translated, files).await {
        Ok(outcome) => session.execute("COMMIT").await.map(|()| outcome),
        Err(error) => {
            session.execute("ROLLBACK").await.ok();
            Err(error)
        }
    }
}

/// `arn:aws:sts::123456789012:assumed-role/name/session` → `IAMR:name`
fn database_user(caller: &str) -> String {
    let path = caller.rsplit_once(':').map_or(caller, |(_, path)| path);
    let mut parts = path.split('/');
    match (parts.next(), parts.next()) {
        (Some("user"), Some(name)) => format!("IAM:{name}"),
        (Some(_), Some(name)) => format!("IAMR:{name}"),
        _ => format!("IAM:{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::database_user;

    #[test]
    fn a_caller_is_a_user_of_the_database() {
        for (caller, expected) in [
            ("arn:aws:sts::000000000000:assumed-role/shop-dev-load/session", "IAMR:shop-dev-load"),
            ("arn:aws:iam::000000000000:role/shop-dev-load", "IAMR:shop-dev-load"),
            ("arn:aws:iam::000000000000:user/someone", "IAM:someone"),
            ("arn:aws:iam::000000000000:root", "IAM:root"),
        ] {
            assert_eq!(database_user(caller), expected);
        }
    }
}
