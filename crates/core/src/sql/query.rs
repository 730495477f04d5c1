//! Queries: what they read, and the columns that they make.

use std::collections::HashSet;
use std::sync::Arc;

use sqlparser::ast::{
    Expr, GroupByExpr, JoinConstraint, JoinOperator, ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Spanned, TableAlias, TableFactor, TableWithJoins,
    WildcardAdditionalOptions,
};

use super::scope::{Bound, Scope, folded};
use super::{Checker, Column, Dialect, Kind, span_of};
use crate::error::{Error, did_you_mean};
use crate::yaml::{Source, Span};

impl Checker<'_> {
    /// Checks a query within another, or by itself. Answers its columns, where they can be told.
    pub(super) fn query(&mut self, query: &Query, parent: Option<&Scope<'_>>) -> Option<Vec<Column>> {
        let mut scope = Scope { parent, ..Scope::default() };
        if let Some(with) = &query.with {
            for table in &with.cte_tables {
                let name = folded(&table.alias.name);
                let named = |columns: Option<Vec<Column>>| renamed(columns, &table.alias);
                if with.recursive {
                    // The first part of a recursive table says what the others have.
                    let names =
                        table.alias.columns.iter().map(|column| Column::new(folded(&column.name), Kind::Unknown));
                    let names: Vec<Column> = names.collect();
                    scope.with.push((name.clone(), (!names.is_empty()).then_some(names)));
                }
                let columns = named(self.query(&table.query, Some(&scope)));
                scope.with.push((name, columns));
            }
        }
        let order: &[OrderByExpr] = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(order)) => order,
            _ => &[],
        };
        self.body(&query.body, &scope, order)
    }

    fn body(&mut self, body: &SetExpr, scope: &Scope<'_>, order: &[OrderByExpr]) -> Option<Vec<Column>> {
        match body {
            SetExpr::Select(select) => self.select(select, scope, order),
            SetExpr::Query(query) => self.query(query, Some(scope)),
            SetExpr::SetOperation { left, op, right, .. } => {
                let first = self.body(left, scope, &[]);
                let second = self.body(right, scope, &[]);
                let (Some(mut first), Some(second)) = (first, second) else { return None };
                if first.len() != second.len() {
                    self.wrong_at(
                        right.span(),
                        format!("{op} of {} and {} columns", first.len(), second.len()),
                        "another number of columns",
                        "both sides must have the same columns",
                    );
                    return None;
                }
                for (one, other) in first.iter_mut().zip(&second) {
                    if self.dialect == Dialect::Redshift && one.kind.clashes(other.kind) {
                        let message = format!("{op} of {} and {} in the column `{}`", one.kind, other.kind, one.name);
                        self.wrong_at(right.span(), message, "", "cast one of them");
                    }
                    one.kind = one.kind.wider(other.kind);
                }
                Some(first)
            }
            SetExpr::Values(values) => {
                let mut columns = Vec::new();
                for row in &values.rows {
                    let kinds: Vec<Kind> = row.content.iter().map(|value| self.expression(value, scope)).collect();
                    if columns.is_empty() {
                        let column = |(index, kind): (usize, Kind)| Column::new(format!("column{}", index + 1), kind);
                        columns = kinds.into_iter().enumerate().map(column).collect();
                    }
                }
                Some(columns)
            }
            _ => None,
        }
    }

    fn select(&mut self, select: &Select, outer: &Scope<'_>, order: &[OrderByExpr]) -> Option<Vec<Column>> {
        let mut scope = Scope { parent: Some(outer), ..Scope::default() };
        for from in &select.from {
            self.from(from, &mut scope);
        }
        for view in &select.lateral_views {
            self.expression(&view.lateral_view, &scope);
            let columns: Vec<Column> =
                view.lateral_col_alias.iter().map(|name| Column::new(folded(name), Kind::Unknown)).collect();
            let name = view.lateral_view_name.to_string().to_lowercase();
            // Without names they are called as the function has it.
            let columns = (!columns.is_empty()).then_some(columns);
            scope.tables.push(Bound::new(name, None, columns));
        }
        if let Some(condition) = &select.selection {
            self.condition(condition, &scope, "WHERE");
        }
        let columns = self.items(&select.projection, &mut scope);
        let groups: &[Expr] = if let GroupByExpr::Expressions(groups, _) = &select.group_by { groups } else { &[] };
        for group in groups.iter().filter(|group| !is_number(group)) {
            self.expression(group, &scope);
        }
        if let Some(having) = &select.having {
            self.condition(having, &scope, "HAVING");
        }
        if let Some(qualify) = &select.qualify {
            self.condition(qualify, &scope, "QUALIFY");
        }
        for key in order.iter().chain(&select.sort_by).filter(|key| !is_number(&key.expr)) {
            self.expression(&key.expr, &scope);
        }
        if matches!(select.group_by, GroupByExpr::Expressions(..)) {
            self.grouping(select, groups, order, &scope);
        }
        columns
    }

    fn items(&mut self, items: &[SelectItem], scope: &mut Scope<'_>) -> Option<Vec<Column>> {
        let mut columns = Some(Vec::new());
        for item in items {
            let made: Option<Vec<Column>> = match item {
                SelectItem::UnnamedExpr(expression) => {
                    let kind = self.expression(expression, scope);
                    Some(vec![Column::new(default_name(expression), kind)])
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let kind = self.expression(expr, scope);
                    let column = Column::new(folded(alias), kind);
                    // Both databases let a later part of the list speak of it.
                    scope.aliases.insert(column.name.clone(), kind);
                    Some(vec![column])
                }
                SelectItem::ExprWithAliases { expr, aliases } => {
                    self.expression(expr, scope);
                    Some(aliases.iter().map(|alias| Column::new(folded(alias), Kind::Unknown)).collect())
                }
                SelectItem::Wildcard(options) => {
                    let known = scope.tables.iter().map(|table| table.columns.clone()).collect::<Option<Vec<_>>>();
                    let mut seen = HashSet::new();
                    known.filter(|_| is_plain(options)).map(|tables| {
                        let mut all = tables.concat();
                        // A column that USING has made one of two is there once.
                        all.retain(|column| {
                            let first = seen.insert(column.name.clone());
                            first || !scope.merged.contains(&column.name)
                        });
                        all
                    })
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    self.wildcard(name, scope).filter(|_| is_plain(options))
                }
                SelectItem::QualifiedWildcard(..) => None,
            };
            columns = columns.zip(made).map(|(mut columns, made)| {
                columns.extend(made);
                columns
            });
        }
        columns
    }

    /// `t.*`
    fn wildcard(&mut self, name: &ObjectName, scope: &Scope<'_>) -> Option<Vec<Column>> {
        let last = name.0.last()?.as_ident()?.clone();
        let text = folded(&last);
        if let Some(table) = scope.tables.iter().find(|table| table.name == text) {
            return table.columns.clone();
        }
        if scope.tables.iter().all(|table| table.columns.is_some()) {
            let known: Vec<&str> = scope.tables.iter().map(|table| table.name.as_str()).collect();
            let hint = did_you_mean(&text, known);
            self.wrong(&last, format!("`{text}` is no table of this query's FROM"), "not there", hint);
        }
        None
    }

    fn from(&mut self, from: &TableWithJoins, scope: &mut Scope<'_>) {
        self.table(&from.relation, scope);
        for join in &from.joins {
            let before = scope.tables.len();
            self.table(&join.relation, scope);
            let (JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint)
            | JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint)) = &join.join_operator
            else {
                continue;
            };
            match constraint {
                JoinConstraint::On(condition) => self.condition(condition, scope, "ON"),
                JoinConstraint::Using(names) => self.using(names, before, scope),
                JoinConstraint::Natural => natural(before, scope),
                JoinConstraint::None => {}
            }
            let hides = matches!(
                join.join_operator,
                JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_)
            );
            if hides {
                scope.tables.truncate(before);
            }
        }
    }

    fn using(&mut self, names: &[ObjectName], before: usize, scope: &mut Scope<'_>) {
        for name in names.iter().filter_map(|name| name.0.last()?.as_ident()) {
            let text = folded(name);
            let missing =
                |tables: &[Bound]| tables.iter().all(|table| table.columns.is_some() && table.column(&text).is_none());
            if missing(&scope.tables[..before]) || missing(&scope.tables[before..]) {
                let message = format!("`{text}` is not a column of both sides of the JOIN");
                self.wrong(name, message, "", "write `ON` with the two columns".into());
            }
            scope.merged.push(text);
        }
    }

    fn table(&mut self, factor: &TableFactor, scope: &mut Scope<'_>) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let columns = self.relation(name, scope);
                let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
                let own = parts.last().map(|name| folded(name)).unwrap_or_default();
                let schema = parts.len().checked_sub(2).map(|index| folded(parts[index]));
                scope.tables.push(match alias {
                    Some(alias) => Bound::new(folded(&alias.name), None, renamed(columns, alias)),
                    None => Bound::new(own, schema, columns),
                });
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let columns =
                    if *lateral { self.query(subquery, Some(scope)) } else { self.query(subquery, scope.parent) };
                let name = alias.as_ref().map(|alias| folded(&alias.name)).unwrap_or_default();
                let columns = alias.as_ref().map_or(columns.clone(), |alias| renamed(columns, alias));
                scope.tables.push(Bound::new(name, None, columns));
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.from(table_with_joins, scope),
            // Tables of functions, PIVOT and the like: what they have is not known here.
            other => {
                let name = other.span();
                let text = match other {
                    TableFactor::Pivot { alias, .. }
                    | TableFactor::Unpivot { alias, .. }
                    | TableFactor::NestedJoin { alias, .. }
                    | TableFactor::Table { alias, .. }
                    | TableFactor::Function { alias, .. }
                    | TableFactor::TableFunction { alias, .. }
                    | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| folded(&alias.name)),
                    _ => None,
                };
                let name = text.unwrap_or_else(|| format!("{name:?}"));
                scope.tables.push(Bound::new(name, None, None));
            }
        }
    }

    /// The columns of a table that a FROM names.
    fn relation(&mut self, name: &ObjectName, scope: &Scope<'_>) -> Option<Vec<Column>> {
        let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let (last, schema) = match parts.as_slice() {
            [table] => (*table, None),
            [.., schema, table] => (*table, Some(*schema)),
            [] => return None,
        };
        let text = folded(last);
        if schema.is_none()
            && let Some(columns) = scope.with_named(&text)
        {
            return columns.clone();
        }
        let expected = schema.map(folded);
        // `FROM t, t.items AS item` walks through the elements of a SUPER.
        if let Some(expected) = &expected
            && scope.tables.iter().any(|table| table.name == *expected)
        {
            return None;
        }
        let mut known = self.catalog.relations.iter();
        if let Some(found) = known.find(|relation| relation.schema == expected && relation.name == text) {
            return found.columns.clone();
        }
        if expected.as_ref().is_some_and(|schema| self.catalog.open.contains(schema)) {
            return None;
        }
        self.unknown_table(last, &text, expected.as_deref(), scope);
        None
    }

    fn unknown_table(&mut self, at: &sqlparser::ast::Ident, text: &str, schema: Option<&str>, scope: &Scope<'_>) {
        let full = |relation: &super::Relation| match &relation.schema {
            Some(schema) => format!("{schema}.{}", relation.name),
            None => relation.name.clone(),
        };
        let same_schema: Vec<&str> = self
            .catalog
            .relations
            .iter()
            .filter(|relation| relation.schema.as_deref() == schema)
            .map(|relation| relation.name.as_str())
            .chain(scope.with.iter().filter(|_| schema.is_none()).map(|(name, _)| name.as_str()))
            .collect();
        let elsewhere = self.catalog.relations.iter().find(|relation| relation.name == text).map(full);
        let hint = match elsewhere {
            Some(name) => format!("did you mean `{name}`?"),
            None => did_you_mean(text, same_schema),
        };
        let shown = schema.map_or_else(|| text.to_owned(), |schema| format!("{schema}.{text}"));
        self.wrong(at, format!("unknown table `{shown}`"), "no such table or mart", hint);
    }
}

/// The columns under the names that an alias gives them.
fn renamed(columns: Option<Vec<Column>>, alias: &TableAlias) -> Option<Vec<Column>> {
    if alias.columns.is_empty() {
        return columns;
    }
    let names = alias.columns.iter().map(|column| folded(&column.name));
    match columns {
        Some(columns) => {
            let rest = columns.iter().skip(alias.columns.len()).cloned();
            Some(names.zip(&columns).map(|(name, column)| Column::new(name, column.kind)).chain(rest).collect())
        }
        None => Some(names.map(|name| Column::new(name, Kind::Unknown)).collect()),
    }
}

fn natural(before: usize, scope: &mut Scope<'_>) {
    let names = |tables: &[Bound]| -> Vec<String> {
        tables.iter().filter_map(|table| table.columns.as_ref()).flatten().map(|column| column.name.clone()).collect()
    };
    let right: HashSet<String> = names(&scope.tables[before..]).into_iter().collect();
    let both = names(&scope.tables[..before]).into_iter().filter(|name| right.contains(name));
    scope.merged.extend(both.collect::<Vec<_>>());
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_ilike.is_none()
}

/// `ORDER BY 1` names a column by its place.
pub(super) fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, sqlparser::ast::Value::Number(..)))
}

/// The name of a column to which the query gives none.
fn default_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded).unwrap_or_default(),
        Expr::Function(function) => function.name.to_string().to_lowercase(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => default_name(expr),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}

/// The place of a column in the SELECT list of a query, as well as it can be told.
pub(super) fn item_span(source: &Arc<Source>, query: &Query, index: usize) -> Span {
    let mut body = &*query.body;
    while let SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    match body {
        SetExpr::Select(select) if select.projection.len() > index => span_of(source, select.projection[index].span()),
        SetExpr::Select(select) => span_of(source, select.span()),
        _ => Span::new(source, 0, 0),
    }
}

impl Checker<'_> {
    /// A condition must be true or false.
    pub(super) fn condition(&mut self, condition: &Expr, scope: &Scope<'_>, of: &str) {
        let kind = self.expression(condition, scope);
        if self.dialect == Dialect::Redshift && !kind.is_open() && kind != Kind::Boolean {
            let error = Error::project(format!("{of} takes a condition, and this is of the type {kind}"));
            let span = span_of(self.source, condition.span());
            self.errors.push(error.at(&span, "not true or false").hint("compare it with something"));
        }
    }
}
