//! Orders and their lines.

use std::io::Write;

use serde::{Serialize, Serializer};

use super::broken::Mistake;
use super::calendar::{Moment, seconds_to_order};
use super::customers::{self, Address, Customer};
use super::jsonl::write_row;
use super::output::Rows;
use super::payments::{Payments, Refund, Transaction};
use super::products::{Money, Product, Variant};
use super::random::{Kind, Random};
use super::words::NOTES;
use super::{Progress, Sample, interrupted};
use crate::error::Result;

const FIRST_ORDER: u64 = 3_838_572_000_001;
const FIRST_LINE: u64 = 9_995_073_000_001;
const MOST_LINES: u64 = 4;

#[expect(clippy::struct_excessive_bools, reason = "they are Shopify's")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderRow<'a> {
    id: String,
    legacy_resource_id: String,
    name: String,
    number: u64,
    email: Option<&'a str>,
    created_at: Stamp,
    updated_at: Moment,
    processed_at: Moment,
    closed_at: Option<Moment>,
    cancelled_at: Option<Moment>,
    cancel_reason: Option<&'a str>,
    closed: bool,
    confirmed: bool,
    test: bool,
    currency_code: &'a str,
    presentment_currency_code: &'a str,
    display_financial_status: &'a str,
    display_fulfillment_status: &'a str,
    source_name: &'a str,
    customer_locale: Option<&'a str>,
    note: Option<&'a str>,
    tags: &'a [&'a str],
    discount_codes: &'a [&'a str],
    taxes_included: bool,
    total_weight: String,
    current_subtotal_line_items_quantity: u64,
    subtotal_price_set: MoneyBag,
    total_discounts_set: MoneyBag,
    total_shipping_price_set: MoneyBag,
    total_tax_set: MoneyBag,
    total_price_set: MoneyBag,
    total_refunded_set: MoneyBag,
    customer: Option<Reference>,
    shipping_address: Option<&'a Address>,
    transactions: Vec<Transaction>,
    refunds: Vec<Refund>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineRow<'a> {
    id: String,
    name: String,
    title: &'a str,
    variant_title: Option<&'a str>,
    sku: &'a str,
    vendor: &'a str,
    quantity: u64,
    current_quantity: u64,
    requires_shipping: bool,
    taxable: bool,
    original_unit_price_set: MoneyBag,
    original_total_set: MoneyBag,
    discounted_total_set: MoneyBag,
    total_discount_set: MoneyBag,
    product: Option<Reference>,
    variant: Option<Reference>,
    #[serde(rename = "__parentId")]
    parent_id: &'a str,
}

#[derive(Serialize)]
pub(super) struct Reference {
    pub(super) id: String,
}

/// A moment, or what a broken row has in its place.
enum Stamp {
    Moment(Moment),
    Broken,
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Moment(moment) => moment.serialize(serializer),
            Self::Broken => serializer.serialize_str("yesterday"),
        }
    }
}

/// An amount in the shop's currency and in the buyer's, which are the same here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MoneyBag {
    shop_money: Money,
    presentment_money: Money,
}

impl MoneyBag {
    pub(super) fn new(cents: u64) -> Self {
        Self { shop_money: Money::new(cents), presentment_money: Money::new(cents) }
    }
}

/// A drawn line of an order.
#[derive(Debug)]
struct Line<'a> {
    product: &'a Product,
    variant: &'a Variant,
    quantity: u64,
    discount: u64,
}

impl<'a> Line<'a> {
    fn draw(random: &mut Random, products: &'a [Product]) -> Self {
        // Drawn twice, so that the first products sell best.
        let popular = random.between(1, products.len() as u64);
        let product = &products[usize::try_from(random.below(popular)).unwrap_or_default()];
        let variants: Vec<&Variant> = product.variants.iter().collect();
        let variant = random.pick(&variants);
        let quantity = random.weighted(&[(78, 1), (15, 2), (5, 3), (2, 10)]);
        let discount = if random.percent(12) { variant.price_cents * quantity / 10 } else { 0 };
        Self { product, variant, quantity, discount }
    }

    fn total(&self) -> u64 {
        self.variant.price_cents * self.quantity
    }
}

/// A drawn order, and the random numbers for what is left to draw of it.
#[derive(Debug)]
pub(super) struct Order<'a> {
    index: u64,
    random: Random,
    lines: Vec<Line<'a>>,
    /// The index of the customer; a guest has none.
    pub(super) buyer: Option<u64>,
    financial: &'static str,
    discounts: u64,
    subtotal: u64,
    shipping: u64,
    tax: u64,
}

impl<'a> Order<'a> {
    pub(super) fn draw(seed: u64, index: u64, products: &'a [Product]) -> Self {
        let mut random = Random::of(seed, Kind::Order, index);
        let count = random.weighted(&[(60, 1), (25, 2), (10, 3), (5, MOST_LINES)]);
        let lines: Vec<Line> = (0..count).map(|_| Line::draw(&mut random, products)).collect();
        let buyer = (!random.percent(4)).then(|| random.below(Sample::customers_at(index)));
        let financial =
            random.weighted(&[(84, "PAID"), (6, "PENDING"), (5, "REFUNDED"), (3, "AUTHORIZED"), (2, "VOIDED")]);
        let discounts: u64 = lines.iter().map(|line| line.discount).sum();
        let subtotal = lines.iter().map(Line::total).sum::<u64>() - discounts;
        let shipping = random.weighted(&[(6, 0), (3, 495), (1, 1_250)]);
        let tax = subtotal * random.weighted(&[(5, 0), (3, 7), (2, 19)]) / 100;
        Self { index, random, lines, buyer, financial, discounts, subtotal, shipping, tax }
    }

    fn total(&self) -> u64 {
        self.subtotal + self.shipping + self.tax
    }

    /// What the customer has spent on it, in cents.
    pub(super) fn spent(&self) -> u64 {
        if self.financial == "PAID" { self.total() } else { 0 }
    }

    fn id(&self) -> String {
        format!("gid://shopify/Order/{}", FIRST_ORDER + self.index)
    }
}

/// Writes every order and its lines. A line comes after its order, but other rows may stand between, as in Shopify's own
/// results.
pub(super) fn write(sample: &Sample, products: &[Product], out: &mut Rows, progress: Progress<'_>) -> Result<()> {
    let (mut own, mut late) = (Vec::new(), Vec::new());
    for index in 0..sample.orders {
        if index.is_multiple_of(1_000) && !progress(index) {
            return Err(interrupted());
        }
        let mut order = Order::draw(sample.seed, index, products);
        own.clear();
        for (line, position) in order.lines.iter().zip(0..) {
            write_line(&mut own, line, &order.id(), index * MOST_LINES + position)?;
        }
        write_order(out, sample, &mut order)?;
        out.write_all(&late)?;
        late.clear();
        if order.random.percent(25) {
            std::mem::swap(&mut own, &mut late);
        } else {
            out.write_all(&own)?;
        }
        out.count(1 + order.lines.len() as u64);
    }
    Ok(out.write_all(&late)?)
}

fn write_line(out: &mut impl Write, line: &Line, parent_id: &str, number: u64) -> Result<()> {
    let (product, variant) = (line.product, line.variant);
    let variant_title = (variant.title != "Default Title").then_some(variant.title);
    let row = LineRow {
        id: format!("gid://shopify/LineItem/{}", FIRST_LINE + number),
        name: match variant_title {
            Some(size) => format!("{} - {size}", product.title),
            None => product.title.clone(),
        },
        title: &product.title,
        variant_title,
        sku: &variant.sku,
        vendor: product.vendor,
        quantity: line.quantity,
        current_quantity: line.quantity,
        requires_shipping: true,
        taxable: true,
        original_unit_price_set: MoneyBag::new(variant.price_cents),
        original_total_set: MoneyBag::new(line.total()),
        discounted_total_set: MoneyBag::new(line.total() - line.discount),
        total_discount_set: MoneyBag::new(line.discount),
        product: Some(Reference { id: format!("gid://shopify/Product/{}", product.id()) }),
        variant: Some(Reference { id: format!("gid://shopify/ProductVariant/{}", variant.id) }),
        parent_id,
    };
    Ok(write_row(out, &row)?)
}

fn write_order(out: &mut impl Write, sample: &Sample, order: &mut Order) -> Result<()> {
    let mistake = Mistake::of(sample, order.index);
    let customer = order.buyer.map(|index| Customer::new(sample.seed, index));
    let mut total_price_set = MoneyBag::new(order.total());
    if mistake == Some(Mistake::Amount) {
        total_price_set.shop_money.amount = "twelve".into();
    }
    let id = order.id();
    let total = order.subtotal + order.shipping + order.tax;
    let created = Moment::opening(sample.since).after(seconds_to_order(order.index));
    let payments = Payments::of(sample.seed, order.index, order.financial, total, created);
    let random = &mut order.random;
    let created = Moment::opening(sample.since).after(seconds_to_order(order.index) + random.below(7_200));
    let updated = created.after(random.weighted(&[(3, 0), (7, 1)]) * random.below(20 * 86_400));
    let cancelled = random.percent(3);
    let fulfillment =
        if cancelled { "UNFULFILLED" } else { random.weighted(&[(88, "FULFILLED"), (12, "UNFULFILLED")]) };
    let closed = fulfillment == "FULFILLED";
    let quantity: u64 = order.lines.iter().map(|line| line.quantity).sum();
    let row = OrderRow {
        id,
        legacy_resource_id: (FIRST_ORDER + order.index).to_string(),
        name: format!("#{}", 1001 + order.index),
        number: 1001 + order.index,
        email: customer.as_ref().and_then(|customer| customer.email.as_deref()),
        created_at: if mistake == Some(Mistake::Date) { Stamp::Broken } else { Stamp::Moment(created) },
        updated_at: updated,
        processed_at: created,
        closed_at: closed.then_some(updated),
        cancelled_at: cancelled.then_some(updated),
        cancel_reason: cancelled.then(|| random.pick(&["CUSTOMER", "INVENTORY", "FRAUD", "OTHER"])),
        closed,
        confirmed: true,
        test: false,
        currency_code: "USD",
        presentment_currency_code: "USD",
        display_financial_status: if mistake == Some(Mistake::Status) { "LOST" } else { order.financial },
        display_fulfillment_status: fulfillment,
        source_name: random.weighted(&[(7, "web"), (2, "pos"), (1, "shopify_draft_order")]),
        customer_locale: random.weighted(&[(7, Some("en")), (2, Some("de-DE")), (1, None)]),
        note: random.percent(5).then(|| random.pick(NOTES)),
        tags: random.pick(&[&[] as &[&str], &[], &["gift"], &["repeat", "b2b"]]),
        discount_codes: if order.discounts > 0 { &["WELCOME10"] } else { &[] },
        taxes_included: false,
        total_weight: (quantity * 350).to_string(),
        current_subtotal_line_items_quantity: quantity,
        subtotal_price_set: MoneyBag::new(order.subtotal),
        total_discounts_set: MoneyBag::new(order.discounts),
        total_shipping_price_set: MoneyBag::new(order.shipping),
        total_tax_set: MoneyBag::new(order.tax),
        total_refunded_set: MoneyBag::new(if order.financial == "REFUNDED" {
            order.subtotal + order.shipping + order.tax
        } else {
            0
        }),
        total_price_set,
        customer: order.buyer.map(|index| Reference { id: format!("gid://shopify/Customer/{}", customers::id(index)) }),
        shipping_address: customer.as_ref().and_then(|customer| customer.address.as_ref()),
        transactions: payments.transactions,
        refunds: payments.refunds,
    };
    Ok(write_row(out, &row)?)
}
