//! AWS's service authorization reference: which kinds of resources each action applies to.
//!
//! The table is generated: `scripts/iam-actions.py` writes `actions.json` from the reference in the `cfn-lint` package,
//! whose version stands in the file. It holds the services that pipectl's templates use.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::pattern::Pattern;

/// A kind of resource, such as the stacks of CloudFormation.
#[derive(Debug)]
pub struct Kind {
    pub name: String,
    /// The ARNs that such a resource can have.
    pub arns: Vec<Pattern>,
    /// Whether a condition on `aws:ResourceTag/…` can hold for it.
    pub tags: bool,
}

/// An action, and the kinds that it applies to. Without any, only `Resource: "*"` grants it.
#[derive(Debug)]
pub struct Action {
    /// In lower case, such as `s3:getobject`.
    pub name: String,
    pub kinds: Vec<&'static Kind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "generated_by")]
    _generated_by: String,
    services: BTreeMap<String, ServiceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    resources: BTreeMap<String, KindEntry>,
    /// The numbers of the kinds, in the order of `resources`.
    actions: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindEntry {
    arns: Vec<String>,
    tags: bool,
}

struct Service {
    kinds: Vec<Kind>,
    actions: BTreeMap<String, Vec<usize>>,
}

static SERVICES: LazyLock<BTreeMap<String, Service>> = LazyLock::new(|| {
    let table: Table = serde_json::from_str(include_str!("actions.json"))
        .unwrap_or_else(|error| unreachable!("`actions.json` is generated, and cannot be read: {error}"));
    let kind = |(name, entry): (String, KindEntry)| Kind {
        name,
        arns: entry.arns.iter().map(|arn| Pattern::new(arn, false)).collect(),
        tags: entry.tags,
    };
    let service = |entry: ServiceEntry| Service {
        kinds: entry.resources.into_iter().map(kind).collect(),
        actions: entry.actions,
    };
    table.services.into_iter().map(|(name, entry)| (name, service(entry))).collect()
});

/// The actions that a pattern such as `s3:get*` stands for; `None` if the reference does not hold its service.
pub fn matching(pattern: &Pattern) -> Option<Vec<Action>> {
    let (service, name) = pattern.text().split_once(':')?;
    let known = SERVICES.get(service)?;
    let action = |name: &str, kinds: &[usize]| Action {
        name: format!("{service}:{name}"),
        kinds: kinds.iter().filter_map(|number| known.kinds.get(*number)).collect(),
    };
    if !pattern.has_wildcard() {
        return Some(known.actions.get(name).map(|kinds| action(name, kinds)).into_iter().collect());
    }
    let names = Pattern::new(name, false);
    let none = super::Context::default();
    let found = known.actions.iter().filter(|(name, _)| names.matches(name, &none));
    Some(found.map(|(name, kinds)| action(name, kinds)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_read() {
        let show = |pattern: &str| {
            let found = matching(&Pattern::new(pattern, false));
            found.map(|actions| {
                let kinds = |action: &Action| action.kinds.iter().map(|kind| kind.name.clone()).collect::<Vec<_>>();
                actions.iter().map(|action| format!("{} {:?}", action.name, kinds(action))).collect::<Vec<_>>()
            })
        };
        assert_eq!(show("elsewhere:get"), None);
        assert_eq!(show("s3:getsomething"), Some(vec![]));
        assert_eq!(show("s3:getobject").unwrap(), ["s3:getobject [\"accesspointobject\", \"object\"]"]);
        assert_eq!(
            show("cloudformation:describestackdrift*").unwrap(),
            ["cloudformation:describestackdriftdetectionstatus []"]
        );
    }
}
