//! Least privilege: what the templates grant, and no call of a rehearsal has used.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use crate::iam::{Effect, Policies, Statement};

/// What is granted, and how much of it was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// How many actions the statements of roles and resources allow, each statement by itself.
    pub all: usize,
    pub unused: Vec<Unused>,
}

/// An action that a statement allows and no call has used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unused {
    /// The name of the role, or the ARN of the resource whose policy it is.
    pub of: String,
    pub statement: String,
    pub action: String,
    /// The rendered template, and the line in it.
    pub file: String,
    pub line: usize,
}

impl Grants {
    /// How many were used; on demand also which were not.
    pub fn text(&self, list: bool) -> String {
        let used = self.all - self.unused.len();
        let mut text = format!("{used} of {} grants were used\n", self.all);
        if !list {
            if !self.unused.is_empty() {
                text += "--grants lists the others\n";
            }
            return text;
        }
        let mut of = "";
        for unused in &self.unused {
            if of != unused.of {
                of = &unused.of;
                let _ = writeln!(text, "not used: {of}");
            }
            let Unused { statement, action, file, line, .. } = unused;
            let _ = writeln!(text, "  {file}:{line} {statement} {action}");
        }
        text
    }
}

pub(super) fn grants(policies: &Policies, used: &BTreeSet<(String, usize, usize)>) -> Grants {
    let roles = policies.roles.values().map(|role| (role.name.as_str(), role.statements.as_slice()));
    let resources = policies.resources.iter().map(|(arn, owned)| (arn.as_str(), owned.statements.as_slice()));
    let mut grants = Grants::default();
    for (of, statements) in roles.chain(resources) {
        for (index, statement) in statements.iter().enumerate() {
            // What deploys the pipeline does not run in a rehearsal.
            let Some(span) = statement.span_of(&["Action"]).filter(|span| span.file() != "bootstrap.yaml") else {
                continue;
            };
            if statement.effect == Effect::Deny {
                continue;
            }
            for (number, action) in written(statement).enumerate() {
                grants.all += 1;
                if !used.contains(&(of.to_owned(), index, number)) {
                    grants.unused.push(Unused {
                        of: of.to_owned(),
                        statement: statement.sid.clone().unwrap_or_default(),
                        action,
                        file: span.file().to_owned(),
                        line: line_of(statement, number).unwrap_or(span.line()),
                    });
                }
            }
        }
    }
    grants.unused.sort();
    grants
}

/// The actions as they are written; in the evaluated policy they are in lower case.
fn written(statement: &Statement) -> impl Iterator<Item = String> + '_ {
    statement.actions.patterns.iter().enumerate().map(|(number, pattern)| {
        let span = statement.span_of(&["Action", &number.to_string()]);
        let text = span.map(|span| span.text().trim_matches(['"', '\'']).to_owned());
        text.filter(|text| text.to_lowercase() == pattern.text()).unwrap_or_else(|| pattern.text().to_owned())
    })
}

fn line_of(statement: &Statement, number: usize) -> Option<usize> {
    Some(statement.span_of(&["Action", &number.to_string()])?.line())
}
