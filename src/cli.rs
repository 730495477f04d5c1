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
    /// The folder of the project (default: the current one, or the nearest above that has `stacks/`)
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
Exit codes: 0 done, or no changes · 1 failed · 2 changes are there (with --exit-code) ·
64 bad usage · 65 the project's files are wrong · 130 interrupted";

/// Which environment.
#[derive(Debug, clap::Args)]
struct Environment {
    /// The environment: NAME for `stacks/NAME.yaml`
    #[arg(long = "env", short = 'e', value_name = "NAME", env = "PIPECTL_ENV")]
    name: String,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a project: stacks, marts and workflows
    Init(command::init::Args),
    /// Check everything that can be checked without AWS
    Check {
        /// The environment (default: each one)
        #[arg(long = "env", short = 'e', value_name = "NAME", env = "PIPECTL_ENV")]
        environment: Option<String>,
    },
    /// Write the CloudFormation templates
    Render {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::render::Args,
    },
    /// Build the Lambda zips and the Glue jobs
    Package {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::package::Args,
    },
    /// Deploy what every other deploy needs: the artifact bucket and the roles (once, as an administrator)
    Bootstrap {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::bootstrap::Args,
    },
    /// Show what `deploy` would change, and change nothing
    Plan {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::plan::Args,
    },
    /// Plan, ask, and deploy
    Deploy {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::deploy::Args,
    },
    /// Show the stacks and their state
    Status {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::status::Args,
    },
    /// Show the outputs of the stacks
    Outputs {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::outputs::Args,
    },
    /// Delete all stacks of an environment
    Destroy {
        #[command(flatten)]
        environment: Environment,
        #[command(flatten)]
        args: command::destroy::Args,
    },
    /// Print the JSON schema of the YAML files, for editors
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
    let ui = Ui::default();
    let context = Context { ui, folder: cli.project, environment: String::new() };
    let mut context = context;
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

fn run(context: &mut Context, verb: Verb) -> Result<Exit> {
    match verb {
        Verb::Init(args) => command::init::run(context, &args),
        Verb::Check { environment } => command::check::run(context, environment.as_deref()),
        Verb::Render { environment, args } => {
            context.environment = environment.name;
            command::render::run(context, &args)
        }
        Verb::Package { environment, args } => {
            context.environment = environment.name;
            command::package::run(context, &args)
        }
        Verb::Bootstrap { environment, args } => {
            context.environment = environment.name;
            wait(command::bootstrap::run(context, &args))
        }
        Verb::Plan { environment, args } => {
            context.environment = environment.name;
            wait(command::plan::run(context, &args))
        }
        Verb::Deploy { environment, args } => {
            context.environment = environment.name;
            wait(command::deploy::run(context, &args))
        }
        Verb::Status { environment, args } => {
            context.environment = environment.name;
            wait(command::status::run(context, &args))
        }
        Verb::Outputs { environment, args } => {
            context.environment = environment.name;
            wait(command::outputs::run(context, &args))
        }
        Verb::Destroy { environment, args } => {
            context.environment = environment.name;
            wait(command::destroy::run(context, &args))
        }
        Verb::Schema(args) => command::schema::run(context, &args),
    }
}

/// Runs a command that talks to AWS.
fn wait(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(command)
}
