//! Reading a path.

use super::{Comparison, Filter, JsonPath, Operand, Step};
use serde_json::Value;

/// Deeper filters in filters are refused.
const MAX_DEPTH: usize = 16;

/// A path that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {at}")]
pub(in crate::apiextensions) struct PathError {
    what: &'static str,
    at: usize,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Result<T> = std::result::Result<T, PathError>;

pub(super) fn path(text: &str) -> Result<JsonPath> {
    let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let mut reader = Reader { text: bare, at: 0, depth: 0 };
    reader.takes("$");
    let path = reader.path()?;
    match reader.rest() {
        "" => Ok(path),
        _ => reader.fail("unexpected character"),
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn takes(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        self.at += if there { token.len() } else { 0 };
        there
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn fail<T>(&self, what: &'static str) -> Result<T> {
        Err(PathError { what, at: self.at })
    }

    fn expect(&mut self, token: &str, what: &'static str) -> Result<()> {
        if self.takes(token) { Ok(()) } else { self.fail(what) }
    }

    fn path(&mut self) -> Result<JsonPath> {
        let mut steps = Vec::new();
        loop {
            if self.takes("..") {
                steps.push(Step::Deep);
                if !self.rest().starts_with('[') {
                    steps.push(self.field()?);
                }
            } else if self.takes(".") {
                // A dot before a bracket, or alone, is the object itself.
                if !self.rest().is_empty() && !self.rest().starts_with('[') {
                    steps.push(self.field()?);
                }
            } else if self.takes("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(JsonPath(steps));
            }
        }
    }

    fn field(&mut self) -> Result<Step> {
        if self.takes("*") {
            return Ok(Step::All);
        }
        let mut name = String::new();
        let mut characters = self.rest().char_indices();
        let mut end = self.rest().len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
                '.' | '[' | ']' | ')' | '(' | ' ' | '=' | '!' | '<' | '>' | ',' | '{' | '}' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        if name.is_empty() {
            return self.fail("a name is missing");
        }
        self.at += end;
        Ok(Step::Key(name))
    }

    fn bracket(&mut self) -> Result<Step> {
        if self.takes("?(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return self.fail("filters are nested too deeply");
            }
            let filter = self.filter()?;
            self.depth -= 1;
            self.expect(")]", "unterminated filter")?;
            return Ok(Step::Filter(Box::new(filter)));
        }
        let mut steps = vec![self.element()?];
        while self.takes(",") {
            steps.push(self.element()?);
        }
        self.expect("]", "unterminated array")?;
        Ok(if steps.len() == 1 { steps.remove(0) } else { Step::Union(steps) })
    }

    fn element(&mut self) -> Result<Step> {
        self.spaces();
        let step = if self.takes("*") {
            Step::All
        } else if self.rest().starts_with(['\'', '"']) {
            Step::Key(self.quoted()?)
        } else {
            self.range()?
        };
        self.spaces();
        Ok(step)
    }

    fn range(&mut self) -> Result<Step> {
        let from = self.number()?;
        if !self.takes(":") {
            return from.map_or_else(|| self.fail("an index is missing"), |at| Ok(Step::Index(at)));
        }
        let to = self.number()?;
        let by = if self.takes(":") { self.number()?.unwrap_or(1) } else { 1 };
        if by < 1 {
            return self.fail("a step must be positive");
        }
        Ok(Step::Slice { from, to, by })
    }

    fn number(&mut self) -> Result<Option<i64>> {
        let digits = self.rest().trim_start_matches('-');
        let sign = self.rest().len() - digits.len();
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if sign + end == 0 {
            return Ok(None);
        }
        let Ok(number) = self.rest()[..sign + end].parse() else {
            return self.fail("invalid array index");
        };
        self.at += sign + end;
        Ok(Some(number))
    }

    fn quoted(&mut self) -> Result<String> {
        let quote = self.rest().chars().next().unwrap_or('\'');
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                end if end == quote => {
                    self.at += at + quote.len_utf8();
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
        self.fail("unterminated quoted string")
    }

    fn filter(&mut self) -> Result<Filter> {
        let left = self.operand()?;
        self.spaces();
        let comparison = self.comparison();
        match (left, comparison) {
            (left, Some(comparison)) => {
                let right = self.operand()?;
                self.spaces();
                Ok(Filter::Compare(left, comparison, right))
            }
            (Operand::Path(path), None) => Ok(Filter::Exists(path)),
            (Operand::Literal(_), None) => self.fail("a comparison is missing"),
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let known = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        known.into_iter().find(|(token, _)| self.takes(token)).map(|(_, comparison)| comparison)
    }

    fn operand(&mut self) -> Result<Operand> {
        self.spaces();
        if self.takes("@") {
            return self.path().map(Operand::Path);
        }
        if self.rest().starts_with(['\'', '"']) {
            return self.quoted().map(|text| Operand::Literal(text.into()));
        }
        let end = self.rest().find([' ', ')', '=', '!', '<', '>']).unwrap_or(self.rest().len());
        match serde_json::from_str::<Value>(&self.rest()[..end]) {
            Ok(value) if !value.is_array() && !value.is_object() => {
                self.at += end;
                Ok(Operand::Literal(value))
            }
            _ => self.fail("unrecognized character in filter"),
        }
    }
}
