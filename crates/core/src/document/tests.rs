use super::*;
use crate::testing::reference;

#[test]
fn the_reference_document() {
    let (spec, marts) = reference("dev");
    let document = document(&spec, &marts, &[]).unwrap_or_else(|error| panic!("{error}"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn the_key_is_the_hash_of_the_bytes() {
    let (spec, marts) = reference("local");
    let bytes = super::bytes(&document(&spec, &marts, &[]).unwrap()).unwrap();
    assert_eq!(bytes, super::bytes(&document(&spec, &marts, &[]).unwrap()).unwrap());
    assert!(bytes.starts_with(br#"{"version":1,"pipeline":"shop","environment":"local","prefix":"shop-local","#));
    let key = key(&bytes);
    let hash = key.strip_prefix("config/pipeline-").and_then(|rest| rest.strip_suffix(".json")).unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
}

#[test]
fn paths_become_selections() {
    for (columns, expected) in [
        ("id: bigint", "id updatedAt"),
        ("{id: bigint, first_name: varchar(9)}", "id updatedAt firstName"),
        (
            "{id: bigint, a: {type: bigint, from: x.y.z}, b: {type: bigint, from: x.y.w}, c: {type: bigint, from: x.v}}",
            "id updatedAt x { y { z w } v }",
        ),
    ] {
        let text = format!(
            "name: shop\nsources: {{s: {{shopify: {{store: a.myshopify.com}}}}}}\ntables:\n  c:\n    source: s.customers\n    \
             key: [id]\n    columns:\n      {columns}\n"
        );
        let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
        let spec =
            Spec::load(&yaml::Source::new("p.yaml", text), &yaml::Source::new("dev.yaml", environment), "dev").unwrap();
        let objects = crate::spec::source::shopify::query::objects(&spec, "s").unwrap();
        assert_eq!(
            serde_json::to_value(&objects).unwrap(),
            serde_json::json!([{
                "name": "customers", "connection": "customers", "arguments": "sortKey: UPDATED_AT", "type": "Customer",
                "fields": expected, "cursor": "Customer", "tables": {"Customer": "c"}, "scopes": ["read_customers"],
                "deletions": {"CUSTOMER": "Customer"},
            }])
        );
    }
}

#[test]
fn two_tables_of_one_object_are_refused() {
    let text = "\
name: shop
sources: {s: {shopify: {store: a.myshopify.com}}}
tables:
  a: {source: s.orders, columns: {id: bigint}, key: [id]}
  b: {source: s.orders, columns: {id: bigint}, key: [id]}
";
    let environment = "account: \"111111111111\"\nregion: eu-central-1\n";
    let spec =
        Spec::load(&yaml::Source::new("p.yaml", text), &yaml::Source::new("dev.yaml", environment), "dev").unwrap();
    insta::assert_snapshot!(document(&spec, &[], &[]).unwrap_err(), @r"
    error: the tables `a` and `b` are both made from `s.orders`
     --> p.yaml:5:15
      |
    5 |   b: {source: s.orders, columns: {id: bigint}, key: [id]}
      |               ^^^^^^^^ `a` has it already
      = hint: put the columns of `b` into `a`, and select them in a mart
    ");
}
