//! How deep the tree of a query will be, counted before it is made: parsing it, walking it and dropping it all recurse.

use std::sync::Arc;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::span_of;
use crate::error::Error;
use crate::limits::{SQL_DEPTH, SQL_NESTING};
use crate::yaml::Source;

/// What is open: the query itself, a bracket, or a `CASE`.
#[derive(Default)]
struct Level {
    case: bool,
    /// The height of the tree of the expression so far.
    expression: usize,
    /// The height of the expressions before it, and of the queries that a set operation joins.
    query: usize,
    /// Operators before the value that comes next: `NOT NOT -`.
    prefix: usize,
}

impl Level {
    fn height(&self) -> usize {
        self.expression.max(self.query)
    }

    /// What comes next stands beside what was before, not above it.
    fn next_item(&mut self) {
        self.query = self.height();
        self.expression = 0;
    }
}

/// Fails at the first token that makes the query too deep. The count is an upper bound: whatever a parser makes of the
/// tokens has at most that depth.
pub(super) fn check(source: &Arc<Source>, tokens: &[TokenWithSpan]) -> Result<(), Box<Error>> {
    let mut levels = vec![Level::default()];
    // Brackets, `CASE`s and prefixes that are open.
    let mut nesting = 0;
    let mut after_value = false;
    let mut after_period = false;
    for token in tokens {
        let Some(level) = levels.last_mut() else { break };
        let name = std::mem::take(&mut after_period);
        match &token.token {
            Token::Whitespace(_) => {
                after_period = name;
                continue;
            }
            Token::EOF => break,
            Token::LParen | Token::LBracket | Token::LBrace => {
                levels.push(Level::default());
                nesting += 1;
                after_value = false;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                while levels.len() > 1 && levels.last().is_some_and(|level| level.case) {
                    close(&mut levels, &mut nesting);
                }
                close(&mut levels, &mut nesting);
                after_value = true;
            }
            Token::Comma | Token::SemiColon => {
                end_value(level, &mut nesting);
                level.next_item();
                after_value = false;
            }
            Token::Period => after_period = true,
            Token::Word(word) if word.quote_style.is_none() && !name => match word.keyword {
                Keyword::NoKeyword => {
                    end_value(level, &mut nesting);
                    after_value = true;
                }
                Keyword::CASE if !after_value => {
                    levels.push(Level { case: true, ..Level::default() });
                    nesting += 1;
                }
                Keyword::END if level.case => {
                    close(&mut levels, &mut nesting);
                    after_value = true;
                }
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS if after_value => {
                    level.next_item();
                    level.query += 1;
                    after_value = false;
                }
                keyword if after_value && ends_expression(keyword) => {
                    level.next_item();
                    after_value = false;
                }
                keyword => {
                    level.expression += 1;
                    if !is_operator(keyword) {
                        end_value(level, &mut nesting);
                    } else if !after_value {
                        level.prefix += 1;
                        nesting += 1;
                    }
                    after_value = !is_operator(keyword) && !ends_expression(keyword);
                }
            },
            Token::Word(_)
            | Token::Number(..)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_) => {
                end_value(level, &mut nesting);
                after_value = true;
            }
            _ => {
                level.expression += 1;
                if !after_value {
                    level.prefix += 1;
                    nesting += 1;
                }
                after_value = false;
            }
        }
        if nesting > SQL_NESTING {
            let message = format!("`{}` is nested more than {SQL_NESTING} levels deep", source.name);
            return Err(Box::new(too_deep(source, token, message)));
        }
        if levels.last().is_some_and(|level| level.height() > SQL_DEPTH) {
            let message = format!("`{}` has an expression of more than {SQL_DEPTH} operators", source.name);
            return Err(Box::new(too_deep(source, token, message)));
        }
    }
    Ok(())
}

/// A value ends the prefixes before it.
fn end_value(level: &mut Level, nesting: &mut usize) {
    *nesting -= std::mem::take(&mut level.prefix);
}

/// Ends a bracket or a `CASE`, which is a value of what is around it.
fn close(levels: &mut Vec<Level>, nesting: &mut usize) {
    if levels.len() < 2 {
        return;
    }
    let Some(mut inner) = levels.pop() else { return };
    end_value(&mut inner, nesting);
    *nesting -= 1;
    if let Some(outer) = levels.last_mut() {
        outer.expression = outer.expression.max(inner.height() + 1);
        end_value(outer, nesting);
    }
}

fn too_deep(source: &Arc<Source>, token: &TokenWithSpan, message: String) -> Error {
    let error = Error::project(message).at(&span_of(source, token.span), "too deep from here on");
    error.hint("use `IN (…)` instead of many `OR`, and steps in `WITH` instead of nested queries")
}

/// Words after which an expression goes on, or that stand before one.
fn is_operator(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::SIMILAR
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::DIV
            | Keyword::ESCAPE
            | Keyword::OVERLAPS
            | Keyword::DISTINCT
            | Keyword::ALL
            | Keyword::ANY
            | Keyword::SOME
            | Keyword::EXISTS
            | Keyword::INTERVAL
            | Keyword::PRIOR
            | Keyword::CONNECT_BY_ROOT
            | Keyword::AT
            | Keyword::AS
            | Keyword::BY
    )
}

/// Words that end an expression where they follow a value.
fn ends_expression(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::WINDOW
            | Keyword::JOIN
            | Keyword::INNER
            | Keyword::LEFT
            | Keyword::RIGHT
            | Keyword::FULL
            | Keyword::CROSS
            | Keyword::NATURAL
            | Keyword::ON
            | Keyword::USING
            | Keyword::WITH
            | Keyword::VALUES
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::AS
    )
}
