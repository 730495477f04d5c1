//! The parameters of a stack and where their values come from, as the template says under `Metadata.pipectl.inputs`.

use crate::error::{Error, Result, did_you_mean};
use crate::yaml::{Node, Span};

use super::{RenderedStack, STACKS};

/// What the packaging makes, by the names under which templates ask for its keys.
pub const ARTIFACTS: [&str; 5] = ["shopify", "load", "clean", "transform", "library"];

/// A parameter whose value is known only when the stack is deployed.
#[derive(Debug, Clone)]
pub struct Input {
    pub parameter: String,
    pub from: InputSource,
    /// Where the template says so.
    pub span: Span,
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

/// Reads the inputs of a template. Fails with every one that cannot be understood, or that no parameter takes.
pub fn inputs(template: &Node) -> Result<Vec<Input>> {
    let (mut inputs, mut errors) = (Vec::new(), Vec::new());
    let parameters = template.get("Parameters").map_or(&[][..], Node::entries);
    for (key, node) in template.pointer("/Metadata/pipectl/inputs").map_or(&[][..], Node::entries) {
        if !parameters.iter().any(|(parameter, _)| parameter == key) {
            errors.push(
                Error::project(format!("an input for the unknown parameter `{}`", key.name))
                    .at(&key.span, "no parameter has this name")
                    .hint(did_you_mean(&key.name, parameters.iter().map(|(parameter, _)| parameter.name.as_str()))),
            );
        }
        match node.as_str().and_then(InputSource::parse) {
            Some(from) => inputs.push(Input { parameter: key.name.clone(), from, span: node.span.clone() }),
            None => errors.push(
                Error::project(format!("the input `{}` says not where its value comes from", key.name))
                    .at(&node.span, "")
                    .hint("write `output <stack>.<Output>`, `artifact <name>` or `document`"),
            ),
        }
    }
    for (key, node) in parameters {
        if node.get("Default").is_none() && !inputs.iter().any(|input| input.parameter == key.name) {
            errors.push(
                Error::project(format!("the parameter `{}` gets no value", key.name)).at(&key.span, "").hint(format!(
                    "add `{}: output <stack>.<Output>` under `Metadata.pipectl.inputs`, or give it a `Default`",
                    key.name
                )),
            );
        }
    }
    Error::all(errors)?;
    Ok(inputs)
}

/// Checks that every input names an output or an artifact that exists, and returns all that do not.
pub fn check(stacks: &[RenderedStack]) -> Vec<Error> {
    let mut errors = Vec::new();
    for input in stacks.iter().flat_map(|stack| &stack.inputs) {
        match &input.from {
            InputSource::Document => {}
            InputSource::Artifact { name } if ARTIFACTS.contains(&name.as_str()) => {}
            InputSource::Artifact { name } => errors.push(
                Error::project(format!("unknown artifact `{name}`"))
                    .at(&input.span, "nothing of this name is packaged")
                    .hint(did_you_mean(name, ARTIFACTS)),
            ),
            InputSource::Output { stack, output } => match stacks.iter().find(|known| known.name == *stack) {
                None => errors.push(
                    Error::project(format!("unknown stack `{stack}`"))
                        .at(&input.span, "no stack has this name")
                        .hint(did_you_mean(stack, STACKS)),
                ),
                Some(known) => {
                    let outputs = known.template.get("Outputs").map_or(&[][..], Node::entries);
                    if !outputs.iter().any(|(key, _)| key.name == *output) {
                        errors.push(
                            Error::project(format!("the stack `{stack}` has no output `{output}`"))
                                .at(&input.span, "no such output")
                                .hint(did_you_mean(output, outputs.iter().map(|(key, _)| key.name.as_str()))),
                        );
                    }
                }
            },
        }
    }
    errors
}
