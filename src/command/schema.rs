//! `pipectl schema`

use clap::ValueEnum;

use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::spec::load::{environment_schema, pipeline_schema};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which file's schema
    #[arg(value_enum, default_value_t = File::Pipeline)]
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// `stacks/pipeline.yaml`
    Pipeline,
    /// `stacks/<env>.yaml`
    Environment,
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let schema = match args.file {
        File::Pipeline => pipeline_schema(),
        File::Environment => environment_schema(),
    };
    context.ui.data(format_args!("{schema:#}\n"))?;
    Ok(Exit::Success)
}
