//! An error of a SQL statement, in Redshift's words.

use std::fmt;

/// Why a statement failed: Redshift's message, and where we can say more than Redshift does, a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    message: String,
    hint: Option<String>,
    is_lost_connection: bool,
}

pub(crate) type SqlResult<T> = Result<T, SqlError>;

impl SqlError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_lost_connection: false }
    }

    /// What Redshift says of text that its grammar does not know.
    pub(crate) fn syntax(near: &str) -> Self {
        Self::new(format!("syntax error at or near \"{near}\""))
    }

    /// Redshift can do this, the rehearsal cannot (yet).
    pub(crate) fn not_rehearsed(what: &str) -> Self {
        Self::new(format!("the rehearsal does not run {what}"))
            .hint("Redshift itself may accept it; leave it out of what is rehearsed")
    }

    /// PostgreSQL can do this, Redshift cannot.
    pub(crate) fn not_redshift(what: &str) -> Self {
        Self::new(format!("{what} is not supported by Redshift"))
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the server did not answer at all.
    pub(crate) fn is_lost_connection(&self) -> bool {
        self.is_lost_connection
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  Hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => from_server(error),
            None => Self {
                is_lost_connection: true,
                ..Self::new(format!("the connection to the warehouse was lost: {error}"))
            },
        }
    }
}

/// Says in Redshift's words what PostgreSQL says in its own.
fn from_server(error: &tokio_postgres::error::DbError) -> SqlError {
    use tokio_postgres::error::SqlState as State;
    let code = error.code();
    let message = error.message();
    if *code == State::CARDINALITY_VIOLATION && message.starts_with("MERGE") {
        return SqlError::new("Found multiple matches to update the same tuple")
            .hint("the source of a MERGE needs one row per key: remove duplicates from it first");
    }
    if *code == State::T_R_SERIALIZATION_FAILURE {
        return SqlError::new("1023\n  Detail: Serializable isolation violation on table")
            .hint("two transactions read and wrote the same table at once: run one after the other");
    }
    if *code == State::NOT_NULL_VIOLATION {
        return SqlError::new(format!("Cannot insert a NULL value into column {}", error.column().unwrap_or("?")));
    }
    // The only CHECK constraints are those that we add for the byte length of a VARCHAR.
    if *code == State::STRING_DATA_RIGHT_TRUNCATION || *code == State::CHECK_VIOLATION {
        return SqlError::new("Value too long for character type").hint("VARCHAR(n) counts bytes, not characters");
    }
    if *code == State::GENERATED_ALWAYS {
        return SqlError::new("cannot set an identity column to a value");
    }
    if *code == State::QUERY_CANCELED {
        return SqlError::new("Query cancelled on user's request");
    }
    let answer = SqlError::new(message);
    if *code == State::UNDEFINED_TABLE && message.contains("missing FROM-clause entry") {
        return answer.hint(
            "if this is a path into a SUPER column: the rehearsal does not navigate it; \
             use JSON_EXTRACT_PATH_TEXT(JSON_SERIALIZE(column), 'path')",
        );
    }
    if *code == State::UNDEFINED_COLUMN {
        return answer.hint(
            "if this is an alias from the same SELECT list: the rehearsal does not know lateral aliases; repeat the expression",
        );
    }
    answer
}
