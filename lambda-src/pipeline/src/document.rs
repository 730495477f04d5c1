//! The pipeline document: what pipectl tells its Lambdas about the pipeline.
//!
//! pipectl writes it, content-addressed, next to the code. Each Lambda reads only the part that it needs.

use std::collections::BTreeMap;

use serde::Deserialize;

use pipectl_contract::schema_change;

use crate::{Error, Result, s3};

/// The version of the document's form that this code reads.
const VERSION: u32 = 1;

#[derive(Clone, Debug, Deserialize)]
pub struct Document {
    pub version: u32,
    pub prefix: String,
    pub buckets: Buckets,
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
    pub warehouse: Option<Warehouse>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Buckets {
    pub raw: String,
    pub transformed: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    Shopify(Shopify),
    /// A kind of source that needs no Lambda, such as `files`.
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Shopify {
    /// The shop's permanent host name, `example.myshopify.com`.
    pub store: String,
    pub api_version: String,
    /// The name of the secret that holds the credentials.
    pub secret: String,
    /// The moment before which nothing is fetched; the first run takes everything when there is none.
    pub start: Option<String>,
    pub objects: Vec<Object>,
}

/// One kind of object that is read from a shop, with its children, and the tables that take its rows.
///
/// It says what is wanted, not how: the Lambda makes bulk and paged queries of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    pub name: String,
    /// The connection at the root of a query, such as `orders`, and what its arguments are beside the filter.
    pub connection: String,
    pub arguments: String,
    /// The type of its rows, as it stands in global ids: `Order`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is selected of a row, without its children and lists.
    pub fields: String,
    /// Connections below a row; their rows stand on lines of their own.
    pub children: Vec<Child>,
    /// Lists inside a row that are rows of tables of their own.
    pub lists: Vec<List>,
    /// Lists of names and numbers inside a row that become one mapping, such as `quantities`.
    pub pivots: Vec<String>,
    /// The type whose `updatedAt` moves the cursor, and whose connection is filtered by it.
    pub cursor: String,
    /// From the type of a row (`Order`) to its table.
    pub tables: BTreeMap<String, String>,
    /// What the app must be allowed to.
    pub scopes: Vec<String>,
    /// From the subject type of an event that tells of deletions (`ORDER`) to the type of the rows.
    pub deletions: BTreeMap<String, String>,
}

/// A connection below a row.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Child {
    pub connection: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub fields: String,
}

/// A list inside a row.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct List {
    pub field: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub fields: String,
    /// True when a column of the row's own table reads the list, too.
    pub keep: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Warehouse {
    pub workgroup: String,
    pub database: String,
    pub secret: String,
    /// Run first: what is not there is made.
    pub setup: Vec<String>,
    /// The tables as they shall be, with their schema: `core.orders`.
    #[serde(default)]
    pub schema: BTreeMap<String, schema_change::Table>,
    /// Run when the tables are as they shall be.
    #[serde(default)]
    pub complete: Vec<String>,
    /// The users that may only read, each with the secret of its password.
    #[serde(default)]
    pub users: BTreeMap<String, String>,
    #[serde(default)]
    pub tables: BTreeMap<String, Load>,
    #[serde(default)]
    pub marts: Vec<Mart>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Load {
    pub load: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Mart {
    pub name: String,
    /// `table`, `view` or `materialized_view`.
    #[serde(default)]
    pub kind: String,
    /// One transaction; a single statement is sent alone.
    pub refresh: Vec<String>,
    /// The statement that writes its files.
    pub unload: Option<String>,
}

impl Document {
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let redeploy = "run `pipectl deploy`: the document and the Lambdas belong to one version of pipectl";
        let document: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::new("the pipeline document cannot be read").cause(error).hint(redeploy))?;
        if document.version != VERSION {
            let message =
                format!("the pipeline document has version {}, this Lambda reads version {VERSION}", document.version);
            return Err(Error::new(message).hint(redeploy));
        }
        Ok(document)
    }

    /// Reads the bytes of the document that `PIPELINE_DOCUMENT` names.
    pub async fn fetch(client: &aws_sdk_s3::Client, address: &str) -> Result<Vec<u8>> {
        let (bucket, key) = s3::address(address).ok_or_else(|| {
            Error::new(format!("PIPELINE_DOCUMENT is `{address}`, not s3://bucket/key"))
                .hint("run `pipectl deploy`, which sets it")
        })?;
        let bucket = s3::Bucket::new(client, bucket);
        bucket.get(key).await?.ok_or_else(|| {
            Error::new(format!("the pipeline document {address} does not exist"))
                .hint("run `pipectl deploy`, which uploads it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"version":1,"pipeline":"shop","environment":"dev","prefix":"shop-dev",
        "buckets":{"raw":"r","cleaned":"c","transformed":"t"},
        "sources":{"shop":{"type":"shopify","store":"example.myshopify.com","api_version":"2026-10","secret":"shop-dev/shop",
            "objects":[{"name":"orders","connection":"orders","type":"Order","fields":"id","cursor":"Order","tables":{"Order":"orders"}}]},"erp":{"type":"files"}},
        "tables":{"orders":{"anything":1}},
        "warehouse":{"workgroup":"w","database":"d","secret":"s","setup":[],"tables":{"orders":{"load":["x"]}},"marts":[]}}"#;

    #[test]
    fn reads_the_parts_that_lambdas_need() {
        let document = Document::parse(TEXT.as_bytes()).unwrap();
        assert!(
            matches!(&document.sources["shop"], Source::Shopify(shop) if shop.objects[0].tables["Order"] == "orders")
        );
        assert!(matches!(document.sources["erp"], Source::Other));
    }

    #[test]
    fn another_version_is_an_error_with_a_fix() {
        let text = TEXT.replacen("\"version\":1", "\"version\":2", 1);
        let error = Document::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("version 2") && error.contains("pipectl deploy"), "{error}");
    }
}
