//! Each statement of the translation list, executed, with its result.

use super::support::Fixture;

/// Statements that make ready, a query, and its rows.
type Case<'a> = (&'a [&'a str], &'a str, &'a str);

const CASES: &[Case<'_>] = &[
    // Functions and operators.
    (&[], "SELECT NVL(NULL, 2), NVL2(NULL, 1, 2), NVL2(0, 1, 2), ISNULL(NULL, 'x')", "2|2|1|x"),
    (
        &[],
        "SELECT DECODE(NULL, 1, 'one', NULL, 'none', 'other'), DECODE(3, 1, 'one', 'other'), DECODE(3, 1, 'one')",
        "none|other|NULL",
    ),
    (
        &[],
        "SELECT DATEADD(month, 1, '2024-01-31'), DATEADD('d', -1, DATE '2024-03-01'), DATEADD(hr, 2, TIMESTAMP '2024-01-01 23:30:00')",
        "2024-02-29 00:00:00|2024-02-29 00:00:00|2024-01-02 01:30:00",
    ),
    (
        &[],
        "SELECT DATEDIFF(month, '2024-01-31', '2024-02-01'), DATEDIFF(day, '2024-01-01 23:59:59', '2024-01-02 00:00:00'), DATEDIFF(qtr, '2023-12-31', '2024-01-01')",
        "1|1|1",
    ),
    (
        &[],
        "SELECT DATEDIFF(sec, TIMESTAMP '2024-01-01 00:00:00.9', TIMESTAMP '2024-01-01 00:00:01.1'), DATEDIFF(week, DATE '2024-01-07', DATE '2024-01-08')",
        "1|1",
    ),
    (
        &[],
        "SELECT DATE_TRUNC('month', DATE '2024-05-17'), EXTRACT(year FROM DATE '2024-05-17') / 2, DATE_PART(dow, DATE '2024-05-17')",
        "2024-05-01 00:00:00|1012|5",
    ),
    (
        &[],
        "SELECT LAST_DAY('2024-02-03'), ADD_MONTHS('2024-02-29', 1), NEXT_DAY('2024-05-17', 'Fri'), TRUNC(TIMESTAMP '2024-05-17 10:11:12')",
        "2024-02-29|2024-03-31 00:00:00|2024-05-24|2024-05-17",
    ),
    (&[], "SELECT MONTHS_BETWEEN('2024-03-31', '2024-02-29'), MONTHS_BETWEEN('1969-01-18', '1969-03-18')", "1|-2"),
    (
        &[],
        "SELECT CONVERT_TIMEZONE('Europe/Berlin', TIMESTAMP '2024-07-01 12:00:00'), CONVERT_TIMEZONE('EST', 'UTC', '2024-07-01 12:00:00')",
        "2024-07-01 14:00:00|2024-07-01 17:00:00",
    ),
    (
        &[],
        "SELECT GETDATE() = DATE_TRUNC('second', GETDATE()), SYSDATE <= GETDATE() + INTERVAL '2 second', TRUNC(SYSDATE) = CURRENT_DATE",
        "t|t|t",
    ),
    (
        &[],
        "SELECT LEN('grün'), CHARINDEX('n', 'grün'), STRTOL('ff', 16), STRTOL('-101', 2), SHA2('a', 256)",
        "4|4|255|-5|ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    ),
    (
        &[],
        "SELECT CONCAT('a', NULL), CONCAT('a', 1), 'it\\'s', REGEXP_REPLACE('a1b2', '[0-9]', '#'), REGEXP_SUBSTR('ab12', '[0-9]+')",
        "NULL|a1|it's|a#b#|12",
    ),
    (
        &[],
        "SELECT JSON_EXTRACT_PATH_TEXT('{\"a\":{\"b\":[1,2]}}', 'a', 'b'), JSON_EXTRACT_PATH_TEXT('{', 'a', true), JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[\"x\",\"y\"]', 1), JSON_ARRAY_LENGTH('[1,2,3]')",
        "[1,2]|NULL|y|3",
    ),
    (
        &[],
        "SELECT IS_VALID_JSON('{\"a\":1}'), IS_VALID_JSON('[1]'), IS_VALID_JSON_ARRAY('[1]'), JSON_PARSE('{\"b\": 1, \"a\": [1, 2]}'), JSON_SERIALIZE(JSON_PARSE('{\"k y\": \"v, : w\"}'))",
        "t|f|t|{\"a\":[1,2],\"b\":1}|{\"k y\":\"v, : w\"}",
    ),
    (
        &[],
        "SELECT CAST('12.345' AS DECIMAL(10,2)), '7'::INT, 1.5::DECIMAL, CONVERT(VARCHAR(2), 'abc'), 'x'::VARCHAR(MAX)",
        "12.35|7|2|ab|x",
    ),
    (&[], "SELECT 7 / 2, ARRAY(1, 'a'), 5 MINUS SELECT 7 / 3, ARRAY(1), 1", "3|[1,\"a\"]|5"),
    // Queries.
    (
        &[
            "CREATE TABLE s (region VARCHAR(10), amount DECIMAL(10,2), units INT)",
            "INSERT INTO s VALUES ('n', 1.00, 1), ('n', 2.00, 2), ('s', 2.50, 2), ('s', 4.01, 4), ('s', NULL, NULL)",
        ],
        "SELECT region, AVG(amount), AVG(units), MEDIAN(amount), APPROXIMATE COUNT(DISTINCT units) FROM s GROUP BY region ORDER BY region",
        "n|1.50|1|1.5|2\ns|3.25|3|3.255|2",
    ),
    (
        &[],
        "SELECT region, LISTAGG(units, ',') WITHIN GROUP (ORDER BY units DESC) FROM s GROUP BY 1 ORDER BY 1",
        "n|2,1\ns|4,2",
    ),
    (
        &[],
        "SELECT LISTAGG(DISTINCT region, '+') WITHIN GROUP (ORDER BY region DESC), LEN(LISTAGG(region)) FROM s",
        "s+n|5",
    ),
    (&[], "SELECT TOP 2 units FROM s WHERE units IS NOT NULL ORDER BY units DESC", "4\n2"),
    (
        &[],
        "SELECT region, units FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY region ORDER BY units DESC NULLS LAST) = 1 ORDER BY amount",
        "n|2\ns|4",
    ),
    (&[], "SELECT * FROM s AS t WHERE units > 0 QUALIFY RANK() OVER (ORDER BY amount) = 1", "n|1.00|1"),
    (
        &[],
        "SELECT s.*, o.region other, ROW_NUMBER() OVER (ORDER BY s.amount DESC NULLS LAST) rn FROM s JOIN s o ON s.units = o.units AND s.region <> o.region QUALIFY rn = 1",
        "s|2.50|2|n|1",
    ),
    (
        &[],
        "SELECT region, AVG(units) OVER (PARTITION BY region), RATIO_TO_REPORT(amount) OVER (PARTITION BY region) FROM s WHERE region = 'n' ORDER BY units",
        "n|1|0.3333333333333333\nn|1|0.6666666666666666",
    ),
    (
        &["CREATE TABLE pick AS SELECT TOP 1 region, NVL(units, 0) AS units FROM s ORDER BY 2 DESC"],
        "SELECT * FROM pick",
        "s|4",
    ),
    (
        &["CREATE VIEW v AS SELECT region, SUM(units) AS units FROM s GROUP BY region WITH NO SCHEMA BINDING"],
        "SELECT units FROM v ORDER BY 1",
        "3\n6",
    ),
    (
        &[
            "CREATE MATERIALIZED VIEW mv BACKUP NO DISTSTYLE KEY DISTKEY (region) SORTKEY (region) AUTO REFRESH NO AS SELECT region, COUNT(*) AS n FROM s GROUP BY region",
            "REFRESH MATERIALIZED VIEW mv",
        ],
        "SELECT * FROM mv ORDER BY 1",
        "n|2\ns|3",
    ),
    (
        &["WITH big AS (SELECT region FROM s WHERE units > 2) SELECT * FROM big"],
        "WITH big AS (SELECT TOP 1 * FROM s ORDER BY amount) SELECT units FROM big",
        "1",
    ),
    // Tables.
    (
        &[
            "CREATE SCHEMA IF NOT EXISTS core",
            "CREATE SCHEMA IF NOT EXISTS marts",
            "CREATE SCHEMA IF NOT EXISTS pipectl",
            "CREATE TABLE IF NOT EXISTS core.orders (id BIGINT NOT NULL ENCODE az64 DISTKEY, name VARCHAR(4) ENCODE lzo, total DECIMAL(12,2), updated TIMESTAMP, \
        tags SUPER, PRIMARY KEY (id), UNIQUE (name)) DISTSTYLE KEY COMPOUND SORTKEY (updated, id)",
            "INSERT INTO core.orders (id, name) VALUES (1, 'abcd'), (1, 'abcd')",
        ],
        "SELECT COUNT(*) FROM core.orders",
        "2",
    ),
    (
        &[
            "CREATE TABLE \"Order\" (\"Group\" INT IDENTITY(10, 5), note VARCHAR(MAX) DEFAULT NULL)",
            "INSERT INTO \"order\" (note) VALUES ('a'), ('b')",
        ],
        "SELECT \"group\" FROM \"ORDER\" ORDER BY 1",
        "10\n15",
    ),
    (
        &[
            "CREATE TABLE given (id BIGINT GENERATED BY DEFAULT AS IDENTITY(1,1), x INT)",
            "INSERT INTO given VALUES (7, 1)",
        ],
        "SELECT id FROM given",
        "7",
    ),
    (
        &[
            "CREATE TABLE a (x INT)",
            "CREATE TABLE b (x INT)",
            "INSERT INTO b VALUES (1), (2)",
            "ALTER TABLE a APPEND FROM b",
        ],
        "SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b)",
        "2|0",
    ),
    (
        &[
            "ALTER TABLE a ADD COLUMN word VARCHAR(2) DEFAULT 'ä' ENCODE zstd",
            "ALTER TABLE a ALTER COLUMN word TYPE VARCHAR(6)",
            "UPDATE a SET word = 'äöü'",
            "ALTER TABLE a ALTER SORTKEY (x)",
        ],
        "SELECT DISTINCT word FROM a",
        "äöü",
    ),
    (&["VACUUM a", "ANALYZE COMPRESSION a", "ANALYZE a", "TRUNCATE TABLE a"], "SELECT COUNT(*) FROM a", "0"),
    (
        &[
            "CREATE EXTERNAL SCHEMA IF NOT EXISTS lake FROM DATA CATALOG DATABASE 'x' IAM_ROLE default",
            "DROP SCHEMA lake",
        ],
        "SELECT 1",
        "1",
    ),
    (
        &[
            "CREATE ROLE reporter",
            "CREATE USER \"IAMR:shop-load\" PASSWORD DISABLE",
            "GRANT USAGE ON SCHEMA core TO ROLE reporter",
            "GRANT SELECT ON ALL TABLES IN SCHEMA core TO ROLE reporter",
            "GRANT ROLE reporter TO \"IAMR:shop-load\"",
        ],
        "SELECT has_table_privilege('iamr:shop-load', 'core.orders', 'select')",
        "t",
    ),
    // MERGE.
    (
        &[
            "CREATE TABLE target (id INT, v VARCHAR(5))",
            "CREATE TABLE source (id INT, v VARCHAR(5))",
            "INSERT INTO target VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO source VALUES (2, 'B'), (3, 'C')",
            "MERGE INTO target USING source AS s ON target.id = s.id WHEN MATCHED THEN UPDATE SET v = NVL(s.v, '-') WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)",
        ],
        "SELECT * FROM target ORDER BY id",
        "1|a\n2|B\n3|C",
    ),
    (
        &[
            "MERGE INTO target USING source ON (target.id = source.id) WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (source.id, source.v)",
        ],
        "SELECT * FROM target",
        "1|a",
    ),
    (
        &[
            "INSERT INTO source VALUES (3, 'C'), (1, 'z')",
            "MERGE INTO target USING source ON target.id = source.id REMOVE DUPLICATES",
        ],
        "SELECT * FROM target ORDER BY id",
        "1|z\n2|B\n3|C",
    ),
    (
        &["DELETE FROM target USING source WHERE target.id = source.id AND source.v = 'B'"],
        "SELECT id FROM target ORDER BY id",
        "1\n3",
    ),
];

#[tokio::test]
async fn the_translated_statements_do_what_redshift_documents() {
    let Some(fixture) = Fixture::start().await else { return };
    let mut wrong = Vec::new();
    for (statements, query, expected) in CASES {
        fixture.each(statements).await;
        let rows = fixture.rows(query).await;
        if rows != *expected {
            wrong.push(format!("{query}\n{rows}\ninstead of\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn redshifts_errors_are_returned_where_postgresql_differs() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture
        .each(&[
            "CREATE TABLE t (id INT NOT NULL, word VARCHAR(3), serial BIGINT IDENTITY(1,1))",
            "CREATE TABLE twice (id INT, word VARCHAR(3))",
            "INSERT INTO t (id, word) VALUES (1, 'a')",
            "INSERT INTO twice VALUES (1, 'b'), (1, 'c')",
            "CREATE VIEW seen AS SELECT * FROM twice",
        ])
        .await;
    let mut wrong = Vec::new();
    for (sql, expected) in [
        (
            "INSERT INTO t (id, word) VALUES (2, 'äö')",
            "ERROR: Value too long for character type\n  Hint: VARCHAR(n) counts bytes, not characters",
        ),
        (
            "INSERT INTO t (id, word) VALUES (2, 'abcd')",
            "ERROR: Value too long for character type\n  Hint: VARCHAR(n) counts bytes, not characters",
        ),
        ("INSERT INTO t (id) VALUES (NULL)", "ERROR: Cannot insert a NULL value into column id"),
        ("INSERT INTO t VALUES (1, 'a', 9)", "ERROR: cannot set an identity column to a value"),
        (
            "MERGE INTO t USING twice ON t.id = twice.id WHEN MATCHED THEN UPDATE SET word = twice.word WHEN NOT MATCHED THEN INSERT (id) VALUES (twice.id)",
            "ERROR: Found multiple matches to update the same tuple\n  Hint: the source of a MERGE needs one row per key: remove duplicates from it first",
        ),
        (
            "MERGE INTO t USING seen ON t.id = seen.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (seen.id)",
            "ERROR: the source of a MERGE must be a table, and \"seen\" is a view",
        ),
        (
            "CREATE TABLE order (id INT)",
            "ERROR: syntax error at or near \"order\"\n  Hint: `order` is a reserved word of Redshift: rename it, or write \"order\"",
        ),
        ("SELECT nothing FROM core.missing", "ERROR: relation \"core.missing\" does not exist"),
        (
            "UNLOAD ('SELECT 1') TO 's3://b/p' IAM_ROLE default",
            "ERROR: the rehearsal does not run UNLOAD of delimited text\n  Hint: add `FORMAT AS CSV` or `FORMAT AS PARQUET`",
        ),
    ] {
        let described = fixture.one(sql).await;
        if described["Status"] != "FAILED" || described["Error"] != expected {
            wrong.push(format!("{sql}\n{}\ninstead of\n{expected}", described["Error"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn duplicates_are_found_as_no_key_is_enforced() {
    let Some(fixture) = Fixture::start().await else { return };
    fixture
        .each(&[
            "CREATE SCHEMA core",
            "CREATE TABLE core.orders (id BIGINT PRIMARY KEY, shop VARCHAR(9))",
            "INSERT INTO core.orders VALUES (1, 'a'), (1, 'a'), (2, 'a'), (1, 'b')",
        ])
        .await;
    let key = ["id".to_owned(), "shop".to_owned()];
    let (columns, rows) = fixture.warehouse.duplicates("core", "orders", &key).await.unwrap();
    assert_eq!(columns, ["id", "shop", "count"]);
    assert_eq!(rows, [["1", "a", "2"].map(|value| Some(value.to_owned()))]);
}
