//! `pipectl init`

use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::{Example, example, write};
use crate::spec::names::is_resource_part;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to [default: that of `--project`, else the current one]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,

    /// The pipeline's name
    #[arg(long, default_value = "shop", value_parser = name)]
    name: String,

    /// What the pipeline begins with
    #[arg(long, value_enum, default_value_t)]
    example: Example,
}

fn name(text: &str) -> std::result::Result<String, String> {
    if is_resource_part(text) {
        Ok(text.to_owned())
    } else {
        Err("use lower-case letters, digits and `-`, and start with a letter: it is part of the name of all that is \
             deployed"
            .to_owned())
    }
}

pub fn run(context: &Context, args: &Args) -> Result<Exit> {
    let folder = args.folder.as_deref().unwrap_or(&context.folder);
    let mut files = example(args.example);
    for (path, text) in &mut files {
        if path == "stacks/pipeline.yaml" {
            *text = text.replacen("name: shop\n", &format!("name: {}\n", args.name), 1);
        }
    }
    let there: Vec<String> =
        files.iter().map(|(path, _)| path.clone()).filter(|path| folder.join(path).exists()).collect();
    if let Some((first, others)) = there.split_first() {
        let mut error = Error::project(format!("`{}` already exists", folder.join(first).display()));
        if !others.is_empty() {
            error = error.note(format!("so are {}", others.join(", ")));
        }
        return Err(error.note("nothing was written").hint("name an empty folder: `pipectl init DIR`"));
    }
    if !folder.join(".gitignore").exists() {
        files.push((".gitignore".to_owned(), "/.pipectl/\n".to_owned()));
    }
    let mut written: Vec<PathBuf> = Vec::new();
    for (path, text) in &files {
        let to = folder.join(path);
        if let Err(error) = write(&to, text.as_bytes()) {
            // All or nothing: the next try would find what this one has left.
            for path in written {
                let _ = fs_err::remove_file(path);
            }
            return Err(error.note("nothing was written").exit(Exit::Failure));
        }
        written.push(to);
    }
    for (path, _) in &files {
        context.ui.data(format_args!("{path}\n"))?;
    }
    let shown = folder.display().to_string();
    let quote = if shown.contains(char::is_whitespace) { "\"" } else { "" };
    let enter = if folder == Path::new(".") { String::new() } else { format!("`cd {quote}{shown}{quote}`, ") };
    let data = match args.example {
        Example::Shopify => "",
        Example::Files => " --data exports=data",
    };
    context.ui.line(format_args!(
        "next: {enter}edit stacks/pipeline.yaml, then `pipectl check` and `pipectl rehearse --env local{data}`"
    ));
    Ok(Exit::Success)
}
