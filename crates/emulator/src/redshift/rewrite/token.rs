//! The words of a statement as a tree: tokens, and what stands in parentheses.

use std::any::{Any as _, TypeId};

use pipectl_core::limits::SQL_NESTING;
use sqlparser::dialect::{Dialect, RedshiftSqlDialect};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::redshift::error::{SqlError, SqlResult};

/// PostgreSQL cuts a longer name off in silence; Redshift allows 127 bytes.
const LONGEST_NAME: usize = 63;

/// A token, or a parenthesised list. `spaced`: white space precedes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// An unquoted word: a keyword or a name.
    Word { text: String, spaced: bool },
    /// A quoted name, without its quotes.
    Name { text: String, spaced: bool },
    /// A string literal, unescaped.
    Text { text: String, spaced: bool },
    /// A number or an operator.
    Symbol { text: String, spaced: bool },
    /// What stands between parentheses.
    Group { items: Vec<Node>, spaced: bool },
}

impl Node {
    pub(super) fn word(text: &str) -> Self {
        Self::Word { text: text.to_owned(), spaced: true }
    }

    pub(super) fn symbol(text: &str) -> Self {
        Self::Symbol { text: text.to_owned(), spaced: false }
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Text { text: text.to_owned(), spaced: true }
    }

    pub(super) fn group(items: Vec<Self>) -> Self {
        Self::Group { items, spaced: true }
    }

    /// A call, as `name(arguments)`.
    pub(super) fn arguments(items: Vec<Self>) -> Self {
        Self::Group { items, spaced: false }
    }

    /// Whether this is the unquoted word (given in capitals).
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word { text, .. } if text.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol { text, .. } if text == symbol)
    }

    /// The elements of a group.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Group { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The word in capitals; nothing for other nodes.
    pub(super) fn keyword(&self) -> Option<String> {
        match self {
            Self::Word { text, .. } => Some(text.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// The name that a word or a quoted name stands for: Redshift folds both to lower case.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Word { text, .. } | Self::Name { text, .. } => Some(text.to_lowercase()),
            _ => None,
        }
    }

    pub(super) fn set_spaced(&mut self, value: bool) {
        match self {
            Self::Word { spaced, .. }
            | Self::Name { spaced, .. }
            | Self::Text { spaced, .. }
            | Self::Symbol { spaced, .. }
            | Self::Group { spaced, .. } => *spaced = value,
        }
    }

    fn is_spaced(&self) -> bool {
        match self {
            Self::Word { spaced, .. }
            | Self::Name { spaced, .. }
            | Self::Text { spaced, .. }
            | Self::Symbol { spaced, .. }
            | Self::Group { spaced, .. } => *spaced,
        }
    }

    /// How an error message quotes the node.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word { text, .. } => text.to_lowercase(),
            Self::Name { text, .. } | Self::Text { text, .. } | Self::Symbol { text, .. } => text.clone(),
            Self::Group { .. } => "(".to_owned(),
        }
    }
}

/// Splits a statement into its tree, without comments and without a final semicolon.
pub(super) fn parse(sql: &str) -> SqlResult<Vec<Node>> {
    // The tokenizer resolves escapes, so that a literal can be written again in PostgreSQL's own way.
    let tokens = Tokenizer::new(&Words, sql)
        .tokenize()
        .map_err(|error| SqlError::new(format!("{} at line {}", error.message, error.location.line)))?;
    let mut open: Vec<(Vec<Node>, bool)> = Vec::new();
    let mut items: Vec<Node> = Vec::new();
    let mut spaced = false;
    let mut ended = false;
    for token in tokens {
        match token {
            Token::Whitespace(_) => {
                spaced = true;
                continue;
            }
            Token::EOF => {}
            Token::SemiColon if open.is_empty() => ended = true,
            _ if ended => {
                return Err(SqlError::new("cannot insert multiple commands into a prepared statement")
                    .hint("pass each statement to BatchExecuteStatement separately"));
            }
            Token::LParen if open.len() == SQL_NESTING => {
                return Err(SqlError::new(format!(
                    "the statement has more than {SQL_NESTING} parentheses in each other"
                )));
            }
            Token::LParen => open.push((std::mem::take(&mut items), spaced)),
            Token::RParen => {
                let (outer, spaced) = open.pop().ok_or_else(|| SqlError::syntax(")"))?;
                let inner = std::mem::replace(&mut items, outer);
                items.push(Node::Group { items: inner, spaced });
            }
            other => items.push(leaf(other, spaced)?),
        }
        spaced = false;
    }
    if open.is_empty() { Ok(items) } else { Err(SqlError::new("syntax error at end of input")) }
}

fn leaf(token: Token, spaced: bool) -> SqlResult<Node> {
    Ok(match token {
        Token::Word(word) => {
            if word.value.len() > LONGEST_NAME {
                return Err(SqlError::not_rehearsed(&format!("the name `{}`, longer than 63 bytes", word.value)));
            }
            match word.quote_style {
                None => Node::Word { text: word.value, spaced },
                Some(_) => Node::Name { text: word.value.to_lowercase(), spaced },
            }
        }
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Node::Text { text, spaced },
        Token::DollarQuotedString(_) => return Err(SqlError::not_rehearsed("text between $$ (procedures, functions)")),
        Token::Placeholder(text) => return Err(SqlError::syntax(&text)),
        other => Node::Symbol { text: other.to_string(), spaced },
    })
}

/// Writes a tree as PostgreSQL reads it.
pub(super) fn render(nodes: &[Node]) -> String {
    let mut out = String::new();
    write(nodes, &mut out);
    out
}

fn write(nodes: &[Node], out: &mut String) {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 && node.is_spaced() {
            out.push(' ');
        }
        match node {
            // `#stage` is a temporary table; PostgreSQL takes such a name only in quotes.
            Node::Word { text, .. } if text.starts_with('#') => out.push_str(&quote(&text.to_lowercase())),
            Node::Word { text, .. } | Node::Symbol { text, .. } => out.push_str(text),
            Node::Name { text, .. } => out.push_str(&quote(text)),
            Node::Text { text, .. } => out.push_str(&literal(text)),
            Node::Group { items, .. } => {
                out.push('(');
                write(items, out);
                out.push(')');
            }
        }
    }
}

/// A name in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Splits a list at its commas.
pub(super) fn split(nodes: &[Node]) -> Vec<&[Node]> {
    if nodes.is_empty() {
        return Vec::new();
    }
    nodes.split(|node| node.is_symbol(",")).collect()
}

/// Splits a list at its commas, as separate trees.
pub(super) fn arguments(nodes: &[Node]) -> Vec<Vec<Node>> {
    split(nodes).into_iter().map(<[Node]>::to_vec).collect()
}

/// Joins lists with commas.
pub(super) fn join(lists: Vec<Vec<Node>>) -> Vec<Node> {
    let mut out = Vec::new();
    for (index, list) in lists.into_iter().enumerate() {
        if index > 0 {
            out.push(Node::symbol(","));
        }
        let first = out.len();
        out.extend(list);
        if let (true, Some(node)) = (index > 0, out.get_mut(first)) {
            node.set_spaced(true);
        }
    }
    out
}

/// How Redshift cuts text into words: as the crate's dialect, with backslashes as escapes in literals and without
/// square brackets as quotes (`a[0]` is an element of a SUPER).
#[derive(Debug)]
struct Words;

impl Dialect for Words {
    fn dialect(&self) -> TypeId {
        RedshiftSqlDialect {}.type_id()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        RedshiftSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        RedshiftSqlDialect {}.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tree_round_trips() {
        for (sql, expected) in [
            ("SELECT a, b.c FROM  t -- note\n WHERE x='it''s'", "SELECT a, b.c FROM t WHERE x='it''s'"),
            ("select count(*), (1+2)*3;", "select count(*), (1+2)*3"),
            (r"select 'a\'b\\c', e'\n'", "select 'a''b\\c', '\n'"),
            (r#"select "Order" from "Core"."x""y""#, r#"select "order" from "core"."x""y""#),
            ("select a::int, -1, b - -1 /* c */ from #Stage", "select a::int, -1, b - -1 from \"#stage\""),
        ] {
            assert_eq!(parse(sql).map(|nodes| render(&nodes)).as_deref(), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn deep_parentheses_are_rejected() {
        let nested = |depth: usize| format!("select {}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(SQL_NESTING)).is_ok());
        for depth in [SQL_NESTING + 1, 1_000_000] {
            let error = parse(&nested(depth)).unwrap_err();
            assert_eq!(error.message(), "the statement has more than 100 parentheses in each other");
        }
        // What one part of a statement does to the stack, all of them do one after the other.
        assert!(parse(&format!("select {}", "(1)+".repeat(100_000) + "1")).is_ok());
    }

    #[test]
    fn invalid_text_is_rejected() {
        for (sql, expected) in [
            ("select (1", "syntax error at end of input"),
            ("select 1)", "syntax error at or near \")\""),
            ("select 'x", "Unterminated string literal at line 1"),
            ("select 1; select 2", "cannot insert multiple commands into a prepared statement"),
            ("select $1", "syntax error at or near \"$1\""),
        ] {
            assert_eq!(parse(sql).map_err(|error| error.message().to_owned()), Err(expected.to_owned()), "{sql}");
        }
    }
}
