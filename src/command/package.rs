//! `pipectl package`

use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::output_format::Format;
use crate::package::Compile;
use crate::quantity::size;
use crate::release::packaged;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the artifacts are listed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    Error::all(project.crates(&spec))?;
    let package = packaged(context, &project, &spec, Compile::IfChanged)?;
    context.ui.clear();
    args.format.print(&context.ui, &package.artifacts, || {
        package.artifacts.iter().map(|artifact| format!("{:>9}  {}\n", size(artifact.size), artifact.key)).collect()
    })?;
    if !package.rebuilt {
        context.ui.line("nothing has changed since the last build");
    }
    Ok(Exit::Success)
}
