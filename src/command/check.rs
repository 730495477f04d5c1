//! `pipectl check`

use crate::check;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;

pub fn run(context: &Context, environment: Option<&str>) -> Result<Exit> {
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
    let count = errors.len();
    Error::all(errors).map_err(|error| if count > 1 { error.summary(format!("{count} errors")) } else { error })?;
    context.ui.line(format_args!("checked {}: no errors", environments.join(", ")));
    for line in advice {
        context.ui.note(line);
    }
    Ok(Exit::Success)
}
