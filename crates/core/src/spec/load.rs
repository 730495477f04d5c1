//! From two YAML texts to a checked spec.

use std::sync::{Arc, LazyLock};

use pipectl_contract::names::{Zone, bucket};
use serde_json::Value as Schema;

use crate::error::{Error, Result};
use crate::yaml::{self, Node, Source};

use super::{Environment, Pipeline, names, rules, shape};

/// A pipeline in one of its environments, checked.
#[derive(Debug, Clone)]
pub struct Spec {
    /// With the environment's overrides laid over it.
    pub pipeline: Pipeline,
    pub environment: Environment,
    /// The environment's name: `dev` for `stacks/dev.yaml`.
    pub environment_name: String,
    /// The merged tree, for errors that are found later.
    pub tree: Node,
}

static PIPELINE_SCHEMA: LazyLock<Schema> = LazyLock::new(|| schemars::schema_for!(Pipeline).to_value());
static ENVIRONMENT_SCHEMA: LazyLock<Schema> = LazyLock::new(|| schemars::schema_for!(Environment).to_value());

/// The JSON schema of `stacks/pipeline.yaml`.
pub fn pipeline_schema() -> &'static Schema {
    &PIPELINE_SCHEMA
}

/// The JSON schema of `stacks/<env>.yaml`.
pub fn environment_schema() -> &'static Schema {
    &ENVIRONMENT_SCHEMA
}

impl Spec {
    /// Reads and checks both files. Fails with all errors, each with its location.
    ///
    /// The order of precedence, lowest first: the defaults, `pipeline.yaml`, the environment's `overrides`.
    pub fn load(pipeline: &Arc<Source>, environment: &Arc<Source>, environment_name: &str) -> Result<Self> {
        let (mut tree, mut environment_tree) = match (yaml::parse(pipeline), yaml::parse(environment)) {
            (Ok(tree), Ok(environment)) => (tree, environment),
            (one, other) => return Err(join(one.err().into_iter().chain(other.err()))),
        };
        // Without a mapping there is nothing to lay overrides over, nor to say more of.
        let mappings = [&tree, &environment_tree].map(not_a_mapping);
        Error::all(mappings.into_iter().flatten())?;
        let mut errors = shape::check(&mut environment_tree, &ENVIRONMENT_SCHEMA);
        if let Some(overrides) = environment_tree.get("overrides") {
            tree.merge(overrides.clone());
        }
        let shape = shape::check(&mut tree, &PIPELINE_SCHEMA);
        let text = |node: &Node, name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default().to_owned();
        let prefix = format!("{}-{environment_name}", text(&tree, "name"));
        errors.extend(rules::check(
            &tree,
            &prefix,
            &text(&environment_tree, "account"),
            &text(&environment_tree, "region"),
        ));
        // A rule is more specific than the schema: it comes first, and only the first error of a location is kept.
        errors.extend(shape);
        if !names::is_resource_part(environment_name) {
            errors.push(
                Error::project(format!("`{environment_name}` cannot be the name of an environment"))
                    .hint("use lower-case letters, digits and `-` in the file's name"),
            );
        }
        Error::all(in_file_order(errors))?;
        Ok(Self {
            pipeline: typed(&tree, pipeline)?,
            environment: typed(&environment_tree, environment)?,
            environment_name: environment_name.to_owned(),
            tree,
        })
    }

    /// `<pipeline>-<environment>`: the start of every name.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.pipeline.name, self.environment_name)
    }

    /// `<prefix>-<stack>`.
    pub fn stack_name(&self, stack: &str) -> String {
        format!("{}-{stack}", self.prefix())
    }

    /// `<prefix>-<zone>-<account>-<region>`.
    pub fn bucket(&self, zone: Zone) -> String {
        bucket(&self.prefix(), zone, &self.environment.account, &self.environment.region)
    }

    /// The catalog's database of the Iceberg tables, if there are any.
    pub fn iceberg_database(&self) -> Option<String> {
        self.pipeline.zones.transformed.iceberg.then(|| format!("{}_iceberg", self.prefix().replace('-', "_")))
    }
}

fn not_a_mapping(file: &Node) -> Option<Error> {
    let name = file.span.file();
    let error = match file.value {
        yaml::Value::Mapping(_) => return None,
        yaml::Value::Null => Error::project(format!("`{name}` is empty")).at(&file.span, ""),
        _ => Error::project(format!("`{name}` must be a mapping, not {}", file.kind())).at(&file.span, ""),
    };
    Some(error.hint("write `name: value`, one key on each line; `pipectl init DIR` writes an example"))
}

fn join(errors: impl Iterator<Item = Error>) -> Error {
    Error::all(errors).err().unwrap_or_else(|| Error::project("the project's files cannot be read"))
}

/// By file and line, each problem once: a rule and the shape may both see it.
fn in_file_order(mut errors: Vec<Error>) -> Vec<Error> {
    errors.sort_by_key(|error| error.span().map(|span| (span.file().to_owned(), span.line(), span.column())));
    errors.dedup_by(|later, first| match (later.span(), first.span()) {
        (Some(one), Some(other)) => one == other,
        _ => later.message() == first.message(),
    });
    errors
}

/// The shape has been checked, so this fails only where schema and type disagree, which would be an error of pipectl.
fn typed<T: serde::de::DeserializeOwned>(tree: &Node, source: &Arc<Source>) -> Result<T> {
    serde_json::from_value(tree.to_json())
        .map_err(|error| Error::project(format!("`{}` cannot be read: {error}", source.name)).at(&tree.span, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: &str = "account: 012345678901\nregion: eu-central-1\n";
    const PIPELINE: &str = "\
name: shop
sources:
  web:
    shopify: {store: example.myshopify.com}
  erp:
    files:
tables:
  orders:
    source: web.orders
    key: [id]
    order_by: updated_at
    columns:
      id: bigint
      total: {type: 'decimal(12,2)', from: totalPriceSet.shopMoney.amount}
      updated_at: timestamp
";

    fn load(pipeline: &str, environment: &str) -> Result<Spec> {
        Spec::load(&Source::new("stacks/pipeline.yaml", pipeline), &Source::new("stacks/dev.yaml", environment), "dev")
    }

    #[test]
    fn a_valid_spec_is_read_with_defaults() {
        let spec = load(PIPELINE, ENVIRONMENT).unwrap();
        assert_eq!(spec.bucket(Zone::Raw), "shop-dev-raw-012345678901-eu-central-1");
        assert_eq!(spec.pipeline.warehouse.max_capacity, 8);
        assert!(matches!(spec.pipeline.sources["erp"], super::super::Source::Files(_)));
        assert_eq!(spec.pipeline.tables["orders"].columns.keys().collect::<Vec<_>>(), ["id", "total", "updated_at"]);
    }

    #[test]
    fn objects_with_their_own_table_are_read_separately() {
        let pipeline = PIPELINE.replace(
            "tables:\n",
            "tables:\n  refunds: {source: web.orders.refunds, key: [id], columns: {id: bigint}}\n",
        );
        let spec = load(&pipeline, ENVIRONMENT).unwrap();
        let found = ["refunds", "transactions", "total"].map(|column| spec.pipeline.is_read_apart("orders", column));
        assert_eq!(found, [true, false, false]);
        assert!(!spec.pipeline.is_read_apart("refunds", "refunds") && !spec.pipeline.is_read_apart("none", "refunds"));
    }

    #[test]
    fn overrides_are_merged_over_the_pipeline() {
        let environment = format!("{ENVIRONMENT}overrides:\n  warehouse: {{max_capacity: 16}}\n");
        let spec = load(PIPELINE, &environment).unwrap();
        assert_eq!(spec.pipeline.warehouse.max_capacity, 16);
        assert_eq!(spec.pipeline.warehouse.base_capacity, 4);
        let error =
            load(PIPELINE, &format!("{ENVIRONMENT}overrides:\n  warehouse: {{base_capacity: 9}}\n")).unwrap_err();
        assert!(error.to_string().contains("stacks/dev.yaml:4:30"), "{error}");
    }

    #[test]
    fn all_errors_are_reported_at_once_with_location_and_hint() {
        let pipeline = "\
name: Shop
sources:
  web:
    shopfy: {store: example.myshopify.com}
tables:
  order:
    source: wbe.orders
    key: [idd]
    lod: append
    columns:
      id: bigin
      name: {type: varchar, requird: true}
warehouse:
  base_capacity: four
";
        insta::assert_snapshot!(load(pipeline, "account: 12\nregoin: eu-central-1\n").unwrap_err());
    }

    #[test]
    fn reserved_words_are_sorted() {
        assert!(names::RESERVED.is_sorted());
        assert!(names::is_reserved("Order") && !names::is_reserved("orders"));
    }
}
