//! `pipectl rehearse`

use std::path::{Path, PathBuf};

use pipectl_contract::names;
use pipectl_contract::names::Zone;

use super::deploy::bring_up_to_date;
use crate::account::Account;
use crate::context::Context;
use crate::deploy::Release;
use crate::error::{Error, Result, did_you_mean};
use crate::exit::Exit;
use crate::files;
use crate::limits;
use crate::package::runner;
use crate::project::Project;
use crate::rehearse::{Data, LocalPipeline, Parts, Report, arrivals, rehearse};
use crate::release::release;
use crate::sample::{OPENED, Sample};
use crate::spec::{Capture, Source, Spec};
use pipectl_emulator::toolchain;
use pipectl_emulator::toolchain::Needs;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data of a source, such as `erp=exports/erp`; repeatable [default: a generated sample]
    ///
    /// A folder with one file, or one folder of files, for each table: `stores.csv`, `visits.jsonl.gz`,
    /// `supplies/march.csv`. For a Shopify source: `orders.jsonl`, … as its bulk operations give them. For a source with
    /// a Lambda of your own: SOURCE alone runs it, SOURCE=DIR uses the files instead. Sources that are not named
    /// take no part.
    #[arg(long, value_name = "SOURCE=DIR")]
    data: Vec<String>,

    /// What the secret of a source holds, from a file; repeatable. It stays in the local account
    #[arg(long, value_name = "SOURCE=FILE")]
    secret: Vec<String>,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// List the permissions that the templates grant and no call has used
    #[arg(long)]
    grants: bool,

    /// Leave the servers up to look around, until Ctrl-C, which then is no failure
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
    let data = data(context, &project, &spec, args)?;
    let secrets = secrets(&spec, &args.secret)?;
    let parts = parts(&project)?;
    let by_watermark = |name: &String| {
        let database = spec.pipeline.sources.get(name).and_then(Source::database);
        database.is_some_and(|(_, database)| database.capture == Capture::Watermark)
    };
    let needs =
        Needs { drivers: data.folders.keys().any(by_watermark), iceberg: spec.pipeline.zones.transformed.iceberg };
    toolchain::check(&parts.python, parts.environment.as_deref(), needs).await?;
    let desired = release(context, &project, &spec)?;
    let account = Account::open(&project, &spec).await?;
    let interrupt = Interrupt::listen()?;
    let exit = in_account(context, args, &spec, &account, desired, &parts, &data, &secrets, interrupt).await;
    context.ui.clear();
    if let Some((local, _)) = &account.local
        && let (count @ 1.., log) = local.refused()
    {
        context.ui.warn(format_args!(
            "requests to the local account from outside of this rehearsal were rejected ({count}); `{}` lists their senders",
            log.display()
        ));
    }
    account.close().await?;
    exit
}

/// Deploys what has changed, then rehearses what is deployed.
#[expect(clippy::too_many_arguments, reason = "each is one thing that `run` has made ready")]
async fn in_account(
    context: &Context,
    args: &Args,
    spec: &Spec,
    account: &Account,
    desired: Release,
    parts: &Parts,
    data: &Data,
    secrets: &[(String, String)],
    mut interrupt: Interrupt,
) -> Result<Exit> {
    let Some((local, endpoint)) = &account.local else { return Err(Error::new("the account is not on this machine")) };
    let endpoint = &endpoint.url();
    let work = async {
        bring_up_to_date(context, account, spec, desired).await?;
        for (name, value) in secrets {
            local.put_secret_value(name, value)?;
        }
        let status = |text: &str| context.ui.status(text);
        status("starting Spark and the warehouse");
        let mut pipeline = LocalPipeline::open(local, endpoint, spec, parts, &data.folders).await?;
        let report = rehearse(&mut pipeline, spec, data, &status).await;
        context.ui.clear();
        match report {
            Ok(report) => Ok((pipeline, report)),
            Err(error) => {
                pipeline.close().await;
                Err(error)
            }
        }
    };
    // What is dropped in its middle ends what it has started.
    let (pipeline, mut report) = tokio::select! {
        done = work => done?,
        () = interrupt.wait() => {
            return Err(Error::new("interrupted")
                .hint("run it again: what is in no ledger is taken up again")
                .exit(Exit::Interrupted));
        }
    };
    report.list_grants = args.grants;
    print(context, args.format, &report)?;
    if args.keep {
        keep(context, &pipeline, endpoint, spec);
        interrupt.wait().await;
        context.ui.line("stopping");
    }
    pipeline.close().await;
    local.replicate()?;
    Ok(if report.failed { Exit::Failure } else { Exit::Success })
}

/// What ends a rehearsal early: Ctrl-C, the end of a CI job, a terminal that is closed.
struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Interrupt {
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let signals =
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
        Ok(Self { signals })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// What is given, else the sample for every source.
fn data(context: &Context, project: &Project, spec: &Spec, args: &Args) -> Result<Data> {
    // With data for one source, only that source is rehearsed.
    if !args.data.is_empty() {
        return arrivals::given(&spec.pipeline, &args.data);
    }
    let (mut data, mut without) = (Data::default(), Vec::new());
    let sample = project.state().join("sample");
    for (name, kind) in &spec.pipeline.sources {
        let folder = match kind {
            Source::Lambda(_) => {
                data.run.insert(name.clone());
                continue;
            }
            // A database is rehearsed with data that is given; the report says so.
            Source::Mysql(_) | Source::Postgresql(_) => {
                without.push((name, false));
                continue;
            }
            Source::Files(_) => "erp",
            Source::Shopify(_) => "shop",
        };
        if !sample.exists() {
            context.ui.status(format_args!("generating a sample of {ORDERS} orders"));
            let what = Sample { orders: ORDERS, seed: 7, since: OPENED, broken_rows: 0 };
            what.write(&sample, false, &mut |_| true)?;
        }
        let folder = sample.join(folder);
        let files = kind.files().is_some();
        if files && arrivals::arrivals(&spec.pipeline, name, &folder, true)?.is_empty() {
            without.push((name, true));
            continue;
        }
        data.generated.push(name.clone());
        data.folders.insert(name.clone(), folder);
    }
    if data.folders.is_empty() && data.run.is_empty() {
        let options: String = without.iter().map(|(name, _)| format!(" --data {name}=DIR")).collect();
        return Err(Error::new(
            "there is nothing to rehearse with: the generated sample has no data for this pipeline",
        )
        .hint(format!("pass your own data: `pipectl rehearse --env {}{options}`", spec.environment_name))
        .exit(Exit::Usage));
    }
    for (name, _) in without.iter().filter(|(_, files)| *files) {
        context.ui.note(format_args!(
            "the source `{name}` takes no part: the generated sample has no data for its tables; to rehearse it too, give \
             data to every source, with `--data SOURCE=DIR`"
        ));
    }
    Ok(data)
}

/// The value of a secret, from a file or a pipe.
fn secret(file: &str) -> std::io::Result<String> {
    let bytes = files::read_given(Path::new(file), limits::SECRET_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
    Ok(text.trim_end().to_owned())
}

/// Reads `--secret SOURCE=FILE`, repeated: the names of the secrets, and what they hold.
fn secrets(spec: &Spec, given: &[String]) -> Result<Vec<(String, String)>> {
    let (mut secrets, mut errors) = (Vec::new(), Vec::new());
    for text in given {
        let misuse = |message: String| Error::new(message).exit(Exit::Usage);
        let Some((source, file)) = text.split_once('=') else {
            errors.push(
                misuse(format!("`--secret {text}` is not SOURCE=FILE"))
                    .hint("such as `--secret weather=weather-secret.json`"),
            );
            continue;
        };
        match spec.pipeline.sources.get(source) {
            Some(kind) if kind.custom().is_some_and(|custom| custom.secret) => match secret(file) {
                Ok(value) => secrets.push((names::source_secret(&spec.prefix(), source), value)),
                Err(error) => errors
                    .push(misuse(format!("`--secret {text}`: {error}")).hint("name a file with the secret's value")),
            },
            Some(_) => errors.push(
                misuse(format!("`--secret {text}`: the source `{source}` has no secret that a rehearsal asks for"))
                    .hint("remove it; a `lambda` source declares one with `secret: true`"),
            ),
            None => {
                let known = spec.pipeline.sources.keys().map(String::as_str);
                errors.push(
                    misuse(format!("`--secret {text}`: there is no source `{source}`"))
                        .hint(did_you_mean(source, known)),
                );
            }
        }
    }
    Error::all(errors)?;
    Ok(secrets)
}

pub(super) fn parts(project: &Project) -> Result<Parts> {
    let own = project.root.join(".venv");
    let (python, environment) =
        match std::env::var_os("PIPECTL_PYTHON").filter(|name| !name.is_empty()).map(PathBuf::from) {
            // It may be the one of a virtual environment that holds PostgreSQL, too.
            Some(python) => {
                let environment = python.ancestors().nth(2).filter(|folder| folder.join("pyvenv.cfg").is_file());
                let environment = environment.map_or(own, Path::to_owned);
                (python, environment)
            }
            None => (own.join("bin/python"), own),
        };
    Ok(Parts {
        python,
        runner: runner(&project.root, &project.state())?,
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

/// Says where everything is, as long as it is up.
fn keep(context: &Context, pipeline: &LocalPipeline, endpoint: &str, spec: &Spec) {
    let line = |text: String| context.ui.line(text);
    line("\nstill running; press Ctrl-C to stop:".to_owned());
    line("\n  the warehouse:".to_owned());
    if let Some(command) = pipeline.warehouse.psql() {
        line(format!("    {command}"));
    }
    line("\n  S3, the Redshift Data API and Secrets Manager, such as:".to_owned());
    line(format!(
        "    AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY=any AWS_REGION={} \\\n      \
         aws s3 ls s3://{}/",
        pipeline.account.access_key("me"),
        pipeline.resources.region,
        spec.bucket(Zone::Raw),
    ));
    for (name, server) in pipeline.databases.all() {
        line(format!("\n  the database of the source `{name}`, {} at {}:", server.engine, server.endpoint()));
        line(format!("    {}", server.client()));
    }
    line("\n  the buckets' objects, as files:".to_owned());
    for (bucket, folder) in &pipeline.buckets {
        line(format!("    {bucket}  {}", folder.display()));
    }
    for (name, shop) in &pipeline.shops {
        line(format!("\n  the stand-in of the shop `{name}`: {}", shop.endpoint()));
    }
}

#[cfg(test)]
mod tests;
