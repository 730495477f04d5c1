//! What a compiled Handlebars template would do to the stack and the clock: how deep it is nested, and which partials it
//! renders. A partial that uses itself would be rendered for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use handlebars::Template;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::limits::{TEMPLATE_NESTING, TEMPLATE_PARTIALS};
use crate::yaml::{Source, Span};

/// The partials that each template uses, once for each use.
pub(super) type Uses = BTreeMap<String, Vec<String>>;

/// Notes which partials a template uses. Fails where it is nested too deep.
pub(super) fn survey(name: &str, template: &Template, source: &Arc<Source>, uses: &mut Uses) -> Result<()> {
    let mut survey = Survey { source, uses, deepest: Span::new(source, 0, 0), computed: None };
    let fits = survey.template(name, template, 0);
    if let Some(computed) = survey.computed {
        return Err(Error::project("the name of a partial must be written out, not computed")
            .at(&computed, "may be any partial, this one too")
            .hint("write `{{#if x}}{{> one}}{{else}}{{> other}}{{/if}}`"));
    }
    if fits {
        return Ok(());
    }
    Err(Error::project(format!("`{}` is nested more than {TEMPLATE_NESTING} levels deep", source.name))
        .at(&survey.deepest, "too deep in here")
        .hint("put inner blocks into a partial: `{{> name}}`"))
}

struct Survey<'a> {
    source: &'a Arc<Source>,
    uses: &'a mut Uses,
    /// The innermost tag so far.
    deepest: Span,
    /// A use of a partial whose name is computed.
    computed: Option<Span>,
}

impl Survey<'_> {
    /// Whether a template is within the limit; `name` is who uses its partials.
    fn template(&mut self, name: &str, template: &Template, depth: usize) -> bool {
        if depth > TEMPLATE_NESTING {
            return false;
        }
        template.elements.iter().enumerate().all(|(index, element)| {
            // Not every element has a position: `{{else if}}` has that of the block.
            if let (Some(at), false) = (template.mapping.get(index), matches!(element, TemplateElement::RawString(_))) {
                self.deepest = super::engine::tag(self.source, at.0, at.1);
            }
            self.element(name, element, depth)
        })
    }

    fn element(&mut self, name: &str, element: &TemplateElement, depth: usize) -> bool {
        match element {
            TemplateElement::HtmlExpression(helper)
            | TemplateElement::Expression(helper)
            | TemplateElement::HelperBlock(helper) => {
                let HelperTemplate { name: called, params, hash, template, inverse, .. } = &**helper;
                self.parameters(name, std::iter::once(called).chain(params).chain(hash.values()), depth)
                    && [template, inverse].into_iter().flatten().all(|inner| self.template(name, inner, depth + 1))
            }
            TemplateElement::DecoratorExpression(decorator) | TemplateElement::DecoratorBlock(decorator) => {
                // `{{#*inline "x"}}` defines a partial.
                let defined = match decorator.params.first() {
                    Some(Parameter::Literal(Value::String(defined))) => defined.clone(),
                    _ => name.to_owned(),
                };
                self.decorator(&defined, decorator, depth)
            }
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                let used = match &partial.name {
                    Parameter::Literal(Value::String(used)) => Some(used.as_str()),
                    other => other.as_name(),
                };
                let Some(used) = used.map(str::to_owned) else {
                    self.computed = Some(self.deepest.clone());
                    return false;
                };
                // `@partial-block` is what the caller has given.
                if !used.starts_with('@') {
                    self.uses.entry(name.to_owned()).or_default().push(used);
                }
                self.decorator(name, partial, depth)
            }
            _ => true,
        }
    }

    fn decorator(&mut self, name: &str, decorator: &DecoratorTemplate, depth: usize) -> bool {
        let DecoratorTemplate { name: called, params, hash, template, .. } = decorator;
        self.parameters(name, std::iter::once(called).chain(params).chain(hash.values()), depth)
            && template.iter().all(|inner| self.template(name, inner, depth + 1))
    }

    fn parameters<'p>(
        &mut self,
        name: &str,
        mut parameters: impl Iterator<Item = &'p Parameter>,
        depth: usize,
    ) -> bool {
        depth <= TEMPLATE_NESTING
            && parameters.all(|parameter| match parameter {
                Parameter::Literal(value) => fits(value, depth),
                Parameter::Subexpression(inner) => self.element(name, &inner.element, depth + 1),
                _ => true,
            })
    }
}

/// Whether a list or mapping in a tag is within the limit.
fn fits(value: &Value, depth: usize) -> bool {
    depth <= TEMPLATE_NESTING
        && match value {
            Value::Array(items) => items.iter().all(|item| fits(item, depth + 1)),
            Value::Object(entries) => entries.values().all(|item| fits(item, depth + 1)),
            _ => true,
        }
}

/// Fails if a partial uses itself, or if partials that use each other render too many.
pub(super) fn check_partials(uses: &Uses) -> Result<()> {
    let mut sizes = BTreeMap::new();
    let wrong = uses.keys().filter_map(|name| rendered(name, uses, &mut vec![name.as_str()], &mut sizes).err());
    // A cycle is found from each of its partials.
    let mut wrong: BTreeSet<String> = wrong.collect();
    Error::all(wrong.pop_first().map(|message| Error::project(message).hint("take one of these uses out")))
}

/// How many templates are rendered for one.
fn rendered<'a>(
    name: &'a str,
    uses: &'a Uses,
    path: &mut Vec<&'a str>,
    sizes: &mut BTreeMap<&'a str, usize>,
) -> Result<usize, String> {
    if let Some(known) = sizes.get(name) {
        return Ok(*known);
    }
    if path.len() > TEMPLATE_NESTING {
        return Err(format!("partials use each other more than {TEMPLATE_NESTING} levels deep, from `{}` on", path[0]));
    }
    let mut all = 1_usize;
    for used in uses.get(name).into_iter().flatten() {
        if let Some(start) = path.iter().position(|above| above == used) {
            return Err(format!("the partial `{used}` uses itself: {} → {used}", path[start..].join(" → ")));
        }
        path.push(used);
        all = all.saturating_add(rendered(used, uses, path, sizes)?);
        path.pop();
        if all > TEMPLATE_PARTIALS {
            return Err(format!("the template `{name}` renders more than {TEMPLATE_PARTIALS} partials"));
        }
    }
    sizes.insert(name, all);
    Ok(all)
}
