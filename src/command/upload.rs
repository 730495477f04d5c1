//! `pipectl upload`

use std::path::PathBuf;

use pipectl_contract::keys;
use pipectl_contract::names::Zone;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::account::Account;
use crate::aws::Kind;
use crate::aws::error::Failure;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::upload::{Checked, Finding, check, targets};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Checked,
    Uploaded,
    /// The same content is there, or has been.
    AlreadyThere,
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
    let done = tokio::select! {
        done = store_all(context, &account, &spec, files) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::new("interrupted")
            .hint("run it again: what has been uploaded is not uploaded twice")
            .exit(Exit::Interrupted)),
    };
    context.ui.clear();
    account.close().await?;
    print(context, args, &bucket, done?)
}

/// Reads all files, and says all that is wrong with any of them.
fn read_all(context: &Context, spec: &Spec, args: &Args) -> Result<Vec<Checked>> {
    let targets = targets(spec, &args.source, &args.files, args.table.as_deref())?;
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for target in &targets {
        context.ui.status(format_args!("checking {}", target.path.display()));
        match check(target) {
            Ok(file) => {
                errors.extend(file.findings.errors.iter().map(|finding| error(&file, finding)));
                files.push(file);
            }
            Err(error) => errors.push(error),
        }
    }
    context.ui.clear();
    for file in &files {
        let shown = file.path.display();
        for note in &file.findings.notes {
            context.ui.note(located(file, note));
        }
        if file.findings.bad_rows > 0 {
            let rows = thousands(file.findings.bad_rows);
            context.ui.warn(format_args!("{shown}: rows that will go to quarantine: {rows}"));
            for finding in &file.findings.bad {
                context.ui.line(format_args!("  {}", located(file, finding)));
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

/// `visits.csv:17: …`.
fn located(file: &Checked, finding: &Finding) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {}", file.path.display(), finding.message)
}

fn error(file: &Checked, finding: &Finding) -> Error {
    let error = Error::project(located(file, finding));
    match &finding.hint {
        Some(hint) => error.hint(hint.clone()),
        None => error,
    }
}

fn confirm(context: &Context, spec: &Spec, args: &Args, files: &[Checked]) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    for file in files {
        let (path, rows) = (file.path.display(), counted(file.rows, "row"));
        context.ui.line(format_args!("{path}: {rows}, {}, for `{}`", size(file.digests.size), file.table));
    }
    match context.ui.confirm(format_args!("Upload to `{}`?", spec.environment_name)) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new("nothing was uploaded")),
        None => Err(Error::new("cannot ask for confirmation here")
            .hint("add `--yes` to upload without confirmation")
            .exit(Exit::Usage)),
    }
}

async fn store_all(
    context: &Context,
    account: &Account,
    spec: &Spec,
    files: Vec<Checked>,
) -> Result<Vec<(Checked, Outcome)>> {
    let s3 = &account.aws.s3;
    let (bucket, archive) = (spec.bucket(Zone::Raw), spec.bucket(Zone::RawArchive));
    let total: u64 = files.iter().map(|file| file.digests.size).sum();
    let (sent, mut arrived) = mpsc::unbounded_channel();
    let mut progress: u64 = 0;
    let mut done = Vec::new();
    for file in files {
        // The archive has what the landing zone has lost again.
        let same = format!("{}.", &file.digests.sha256[..16]);
        let folder = keys::landing_folder(&file.table);
        let mut there = None;
        for bucket in [&bucket, &archive] {
            let found = s3.list(bucket, &folder).await.map_err(|failure| explained(failure, spec))?;
            there = there.or_else(|| found.into_iter().map(|object| object.key).find(|key| key.contains(&same)));
        }
        if let Some(key) = there {
            progress += file.digests.size;
            done.push((Checked { key, ..file }, Outcome::AlreadyThere));
            continue;
        }
        let name = file.path.display().to_string();
        let new = {
            let upload = s3.upload(&bucket, &file.key, &file.path, &file.digests, &sent);
            tokio::pin!(upload);
            loop {
                context.ui.progress(&name, progress, total);
                tokio::select! {
                    new = &mut upload => break new,
                    Some(bytes) = arrived.recv() => progress += bytes,
                }
            }
        };
        while let Ok(bytes) = arrived.try_recv() {
            progress += bytes;
        }
        let new = new.map_err(|failure| {
            let error = explained(failure, spec);
            match done.len() {
                0 => error,
                count => error.note(format!("{count} files were uploaded before it; they are not uploaded again")),
            }
        })?;
        done.push((file, if new { Outcome::Uploaded } else { Outcome::AlreadyThere }));
    }
    Ok(done)
}

/// A failure of S3 with what to do about it.
fn explained(failure: Failure, spec: &Spec) -> Error {
    let (kind, code) = (failure.kind, failure.code.clone());
    let error = Error::from(failure);
    match (kind, code.as_str()) {
        (Kind::NoSuchBucket, _) => {
            error.hint(format!("deploy the pipeline first: pipectl deploy --env {}", spec.environment_name))
        }
        (_, "BadDigest" | "XAmzContentChecksumMismatch" | "InvalidRequest") => {
            error.hint("the file may have changed after it was checked; run it again")
        }
        _ => error,
    }
}

fn print(context: &Context, args: &Args, bucket: &str, files: Vec<(Checked, Outcome)>) -> Result<Exit> {
    let rows: Vec<Row> =
        files.into_iter().map(|(file, outcome)| Row { file, bucket: bucket.to_owned(), outcome }).collect();
    args.format.print(&context.ui, &rows, || rows.iter().map(line).collect())?;
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    if count(Outcome::AlreadyThere) > 0 {
        context.ui.note(
            "the same content counts once, so it was not uploaded again; `pipectl replay` takes it through the pipeline \
             once more",
        );
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
