//! The reference of the YAML files, as Markdown: every key with its type, default and meaning, out of the JSON schemas.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::load::{environment_schema, pipeline_schema};

/// The reference of both files, below a heading for each.
pub fn markdown() -> String {
    let files = [("stacks/pipeline.yaml", pipeline_schema()), ("stacks/<env>.yaml", environment_schema())];
    files.iter().map(|(file, schema)| Reference { schema }.file(file)).collect::<Vec<_>>().join("\n")
}

struct Reference<'a> {
    schema: &'a Value,
}

/// The keys of one kind of mapping, and all paths in the file where it occurs.
struct Section<'a> {
    paths: Vec<String>,
    mapping: &'a Value,
}

impl<'a> Reference<'a> {
    fn file(&self, name: &str) -> String {
        let mut sections = vec![Section { paths: Vec::new(), mapping: self.schema }];
        self.collect(self.schema, "", &mut sections);
        let mut text = format!("## `{name}`\n");
        for section in &sections {
            if !section.paths.is_empty() {
                let paths: Vec<String> = section.paths.iter().map(|path| format!("`{path}`")).collect();
                let _ = write!(text, "\n### {}\n", paths.join(", "));
            }
            let _ = write!(
                text,
                "\n{}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
                description(section.mapping)
            );
            let first = section.paths.first().map(String::as_str).unwrap_or_default();
            for (mapping, required) in self.variants(section.mapping) {
                for (key, property) in properties(mapping) {
                    // A kind's only key means what the kind does.
                    let meaning = if property.get("description").is_some() { property } else { mapping };
                    let meaning = description(meaning);
                    let required = required.contains(&key.as_str());
                    text.push_str(&self.row(&sections, &join(first, key), property, required, meaning));
                }
            }
        }
        text
    }

    /// Finds all mappings with fixed keys, in the order of the page.
    fn collect(&self, mapping: &'a Value, path: &str, sections: &mut Vec<Section<'a>>) {
        for (variant, _) in self.variants(mapping) {
            for (key, property) in properties(variant) {
                let (inner, suffix) = self.inner(property);
                if !self.has_keys(inner) {
                    continue;
                }
                let path = join(path, &format!("{key}{suffix}"));
                match sections.iter_mut().find(|section| std::ptr::eq(section.mapping, inner)) {
                    Some(section) => section.paths.push(path),
                    None => {
                        sections.push(Section { paths: vec![path.clone()], mapping: inner });
                        self.collect(inner, &path, sections);
                    }
                }
            }
        }
    }

    fn row(&self, sections: &[Section], path: &str, property: &'a Value, required: bool, meaning: &str) -> String {
        let key = path.rsplit('.').next().unwrap_or_default();
        let (inner, suffix) = self.inner(property);
        let mut kind = self.kind(property);
        if self.has_keys(inner) {
            let path = format!("{path}{suffix}");
            if let Some(section) = sections.iter().find(|section| section.paths.contains(&path)) {
                kind = format!("[{kind}](#{})", anchor(&section.paths));
            }
        }
        let default = match property.get("default") {
            _ if required => "required".to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(Value::Object(keys)) if !keys.is_empty() => "see there".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        let mut meaning = meaning.to_owned();
        for choice in self.resolve(property).get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(name), Some(text)) = (choice.get("const"), choice.get("description").and_then(Value::as_str)) {
                let _ = write!(meaning, " `{}`: {text}", plain(name));
            }
        }
        format!("| `{key}` | {} | {} | {} |\n", cell(&kind), cell(&default), cell(meaning.trim()))
    }

    /// What a schema says, without references and without the `null` of what may be left out.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        loop {
            let choices = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice);
            let next = match (schema.get("$ref").and_then(Value::as_str), choices) {
                (Some(name), _) => self.schema.pointer(name.trim_start_matches('#')),
                (None, Some([one, other])) if other.get("type").and_then(Value::as_str) == Some("null") => Some(one),
                _ => None,
            };
            match next {
                Some(next) => schema = next,
                None => return schema,
            }
        }
    }

    /// The schema of a property's mapping, and what stands in the path for the names that the user chooses.
    fn inner(&self, property: &'a Value) -> (&'a Value, &'static str) {
        let schema = self.resolve(property);
        match schema.get("additionalProperties") {
            Some(entry @ Value::Object(_)) => (self.full(self.resolve(entry)), ".<name>"),
            _ => (self.full(schema), ""),
        }
    }

    /// The long form of what has a short one: a column is its type, or a mapping.
    fn full(&self, schema: &'a Value) -> &'a Value {
        let forms = schema.get("anyOf").and_then(Value::as_array);
        let long = forms.into_iter().flatten().map(|form| self.resolve(form)).find(|form| self.has_keys(form));
        long.unwrap_or(schema)
    }

    fn has_keys(&self, schema: &'a Value) -> bool {
        self.variants(schema).iter().any(|(variant, _)| !properties(variant).is_empty())
    }

    /// The mapping itself, or each of the kinds of which it is exactly one; and the keys that must be there.
    fn variants(&self, schema: &'a Value) -> Vec<(&'a Value, Vec<&'a str>)> {
        match schema.get("oneOf").and_then(Value::as_array) {
            Some(kinds) => kinds.iter().map(|kind| (self.resolve(kind), Vec::new())).collect(),
            None => vec![(schema, strings(schema.get("required")))],
        }
    }

    fn kind(&self, property: &'a Value) -> String {
        let schema = self.resolve(property);
        if let Some(entry) = schema.get("additionalProperties").filter(|entry| entry.is_object()) {
            return format!("mapping of names to {}", plural(&self.kind(entry)));
        }
        if let Some(items) = schema.get("items") {
            return format!("list of {}", plural(&self.kind(items)));
        }
        let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let names = choices.filter_map(|choice| choice.get("const"));
        let names = names.chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten());
        let names: Vec<String> = names.map(|name| format!("`{}`", plain(name))).collect();
        if !names.is_empty() {
            return names.join(", ");
        }
        if let Some(forms) = schema.get("anyOf").and_then(Value::as_array) {
            return forms.iter().map(|form| self.kind(form)).collect::<Vec<_>>().join(" or ");
        }
        let name = match schema.get("type") {
            Some(Value::Array(types)) => types.first().and_then(Value::as_str).unwrap_or_default(),
            Some(Value::String(name)) => name,
            _ => "object",
        };
        let name = if name == "object" { "mapping" } else { name };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("{name}, {least} to {most}"),
            (Some(least), None) if least > 0.0 => format!("{name}, at least {least}"),
            _ => name.to_owned(),
        }
    }
}

fn properties(schema: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema.get("properties").and_then(Value::as_object).unwrap_or(&NONE)
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn plural(kind: &str) -> String {
    match kind {
        "mapping" | "string" | "integer" => format!("{kind}s"),
        other => other.replace(" of ", "s of ").replace("string or mapping", "strings or mappings"),
    }
}

/// The fragment that GitHub gives to a heading.
fn anchor(paths: &[String]) -> String {
    let text = paths.join(", ").to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_every_link_resolves() {
        let text = markdown();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            assert!(!line.ends_with("|  |"), "{line}");
        }
        let headings: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .map(|paths| anchor(&[paths.to_owned()]))
            .collect();
        for link in text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(headings.iter().any(|heading| heading == link), "{link} is none of {headings:?}");
        }
    }

    #[test]
    fn a_path_maps_to_the_anchor_of_its_heading() {
        assert_eq!(anchor(&["tables.<name>".into(), "zones.raw".into()]), "tablesname-zonesraw");
    }
}
