//! `pipectl schema`

use clap::ValueEnum;

use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::plan::Plan;
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
    /// What `plan --format json` prints
    Plan,
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let schema = match args.file {
        File::Pipeline => pipeline_schema(),
        File::Environment => environment_schema(),
        File::Plan => &Plan::schema(),
    };
    context.ui.data(format_args!("{schema:#}\n"))?;
    Ok(Exit::Success)
}
