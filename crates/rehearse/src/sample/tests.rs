use std::collections::BTreeMap;

use fs_err as fs;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

fn sample(orders: u64, seed: u64, broken_rows: u64) -> Sample {
    Sample { orders, seed, since: OPENED, broken_rows }
}

/// The sample's files, by name.
fn files(sample: &Sample) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("sample");
    let written = sample.write(&target, false, &mut |_| true).unwrap();
    let read = |(name, _): &(String, u64)| (name.clone(), fs::read_to_string(target.join(name)).unwrap());
    written.files.iter().map(read).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let digests: Vec<String> = files(&sample(100, 7, 0))
        .iter()
        .map(|(name, text)| {
            let digest =
                Sha256::digest(text).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            format!("{name} {} {digest}", text.lines().count())
        })
        .collect();
    insta::assert_snapshot!(digests.join("\n"), @"
    erp/stores.csv 2 062e1c06b21d90ea
    erp/supplies.csv 729 1ea9b2788a5742cd
    erp/visits.csv 128 2f882a1d53c8a9a5
    shop/customers.jsonl 34 46dcdd488d3be99b
    shop/inventoryItems.jsonl 224 66b9a4f707af904d
    shop/locations.jsonl 450 58f006c34755d83f
    shop/orders.jsonl 279 8682aaf7c1a31590
    shop/products.jsonl 344 5a20eb5156852ea7
    ");
}

#[test]
fn more_orders_do_not_change_earlier_ones() {
    let (small, large) = (files(&sample(50, 3, 0)), files(&sample(80, 3, 0)));
    let orders = |files: &BTreeMap<String, String>| -> Vec<String> {
        let text = &files["shop/orders.jsonl"];
        text.lines().filter(|line| !line.contains("__parentId")).take(50).map(str::to_owned).collect()
    };
    assert_eq!(orders(&small), orders(&large));
    assert!(large["erp/visits.csv"].starts_with(&small["erp/visits.csv"]));
    assert_ne!(small["shop/orders.jsonl"], files(&sample(50, 4, 0))["shop/orders.jsonl"]);
}

#[test]
fn rows_have_the_shape_of_bulk_results() {
    let files = files(&sample(200, 7, 0));
    let rows =
        |name: &str| -> Vec<Value> { files[name].lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let (orders, customers, products) =
        (rows("shop/orders.jsonl"), rows("shop/customers.jsonl"), rows("shop/products.jsonl"));
    let ids = |rows: &[Value]| -> Vec<String> {
        rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect()
    };
    let (all_orders, all_customers, all_products) = (ids(&orders), ids(&customers), ids(&products));
    let mut unique = all_orders.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), orders.len());
    let mut seen = Vec::new();
    for row in &orders {
        match row.get("__parentId") {
            Some(parent) => {
                assert!(seen.contains(parent), "a line comes after its order: {row}");
                for of in ["product", "variant"] {
                    assert!(all_products.contains(&row[of]["id"].as_str().unwrap().to_owned()));
                }
            }
            None => {
                seen.push(row["id"].clone());
                let customer = &row["customer"];
                assert!(customer.is_null() || all_customers.contains(&customer["id"].as_str().unwrap().to_owned()));
                assert!(row["totalPriceSet"]["shopMoney"]["amount"].as_str().unwrap().parse::<f64>().is_ok());
            }
        }
    }
    assert_eq!(seen.len(), 200);
    // The rows that a join on order instead of on `__parentId` gets wrong.
    let strays = orders.windows(2).filter(|pair| {
        pair[0].get("__parentId").is_none() && pair[1].get("__parentId").is_some_and(|parent| *parent != pair[0]["id"])
    });
    assert!(strays.count() > 10);
    assert!(files["shop/orders.jsonl"].contains(r"gid:\/\/shopify\/Order\/"));
    assert!(!files["shop/orders.jsonl"].contains("shopify/Order"));
}

#[test]
fn broken_rows_come_only_when_asked_for() {
    let clean = &files(&sample(30, 7, 0))["shop/orders.jsonl"];
    let broken = &files(&sample(30, 7, 3))["shop/orders.jsonl"];
    let different = clean.lines().zip(broken.lines()).filter(|(clean, broken)| clean != broken);
    assert_eq!(different.count(), 3);
    for word in ["\"twelve\"", "\"yesterday\"", "\"LOST\""] {
        assert_eq!((clean.matches(word).count(), broken.matches(word).count()), (0, 1), "{word}");
    }
}

#[test]
fn an_empty_shop_has_its_products() {
    let files = files(&sample(0, 7, 5));
    assert_eq!(files["shop/orders.jsonl"], "");
    assert_eq!(files["shop/customers.jsonl"], "");
    assert!(files["shop/products.jsonl"].lines().count() > 120);
}

#[test]
fn output_is_never_overwritten_or_partial() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("sample");
    let write = |force: bool, go_on: bool| sample(5, 7, 0).write(&target, force, &mut |_| go_on);
    let left = || fs::read_dir(directory.path()).unwrap().count();

    assert_eq!(write(false, false).unwrap_err().message(), "interrupted");
    assert_eq!(left(), 0);
    fs::create_dir(&target).unwrap();
    write(false, true).unwrap();
    assert_eq!(left(), 1);
    let refused = write(false, true).unwrap_err().to_string().replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(refused, @"
    error: `DIR/sample` holds a sample already
    = hint: name a new directory with `--out`, or replace it with `--force`
    ");
    write(true, true).unwrap();
    fs::write(target.join("thesis.doc"), "years of work").unwrap();
    let refused = write(true, true).unwrap_err().to_string().replace(&directory.path().display().to_string(), "DIR");
    insta::assert_snapshot!(refused, @"
    error: `DIR/sample` holds `thesis.doc`, which is not part of a sample
    = hint: name a new directory with `--out`: `--force` replaces only an earlier sample
    ");
    assert!(target.join("thesis.doc").exists());
}
