//! `pipectl outputs`

use std::collections::BTreeMap;

use crate::account::Account;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output_format::Format;
use crate::plan::deployed::Stack;
use crate::plan::mask::SECRET;
use crate::plan::{AccountRegion, Comparison, Known};
use crate::render::RenderedStack;
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
    let account_region = AccountRegion { account: account.aws.account.clone(), region: account.aws.region.clone() };
    let mut outputs: Map<BTreeMap<String, String>> = Map::new();
    for stack in &stacks {
        if let Some(found) = account.aws.cloudformation.stack(&stack.stack_name).await? {
            let shown = shown(stack, found, &account_region)?;
            outputs.insert(stack.name.clone(), shown);
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

/// The outputs of a stack. What a `NoEcho` parameter has brought into one is hidden, although CloudFormation shows it.
fn shown(desired: &RenderedStack, found: Stack, account_region: &AccountRegion) -> Result<BTreeMap<String, String>> {
    let outputs = found.outputs.clone();
    let known = Known::new(found, String::new());
    let comparison = Comparison { desired, known: Some(&known), parameters: &Map::new(), account_region };
    let secret = comparison.secret_outputs()?;
    let shown = |(name, value): (String, String)| {
        let value = if secret.contains(&name) { SECRET.to_owned() } else { value };
        (name, value)
    };
    Ok(outputs.into_iter().map(shown).collect())
}
