//! What a child process inherits of pipectl's environment.
//!
//! A shell and a CI job hold secrets in variables: AWS keys, `GITHUB_TOKEN`, `DATABASE_URL`. No list of such names is
//! complete, so each child gets only the variables that are named here.

use std::ffi::OsString;

/// What a process is started for; it decides which variables are inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A database server, its client, git.
    Tool,
    /// Python with Spark, and the Java that it starts.
    Spark,
    /// A Lambda: nothing is inherited, the caller gives what Lambda gives.
    Lambda,
    /// A build with cargo: it may need a proxy, a certificate, another registry or compiler.
    Build,
}

/// What every program may need: to find others, its user's files, a temporary folder and a language.
const ALWAYS: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LD_LIBRARY_PATH",
    "SystemRoot",
];

const SPARK: [&str; 1] = ["JAVA_HOME"];

const BUILD: [&str; 24] = [
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "CARGO_INCREMENTAL",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "CC",
    "CXX",
    "AR",
    "CFLAGS",
    "PKG_CONFIG_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SDKROOT",
    "MACOSX_DEPLOYMENT_TARGET",
    "DEVELOPER_DIR",
];

/// Families of variables for builds, as a prefix and a suffix. A registry's token has neither of these suffixes.
const BUILD_FAMILIES: [(&str, &str); 8] = [
    ("CARGO_NET_", ""),
    ("CARGO_HTTP_", ""),
    ("CARGO_REGISTRIES_", "_INDEX"),
    ("CARGO_REGISTRIES_", "_PROTOCOL"),
    ("CARGO_SOURCE_", "_REPLACE_WITH"),
    ("CARGO_SOURCE_", "_REGISTRY"),
    ("CARGO_TARGET_", "_LINKER"),
    ("CC_", ""),
];

/// What the tests shift the clock with (`scripts/test-clock.sh`): children must have the same clock. Only debug builds
/// pass it on.
const SHIFTED_CLOCK: [&str; 5] =
    ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKE_UTIME", "PIPECTL_TEST_SHIFT"];

/// The variables of this process that a child with this purpose inherits.
pub fn inherited(purpose: Purpose) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(|name| inherits(purpose, name)))
}

fn shifts_clock(name: &str) -> bool {
    cfg!(debug_assertions) && SHIFTED_CLOCK.contains(&name)
}

fn inherits(purpose: Purpose, name: &str) -> bool {
    let family = |(start, end): &(&str, &str)| name.starts_with(start) && name.ends_with(end);
    let special = match purpose {
        Purpose::Tool => false,
        Purpose::Lambda => return shifts_clock(name),
        Purpose::Spark => SPARK.contains(&name),
        Purpose::Build => BUILD.contains(&name) || BUILD_FAMILIES.iter().any(family),
    };
    // Compilers deadlock under libfaketime, and need no date.
    ALWAYS.contains(&name) || special || (purpose != Purpose::Build && shifts_clock(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_purpose_inherits_secrets() {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "DATABASE_URL",
            "PGPASSWORD",
            "MYSQL_PWD",
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_COMPANY_TOKEN",
            "SSH_AUTH_SOCK",
            "JAVA_TOOL_OPTIONS",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "SPARK_HOME",
            "GIT_DIR",
            "GIT_CONFIG_GLOBAL",
        ] {
            for purpose in [Purpose::Tool, Purpose::Spark, Purpose::Build, Purpose::Lambda] {
                assert!(!inherits(purpose, name), "{name} for {purpose:?}");
            }
        }
    }

    #[test]
    fn each_purpose_inherits_what_it_needs() {
        for (purpose, name, expected) in [
            (Purpose::Tool, "PATH", true),
            (Purpose::Tool, "JAVA_HOME", false),
            (Purpose::Lambda, "PATH", false),
            (Purpose::Spark, "JAVA_HOME", true),
            (Purpose::Spark, "HTTPS_PROXY", false),
            (Purpose::Build, "HTTPS_PROXY", true),
            (Purpose::Build, "CARGO_REGISTRIES_COMPANY_INDEX", true),
            (Purpose::Build, "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", true),
            (Purpose::Build, "CARGO_TARGET_DIR", false),
        ] {
            assert_eq!(inherits(purpose, name), expected, "{name} for {purpose:?}");
        }
    }
}
