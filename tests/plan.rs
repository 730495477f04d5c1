//! `pipectl plan`: what would change, and nothing left behind.

use std::time::Duration;

use crate::support::Test;
use crate::support::cloud::{Cloud, ENVIRONMENT, printed};
use crate::support::fixtures::Fixtures;

/// The lines of a plan about one stack.
fn stack<'a>(plan: &'a str, name: &str) -> &'a str {
    let start = plan.find(&format!("{name} (new stack)")).or_else(|| plan.find(&format!("{name}\n"))).unwrap();
    plan[start..].split("\n\n").next().unwrap()
}

#[test]
fn the_first_plan_creates_everything_without_changes() {
    let Some(test) = Test::packaged() else { return };
    let output = test.command(&["plan", "--env", "local"]).output().unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(plan.lines().last().unwrap(), @"Plan: 146 to add, 0 to change, 0 to replace, 0 to remove in 10 of 10 stacks.");
    insta::assert_snapshot!(stack(&plan, "shop-local-analytics"), @r#"
    shop-local-analytics (new stack)
      + Workgroup  AWS::Athena::WorkGroup
          Name: "shop-local"
          Description: "Queries on the zones of shop-local"
          State: "ENABLED"
          WorkGroupConfiguration: {"EnforceWorkGroupConfiguration":true,"PublishCloudWatchMetricsEnabled":true,"BytesScannedCutoffPer…
      + CustomersLatestQuery  AWS::Athena::NamedQuery
          Name: "customers, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"email\", \"first_name\", \"last_name\", \"state\", \"country_code\", \"number_of_…
      + OrdersLatestQuery  AWS::Athena::NamedQuery
          Name: "orders, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"name\", \"customer_id\", \"financial_status\", \"fulfillment_status\", \"currency…
      + OrderLinesLatestQuery  AWS::Athena::NamedQuery
          Name: "order_lines, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"order_id\", \"product_id\", \"variant_id\", \"sku\", \"title\", \"quantity\", \"c…
      + RefundsLatestQuery  AWS::Athena::NamedQuery
          Name: "refunds, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"order_id\", \"amount\", \"note\", \"created_at\", \"updated_at\" FROM (SELECT *, …
      + TransactionsLatestQuery  AWS::Athena::NamedQuery
          Name: "transactions, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"order_id\", \"parent_id\", \"kind\", \"status\", \"gateway\", \"amount\", \"is_te…
      + ProductsLatestQuery  AWS::Athena::NamedQuery
          Name: "products, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"handle\", \"title\", \"vendor\", \"product_type\", \"status\", \"total_inventory\…
      + VariantsLatestQuery  AWS::Athena::NamedQuery
          Name: "variants, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"product_id\", \"title\", \"sku\", \"barcode\", \"price\", \"compare_at_price\", \…
      + InventoryItemsLatestQuery  AWS::Athena::NamedQuery
          Name: "inventory_items, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"variant_id\", \"sku\", \"tracked\", \"unit_cost\", \"created_at\", \"updated_at\"…
      + InventoryLevelsLatestQuery  AWS::Athena::NamedQuery
          Name: "inventory_levels, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"inventory_item_id\", \"location_id\", \"available\", \"on_hand\", \"committed\", \"incomi…
      + StoresLatestQuery  AWS::Athena::NamedQuery
          Name: "stores, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"name\", \"opened_at\", \"tax_rate\" FROM (SELECT *, row_number() OVER (PARTITION …
      + SuppliesLatestQuery  AWS::Athena::NamedQuery
          Name: "supplies, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"id\", \"name\", \"cost\", \"perishable\", \"sku\" FROM (SELECT *, row_number() OVER (PART…
      + VisitsLatestQuery  AWS::Athena::NamedQuery
          Name: "visits, the latest rows"
          Description: "One row a key, as the warehouse has it"
          WorkGroup: (known after deploy)
          Database: "shop_local_cleaned"
          QueryString: "SELECT \"store_id\", \"day\", \"visitors\" FROM (SELECT *, row_number() OVER (PARTITION BY \"store…
    "#);
    let stacks = std::fs::read_dir(test.path(".pipectl/local/stacks")).map(Iterator::count).unwrap_or_default();
    assert_eq!(stacks, 0, "a plan leaves no stack behind");
    assert_eq!(test.command(&["plan", "--env", "local", "--exit-code"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn after_a_deploy_only_an_edit_is_a_change() {
    let Some(test) = Test::packaged() else { return };
    assert!(test.run(&["deploy", "--env", "local", "--yes"]).starts_with("exit code: 0"));
    insta::assert_snapshot!(test.run(&["plan", "--env", "local", "--exit-code"]), @"
    exit code: 0
    ----- stdout -----
    No changes. 10 stacks are up to date.
    ----- stderr -----
    ");
    let test = test.edit("stacks/pipeline.yaml", "log_retention_days: 30", "log_retention_days: 60");
    let changed = test.run(&["plan", "--env", "local", "--exit-code"]);
    insta::assert_snapshot!(stack(&changed, "shop-local-ingest"), @"
    shop-local-ingest
      ~ LoadLogs  AWS::Logs::LogGroup
          ~ RetentionInDays: 30 → 60
      ~ ShopLogs  AWS::Logs::LogGroup
          ~ RetentionInDays: 30 → 60
    ");
    assert!(changed.starts_with("exit code: 2"), "{changed}");
    assert!(test.run(&["plan", "--env", "local"]).starts_with("exit code: 0"));
    // A plan is thrown away: no change set stays.
    let stack = std::fs::read_to_string(test.path(".pipectl/local/stacks/shop-local-ingest.json")).unwrap();
    assert!(!stack.contains("changeSet/plan-"), "a change set was left behind");

    let json = test.command(&["plan", "--env", "local", "--format", "json"]).output().unwrap().stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    insta::assert_snapshot!(json["summary"], @r#"{"add":0,"change":4,"replace":0,"remove":0,"changed_stacks":2,"stacks":10}"#);
    let changes: Vec<&serde_json::Value> =
        json["stacks"].as_array().unwrap().iter().filter(|stack| stack["action"] != "none").collect();
    assert!(changes.iter().all(|stack| stack["stack_name"].as_str().unwrap().starts_with("shop-local-")));
    assert_eq!(changes[0]["resources"][0]["properties"][0]["after"], serde_json::json!(60));

    let markdown = test.command(&["plan", "--env", "local", "--format", "markdown"]).output().unwrap().stdout;
    let markdown = String::from_utf8(markdown).unwrap();
    insta::assert_snapshot!(markdown.lines().take(8).collect::<Vec<_>>().join("\n"), @"
    ### Plan for `local`

    Plan: 0 to add, 4 to change, 0 to replace, 0 to remove in 2 of 10 stacks.

    <details><summary><b>shop-local-ingest</b>: 0 to add, 2 to change, 0 to replace, 0 to remove</summary>

    ```diff
    !   LoadLogs  AWS::Logs::LogGroup
    ");
    assert!(markdown.len() < 65_536);
}

#[test]
fn an_interrupted_plan_deletes_its_change_sets() {
    let Some(fixtures) = Fixtures::create() else { return };
    // By Ctrl-C, and by a CI that cancels the job.
    for signal in ["-INT", "-TERM"] {
        // An account for each: calls of an earlier plan may still arrive in the same one.
        let cloud = Cloud::copy_of(fixtures.mixed.path());
        let (before, left) = (cloud.state(), cloud.stale_change_sets());
        cloud.proxy.delay(Duration::from_millis(500));
        let child = cloud.start(&fixtures.after, &["plan", "--env", ENVIRONMENT]);
        while !cloud.calls().iter().any(|call| call.position.operation == "CreateChangeSet") {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let printed = printed(child);
        assert_eq!(printed.code, Some(130), "{}", printed.text);
        assert!(printed.text.contains("error: interrupted: "), "{}", printed.text);
        assert_eq!((cloud.state(), cloud.stale_change_sets()), (before.clone(), left.clone()), "{}", printed.text);
    }
}
