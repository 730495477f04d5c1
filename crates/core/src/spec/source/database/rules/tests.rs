use crate::spec::{Engine, Source, Spec};
use crate::yaml;

const ENVIRONMENT: &str = "account: \"111111111111\"\nregion: eu-central-1\n";

fn load(pipeline: &str) -> crate::error::Result<Spec> {
    Spec::load(&yaml::Source::new("pipeline.yaml", pipeline), &yaml::Source::new("dev.yaml", ENVIRONMENT), "dev")
}

#[test]
fn two_databases_with_their_defaults() {
    let spec = load(
        "\
name: shop
sources:
  crm:
    postgresql: {host: db.example.com, database: shop}
  erp:
    mysql: {create: {}, database: erp, capture: cdc, replication: {max_capacity: 4}}
tables:
  crm_orders:
    source: crm.orders
    watermark: updated_at
    key: [id]
    columns: {id: bigint, updated_at: timestamp}
  stock:
    source: erp.stock
    key: [id]
    columns: {id: bigint}
",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let (engine, crm) = spec.pipeline.sources["crm"].database().unwrap();
    assert_eq!((engine, crm.port(engine), crm.schema(engine)), (Engine::Postgresql, 5432, "public"));
    assert_eq!(crm.secret("shop-dev", "crm"), "shop-dev/crm");
    assert_eq!(crm.schedule, "cron(0 * * * ? *)");
    let Source::Mysql(erp) = &spec.pipeline.sources["erp"] else { panic!("erp is MySQL") };
    assert_eq!(erp.create.as_ref().unwrap().instance_class, "db.t4g.micro");
    assert_eq!((erp.schema(Engine::Mysql), erp.replication.max_capacity.0), ("erp", 4));
    let landing: Vec<String> =
        spec.pipeline.tables.iter().map(|(name, table)| table.landing(name, &spec.pipeline)).collect();
    assert_eq!(landing, ["landing/crm/orders/", "landing/erp/stock/"]);
}

#[test]
fn every_mistake_has_a_location_and_a_hint() {
    let text = "\
name: shop
sources:
  lost:
    mysql: {database: shop, port: 70000}
  both:
    postgresql:
      host: db.example.com
      database: shop
      create: {storage: 5}
      replication: {max_capacity: 3}
      schedule: rate(1 hour)
      vpc: {id: vpc-12, subnets: [subnet-x], security_group: sg-0123456789abcdef0}
  followed:
    mysql: {host: 'mysql://db', database: shop, schema: public, capture: cdc, schedule: cron(0 * * * ? *)}
  orders:
    files:
tables:
  lost:
    source: orders
    watermark: id
    columns: {id: bigint}
    key: [id]
  whole:
    source: lost
    columns: {id: bigint}
    key: [id]
  dotted:
    source: lost.public.orders
    columns: {id: bigint, changed: timestamp}
    key: [id]
  wrong:
    source: lost.orders
    watermark: updated
    columns: {id: bigint, updated_at: timestamp, name: varchar(9)}
  texts:
    source: lost.texts
    watermark: name
    load: append
    columns: {id: bigint, name: varchar(9)}
  again:
    source: lost.orders
    watermark: updated_at
    key: [id]
    columns: {id: bigint, updated_at: timestamp}
  log:
    source: followed.log
    load: append
    watermark: id
    order_by: id
    columns: {id: bigint}
";
    insta::assert_snapshot!(load(text).unwrap_err());
}
