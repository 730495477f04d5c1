//! What is wrong with a template, in our words and in CloudFormation's.

use crate::error::Error;
use crate::yaml::Span;

/// One thing that is wrong with a template.
#[derive(Debug, Clone)]
pub struct Problem {
    pub message: String,
    pub label: String,
    pub hint: String,
    pub span: Span,
    /// What CloudFormation says to the same mistake.
    pub wording: Wording,
}

/// CloudFormation's words for a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wording {
    /// The whole message.
    Message(String),
    /// A name that cannot be resolved: CloudFormation lists all of a block in one message.
    Unresolved { name: String, block: &'static str },
}

impl Problem {
    pub fn new(span: &Span, message: impl Into<String>, wording: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: String::new(),
            hint: String::new(),
            span: span.clone(),
            wording: Wording::Message(wording.into()),
        }
    }

    /// A name that nothing in the template carries.
    pub fn unresolved(span: &Span, name: &str, block: &'static str) -> Self {
        Self {
            message: format!("`{name}` is neither a resource nor a parameter of this template"),
            label: "unknown name".to_owned(),
            hint: String::new(),
            span: span.clone(),
            wording: Wording::Unresolved { name: name.to_owned(), block },
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The problem as an error for people.
    pub fn to_error(&self) -> Error {
        let error = Error::project(&self.message).at(&self.span, &self.label);
        if self.hint.is_empty() { error } else { error.hint(&self.hint) }
    }

    /// What CloudFormation answers to a template with these problems: it stops at the first.
    pub fn wording(problems: &[Self]) -> String {
        let unresolved = |block: &str| {
            let mut names: Vec<&str> = Vec::new();
            for problem in problems {
                if let Wording::Unresolved { name, block: in_block } = &problem.wording
                    && *in_block == block
                    && !names.contains(&name.as_str())
                {
                    names.push(name);
                }
            }
            names.join(", ")
        };
        match problems.first().map(|problem| &problem.wording) {
            None => String::new(),
            Some(Wording::Message(message)) => message.clone(),
            Some(Wording::Unresolved { block, .. }) => format!(
                "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
                unresolved(block)
            ),
        }
    }
}
