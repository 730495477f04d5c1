//! Calls of functions: the number of their arguments, their types, and the type of the result.

use sqlparser::ast::{Expr, Ident, Spanned};

use super::expression::word;
use super::scope::{Scope, folded};
use super::signatures::{Gives, MANY, names, signature, takes_part};
use super::{Checker, Dialect, Kind};
use crate::error::closest;

/// Checks a call and answers the type of its result.
pub(super) fn call(checker: &mut Checker<'_>, name: &Ident, arguments: &[&Expr], scope: &Scope<'_>) -> Kind {
    let text = folded(name);
    let first_is_part = takes_part(&text) && arguments.first().is_some_and(|first| word(first).is_some());
    let kinds: Vec<Kind> = arguments
        .iter()
        .enumerate()
        .map(
            |(index, argument)| {
                if index == 0 && first_is_part { Kind::Literal } else { checker.expression(argument, scope) }
            },
        )
        .collect();
    let Some((_, fewest, most, takes, gives)) = signature(checker.dialect, &text) else {
        unknown(checker, name, &text);
        return Kind::Unknown;
    };
    if arguments.len() < *fewest || arguments.len() > *most {
        let expected = match (*fewest, *most) {
            (fewest, most) if fewest == most => format!("{fewest}"),
            (fewest, MANY) => format!("at least {fewest}"),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        let message = format!(
            "{} takes {expected} argument{}, not {}",
            text.to_uppercase(),
            if expected == "1" { "" } else { "s" },
            arguments.len()
        );
        checker.wrong(name, message, "", String::new());
        return Kind::Unknown;
    }
    // Two arguments of Spark's DATEDIFF are days; its parts are its own.
    let shifted = checker.dialect == Dialect::Redshift || !takes.starts_with('p');
    for (index, (argument, kind)) in arguments.iter().zip(&kinds).enumerate() {
        let expected = takes.as_bytes().get(index).or(takes.as_bytes().last()).copied().unwrap_or(b'a');
        let shown = text.to_uppercase();
        match expected {
            b'n' if shifted => checker.takes_number(*kind, argument, &shown),
            b't' if shifted => checker.takes_time(*kind, argument, &shown),
            b'b' if shifted && !kind.is_open() && *kind != Kind::Boolean && checker.dialect == Dialect::Redshift => {
                let message = format!("{shown} takes a condition, and this is {kind}");
                checker.wrong_at(argument.span(), message, "not true or false", "");
            }
            _ => {}
        }
    }
    result(checker, *gives, &text, arguments, &kinds)
}

fn result(checker: &mut Checker<'_>, gives: Gives, name: &str, arguments: &[&Expr], kinds: &[Kind]) -> Kind {
    match gives {
        Gives::Always(kind) => kind,
        Gives::Same(index) => match kinds.get(index).copied().unwrap_or(Kind::Unknown) {
            Kind::Literal => Kind::Text(None),
            kind => kind,
        },
        Gives::Together(from) => {
            let mut together = Kind::Literal;
            for (kind, argument) in kinds.iter().zip(arguments).skip(from) {
                if checker.dialect == Dialect::Redshift && together.clashes(*kind) {
                    let message = format!("{} of {together} and {kind}", name.to_uppercase());
                    checker.wrong_at(
                        argument.span(),
                        message,
                        &kind.to_string(),
                        "cast one of them to the type of the other",
                    );
                    return Kind::Unknown;
                }
                together = together.wider(*kind);
            }
            together
        }
        Gives::Sum => match kinds.first().copied().unwrap_or(Kind::Unknown) {
            Kind::Smallint | Kind::Integer => Kind::Bigint,
            Kind::Bigint => Kind::Decimal(38, 0),
            Kind::Decimal(_, scale) => Kind::Decimal(38, scale),
            other => other,
        },
        Gives::Unknown => Kind::Unknown,
    }
}

/// A name that is all but one of the known ones is a slip; another may be a function of the user's own.
fn unknown(checker: &mut Checker<'_>, name: &Ident, text: &str) {
    if names(checker.dialect).any(|known| known == text) || text.len() < 4 {
        return;
    }
    let suggestion = closest(text, names(checker.dialect))
        .filter(|suggestion| strsim::osa_distance(text, suggestion) <= if text.len() < 8 { 1 } else { 2 });
    if let Some(suggestion) = suggestion {
        let hint = format!("did you mean `{}`?", suggestion.to_uppercase());
        checker.wrong(name, format!("unknown function `{text}`"), "no such function", hint);
    }
}
