//! The parameters of a stack and where their values come from, as the template says under `Metadata.pipectl.inputs`.

use pipectl_contract::names::Artifact;

use crate::error::{Error, Result, did_you_mean};
use crate::template::Template;
use crate::yaml::{Node, Span};

use super::{RenderedStack, STACKS};

/// A parameter whose value is known only when the stack is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub parameter: String,
    pub from: InputSource,
}

/// Where a parameter's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// An output of another stack.
    Output { stack: String, output: String },
    /// The key of a packaged artifact.
    Artifact { name: String },
    /// The key of the pipeline document.
    Document,
}

impl InputSource {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let source = match (words.next()?, words.next()) {
            ("document", None) => Self::Document,
            ("artifact", Some(name)) => Self::Artifact { name: name.to_owned() },
            ("output", Some(path)) => {
                let (stack, output) = path.split_once('.')?;
                Self::Output { stack: stack.to_owned(), output: output.to_owned() }
            }
            _ => return None,
        };
        words.next().is_none().then_some(source)
    }
}

/// Reads the inputs of a template, and the place of each. Fails with every one that cannot be understood, or that no parameter takes.
pub(super) fn inputs(template: &Template) -> Result<(Vec<Input>, Vec<Span>)> {
    let (mut inputs, mut spans, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let declared = template.metadata.as_ref().and_then(|metadata| metadata.pointer("/pipectl/inputs"));
    for (key, node) in declared.map_or(&[][..], Node::entries) {
        if template.parameter(&key.name).is_none() {
            errors.push(
                Error::project(format!("an input for the unknown parameter `{}`", key.name))
                    .at(&key.span, "no parameter has this name")
                    .hint(did_you_mean(&key.name, template.parameters.iter().map(|parameter| parameter.name.as_str()))),
            );
        }
        match node.as_str().and_then(InputSource::parse) {
            Some(from) => {
                inputs.push(Input { parameter: key.name.clone(), from });
                spans.push(node.span.clone());
            }
            None => errors.push(
                Error::project(format!("the input `{}` has no valid source", key.name))
                    .at(&node.span, "")
                    .hint("write `output <stack>.<Output>`, `artifact <name>` or `document`"),
            ),
        }
    }
    for parameter in &template.parameters {
        let name = &parameter.name;
        if parameter.default.is_none() && !inputs.iter().any(|input| input.parameter == *name) {
            errors.push(Error::project(format!("the parameter `{name}` gets no value")).at(&parameter.span, "").hint(
                format!(
                    "add `{name}: output <stack>.<Output>` under `Metadata.pipectl.inputs`, or give it a `Default`"
                ),
            ));
        }
    }
    Error::all(errors)?;
    Ok((inputs, spans))
}

/// The parameters of a template, deployed by whatever version of pipectl, that take an output of a stack, each with the
/// output.
pub fn declared(template: &Template, stack: &str) -> Vec<(String, String)> {
    let inputs = template.metadata.as_ref().and_then(|metadata| metadata.pointer("/pipectl/inputs"));
    let input = |(key, node): &(crate::yaml::Key, Node)| match InputSource::parse(node.as_str()?)? {
        InputSource::Output { stack: from, output } if from == stack => Some((key.name.clone(), output)),
        _ => None,
    };
    inputs.map_or(&[][..], Node::entries).iter().filter_map(input).collect()
}

/// Checks that every input names an output or an artifact that exists, and returns all that do not. `own` are the
/// crates of the user's own sources.
pub(super) fn check(stacks: &[RenderedStack], spans: &[Vec<Span>], own: &[&str]) -> Vec<Error> {
    let artifacts = || Artifact::ALL.map(Artifact::as_str).into_iter().chain(own.iter().copied());
    let mut errors = Vec::new();
    let inputs = stacks.iter().flat_map(|stack| &stack.inputs);
    for (input, span) in inputs.zip(spans.iter().flatten()) {
        match &input.from {
            InputSource::Document => {}
            InputSource::Artifact { name } if artifacts().any(|known| known == name) => {}
            InputSource::Artifact { name } => errors.push(
                Error::project(format!("unknown artifact `{name}`"))
                    .at(span, "nothing of this name is packaged")
                    .hint(did_you_mean(name, artifacts())),
            ),
            InputSource::Output { stack, output } => match stacks.iter().find(|known| known.name == *stack) {
                None => errors.push(
                    Error::project(format!("unknown stack `{stack}`"))
                        .at(span, "no stack has this name")
                        .hint(did_you_mean(stack, STACKS)),
                ),
                Some(known) => {
                    if known.template.output(output).is_none() {
                        let outputs = known.template.outputs.iter().map(|output| output.name.as_str());
                        errors.push(
                            Error::project(format!("the stack `{stack}` has no output `{output}`"))
                                .at(span, "no such output")
                                .hint(did_you_mean(output, outputs)),
                        );
                    }
                }
            },
        }
    }
    errors
}
