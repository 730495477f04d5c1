//! Both engines through the stand-in: what is in the files, column by column.

mod database_outage;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::json;

use super::Server;
use crate::databases::Databases;
use crate::resource::{Resource, Resources};
use crate::spec::Spec;
use crate::yaml;
use pipectl_emulator::account::{Endpoint, LocalAccount};
use pipectl_emulator::dms::{Access, File, Replication, configurations};

const PIPELINE: &str = "\
name: shop
sources:
  pg:
    postgresql: {host: db.example.com, database: shop, capture: cdc}
  my:
    mysql: {host: db.example.com, database: shop, capture: cdc}
tables:
  pg_things: {source: pg.things, key: [id], columns: {id: bigint}}
  my_things: {source: my.things, key: [id], columns: {id: bigint}}
";

struct World {
    account: LocalAccount,
    endpoint: Endpoint,
    databases: Databases,
    directory: tempfile::TempDir,
}

impl World {
    /// A server with a schema; `None` if the test is skipped because the machine has no such server.
    async fn open(source: &str, schema: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("data");
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("schema.sql"), schema).unwrap();
        let environment = yaml::Source::new("dev.yaml", "account: \"111111111111\"\nregion: eu-central-1\n");
        let spec = Spec::load(&yaml::Source::new("p.yaml", PIPELINE), &environment, "dev").unwrap();
        let folders = BTreeMap::from([(source.to_owned(), folder)]);
        let databases = Databases::open(&spec, &folders, &directory.path().join("state"), None).await.unwrap();
        super::tests::check_servers(&databases);
        databases.get(source)?;
        let account = LocalAccount::open(&directory.path().join("account"), "111111111111", "eu-central-1").unwrap();
        let endpoint = account.serve(0).await.unwrap();
        let client = pipectl_emulator::s3::client::client(&endpoint.url(), "eu-central-1", &account.access_key("test"));
        client.create_bucket().bucket("raw").send().await.unwrap();
        Some(Self { account, endpoint, databases, directory })
    }

    fn server(&self) -> &Server {
        self.databases.all().next().unwrap().1
    }

    fn replication(&self, settings: &serde_json::Value) -> Replication {
        self.replication_from(&self.server().access(), settings)
    }

    fn replication_from(&self, access: &Access, settings: &serde_json::Value) -> Replication {
        let configuration = configurations(&resources(self.server(), settings)).unwrap().remove(0);
        Replication::open(configuration, access, &self.account, &self.endpoint.url(), self.directory.path()).unwrap()
    }

    fn file(&self, key: &str) -> std::path::PathBuf {
        self.account.bucket_directory("raw").join(key)
    }

    /// Files as they are: the first one's columns, and all rows.
    fn shown(&self, files: &[File]) -> String {
        let mut text = String::new();
        for file in files {
            let (folder, name) = file.key.rsplit_once('/').unwrap();
            let changes = name.len() == "20261121-103000123.parquet".len() && name.as_bytes()[8] == b'-';
            let name = if changes { "<time>.parquet" } else { name };
            let _ = writeln!(text, "{folder}/{name}: {} rows", file.rows);
            text.push_str(&rows(&self.file(&file.key)));
        }
        text
    }
}

fn rows(path: &Path) -> String {
    let reader = SerializedFileReader::new(fs_err::File::open(path).unwrap().into_parts().0).unwrap();
    let mut text = String::new();
    let schema = reader.metadata().file_metadata().schema_descr();
    for column in schema.columns() {
        let kind = column.logical_type_ref().map_or_else(String::new, |kind| format!(" {kind:?}"));
        let _ = writeln!(text, "  {} {}{kind}", column.name(), column.physical_type());
    }
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let values = row.get_column_iter().map(|(name, field)| match name.as_str() {
            "_commit_timestamp" => "<time>".to_owned(),
            _ => field.to_string(),
        });
        let _ = writeln!(text, "  | {}", values.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn resources(server: &Server, settings: &serde_json::Value) -> Resources {
    let engine = if server.engine == crate::spec::Engine::Mysql { "mysql" } else { "postgres" };
    let mut target = json!({
        "BucketName": "raw", "BucketFolder": "landing", "DataFormat": "parquet", "CompressionType": "GZIP",
        "TimestampColumnName": "_commit_timestamp", "IncludeOpForFullLoad": true,
        "ServiceAccessRoleArn": "arn:aws:iam::111111111111:role/shop-dev-replicate-x",
    });
    target.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let rule = |kind: &str, target: &str, action: &str, table: &str| {
        json!({"rule-type": kind, "rule-target": target, "rule-action": action, "value": "crm",
            "object-locator": {"schema-name": server.schema, "table-name": table},
            "before-image-def": {"column-prefix": "_before_", "column-suffix": "", "column-filter": "pk-only"}})
    };
    let resource = |kind: &str, name: &str, properties: serde_json::Value| Resource {
        stack: "source-database".into(),
        id: name.into(),
        kind: kind.into(),
        name: name.into(),
        properties,
        node: None,
    };
    let all = vec![
        resource(
            "AWS::DMS::Endpoint",
            "source",
            json!({"EngineName": engine, "DatabaseName": server.database,
            "PostgreSqlSettings": {"MapBooleanAsBoolean": true}}),
        ),
        resource("AWS::DMS::Endpoint", "target", json!({"EngineName": "s3", "S3Settings": target})),
        resource(
            "AWS::DMS::ReplicationConfig",
            "replication",
            json!({
                "ReplicationConfigIdentifier": "shop-dev-x", "SourceEndpointArn": "source", "TargetEndpointArn": "target",
                "TableMappings": {"rules": [
                    rule("selection", "", "include", "things"), rule("selection", "", "include", "parts"),
                    rule("transformation", "schema", "rename", "%"),
                    rule("transformation", "column", "add-before-image-columns", "%"),
                ]},
            }),
        ),
    ];
    Resources { all, account: "111111111111".into(), region: "eu-central-1".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_as_files() {
    let schema = "\
CREATE TABLE things (id bigint PRIMARY KEY, name varchar(50), price numeric(38, 4), free numeric, huge numeric(50, 2),
    small smallint, ratio real, exact double precision, sold boolean, day date, at time, seen timestamp,
    zoned timestamptz, extra jsonb, raw bytea, kinds text[], code uuid);
CREATE TABLE parts (thing bigint, line int, PRIMARY KEY (thing, line));
CREATE TABLE others (id int PRIMARY KEY);
INSERT INTO things VALUES (1, E'Żółć, \"x\"\\n2', 1234567890123456789012345678901234.5678, 1.23456789,
    123456789012345678901234567890123456789012345678.25, -3, 1.5, 2.25, true, '2024-02-29', '08:05:00.25',
    '2024-02-29 23:59:59.123456', '2024-03-31 03:30:00+02', '{\"a\": [1, null]}', '\\x00ff10', '{a,\"b c\"}',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
INSERT INTO things (id) VALUES (2);";
    let Some(world) = World::open("pg", schema).await else { return };
    let mut replication = world.replication(&json!({}));
    let loaded = replication.full_load(world.server()).await.unwrap();
    insta::assert_snapshot!("postgresql-full-load", world.shown(&loaded));
    assert!(replication.changes().await.unwrap().is_empty());
    world
        .server()
        .run(
            "BEGIN; INSERT INTO things (id, name) VALUES (3, 'new'); INSERT INTO parts VALUES (3, 1), (3, 2);
             UPDATE things SET name = 'changed', sold = false WHERE id = 2; COMMIT;
             INSERT INTO others VALUES (1);
             BEGIN; INSERT INTO things (id) VALUES (99); ROLLBACK;
             UPDATE things SET id = 30 WHERE id = 3; DELETE FROM things WHERE id = 1;
             ALTER TABLE things DROP COLUMN huge, ADD COLUMN colour text;
             INSERT INTO things (id, colour) VALUES (4, 'red'); TRUNCATE parts;",
        )
        .await
        .unwrap();
    let changed = replication.changes().await.unwrap();
    insta::assert_snapshot!("postgresql-changes", world.shown(&changed));
    insta::assert_snapshot!(Vec::from_iter(replication.findings().clone()).join("\n"), @"
    `public.parts` was truncated: DMS does not report this, and the warehouse keeps its rows
    delete rows with DELETE, or drop them from the warehouse by hand
    ");
    // Nothing comes twice.
    assert!(replication.changes().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_as_files() {
    let schema = "\
CREATE TABLE things (id bigint unsigned PRIMARY KEY, name varchar(50), price decimal(38, 4), huge decimal(50, 2),
    small smallint, tiny tinyint unsigned, medium mediumint, ratio float, exact double, sold bit(1), day date, at time(3),
    seen datetime(6), zoned timestamp NULL, extra json, raw varbinary(9), note text, kind enum('a', 'b c'),
    kinds set('x', 'y', 'z'), since year);
CREATE TABLE parts (thing bigint unsigned, line int, PRIMARY KEY (thing, line));
CREATE TABLE others (id int PRIMARY KEY);
SET time_zone = '+00:00';
INSERT INTO things VALUES (18446744073709551615, 'Żółć, \"x\"\\n2', 1234567890123456789012345678901234.5678,
    123456789012345678901234567890123456789012345678.25, -3, 255, -8388608, 1.5, 2.25, 1, '2024-02-29', '-100:05:00.25',
    '2024-02-29 23:59:59.123456', '2024-03-31 01:30:00', '{\"a\": [1, null]}', x'00ff10', 'größer', 'b c', 'x,z', 1999);
INSERT INTO things (id) VALUES (2);";
    let Some(world) = World::open("my", schema).await else { return };
    let mut replication = world.replication(&json!({}));
    let loaded = replication.full_load(world.server()).await.unwrap();
    insta::assert_snapshot!("mysql-full-load", world.shown(&loaded));
    assert!(replication.changes().await.unwrap().is_empty());
    world
        .server()
        .run(
            "BEGIN; INSERT INTO things SELECT 3, name, price, huge, small, tiny, medium, ratio, exact, sold, day, at, seen,
                zoned, extra, raw, note, kind, kinds, since FROM things WHERE id > 3;
             INSERT INTO parts VALUES (3, 1), (3, 2); UPDATE things SET name = 'changed', sold = 0 WHERE id = 2; COMMIT;
             INSERT INTO others VALUES (1); BEGIN; INSERT INTO things (id) VALUES (99); ROLLBACK;
             UPDATE things SET id = 30 WHERE id = 3; DELETE FROM things WHERE id > 30;
             ALTER TABLE things DROP COLUMN huge, ADD COLUMN colour text;
             INSERT INTO things (id, colour) VALUES (4, 'red'); FLUSH BINARY LOGS;
             DELETE FROM things WHERE id = 4; TRUNCATE TABLE parts;",
        )
        .await
        .unwrap();
    let changed = replication.changes().await.unwrap();
    insta::assert_snapshot!("mysql-changes", world.shown(&changed));
    insta::assert_snapshot!(Vec::from_iter(replication.findings().clone()).join("\n"), @"
    `parts` was truncated: DMS does not report this, and the warehouse keeps its rows
    delete rows with DELETE, or drop them from the warehouse by hand
    ");
    assert!(replication.changes().await.unwrap().is_empty());
}

/// What is unpleasant: texts in other encodings, dates that are none, a table that goes.
#[tokio::test(flavor = "multi_thread")]
async fn mysql_with_odd_values() {
    let schema = "\
CREATE TABLE things (id bigint PRIMARY KEY, old varchar(20) CHARACTER SET latin1, wide varchar(20) CHARACTER SET ucs2,
    kind enum('é', 'x') CHARACTER SET latin1, day date, seen datetime) CHARACTER SET latin1;
CREATE TABLE parts (id int PRIMARY KEY);
SET sql_mode = '';
INSERT INTO things VALUES (1, 'café €', 'Łódź', 'é', '0000-00-00', '0000-00-00');
INSERT INTO parts VALUES (1);";
    let Some(world) = World::open("my", schema).await else { return };
    let mut replication = world.replication(&json!({}));
    let mut shown = world.shown(&replication.full_load(world.server()).await.unwrap());
    let later = "SET sql_mode = ''; INSERT INTO parts VALUES (2); DROP TABLE parts;
        INSERT INTO things SELECT 2, old, wide, kind, day, seen FROM things;
        UPDATE things SET old = 'ÿ', day = '2026-02-30', seen = '1000-01-01' WHERE id = 1;";
    world.server().run(later).await.unwrap();
    shown.push_str(&world.shown(&replication.changes().await.unwrap()));
    let rows = shown.lines().filter(|line| !line.starts_with("  ") || line.starts_with("  |"));
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r#"
    landing/crm/parts/LOAD00000001.parquet: 1 rows
      | "I" | <time> | 1
    landing/crm/things/LOAD00000001.parquet: 1 rows
      | "I" | <time> | 1 | "café €" | "Łódź" | "é" | null | null
    landing/crm/parts/<time>.parquet: 1 rows
      | "I" | <time> | 2 | null
    landing/crm/things/<time>.parquet: 2 rows
      | "I" | <time> | 2 | "café €" | "Łódź" | "é" | null | null | null
      | "U" | <time> | 1 | "ÿ" | "Łódź" | "é" | null | 1000-01-01 00:00:00.000000 +00:00 | 1
    "#);
    insta::assert_snapshot!(Vec::from_iter(replication.findings().clone()).join("\n"), @"
    `shop.parts` was dropped or renamed: DMS does not report this, and the warehouse keeps its rows
    remove it from `tables`, or name its new table as `source`
    ");
    assert!(replication.changes().await.unwrap().is_empty());
}

/// What PostgreSQL has and a warehouse has not: endless times, numbers that are none, texts of many lines, 300 columns.
#[tokio::test(flavor = "multi_thread")]
async fn postgresql_with_odd_values() {
    let wide: Vec<String> = (0..300).map(|number| format!("c{number} int")).collect();
    let schema = format!(
        "CREATE TABLE things (id bigint PRIMARY KEY, note text, free numeric, exact double precision, day date, \
         seen timestamp);
         INSERT INTO things VALUES (1, E'a\\r\\nb\\t\\\"', 'NaN', 'Infinity', 'infinity', '-infinity'),
             (2, '', 1234567890123456789012.1234565, 'NaN', '0044-03-15 BC', '294276-12-31 23:59:59');
         CREATE TABLE parts (id bigint PRIMARY KEY, {});
         INSERT INTO parts (id, c299) VALUES (1, 7);",
        wide.join(", ")
    );
    let Some(world) = World::open("pg", &schema).await else { return };
    let mut replication = world.replication(&json!({}));
    let mut shown = world.shown(&replication.full_load(world.server()).await.unwrap());
    let later = "INSERT INTO things SELECT id + 10, note, free, exact, day, seen FROM things; UPDATE parts SET c0 = 1;
        DROP TABLE parts;";
    world.server().run(later).await.unwrap();
    shown.push_str(&world.shown(&replication.changes().await.unwrap()));
    let shown = shown.replace("\r\n", "\\r\\n").replace('\t', "\\t");
    let rows = shown.lines().filter(|line| !line.starts_with("  ") || line.starts_with("  |"));
    let nulls = " | null".repeat(290);
    let rows = rows.map(|line| line.replace(&nulls, " | …"));
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r#"
    landing/crm/parts/LOAD00000001.parquet: 1 rows
      | "I" | <time> | 1 | … | null | null | null | null | null | null | null | null | null | 7
    landing/crm/things/LOAD00000001.parquet: 2 rows
      | "I" | <time> | 1 | "a\r\nb\t"" | null | inf | null | null
      | "I" | <time> | 2 | "" | 1234567890123456789012.123457 | NaN | null | null
    landing/crm/parts/<time>.parquet: 1 rows
      | "U" | <time> | 1 | 1 | … | null | null | null | null | null | null | null | null | 7
    landing/crm/things/<time>.parquet: 2 rows
      | "I" | <time> | 11 | "a\r\nb\t"" | null | inf | null | null | null
      | "I" | <time> | 12 | "" | 1234567890123456789012.123457 | NaN | null | null | null
    "#);
    insta::assert_snapshot!(Vec::from_iter(replication.findings().clone()).join("\n"), @"
    `public.parts` was dropped or renamed: DMS does not report this, and the warehouse keeps its rows
    remove it from `tables`, or name its new table as `source`
    ");
    world.server().run("INSERT INTO things (id, free) VALUES (3, 1e22);").await.unwrap();
    let error = replication.changes().await.unwrap_err().to_string();
    assert!(error.contains("`public.things`.`free`: `10000000000000000000000` has more digits than the 28"), "{error}");
}
