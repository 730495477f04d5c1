//! The types of expressions.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Subscript,
    UnaryOperator, Value, WindowSpec, WindowType,
};

use super::scope::{Scope, folded};
use super::{Checker, Dialect, Kind, function};

impl Checker<'_> {
    /// Checks an expression and answers its type.
    pub(super) fn expression(&mut self, expression: &Expr, scope: &Scope<'_>) -> Kind {
        match expression {
            Expr::Identifier(name) => self.column(name, scope),
            Expr::CompoundIdentifier(parts) => self.qualified(parts, scope),
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let (Expr::Identifier(name), [AccessExpr::Dot(_), ..]) = (&**root, access_chain.as_slice()) {
                    let mut parts = vec![name.clone()];
                    parts.extend(access_chain.iter().map_while(|access| match access {
                        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
                        _ => None,
                    }));
                    self.qualified(&parts, scope);
                } else {
                    self.expression(root, scope);
                }
                for access in access_chain {
                    if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                        self.expression(index, scope);
                    }
                }
                Kind::Unknown
            }
            Expr::JsonAccess { value, .. } => {
                self.expression(value, scope);
                Kind::Unknown
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, expression, scope),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                self.condition(expr, scope, "NOT");
                Kind::Boolean
            }
            Expr::UnaryOp { expr, .. } => {
                let kind = self.expression(expr, scope);
                if kind == Kind::Literal { Kind::Unknown } else { kind }
            }
            Expr::Nested(inner) => self.expression(inner, scope),
            Expr::Collate { expr, .. } | Expr::Named { expr, .. } => self.expression(expr, scope),
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(typed) => Kind::named(&typed.data_type.to_string()),
            Expr::Function(call) => self.call(call, scope),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), scope)
            }
            Expr::Exists { subquery, .. } => {
                self.query(subquery, Some(scope));
                Kind::Boolean
            }
            Expr::Subquery(query) => match self.query(query, Some(scope)).as_deref() {
                Some([column]) => column.kind,
                Some(columns) => {
                    let message = format!("a query within an expression gives one column, this one {}", columns.len());
                    self.wrong_at(expression.span(), message, "", "select only the one that you need");
                    Kind::Unknown
                }
                None => Kind::Unknown,
            },
            Expr::Tuple(items) => {
                for item in items {
                    self.expression(item, scope);
                }
                Kind::Unknown
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for item in sets.iter().flatten() {
                    self.expression(item, scope);
                }
                Kind::Unknown
            }
            Expr::Array(array) => {
                for item in &array.elem {
                    self.expression(item, scope);
                }
                Kind::Unknown
            }
            Expr::Interval(interval) => {
                self.expression(&interval.value, scope);
                Kind::Interval
            }
            _ => self.predicate(expression, scope),
        }
    }

    /// What asks something of values.
    fn predicate(&mut self, expression: &Expr, scope: &Scope<'_>) -> Kind {
        match expression {
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => {
                self.expression(inner, scope);
                Kind::Boolean
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.comparison(left, right, scope)
            }
            Expr::InList { expr, list, .. } => {
                // Once for all items: within each other, twice each would double the work with each level.
                let kind = self.expression(expr, scope);
                for item in list {
                    let other = self.expression(item, scope);
                    self.comparable(kind, other, item);
                }
                Kind::Boolean
            }
            Expr::InSubquery { expr, subquery, .. } => {
                let kind = self.expression(expr, scope);
                if let Some([column]) = self.query(subquery, Some(scope)).as_deref() {
                    self.comparable(kind, column.kind, expression);
                }
                Kind::Boolean
            }
            Expr::Between { expr, low, high, .. } => {
                let kind = self.expression(expr, scope);
                for bound in [low, high] {
                    let other = self.expression(bound, scope);
                    self.comparable(kind, other, bound);
                }
                Kind::Boolean
            }
            Expr::Like { expr, pattern, .. }
            | Expr::ILike { expr, pattern, .. }
            | Expr::SimilarTo { expr, pattern, .. }
            | Expr::RLike { expr, pattern, .. } => {
                self.expression(expr, scope);
                self.expression(pattern, scope);
                Kind::Boolean
            }
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
                self.expression(left, scope);
                self.expression(right, scope);
                Kind::Boolean
            }
            _ => self.conversion(expression, scope),
        }
    }

    /// Expressions that convert a value, each with a special syntax.
    fn conversion(&mut self, expression: &Expr, scope: &Scope<'_>) -> Kind {
        match expression {
            Expr::Convert { expr, data_type, .. } => {
                self.expression(expr, scope);
                data_type.as_ref().map_or(Kind::Unknown, |kind| Kind::named(&kind.to_string()))
            }
            Expr::Cast { expr, data_type, .. } => {
                self.expression(expr, scope);
                Kind::named(&data_type.to_string())
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                self.expression(timestamp, scope);
                self.expression(time_zone, scope);
                Kind::Timestamp
            }
            Expr::Extract { expr, field, .. } => {
                let kind = self.expression(expr, scope);
                self.takes_time(kind, expr, &format!("EXTRACT({field} FROM …)"));
                Kind::Integer
            }
            Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => {
                let kind = self.expression(expr, scope);
                self.takes_number(kind, expr, "CEIL and FLOOR");
                kind
            }
            Expr::Position { expr, r#in } => {
                self.expression(expr, scope);
                self.expression(r#in, scope);
                Kind::Integer
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let kind = self.expression(expr, scope);
                for part in [substring_from, substring_for].into_iter().flatten() {
                    self.expression(part, scope);
                }
                if kind.is_text() { kind } else { Kind::Text(None) }
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                let kind = self.expression(expr, scope);
                for part in trim_what.iter().map(|part| &**part).chain(trim_characters.iter().flatten()) {
                    self.expression(part, scope);
                }
                if kind.is_text() { kind } else { Kind::Text(None) }
            }
            // A lambda's own names, structs and maps are not followed.
            _ => Kind::Unknown,
        }
    }

    fn comparison(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Kind {
        let (one, other) = (self.expression(left, scope), self.expression(right, scope));
        self.comparable(one, other, right);
        Kind::Boolean
    }

    fn comparable(&mut self, one: Kind, other: Kind, at: &Expr) {
        if self.dialect == Dialect::Redshift && one.clashes(other) {
            let message = format!("{one} is compared with {other}");
            self.wrong_at(at.span(), message, &other.to_string(), "cast one of them to the type of the other");
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, whole: &Expr, scope: &Scope<'_>) -> Kind {
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                self.condition(left, scope, &op.to_string());
                self.condition(right, scope, &op.to_string());
                Kind::Boolean
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Spaceship => self.comparison(left, right, scope),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                let (one, other) = (self.expression(left, scope), self.expression(right, scope));
                self.arithmetic(one, op, other, whole)
            }
            BinaryOperator::StringConcat => {
                self.expression(left, scope);
                self.expression(right, scope);
                Kind::Text(None)
            }
            _ => {
                self.expression(left, scope);
                self.expression(right, scope);
                Kind::Unknown
            }
        }
    }

    fn arithmetic(&mut self, one: Kind, op: &BinaryOperator, other: Kind, whole: &Expr) -> Kind {
        let plus_or_minus = matches!(op, BinaryOperator::Plus | BinaryOperator::Minus);
        match (one, other) {
            (Kind::Literal, kind) | (kind, Kind::Literal) if kind.is_number() => return kind,
            (one, other) if one.is_open() || other.is_open() => return Kind::Unknown,
            (one, other) if one.is_number() && other.is_number() => {
                return match (one, op, other) {
                    (Kind::Decimal(p, s), BinaryOperator::Multiply, Kind::Decimal(q, t)) => {
                        Kind::Decimal((p + q + 1).min(38), (s + t).min(37))
                    }
                    (Kind::Decimal(..), _, _) | (_, _, Kind::Decimal(..))
                        if one != Kind::Double && other != Kind::Double =>
                    {
                        let Kind::Decimal(p, s) = one.wider(other) else { return Kind::Unknown };
                        if *op == BinaryOperator::Divide {
                            Kind::Decimal(38, s.max(4))
                        } else {
                            Kind::Decimal((p + 1).min(38), s)
                        }
                    }
                    _ => one.wider(other),
                };
            }
            (Kind::Date, Kind::Date) if *op == BinaryOperator::Minus => return Kind::Bigint,
            (Kind::Timestamp | Kind::Date, Kind::Timestamp | Kind::Date) if *op == BinaryOperator::Minus => {
                return Kind::Interval;
            }
            (Kind::Date, number) | (number, Kind::Date) if plus_or_minus && number.is_number() => return Kind::Date,
            (time, Kind::Interval) | (Kind::Interval, time) if plus_or_minus && time.is_time() => {
                return Kind::Timestamp;
            }
            (Kind::Interval, kind) | (kind, Kind::Interval) if kind.is_number() || kind == Kind::Interval => {
                return Kind::Interval;
            }
            _ => {}
        }
        if self.dialect == Dialect::Redshift {
            let hint = match (one, other) {
                (one, other) if one.is_text() && other.is_text() && *op == BinaryOperator::Plus => {
                    "texts are joined by `||`"
                }
                (one, other) if one.is_time() || other.is_time() => "use DATEADD or DATEDIFF",
                _ => "cast it to a number",
            };
            self.wrong_at(whole.span(), format!("`{op}` is not defined for {one} and {other}"), "", hint);
        }
        Kind::Unknown
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[sqlparser::ast::CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Kind {
        let mut kind = Kind::Literal;
        let operand = operand.map(|operand| self.expression(operand, scope));
        for when in conditions {
            match operand {
                Some(operand) => {
                    let condition = self.expression(&when.condition, scope);
                    self.comparable(operand, condition, &when.condition);
                }
                None => self.condition(&when.condition, scope, "WHEN"),
            }
            kind = self.branch(kind, &when.result, scope, "CASE");
        }
        match otherwise {
            Some(otherwise) => self.branch(kind, otherwise, scope, "CASE"),
            None => kind,
        }
    }

    /// One of several values that stand for each other.
    pub(super) fn branch(&mut self, before: Kind, value: &Expr, scope: &Scope<'_>, of: &str) -> Kind {
        let kind = self.expression(value, scope);
        if self.dialect == Dialect::Redshift && before.clashes(kind) {
            let message = format!("{of} gives {before} and {kind}");
            self.wrong_at(value.span(), message, &kind.to_string(), "cast one of them to the type of the other");
            return Kind::Unknown;
        }
        match (before, kind) {
            // A text of the query is as wide as it needs to be.
            (Kind::Literal, Kind::Literal) => Kind::Literal,
            (before, kind) => before.wider(kind),
        }
    }

    pub(super) fn takes_number(&mut self, kind: Kind, at: &Expr, what: &str) {
        let wrong = !kind.is_open() && !kind.is_number() && kind != Kind::Interval;
        if wrong && self.dialect == Dialect::Redshift {
            self.wrong_at(
                at.span(),
                format!("{what} takes a number, and this is {kind}"),
                &kind.to_string(),
                "cast it to a number",
            );
        }
    }

    pub(super) fn takes_time(&mut self, kind: Kind, at: &Expr, what: &str) {
        let wrong = !kind.is_open() && !kind.is_time() && kind != Kind::Interval;
        if wrong && self.dialect == Dialect::Redshift {
            let message = format!("{what} takes a date or a timestamp, and this is {kind}");
            self.wrong_at(at.span(), message, &kind.to_string(), "cast it, for example with `::TIMESTAMP`");
        }
    }

    fn call(&mut self, call: &Function, scope: &Scope<'_>) -> Kind {
        let Some(name) = call.name.0.last().and_then(|part| part.as_ident()) else { return Kind::Unknown };
        if let Some(filter) = &call.filter {
            self.expression(filter, scope);
        }
        for key in &call.within_group {
            self.expression(&key.expr, scope);
        }
        if let Some(WindowType::WindowSpec(window)) = &call.over {
            self.window(window, scope);
        }
        let arguments = arguments(call);
        let kind = function::call(self, name, &arguments, scope);
        // One of a user's own schema is another.
        if call.name.0.len() > 1 { Kind::Unknown } else { kind }
    }

    fn window(&mut self, window: &WindowSpec, scope: &Scope<'_>) {
        for part in window.partition_by.iter().chain(window.order_by.iter().map(|key| &key.expr)) {
            if !super::query::is_number(part) {
                self.expression(part, scope);
            }
        }
    }
}

/// The arguments of a call that are expressions; a `*` is none.
pub(super) fn arguments(call: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &call.args else { return Vec::new() };
    list.args
        .iter()
        .filter_map(|argument| match argument {
            FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg) => {
                match arg {
                    FunctionArgExpr::Expr(expression) => Some(expression),
                    _ => None,
                }
            }
        })
        .collect()
}

fn literal(value: &Value) -> Kind {
    match value {
        Value::Number(text, _) if text.contains(['.', 'e', 'E']) => {
            let scale = text.split_once('.').map_or(0, |(_, scale)| scale.len());
            Kind::Decimal(u8::try_from(text.len().min(38)).unwrap_or(38), u8::try_from(scale.min(37)).unwrap_or(37))
        }
        Value::Number(text, _) if text.parse::<i32>().is_err() => Kind::Bigint,
        Value::Number(..) => Kind::Integer,
        Value::Boolean(_) => Kind::Boolean,
        Value::Placeholder(_) => Kind::Unknown,
        _ => Kind::Literal,
    }
}

/// The name of a word that stands where a function wants a date part.
pub(super) fn word(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(folded(name)),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.to_lowercase()),
            _ => None,
        },
        _ => None,
    }
}
