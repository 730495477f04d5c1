//! The command line itself.

use crate::support::{Test, root};

#[test]
fn a_newcomer_starts_with_init() {
    let test = Test::empty();
    insta::assert_snapshot!(test.run(&["init", "my-shop", "--name", "tea"]));
    assert!(std::fs::read_to_string(test.path("my-shop/stacks/pipeline.yaml")).unwrap().contains("\nname: tea\n"));
    insta::assert_snapshot!(test.run(&["init", "my-shop"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `my-shop/stacks/dev.yaml` already exists
    = note: so are stacks/local.yaml, stacks/pipeline.yaml, stacks/prod.yaml, sql/marts/customer_value.sql, sql/marts/daily_revenue.sql, sql/marts/top_products.sql, .github/workflows/deploy.yml, .github/workflows/plan.yml
    = note: nothing was written
    = hint: name an empty folder: `pipectl init DIR`
    ");
    insta::assert_snapshot!(test.run(&["check", "--project", "my-shop"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    checked dev, local, prod: no errors
    ");
}

/// This repository is a project too, and has the workflows that `init` writes.
#[test]
fn the_workflows_of_init_are_those_of_this_repository() {
    let test = Test::empty();
    assert!(test.run(&["init", "."]).starts_with("exit code: 0"));
    for name in ["plan.yml", "deploy.yml"] {
        let own = root().join(".github/workflows").join(name);
        let written = std::fs::read_to_string(test.path(".github/workflows").join(name)).unwrap();
        if std::env::var_os("PIPECTL_UPDATE").is_some() {
            std::fs::write(&own, &written).unwrap();
        }
        let same = std::fs::read_to_string(&own).unwrap() == written;
        assert!(same, "{name}: edit templates/github/{name}, then run this test with PIPECTL_UPDATE=1");
    }
}

#[test]
fn a_newcomer_without_a_shop_begins_with_files() {
    let test = Test::empty();
    insta::assert_snapshot!(test.run(&["init", ".", "--example", "files", "--name", "tea"]), @"
    exit code: 0
    ----- stdout -----
    data/customers.csv
    data/orders.csv
    sql/marts/monthly_sales.sql
    stacks/dev.yaml
    stacks/local.yaml
    stacks/pipeline.yaml
    stacks/prod.yaml
    .github/workflows/deploy.yml
    .github/workflows/plan.yml
    .gitignore
    ----- stderr -----
    next: edit stacks/pipeline.yaml, then `pipectl check` and `pipectl rehearse --env local --data exports=data`
    ");
    insta::assert_snapshot!(test.run(&["check"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    checked dev, local, prod: no errors
    ");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As an editor writes it: readable for everyone who can read its folder.
        std::fs::write(test.path("own.txt"), "").unwrap();
        let mode = |file: &str| std::fs::metadata(test.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("stacks/pipeline.yaml"), mode("own.txt"));
    }
    insta::assert_snapshot!(test.run(&["init", "other", "--name", "Tea Shop"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'Tea Shop' for '--name <NAME>': use lower-case letters, digits and `-`, and start with a letter: it is part of the name of all that is deployed

    For more information, try '--help'.
    ");
    assert!(!test.path("other").exists());
}

/// Ctrl-C on a terminal ends cargo, too: that is no fault of the Lambdas.
#[cfg(unix)]
#[test]
fn an_interrupted_build_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let test = Test::reference().write("bin/cargo", "#!/bin/sh\necho '   Compiling load' >&2\nkill -INT $$\n");
    std::fs::set_permissions(test.path("bin/cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    let test = test.env("PATH", &path);
    insta::assert_snapshot!(test.run(&["package", "--env", "local"]), @"
    exit code: 130
    ----- stdout -----
    ----- stderr -----
    compiling the Lambdas; the first time takes some minutes
    error: interrupted
    = hint: run it again: what is compiled already is not compiled again
    ");
}

#[test]
fn export_arguments_are_checked_first() {
    let test = Test::reference();
    insta::assert_snapshot!(test.run(&["export", "daily_revenu", "--env", "local"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: unknown mart `daily_revenu`
    = hint: did you mean `daily_revenue`?
    ");
    insta::assert_snapshot!(test.run(&["export", "daily_revenue", "--env", "local", "--format", "parquet", "--out", "r"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: the mart `daily_revenue` is not written as Parquet
    = hint: add `unload: parquet` to it and deploy; or take `--format csv`
    ");
    assert!(!test.path(".pipectl").exists() && !test.path("r").exists());
}

#[test]
fn usage_errors_have_their_own_exit_code() {
    let test = Test::empty();
    insta::assert_snapshot!(test.run(&["rendr"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: unrecognized subcommand 'rendr'

      tip: some similar subcommands exist: 'retry', 'redrive', 'render'

    Usage: pipectl [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(test.run(&["check"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: no `stacks/pipeline.yaml` in `[PROJECT]` or above
    = hint: run `pipectl init` to write a project here, or name its folder with `--project DIR`
    ");
}

#[test]
fn the_project_and_the_environment_may_come_from_variables() {
    let test = Test::reference().env("PIPECTL_PROJECT", "stacks").env("PIPECTL_ENV", "dev");
    insta::assert_snapshot!(test.run(&["check"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    checked dev: no errors
    ");
}

#[test]
fn the_schemas_are_the_committed_ones() {
    let test = Test::empty();
    for (file, path) in [
        ("pipeline", "docs/pipeline.schema.json"),
        ("environment", "docs/environment.schema.json"),
        ("plan", "docs/plan.schema.json"),
    ] {
        let output = test.command(&["schema", file]).output().unwrap();
        let path = crate::support::root().join(path);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("PIPECTL_UPDATE").is_some() {
            std::fs::write(&path, &output.stdout).unwrap();
        } else {
            assert_eq!(String::from_utf8(output.stdout).unwrap(), committed, "run the tests with PIPECTL_UPDATE=1");
        }
    }
}
