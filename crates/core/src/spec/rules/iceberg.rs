//! What must hold where tables are Iceberg tables too.

use crate::error::Error;
use crate::yaml::{Key, Node, Value};

/// The folder of the Iceberg tables in the transformed bucket, beside those of the tables' batches.
const FOLDER: &str = "iceberg";

/// A table's batches expire below the folder of its name, and Iceberg's files must not.
pub(super) fn check(pipeline: &Node, key: &Key, errors: &mut Vec<Error>) {
    let on = pipeline.pointer("/zones/transformed/iceberg").is_some_and(|node| node.value == Value::Bool(true));
    if on && key.name == FOLDER {
        errors.push(
            Error::project(format!("`{FOLDER}` cannot name a table where `zones.transformed.iceberg` is on"))
                .at(&key.span, "the folder of the Iceberg tables has this name")
                .hint(format!("rename it, for example to `{FOLDER}_data`")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;
    use crate::yaml::Source;

    fn reported(iceberg: bool) -> String {
        let pipeline = format!(
            "name: shop\nsources: {{erp: {{files: {{}}}}}}\nzones: {{transformed: {{iceberg: {iceberg}}}}}\n\
             tables: {{iceberg: {{source: erp, key: [id], columns: {{id: bigint}}}}}}\n"
        );
        let environment = "account: 012345678901\nregion: eu-central-1\n";
        let spec = Spec::load(&Source::new("p.yaml", pipeline), &Source::new("dev.yaml", environment), "dev");
        spec.err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn no_table_may_be_named_like_the_iceberg_folder() {
        assert_eq!(reported(false), "");
        insta::assert_snapshot!(reported(true), @"
        error: `iceberg` cannot name a table where `zones.transformed.iceberg` is on
         --> p.yaml:4:10
          |
        4 | tables: {iceberg: {source: erp, key: [id], columns: {id: bigint}}}
          |          ^^^^^^^ the folder of the Iceberg tables has this name
          = hint: rename it, for example to `iceberg_data`
        ");
    }
}
