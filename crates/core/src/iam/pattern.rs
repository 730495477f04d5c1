//! Names with wildcards and policy variables.

use std::borrow::Cow;
use std::fmt;

use super::request::Context;

/// A text of a policy in which `*`, `?` and `${…}` may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    One(char),
    /// `?`
    Any,
    /// `*`
    Many,
    /// `${key}` or `${key, 'default'}`
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern {
    /// Reads a pattern. Policies of the version 2008-10-17 know no variables: there `${…}` stands for itself.
    pub fn new(text: &str, variables: bool) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if variables && let Some((inside, after)) = rest.strip_prefix("${").and_then(|inner| inner.split_once('}'))
            {
                pieces.push(variable(inside));
                rest = after;
                continue;
            }
            pieces.push(match character {
                '*' => Piece::Many,
                '?' => Piece::Any,
                other => Piece::One(other),
            });
            rest = &rest[character.len_utf8()..];
        }
        Self { text: text.to_owned(), pieces }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a lone `*`.
    pub fn is_everything(&self) -> bool {
        self.pieces == [Piece::Many]
    }

    pub fn has_wildcard(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Many | Piece::Any))
    }

    /// How many characters it has in common with a text before its first wildcard.
    pub(super) fn common(&self, text: &str) -> usize {
        self.pieces.iter().zip(text.chars()).take_while(|(piece, found)| **piece == Piece::One(*found)).count()
    }

    /// Whether it stands for the text. A variable whose key the context does not have stands for nothing.
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        self.resolved(context).is_some_and(|pieces| glob(&pieces, text))
    }

    /// The same for an ARN: a wildcard reaches over no colon but those of the last part.
    pub fn matches_arn(&self, arn: &str, context: &Context) -> bool {
        let Some(pieces) = self.resolved(context) else { return false };
        let parts: Vec<&[Piece]> = pieces.splitn(6, |piece| *piece == Piece::One(':')).collect();
        let found: Vec<&str> = arn.splitn(6, ':').collect();
        if found.len() < 6 {
            return glob(&pieces, arn);
        }
        // IAM takes nothing shorter than an ARN but a lone star.
        if parts.len() < 6 {
            return *pieces == [Piece::Many];
        }
        parts.iter().zip(found).all(|(part, found)| glob(part, found))
    }

    /// Whether some ARN is matched by both patterns. What a variable stands for is not known: it may be any text. As in
    /// [`Self::matches_arn`], a wildcard reaches over no colon but those of the last part.
    pub fn overlaps_arn(&self, other: &Self) -> bool {
        let colon = |piece: &Piece| *piece == Piece::One(':');
        let (mut one, mut other): (&[Piece], &[Piece]) = (&self.pieces, &other.pieces);
        // The parts of an ARN before its last one, from the left: most pairs differ in the service.
        for _ in 0..5 {
            let (Some(end), Some(other_end)) = (one.iter().position(colon), other.iter().position(colon)) else {
                break;
            };
            if !overlap(&one[..end], &other[..other_end]) {
                return false;
            }
            (one, other) = (&one[end + 1..], &other[other_end + 1..]);
        }
        overlap(one, other)
    }

    /// Whether it is the text itself: wildcards stand for themselves, variables for their values.
    pub(super) fn equals(&self, text: &str, context: &Context) -> bool {
        let Some(pieces) = self.resolved(context) else { return false };
        let written = pieces.iter().map(|piece| match piece {
            Piece::One(character) => *character,
            Piece::Any => '?',
            Piece::Many | Piece::Variable { .. } => '*',
        });
        written.eq(text.chars())
    }

    fn resolved(&self, context: &Context) -> Option<Cow<'_, [Piece]>> {
        if !self.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })) {
            return Some(Cow::Borrowed(&self.pieces));
        }
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            match piece {
                Piece::Variable { key, default } => {
                    let value = context.get(key).and_then(|values| values.first()).or(default.as_ref())?;
                    pieces.extend(value.chars().map(Piece::One));
                }
                other => pieces.push(other.clone()),
            }
        }
        Some(Cow::Owned(pieces))
    }
}

fn overlap(one: &[Piece], other: &[Piece]) -> bool {
    let open = |piece: Option<&Piece>| matches!(piece, Some(Piece::Many | Piece::Variable { .. }));
    // Whether what is left of `one` and the pieces of `other` from each number on can stand for the same text.
    let mut after = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let mut here = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let (mine, its) = (one.get(i), other.get(j));
            let next = || j < other.len() && here[j + 1];
            here[j] = match (mine, its) {
                (None, None) => true,
                // A star takes nothing, or one more character or star of the other pattern.
                _ if open(mine) || open(its) => i < one.len() && after[j] || next(),
                (Some(Piece::One(mine)), Some(Piece::One(its))) => mine == its && after[j + 1],
                (Some(_), Some(_)) => after[j + 1],
                _ => false,
            };
        }
        after = here;
    }
    after[0]
}

fn variable(inside: &str) -> Piece {
    match inside {
        "*" | "?" | "$" => Piece::One(inside.chars().next().unwrap_or_default()),
        _ => {
            let (key, default) = inside.split_once(',').map_or((inside, None), |(key, rest)| (key, Some(rest)));
            let default = default.map(|text| text.trim().trim_matches('\'').to_owned());
            Piece::Variable { key: key.trim().to_lowercase(), default }
        }
    }
}

fn glob(mut pattern: &[Piece], mut text: &str) -> bool {
    // Where to go on after the last star: what follows it, and the text that it has not taken yet.
    let mut retry: Option<(&[Piece], &str)> = None;
    loop {
        let found = text.chars().next();
        match (pattern.split_first(), found) {
            (Some((Piece::Many, rest)), _) => {
                pattern = rest;
                retry = Some((rest, text));
                continue;
            }
            (None, None) => return true,
            (Some((Piece::Any, rest)), Some(found)) => {
                pattern = rest;
                text = &text[found.len_utf8()..];
                continue;
            }
            (Some((Piece::One(expected), rest)), Some(found)) if *expected == found => {
                pattern = rest;
                text = &text[found.len_utf8()..];
                continue;
            }
            _ => {}
        }
        let Some((after, untaken)) = retry else { return false };
        let Some(skipped) = untaken.chars().next() else { return false };
        text = &untaken[skipped.len_utf8()..];
        pattern = after;
        retry = Some((after, text));
    }
}
