//! What becomes of a rehearsal's calls when a permission is taken out of the templates.

use super::{Authorizer, Denial, Policies};

impl Authorizer {
    /// Evaluates all recorded requests again with changed policies and returns the denials.
    pub fn again(&self, change: impl FnOnce(&mut Policies)) -> Vec<Denial> {
        let mut policies = self.0.policies.clone();
        change(&mut policies);
        let changed = Self::by(policies);
        let asked = self.memory().asked.clone();
        for request in &asked {
            let _ = changed.ask(request);
        }
        let memory = changed.memory();
        memory.denials.clone()
    }

    /// Takes out each permission of a role that was used, one by one: every time that very call must be denied.
    /// Answers what was denied, by statement and action.
    pub fn without_each_grant(&self) -> Vec<(String, Vec<Denial>)> {
        let used: Vec<(String, usize, usize)> = self.memory().used.iter().cloned().collect();
        let of_roles = used.into_iter().filter(|(of, _, _)| self.0.policies.roles.contains_key(of));
        of_roles
            .map(|(of, statement, action)| {
                let found = &self.0.policies.roles[&of].statements[statement];
                let name = format!("{of} {} {}", found.sid.as_deref().unwrap_or(""), found.actions.patterns[action]);
                let denials = self.again(|policies| {
                    let role = policies.roles.get_mut(&of).expect("a role that made a call");
                    role.statements[statement].actions.patterns.remove(action);
                });
                (name, denials)
            })
            .collect()
    }
}
