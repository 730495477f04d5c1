//! Beside an aggregate stands only what the query groups by.

use std::collections::{HashMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::LazyLock;

use regex::Regex;
use sqlparser::ast::{Expr, OrderByExpr, Select, SelectItem, Spanned, WindowType};

use super::expression::arguments;
use super::query::is_number;
use super::scope::{ColumnRef, Scope, folded};
use super::{Checker, signatures};

static QUALIFIER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#""?[a-z_][a-z0-9_]*"?\s*\.\s*"#).ok());

/// What a query groups by.
#[derive(Default)]
struct Groups {
    texts: HashSet<String>,
    /// The kinds of expressions among the texts. Writing an expression out costs its length, and each of its parts is
    /// compared: only what can be equal is written out.
    forms: HashSet<Discriminant<Expr>>,
    columns: HashSet<ColumnRef>,
}

impl Checker<'_> {
    pub(super) fn grouping(&mut self, select: &Select, groups: &[Expr], order: &[OrderByExpr], scope: &Scope<'_>) {
        let items: Vec<&Expr> = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                    Some(expression)
                }
                _ => None,
            })
            .collect();
        let aggregates = items.iter().copied().chain(&select.having).any(has_aggregate);
        if (groups.is_empty() && !aggregates) || items.len() != select.projection.len() {
            return;
        }
        if scope.tables.iter().any(|table| table.columns.is_none()) {
            return;
        }
        let named = select.projection.iter().rev().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((folded(alias), expr)),
            _ => None,
        });
        let named: HashMap<String, &Expr> = named.collect();
        let mut known = Groups::default();
        for group in groups {
            known.add(group, scope);
            match group {
                Expr::Identifier(name) => {
                    if let Some(expression) = named.get(&folded(name)) {
                        known.add(expression, scope);
                    }
                }
                _ if is_number(group) => {
                    let position: usize = group.to_string().parse().unwrap_or_default();
                    match position.checked_sub(1).and_then(|position| items.get(position)) {
                        Some(expression) => known.add(expression, scope),
                        None => {
                            let message = format!("GROUP BY {position}: the list has {} columns", items.len());
                            self.wrong_at(group.span(), message, "no such column", "");
                        }
                    }
                }
                _ => {}
            }
        }
        for item in items.iter().copied().chain(&select.having) {
            self.grouped(item, &known, scope);
        }
        for key in order.iter().filter(|key| !is_number(&key.expr)) {
            self.grouped(&key.expr, &known, scope);
        }
    }

    fn grouped(&mut self, expression: &Expr, groups: &Groups, scope: &Scope<'_>) {
        if groups.forms.contains(&form(expression)) && groups.texts.contains(&normal(expression)) {
            return;
        }
        match expression {
            Expr::Identifier(name) => {
                let parts = std::slice::from_ref(name);
                if let Some(column) = scope.column_ref(parts)
                    && !groups.columns.contains(&column)
                    && !scope.aliases.contains_key(&folded(name))
                {
                    self.not_grouped(expression, &folded(name));
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some(column) = scope.column_ref(parts)
                    && !groups.columns.contains(&column)
                {
                    self.not_grouped(expression, &expression.to_string());
                }
            }
            Expr::Function(call) => {
                let name = call.name.to_string().to_lowercase();
                if signatures::is_aggregate(&name) && call.over.is_none() {
                    return;
                }
                let first = usize::from(signatures::takes_part(&name));
                for argument in arguments(call).into_iter().skip(first) {
                    self.grouped(argument, groups, scope);
                }
                if let Some(WindowType::WindowSpec(window)) = &call.over {
                    for part in window.partition_by.iter().chain(window.order_by.iter().map(|key| &key.expr)) {
                        self.grouped(part, groups, scope);
                    }
                }
            }
            other => {
                for inner in children(other) {
                    self.grouped(inner, groups, scope);
                }
            }
        }
    }

    fn not_grouped(&mut self, at: &Expr, name: &str) {
        let message = format!("`{name}` stands beside aggregates and is not in GROUP BY");
        self.wrong_at(
            at.span(),
            message,
            "which of the group's rows?",
            "add it to GROUP BY, or take MAX, MIN or ANY_VALUE of it",
        );
    }
}

impl Groups {
    fn add(&mut self, group: &Expr, scope: &Scope<'_>) {
        self.texts.insert(normal(group));
        self.forms.insert(form(group));
        match group {
            Expr::Identifier(name) => self.columns.extend(scope.column_ref(std::slice::from_ref(name))),
            Expr::CompoundIdentifier(parts) => self.columns.extend(scope.column_ref(parts)),
            Expr::Nested(inner) => self.add(inner, scope),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for item in sets.iter().flatten() {
                    self.add(item, scope);
                }
            }
            Expr::Tuple(items) => {
                for item in items {
                    self.add(item, scope);
                }
            }
            Expr::Function(call) if ["cube", "rollup"].contains(&call.name.to_string().to_lowercase().as_str()) => {
                for item in arguments(call) {
                    self.add(item, scope);
                }
            }
            _ => {}
        }
    }
}

/// An expression without the parentheses around it.
fn bare(mut expression: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    expression
}

fn form(expression: &Expr) -> Discriminant<Expr> {
    // `a` and `t.a` are equal as texts.
    match bare(expression) {
        Expr::CompoundIdentifier(parts) => {
            parts.last().map_or_else(|| discriminant(expression), |last| discriminant(&Expr::Identifier(last.clone())))
        }
        other => discriminant(other),
    }
}

/// An expression as text in which equal ones are equal, whatever they call a table.
fn normal(expression: &Expr) -> String {
    let expression = bare(expression);
    let text = expression.to_string().to_lowercase();
    match QUALIFIER.as_ref() {
        Some(pattern) => pattern.replace_all(&text, "").into_owned(),
        None => text,
    }
}

fn has_aggregate(expression: &Expr) -> bool {
    match expression {
        Expr::Function(call) => {
            let own = signatures::is_aggregate(&call.name.to_string().to_lowercase()) && call.over.is_none();
            own || arguments(call).into_iter().any(has_aggregate)
        }
        other => children(other).into_iter().any(has_aggregate),
    }
}

/// The expressions directly within another, those of queries within it not among them.
fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Convert { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::Trim { expr: inner, .. }
        | Expr::InSubquery { expr: inner, .. } => vec![&**inner],
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::Like { expr: left, pattern: right, .. }
        | Expr::ILike { expr: left, pattern: right, .. } => vec![&**left, &**right],
        Expr::Between { expr, low, high, .. } => vec![&**expr, &**low, &**high],
        Expr::InList { expr, list, .. } => std::iter::once(&**expr).chain(list).collect(),
        Expr::Case { operand, conditions, else_result, .. } => operand
            .iter()
            .chain(else_result)
            .map(|part| &**part)
            .chain(conditions.iter().flat_map(|when| [&when.condition, &when.result]))
            .collect(),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            std::iter::once(expr).chain(substring_from).chain(substring_for).map(|part| &**part).collect()
        }
        Expr::Tuple(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}
