//! Where a database server keeps its data.
//!
//! Usually that is the folder in the project. Where root runs pipectl, the server runs as another user, for whom the
//! project's folder is closed. Rather than with a capability that opens every folder, the server then works in a folder
//! below `/var/lib/pipectl`, and a file in the project's folder holds its name. A folder there whose project no longer
//! names it is removed.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::os_account::Account;
use crate::error::{Error, Result};

const HOMES: &str = "/var/lib/pipectl";
/// In the project's folder: the name of the folder below [`HOMES`].
const NAME: &str = "home";
/// Beside the folder below [`HOMES`]: the path of the project's folder.
const PROJECT: &str = "project";

/// Returns the folder for the data of the server of `directory`. Its parents are open to `account`.
pub fn open(account: &Account, directory: &Path) -> Result<PathBuf> {
    if *account == Account::Same { Ok(directory.to_owned()) } else { open_in(Path::new(HOMES), account, directory) }
}

/// Whether a server has kept data for `directory`, in it or in its home.
pub fn holds_data(directory: &Path) -> bool {
    let named = fs::read_to_string(directory.join(NAME)).unwrap_or_default();
    directory.join("data").is_dir() || is_name(&named) && Path::new(HOMES).join(named).join("data").is_dir()
}

fn open_in(homes: &Path, account: &Account, directory: &Path) -> Result<PathBuf> {
    let unusable = |error: &std::io::Error| {
        Error::new(format!("cannot keep the data of a database server in `{}`", homes.display()))
            .cause(error)
            .note("root runs pipectl, and database servers refuse to run as root")
            .hint("run pipectl as an ordinary user")
    };
    make_homes(homes).map_err(|error| unusable(&error))?;
    remove_abandoned(homes);
    let named = fs::read_to_string(directory.join(NAME)).unwrap_or_default();
    let home = homes.join(&named);
    if is_name(&named) && home.is_dir() {
        return Ok(home);
    }
    let name = pipectl_process::random_hex(16)?;
    fs::write(directory.join(NAME), &name)?;
    let home = homes.join(name);
    fs::write(home.with_extension(PROJECT), directory.as_os_str().as_encoded_bytes())
        .map_err(|error| unusable(&error))?;
    fs::create_dir(&home).map_err(|error| unusable(&error))?;
    // Open to pass through: the server's own folders in it are closed.
    fs::set_permissions(&home, std::fs::Permissions::from_mode(0o711))?;
    move_earlier_data(account, directory, &home)?;
    Ok(home)
}

/// Earlier versions kept the data in the project's folder, for this account too.
fn move_earlier_data(account: &Account, directory: &Path, home: &Path) -> Result<()> {
    let earlier = directory.join("data");
    if !earlier.is_dir() {
        return Ok(());
    }
    std::fs::rename(&earlier, home.join("data")).map_err(|error| {
        Error::new(format!("cannot move the data in `{}` to `{}`", earlier.display(), home.display()))
            .cause(&error)
            .hint("remove the folder `.pipectl` of the project to begin with an empty warehouse and an empty account")
    })?;
    account.own(&home.join("data"))
}

/// Makes the folder that holds all homes: root's, open to pass through and not to list.
fn make_homes(homes: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(homes) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(homes)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(std::io::Error::other(format!("`{}` is not a folder of this user", homes.display())));
    }
    std::fs::set_permissions(homes, std::fs::Permissions::from_mode(0o711))
}

/// Removes the homes that no project names any more.
fn remove_abandoned(homes: &Path) {
    for entry in std::fs::read_dir(homes).into_iter().flatten().flatten() {
        let (back, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Some(name) = name.strip_suffix(&format!(".{PROJECT}")).filter(|name| is_name(name)) else { continue };
        let Ok(project) = std::fs::read(&back) else { continue };
        let Ok(project) = String::from_utf8(project) else { continue };
        let named = std::fs::read_to_string(Path::new(&project).join(NAME));
        if named.is_ok_and(|named| named == name) {
            continue;
        }
        if std::fs::remove_dir_all(homes.join(name)).is_ok() || !homes.join(name).exists() {
            std::fs::remove_file(back).ok();
        }
    }
}

/// Whether a text is a name of ours: what a project's file says must not lead elsewhere.
fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Returns an installation of programs that the account can reach: this one, or else a copy of it.
pub fn reachable_programs(account: &Account, installation: &Path) -> Result<PathBuf> {
    if account.reaches(&installation.join("bin")) {
        return Ok(installation.to_owned());
    }
    let homes = Path::new(HOMES);
    make_homes(homes)?;
    let changed = fs::metadata(installation.join("bin"))?.mtime_nsec();
    let digest = crate::digest::sha256(format!("{} {changed}", installation.display()));
    let copy = homes.join(format!("programs-{}", &digest[..16]));
    if !copy.is_dir() {
        let partial = homes.join(format!("partial-{}", pipectl_process::random_hex(8)?));
        pipectl_process::watchdog::remove_when_killed(&partial);
        copy_open(installation, &partial)?;
        // Another pipectl may have been faster.
        if std::fs::rename(&partial, &copy).is_err() {
            std::fs::remove_dir_all(&partial).ok();
        }
    }
    Ok(copy)
}

/// Copies a folder so that everybody may read it.
fn copy_open(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let from = entry?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        // Through links: they may lead out of the folder.
        let found = fs::metadata(&from)?;
        if found.is_dir() {
            copy_open(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
            fs::set_permissions(
                &to,
                std::fs::Permissions::from_mode(if found.mode() & 0o111 == 0 { 0o644 } else { 0o755 }),
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_kept_as_long_as_its_project() {
        let directory = tempfile::tempdir().unwrap();
        let homes = directory.path().join("homes");
        let project = |name: &str| {
            let folder = directory.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let (one, other) = (project("one"), project("other"));
        fs::create_dir_all(one.join("data/base")).unwrap();
        let open = |directory: &Path| open_in(&homes, &Account::Same, directory).unwrap();
        let home = open(&one);
        assert!(home.join("data/base").is_dir() && !one.join("data").exists(), "earlier data are kept");
        assert_eq!(fs::metadata(&homes).unwrap().mode() & 0o777, 0o711);
        assert_eq!(fs::metadata(&home).unwrap().mode() & 0o777, 0o711);
        assert_eq!(open(&one), home);
        assert_ne!(open(&other), home);
        fs::remove_dir_all(&one).unwrap();
        let kept = open(&other);
        assert!(!home.exists() && kept.is_dir());
        assert_eq!(fs::read_dir(&homes).unwrap().count(), 2);
        // What somebody has written into the project leads nowhere else.
        fs::write(other.join(NAME), "../../../etc").unwrap();
        assert!(open(&other).starts_with(&homes) && !open(&other).to_string_lossy().contains(".."));
    }

    #[test]
    fn programs_are_copied_so_that_everybody_may_run_them() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::write(from.join("bin/postgres"), "code").unwrap();
        fs::set_permissions(from.join("bin/postgres"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink("postgres", from.join("bin/postmaster")).unwrap();
        copy_open(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("bin")).unwrap().mode() & 0o777, 0o755);
        assert_eq!(fs::metadata(to.join("bin/postmaster")).unwrap().mode() & 0o777, 0o755);
    }
}
