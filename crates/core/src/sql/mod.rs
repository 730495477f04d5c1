//! The SQL of a project, read without a database: a query is checked against the tables that it may read, down to the
//! names, and to the number and types of arguments.
//!
//! What is not understood is let pass as unknown: an error here is one that the database would report as well.
//!
//! ```text
//! query       FROM, SELECT, set operations, WITH       scope        which names can be seen where
//! expression  types of expressions                     function     calls of functions
//! grouping    columns beside aggregates                signatures   arguments and results of functions
//! statement   one SELECT that only reads               depth        how deep it is nested
//! kind        types                                    mask_literals   blanks comments and literals
//!
//! marts       queries in the warehouse                 transforms   queries in Spark, which make tables of the lake
//! ```

mod depth;
mod expression;
mod expression_type;
mod function;
mod grouping;
pub mod marts;
pub mod mask_literals;
mod query;
mod scope;
mod signatures;
mod statement;
pub mod transforms;

use std::collections::HashSet;
use std::sync::Arc;

use sqlparser::ast::{Ident, Statement};
use sqlparser::dialect::{
    DatabricksDialect, Dialect as Grammar, GenericDialect, PostgreSqlDialect, RedshiftSqlDialect, SnowflakeDialect,
    SparkSqlDialect,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Tokenizer;

use crate::error::Error;
use crate::limits::{SQL_NESTING, on_deep_stack};
use crate::spec::ColumnType;
use crate::yaml::{Source, Span};

pub use expression_type::Kind;

use mask_literals::mask_literals;

/// A line with this comment keeps a file from being checked.
const UNCHECKED: &str = "-- pipectl: unchecked";

/// Whether a function of the warehouse does more than compute: it reads files, runs other queries, changes settings. Redshift
/// lacks most of them, and PostgreSQL, which stands in for it on this machine, has them.
pub fn reaches_out(function: &str) -> bool {
    signatures::is_denied(Dialect::Redshift, function)
}

/// How deep the parser may recurse. It counts several levels for one of `limits::SQL_NESTING`, which is checked first.
const PARSER_RECURSION: usize = 12 * SQL_NESTING;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Redshift,
    Spark,
}

/// A column that can be read, or that a query makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

impl Column {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }

    /// A column of the spec.
    pub fn of(name: &str, kind: &ColumnType) -> Self {
        Self::new(name, Kind::from(kind))
    }
}

/// A table that can be read.
#[derive(Debug, Clone)]
pub struct Relation {
    /// `core`; none where tables have no schema.
    pub schema: Option<String>,
    pub name: String,
    /// None where they are not known: then any name passes.
    pub columns: Option<Vec<Column>>,
}

/// What a query can read.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub relations: Vec<Relation>,
    /// Schemas of which not all tables are known, so that an unknown one is no error: `pg_catalog`.
    pub open: Vec<String>,
}

/// What came of a check.
#[derive(Debug, Default)]
pub struct Checked {
    pub errors: Vec<Error>,
    /// The columns that the query makes; none where they could not be told.
    pub columns: Option<Vec<Column>>,
    /// Where each of them is made.
    pub spans: Vec<Span>,
}

/// Checks the one query of a file. Also one with `-- pipectl: unchecked` only reads.
pub fn check(sql: &Arc<Source>, dialect: Dialect, catalog: &Catalog) -> Checked {
    let statement::Found { mut statements, functions } = statement::check(sql, dialect);
    if !statements.is_empty() || sql.text.lines().any(|line| line.trim() == UNCHECKED) {
        statements.extend(functions);
        return Checked { errors: statements, ..Checked::default() };
    }
    // The tree lives and dies here.
    on_deep_stack(|| {
        let query = match parse(sql, dialect) {
            Ok(query) => query,
            Err(error) => return Checked { errors: vec![*error], ..Checked::default() },
        };
        let mut checker = Checker { source: sql, dialect, catalog, errors: functions };
        let columns = checker.query(&query, None);
        checker.outcome(&query, columns)
    })
}

/// The check of one query on its way.
struct Checker<'a> {
    source: &'a Arc<Source>,
    dialect: Dialect,
    catalog: &'a Catalog,
    errors: Vec<Error>,
}

impl Checker<'_> {
    fn outcome(mut self, query: &sqlparser::ast::Query, columns: Option<Vec<Column>>) -> Checked {
        // A table has each of its columns once.
        if let Some(columns) = &columns {
            let mut names = HashSet::with_capacity(columns.len());
            for (index, column) in columns.iter().enumerate() {
                if !names.insert(column.name.as_str()) {
                    let span = query::item_span(self.source, query, index);
                    self.errors.push(
                        Error::project(format!("the column `{}` is there twice", column.name))
                            .at(&span, "")
                            .hint(format!("give one of them another name: `… AS {}_2`", column.name)),
                    );
                }
            }
        }
        self.errors.sort_by_key(|error| error.span().map(Span::start));
        self.errors.dedup_by(|later, first| later.span() == first.span() && later.message() == first.message());
        let count = columns.as_ref().map_or(0, Vec::len);
        let spans = (0..count).map(|index| query::item_span(self.source, query, index)).collect();
        Checked { errors: self.errors, columns, spans }
    }

    fn wrong(&mut self, at: &Ident, message: String, label: &str, hint: String) {
        let error = Error::project(message).at(&span_of(self.source, at.span), label);
        self.errors.push(if hint.is_empty() { error } else { error.hint(hint) });
    }

    fn wrong_at(&mut self, at: sqlparser::tokenizer::Span, message: String, label: &str, hint: &str) {
        let error = Error::project(message).at(&span_of(self.source, at), label);
        self.errors.push(if hint.is_empty() { error } else { error.hint(hint) });
    }
}

/// The place that a span of the parser marks.
fn span_of(source: &Arc<Source>, span: sqlparser::tokenizer::Span) -> Span {
    let offset = |location: sqlparser::tokenizer::Location| {
        let number = |number: u64| usize::try_from(number).unwrap_or(1);
        source.offset(number(location.line), number(location.column))
    };
    let start = offset(span.start);
    Span::new(source, start, offset(span.end).max(start))
}

/// Reads the text as the dialect has it. The grammars of the parser know different parts of it, so that a second one is
/// asked before a text is called wrong.
fn parse(source: &Arc<Source>, dialect: Dialect) -> Result<Box<sqlparser::ast::Query>, Box<Error>> {
    let text = prepared(&source.text);
    let grammars: &[&dyn Grammar] = match dialect {
        Dialect::Redshift => &[&RedshiftSqlDialect {}, &SnowflakeDialect, &PostgreSqlDialect {}, &GenericDialect {}],
        Dialect::Spark => &[&SparkSqlDialect, &DatabricksDialect, &GenericDialect {}],
    };
    let mut first = None;
    for grammar in grammars {
        let tokens = match Tokenizer::new(*grammar, &text).tokenize_with_location() {
            Ok(tokens) => tokens,
            Err(error) => {
                first.get_or_insert(error.into());
                continue;
            }
        };
        depth::check(source, &tokens)?;
        let parser = Parser::new(*grammar).with_recursion_limit(PARSER_RECURSION);
        match parser.with_tokens_with_locations(tokens).parse_statements() {
            Ok(mut statements) if statements.len() == 1 => {
                if let Statement::Query(query) = statements.remove(0) {
                    return Ok(query);
                }
            }
            Ok(_) => {}
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    let name = &source.name;
    let Some(error) = first else {
        let error = Error::project(format!("`{name}` does not hold exactly one query"));
        return Err(Box::new(error.at(&Span::new(source, 0, 0), "").hint("write one `SELECT`")));
    };
    let text = match &error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "it is nested too deep".to_owned(),
    };
    let (message, offset) = text.split_once(" at Line: ").unwrap_or((&text, "1, Column: 1"));
    let mut numbers = offset.split(", Column: ").map(|number| number.trim().parse::<usize>().unwrap_or(1));
    let (line, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
    let span = Span::at_line(source, line, column);
    let message = message.trim_start_matches("sql parser error: ");
    let database = if dialect == Dialect::Redshift { "Redshift" } else { "Spark" };
    Err(Box::new(
        Error::project(format!("`{name}` cannot be read as SQL: {message}"))
            .at(&span, "")
            .hint(format!("correct it here; if {database} does take it, put the line `{UNCHECKED}` into the file")),
    ))
}

/// Words of Redshift's that the grammars lack, blanked out, every byte at its place.
fn prepared(text: &str) -> String {
    let code = mask_literals(text);
    let mut out = text.to_owned();
    for word in ["approximate"] {
        let lower = code.to_ascii_lowercase();
        for (at, _) in lower.match_indices(word) {
            let whole = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if whole(lower[..at].chars().next_back()) && whole(lower[at + word.len()..].chars().next()) {
                out.replace_range(at..at + word.len(), &" ".repeat(word.len()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
