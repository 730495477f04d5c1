//! The one error type of the Lambdas: what is wrong, why, and what to do about it.

use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A result whose error is for people.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that an operator can act on; it is logged, and returned to Lambda, as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    cause: Option<String>,
    hint: Option<String>,
    unfinished: bool,
}

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None, hint: None, unfinished: false }
    }

    /// Adds what went wrong underneath.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds the edit or the command that helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks that nothing is wrong but the time: another invocation goes on where this one stopped.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Joins the errors of several objects into one; equal ones are said once.
    pub fn all(mut errors: Vec<Error>) -> Option<Error> {
        let mut seen = Vec::new();
        errors.retain(|error| {
            let new = !seen.contains(error);
            seen.push(error.clone());
            new
        });
        match errors.len() {
            0 | 1 => errors.pop(),
            count => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Some(Error::new(format!("{count} errors: {}", texts.join("; "))))
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Says an SDK error in one line: the service's code and message, or the chain of causes when no answer came.
///
/// `SdkError` itself displays as two words, and its debug form as a page.
pub fn aws<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: fmt::Debug,
{
    match error {
        SdkError::ServiceError(context) => {
            let error = context.err();
            let code = error.code().unwrap_or("unknown error");
            match error.message() {
                Some(message) => format!("{code}: {message}"),
                None => code.to_owned(),
            }
        }
        other => chain(other),
    }
}

/// Says an error and all that caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_line() {
        let error = Error::new("cannot read `x`").cause("AccessDenied").hint("grant it");
        assert_eq!(error.to_string(), "cannot read `x`: AccessDenied (hint: grant it)");
    }

    #[test]
    fn equal_errors_are_reported_once() {
        let one = || Error::new("a");
        assert_eq!(Error::all(vec![]), None);
        assert_eq!(Error::all(vec![one(), one()]), Some(one()));
        let both = Error::all(vec![one(), Error::new("b"), one()]).map(|error| error.to_string());
        assert_eq!(both.as_deref(), Some("2 errors: a; b"));
    }
}
