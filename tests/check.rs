//! `pipectl check`: bad input of every kind.

use crate::support::Test;

#[test]
fn broken_yaml() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "sources:\n", "sources: [\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
      --> stacks/pipeline.yaml:10:12
       |
    10 |     shopify:
       |            ^
      = hint: fix the YAML here: check indentation, quotes and duplicate keys
    ");
}

#[test]
fn files_that_are_not_pipeline_yaml() {
    let check = |test: Test| test.run(&["check", "--env", "dev"]);
    insta::assert_snapshot!(check(Test::reference().write("stacks/pipeline.yaml", "")), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` is empty
     --> stacks/pipeline.yaml:1:1
      |
    1 | 
      | ^
      = hint: write `name: value`, one key on each line; `pipectl init DIR` writes an example
    ");
    insta::assert_snapshot!(check(Test::reference().write("stacks/pipeline.yaml", "- a\n").write("stacks/dev.yaml", "")), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` must be a mapping, not a list
     --> stacks/pipeline.yaml:1:1
      |
    1 | - a
      | ^
      = hint: write `name: value`, one key on each line; `pipectl init DIR` writes an example

    error: `stacks/dev.yaml` is empty
     --> stacks/dev.yaml:1:1
      |
    1 | 
      | ^
      = hint: write `name: value`, one key on each line; `pipectl init DIR` writes an example

    2 errors
    ");
    insta::assert_snapshot!(check(Test::reference().edit("stacks/pipeline.yaml", "\ntables:", "\n---\ntables:")), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` holds more than one YAML document
      --> stacks/pipeline.yaml:30:1
       |
    30 | tables:
       | ^^^^^^^ the second one
      = hint: keep one of them, without a line `---` between
    ");
    let test = Test::reference();
    let latin = [b"# f\xfcr\n", std::fs::read(test.path("stacks/pipeline.yaml")).unwrap().as_slice()].concat();
    std::fs::write(test.path("stacks/pipeline.yaml"), latin).unwrap();
    insta::assert_snapshot!(check(test), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` is not in UTF-8
     --> stacks/pipeline.yaml:1:4
      |
    1 | # f�r
      |    ^ no character of UTF-8
      = hint: save the file as UTF-8
    ");
    let test = Test::reference();
    for environment in ["dev", "local", "prod"] {
        std::fs::remove_file(test.path(&format!("stacks/{environment}.yaml"))).unwrap();
    }
    insta::assert_snapshot!(test.run(&["check"]), @r#"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: the project has no environment: there is no `stacks/<env>.yaml`
    = hint: write one, such as `stacks/dev.yaml` with `account: "111111111111"` and `region: eu-central-1`
    "#);
}

#[test]
fn a_typo_is_reported_once() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "    columns:\n", "    colums:\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: unknown key `colums` in `tables.customers`
      --> stacks/pipeline.yaml:32:5
       |
    32 |     colums:
       |     ^^^^^^ no such key
      = hint: did you mean `columns`?
    ");
}

#[test]
fn a_mart_that_is_not_a_query() {
    let test = Test::reference().write("sql/marts/daily_revenue.sql", "SELEC id FROM core.orders\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `sql/marts/daily_revenue.sql` does not begin with `SELECT` or `WITH`
     --> sql/marts/daily_revenue.sql:1:1
      |
    1 | SELEC id FROM core.orders
      | ^^^^^ not a query
      = hint: write the `SELECT` alone: pipectl makes the table or view of it
    ");
}

#[test]
fn an_unknown_environment() {
    insta::assert_snapshot!(Test::reference().run(&["check", "--env", "de"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: unknown environment `de`
    = note: `stacks/de.yaml` is missing
    = hint: did you mean `dev`?
    ");
}

#[test]
fn two_tables_with_one_name() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "  orders:\n", "  customers:\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: `stacks/pipeline.yaml` is not valid YAML: duplicate mapping key: customers
      --> stacks/pipeline.yaml:52:3
       |
    52 |   customers:
       |   ^^^^^^^^^^
      = hint: fix the YAML here: check indentation, quotes and duplicate keys
    ");
}

#[test]
fn a_mart_that_reads_an_unknown_table() {
    let test = Test::reference().edit("sql/marts/daily_revenue.sql", "core.orders", "core.order").edit(
        "stacks/pipeline.yaml",
        "sql/marts/top_products.sql",
        "sql/marts/top_product.sql",
    );
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: mart `top_products` refers to a missing file: `sql/marts/top_product.sql`
       --> stacks/pipeline.yaml:231:10
        |
    231 |     sql: sql/marts/top_product.sql
        |          ^^^^^^^^^^^^^^^^^^^^^^^^^ no such file
      = hint: write the file with one `SELECT`, or name another: sql/marts/customer_value.sql, sql/marts/daily_revenue.sql, sql/marts/top_products.sql

    error: unknown table `core.order`
      --> sql/marts/daily_revenue.sql:13:11
       |
    13 | FROM core.order
       |           ^^^^^ no such table or mart
      = hint: did you mean `orders`?

    2 errors
    ");
}

#[test]
fn an_error_of_all_environments_is_reported_once() {
    let test =
        Test::reference().edit("stacks/pipeline.yaml", "    source: shop.customers\n", "    source: shp.customers\n");
    insta::assert_snapshot!(test.run(&["check"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: unknown source `shp`
      --> stacks/pipeline.yaml:31:13
       |
    31 |     source: shp.customers
       |             ^^^^^^^^^^^^^ no source has this name
      = hint: did you mean `shop`?
    ");
}

#[test]
fn errors_of_one_environment_name_it() {
    let test = Test::reference().edit("stacks/dev.yaml", "    shop:\n", "    shop2:\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    checked dev: no errors
    note: stacks/dev.yaml:8: `shop2` is only in this environment, in its sources; if stacks/pipeline.yaml has it no more, take it out here too
    ");
}

#[test]
fn names_that_grow_too_long() {
    let test = Test::reference().edit("stacks/pipeline.yaml", "name: shop\n", "name: a-shop-of-great-fame\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: the bucket name `a-shop-of-great-fame-dev-cleaned-archive-111111111111-eu-central-1` is 66 characters long; S3 allows 63
     --> stacks/pipeline.yaml:4:7
      |
    4 | name: a-shop-of-great-fame
      |       ^^^^^^^^^^^^^^^^^^^^ is part of it
      = hint: shorten `name` or the environment's name by 3 characters
    ");
}

#[test]
fn a_project_template_with_an_unknown_variable() {
    let test = Test::reference().write("templates/analytics.yaml.hbs", "Resources:\n  A: {{pipelin.name}}\n");
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: the template `analytics` uses the unknown variable `pipelin.name`
     --> templates/analytics.yaml.hbs:2:6
      |
    2 |   A: {{pipelin.name}}
      |      ^^^^^^^^^^^^^^^^
      = hint: did you mean `pipeline`?
    ");
}

#[test]
fn manual_steps_are_listed() {
    let outlets = include_str!("environments/outlets.yaml");
    let test = Test::reference().write("stacks/outlets.yaml", outlets);
    insta::assert_snapshot!(test.run(&["check", "--env", "outlets"]), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    checked outlets: no errors
    note: `outlets` has QuickSight: before its first deploy subscribe the account 666666666666 to QuickSight (Enterprise), and let QuickSight read the secret `shop-outlets/warehouse/quicksight`; CloudFormation can do neither
    ");
}
