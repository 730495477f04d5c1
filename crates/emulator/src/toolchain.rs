//! What a rehearsal needs on this machine: a Python with Spark, Java for it, PostgreSQL, and for databases their drivers.
//!
//! Everything that is missing is reported at once, before anything is built or started.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use pipectl_process::Purpose;
use tokio::process::Command;

use crate::error::{Error, Result};

use crate::redshift;

/// The modules that the jobs and their runner import, in the versions that they are tested with.
const MODULES: [(&str, &str); 2] = [("pyspark", "3.5.6"), ("boto3", "1.43.106")];

/// The Java versions that Spark 3.5 runs on. Glue 5 has 17; later than 23 there is no security manager, which Hadoop
/// asks for.
const JAVA: std::ops::RangeInclusive<u32> = 17..=23;

/// The wheel that ships the drivers of MySQL and PostgreSQL: its module and its version.
const DRIVERS: (&str, &str) = ("mkpipe_extractor_postgres", "mkpipe-extractor-postgres==0.1.44");

/// The wheels that bring Iceberg and AWS's SDK for Java, which it calls AWS with.
const ICEBERG: [(&str, &str); 2] = [
    ("snowpark_connect_deps_iceberg", "snowpark-connect-deps-iceberg==1.0.2"),
    ("bodo_iceberg_connector", "bodo-iceberg-connector==2026.10"),
];

/// What a pipeline takes beside Spark.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// A job reads a database.
    pub drivers: bool,
    /// Its tables are Iceberg tables too.
    pub iceberg: bool,
}

/// Prints the modules that are missing.
const LOOK: &str = "import importlib.util, sys
print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])";

/// Checks that everything is there.
pub async fn check(python: &Path, environment: Option<&Path>, needs: Needs) -> Result<()> {
    let (python, java) = tokio::join!(check_python(python, needs), check_java());
    Error::all([python.err(), java.err(), redshift::check(environment).err()].into_iter().flatten())
}

async fn check_python(python: &Path, needs: Needs) -> Result<()> {
    let mut command = Command::from(pipectl_process::query(python, Purpose::Spark));
    command.args(["-c", LOOK]).args(MODULES.map(|(name, _)| name)).stdin(Stdio::null());
    command.args(needs.drivers.then_some(DRIVERS.0));
    command.args(ICEBERG.iter().filter(|_| needs.iceberg).map(|(name, _)| name));
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("the Glue jobs need a Python with Spark, and there is no `{}`", python.display());
            return Err(with_setup(Error::new(message)));
        }
        Err(error) => {
            let message = format!("cannot start the Python of the Glue jobs, `{}`", python.display());
            return Err(with_setup(Error::new(message).cause(&error)));
        }
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let message = format!("the Python of the Glue jobs does not work: `{}`", python.display());
        return Err(with_setup(Error::new(message).note(text)));
    }
    let missing = String::from_utf8_lossy(&output.stdout).into_owned();
    let (drivers, missing): (Vec<&str>, Vec<&str>) = missing.split_whitespace().partition(|name| *name == DRIVERS.0);
    let drivers = drivers.first().map(|_| {
        let python = python.display();
        Error::new(format!("the jobs that read a database need its JDBC driver, and `{python}` has none"))
            .note("Glue has the drivers built in; here a wheel brings them")
            .hint(format!("run `{python} -m pip install --no-deps {}`", DRIVERS.1))
    });
    let (iceberg, missing): (Vec<&str>, Vec<&str>) =
        missing.into_iter().partition(|name| ICEBERG.iter().any(|(known, _)| known == name));
    let iceberg = (!iceberg.is_empty()).then(|| {
        let wheels = ICEBERG.iter().filter(|(name, _)| iceberg.contains(name)).map(|(_, wheel)| *wheel);
        let (python, wheels) = (python.display(), wheels.collect::<Vec<_>>().join(" "));
        Error::new(format!("Iceberg tables need Iceberg and AWS's SDK for Java, and `{python}` has not both"))
            .note("Glue adds them with `--datalake-formats iceberg`; here two wheels bring them")
            .hint(format!("run `{python} -m pip install --no-deps {wheels}`"))
    });
    if missing.is_empty() {
        return Error::all([drivers, iceberg].into_iter().flatten());
    }
    let packages: Vec<String> = MODULES
        .iter()
        .filter(|(name, _)| missing.contains(name))
        .map(|(name, version)| format!("{name}=={version}"))
        .collect();
    let message = format!("the Python of the Glue jobs has no {}: `{}`", missing.join(" and no "), python.display());
    let modules = Error::new(message)
        .hint(format!("run `{} -m pip install {}`", python.display(), packages.join(" ")))
        .hint("or name another interpreter with PIPECTL_PYTHON");
    Error::all([Some(modules), drivers, iceberg].into_iter().flatten())
}

/// Adds how to get a Python with Spark.
pub fn with_setup(error: Error) -> Error {
    let modules = MODULES.map(|(name, version)| format!("{name}=={version}")).join(" ");
    error
        .hint(format!(
            "run `python3.11 -m venv .venv && .venv/bin/pip install {modules}` in the project's folder \
             (any Python from 3.9 to 3.12)"
        ))
        .hint("or name another interpreter with PIPECTL_PYTHON")
}

async fn check_java() -> Result<()> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = home.as_ref().map_or_else(|| PathBuf::from("java"), |home| Path::new(home).join("bin/java"));
    let output = Command::from(pipectl_process::query(&java, Purpose::Spark))
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .await;
    let version = output.as_ref().ok().and_then(|output| java_version(&String::from_utf8_lossy(&output.stderr)));
    let message = match version {
        Some(version) if JAVA.contains(&version) => return Ok(()),
        Some(version) => format!("Spark needs Java {}, and `{}` is Java {version}", JAVA.start(), java.display()),
        None if home.is_some() => {
            format!("Spark needs Java {}, and JAVA_HOME names none: `{}`", JAVA.start(), java.display())
        }
        None => format!("Spark needs Java {}, and there is none", JAVA.start()),
    };
    Err(Error::new(message)
        .hint("install it: `apt install openjdk-17-jre-headless` (Debian, Ubuntu), `brew install openjdk@17` (macOS)")
        .hint("or name its folder with JAVA_HOME"))
}

/// `openjdk version "17.0.20" 2026-07-21` → 17; `java version "1.8.0_392"` → 8
fn java_version(text: &str) -> Option<u32> {
    let mut numbers = text.split("version \"").nth(1)?.split(['.', '-', '"', '+']);
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        version => Some(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_java() {
        for (text, expected) in [
            ("openjdk version \"17.0.20\" 2026-07-21\nOpenJDK Runtime Environment", Some(17)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("The operation couldn’t be completed. Unable to locate a Java Runtime.", None),
        ] {
            assert_eq!(java_version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_versions_are_those_that_the_jobs_are_tested_with() {
        let all = include_str!("../../../requirements.lock");
        for (_, wheel) in [DRIVERS].iter().chain(&ICEBERG) {
            assert!(all.lines().any(|line| line == *wheel), "{wheel}");
        }
        let locked = include_str!("../../../glue-src/requirements.txt");
        for (name, version) in MODULES {
            assert!(locked.lines().any(|line| line == format!("{name}=={version}")), "{name}");
        }
    }

    #[tokio::test]
    async fn missing_tools_are_reported_with_a_hint() {
        insta::assert_snapshot!(check_python(Path::new("/nowhere/bin/python"), Needs::default()).await.unwrap_err(), @"
        error: the Glue jobs need a Python with Spark, and there is no `/nowhere/bin/python`
        = hint: run `python3.11 -m venv .venv && .venv/bin/pip install pyspark==3.5.6 boto3==1.43.106` in the project's folder (any Python from 3.9 to 3.12)
        = hint: or name another interpreter with PIPECTL_PYTHON
        ");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("python");
        let reported = async |script: &str| {
            fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs_err::set_permissions(&path, mode).unwrap();
            let error = check_python(&path, Needs { drivers: true, iceberg: true }).await.unwrap_err().to_string();
            error.replace(&directory.path().display().to_string(), "BIN")
        };
        insta::assert_snapshot!(reported("echo boto3").await, @"
        error: the Python of the Glue jobs has no boto3: `BIN/python`
        = hint: run `BIN/python -m pip install boto3==1.43.106`
        = hint: or name another interpreter with PIPECTL_PYTHON
        ");
        insta::assert_snapshot!(reported("echo pyspark boto3").await, @"
        error: the Python of the Glue jobs has no pyspark and no boto3: `BIN/python`
        = hint: run `BIN/python -m pip install pyspark==3.5.6 boto3==1.43.106`
        = hint: or name another interpreter with PIPECTL_PYTHON
        ");
        insta::assert_snapshot!(reported("echo boto3 mkpipe_extractor_postgres").await, @"
        error: the Python of the Glue jobs has no boto3: `BIN/python`
        = hint: run `BIN/python -m pip install boto3==1.43.106`
        = hint: or name another interpreter with PIPECTL_PYTHON

        error: the jobs that read a database need its JDBC driver, and `BIN/python` has none
        = note: Glue has the drivers built in; here a wheel brings them
        = hint: run `BIN/python -m pip install --no-deps mkpipe-extractor-postgres==0.1.44`
        ");
        insta::assert_snapshot!(reported("echo mkpipe_extractor_postgres").await, @"
        error: the jobs that read a database need its JDBC driver, and `BIN/python` has none
        = note: Glue has the drivers built in; here a wheel brings them
        = hint: run `BIN/python -m pip install --no-deps mkpipe-extractor-postgres==0.1.44`
        ");
        insta::assert_snapshot!(reported("echo bodo_iceberg_connector").await, @"
        error: Iceberg tables need Iceberg and AWS's SDK for Java, and `BIN/python` has not both
        = note: Glue adds them with `--datalake-formats iceberg`; here two wheels bring them
        = hint: run `BIN/python -m pip install --no-deps bodo-iceberg-connector==2026.10`
        ");
        insta::assert_snapshot!(reported("echo 'No module named encodings' >&2; exit 1").await, @"
        error: the Python of the Glue jobs does not work: `BIN/python`
        = note: No module named encodings
        = hint: run `python3.11 -m venv .venv && .venv/bin/pip install pyspark==3.5.6 boto3==1.43.106` in the project's folder (any Python from 3.9 to 3.12)
        = hint: or name another interpreter with PIPECTL_PYTHON
        ");
    }
}
