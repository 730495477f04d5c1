//! `pipectl export`

use std::path::PathBuf;

use crate::account::Account;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::operations::export;
use crate::project::{check_writable, misuse, temporary};
use crate::quantity::counted;
use crate::spec::Unload;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The mart
    mart: String,

    /// The file to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// How the rows are written; `parquet` needs `unload: parquet` in the mart
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Csv,
    Parquet,
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (project, spec) = context.spec()?;
    let format = match args.format {
        Format::Csv => Unload::Csv,
        Format::Parquet if args.out.is_none() => {
            return Err(misuse("Parquet is not for a terminal").hint("name a file: `--out FILE`"));
        }
        Format::Parquet => Unload::Parquet,
    };
    // Errors that need no account are reported first.
    export::check(&spec, &args.mart, format)?;
    if let Some(path) = &args.out {
        check_writable(path)?;
    }
    let account = Account::open(&project, &spec).await?;
    #[cfg(feature = "rehearse")]
    let warehouse = match &account.local {
        Some((local, _)) => Some(crate::rehearse::reopen(local, &spec, &super::rehearse::parts(&project)?).await?),
        None => None,
    };
    context.ui.status(format_args!("reading marts.{}", args.mart));
    let mut bytes = tempfile::tempfile()?;
    let exported = match &args.out {
        Some(path) => {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
            let mut file = temporary(folder)?;
            let exported = export::export(&account.aws, &spec, &args.mart, format, &mut file).await;
            // The file is there as a whole or not at all.
            match exported {
                Ok(rows) => file.persist(path).map(|_| rows).map_err(|error| Error::from(error.error)),
                Err(error) => Err(error),
            }
        }
        None => export::export(&account.aws, &spec, &args.mart, format, &mut bytes).await,
    };
    #[cfg(feature = "rehearse")]
    if let Some(warehouse) = warehouse {
        warehouse.stop();
    }
    account.close().await?;
    let rows = exported?;
    context.ui.clear();
    match &args.out {
        Some(path) => {
            let rows = rows.map(|rows| format!("{} of ", counted(rows, "row"))).unwrap_or_default();
            context.ui.line(format_args!("wrote {rows}marts.{} to {}", args.mart, path.display()));
        }
        None => {
            use std::io::{Read, Seek};
            bytes.rewind()?;
            let mut text = String::new();
            bytes.read_to_string(&mut text)?;
            context.ui.data(text)?;
        }
    }
    Ok(Exit::Success)
}
