//! `pipectl check`

use crate::check;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// How to report what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, on the standard error
    Text,
    /// One JSON document on the standard output
    Json,
    /// SARIF 2.1.0 on the standard output, for code scanning
    Sarif,
}

pub fn run(context: &Context, environment: Option<&str>, format: Format) -> Result<Exit> {
    let project = context.project()?;
    let environments = match environment {
        Some(name) => vec![name.to_owned()],
        None => project.environments(),
    };
    if environments.is_empty() {
        return Err(Error::project("the project has no environment: there is no `stacks/<env>.yaml`")
            .hint("write one, such as `stacks/dev.yaml` with `account: \"111111111111\"` and `region: eu-central-1`"));
    }
    let (mut errors, mut advice): (Vec<Error>, Vec<String>) = (Vec::new(), Vec::new());
    for name in &environments {
        let checked = project.spec(name).and_then(|spec| {
            advice.extend(check::advice::of(&spec));
            project.check(&spec)
        });
        if let Err(error) = checked {
            // A mistake in pipeline.yaml is one mistake, however many environments share it.
            errors.extend(error.into_each());
        }
    }
    let mut seen: Vec<String> = Vec::new();
    errors.retain(|error| {
        let text = format!("{} {:?}", error.message(), error.span());
        let new = !seen.contains(&text);
        seen.push(text);
        new
    });
    let report = match format {
        Format::Text => None,
        Format::Json => Some(check::report::json(&errors)),
        Format::Sarif => Some(check::report::sarif(&errors, env!("CARGO_PKG_VERSION"))),
    };
    if let Some(report) = report {
        context.ui.data(format_args!("{report:#}\n"))?;
        return Ok(if errors.is_empty() { Exit::Success } else { Exit::Project });
    }
    let count = errors.len();
    Error::all(errors).map_err(|error| if count > 1 { error.summary(format!("{count} errors")) } else { error })?;
    context.ui.line(format_args!("checked {}: no errors", environments.join(", ")));
    for line in advice {
        context.ui.note(line);
    }
    Ok(Exit::Success)
}
