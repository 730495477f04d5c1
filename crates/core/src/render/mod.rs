//! Spec and Handlebars templates to CloudFormation: a function of its input and of nothing else.

mod catalog;
mod context;
mod database;
mod engine;
mod forecast;
mod functions;
mod github;
mod input;
mod network;
mod owned;
mod survey;
mod warehouse;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::spec::{Map, Spec};
use crate::template::Template;
use crate::yaml::{Source, Span};

pub use forecast::{UNKNOWN, declared_resources, forecast};
pub use input::{Input, InputSource, declared};

/// The stacks by name, in the order of their reading; the order of deploying follows from their inputs.
pub const STACKS: [&str; 11] = [
    "bootstrap",
    "network",
    "iam",
    "storage",
    "warehouse",
    SOURCE_DATABASE,
    "ingest",
    "glue",
    "events",
    "monitoring",
    "analytics",
];

/// The stack that only a pipeline with a database to follow or to make has.
const SOURCE_DATABASE: &str = "source-database";

/// One rendered stack.
#[derive(Debug, Clone)]
pub struct RenderedStack {
    /// The name within the pipeline: `storage`.
    pub name: String,
    /// The name in the account: `shop-dev-storage`.
    pub stack_name: String,
    /// The template as it is deployed.
    pub text: String,
    /// The same, read.
    pub template: Template,
    /// The parameters and where their values come from.
    pub inputs: Vec<Input>,
    /// Tags of the stack, which CloudFormation hands on to its resources.
    pub tags: Map<String>,
    pub termination_protection: bool,
}

impl RenderedStack {
    /// The stacks whose outputs this one needs, without repetition.
    pub fn needs(&self) -> Vec<&str> {
        let mut needs = Vec::new();
        for input in &self.inputs {
            if let InputSource::Output { stack, .. } = &input.from
                && !needs.contains(&stack.as_str())
            {
                needs.push(stack);
            }
        }
        needs
    }
}

/// Where a template's text comes from: its path within the project (`templates/storage.yaml.hbs`) to its source.
pub type Templates<'a> = &'a dyn Fn(&str) -> Result<Option<Arc<Source>>>;

/// Renders all stacks, each after those that it needs. Fails with everything that is wrong in the templates.
pub fn stacks(spec: &Spec, templates: Templates<'_>) -> Result<Vec<RenderedStack>> {
    let names: Vec<&str> =
        STACKS.into_iter().filter(|name| *name != SOURCE_DATABASE || database::has_stack(spec)).collect();
    let engine = engine::Engine::load(&names, templates)?;
    let context = context::context(spec, templates)?;
    let (mut rendered, mut spans, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let render = |name: &&str| engine.render(name, &context).and_then(|text| stack(spec, name, &text));
    for result in engine::side_by_side(&names, render) {
        match result {
            Ok((stack, input_spans)) => {
                rendered.push(stack);
                spans.push(input_spans);
            }
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    Error::all(input::check(&rendered, &spans, &spec.pipeline.crates()))?;
    in_order(rendered)
}

/// Reads one stack's text; with each input comes the place that declares it.
fn stack(spec: &Spec, name: &str, text: &Arc<Source>) -> Result<(RenderedStack, Vec<Span>)> {
    let made_from = |error: Error| error.note(format!("`{}` is made from `templates/{name}.yaml.hbs`", text.name));
    let template = Template::parse(text).map_err(made_from)?;
    let (inputs, spans) = input::inputs(&template).map_err(made_from)?;
    let stack = RenderedStack {
        name: name.to_owned(),
        stack_name: spec.stack_name(name),
        text: text.text.clone(),
        template,
        inputs,
        tags: tags(spec),
        termination_protection: spec.environment.production,
    };
    Ok((stack, spans))
}

fn tags(spec: &Spec) -> Map<String> {
    let mut tags = spec.pipeline.tags.clone();
    tags.insert("pipectl:environment".into(), spec.environment_name.clone());
    tags.insert("pipectl:pipeline".into(), spec.pipeline.name.clone());
    tags.sort_unstable_keys();
    tags
}

fn in_order(mut stacks: Vec<RenderedStack>) -> Result<Vec<RenderedStack>> {
    let graph = Graph::new(stacks.iter().map(|stack| (stack.name.as_str(), stack.needs())))?;
    let order: Vec<String> = graph.order().into_iter().map(str::to_owned).collect();
    stacks.sort_by_key(|stack| order.iter().position(|name| *name == stack.name));
    Ok(stacks)
}

/// The stacks with a text of one template changed, which must stand in it: to see what notices.
#[cfg(any(test, feature = "testing"))]
pub fn edited(spec: &Spec, path: &str, from: &str, to: &str) -> Vec<RenderedStack> {
    let rendered = stacks(spec, &|requested| {
        let source = crate::testing::built_in(requested);
        Ok(match source {
            Some(source) if requested == path => {
                assert!(source.text.contains(from), "{from}");
                Some(Source::new(path, source.text.replacen(from, to, 1)))
            }
            source => source,
        })
    });
    rendered.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests;
