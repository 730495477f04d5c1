//! Deliberate mistakes, spread evenly over the orders.

use super::Sample;

/// What is wrong with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The total is not a number.
    Amount,
    /// The date of creation is not a date.
    Date,
    /// The financial status is none that Shopify has.
    Status,
}

impl Mistake {
    /// The error in an order, if it is one of the broken rows.
    pub(super) fn of(sample: &Sample, order: u64) -> Option<Self> {
        let count = sample.broken_rows.min(sample.orders);
        let step = sample.orders.checked_div(count)?;
        (order.is_multiple_of(step) && order / step < count).then(|| match order / step % 3 {
            0 => Self::Amount,
            1 => Self::Date,
            _ => Self::Status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_broken_rows_is_exact() {
        for (orders, broken_rows, expected) in
            [(10, 0, 0), (10, 3, 3), (10, 10, 10), (10, 99, 10), (0, 5, 0), (7, 4, 4)]
        {
            let sample = Sample { orders, seed: 1, since: crate::sample::OPENED, broken_rows };
            let count = (0..orders).filter(|order| Mistake::of(&sample, *order).is_some()).count();
            assert_eq!(count, expected, "{broken_rows} of {orders}");
        }
    }
}
