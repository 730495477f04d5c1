//! `pipectl init`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::{built_in, built_in_files, write};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// The pipeline's name
    #[arg(long, default_value = "shop")]
    name: String,
}

/// What `init` writes: what a user edits. Templates, Lambdas and jobs stay built in.
const STARTS: [&str; 3] = ["stacks/", "sql/", ".github/workflows/"];

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let files: Vec<String> =
        STARTS.iter().flat_map(|start| built_in_files(start)).filter(|path| !path.ends_with(".gitkeep")).collect();
    let there: Vec<&String> = files.iter().filter(|path| args.folder.join(path).exists()).collect();
    if let Some(first) = there.first() {
        return Err(Error::project(format!("`{}` is there already", args.folder.join(first).display()))
            .note("nothing was written")
            .hint("name an empty folder: `pipectl init DIR`"));
    }
    for path in &files {
        let Some(source) = built_in(path) else { continue };
        let text = if path == "stacks/pipeline.yaml" {
            source.text.replacen("name: shop\n", &format!("name: {}\n", args.name), 1)
        } else {
            source.text.clone()
        };
        write(&args.folder.join(path), text.as_bytes())?;
        context.ui.data(format_args!("{path}\n"))?;
    }
    let ignore = args.folder.join(".gitignore");
    if !ignore.exists() {
        write(&ignore, b"/.pipectl/\n")?;
        context.ui.data(".gitignore\n")?;
    }
    context.ui.line("next: edit stacks/pipeline.yaml, then `pipectl check` and `pipectl rehearse --env local`");
    Ok(Exit::Success)
}
