//! `pipectl outputs`

use std::collections::BTreeMap;

use super::account::Account;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::spec::Map;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How the outputs are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
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
    let text = match args.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&outputs).map_err(|error| Error::new(error.to_string()))?;
            format!("{text}\n")
        }
        Format::Text => {
            let lines = outputs.iter().flat_map(|(stack, outputs)| {
                outputs.iter().map(move |(name, value)| format!("{stack}.{name} = {value}\n"))
            });
            lines.collect()
        }
    };
    context.ui.data(text)?;
    Ok(Exit::Success)
}
