//! The user of the system whom a database server runs as: PostgreSQL refuses root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use pipectl_process::Purpose;

use crate::error::Result;

/// Who runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The user that runs pipectl.
    Same,
    /// Root runs pipectl: the server runs as an ordinary user without any capability, and owns its data.
    Other { user: u32, group: u32 },
}

impl Account {
    /// Chooses the account.
    pub fn choose() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Same;
        }
        let (user, group) = ordinary_user();
        Self::Other { user, group }
    }

    /// A command that runs the program as this account, in a separate process group: a Ctrl-C at the terminal
    /// reaches pipectl alone, which then stops the server itself.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = pipectl_process::command(program, Purpose::Tool);
        if let Self::Other { user, group } = self {
            // Supplementary groups and capabilities go with the user id.
            command.uid(*user).gid(*group);
        }
        command.current_dir("/").process_group(0);
        command
    }

    /// Gives a directory or a file to the account.
    pub fn own(&self, path: &Path) -> Result<()> {
        if let Self::Other { user, group } = self {
            chown(path, Some(*user), Some(*group))?;
        }
        Ok(())
    }

    /// Makes a folder that only this account may enter.
    pub fn make_folder(&self, path: &Path) -> Result<()> {
        pipectl_process::private::folder(path)?;
        self.own(path)
    }

    /// Whether this account may pass through every directory above the path.
    pub fn reaches(&self, path: &Path) -> bool {
        *self == Self::Same
            || path
                .ancestors()
                .skip(1)
                .filter_map(|directory| directory.metadata().ok())
                .all(|metadata| metadata.mode() & 0o001 != 0)
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
