//! The stacks of a run: their desired state, their order, and the outputs of stacks outside of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::BOOTSTRAP;
use crate::error::Result;
use crate::graph::Graph;
use crate::plan::deployed::Stack;
use crate::plan::stack_parameters::Outputs;
use crate::render::RenderedStack;

/// The stacks that a run deploys.
#[derive(Debug)]
pub(super) struct Stacks {
    /// In an order in which each stack follows all that it needs.
    names: Vec<String>,
    by_name: BTreeMap<String, Arc<RenderedStack>>,
    /// Outputs of stacks that are not part of the run.
    imported: Outputs,
    /// The full names of stacks that did not exist when the run last checked, until it begins to create them.
    absent: Mutex<BTreeSet<String>>,
}

impl Stacks {
    /// The stacks in an order in which each follows all that it needs.
    pub(super) fn new(stacks: Vec<RenderedStack>, imported: Outputs) -> Self {
        Self {
            names: stacks.iter().map(|stack| stack.name.clone()).collect(),
            by_name: stacks.into_iter().map(|stack| (stack.name.clone(), Arc::new(stack))).collect(),
            imported,
            absent: Mutex::default(),
        }
    }

    /// The names in deploy order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<RenderedStack>> {
        self.by_name.get(name).cloned()
    }

    /// All stacks, by name.
    pub(super) fn by_name(&self) -> &BTreeMap<String, Arc<RenderedStack>> {
        &self.by_name
    }

    /// All stacks in deploy order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Arc<RenderedStack>> {
        self.names.iter().filter_map(|name| self.by_name.get(name))
    }

    /// Outputs of stacks that are not part of the run.
    pub(super) fn imported(&self) -> &Outputs {
        &self.imported
    }

    /// The graph in which stacks are read: each waits for the stacks that it needs.
    pub(super) fn read_graph(&self) -> Result<Graph> {
        self.graph(false)
    }

    /// The graph in which stacks change: all wait for the bootstrap stack as well, which creates the artifact bucket.
    pub(super) fn change_graph(&self) -> Result<Graph> {
        self.graph(self.contains(BOOTSTRAP))
    }

    fn graph(&self, bootstrap_first: bool) -> Result<Graph> {
        Graph::new(self.names.iter().map(|name| {
            let needs = self.by_name.get(name).into_iter().flat_map(|stack| stack.needs());
            let mut needs: Vec<&str> = needs.filter(|need| self.contains(need)).collect();
            if bootstrap_first && name != BOOTSTRAP {
                needs.push(BOOTSTRAP);
            }
            (name.as_str(), needs)
        }))
    }

    /// The common prefix of the full names of the stacks.
    pub(super) fn name_prefix(&self) -> Option<String> {
        let (name, stack) = self.by_name.iter().next()?;
        stack.stack_name.strip_suffix(name.as_str()).map(str::to_owned)
    }

    /// Whether a deployed stack has the tags that mark the stacks of the environment.
    pub(super) fn share_tags_with(&self, stack: &Stack) -> bool {
        let ours = self.by_name.values().flat_map(|stack| &stack.tags).filter(|(name, _)| name.starts_with("pipectl:"));
        let mut ours = ours.peekable();
        ours.peek().is_some() && ours.all(|(name, value)| stack.tags.get(name) == Some(value))
    }

    /// Remembers that a stack, by its full name, does not exist.
    pub(super) fn mark_absent(&self, stack_name: &str) {
        self.absent().insert(stack_name.to_owned());
    }

    /// Whether a stack did not exist when the run last checked. The answer is given once: the stack is about to be created.
    pub(super) fn take_absent(&self, stack_name: &str) -> bool {
        self.absent().remove(stack_name)
    }

    fn absent(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
