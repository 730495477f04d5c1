//! The program that holds the Spark session: the project's own, else the built-in one.

use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use crate::error::Result;
use crate::project;

#[derive(RustEmbed)]
#[folder = "glue-src/local"]
#[include = "*.py"]
struct Programs;

const RUNNER: &str = "runner.py";

/// The runner of a project. The built-in one is written into `state`, where Python can read it.
pub fn runner(root: &Path, state: &Path) -> Result<PathBuf> {
    let own = root.join("glue-src/local").join(RUNNER);
    if own.is_file() {
        return Ok(own);
    }
    let folder = state.join("glue-local");
    for path in Programs::iter() {
        let Some(file) = Programs::get(&path) else { continue };
        let to = folder.join(path.as_ref());
        if fs_err::read(&to).ok().as_deref() != Some(&*file.data) {
            project::write(&to, &file.data)?;
        }
    }
    Ok(folder.join(RUNNER))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn a_project_without_a_runner_uses_the_embedded_one() {
        let project = tempfile::tempdir().unwrap();
        let state = project.path().join(".pipectl");
        let path = runner(project.path(), &state).unwrap();
        assert_eq!(path, state.join("glue-local/runner.py"));
        for file in ["local_spark.py", "train.py", "awsglue/utils.py"] {
            assert!(state.join("glue-local").join(file).is_file(), "{file}");
        }
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        let other = state.join("glue-local/train.py");
        fs::write(&other, "of an older version").unwrap();
        runner(project.path(), &state).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_ne!(fs::read_to_string(&other).unwrap(), "of an older version");

        let own = project.path().join("glue-src/local/runner.py");
        project::write(&own, b"").unwrap();
        assert_eq!(runner(project.path(), &state).unwrap(), own);
    }
}
