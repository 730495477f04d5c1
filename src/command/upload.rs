//! `pipectl upload`

use std::path::{Path, PathBuf};

use pipectl_contract::names::Zone;
use serde::Serialize;

use crate::account::Account;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::upload::{Checked, Outcome, check_all, store_all, targets};
use crate::output_format::Format;
use crate::quantity::{counted, size, thousands};
use crate::spec::Spec;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A source of the kind `files`
    #[arg(value_name = "SOURCE")]
    source: String,

    /// The files; CSV and JSON lines may be packed with gzip or bzip2
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The table that all of them are for [default: the one that each file is named after, or its folder]
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,

    /// Check the files and upload nothing; needs no account
    #[arg(long)]
    dry_run: bool,

    /// Do not ask, not even about rows that will go to quarantine
    #[arg(long, short = 'y')]
    yes: bool,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    file: Checked,
    bucket: String,
    outcome: Outcome,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let files = read_all(context, &spec, args)?;
    let bucket = spec.bucket(Zone::Raw);
    if args.dry_run {
        return print(context, args, &bucket, files.into_iter().map(|file| (file, Outcome::Checked)).collect());
    }
    confirm(context, &spec, args, &files)?;
    let account = Account::open(&project, &spec).await?;
    let progress = |path: &Path, done, total| context.ui.progress(path.display(), done, total);
    let done = tokio::select! {
        done = store_all(&account.aws.s3, &spec, files, &progress) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::new("interrupted")
            .hint("run it again: what has been uploaded is not uploaded twice")
            .exit(Exit::Interrupted)),
    };
    context.ui.clear();
    account.close().await?;
    print(context, args, &bucket, done?)
}

/// Reads all files and reports all that is wrong with any of them.
fn read_all(context: &Context, spec: &Spec, args: &Args) -> Result<Vec<Checked>> {
    let targets = targets(spec, &args.source, &args.files, args.table.as_deref())?;
    let (files, errors) = check_all(&targets, &|path| context.ui.status(format_args!("checking {}", path.display())));
    context.ui.clear();
    for file in &files {
        let shown = file.path.display();
        for note in &file.findings.notes {
            context.ui.note(note.located(&file.path));
        }
        if file.findings.bad_rows > 0 {
            let rows = thousands(file.findings.bad_rows);
            context.ui.warn(format_args!("{shown}: rows that will go to quarantine: {rows}"));
            for finding in &file.findings.bad {
                context.ui.line(format_args!("  {}", finding.located(&file.path)));
            }
            let more = file.findings.bad_rows - file.findings.bad.len() as u64;
            if more > 0 {
                context.ui.line(format_args!("  and {} more", thousands(more)));
            }
        }
    }
    let count = errors.len();
    Error::all(errors).map_err(|error| match count {
        1 => error.note("nothing was uploaded"),
        _ => error.summary(format!("{count} errors; nothing was uploaded")),
    })?;
    Ok(files)
}

fn confirm(context: &Context, spec: &Spec, args: &Args, files: &[Checked]) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    for file in files {
        let (path, rows) = (file.path.display(), counted(file.rows, "row"));
        context.ui.line(format_args!("{path}: {rows}, {}, for `{}`", size(file.digests.size), file.table));
    }
    let question = format_args!("Upload to `{}`?", spec.environment_name);
    super::confirm(context, question, "nothing was uploaded", "upload")
}

fn print(context: &Context, args: &Args, bucket: &str, files: Vec<(Checked, Outcome)>) -> Result<Exit> {
    let rows: Vec<Row> =
        files.into_iter().map(|(file, outcome)| Row { file, bucket: bucket.to_owned(), outcome }).collect();
    args.format.print(&context.ui, &rows, || rows.iter().map(line).collect())?;
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    if count(Outcome::AlreadyThere) > 0 {
        context.ui.note("the same content counts once, so it was not uploaded again; `pipectl replay` replays it");
    }
    Ok(Exit::Success)
}

fn line(row: &Row) -> String {
    let outcome = match row.outcome {
        Outcome::Checked => "good",
        Outcome::Uploaded => "uploaded",
        Outcome::AlreadyThere => "is already there",
    };
    let (path, rows, size) = (row.file.path.display(), counted(row.file.rows, "row"), size(row.file.digests.size));
    format!("{path}: {outcome}, {rows}, {size}: s3://{}/{}\n", row.bucket, row.file.key)
}
