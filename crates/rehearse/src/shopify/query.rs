//! GraphQL documents, as far as an ingest sends them: operations, arguments, variables, fragments.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An operation with its fragments put in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) mutation: bool,
    pub(super) selections: Vec<Selection>,
}

/// A part of what is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selection {
    Field(Field),
    /// Asked for only of objects of a type, or of all.
    On(Option<String>, Vec<Selection>),
    /// The name of a fragment, before it is put in.
    Spread(String),
}

/// A field that is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Field {
    /// The name in the answer.
    pub(super) alias: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
    pub(super) selections: Vec<Selection>,
}

impl Field {
    /// The fields that are asked for of it, whatever the type.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        fields(&self.selections).into_iter()
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().find(|field| field.name == name)
    }

    pub(super) fn text(&self, argument: &str) -> Option<&str> {
        self.arguments.get(argument)?.as_str()
    }
}

/// The fields among selections, those in fragments too.
pub(super) fn fields(selections: &[Selection]) -> Vec<&Field> {
    let flatten = selections.iter().flat_map(|selection| match selection {
        Selection::Field(field) => vec![field],
        Selection::On(_, inner) => fields(inner),
        Selection::Spread(_) => Vec::new(),
    });
    flatten.collect()
}

/// Reads a document with one operation; variables are replaced by their values.
pub(super) fn parse(text: &str, variables: &Map<String, Value>) -> Result<Operation, String> {
    let mut parser = Parser { rest: text, text, variables };
    let mut operation = None;
    let mut fragments = BTreeMap::new();
    while !parser.at_end() {
        if parser.word("fragment") {
            let name = parser.name()?;
            parser.expect_word("on")?;
            parser.name()?;
            fragments.insert(name, parser.selections()?);
            continue;
        }
        let mutation = parser.word("mutation");
        if !mutation {
            parser.word("query");
        }
        if !parser.next_is('{') {
            if !parser.next_is('(') {
                parser.name()?;
            }
            parser.skip_definitions()?;
        }
        let selections = parser.selections()?;
        if operation.replace(Operation { mutation, selections }).is_some() {
            return Err("more than one operation; `operationName` is not supported".into());
        }
    }
    let mut operation = operation.ok_or("a document without an operation")?;
    put_in(&mut operation.selections, &fragments, 0)?;
    Ok(operation)
}

fn put_in(
    selections: &mut [Selection],
    fragments: &BTreeMap<String, Vec<Selection>>,
    depth: usize,
) -> Result<(), String> {
    if depth > 20 {
        return Err("fragments are nested too deeply".into());
    }
    for selection in selections {
        if let Selection::Spread(name) = selection {
            let inner = fragments.get(name).ok_or_else(|| format!("Fragment {name} was used, but not defined"))?;
            *selection = Selection::On(None, inner.clone());
        }
        match selection {
            Selection::Field(field) => put_in(&mut field.selections, fragments, depth + 1)?,
            Selection::On(_, inner) => put_in(inner, fragments, depth + 1)?,
            Selection::Spread(_) => {}
        }
    }
    Ok(())
}

struct Parser<'a> {
    rest: &'a str,
    text: &'a str,
    variables: &'a Map<String, Value>,
}

impl Parser<'_> {
    /// Skips white space, commas and comments.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => return,
            }
        }
    }

    fn at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty()
    }

    fn next_is(&mut self, c: char) -> bool {
        self.skip();
        self.rest.starts_with(c)
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(&format!("\"{token}\""))) }
    }

    fn unexpected(&self, expected: &str) -> String {
        let line = self.text[..self.text.len() - self.rest.len()].matches('\n').count() + 1;
        let found: String = self.rest.chars().take(12).collect();
        format!("syntax error at line {line}: expected {expected}, found \"{found}\"")
    }

    /// The next word, without taking it.
    fn peek(&mut self) -> &str {
        self.skip();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek() == word;
        if found {
            self.rest = &self.rest[word.len()..];
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(&format!("\"{word}\""))) }
    }

    fn name(&mut self) -> Result<String, String> {
        let name = self.peek().to_owned();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.unexpected("a name"));
        }
        self.rest = &self.rest[name.len()..];
        Ok(name)
    }

    /// Skips `($since: String!, $first: Int = 10)`. Types are not checked.
    fn skip_definitions(&mut self) -> Result<(), String> {
        if self.eat("(") {
            while !self.eat(")") {
                self.expect("$")?;
                self.name()?;
                self.expect(":")?;
                while self.eat("[") {}
                self.name()?;
                while self.eat("!") || self.eat("]") {}
                if self.eat("=") {
                    self.value()?;
                }
            }
        }
        Ok(())
    }

    fn selections(&mut self) -> Result<Vec<Selection>, String> {
        self.expect("{")?;
        let mut selections = Vec::new();
        while !self.eat("}") {
            selections.push(self.selection()?);
        }
        Ok(selections)
    }

    fn selection(&mut self) -> Result<Selection, String> {
        if self.eat("...") {
            if self.next_is('{') {
                return Ok(Selection::On(None, self.selections()?));
            }
            if self.word("on") {
                let kind = self.name()?;
                return Ok(Selection::On(Some(kind), self.selections()?));
            }
            return Ok(Selection::Spread(self.name()?));
        }
        let mut field = Field { name: self.name()?, ..Field::default() };
        field.alias.clone_from(&field.name);
        if self.eat(":") {
            field.name = self.name()?;
        }
        if self.eat("(") {
            while !self.eat(")") {
                let name = self.name()?;
                self.expect(":")?;
                let value = self.value()?;
                field.arguments.insert(name, value);
            }
        }
        if self.next_is('{') {
            field.selections = self.selections()?;
        }
        Ok(Selection::Field(field))
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.eat("$") {
            let name = self.name()?;
            return Ok(self.variables.get(&name).cloned().unwrap_or(Value::Null));
        }
        if self.eat("\"\"\"") {
            let (text, rest) = self.rest.split_once("\"\"\"").ok_or("a block string without its end")?;
            self.rest = rest;
            return Ok(Value::String(text.trim().to_owned()));
        }
        if self.next_is('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let Some(Ok(text)) = values.next() else { return Err(self.unexpected("a string")) };
            self.rest = &self.rest[values.byte_offset()..];
            return Ok(Value::String(text));
        }
        if self.eat("[") {
            let mut items = Vec::new();
            while !self.eat("]") {
                items.push(self.value()?);
            }
            return Ok(Value::Array(items));
        }
        if self.eat("{") {
            let mut object = Map::new();
            while !self.eat("}") {
                let name = self.name()?;
                self.expect(":")?;
                let value = self.value()?;
                object.insert(name, value);
            }
            return Ok(Value::Object(object));
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || ",)]}".contains(c)).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        if word.is_empty() {
            return Err(self.unexpected("a value"));
        }
        self.rest = &self.rest[end..];
        // What is not JSON is the name of an enum's value.
        Ok(serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operation in a short form: `name(arguments){…}`, `as:` before an alias.
    fn show(selections: &[Selection]) -> String {
        let one = |selection: &Selection| match selection {
            Selection::On(kind, inner) => format!("on {}{{{}}}", kind.as_deref().unwrap_or("*"), show(inner)),
            Selection::Spread(name) => format!("...{name}"),
            Selection::Field(field) => {
                let alias = if field.alias == field.name { String::new() } else { format!("{}:", field.alias) };
                let arguments = if field.arguments.is_empty() {
                    String::new()
                } else {
                    Value::Object(field.arguments.clone()).to_string()
                };
                let inner = show(&field.selections);
                let inner = if inner.is_empty() { inner } else { format!("{{{inner}}}") };
                format!("{alias}{}{arguments}{inner}", field.name)
            }
        };
        selections.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn documents_are_read() {
        let variables = serde_json::json!({"q": "{ orders }"}).as_object().cloned().unwrap();
        for (text, expected) in [
            ("{ a }", "a"),
            ("query { a, b # c\n c }", "a b c"),
            ("query Name($q: String!, $n: [Int!]! = [1]) { a(q: $q, x: $x) }", r#"a{"q":"{ orders }","x":null}"#),
            ("{ x: a { id } }", "x:a{id}"),
            (
                r#"{ a(q: """ b "c" """, t: "\"\n", e: DESC, n: -1.5, l: [1 2], o: {k: true}) }"#,
                r#"a{"q":"b \"c\"","t":"\"\n","e":"DESC","n":-1.5,"l":[1,2],"o":{"k":true}}"#,
            ),
            (
                "{ n { ... on Order { id } ... { x } ...F } } fragment F on Order { y }",
                "n{on Order{id} on *{x} on *{y}}",
            ),
        ] {
            let shown = parse(text, &variables).map(|operation| show(&operation.selections));
            assert_eq!(shown.as_deref(), Ok(expected), "{text}");
        }
        assert!(parse("mutation M { a }", &variables).unwrap().mutation);
    }

    #[test]
    fn errors_have_line_numbers() {
        for (text, expected) in [
            ("", "a document without an operation"),
            ("{ a", "syntax error at line 1: expected a name, found \"\""),
            ("{\n a(b 1) }", "syntax error at line 2: expected \":\", found \"1) }\""),
            ("{ a } { b }", "more than one operation; `operationName` is not supported"),
            ("{ ...F }", "Fragment F was used, but not defined"),
            ("{ ...F } fragment F on X { ...F }", "fragments are nested too deeply"),
            ("{ a(b: \"c }", "syntax error at line 1: expected a string, found \"\"c }\""),
        ] {
            assert_eq!(parse(text, &Map::new()).unwrap_err(), expected, "{text}");
        }
    }
}
