//! `pipectl outputs`

use std::collections::BTreeMap;

use super::account::Account;
use super::format::Format;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::spec::Map;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the outputs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let stacks = project.render(&spec)?;
    let account = Account::open(&project, &spec).await?;
    let mut outputs: Map<BTreeMap<String, String>> = Map::new();
    for stack in &stacks {
        if let Some(found) = account.aws.cloudformation.stack(&stack.stack_name).await? {
            outputs.insert(stack.name.clone(), found.outputs.into_iter().collect());
        }
    }
    account.close().await?;
    args.format.print(&context.ui, &outputs, || {
        let lines = outputs.iter().flat_map(|(stack, outputs)| {
            outputs.iter().map(move |(name, value)| format!("{stack}.{name} = {value}\n"))
        });
        lines.collect()
    })?;
    Ok(Exit::Success)
}
