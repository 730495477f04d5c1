//! What a shop keeps beside Shopify, as its own system exports it: CSV.

use csv::Writer;
use time::Duration;

use super::Sample;
use super::calendar::{Moment, seconds_to_order};
use super::output::{Output, Rows};
use super::products::Product;
use super::random::{Kind, Random};
use super::words::{PLACES, SUPPLIES};
use crate::error::{Error, Result};

/// A store is opened with the first order, and another after every 500 orders.
const ORDERS_A_STORE: u64 = 500;
const MOST_STORES: u64 = 12;

/// Writes stores, supplies and visits.
pub(super) fn write(sample: &Sample, products: &[Product], output: &mut Output) -> Result<()> {
    let stores = (sample.orders / ORDERS_A_STORE + 1).min(MOST_STORES);
    table(output, "erp/stores.csv", &["id", "name", "opened_at", "tax_rate", "city", "manager"], |csv| {
        write_stores(sample, stores, csv)
    })?;
    table(output, "erp/supplies.csv", &["id", "name", "cost", "perishable", "sku"], |csv| {
        write_supplies(sample, products, csv)
    })?;
    table(output, "erp/visits.csv", &["store_id", "day", "visitors"], |csv| write_visits(sample, stores, csv))
}

/// Writes a table; the work answers how many rows it wrote.
fn table(
    output: &mut Output,
    name: &'static str,
    header: &[&str],
    write: impl FnOnce(&mut Writer<&mut Rows>) -> csv::Result<u64>,
) -> Result<()> {
    let failed = |error: csv::Error| Error::new(format!("cannot write `{name}`")).cause(&error);
    let mut rows = output.file(name)?;
    let mut csv = Writer::from_writer(&mut rows);
    csv.write_record(header).map_err(failed)?;
    let count = write(&mut csv).map_err(failed)?;
    csv.flush()?;
    drop(csv);
    rows.count(count);
    output.close(rows)
}

fn opened(sample: &Sample, store: u64) -> Moment {
    Moment::opening(sample.since).after(seconds_to_order(store * ORDERS_A_STORE))
}

fn write_stores(sample: &Sample, stores: u64, csv: &mut Writer<&mut Rows>) -> csv::Result<u64> {
    for store in 0..stores {
        let mut random = Random::of(sample.seed, Kind::Store, store);
        let id = random.uuid();
        let (city, ..) = random.pick(PLACES);
        let name = format!("{city} {}", store + 1);
        let opened = opened(sample, store).date();
        let tax = random.weighted(&[(3, "0.04"), (3, "0.0725"), (3, "0.19"), (1, "NULL")]);
        let manager = random.weighted(&[(2, ""), (1, "Lopez, Ana"), (1, "Kim \"Jay\" Park")]);
        csv.write_record([id.as_str(), &name, &format!("{opened}T00:00:00"), tax, city, manager])?;
    }
    Ok(stores)
}

fn write_supplies(sample: &Sample, products: &[Product], csv: &mut Writer<&mut Rows>) -> csv::Result<u64> {
    let mut count = 0;
    for (variant, index) in products.iter().flat_map(|product| &product.variants).zip(0..) {
        let mut random = Random::of(sample.seed, Kind::Supply, index);
        for (number, (name, perishable)) in (1..).zip(SUPPLIES) {
            if random.percent(40) {
                let cost = random.between(2, 450).to_string();
                let perishable = if *perishable { "True" } else { "False" };
                csv.write_record([format!("SUP-{number:03}").as_str(), name, &cost, perishable, &variant.sku])?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// One row for each store and day from its opening to the last order. By day, so that more orders only add rows.
fn write_visits(sample: &Sample, stores: u64, csv: &mut Writer<&mut Rows>) -> csv::Result<u64> {
    let ids: Vec<String> = (0..stores).map(|store| Random::of(sample.seed, Kind::Store, store).uuid()).collect();
    let last = Moment::opening(sample.since).after(seconds_to_order(sample.orders)).date();
    let (mut day, mut number, mut count) = (sample.since, 0, 0);
    while sample.orders > 0 && day <= last {
        let text = day.to_string();
        for (store, id) in (0..).zip(&ids) {
            if opened(sample, store).date() <= day {
                let mut random = Random::of(sample.seed, Kind::Visit, number * MOST_STORES + store);
                csv.write_record([id.as_str(), &text, &random.between(8, 240).to_string()])?;
                count += 1;
            }
        }
        day = day.saturating_add(Duration::DAY);
        number += 1;
    }
    Ok(count)
}
