//! An order in which each follows all that it needs.

use crate::spec::Map;

/// Returns the names in an order in which each follows all that it needs, or the circle that forbids one.
///
/// What may stand anywhere keeps the order of the input, so that the same input always reads the same. Needs that are
/// no names of the map are passed over.
pub fn order(needs: &Map<Vec<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut visit = Visit { needs, path: Vec::new(), done: Vec::new() };
    for name in needs.keys() {
        visit.name(name)?;
    }
    Ok(visit.done.into_iter().map(str::to_owned).collect())
}

/// The names in groups that may run at the same time, each group after the one before it.
pub fn levels(needs: &Map<Vec<String>>) -> Result<Vec<Vec<String>>, Vec<String>> {
    let mut level: Map<usize> = Map::new();
    for name in order(needs)? {
        let below = needs.get(&name).into_iter().flatten().filter_map(|need| level.get(need)).max();
        let own = below.map_or(0, |below| below + 1);
        level.insert(name, own);
    }
    let mut groups = vec![Vec::new(); level.values().max().map_or(0, |most| most + 1)];
    for name in needs.keys() {
        groups[level[name]].push(name.clone());
    }
    Ok(groups)
}

struct Visit<'a> {
    needs: &'a Map<Vec<String>>,
    /// From the first name to the one that is being looked at.
    path: Vec<&'a str>,
    done: Vec<&'a str>,
}

impl<'a> Visit<'a> {
    fn name(&mut self, name: &'a str) -> Result<(), Vec<String>> {
        if self.done.contains(&name) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|known| *known == name) {
            let circle = self.path[start..].iter().chain([&name]);
            return Err(circle.map(|name| (*name).to_owned()).collect());
        }
        self.path.push(name);
        for need in self.needs.get(name).into_iter().flatten() {
            if let Some((need, _)) = self.needs.get_key_value(need) {
                self.name(need)?;
            }
        }
        self.path.pop();
        self.done.push(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"app<net,db net"`: `app` needs `net` and `db`.
    fn graph(text: &str) -> Map<Vec<String>> {
        text.split_whitespace()
            .map(|word| {
                let (name, needs) = word.split_once('<').unwrap_or((word, ""));
                (name.to_owned(), needs.split(',').filter(|need| !need.is_empty()).map(str::to_owned).collect())
            })
            .collect()
    }

    #[test]
    fn order_follows_needs_then_the_input() {
        for (input, expected) in [
            ("", Ok("")),
            ("b a", Ok("b a")),
            ("app<net net", Ok("net app")),
            ("d<b,c c<a b<a a", Ok("a b c d")),
            ("a<elsewhere", Ok("a")),
            ("a<a", Err("a a")),
            ("x a<b b<c c<a", Err("a b c a")),
        ] {
            let order = order(&graph(input));
            let order = order.as_ref().map(|names| names.join(" ")).map_err(|names| names.join(" "));
            assert_eq!(order, expected.map(str::to_owned).map_err(str::to_owned), "{input}");
        }
    }

    #[test]
    fn levels_run_together() {
        assert_eq!(levels(&graph("d<b,c c<a b<a a e")).unwrap(), [vec!["a", "e"], vec!["c", "b"], vec!["d"]]);
    }

    proptest::proptest! {
        /// Needs that only point back at earlier names have an order, and it respects every one of them.
        #[test]
        fn any_order_respects_every_need(edges in proptest::collection::vec((0_usize..20, 0_usize..20), 0..60)) {
            let mut needs: Map<Vec<String>> = (0..20).rev().map(|name| (name.to_string(), Vec::new())).collect();
            for (from, to) in edges {
                if to < from {
                    needs[&from.to_string()].push(to.to_string());
                }
            }
            let order = order(&needs).unwrap();
            let place = |name: &str| order.iter().position(|known| known == name).unwrap();
            for (name, needs) in &needs {
                for need in needs {
                    assert!(place(need) < place(name));
                }
            }
            assert_eq!(order.len(), needs.len());
        }
    }
}
