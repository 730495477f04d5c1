//! The command line: flags and verbs, no logic.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::command;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::ui::Ui;

/// One YAML file to an e-commerce warehouse on AWS: render, plan, deploy, and rehearse it on a laptop
#[derive(Debug, Parser)]
#[command(name = "pipectl", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// The folder of the project [default: the current one, or the nearest above that has `stacks/`]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PIPECTL_PROJECT",
        default_value = ".",
        hide_default_value = true
    )]
    project: PathBuf,

    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, or no changes · 1 failed · 2 changes are there (with --exit-code), or drift ·
64 bad usage · 65 the project's files or data are wrong · 130 interrupted";

/// A verb that works in one environment.
#[derive(Debug, clap::Args)]
struct In<A: clap::Args> {
    /// The environment: NAME for `stacks/NAME.yaml`
    #[arg(long = "env", short = 'e', value_name = "NAME", env = "PIPECTL_ENV")]
    environment: String,

    #[command(flatten)]
    args: A,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a project: stacks, marts and workflows
    Init(command::init::Args),
    /// Check everything that can be checked without AWS
    Check {
        /// The environment: NAME for `stacks/NAME.yaml` [default: all]
        #[arg(long = "env", short = 'e', value_name = "NAME", env = "PIPECTL_ENV")]
        environment: Option<String>,

        /// How to report what is wrong
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = command::check::Format::Text)]
        format: command::check::Format,
    },
    /// Write the CloudFormation templates
    Render(In<command::render::Args>),
    /// Build the Lambda zips and the Glue jobs
    Package(In<command::package::Args>),
    /// Deploy what every other deploy needs: the artifact bucket and the roles (once, as an administrator)
    Bootstrap(In<command::bootstrap::Args>),
    /// Show what `deploy` would change, and change nothing
    Plan(In<command::plan::Args>),
    /// Plan, ask, and deploy
    Deploy(command::deploy::Args),
    /// Run the pipeline end to end on this machine, from the templates that would be deployed
    #[cfg(feature = "rehearse")]
    Rehearse(In<command::rehearse::Args>),
    /// Check files and put them where the pipeline takes them
    Upload(In<command::upload::Args>),
    /// Show what came in, what became of its rows, and how far it got
    Runs(In<command::runs::Args>),
    /// Take what has arrived through the pipeline once more
    Replay(In<command::replay::Args>),
    /// Load a table again whose load has failed
    Retry(In<command::retry::Args>),
    /// Leave a batch out of the warehouse whose load has failed
    Skip(In<command::skip::Args>),
    /// Read a Shopify source again, everything that has changed since a day
    Backfill(In<command::backfill::Args>),
    /// Show the stacks, what waits on its way into the warehouse, and what waits in dead-letter queues
    Status(In<command::status::Args>),
    /// Send again what failed after all retries: calls of Lambdas, and events that no target took
    Redrive(In<command::redrive::Args>),
    /// Show the outputs of the stacks
    Outputs(In<command::outputs::Args>),
    /// Show what was changed in the account since it was deployed
    Drift(In<command::drift::Args>),
    /// Show what was deployed when, by whom, and how it ended
    History(In<command::history::Args>),
    /// List what nobody needs any more: artifacts without a stack, change sets of killed runs
    Gc(In<command::gc::Args>),
    /// Write the rows of a mart to a file
    Export(In<command::export::Args>),
    /// Delete all stacks of an environment
    Destroy(In<command::destroy::Args>),
    /// Write sample shop data of any size
    #[cfg(feature = "rehearse")]
    Sample(command::sample::Args),
    /// Print a JSON schema: of the YAML files, for editors, or of a plan
    Schema(command::schema::Args),
}

/// Parses, runs, prints the error, and says how it ended.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    let mut context = Context { ui: Ui::default(), folder: cli.project, environment: String::new() };
    match run(&mut context, cli.verb) {
        Ok(exit) => {
            context.ui.clear();
            exit
        }
        Err(error) => {
            context.ui.error(&error);
            error.exit_code()
        }
    }
}

/// Whether a verb writes only what the user shares with others: the files of a project, and templates.
fn writes_shared_files(verb: &Verb) -> bool {
    matches!(verb, Verb::Init(_) | Verb::Check { .. } | Verb::Render(_) | Verb::Schema(_))
}

fn run(context: &mut Context, verb: Verb) -> Result<Exit> {
    if !writes_shared_files(&verb) {
        // Rows, secrets of the local account, and the zips that run with its keys.
        pipectl_process::private::begin();
    }
    match verb {
        Verb::Init(args) => command::init::run(context, &args),
        Verb::Check { environment, format } => command::check::run(context, environment.as_deref(), format),
        Verb::Render(verb) => command::render::run(context.enter(verb.environment), &verb.args),
        Verb::Package(verb) => command::package::run(context.enter(verb.environment), &verb.args),
        Verb::Bootstrap(verb) => wait(command::bootstrap::run(context.enter(verb.environment), &verb.args)),
        Verb::Plan(verb) => wait(command::plan::run(context.enter(verb.environment), &verb.args)),
        Verb::Deploy(args) => wait(command::deploy::run(context, &args)),
        #[cfg(feature = "rehearse")]
        Verb::Rehearse(verb) => wait(command::rehearse::run(context.enter(verb.environment), &verb.args)),
        Verb::Upload(verb) => wait(command::upload::run(context.enter(verb.environment), &verb.args)),
        Verb::Runs(verb) => wait(command::runs::run(context.enter(verb.environment), &verb.args)),
        Verb::Replay(verb) => wait(command::replay::run(context.enter(verb.environment), &verb.args)),
        Verb::Retry(verb) => wait(command::retry::run(context.enter(verb.environment), &verb.args)),
        Verb::Skip(verb) => wait(command::skip::run(context.enter(verb.environment), &verb.args)),
        Verb::Backfill(verb) => wait(command::backfill::run(context.enter(verb.environment), &verb.args)),
        Verb::Status(verb) => wait(command::status::run(context.enter(verb.environment), &verb.args)),
        Verb::Redrive(verb) => wait(command::redrive::run(context.enter(verb.environment), &verb.args)),
        Verb::Outputs(verb) => wait(command::outputs::run(context.enter(verb.environment), &verb.args)),
        Verb::Drift(verb) => wait(command::drift::run(context.enter(verb.environment), &verb.args)),
        Verb::History(verb) => wait(command::history::run(context.enter(verb.environment), &verb.args)),
        Verb::Gc(verb) => wait(command::gc::run(context.enter(verb.environment), &verb.args)),
        Verb::Export(verb) => wait(command::export::run(context.enter(verb.environment), &verb.args)),
        Verb::Destroy(verb) => wait(command::destroy::run(context.enter(verb.environment), &verb.args)),
        #[cfg(feature = "rehearse")]
        Verb::Sample(args) => wait(command::sample::run(context, &args)),
        Verb::Schema(args) => command::schema::run(context, &args),
    }
}

/// Runs a command that talks to AWS.
fn wait(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(command)
}
