//! What was paid for an order and what was given back: lists inside of the order's row.

use serde::Serialize;

use super::calendar::Moment;
use super::orders::{MoneyBag, Reference};
use super::random::{Kind, Random};

const FIRST_TRANSACTION: u64 = 4_771_208_000_001;
const FIRST_REFUND: u64 = 812_934_000_001;

/// The most transactions of an order.
const MOST: u64 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    id: String,
    kind: &'static str,
    status: &'static str,
    gateway: &'static str,
    formatted_gateway: &'static str,
    test: bool,
    amount_set: MoneyBag,
    #[serde(rename = "parentTransaction")]
    parent: Option<Reference>,
    error_code: Option<&'static str>,
    created_at: Moment,
    processed_at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    id: String,
    legacy_resource_id: String,
    note: Option<&'static str>,
    total_refunded_set: MoneyBag,
    created_at: Moment,
    updated_at: Moment,
}

/// The money of an order.
pub(super) struct Payments {
    pub(super) transactions: Vec<Transaction>,
    pub(super) refunds: Vec<Refund>,
}

impl Payments {
    /// The payments of an order by its financial status.
    pub(super) fn of(seed: u64, order: u64, financial: &str, cents: u64, created: Moment) -> Self {
        let mut random = Random::of(seed, Kind::Payment, order);
        let (gateway, name) = random.weighted(&[
            (8, ("shopify_payments", "Shopify Payments")),
            (1, ("paypal", "PayPal")),
            (1, ("manual", "Manual")),
        ]);
        let id = |number: u64| format!("gid://shopify/OrderTransaction/{}", FIRST_TRANSACTION + order * MOST + number);
        let transaction = |number: u64, kind, status, at| Transaction {
            id: id(number),
            kind,
            status,
            gateway,
            formatted_gateway: name,
            test: false,
            amount_set: MoneyBag::new(cents),
            parent: (number > 0).then(|| Reference { id: id(0) }),
            error_code: None,
            created_at: at,
            processed_at: at,
        };
        let later = created.after(random.between(3_600, 10 * 86_400));
        let transactions = match financial {
            "PENDING" => vec![transaction(0, "SALE", "PENDING", created)],
            "AUTHORIZED" => vec![transaction(0, "AUTHORIZATION", "SUCCESS", created)],
            "VOIDED" => {
                vec![transaction(0, "AUTHORIZATION", "SUCCESS", created), transaction(1, "VOID", "SUCCESS", later)]
            }
            "REFUNDED" => {
                vec![transaction(0, "SALE", "SUCCESS", created), transaction(1, "REFUND", "SUCCESS", later)]
            }
            _ => vec![transaction(0, "SALE", "SUCCESS", created)],
        };
        let refund = || Refund {
            id: format!("gid://shopify/Refund/{}", FIRST_REFUND + order),
            legacy_resource_id: (FIRST_REFUND + order).to_string(),
            note: random.percent(40).then(|| random.pick(&["damaged", "wrong size", "changed mind, \"sorry\""])),
            total_refunded_set: MoneyBag::new(cents),
            created_at: later,
            updated_at: later,
        };
        let refunds = (financial == "REFUNDED").then(refund).into_iter().collect();
        Self { transactions, refunds }
    }
}
