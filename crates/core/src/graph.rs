//! Who needs whom: an order in which each follows all that it needs, or the cycle that forbids one.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result, did_you_mean};

/// Names, and the names that each of them needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    names: Vec<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Builds a graph. Fails with every need that is not among the names, or with a cycle.
    pub fn new<N, I>(nodes: impl IntoIterator<Item = (N, I)>) -> Result<Self>
    where
        N: Into<String>,
        I: IntoIterator<Item = N>,
    {
        let mut graph = Self::default();
        for (name, needs) in nodes {
            let name = name.into();
            graph.needs.insert(name.clone(), needs.into_iter().map(Into::into).collect());
            graph.names.push(name);
        }
        let unknown = graph.needs.iter().flat_map(|(name, needs)| {
            needs.iter().filter(|need| !graph.needs.contains_key(*need)).map(move |need| (name, need))
        });
        Error::all(unknown.map(|(name, need)| {
            Error::project(format!("`{name}` needs `{need}`, which does not exist"))
                .hint(did_you_mean(need, graph.names.iter().map(String::as_str)))
        }))?;
        match graph.cycle() {
            Some(cycle) => Err(Error::project(format!("`{}` depend on each other in a cycle", cycle.join("` → `")))
                .hint("remove one of these dependencies: each must be complete before the next can start")),
            None => Ok(graph),
        }
    }

    /// The names, in the order in which they were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What a name needs, directly.
    pub fn needs(&self, name: &str) -> impl Iterator<Item = &str> {
        self.needs.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether all that a name needs is among `done`.
    pub fn ready(&self, name: &str, done: &BTreeSet<String>) -> bool {
        self.needs.get(name).is_none_or(|needs| needs.is_subset(done))
    }

    /// The graph with every arrow turned round, and the names in reverse.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut needs: BTreeMap<String, BTreeSet<String>> =
            self.names.iter().map(|name| (name.clone(), BTreeSet::new())).collect();
        for (name, needed) in self.needs.iter().flat_map(|(name, all)| all.iter().map(move |need| (name, need))) {
            needs.entry(needed.clone()).or_default().insert(name.clone());
        }
        Self { names: self.names.iter().rev().cloned().collect(), needs }
    }

    /// An order in which each name follows all it needs; names that are free keep the order in which they were given.
    pub fn order(&self) -> Vec<&str> {
        let mut done = BTreeSet::new();
        let mut order = Vec::with_capacity(self.names.len());
        while let Some(name) = self.names.iter().find(|name| !done.contains(*name) && self.ready(name, &done)) {
            done.insert(name.clone());
            order.push(name.as_str());
        }
        order
    }

    /// A circle of names, its first name repeated at the end.
    fn cycle(&self) -> Option<Vec<&str>> {
        let ordered: BTreeSet<&str> = self.order().into_iter().collect();
        let left = |name: &str| !ordered.contains(name);
        let mut path = vec![self.names.iter().map(String::as_str).find(|name| left(name))?];
        // What is left without an order needs something that is left too, so following needs must close a circle.
        loop {
            let next = self.needs(path.last()?).find(|need| left(need))?;
            if let Some(start) = path.iter().position(|name| *name == next) {
                path.push(next);
                return Some(path.split_off(start));
            }
            path.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `"b<a,c d"` reads: `b` needs `a` and `c`; `d` needs nothing.
    fn graph(text: &str) -> Result<Graph> {
        Graph::new(text.split_whitespace().map(|node| {
            let (name, needs) = node.split_once('<').unwrap_or((node, ""));
            (name, needs.split(',').filter(|need| !need.is_empty()).collect::<Vec<_>>())
        }))
    }

    #[test]
    fn order_follows_needs_then_the_given_order() {
        for (nodes, expected) in [
            ("", ""),
            ("b a", "b a"),
            ("app<net net", "net app"),
            ("d<b,c c<a b<a a", "a c b d"),
            ("bootstrap network storage iam<storage", "bootstrap network storage iam"),
        ] {
            assert_eq!(graph(nodes).unwrap().order().join(" "), expected, "nodes: {nodes}");
        }
    }

    #[test]
    fn reversed_order_is_for_deletion() {
        assert_eq!(graph("a b<a c<b d").unwrap().reversed().order().join(" "), "d c b a");
    }

    #[test]
    fn cycles_and_unknown_needs_are_named() {
        insta::assert_snapshot!(graph("a<c b<a c<b d<a").unwrap_err(), @"
        error: `a` → `c` → `b` → `a` depend on each other in a cycle
        = hint: remove one of these dependencies: each must be complete before the next can start
        ");
        insta::assert_snapshot!(graph("storage iam<storge").unwrap_err(), @"
        error: `iam` needs `storge`, which does not exist
        = hint: did you mean `storage`?
        ");
    }

    proptest! {
        #[test]
        fn any_order_respects_every_need(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
            // Needs that point only to smaller numbers make no circle.
            let nodes = (0..12).rev().map(|node| {
                let needs: Vec<String> = edges
                    .iter()
                    .filter(|(from, to)| *from == node && to < from)
                    .map(|(_, to)| to.to_string())
                    .collect();
                (node.to_string(), needs)
            });
            let graph = Graph::new(nodes).unwrap();
            let order = graph.order();
            prop_assert_eq!(order.len(), 12);
            for (at, name) in order.iter().enumerate() {
                for need in graph.needs(name) {
                    prop_assert!(order[..at].contains(&need));
                }
            }
        }
    }
}
