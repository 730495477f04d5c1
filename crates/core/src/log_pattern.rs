//! Filter patterns of CloudWatch Logs: read, and matched against a line.
//!
//! Words (`ERROR`, `"out of memory"`, `?a ?b`, `-no`), fields of JSON lines (`{ $.level = "ERROR" && $.code > 3 }`) and
//! regular expressions (`%time.?out%`). A pattern for columns (`[ip, user, …]`) is let through and matches nothing here.

use regex::Regex;
use serde_json::Value;

/// A pattern that CloudWatch Logs takes.
#[derive(Debug, Clone)]
pub struct LogPattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Words(Vec<Word>),
    Json(Condition),
    Columns,
}

#[derive(Debug, Clone)]
struct Word {
    role: Role,
    what: Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Needed,
    /// One of these is enough.
    Either,
    Unwanted,
}

#[derive(Debug, Clone)]
enum Text {
    Plain(String),
    Regex(Regex),
}

#[derive(Debug, Clone)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare { path: Vec<String>, sign: Sign, value: Operand },
    Is { path: Vec<String>, what: Is },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Null,
    True,
    False,
    Missing,
}

#[derive(Debug, Clone)]
enum Operand {
    Number(f64),
    /// `*` stands for any characters.
    Text(String),
    Regex(Regex),
}

impl LogPattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 1024 {
            return Err("it is longer than 1,024 characters".into());
        }
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('{') {
            let inner = inner.strip_suffix('}').ok_or("the `{` is not closed")?;
            let mut reader = Reader { rest: inner };
            let condition = reader.any()?;
            return match reader.rest.trim() {
                "" => Ok(Self(Kind::Json(condition))),
                rest => Err(format!("`{rest}` is not understood")),
            };
        }
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']').map(|_| Self(Kind::Columns)).ok_or_else(|| "the `[` is not closed".into());
        }
        let mut words = Vec::new();
        let mut reader = Reader { rest: text };
        while !reader.rest.trim_start().is_empty() {
            words.push(reader.word()?);
        }
        Ok(Self(Kind::Words(words)))
    }

    /// Whether a line counts.
    pub fn matches(&self, line: &str) -> bool {
        match &self.0 {
            Kind::Columns => false,
            Kind::Json(condition) => serde_json::from_str(line).is_ok_and(|line| condition.holds(&line)),
            Kind::Words(words) => {
                let of = |role| words.iter().filter(move |word| word.role == role);
                let found = |word: &Word| word.what.is_in(line);
                // As documented: beside words that are needed, those that are one of several do not count.
                let either = of(Role::Needed).next().is_some() || of(Role::Either).next().is_none();
                of(Role::Needed).all(found) && !of(Role::Unwanted).any(found) && (either || of(Role::Either).any(found))
            }
        }
    }
}

impl Text {
    fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Plain(text) => line.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

impl Condition {
    fn holds(&self, line: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(line)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(line)),
            Self::Is { path, what } => match (what, field(line, path)) {
                (Is::Missing, found) => found.is_none(),
                (Is::Null, Some(Value::Null)) => true,
                (Is::True, Some(value)) => *value == Value::Bool(true),
                (Is::False, Some(value)) => *value == Value::Bool(false),
                _ => false,
            },
            Self::Compare { path, sign, value } => {
                let Some(found) = field(line, path) else { return false };
                match value {
                    Operand::Number(expected) => {
                        let found = found.as_f64().or_else(|| found.as_str()?.parse().ok());
                        found.and_then(|found| found.partial_cmp(expected)).is_some_and(|order| match sign {
                            Sign::Equal => order.is_eq(),
                            Sign::Unequal => order.is_ne(),
                            Sign::Less => order.is_lt(),
                            Sign::AtMost => order.is_le(),
                            Sign::More => order.is_gt(),
                            Sign::AtLeast => order.is_ge(),
                        })
                    }
                    Operand::Text(expected) => {
                        scalar(found).is_some_and(|found| like(expected, &found) == (*sign == Sign::Equal))
                    }
                    Operand::Regex(expected) => {
                        scalar(found).is_some_and(|found| expected.is_match(&found) == (*sign == Sign::Equal))
                    }
                }
            }
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn field<'a>(line: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(line, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

/// Whether a text is like a pattern in which `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        let taken = self.rest.strip_prefix(word);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn quoted(&mut self, mark: char) -> Result<&'a str, String> {
        let end = self.rest.find(mark).ok_or_else(|| format!("a `{mark}` is not closed"))?;
        let word = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(word)
    }

    fn regex(&mut self) -> Result<Regex, String> {
        let text = self.quoted('%')?;
        Regex::new(text).map_err(|_| format!("`{text}` is not a regular expression"))
    }

    fn word(&mut self) -> Result<Word, String> {
        let role = if self.take("?") {
            Role::Either
        } else if self.take("-") {
            Role::Unwanted
        } else {
            Role::Needed
        };
        let what = if self.take("\"") {
            Text::Plain(self.quoted('"')?.to_owned())
        } else if self.take("%") {
            Text::Regex(self.regex()?)
        } else {
            let word = self.until(char::is_whitespace);
            if let Some(odd) = word.chars().find(|c| !c.is_alphanumeric() && *c != '_') {
                return Err(format!("a word with `{odd}` in it needs quotes: \"{}\"", word.replace('"', "")));
            }
            Text::Plain(word.to_owned())
        };
        Ok(Word { role, what })
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.take("&&") {
            parts.push(self.one()?);
        }
        Ok(Condition::All(parts))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err("a `(` is not closed".into()) };
        }
        if !self.take("$") {
            return Err("a field begins with `$.`, such as `$.level`".into());
        }
        let ends = |c: char| c.is_whitespace() || "=!<>)&|".contains(c);
        let path = self.until(ends);
        let path: Vec<String> = path
            .split(['.', '[', ']'])
            .map(|step| step.trim_matches(['"', '\'']).to_owned())
            .filter(|step| !step.is_empty())
            .collect();
        if self.take("NOT EXISTS") {
            return Ok(Condition::Is { path, what: Is::Missing });
        }
        if self.take("IS ") {
            let words = [("NULL", Is::Null), ("TRUE", Is::True), ("FALSE", Is::False)];
            let known = words.into_iter().find(|(word, _)| self.take(word));
            let (_, what) = known.ok_or("`IS` is followed by NULL, TRUE or FALSE")?;
            return Ok(Condition::Is { path, what });
        }
        let signs = [
            ("!=", Sign::Unequal),
            ("<=", Sign::AtMost),
            (">=", Sign::AtLeast),
            ("=", Sign::Equal),
            ("<", Sign::Less),
            (">", Sign::More),
        ];
        let sign = signs.into_iter().find(|(word, _)| self.take(word));
        let (_, sign) = sign.ok_or("a comparison is one of =, !=, <, <=, >, >=, IS, NOT EXISTS")?;
        let value = if self.take("\"") {
            Operand::Text(self.quoted('"')?.to_owned())
        } else if self.take("%") {
            Operand::Regex(self.regex()?)
        } else {
            self.rest = self.rest.trim_start();
            let word = self.until(|c| c.is_whitespace() || ")&|".contains(c));
            match word.parse() {
                Ok(number) => Operand::Number(number),
                Err(_) if word.is_empty() => return Err("a comparison lacks its value".into()),
                Err(_) => Operand::Text(word.to_owned()),
            }
        };
        match (&value, sign) {
            (Operand::Number(_), _) | (_, Sign::Equal | Sign::Unequal) => Ok(Condition::Compare { path, sign, value }),
            _ => Err("only numbers are compared by < and >".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let json =
            r#"{"level":"ERROR","fields":{"message":"no token","code":17},"list":[{"a":1}],"ok":true,"none":null}"#;
        for (pattern, line, expected) in [
            (r#"{ $.level = "ERROR" }"#, json, true),
            (r#"{$.level="WARN"}"#, json, false),
            (r#"{ $.level = "ERROR" }"#, "ERROR", false),
            (r"{ $.level = ERR* }", json, true),
            (r#"{ $.level != "INFO" && $.fields.code >= 17 }"#, json, true),
            (r#"{ ($.level = "X" || $.fields.code < 18) && $.ok IS TRUE }"#, json, true),
            (r#"{ $.fields.message = "*token" }"#, json, true),
            (r"{ $.fields.message = %^no t% }", json, true),
            (r"{ $.list[0].a = 1 }", json, true),
            (r"{ $.none IS NULL }", json, true),
            (r"{ $.other NOT EXISTS }", json, true),
            (r#"{ $.other != "x" }"#, json, false),
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            (r#"ERROR "out of memory""#, "ERROR: out of memory", true),
            (r#"ERROR "out of memory""#, "ERROR: disk full", false),
            ("?ERROR ?WARN", "WARN", true),
            ("?ERROR ?WARN", "INFO", false),
            ("ERROR -expected", "ERROR expected", false),
            ("%time(d )?out%", "it timed out", true),
            ("[ip, user]", "a b", false),
        ] {
            assert_eq!(LogPattern::parse(pattern).unwrap().matches(line), expected, "{pattern} {line}");
        }
    }

    #[test]
    fn patterns_that_cloudwatch_rejects_are_rejected() {
        let reported = |pattern: &str| LogPattern::parse(pattern).map(drop).unwrap_err();
        let patterns = [
            "{ $.level = ",
            "{ level = 1 }",
            "{ $.a ~ 1 }",
            "{ $.a > x }",
            "{ ($.a = 1 }",
            "{ $.a = 1 } x",
            "time-out",
            "\"x",
            "[a",
            "{ $.a = 1 or }",
        ];
        insta::assert_snapshot!(patterns.map(reported).join("\n"), @r#"
        the `{` is not closed
        a field begins with `$.`, such as `$.level`
        a comparison is one of =, !=, <, <=, >, >=, IS, NOT EXISTS
        only numbers are compared by < and >
        a `(` is not closed
        the `{` is not closed
        a word with `-` in it needs quotes: "time-out"
        a `"` is not closed
        the `[` is not closed
        `or` is not understood
        "#);
    }
}
