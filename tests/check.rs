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
      = hint: mend the YAML here: look at indentation, quotes and keys that stand twice
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
      = hint: mend the YAML here: look at indentation, quotes and keys that stand twice
    ");
}

#[test]
fn a_mart_that_reads_what_is_not_there() {
    let test = Test::reference().edit("sql/marts/daily_revenue.sql", "core.orders", "core.order").edit(
        "stacks/pipeline.yaml",
        "sql/marts/top_products.sql",
        "sql/marts/top_product.sql",
    );
    insta::assert_snapshot!(test.run(&["check", "--env", "dev"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: mart `top_products` names a file that is not there: `sql/marts/top_product.sql`
       --> stacks/pipeline.yaml:229:10
        |
    229 |     sql: sql/marts/top_product.sql
        |          ^^^^^^^^^^^^^^^^^^^^^^^^^ no such file
      = hint: write the file with one `SELECT`, or name another: sql/marts/customer_value.sql, sql/marts/daily_revenue.sql, sql/marts/top_products.sql

    error: unknown table `core.order`
      --> sql/marts/daily_revenue.sql:12:11
       |
    12 | FROM core.order
       |           ^^^^^ no such table or mart
      = hint: did you mean `orders`?

    2 errors
    ");
}

#[test]
fn a_mistake_that_all_environments_share_is_told_once() {
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
fn a_template_of_ones_own_with_an_unknown_variable() {
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
fn what_must_be_done_by_hand_is_said() {
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
