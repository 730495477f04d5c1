//! Iceberg tables, by Glue's own catalog of Iceberg against the local account: every call and every object on the wire.

use std::path::Path;

use serde_json::Value;

use crate::rehearse::{count, project, report};
use crate::support::{self, Test, root};

/// What the job needs to commit.
const COMMIT: &str = r#", "glue:UpdateTable"]"#;

const TABLES: [&str; 2] = ["stores", "visits"];

/// Whether Iceberg's jars are installed.
fn has_iceberg(test: &Test) -> bool {
    let look = "import importlib.util, sys
sys.exit(any(importlib.util.find_spec(name) is None for name in sys.argv[1:]))";
    let python = support::python().display().to_string();
    let packages = ["snowpark_connect_deps_iceberg", "bodo_iceberg_connector"];
    test.wrapped(&python, &[&["-c", look], &packages[..]].concat()).status().unwrap().success()
}

#[test]
fn an_iceberg_table_equals_the_warehouse() {
    let Some(test) = project() else { return };
    if !has_iceberg(&test) {
        return support::cannot_run("iceberg", "the Python has no wheels with Iceberg", "make setup");
    }
    let iam = std::fs::read_to_string(root().join("templates/iam.yaml.hbs")).unwrap();
    let test = test
        .edit("stacks/pipeline.yaml", "  transformed:\n", "  transformed:\n    iceberg: true\n")
        .write("templates/iam.yaml.hbs", &iam.replacen(COMMIT, "]", 1))
        .write("erp/stores.csv", "id,name,opened_at,tax_rate\ns1,One,2024-01-01,0.05\ns2,Two,2024-01-02,0.05\n")
        .write("erp/visits.csv", "store_id,day,visitors\ns1,2031-01-01,7\n");
    assert_ne!(std::fs::read_to_string(test.path("templates/iam.yaml.hbs")).unwrap(), iam);

    // The job may not commit: the warehouse is loaded all the same, and somebody hears of it.
    let (code, denied) = report(&test, &["--data", "erp=erp"]);
    assert_eq!((code, count(&denied, "stores")), (Some(1), 2), "{denied:#}");
    let errors: Vec<&str> =
        denied["findings"].as_array().unwrap().iter().filter_map(|one| one["text"].as_str()).collect();
    let printed = errors.join("\n");
    assert!(printed.contains("the role `shop-local-glue` may not glue:UpdateTable on"), "{printed}");
    assert!(
        printed.contains("table `stores`: the warehouse gets its rows, the Iceberg table does not have them"),
        "{printed}"
    );

    let unused = denied["grants"]["unused"].to_string();
    assert!(!unused.contains("glue:"), "it is granted no more of the catalog than it uses: {unused}");

    // The next run makes up for it, with what has come meanwhile.
    let test = test
        .write("templates/iam.yaml.hbs", &iam)
        .write("erp/stores.csv", "id,name,opened_at,tax_rate\ns2,Second,2024-01-02,0.07\ns3,Three,2024-01-03,\n")
        .write("erp/visits.csv", "store_id,day,visitors\ns1,2031-01-01,9\ns1,2031-01-02,8\n");
    let (code, mended) = report(&test, &["--data", "erp=erp"]);
    assert_eq!((code, count(&mended, "stores"), count(&mended, "visits")), (Some(0), 3, 2), "{mended:#}");
    assert_eq!(
        mended["iceberg"],
        serde_json::json!([
            {"table": "stores", "rows": 3, "snapshots": 1}, {"table": "visits", "rows": 2, "snapshots": 1},
        ]),
    );
    insta::assert_snapshot!(rows(&test), @r#"
    {"id":"s1","name":"One","opened_at":"2024-01-01T00:00:00.000","tax_rate":0.0500}
    {"id":"s2","name":"Second","opened_at":"2024-01-02T00:00:00.000","tax_rate":0.0700}
    {"id":"s3","name":"Three","opened_at":"2024-01-03T00:00:00.000"}
    {"store_id":"s1","day":"2031-01-01","visitors":7}
    {"store_id":"s1","day":"2031-01-02","visitors":8}
    "#);
}

/// The rows of both tables as their data files have them.
fn rows(test: &Test) -> String {
    let local = test.path(".pipectl/local");
    let catalog: Value = serde_json::from_slice(&std::fs::read(local.join("catalog.json")).unwrap()).unwrap();
    let of = |table: &str| {
        let input = &catalog["shop_local_iceberg"][table]["input"];
        assert_eq!(input["Parameters"]["table_type"], "ICEBERG", "{input:#}");
        let location = "s3://shop-local-transformed-000000000000-us-east-1/iceberg/";
        assert_eq!(input["StorageDescriptor"]["Location"], format!("{location}{table}"));
        input["Parameters"]["metadata_location"].as_str().unwrap().to_owned()
    };
    let locations = TABLES.map(of);
    let bucket = "shop-local-transformed-000000000000-us-east-1";
    let mounts = serde_json::json!({bucket: local.join("s3/buckets").join(bucket)}).to_string();
    let (script, runner) = (root().join("tests/iceberg/rows.py"), root().join("glue-src/local"));
    let text = |path: &Path| path.display().to_string();
    let (script, runner) = (text(&script), text(&runner));
    let arguments = [&[script.as_str(), &runner, &mounts][..], &locations.each_ref().map(String::as_str)].concat();
    let output = test.wrapped(&text(&support::python()), &arguments).output().unwrap();
    assert!(output.status.success(), "{}", test.show(&output));
    String::from_utf8(output.stdout).unwrap()
}
