//! Where PostgreSQL is on this machine.

use std::path::{Path, PathBuf};

use pipectl_process::Purpose;

use super::data_home;
use super::os_account::Account;
use crate::error::{Error, Result};

/// MERGE came with this version.
const OLDEST: u32 = 15;

/// The programs of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub directory: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The same programs where this account can run them.
    pub fn reachable(self, account: &Account) -> Result<Self> {
        let Some(installation) = self.directory.parent() else { return Ok(self) };
        let directory = data_home::reachable_programs(account, installation)?.join("bin");
        Ok(Self { directory, ..self })
    }

    pub fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    pub fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    /// The client that came with the server, or else the one on the search path.
    pub fn psql(&self) -> String {
        let own = self.directory.join("psql");
        if own.is_file() { own.display().to_string() } else { "psql".to_owned() }
    }
}

/// Finds a server: on the search path, where Linux distributions put it, or in the wheel `pgserver` of a virtual
/// environment. Where there is data already, only its own major version (`expected`) can read it.
pub fn find(environment: Option<&Path>, expected: Option<u32>) -> Result<Binaries> {
    let found = installations(environment);
    let fits = |binaries: &&Binaries| expected.map_or(binaries.major >= OLDEST, |expected| binaries.major == expected);
    if let Some(binaries) = found.iter().find(fits) {
        return Ok(binaries.clone());
    }
    let seen: Vec<String> =
        found.iter().map(|binaries| format!("{} in {}", binaries.major, binaries.directory.display())).collect();
    let error = match expected {
        Some(expected) => Error::new(format!("the warehouse's data needs PostgreSQL {expected}, which is not installed"))
            .hint("delete the warehouse's directory to start again, or install that version"),
        None => Error::new(format!("found no PostgreSQL {OLDEST} or later, which stands in for Redshift"))
            .hint("install it: `apt-get install postgresql`, `brew install postgresql@16`, or `.venv/bin/pip install pgserver`"),
    };
    Err(if seen.is_empty() { error } else { error.note(format!("found PostgreSQL {}", seen.join(", "))) })
}

fn installations(environment: Option<&Path>) -> Vec<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut system: Vec<PathBuf> =
        children(Path::new("/usr/lib/postgresql")).map(|version| version.join("bin")).collect();
    system.sort();
    directories.extend(system.into_iter().rev());
    directories.extend(["/opt/homebrew/opt/postgresql@16/bin", "/usr/local/opt/postgresql@16/bin"].map(PathBuf::from));
    let libraries = environment.map(|environment| environment.join("lib"));
    for library in libraries.iter().flat_map(|libraries| children(libraries)) {
        directories.push(library.join("site-packages/pgserver/pginstall/bin"));
    }
    let mut found: Vec<Binaries> = Vec::new();
    for directory in directories {
        if !directory.join("initdb").is_file() {
            continue;
        }
        // Distributions link single programs into /usr/bin; the server needs the files beside the real one.
        let postgres = directory.join("postgres").canonicalize();
        let Some(directory) = postgres.ok().and_then(|postgres| postgres.parent().map(Path::to_owned)) else {
            continue;
        };
        if found.iter().any(|binaries| binaries.directory == directory) {
            continue;
        }
        if let Some(major) = version(&directory.join("postgres")) {
            found.push(Binaries { directory, major });
        }
    }
    found
}

fn children(directory: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15
fn version(postgres: &Path) -> Option<u32> {
    let output = pipectl_process::query(postgres, Purpose::Tool).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.split("(PostgreSQL)").nth(1)?.trim();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
