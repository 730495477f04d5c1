//! Customers. As in a real shop, some never order.

use serde::Serialize;

use super::Sample;
use super::calendar::{Moment, seconds_to_order};
use super::jsonl::write_row;
use super::orders::Order;
use super::output::Rows;
use super::products::{Money, Product};
use super::random::{Kind, Random};
use super::words::{FIRST_NAMES, LAST_NAMES, PLACES, STREETS};
use crate::error::Result;

const FIRST_CUSTOMER: u64 = 5_840_913_000_001;

/// The number of a customer in Shopify.
pub(super) fn id(index: u64) -> u64 {
    FIRST_CUSTOMER + index
}

/// Where a customer lives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    name: String,
    address1: String,
    address2: Option<&'static str>,
    city: &'static str,
    province: Option<&'static str>,
    province_code: Option<&'static str>,
    country: &'static str,
    country_code_v2: &'static str,
    zip: String,
    phone: Option<String>,
}

/// What an order needs to know of a customer.
#[derive(Debug)]
pub(super) struct Customer {
    first_name: Option<&'static str>,
    last_name: &'static str,
    pub(super) email: Option<String>,
    pub(super) address: Option<Address>,
}

impl Customer {
    pub(super) fn new(seed: u64, index: u64) -> Self {
        Self::draw(&mut Random::of(seed, Kind::Customer, index), index)
    }

    fn draw(random: &mut Random, index: u64) -> Self {
        let first_name = random.percent(96).then(|| random.pick(FIRST_NAMES));
        let last_name = random.pick(LAST_NAMES);
        let email = random.percent(93).then(|| format!("customer{}@example.com", index + 1));
        let address = random.percent(90).then(|| address(random, first_name, last_name));
        Self { first_name, last_name, email, address }
    }
}

fn address(random: &mut Random, first_name: Option<&str>, last_name: &str) -> Address {
    let &(city, province, province_code, country, country_code, zip) = random.pick(PLACES);
    Address {
        name: first_name.map_or_else(|| last_name.to_owned(), |first| format!("{first} {last_name}")),
        address1: format!("{} {}", random.between(1, 400), random.pick(STREETS)),
        address2: random.percent(8).then_some("c/o Reception"),
        city,
        province: (!province.is_empty()).then_some(province),
        province_code: (!province_code.is_empty()).then_some(province_code),
        country,
        country_code_v2: country_code,
        zip: format!("{zip}{:02}", random.below(100)),
        phone: random.percent(40).then(|| format!("+1555{:07}", random.below(10_000_000))),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerRow<'a> {
    id: String,
    legacy_resource_id: String,
    first_name: Option<&'a str>,
    last_name: &'a str,
    display_name: String,
    email: Option<&'a str>,
    default_email_address: Option<EmailAddress<'a>>,
    phone: Option<String>,
    default_phone_number: Option<PhoneNumber>,
    state: &'a str,
    locale: &'a str,
    note: Option<&'a str>,
    tags: &'a [&'a str],
    tax_exempt: bool,
    verified_email: bool,
    /// Shopify writes this number as a string.
    number_of_orders: String,
    amount_spent: Money,
    default_address: Option<&'a Address>,
    created_at: Moment,
    updated_at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmailAddress<'a> {
    email_address: &'a str,
    marketing_state: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhoneNumber {
    phone_number: String,
}

/// What a customer has ordered. All of them are kept: 16 bytes for every third order.
#[derive(Debug, Clone, Copy, Default)]
struct Bought {
    orders: u64,
    cents: u64,
}

/// Writes every customer that has come by the last order.
pub(super) fn write(sample: &Sample, products: &[Product], out: &mut Rows) -> Result<()> {
    let opening = Moment::opening(sample.since);
    for (index, bought) in (0..).zip(bought(sample, products)) {
        let mut random = Random::of(sample.seed, Kind::Customer, index);
        let customer = Customer::draw(&mut random, index);
        let created_at = opening.after(seconds_to_order(index * 3));
        let phone = random.percent(30).then(|| format!("+1555{:07}", random.below(10_000_000)));
        let row = CustomerRow {
            id: format!("gid://shopify/Customer/{}", id(index)),
            legacy_resource_id: id(index).to_string(),
            first_name: customer.first_name,
            last_name: customer.last_name,
            display_name: match customer.first_name {
                Some(first) => format!("{first} {}", customer.last_name),
                None => customer.last_name.to_owned(),
            },
            email: customer.email.as_deref(),
            default_email_address: customer.email.as_deref().map(|email_address| EmailAddress {
                email_address,
                marketing_state: random.pick(&["SUBSCRIBED", "NOT_SUBSCRIBED", "UNSUBSCRIBED"]),
            }),
            default_phone_number: phone.clone().map(|phone_number| PhoneNumber { phone_number }),
            phone,
            state: random.weighted(&[(6, "ENABLED"), (3, "DISABLED"), (1, "INVITED")]),
            locale: random.weighted(&[(6, "en"), (2, "de"), (1, "fr"), (1, "ja")]),
            note: random.percent(4).then_some("VIP / \"knows the owner\""),
            tags: random.pick(&[&[] as &[&str], &["newsletter"], &["vip", "b2b"]]),
            tax_exempt: random.percent(2),
            verified_email: random.percent(85),
            number_of_orders: bought.orders.to_string(),
            amount_spent: Money::new(bought.cents),
            default_address: customer.address.as_ref(),
            created_at,
            updated_at: created_at.after(random.weighted(&[(4, 0), (6, 1)]) * random.below(20 * 86_400)),
        };
        write_row(out, &row)?;
        out.count(1);
    }
    Ok(())
}

fn bought(sample: &Sample, products: &[Product]) -> Vec<Bought> {
    let count = sample.orders.checked_sub(1).map_or(0, Sample::customers_at);
    let mut all = vec![Bought::default(); usize::try_from(count).unwrap_or_default()];
    for index in 0..sample.orders {
        let order = Order::draw(sample.seed, index, products);
        if let Some(bought) = order.buyer.and_then(|buyer| all.get_mut(usize::try_from(buyer).ok()?)) {
            bought.orders += 1;
            bought.cents += order.spent();
        }
    }
    all
}
