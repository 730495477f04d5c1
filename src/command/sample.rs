//! `pipectl sample`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use time::Date;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::rehearse::report::{size, thousands};
use crate::sample::{OPENED, Sample};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of orders
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    orders: u64,

    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 7, value_name = "S")]
    seed: u64,

    /// The folder to write to; it must be new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The day on which the shop opened [default: 2022-01-01]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    since: Option<Date>,

    /// Make this many of the orders wrong, on purpose
    #[arg(long, default_value_t = 0, value_name = "N")]
    broken_rows: u64,

    /// Replace an earlier sample
    #[arg(long)]
    force: bool,
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"))
        .map_err(|_| "a day looks like 2024-01-31".to_owned())
}

pub async fn run(context: &Context, args: &Args) -> Result<Exit> {
    let sample = Sample {
        orders: args.orders,
        seed: args.seed,
        since: args.since.unwrap_or(OPENED),
        broken_rows: args.broken_rows,
    };
    let (out, force) = (args.out.clone(), args.force);
    let (stop, orders) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&orders));
    let mut work = tokio::task::spawn_blocking(move || {
        sample.write(&out, force, &mut |orders| {
            counted.store(orders, Ordering::Relaxed);
            !stopped.load(Ordering::Relaxed)
        })
    });
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let written = loop {
        tokio::select! {
            written = &mut work => break written.map_err(|error| Error::new(error.to_string()))??,
            // The writer stops at the next chance, and takes away what it has written.
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
            _ = ticks.tick() => context.ui.status(format_args!("{} orders", thousands(orders.load(Ordering::Relaxed)))),
        }
    };
    context.ui.clear();
    for (file, rows) in &written.files {
        context.ui.data(format_args!("{:>11} rows  {}\n", thousands(*rows), args.out.join(file).display()))?;
    }
    context.ui.line(format_args!("{} written", size(written.bytes)));
    Ok(Exit::Success)
}
