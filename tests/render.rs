//! `pipectl render`: a function of the project's files, and of nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::Test;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn every_stack_gets_a_file() {
    let test = Test::reference();
    insta::assert_snapshot!(test.run(&["render", "--env", "dev", "--out", "out"]), @"
    exit code: 0
    ----- stdout -----
    out/bootstrap.yaml
    out/network.yaml
    out/iam.yaml
    out/storage.yaml
    out/warehouse.yaml
    out/ingest.yaml
    out/glue.yaml
    out/events.yaml
    out/monitoring.yaml
    out/analytics.yaml
    ----- stderr -----
    ");
    let written = files(&test.path("out"));
    assert_eq!(written.len(), 10);
    for (file, text) in &written {
        assert!(text.starts_with(b"AWSTemplateFormatVersion: \"2010-09-09\"\n"), "{file}");
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let (here, there) = (Test::reference(), Test::reference().env("TZ", "Asia/Tokyo").env("LC_ALL", "tr_TR.UTF-8"));
    here.run(&["render", "--env", "prod", "--out", "out"]);
    there.run(&["render", "--env", "prod", "--out", "elsewhere/out"]);
    let first = files(&here.path("out"));
    assert_eq!(first, files(&there.path("elsewhere/out")));
    here.run(&["render", "--env", "prod", "--out", "out"]);
    assert_eq!(first, files(&here.path("out")));
}

#[test]
#[expect(clippy::too_many_lines, reason = "the template is shown as a whole")]
fn one_stack_is_printed() {
    let test = Test::reference();
    let output = test.command(&["render", "--env", "dev", "analytics"]).output().unwrap();
    insta::assert_snapshot!(test.show(&output), @r#"
    exit code: 0
    ----- stdout -----
    AWSTemplateFormatVersion: "2010-09-09"
    Description: "shop-dev: Athena on every zone"
    Resources:
      # What a query's author sets is overruled, and a query that would read more than the limit is stopped before it costs.
      Workgroup:
        Type: AWS::Athena::WorkGroup
        Properties:
          Name: shop-dev
          Description: Queries on the zones of shop-dev
          State: ENABLED
          WorkGroupConfiguration:
            EnforceWorkGroupConfiguration: true
            PublishCloudWatchMetricsEnabled: true
            # 10 GiB, some five cents.
            BytesScannedCutoffPerQuery: 10737418240
            # Athena keeps the results itself, for a day: no bucket to secure and to empty.
            ManagedQueryResultsConfiguration: {Enabled: true}
      # A zone's table has every batch that ever changed a row. These give the rows as they are now: open them in Athena's editor.
      CustomersLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: customers, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"email\", \"first_name\", \"last_name\", \"state\", \"country_code\", \"number_of_orders\", \"amount_spent\", \"tags\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"_position\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"customers\") WHERE \"place\" = 1 AND NOT coalesce(\"_deleted\", false)"
      OrdersLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: orders, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"name\", \"customer_id\", \"financial_status\", \"fulfillment_status\", \"currency\", \"total\", \"current_total\", \"subtotal\", \"tax\", \"shipping\", \"discount\", \"refunded\", \"is_test\", \"source_name\", \"tags\", \"cancelled_at\", \"processed_at\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"_position\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"orders\") WHERE \"place\" = 1 AND NOT coalesce(\"_deleted\", false)"
      OrderLinesLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: order_lines, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"order_id\", \"product_id\", \"variant_id\", \"sku\", \"title\", \"quantity\", \"current_quantity\", \"unit_price\", \"total\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"order_lines\") WHERE \"place\" = 1"
      RefundsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: refunds, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"order_id\", \"amount\", \"note\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"refunds\") WHERE \"place\" = 1"
      TransactionsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: transactions, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"order_id\", \"parent_id\", \"kind\", \"status\", \"gateway\", \"amount\", \"is_test\", \"processed_at\", \"created_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"transactions\") WHERE \"place\" = 1"
      ProductsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: products, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"handle\", \"title\", \"vendor\", \"product_type\", \"status\", \"total_inventory\", \"tags\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"_position\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"products\") WHERE \"place\" = 1 AND NOT coalesce(\"_deleted\", false)"
      VariantsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: variants, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"product_id\", \"title\", \"sku\", \"barcode\", \"price\", \"compare_at_price\", \"inventory_quantity\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"_position\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"variants\") WHERE \"place\" = 1 AND NOT coalesce(\"_deleted\", false)"
      InventoryItemsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: inventory_items, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"variant_id\", \"sku\", \"tracked\", \"unit_cost\", \"created_at\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"inventory_items\") WHERE \"place\" = 1"
      InventoryLevelsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: inventory_levels, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"inventory_item_id\", \"location_id\", \"available\", \"on_hand\", \"committed\", \"incoming\", \"updated_at\" FROM (SELECT *, row_number() OVER (PARTITION BY \"inventory_item_id\", \"location_id\" ORDER BY \"updated_at\" DESC NULLS LAST, \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"inventory_levels\") WHERE \"place\" = 1"
      StoresLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: stores, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"name\", \"opened_at\", \"tax_rate\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\" ORDER BY \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"stores\") WHERE \"place\" = 1"
      SuppliesLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: supplies, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"id\", \"name\", \"cost\", \"perishable\", \"sku\" FROM (SELECT *, row_number() OVER (PARTITION BY \"id\", \"sku\" ORDER BY \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"supplies\") WHERE \"place\" = 1"
      VisitsLatestQuery:
        Type: AWS::Athena::NamedQuery
        Properties:
          Name: visits, the latest rows
          Description: One row a key, as the warehouse has it
          WorkGroup: !Ref Workgroup
          Database: shop_dev_cleaned
          QueryString: "SELECT \"store_id\", \"day\", \"visitors\" FROM (SELECT *, row_number() OVER (PARTITION BY \"store_id\", \"day\" ORDER BY \"$path\" DESC) AS \"place\" FROM \"shop_dev_cleaned\".\"visits\") WHERE \"place\" = 1"
    Outputs:
      WorkgroupName:
        Value: !Ref Workgroup
    ----- stderr -----
    "#);
    test.run(&["render", "--env", "dev", "--out", "out"]);
    assert_eq!(files(&test.path("out"))["analytics.yaml"], output.stdout);
}

#[test]
fn all_stacks_are_printed_as_documents() {
    let test = Test::reference();
    let output = test.command(&["render", "--env", "dev"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let heads: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("--- # ")).collect();
    insta::assert_snapshot!(heads.join("\n"), @"
    shop-dev-bootstrap
    shop-dev-network
    shop-dev-iam
    shop-dev-storage
    shop-dev-warehouse
    shop-dev-ingest
    shop-dev-glue
    shop-dev-events
    shop-dev-monitoring
    shop-dev-analytics
    ");
}

#[test]
fn an_unknown_name_gets_a_hint() {
    let test = Test::reference();
    insta::assert_snapshot!(test.run(&["render", "--env", "dev", "warehouze"]), @"
    exit code: 64
    ----- stdout -----
    ----- stderr -----
    error: unknown stack `warehouze`
    = hint: did you mean `warehouse`?
    ");
    insta::assert_snapshot!(test.run(&["render", "--env", "devv"]), @"
    exit code: 65
    ----- stdout -----
    ----- stderr -----
    error: unknown environment `devv`
    = note: `stacks/devv.yaml` is missing
    = hint: did you mean `dev`?
    ");
}
