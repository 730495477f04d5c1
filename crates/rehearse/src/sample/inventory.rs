//! What is in stock, and where.

use serde::Serialize;

use super::Sample;
use super::calendar::Moment;
use super::jsonl::write_row;
use super::orders::Reference;
use super::output::Rows;
use super::products::{Money, Product, Variant};
use super::random::{Kind, Random};
use crate::error::Result;

const FIRST_LOCATION: u64 = 61_884_000_001;
const FIRST_LEVEL: u64 = 96_372_000_001;

const LOCATIONS: [&str; 2] = ["Main Street", "Warehouse / North"];

/// The number of the inventory item of a variant.
pub(super) fn item(variant: &Variant) -> u64 {
    variant.id + 2_000_000_000_000
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemRow<'a> {
    id: String,
    legacy_resource_id: String,
    sku: &'a str,
    tracked: bool,
    requires_shipping: bool,
    country_code_of_origin: Option<&'a str>,
    harmonized_system_code: Option<&'a str>,
    unit_cost: Option<Money>,
    variant: Reference,
    created_at: Moment,
    updated_at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LocationRow<'a> {
    id: String,
    name: &'a str,
    is_active: bool,
    created_at: Moment,
    updated_at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelRow<'a> {
    id: String,
    can_deactivate: bool,
    item: Reference,
    location: Reference,
    quantities: Vec<Quantity>,
    created_at: Moment,
    updated_at: Moment,
    #[serde(rename = "__parentId")]
    parent_id: &'a str,
}

#[derive(Serialize)]
struct Quantity {
    name: &'static str,
    quantity: i64,
}

/// Writes the inventory item of each variant.
pub(super) fn write_items(sample: &Sample, products: &[Product], out: &mut Rows) -> Result<()> {
    let opening = Moment::opening(sample.since);
    for (variant, index) in products.iter().flat_map(|product| &product.variants).zip(0..) {
        let mut random = Random::of(sample.seed, Kind::Inventory, index);
        let created_at = opening.after(random.below(86_400));
        let row = ItemRow {
            id: format!("gid://shopify/InventoryItem/{}", item(variant)),
            legacy_resource_id: item(variant).to_string(),
            sku: &variant.sku,
            tracked: random.percent(95),
            requires_shipping: true,
            country_code_of_origin: random.percent(50).then_some("PT"),
            harmonized_system_code: None,
            unit_cost: random.percent(80).then(|| Money::new(variant.price_cents * 2 / 5)),
            variant: Reference { id: format!("gid://shopify/ProductVariant/{}", variant.id) },
            created_at,
            updated_at: created_at.after(random.below(30 * 86_400)),
        };
        write_row(out, &row)?;
        out.count(1);
    }
    Ok(())
}

/// Writes the locations, and behind each how much of every item is there.
pub(super) fn write_levels(sample: &Sample, products: &[Product], out: &mut Rows) -> Result<()> {
    let opening = Moment::opening(sample.since);
    for (name, location) in LOCATIONS.iter().zip(0..) {
        let id = format!("gid://shopify/Location/{}", FIRST_LOCATION + location);
        let row = LocationRow { id: id.clone(), name, is_active: true, created_at: opening, updated_at: opening };
        write_row(out, &row)?;
        out.count(1);
        for (variant, index) in products.iter().flat_map(|product| &product.variants).zip(0..) {
            let mut random = Random::of(sample.seed, Kind::Inventory, (1 + location) << 32 | index);
            let created_at = opening.after(random.below(86_400));
            // More may be promised than there is.
            let (on_hand, committed) = (random.below(200).cast_signed(), random.below(12).cast_signed());
            let quantity = |name, quantity| Quantity { name, quantity };
            let row = LevelRow {
                id: format!(
                    "gid://shopify/InventoryLevel/{}?inventory_item_id={}",
                    FIRST_LEVEL + location,
                    item(variant)
                ),
                can_deactivate: true,
                item: Reference { id: format!("gid://shopify/InventoryItem/{}", item(variant)) },
                location: Reference { id: id.clone() },
                quantities: vec![
                    quantity("available", on_hand - committed),
                    quantity("on_hand", on_hand),
                    quantity("committed", committed),
                    quantity("incoming", random.weighted(&[(9, 0), (1, 24)])),
                    quantity("damaged", 0),
                    quantity("quality_control", 0),
                    quantity("reserved", 0),
                    quantity("safety_stock", 0),
                ],
                created_at,
                updated_at: created_at.after(random.below(60 * 86_400)),
                parent_id: &id,
            };
            write_row(out, &row)?;
            out.count(1);
        }
    }
    Ok(())
}
