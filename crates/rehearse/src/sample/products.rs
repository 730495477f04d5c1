//! Products and their variants.

use std::io::Write;

use serde::Serialize;

use super::Sample;
use super::calendar::Moment;
use super::jsonl::write_row;
use super::output::Rows;
use super::random::{Kind, Random};
use super::words::{ADJECTIVES, SIZES, THINGS, VENDORS};
use crate::error::Result;

/// The shop's range does not depend on how many orders it has.
pub(super) const PRODUCTS: u64 = 120;

const FIRST_PRODUCT: u64 = 6_950_279_000_001;
const FIRST_VARIANT: u64 = 41_007_759_000_001;

/// What an order needs to know of a product.
#[derive(Debug)]
pub(super) struct Product {
    index: u64,
    pub(super) title: String,
    pub(super) kind: &'static str,
    pub(super) vendor: &'static str,
    pub(super) variants: Vec<Variant>,
}

/// A size of a product, or its only form.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) id: u64,
    pub(super) title: &'static str,
    pub(super) sku: String,
    pub(super) price_cents: u64,
}

impl Product {
    pub(super) fn id(&self) -> u64 {
        FIRST_PRODUCT + self.index
    }

    fn new(random: &mut Random, index: u64) -> Self {
        let (thing, kind) = random.weighted(&THINGS.iter().map(|thing| (1, *thing)).collect::<Vec<_>>());
        let title = format!("{} {thing}", random.pick(ADJECTIVES));
        let price = random.between(3, 60) * 100 + random.pick(&[&0, &50, &95, &99]);
        let sizes: &[&str] = if kind == "Clothing" || random.percent(30) { SIZES } else { &["Default Title"] };
        let variants = sizes.iter().zip(0..).map(|(size, position)| Variant {
            id: FIRST_VARIANT + index * 10 + position,
            title: size,
            sku: format!("SKU-{:04}-{}", index + 1, position + 1),
            price_cents: price + position * 250,
        });
        Self { index, title, kind, vendor: random.pick(VENDORS), variants: variants.collect() }
    }
}

/// All products, as orders refer to them.
pub(super) fn catalog(seed: u64) -> Vec<Product> {
    (0..PRODUCTS).map(|index| Product::new(&mut Random::of(seed, Kind::Product, index), index)).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductRow<'a> {
    id: String,
    legacy_resource_id: String,
    title: &'a str,
    handle: String,
    description: &'a str,
    description_html: &'a str,
    product_type: &'a str,
    vendor: &'a str,
    status: &'a str,
    tags: &'a [&'a str],
    is_gift_card: bool,
    has_only_default_variant: bool,
    total_inventory: u64,
    online_store_url: Option<String>,
    template_suffix: Option<&'a str>,
    #[serde(rename = "priceRangeV2")]
    price_range: PriceRange,
    created_at: Moment,
    updated_at: Moment,
    published_at: Option<Moment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceRange {
    min_variant_price: Money,
    max_variant_price: Money,
}

/// An amount as Shopify writes one: a decimal in a string.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Money {
    pub(super) amount: String,
    pub(super) currency_code: &'static str,
}

impl Money {
    pub(super) fn new(cents: u64) -> Self {
        Self { amount: amount(cents), currency_code: "USD" }
    }
}

/// `1250` → `12.5`, `1200` → `12.0`: Shopify drops the last zero.
pub(super) fn amount(cents: u64) -> String {
    let (whole, rest) = (cents / 100, cents % 100);
    if rest.is_multiple_of(10) { format!("{whole}.{}", rest / 10) } else { format!("{whole}.{rest:02}") }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VariantRow<'a> {
    id: String,
    legacy_resource_id: String,
    title: &'a str,
    display_name: String,
    sku: &'a str,
    barcode: Option<String>,
    price: String,
    compare_at_price: Option<String>,
    position: u64,
    inventory_quantity: u64,
    inventory_policy: &'a str,
    available_for_sale: bool,
    taxable: bool,
    inventory_item: InventoryItem,
    selected_options: [SelectedOption<'a>; 1],
    created_at: Moment,
    updated_at: Moment,
    #[serde(rename = "__parentId")]
    parent_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryItem {
    id: String,
    unit_cost: Option<Money>,
    tracked: bool,
}

#[derive(Serialize)]
struct SelectedOption<'a> {
    name: &'a str,
    value: &'a str,
}

/// Writes every product with its variants behind it.
pub(super) fn write(sample: &Sample, out: &mut Rows) -> Result<()> {
    let opening = Moment::opening(sample.since);
    for index in 0..PRODUCTS {
        let mut random = Random::of(sample.seed, Kind::Product, index);
        let product = Product::new(&mut random, index);
        let created = opening.after(random.below(86_400));
        let updated = created.after(random.below(30 * 86_400));
        write_product(out, &product, &mut random, created, updated)?;
        for (variant, position) in product.variants.iter().zip(1..) {
            write_variant(out, &product, variant, position, &mut random, (created, updated))?;
        }
        out.count(1 + product.variants.len() as u64);
    }
    Ok(())
}

fn write_product(
    out: &mut impl Write,
    product: &Product,
    random: &mut Random,
    created: Moment,
    updated: Moment,
) -> Result<()> {
    let handle = product.title.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
    let prices = || product.variants.iter().map(|variant| variant.price_cents);
    let active = !random.percent(5);
    let row = ProductRow {
        id: format!("gid://shopify/Product/{}", product.id()),
        legacy_resource_id: product.id().to_string(),
        title: &product.title,
        handle: format!("{handle}-{}", product.index + 1),
        description: "Made in small batches.",
        description_html: "<p>Made in small batches.</p>",
        product_type: product.kind,
        vendor: product.vendor,
        status: if active { "ACTIVE" } else { "DRAFT" },
        tags: random.pick(&[&[] as &[&str], &["new"], &["gift", "bestseller"]]),
        is_gift_card: false,
        has_only_default_variant: product.variants.len() == 1,
        total_inventory: random.below(500),
        online_store_url: active
            .then(|| format!("https://example.myshopify.com/products/{handle}-{}", product.index + 1)),
        template_suffix: None,
        price_range: PriceRange {
            min_variant_price: Money::new(prices().min().unwrap_or_default()),
            max_variant_price: Money::new(prices().max().unwrap_or_default()),
        },
        created_at: created,
        updated_at: updated,
        published_at: active.then_some(created),
    };
    Ok(write_row(out, &row)?)
}

fn write_variant(
    out: &mut impl Write,
    product: &Product,
    variant: &Variant,
    position: u64,
    random: &mut Random,
    (created_at, updated_at): (Moment, Moment),
) -> Result<()> {
    let default = variant.title == "Default Title";
    let row = VariantRow {
        id: format!("gid://shopify/ProductVariant/{}", variant.id),
        legacy_resource_id: variant.id.to_string(),
        title: variant.title,
        display_name: format!("{} - {}", product.title, variant.title),
        sku: &variant.sku,
        barcode: random.percent(60).then(|| format!("40{:011}", random.below(100_000_000_000))),
        price: format!("{}.{:02}", variant.price_cents / 100, variant.price_cents % 100),
        compare_at_price: random.percent(10).then(|| format!("{}.00", variant.price_cents / 80)),
        position,
        inventory_quantity: random.below(200),
        inventory_policy: "DENY",
        available_for_sale: true,
        taxable: true,
        inventory_item: InventoryItem {
            id: format!("gid://shopify/InventoryItem/{}", super::inventory::item(variant)),
            unit_cost: random.percent(80).then(|| Money::new(variant.price_cents * 2 / 5)),
            tracked: true,
        },
        selected_options: [SelectedOption { name: if default { "Title" } else { "Size" }, value: variant.title }],
        created_at,
        updated_at,
        parent_id: format!("gid://shopify/Product/{}", product.id()),
    };
    Ok(write_row(out, &row)?)
}
