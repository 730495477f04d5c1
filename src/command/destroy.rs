//! `pipectl destroy`

use crate::account::Account;
use crate::aws::CloudFormation;
use crate::context::Context;
use crate::deploy::destroy::{destroy, inventory};
use crate::deploy::stop::Stop;
use crate::deploy::{BOOTSTRAP, Release, Scope, Session};
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::plan::Known;
use crate::progress_output::ProgressOutput;
use crate::release::stacks;
use crate::render::{RenderedStack, declared};
use crate::spec::Spec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,

    /// Delete the objects in the buckets too, with all their versions
    #[arg(long)]
    delete_data: bool,

    /// Delete this stack alone, such as one that the project does not have any more
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (ui, stop) = (&context.ui, Stop::on_ctrl_c());
    let mut asked = stop.clone();
    let (project, spec) = context.spec()?;
    let desired = stacks(&project, &spec)?;
    let account = Account::open(&project, &spec).await?;
    let desired = match &args.stack {
        Some(name) => only(&account, &spec, desired, name).await?,
        None => desired,
    };
    let (session, mut steps) = Session::open(account.aws.clone(), &spec, desired, Scope::Pipeline, stop).await?;
    let found = inventory(&session, args.delete_data).await?;
    if found.stacks.is_empty() {
        account.close().await?;
        ui.line(format_args!("Nothing of `{}` is deployed.", spec.environment_name));
        return Ok(Exit::Success);
    }
    if !args.yes {
        ui.line(format_args!("These stacks of `{}` are deleted: {}", spec.environment_name, found.stacks.join(", ")));
        if !found.secrets.is_empty() {
            ui.warn(format_args!("these secrets are deleted with their values: {}", found.secrets.join(", ")));
        }
        if !found.filled.is_empty() {
            ui.warn(format_args!("all objects in these buckets are deleted permanently: {}", found.filled.join(", ")));
        }
        let question = format!("Type `{}` to delete them:", spec.environment_name);
        let answer = ui.ask_until(&question, asked.wait(1)).await;
        if answer.as_deref() != Some(spec.environment_name.as_str()) {
            account.close().await?;
            return match answer {
                Some(_) if asked.requested() => Err(Stop::error("nothing was deleted")),
                Some(_) => Err(Error::new("nothing was deleted")),
                None => Err(Error::new("cannot ask for confirmation here")
                    .hint("add `--yes` to delete without confirmation")
                    .exit(Exit::Usage)),
            };
        }
    }
    let remains = destroy(&session, found, args.delete_data, &mut steps, &mut ProgressOutput::new(ui)).await;
    account.close().await?;
    ui.clear();
    let remains = remains?;
    ui.line(format_args!("Done: {} stacks deleted.", remains.stacks.len()));
    if !remains.retained.is_empty() {
        ui.note("retained by their deletion policy, and in no stack; the next deploy imports them:");
        for resource in &remains.retained {
            ui.line(format_args!("  {}  {}", resource.resource_type, resource.physical_id));
        }
    }
    if !spec.environment.local && args.stack.is_none() {
        ui.note("the bootstrap stack stays: other deploys of this environment need it");
    }
    Ok(Exit::Success)
}

/// One stack as it is deployed, without the others. Fails if it is not there, or if a deployed one still uses it.
async fn only(account: &Account, spec: &Spec, desired: Release, name: &str) -> Result<Release> {
    let cloudformation = &account.aws.cloudformation;
    if name == BOOTSTRAP {
        return Err(Error::new("all other stacks are deployed and deleted by what is in the bootstrap stack")
            .hint("delete the others first, then delete the bootstrap stack in the CloudFormation console")
            .exit(Exit::Usage));
    }
    let stack_name = spec.stack_name(name);
    let Some(known) = deployed(cloudformation, &stack_name).await? else {
        let names = desired.stacks.iter().map(|stack| stack.name.as_str());
        return Err(Error::new(format!("`{stack_name}` is not deployed"))
            .hint(did_you_mean(name, names))
            .hint(format!(
                "`pipectl plan --env {}` lists stacks that the project does not have any more",
                spec.environment_name
            ))
            .exit(Exit::Usage));
    };
    let mut users = Vec::new();
    for other in desired.stacks.iter().filter(|other| other.name != name) {
        let template = deployed(cloudformation, &other.stack_name).await?.and_then(|other| other.template);
        if template.is_some_and(|template| !declared(&template, name).is_empty()) {
            users.push(other.name.as_str());
        }
    }
    if !users.is_empty() {
        return Err(Error::new(format!("`{stack_name}` is still used, as it is deployed, by: {}", users.join(", ")))
            .hint("if the project does not need it any more, run `pipectl deploy` first: the others stop using it"));
    }
    let unreadable = || {
        Error::new(format!("pipectl cannot read the deployed template of `{stack_name}`")).hint(format!(
            "delete it with `aws cloudformation delete-stack --region {} --stack-name {stack_name}`",
            account.aws.region
        ))
    };
    let stack = RenderedStack {
        name: name.to_owned(),
        stack_name: stack_name.clone(),
        template: known.template.ok_or_else(unreadable)?,
        text: known.text,
        inputs: Vec::new(),
        tags: known.stack.tags,
        termination_protection: known.stack.termination_protection,
    };
    Ok(Release { stacks: vec![stack], ..desired })
}

/// A stack with its template; none if it is not there.
async fn deployed(cloudformation: &CloudFormation, name: &str) -> Result<Option<Known>> {
    let Some(stack) = cloudformation.stack(name).await? else { return Ok(None) };
    if stack.status.as_str() == "DELETE_COMPLETE" {
        return Ok(None);
    }
    let text = cloudformation.template(&stack.id).await?;
    Ok(Some(Known::new(stack, text)))
}
