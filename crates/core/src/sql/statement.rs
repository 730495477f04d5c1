//! A mart or a transform is one `SELECT` that reads tables: it changes nothing, reads no file, and calls no function that
//! does more than compute.
//!
//! This is checked over the tokens, before and beside the grammar, because a file with `-- pipectl: unchecked` is not
//! parsed. Databases disagree on what a backslash in a literal means, so both readings must be harmless.

use std::any::{Any as _, TypeId};
use std::sync::Arc;

use sqlparser::dialect::{Dialect as Grammar, RedshiftSqlDialect, SparkSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use super::signatures::{is_denied, names};
use super::{Dialect, span_of};
use crate::error::{Error, closest};
use crate::yaml::{Source, Span};

/// What is wrong with a text.
#[derive(Default)]
pub(super) struct Found {
    /// It is more than one `SELECT`: nothing more need be said of it.
    pub(super) statements: Vec<Error>,
    /// It calls what it must not.
    pub(super) functions: Vec<Error>,
}

/// Everything in a text that is more than one `SELECT` which computes.
pub(super) fn check(source: &Arc<Source>, dialect: Dialect) -> Found {
    let mut found = Found::default();
    // Both databases take a backslash for an escape. A text that ends within a literal gives no other tokens.
    for backslash in [true, false] {
        let words = Words { dialect, backslash };
        match Tokenizer::new(&words, &source.text).tokenize_with_location() {
            Ok(tokens) => {
                found.statements.extend(hidden(source, &tokens));
                let blank = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_) | Token::EOF);
                let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !blank(token)).collect();
                Statement { source, dialect, tokens: &tokens }.check(&mut found);
            }
            Err(error) if backslash => {
                let (line, column) = (error.location.line, error.location.column);
                let number = |number: u64| usize::try_from(number).unwrap_or(1);
                found.statements.push(
                    Error::project(format!("`{}` cannot be read as SQL: {}", source.name, error.message))
                        .at(&Span::at_line(source, number(line), number(column)), "")
                        .hint("correct it here"),
                );
            }
            Err(_) => {}
        }
    }
    for errors in [&mut found.statements, &mut found.functions] {
        errors.sort_by_key(|error| error.span().map(Span::start));
        errors.dedup_by(|later, first| later.span() == first.span());
    }
    found
}

/// What would make a database read a text otherwise than it is read here.
fn hidden(source: &Arc<Source>, tokens: &[TokenWithSpan]) -> Option<Error> {
    let text = &source.text;
    let at = |at: usize, length: usize| Span::new(source, at, at + length);
    let control = text
        .char_indices()
        .zip(text.chars().skip(1).map(Some).chain([None]))
        .find(|((_, c), next)| c.is_control() && !matches!(c, '\n' | '\t') && !(*c == '\r' && *next == Some('\n')));
    if let Some(((position, character), _)) = control {
        let message = format!("`{}` holds the control character U+{:04X}", source.name, u32::from(character));
        return Some(Error::project(message).at(&at(position, 1), "").hint("remove it; lines end with a line feed"));
    }
    tokens.iter().find_map(|token| {
        let Token::Whitespace(comment) = &token.token else { return None };
        let what = match comment {
            Whitespace::MultiLineComment(inner) if inner.contains("/*") => "a comment within a comment",
            Whitespace::SingleLineComment { comment, .. } if comment.trim_end_matches(['\r', '\n']).ends_with('\\') => {
                "a comment that ends with a backslash"
            }
            _ => return None,
        };
        let message = format!("`{}` holds {what}, which not all databases read alike", source.name);
        Some(Error::project(message).at(&span_of(source, token.span), "").hint("remove it"))
    })
}

/// The tokens of a text, without blanks and comments.
struct Statement<'a> {
    source: &'a Arc<Source>,
    dialect: Dialect,
    tokens: &'a [TokenWithSpan],
}

impl Statement<'_> {
    fn check(&self, found: &mut Found) {
        let errors = &mut found.statements;
        for (index, token) in self.tokens.iter().enumerate() {
            match &token.token {
                Token::SemiColon if !self.rest_is_empty(index + 1) => {
                    errors.push(self.wrong(
                        index,
                        format!("`{}` holds more than one statement", self.source.name),
                        "the first one ends here",
                        "leave one `SELECT`; use `WITH` for its steps",
                    ));
                    return;
                }
                Token::DollarQuotedString(_) => errors.push(self.wrong(
                    index,
                    "text between `$$` is the body of a function or procedure".to_owned(),
                    "",
                    "write the text in single quotes",
                )),
                Token::Word(word) => {
                    errors.extend(self.word(index, word));
                    if self.token(Some(index + 1)) == Some(&Token::LParen) {
                        found.functions.extend(self.call(index, word));
                    }
                }
                _ => {}
            }
        }
    }

    fn rest_is_empty(&self, from: usize) -> bool {
        self.tokens[from..].iter().all(|token| token.token == Token::SemiColon)
    }

    fn token(&self, index: Option<usize>) -> Option<&Token> {
        self.tokens.get(index?).map(|token| &token.token)
    }

    fn is(&self, index: Option<usize>, keyword: Keyword) -> bool {
        matches!(self.token(index), Some(Token::Word(word)) if word.quote_style.is_none() && word.keyword == keyword)
    }

    fn wrong(&self, index: usize, message: String, label: &str, hint: &str) -> Error {
        Error::project(message).at(&span_of(self.source, self.tokens[index].span), label).hint(hint)
    }

    fn word(&self, index: usize, word: &Word) -> Option<Error> {
        let (before, after) = (index.checked_sub(1), Some(index + 1));
        let begins = matches!(self.token(before), None | Some(Token::LParen | Token::RParen));
        if word.quote_style.is_none() && self.token(before) != Some(&Token::Period) {
            let changes = match word.keyword {
                Keyword::INTO => return Some(self.changes(index, "INTO")),
                Keyword::DELETE if begins => self.is(after, Keyword::FROM),
                Keyword::INSERT if begins => {
                    self.is(after, Keyword::INTO)
                        || self.is(after, Keyword::OVERWRITE)
                        || self.is(after, Keyword::TABLE)
                }
                Keyword::MERGE if begins => self.is(after, Keyword::INTO),
                Keyword::UPDATE if begins => matches!(self.token(after), Some(Token::Word(_))),
                Keyword::FOR => {
                    [Keyword::UPDATE, Keyword::SHARE, Keyword::NO].into_iter().any(|keyword| self.is(after, keyword))
                }
                _ => false,
            };
            if changes {
                return Some(self.changes(index, &word.value.to_uppercase()));
            }
            let first = [Keyword::SELECT, Keyword::WITH];
            if before.is_none() && !first.contains(&word.keyword) {
                return Some(self.wrong(
                    index,
                    format!("`{}` does not begin with `SELECT` or `WITH`", self.source.name),
                    "not a query",
                    "write the `SELECT` alone: pipectl makes the table or view of it",
                ));
            }
            // Spark: `TRANSFORM (…) USING 'program'` runs a program.
            if self.dialect == Dialect::Spark
                && word.keyword == Keyword::USING
                && matches!(self.token(after), Some(Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)))
            {
                return Some(self.wrong(index, "a transform runs no program".to_owned(), "", "write it in SQL"));
            }
        }
        // Spark: csv.`/etc/passwd` reads a file.
        if self.dialect == Dialect::Spark && word.quote_style.is_some() && word.value.contains(['/', ':']) {
            let message = format!("`{}` is a path, not a table", word.value);
            return Some(self.wrong(index, message, "", "read the tables of the spec"));
        }
        None
    }

    fn changes(&self, index: usize, what: &str) -> Error {
        self.wrong(
            index,
            format!("`{}` holds `{what}`: a query here only reads", self.source.name),
            "",
            "write one `SELECT`; pipectl makes the table or view of it",
        )
    }

    /// A name before a parenthesis: a function, unless it is something else.
    fn call(&self, index: usize, word: &Word) -> Option<Error> {
        let name = word.value.to_lowercase();
        let before = index.checked_sub(1);
        let schema = if self.token(before) == Some(&Token::Period) {
            match self.token(index.checked_sub(2)) {
                Some(Token::Word(schema)) => Some(schema.value.to_lowercase()),
                _ => None,
            }
        } else {
            None
        };
        if is_denied(self.dialect, &name) {
            return Some(self.wrong(
                index,
                format!("the function `{name}` does more than compute"),
                "not in a mart or a transform",
                "leave it out: a query here only reads tables",
            ));
        }
        // Of Spark's functions, those that reach out of a query are known, and there are no user-defined functions.
        if self.dialect == Dialect::Spark {
            return None;
        }
        let quoted = word.quote_style.is_some();
        let syntax = !quoted && schema.is_none() && is_syntax(&name);
        if syntax
            || self.is_list_of_columns(index)
            || names(self.dialect).any(|known| known == name)
            || is_documented(&name)
        {
            return None;
        }
        // A user-defined function: AWS keeps the names with `f_` for them, and others have a schema.
        let own = schema.as_deref().is_some_and(|schema| !schema.starts_with("pg_") && schema != "information_schema");
        if own || name.starts_with("f_") {
            return None;
        }
        let near = closest(&name, names(self.dialect));
        let hint = match near {
            Some(near) => format!("did you mean `{}`?", near.to_uppercase()),
            None => format!("a function of your own needs its schema: `public.{name}(…)`"),
        };
        Some(self.wrong(index, format!("unknown function `{name}`"), "no such function", &hint))
    }

    /// `t (a, b)` after a table, after `AS`, or in `WITH t (a, b) AS (`.
    fn is_list_of_columns(&self, index: usize) -> bool {
        let before = index.checked_sub(1);
        let end = (index + 2..self.tokens.len()).find(|at| self.tokens[*at].token == Token::RParen);
        let Some(end) = end else { return false };
        let plain =
            self.tokens[index + 2..end].iter().all(|token| matches!(token.token, Token::Word(_) | Token::Comma));
        match self.token(before) {
            Some(Token::RParen) => true,
            Some(Token::Word(word)) if word.quote_style.is_none() && word.keyword == Keyword::AS => true,
            Some(Token::Word(word)) if word.keyword == Keyword::NoKeyword || word.quote_style.is_some() => plain,
            _ => {
                let query = matches!(self.token(Some(end + 3)), Some(Token::Word(word))
                    if matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES))
                    || self.token(Some(end + 3)) == Some(&Token::LParen);
                plain
                    && self.is(Some(end + 1), Keyword::AS)
                    && self.token(Some(end + 2)) == Some(&Token::LParen)
                    && query
            }
        }
    }
}

/// Words that stand before a parenthesis without being functions, and types with a length.
fn is_syntax(name: &str) -> bool {
    const SYNTAX: &str = "all and any array as between by case cast convert cross cube distinct else end escape except exclude \
        exists extract filter for from full group grouping having ilike in inner intersect interval is join lateral left like \
        limit minus natural not offset on or order outer over overlay partition pivot position qualify replace right rollup rows \
        select sets similar some then to top trim union unpivot using values when where window with within \
        bit bpchar char character dec decimal float geometry nchar numeric nvarchar time timestamp timestamptz timetz varbinary \
        varbyte varchar varying precision zone super";
    SYNTAX.split_whitespace().any(|word| word == name)
}

/// Functions of Redshift that nothing more is known of here (database developer guide, "SQL functions reference"). Those of
/// "System administration functions" are left out, and those that only the leader node has and that read its files.
fn is_documented(name: &str) -> bool {
    const NAMES: &str = "addbbox age btrim current_aws_account current_namespace current_schemas current_session_arn \
        current_time date_part_year decimal_precision decimal_scale default_iam_role difference dropbbox farmfingerprint64 \
        geometrytype get_bit get_byte getbit has_assumerole_privilege has_database_privilege isfinite \
        json_serialize_to_varbyte last_user_query_id localtime log10 murmur3_32_hash mysql_compat nvl octetindex \
        pg_backend_pid pg_get_session_id pg_last_copy_count pg_last_copy_id pg_last_query_id pg_last_unload_count \
        pg_last_unload_id replicate session_user set_bit set_byte size slice_num supportsbbox textlen timestamp_cmp_timestamptz \
        timestamptz_cmp_date timestamptz_cmp_timestamp to_ascii trunc try_convert user";
    name.starts_with("st_") || name.starts_with("h3_") || NAMES.split_whitespace().any(|word| word == name)
}

/// How a database cuts a text into words.
#[derive(Debug)]
struct Words {
    dialect: Dialect,
    /// Whether a backslash in a literal escapes the next character.
    backslash: bool,
}

impl Grammar for Words {
    fn dialect(&self) -> TypeId {
        match self.dialect {
            Dialect::Redshift => RedshiftSqlDialect {}.type_id(),
            Dialect::Spark => SparkSqlDialect.type_id(),
        }
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        RedshiftSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        RedshiftSqlDialect {}.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == if self.dialect == Dialect::Spark { '`' } else { '"' }
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        self.backslash
    }

    fn supports_string_escape_constant(&self) -> bool {
        self.dialect == Dialect::Redshift
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(dialect: Dialect, sql: &str) -> Vec<String> {
        let found = check(&Source::new("m.sql", sql), dialect);
        found.statements.iter().chain(&found.functions).map(|error| error.message().to_owned()).collect()
    }

    #[test]
    fn a_query_only_reads() {
        for sql in [
            "select 1 into core.copy",
            "select * into temp t from core.orders",
            "with gone as (delete from core.orders returning id) select * from gone",
            "with a as (select 1) delete from core.orders",
            "with x as (insert into core.orders select * from y returning id) select * from x",
            "with x as (update core.orders set id = 1 returning id) select * from x",
            "with x as (select 1) merge into core.orders using x on true",
            "select 1; drop table core.orders",
            "select 1;;select 2",
            "select * from core.orders for update",
            "copy core.orders from 's3://x/y' iam_role default",
            "unload ('select 1') to 's3://x/y' iam_role default",
            "call p()",
            "set search_path to core",
            "grant all on core.orders to public",
            "values (1)",
            "select $$ select 1 $$",
            "select '\\' , ' , pg_sleep(10) , '\\' , '",
            "select \"--\", pg_read_file('/etc/passwd')\n",
            "select /* /* */ 1 */ from x",
            "select 1 -- a\rfrom pg_ls_dir('.')",
            "select 1 -- \\\n' , reflect('a', 'b')",
        ] {
            assert!(!wrong(Dialect::Redshift, sql).is_empty(), "{sql}");
            assert!(!wrong(Dialect::Redshift, &format!("-- pipectl: unchecked\n{sql}")).is_empty(), "{sql}");
        }
    }

    #[test]
    fn functions_that_reach_out_are_refused() {
        for name in [
            "pg_read_file",
            "pg_read_binary_file",
            "pg_ls_dir",
            "pg_stat_file",
            "lo_import",
            "lo_export",
            "dblink",
            "dblink_exec",
            "pg_sleep",
            "set_config",
            "current_setting",
            "pg_terminate_backend",
            "pg_cancel_backend",
            "query_to_xml",
            "database_to_xml",
            "pg_reload_conf",
            "nextval",
            "setval",
            "pg_advisory_lock",
            "pg_notify",
            "txid_current",
            "pg_logical_emit_message",
            "pg_create_restore_point",
            "ts_stat",
            "change_user_priority",
            "reboot_cluster",
            "xmlparse_and_more",
            "unknown_function",
            "pg_catalog.pg_read_file",
            "\"pg_read_file\"",
            "pg_catalog.\"lo_import\"",
            "PG_READ_FILE",
            "pg_temp.f",
        ] {
            for sql in [
                format!("select {name}('x')"),
                format!("select a from {name}('x') t"),
                format!("select a between symmetric {name}(a) and 1 from core.x"),
                format!("select 1 order by {name} (a)"),
                format!("with t as (select {name}(a)) select * from t"),
            ] {
                let allowed_list = sql.contains("symmetric") && !is_denied(Dialect::Redshift, name.trim_matches('"'));
                assert!(allowed_list || !wrong(Dialect::Redshift, &sql).is_empty(), "{sql}");
            }
        }
        for sql in [
            "select reflect('java.lang.Runtime', 'exec')",
            "select java_method('java.lang.System', 'exit', 0)",
            "select try_reflect('a', 'b')",
            "select 1, `reflect`('a', 'b') as (x)",
            "select transform(a) using 'sh -c id' from orders",
            "select * from csv.`/etc/passwd`",
            "select * from text.`s3://bucket/key`",
            "from orders insert into x select *",
        ] {
            assert!(!wrong(Dialect::Spark, sql).is_empty(), "{sql}");
        }
    }

    #[test]
    fn queries_pass() {
        for sql in [
            "select 1;",
            "-- a comment;\nselect 'a;b', 'it''s', \"x\" from core.orders /* ; */;\n",
            "with t (a, b) as (select 1, 2), u(c) as (with v as (select 3) select * from v) select * from t, u",
            "select o.update, o.delete, max(o.merge), count(*) from core.orders o",
            "select * from (select 1, 2) t (a, b) join core.x as y (c) using (a) join core.z z (d) on (true)",
            "select cast(a as decimal(12, 2)), b::varchar(10), convert(varchar(5), c), trim(both ' ' from d) from core.x",
            "select extract(year from a), date_part('day', b), listagg(c, ',') within group (order by d) over (partition by e)",
            "select sum(a) over (order by b rows between unbounded preceding and current row), approximate count(distinct c)",
            "select f_mine(a), public.ml_churn(b), st_distance(c, d), json_extract_path_text(e, 'f') from core.x",
            "select case when (a in (1, 2)) then (b) else (c) end, nvl(d, 0), left(e, 1), a[0].b, top from core.x",
            "select * from core.x where exists (select 1) and a = any (select 2) and b between (1) and (2) union all (select 3)",
            "select 'a\\\\d+' , regexp_substr(a, '\\\\d+') from core.x",
            "select * from core.x pivot (sum(a) for b in ('c', 'd'))",
            "select a from core.x group by grouping sets ((a), ()), rollup (a), cube (a)",
        ] {
            assert_eq!(wrong(Dialect::Redshift, sql), Vec::<String>::new(), "{sql}");
        }
        for sql in [
            "select transform(a, x -> x + 1), named_struct('b', 1), `odd name` from orders lateral view explode(c) t as d",
            "select stack(2, 1, 2) as (a, b), \"text\" from orders",
        ] {
            assert_eq!(wrong(Dialect::Spark, sql), Vec::<String>::new(), "{sql}");
        }
    }
}
