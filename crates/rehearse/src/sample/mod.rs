//! Seeded sample shop data: the same seed gives the same bytes, on every machine.
//!
//! ```text
//! DIR/shop/{customers,products,orders,…}.jsonl   as Shopify's bulk operations give them (GraphQL Admin API 2026-10)
//! DIR/erp/<table>.csv                            as a shop's own system would export them
//! ```
//!
//! Every entity has its own random stream, so that more orders of a seed leave the earlier ones as they
//! were, and next to nothing has to be kept in memory.

mod broken;
mod calendar;
mod customers;
mod erp;
mod inventory;
pub mod jsonl;
mod orders;
mod output;
mod payments;
mod products;
mod random;
mod words;

use std::path::Path;

use time::Date;

use crate::error::{Error, Result};

use output::Output;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub orders: u64,
    pub seed: u64,
    /// The day on which the shop opened.
    pub since: Date,
    /// How many orders are deliberately wrong.
    pub broken_rows: u64,
}

/// The default day on which a sample shop opens.
pub const OPENED: Date = time::macros::date!(2022 - 01 - 01);

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows by file, in the order of writing.
    pub files: Vec<(String, u64)>,
    pub bytes: u64,
}

/// How far the writing is: rows of orders so far. Answers whether to go on.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> bool;

impl Sample {
    /// Writes the sample to a new directory, whole or not at all.
    ///
    /// An existing directory is refused unless it is empty; with `force`, an earlier sample is replaced.
    pub fn write(&self, directory: &Path, force: bool, progress: Progress<'_>) -> Result<Written> {
        let mut output = Output::begin(directory, force)?;
        self.write_shop(&mut output, progress)?;
        erp::write(self, &products::catalog(self.seed), &mut output)?;
        output.finish()
    }

    fn write_shop(&self, output: &mut Output, progress: Progress<'_>) -> Result<()> {
        let products = products::catalog(self.seed);
        let mut rows = output.file("shop/products.jsonl")?;
        products::write(self, &mut rows)?;
        output.close(rows)?;
        for (name, write) in [
            ("shop/inventoryItems.jsonl", inventory::write_items as fn(&Sample, &[_], &mut _) -> Result<()>),
            ("shop/locations.jsonl", inventory::write_levels),
        ] {
            let mut rows = output.file(name)?;
            write(self, &products, &mut rows)?;
            output.close(rows)?;
        }
        let mut rows = output.file("shop/customers.jsonl")?;
        customers::write(self, &products, &mut rows)?;
        output.close(rows)?;
        let mut rows = output.file("shop/orders.jsonl")?;
        orders::write(self, &products, &mut rows, progress)?;
        output.close(rows)
    }

    /// How many customers have come by the time of an order.
    fn customers_at(order: u64) -> u64 {
        order / 3 + 1
    }
}

fn interrupted() -> Error {
    Error::new("interrupted").note("nothing was written").exit(crate::exit::Exit::Interrupted)
}

#[cfg(test)]
mod tests;
