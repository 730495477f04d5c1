//! The user whom the server runs as: PostgreSQL refuses root.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Who runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// Whoever runs pipectl.
    Same,
    /// Root runs pipectl: the server runs as an ordinary user. `through` is a `setpriv` that keeps the right to pass
    /// through directories of root's, where the data or the programs lie in such (`/root` is closed to others).
    Other { user: u32, group: u32, through: Option<PathBuf> },
}

impl Account {
    /// Chooses the account. The server must reach `paths`.
    pub fn choose(paths: &[&Path]) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Same);
        }
        let (user, group) = ordinary_user();
        if paths.iter().all(|path| open_to_all(path)) {
            return Ok(Self::Other { user, group, through: None });
        }
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].map(PathBuf::from).into_iter().find(|path| path.is_file());
        match setpriv {
            Some(setpriv) => Ok(Self::Other { user, group, through: Some(setpriv) }),
            None => Err(Error::new("PostgreSQL does not run as root, and no other user can reach this directory")
                .hint("run pipectl as an ordinary user, or move the project out of root's home directory")),
        }
    }

    /// A command that runs the program as this account, in a process group of its own: a Ctrl-C at the terminal
    /// reaches pipectl alone, which then stops the server itself.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Same => Command::new(program),
            Self::Other { user, group, through: None } => {
                let mut command = Command::new(program);
                command.uid(*user).gid(*group);
                command
            }
            Self::Other { user, group, through: Some(setpriv) } => {
                let mut command = Command::new(setpriv);
                let keep = "+dac_override,+dac_read_search";
                command.args([
                    OsString::from(format!("--reuid={user}")),
                    format!("--regid={group}").into(),
                    "--clear-groups".into(),
                    format!("--inh-caps={keep}").into(),
                    format!("--ambient-caps={keep}").into(),
                    "--".into(),
                    program.into(),
                ]);
                command
            }
        };
        command.current_dir("/").process_group(0);
        command
    }

    /// Gives a directory to the account.
    pub fn own(&self, directory: &Path) -> Result<()> {
        if let Self::Other { user, group, .. } = self {
            chown(directory, Some(*user), Some(*group))?;
        }
        Ok(())
    }
}

/// The user `postgres` where there is one, else `nobody`.
fn ordinary_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&name)).then_some(())?;
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        })
    };
    find("postgres").or_else(|| find("nobody")).unwrap_or((65_534, 65_534))
}

/// Whether any user may pass through every directory above the path.
fn open_to_all(path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .filter_map(|directory| directory.metadata().ok())
        .all(|metadata| metadata.mode() & 0o001 != 0)
}
