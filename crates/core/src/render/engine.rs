//! Handlebars as we use it: strict, without escaping, and with errors that point into the template.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, Template, TemplateError, handlebars_helper,
};
use serde_json::Value;

use crate::error::{Error, Result, did_you_mean};
use crate::limits::{RENDERED_BYTES, on_deep_stack};
use crate::yaml::{Source, Span};

use super::Templates;
use super::survey::{Uses, check_partials, survey};

/// The templates of all stacks with their partials, compiled once.
pub(super) struct Engine {
    registry: Handlebars<'static>,
    /// The sources by the name under which they are registered: a stack's or a partial's.
    sources: BTreeMap<String, Arc<Source>>,
}

impl Engine {
    /// Compiles the templates of these stacks and every partial that they use. Fails with each that cannot be.
    pub(super) fn load(stacks: &[&str], templates: Templates<'_>) -> Result<Self> {
        Self::load_with(stacks, templates, compile)
    }

    /// The same, with each template compiled in one piece.
    #[cfg(test)]
    pub(super) fn load_whole(stacks: &[&str], templates: Templates<'_>) -> Result<Self> {
        Self::load_with(stacks, templates, |name, source| Template::compile_with_name(&source.text, name.to_owned()))
    }

    fn load_with(
        stacks: &[&str],
        templates: Templates<'_>,
        compile: impl Fn(&str, &Source) -> Result<Template, TemplateError> + Sync,
    ) -> Result<Self> {
        let sources = collect(stacks, templates)?;
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(handlebars::no_escape);
        registry.register_helper("concat", Box::new(concat));
        registry.register_helper("if", Box::new(Branch { when: true }));
        registry.register_helper("quote", Box::new(quote));
        registry.register_helper("unless", Box::new(Branch { when: false }));
        let mut errors = Vec::new();
        let names: Vec<(&String, &Arc<Source>)> = sources.iter().collect();
        let compiled = side_by_side(&names, |(name, source)| {
            // A tree that is too deep is dropped here, where there is room for it.
            on_deep_stack(|| {
                let template = compile(name, source).map_err(|error| syntax(source, &error))?;
                let mut uses = Uses::new();
                survey(name, &template, source, &mut uses).map(|()| (template, uses))
            })
        });
        let mut uses = Uses::new();
        for ((name, _), compiled) in names.iter().zip(compiled) {
            match compiled {
                Ok((template, used)) => {
                    registry.register_template(name, template);
                    for (name, mut partials) in used {
                        uses.entry(name).or_default().append(&mut partials);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        Error::all(errors)?;
        check_partials(&uses)?;
        Ok(Self { registry, sources })
    }

    /// Renders one stack's template. The text ends with one newline and has no spaces at the ends of its lines.
    pub(super) fn render(&self, name: &str, context: &Context) -> Result<Arc<Source>> {
        let mut text = Bounded::default();
        let rendered = on_deep_stack(|| self.registry.render_with_context_to_write(name, context, &mut text));
        if text.full {
            let message = format!("the template `{name}` renders more than {RENDERED_BYTES} bytes");
            return Err(Error::project(message).hint("CloudFormation takes 1 MB: check loops within loops"));
        }
        rendered.map_err(|error| self.problem(name, context.data(), &error))?;
        let text = String::from_utf8_lossy(&text.bytes);
        let mut clean = String::with_capacity(text.len());
        for line in text.trim_end().lines() {
            clean.push_str(line.trim_end());
            clean.push('\n');
        }
        Ok(Source::new(format!("{name}.yaml"), clean))
    }

    fn problem(&self, name: &str, known: &Value, error: &RenderError) -> Error {
        let source = error.template_name.as_deref().and_then(|name| self.sources.get(name));
        let source = source.or_else(|| self.sources.get(name));
        let (message, hint) = match error.reason() {
            RenderErrorReason::MissingVariable(path) => {
                let path = path.as_deref().unwrap_or("?");
                (format!("the template `{name}` uses the unknown variable `{path}`"), nearest(known, path))
            }
            RenderErrorReason::HelperNotFound(helper) => (
                format!("the template `{name}` uses the unknown helper `{helper}`"),
                did_you_mean(helper, ["concat", "each", "if", "lookup", "quote", "unless", "with"]),
            ),
            reason => {
                (format!("the template `{name}` cannot be rendered: {reason}"), "fix the template here".to_owned())
            }
        };
        let error_at = match (source, error.line_no, error.column_no) {
            (Some(source), Some(line), Some(column)) => Some(tag(source, line, column)),
            _ => None,
        };
        let problem = Error::project(message);
        let problem = match error_at {
            Some(span) => problem.at(&span, ""),
            None => problem,
        };
        problem.hint(hint)
    }
}

/// What a template renders, up to a limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > RENDERED_BYTES {
            self.full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads the templates of these stacks and every partial that they use.
fn collect(stacks: &[&str], templates: Templates<'_>) -> Result<BTreeMap<String, Arc<Source>>> {
    let (mut sources, mut errors) = (BTreeMap::new(), Vec::new());
    let mut pending: Vec<(String, String, Option<Span>)> =
        stacks.iter().rev().map(|name| ((*name).to_owned(), format!("templates/{name}.yaml.hbs"), None)).collect();
    while let Some((name, path, used)) = pending.pop() {
        if sources.contains_key(&name) {
            continue;
        }
        match templates(&path) {
            Ok(Some(source)) => {
                for (partial, span) in partials(&source) {
                    let path = format!("templates/partials/{partial}.yaml.hbs");
                    pending.push((partial, path, Some(span)));
                }
                sources.insert(name, source);
            }
            Ok(None) => {
                let error = Error::project(format!("the template `{path}` is missing"))
                    .hint(format!("write `{path}`, or take its use out"));
                errors.push(match used {
                    Some(span) => error.at(&span, "is used here"),
                    None => error,
                });
            }
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors)?;
    Ok(sources)
}

/// Compiles a template piece by piece.
///
/// For each tag Handlebars counts the lines from the start of the text, so that a long template takes time with the
/// square of its length. Where a piece cannot stand alone the text is compiled as a whole, which also finds the error.
fn compile(name: &str, source: &Source) -> Result<Template, TemplateError> {
    let mut whole = Template::default();
    whole.name = Some(name.to_owned());
    let mut lines = 0;
    for piece in pieces(&source.text) {
        let Ok(mut compiled) = Template::compile(piece) else {
            return Template::compile_with_name(&source.text, name.to_owned());
        };
        for mapping in &mut compiled.mapping {
            mapping.0 += lines;
        }
        whole.elements.append(&mut compiled.elements);
        whole.mapping.append(&mut compiled.mapping);
        lines += piece.matches('\n').count();
    }
    Ok(whole)
}

/// Cuts a template at lines that no block encloses.
fn pieces(text: &str) -> Vec<&str> {
    const ENOUGH: usize = 800;
    let (mut pieces, mut start, mut end, mut depth) = (Vec::new(), 0, 0, 0_usize);
    for line in text.split_inclusive('\n') {
        end += line.len();
        depth = (depth + line.matches("{{#").count()).saturating_sub(line.matches("{{/").count());
        if depth == 0 && end - start > ENOUGH {
            pieces.push(&text[start..end]);
            start = end;
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// Does the same to each item on as many cores as there are, and returns the results in the order of the items.
pub(super) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            match items.get(index) {
                Some(item) => done.push((index, work(item))),
                None => return done,
            }
        }
    };
    let mut results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(share)).collect();
        let mut results = share();
        for other in others {
            match other.join() {
                Ok(done) => results.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A hint for a variable that is not there: the nearest of those beside it.
fn nearest(known: &Value, path: &str) -> String {
    let mut scope = known;
    for name in path.split('.') {
        let Value::Object(names) = scope else { break };
        match names.get(name) {
            Some(below) => scope = below,
            None => return did_you_mean(name, names.keys().map(String::as_str)),
        }
    }
    "use a key of `stacks/pipeline.yaml`: they are below `pipeline`".to_owned()
}

fn syntax(source: &Arc<Source>, error: &TemplateError) -> Error {
    let problem = Error::project(format!("`{}` is not a valid Handlebars template", source.name));
    let problem = match error.pos() {
        Some((line, column)) => problem.at(&tag(source, line, column), "cannot be read from here on"),
        None => problem.note(error.reason().to_string()),
    };
    problem.hint("close every `{{#…}}` with its `{{/…}}`, and every `{{` with `}}`")
}

/// From a place to the end of the tag that begins there, or of the line.
pub(super) fn tag(source: &Arc<Source>, line: usize, column: usize) -> Span {
    let rest = Span::at_line(source, line, column);
    let length = rest.text().find("}}").map_or(rest.text().len(), |at| at + 2);
    let start = rest.text().as_ptr() as usize - source.text.as_ptr() as usize;
    Span::new(source, start, start + length)
}

/// The partials that a template uses, with the place of their first use.
fn partials(source: &Arc<Source>) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    for (start, _) in source.text.match_indices("{{>") {
        let rest = &source.text[start + 3..];
        let indent = rest.len() - rest.trim_start().len();
        let name: String =
            rest[indent..].chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
        if !found.iter().any(|(known, _)| *known == name) {
            let at = start + 3 + indent;
            let span = Span::new(source, at, at + name.len());
            found.push((name, span));
        }
    }
    found
}

// `{{quote x}}`: any text as a YAML string, with quotes and escapes.
handlebars_helper!(quote: |text: Value| Value::to_string(&text));

// `{{concat a b}}`: two texts in one.
handlebars_helper!(concat: |first: str, second: str| format!("{first}{second}"));

/// `{{#if x}}` and `{{#unless x}}`. Handlebars' own take an unknown variable for false, even in strict mode.
#[derive(Clone, Copy)]
struct Branch {
    when: bool,
}

impl HelperDef for Branch {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render_context: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let parameter = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if parameter.is_value_missing() {
            return Err(RenderError::strict_error(parameter.relative_path()));
        }
        let branch = if parameter.value().is_truthy(false) == self.when { helper.template() } else { helper.inverse() };
        branch.map_or(Ok(()), |branch| branch.render(registry, context, render_context, out))
    }
}
