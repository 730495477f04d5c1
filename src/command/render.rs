//! `pipectl render`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::project::write;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this stack
    stack: Option<String>,

    /// Write `DIR/<stack>.yaml` instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let mut stacks = project.render(&spec)?;
    if let Some(name) = &args.stack {
        let known: Vec<&str> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        if !known.contains(&name.as_str()) {
            return Err(Error::new(format!("unknown stack `{name}`"))
                .hint(did_you_mean(name, known.iter().copied()))
                .exit(Exit::Usage));
        }
        stacks.retain(|stack| stack.name == *name);
    }
    if let Some(folder) = &args.out {
        for stack in &stacks {
            let path = folder.join(format!("{}.yaml", stack.name));
            write(&path, stack.text.as_bytes())?;
            context.ui.data(format_args!("{}\n", path.display()))?;
        }
        return Ok(Exit::Success);
    }
    for stack in &stacks {
        if stacks.len() > 1 {
            context.ui.data(format_args!("--- # {}\n", stack.stack_name))?;
        }
        context.ui.data(&stack.text)?;
    }
    Ok(Exit::Success)
}
