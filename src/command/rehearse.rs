//! `pipectl rehearse`

use std::path::PathBuf;

use super::account::Account;
use super::deploy::bring_up_to_date;
use super::wanted::wanted;
use crate::context::Context;
use crate::deploy::Wanted;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::rehearse::{Data, Parts, Place, Report, rehearse, source};
use crate::sample::{OPENED, Sample};
use crate::spec::{Source, Spec};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data of a source, such as `erp=exports/erp`; repeatable [default: a generated sample]
    #[arg(long, value_name = "SOURCE=DIR")]
    data: Vec<String>,

    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Leave the servers up to look around, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// How many orders the generated sample has.
const ORDERS: u64 = 1_000;

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    if !spec.environment.local {
        return Err(Error::new(format!("`{}` is not a local environment", spec.environment_name))
            .hint("rehearse in one with `local: true`, such as `--env local`")
            .exit(Exit::Usage));
    }
    let wanted = wanted(context, &project, &spec)?;
    let account = Account::open(&project, &spec).await?;
    let exit = tokio::select! {
        exit = in_account(context, args, &project, &spec, &account, wanted) => exit,
        _ = tokio::signal::ctrl_c() => Err(Error::new("interrupted")
            .hint("run it again: what is in no ledger is taken up again")
            .exit(Exit::Interrupted)),
    };
    context.ui.clear();
    account.close().await?;
    exit
}

/// Deploys what has changed, then rehearses what is deployed.
async fn in_account(
    context: &Context,
    args: &Args,
    project: &Project,
    spec: &Spec,
    account: &Account,
    wanted: Wanted,
) -> Result<Exit> {
    let Some((local, endpoint)) = &account.local else { return Err(Error::new("the account is not on this machine")) };
    let endpoint = &endpoint.url();
    let data = data(context, project, spec, args)?;
    bring_up_to_date(context, account, spec, wanted).await?;
    let status = |text: &str| context.ui.status(text);
    status("starting Spark and the warehouse");
    let mut place = Place::open(local, endpoint, spec, &parts(project)?, &data.folders).await?;
    let report = rehearse(&mut place, spec, &data, &status).await;
    context.ui.clear();
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            place.close().await;
            return Err(error);
        }
    };
    print(context, args.format, &report)?;
    if args.keep {
        keep(context, &place, endpoint, spec).await?;
    }
    place.close().await;
    local.replicate()?;
    Ok(if report.failed { Exit::Failure } else { Exit::Success })
}

/// The folders of all sources; those that are not given get the sample.
fn data(context: &Context, project: &Project, spec: &Spec, args: &Args) -> Result<Data> {
    let mut folders = source::folders(&spec.pipeline, &args.data)?;
    let mut generated = Vec::new();
    let sample = project.state().join("sample");
    for (name, kind) in &spec.pipeline.sources {
        // Whoever gives data for one source rehearses that one.
        if !args.data.is_empty() {
            break;
        }
        if !sample.exists() {
            context.ui.status(format_args!("generating a sample of {ORDERS} orders"));
            let what = Sample { orders: ORDERS, seed: 7, since: OPENED, broken_rows: 0 };
            what.write(&sample, false, &mut |_| true)?;
        }
        generated.push(name.clone());
        let part = if matches!(kind, Source::Shopify(_)) { "shop" } else { "erp" };
        folders.insert(name.clone(), sample.join(part));
    }
    Ok(Data { folders, generated })
}

fn parts(project: &Project) -> Result<Parts> {
    let environment = project.root.join(".venv");
    let runner = project.root.join("glue-src/local/runner.py");
    if !runner.is_file() {
        return Err(Error::project(format!("there is no `{}`", runner.display()))
            .hint("the rehearsal runs the Glue jobs with it: `pipectl eject glue-src` writes it"));
    }
    Ok(Parts {
        python: std::env::var_os("PIPECTL_PYTHON").map_or_else(|| environment.join("bin/python"), PathBuf::from),
        runner,
        environment: Some(environment),
        cache: project.state().join("spark"),
        state: project.state(),
    })
}

fn print(context: &Context, format: Format, report: &Report) -> Result<()> {
    match format {
        Format::Text => context.ui.data(report.text(context.ui.colour())),
        Format::Json => {
            let text =
                serde_json::to_string_pretty(report).map_err(|error| Error::new("cannot print").cause(&error))?;
            context.ui.data(format_args!("{text}\n"))
        }
    }
}

/// Leaves everything up until Ctrl-C.
async fn keep(context: &Context, place: &Place, endpoint: &str, spec: &Spec) -> Result<()> {
    context.ui.line("\nstill up, until Ctrl-C:");
    context.ui.line(format_args!("  AWS (S3, Redshift Data API, Secrets Manager)  AWS_ENDPOINT_URL={endpoint}"));
    context
        .ui
        .line(format_args!("  the warehouse's database                      {}", spec.pipeline.warehouse.database));
    for (name, shop) in &place.shops {
        context.ui.line(format_args!("  the stand-in of the source `{name}`: {}", shop.endpoint()));
    }
    for (bucket, folder) in &place.buckets {
        context.ui.line(format_args!("  s3://{bucket} is {}", folder.display()));
    }
    Ok(tokio::signal::ctrl_c().await?)
}
