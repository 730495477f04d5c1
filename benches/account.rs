//! Serves a local account in a separate process until its standard input ends, so that a proxy can run in front of it:
//! `account FOLDER ACCOUNT REGION MILLISECONDS-A-RESOURCE`. Prints the URL and an access key.

#![expect(clippy::print_stdout, reason = "the URL and the key are what it is asked for")]

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use pipectl::local::LocalAccount;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, account, region, pace] = arguments.as_slice() else {
        return Err("usage: account FOLDER ACCOUNT REGION MILLISECONDS-A-RESOURCE".into());
    };
    let account = LocalAccount::open(Path::new(folder), account, region)?;
    account.pace(Duration::from_millis(pace.parse()?));
    let endpoint = account.serve(0).await?;
    println!("{} {}", endpoint.url(), account.access_key("bench"));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    endpoint.stop().await?;
    Ok(())
}
