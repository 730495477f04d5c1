//! The databases of the rehearsals: what is in them at first, and what happens later.

use std::fmt::Write as _;

use crate::support::{Test, write};

/// How many orders a database that is read by watermark has at first: one of them as many as a shop of some years.
pub(super) fn orders_of(source: &str) -> usize {
    if source == "books" { 68_883 } else { 2_000 }
}

/// How many days have a rate.
pub(super) const RATES: usize = 90;
const CONTACTS: usize = 300;
const ITEMS: usize = 2;

/// The databases: `books` and `stock` are read by watermark, `crm` and `till` are followed.
pub(super) const SOURCES: [&str; 4] = ["books", "stock", "crm", "till"];

/// How a value is written as text, so that both sides write it alike.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Plain,
    Boolean,
    Time,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) &'static str, pub(super) Kind);

/// A table of the warehouse, and what it is made from.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) source: &'static str,
    pub(super) mysql: bool,
    /// What the source is asked for.
    pub(super) from: String,
    pub(super) columns: Vec<Column>,
}

/// The column that comes later.
pub(super) const CITY: Column = Column("city", Kind::Plain);

const ORDER: [Column; 7] = [
    Column("id", Kind::Plain),
    Column("customer", Kind::Plain),
    Column("total", Kind::Plain),
    Column("paid", Kind::Boolean),
    Column("day", Kind::Plain),
    Column("note", Kind::Plain),
    Column("updated_at", Kind::Time),
];
const RATE: [Column; 3] = [Column("currency", Kind::Plain), Column("day", Kind::Plain), Column("rate", Kind::Plain)];
const CUSTOMER: [Column; 3] =
    [Column("customer", Kind::Plain), Column("orders", Kind::Plain), Column("total", Kind::Plain)];
const CONTACT: [Column; 6] = [
    Column("id", Kind::Plain),
    Column("email", Kind::Plain),
    Column("credit", Kind::Plain),
    Column("active", Kind::Boolean),
    Column("born", Kind::Plain),
    Column("seen", Kind::Time),
];
const ITEM: [Column; 4] = [
    Column("contact", Kind::Plain),
    Column("line", Kind::Plain),
    Column("sku", Kind::Plain),
    Column("quantity", Kind::Plain),
];

/// All tables of the warehouse.
pub(super) fn tables() -> Vec<Table> {
    let table = |source: &'static str, name: &str, columns: &[Column]| Table {
        name: format!("{source}_{name}"),
        source,
        mysql: matches!(source, "stock" | "till"),
        from: name.to_owned(),
        columns: columns.to_vec(),
    };
    let mut all = Vec::new();
    for source in ["books", "stock"] {
        all.extend([table(source, "orders", &ORDER), table(source, "rates", &RATE)]);
    }
    let sums = "(SELECT customer, count(*) AS orders, sum(total) AS total FROM orders GROUP BY customer) AS sums";
    all.push(Table { from: sums.to_owned(), ..table("books", "customers", &CUSTOMER) });
    for source in ["crm", "till"] {
        all.extend([table(source, "contacts", &CONTACT), table(source, "items", &ITEM)]);
    }
    all
}

/// The project with these sources and tables, and the data of all sources, without what happens later.
pub(super) fn project(test: Test) -> Test {
    let pipeline = format!(
        "{SOURCES_OF_PIPELINE}tables:\n{}{}{}{}  books_customers:\n    transform: sql/transform/customers.sql\n    \
         columns: {{customer: {{type: varchar(40), required: true}}, orders: bigint, total: \"decimal(14,2)\"}}\n    \
         key: [customer]\n",
        by_watermark("books"),
        by_watermark("stock"),
        followed("crm"),
        followed("till")
    );
    let test = test
        .write("stacks/pipeline.yaml", &pipeline)
        .write("stacks/local.yaml", "account: \"000000000000\"\nregion: us-east-1\nlocal: true\n")
        .write("sql/transform/customers.sql", SUMS);
    for source in SOURCES {
        let mysql = matches!(source, "stock" | "till");
        let file = |name: &str, text: &str| write(&test.path(&format!("data/{source}/{name}")), text.as_bytes());
        if matches!(source, "books" | "stock") {
            file("schema.sql", &engine(BY_WATERMARK, mysql));
            file("orders.csv", &orders(orders_of(source)));
            file("rates.csv", &rates());
        } else {
            file("schema.sql", &engine(FOLLOWED, mysql));
            file("contacts.csv", &contacts());
            file("items.csv", &items());
        }
    }
    test
}

/// What happens later, in two steps; in `books` the second one is left for later still.
pub(super) fn changes(test: &Test) {
    for source in SOURCES {
        let (first, second) = match source {
            "books" | "stock" => {
                let one = "INSERT INTO orders VALUES (900001, 'new', 10.5, true, '2025-06-01', 'one more', \
                           '2025-06-01 12:00:00');";
                // Two that are committed late, one of them with the very time of the newest, and one that has changed.
                let late = "INSERT INTO orders VALUES (900002, 'late', NULL, NULL, NULL, NULL, '2025-06-01 12:00:00'),
                                (900003, 'late', 0.01, false, '2025-05-31', '', '2025-06-01 11:55:00.5');
                            UPDATE orders SET total = total + 1, note = 'changed', updated_at = '2025-06-02 00:00:00'
                                WHERE id = 7;
                            INSERT INTO rates VALUES ('EUR', '2025-04-30', 9.5), ('CHF', '2025-04-29', 1);";
                (one.to_owned(), late.to_owned())
            }
            _ => (FIRST_CHANGES.to_owned(), SECOND_CHANGES.to_owned()),
        };
        write(&test.path(&format!("data/{source}/changes/1.sql")), first.as_bytes());
        let later = if source == "books" { "books-2.sql".to_owned() } else { format!("data/{source}/changes/2.sql") };
        write(&test.path(&later), second.as_bytes());
    }
}

/// What was left for later.
pub(super) fn more_changes(test: &Test) {
    std::fs::rename(test.path("books-2.sql"), test.path("data/books/changes/2.sql")).unwrap();
}

/// The pipeline takes the column that came with the second step.
pub(super) fn with_city(test: Test) -> Test {
    let before = "seen: timestamp}";
    let after = "seen: timestamp, city: varchar(40)}";
    test.edit("stacks/pipeline.yaml", before, after).edit("stacks/pipeline.yaml", before, after)
}

const SOURCES_OF_PIPELINE: &str = "\
name: shop
sources:
  books:
    postgresql: {host: db.example.com, database: shop}
  stock:
    mysql: {host: db.example.com, database: shop}
  crm:
    postgresql: {host: db.example.com, database: shop, capture: cdc}
  till:
    mysql: {host: db.example.com, database: shop, capture: cdc}
trigger: {batch_window: 1}
";

fn by_watermark(source: &str) -> String {
    format!(
        "  {source}_orders:
    source: {source}.orders
    watermark: updated_at
    columns:
      id: {{type: bigint, required: true}}
      customer: {{type: varchar(40), required: true}}
      total: \"decimal(12,2)\"
      paid: boolean
      day: date
      note: varchar(1000)
      updated_at: {{type: timestamp, required: true}}
    key: [id]
    order_by: updated_at
  {source}_rates:
    source: {source}.rates
    watermark: day
    columns: {{currency: {{type: varchar(3), required: true}}, day: {{type: date, required: true}}, rate: \"decimal(18,8)\"}}
    key: [currency, day]
"
    )
}

fn followed(source: &str) -> String {
    format!(
        "  {source}_contacts:
    source: {source}.contacts
    columns: {{id: {{type: bigint, required: true}}, email: varchar(320), credit: \"decimal(14,2)\", active: boolean, \
         born: date, seen: timestamp}}
    key: [id]
  {source}_items:
    source: {source}.items
    columns: {{contact: {{type: bigint, required: true}}, line: {{type: integer, required: true}}, sku: varchar(64), \
         quantity: smallint}}
    key: [contact, line]
"
    )
}

const SUMS: &str = "\
WITH touched AS (SELECT DISTINCT customer FROM changed_books_orders)
SELECT o.customer, count(*) AS orders, CAST(sum(o.total) AS decimal(14,2)) AS total
FROM books_orders o JOIN touched t ON t.customer = o.customer
GROUP BY o.customer
";

const BY_WATERMARK: &str = "\
CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(40) NOT NULL, total numeric(12,2), paid BOOL, day date,
    note text, updated_at TIME NOT NULL);
CREATE INDEX updated ON orders (updated_at);
CREATE TABLE rates (currency varchar(3), day date, rate numeric(18,8), PRIMARY KEY (currency, day));
";

const FOLLOWED: &str = "\
CREATE TABLE contacts (id bigint PRIMARY KEY, email varchar(320), credit numeric(14,2), active BOOL, born date,
    seen TIME NULL);
CREATE TABLE items (contact bigint, line int, sku varchar(64), quantity smallint, PRIMARY KEY (contact, line));
";

/// Rows come, change, go and move; the last three statements are one transaction over both tables.
const FIRST_CHANGES: &str = "\
INSERT INTO contacts VALUES (1001, 'new@example.com', 5, true, '1990-02-28', '2025-06-01 10:00:00.000001');
UPDATE contacts SET email = NULL, credit = -0.01, active = false WHERE id BETWEEN 10 AND 20;
DELETE FROM contacts WHERE id IN (3, 4);
DELETE FROM items WHERE contact IN (3, 4);
UPDATE contacts SET id = 5005 WHERE id = 5;
UPDATE items SET line = 77 WHERE contact = 6 AND line = 1;
INSERT INTO contacts (id) VALUES (1002);
DELETE FROM contacts WHERE id = 1002;
INSERT INTO contacts (id, email) VALUES (1002, 'again');
BEGIN;
DELETE FROM contacts WHERE id = 8;
COMMIT;
BEGIN;
UPDATE contacts SET email = 'never' WHERE id = 9;
ROLLBACK;
BEGIN;
INSERT INTO contacts (id, email) VALUES (1003, 'both');
INSERT INTO items VALUES (1003, 1, 'a', 1), (1003, 2, 'b', -32768);
UPDATE items SET quantity = 9 WHERE contact = 1003 AND line = 1;
COMMIT;
";

/// A column more, which may be NULL.
const SECOND_CHANGES: &str = "\
INSERT INTO contacts (id, email) VALUES (1004, 'before');
ALTER TABLE contacts ADD COLUMN city varchar(40) NULL;
INSERT INTO contacts (id, email, city) VALUES (1005, 'after', 'Łódź');
UPDATE contacts SET city = 'Genève' WHERE id IN (1004, 11);
DELETE FROM contacts WHERE id = 12;
";

/// A schema in the words of one engine.
fn engine(schema: &str, mysql: bool) -> String {
    let (boolean, time) = if mysql { ("tinyint(1)", "datetime(6)") } else { ("boolean", "timestamp(6)") };
    schema.replace("BOOL", boolean).replace("TIME", time)
}

/// Minute by minute, before June; the last three orders share the time.
fn time(order: usize, count: usize) -> String {
    let minute = order.min(count - 3);
    let (day, hour) = (minute / 1440, minute / 60 % 24);
    let (month, day) = (1 + day / 28, 1 + day % 28);
    format!("2025-{month:02}-{day:02} {hour:02}:{:02}:00.{:06}", minute % 60, minute % 7 * 142_857)
}

fn orders(count: usize) -> String {
    let mut csv = String::from("id,customer,total,paid,day,note,updated_at\n");
    for id in 1..=count {
        let total = if id % 50 == 0 { String::new() } else { format!("{}.{:02}", id * 7 % 1000, id % 100) };
        let paid = ["1", "0", ""][id % 3];
        let day = if id % 9 == 0 { String::new() } else { format!("2025-01-{:02}", 1 + id % 31) };
        let note = ["", "\"a, \"\"b\"\" \\ c\"", "\"line\nand line\"", "größer 🧀", "'; --"][id % 5];
        let _ = writeln!(csv, "{id},c{},{total},{paid},{day},{note},{}", id % 40, time(id, count));
    }
    csv
}

fn rates() -> String {
    let mut csv = String::from("currency,day,rate\n");
    for day in 0..RATES {
        let _ = writeln!(csv, "EUR,2025-{:02}-{:02},1.{:08}", 1 + day / 28, 1 + day % 28, day * 1_234);
    }
    csv
}

fn contacts() -> String {
    let mut csv = String::from("id,email,credit,active,born,seen\n");
    for id in 1..=CONTACTS {
        let email = if id % 11 == 0 { String::new() } else { format!("ünï{id}@example.com") };
        let _ = writeln!(
            csv,
            "{id},{email},{}.{:02},{},19{:02}-02-28,2025-01-01 00:{:02}:00.{id:06}",
            id * 3,
            id % 100,
            id % 2,
            id % 100,
            id % 60
        );
    }
    csv
}

fn items() -> String {
    let mut csv = String::from("contact,line,sku,quantity\n");
    for contact in 1..=CONTACTS {
        for line in 1..=ITEMS {
            let _ = writeln!(csv, "{contact},{line},SKU-{},{}", contact % 17, contact % 9);
        }
    }
    csv
}
