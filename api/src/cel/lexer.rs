//! Words and signs of an expression.

use super::error::Mistake;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Ident(String),
    Int(i64),
    /// One above the largest: only with a minus.
    IntMin,
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 28] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}", "=", "&", "|", "$",
];

pub(super) struct Lexer<'a> {
    rest: &'a str,
    at: u32,
}

// === impl Lexer ===

impl<'a> Lexer<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { rest: source, at: 0 }
    }

    /// The next token and where it stands.
    pub(super) fn next(&mut self) -> Result<(Token, u32), Mistake> {
        self.skip_blank();
        let at = self.at;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, at)) };
        let token = match first {
            '0'..='9' => self.number()?,
            '.' if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            '"' | '\'' => self.text("")?,
            _ if first.is_ascii_alphabetic() || first == '_' => self.word()?,
            _ => self.sign()?,
        };
        Ok((token, at))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.at += u32::try_from(taken.chars().count()).unwrap_or(u32::MAX);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest.starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn mistake(&self, text: impl Into<String>) -> Mistake {
        Mistake { at: self.at, text: text.into() }
    }

    fn sign(&mut self) -> Result<Token, Mistake> {
        match SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            Some(sign) => {
                self.take(sign.len());
                Ok(Token::Sign(sign))
            }
            None => {
                let first: String = self.rest.chars().take(1).collect();
                Err(self.mistake(format!("Syntax error: token recognition error at: '{first}'")))
            }
        }
    }

    fn word(&mut self) -> Result<Token, Mistake> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let prefix = &self.rest[..end];
        let quoted = self.rest[end..].starts_with(['"', '\'']);
        let lower = prefix.to_ascii_lowercase();
        if quoted && matches!(lower.as_str(), "r" | "b" | "br" | "rb") {
            self.take(end);
            return self.text(&lower);
        }
        Ok(Token::Ident(self.take(end).to_owned()))
    }

    fn number(&mut self) -> Result<Token, Mistake> {
        if let Some(hex) = self.rest.strip_prefix("0x") {
            let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
            let digits = &hex[..end];
            self.take(2 + end);
            let value = u64::from_str_radix(digits, 16);
            return self.whole(value.ok());
        }
        let bytes = self.rest.as_bytes();
        let digits =
            |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count() + from;
        let whole = digits(0);
        let mut end = whole;
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end = digits(end + 1 + sign);
            }
        }
        let text = self.take(end);
        if end == whole {
            return self.whole(text.parse().ok());
        }
        let value: Option<f64> = text.parse().ok();
        let value = value.filter(|value| value.is_finite());
        value.map(Token::Double).ok_or_else(|| self.mistake("invalid double literal"))
    }

    fn whole(&mut self, value: Option<u64>) -> Result<Token, Mistake> {
        if self.rest.starts_with(['u', 'U']) {
            self.take(1);
            return value.map(Token::Uint).ok_or_else(|| self.mistake("invalid uint literal"));
        }
        let value = value.ok_or_else(|| self.mistake("invalid int literal"))?;
        match i64::try_from(value) {
            Ok(value) => Ok(Token::Int(value)),
            Err(_) if value == i64::MIN.unsigned_abs() => Ok(Token::IntMin),
            Err(_) => Err(self.mistake("invalid int literal")),
        }
    }

    fn text(&mut self, prefix: &str) -> Result<Token, Mistake> {
        let (raw, bytes) = (prefix.contains('r'), prefix.contains('b'));
        let quote = &self.rest[..1];
        let long = quote.repeat(3);
        let quote = if self.rest.starts_with(&long) { long } else { quote.to_owned() };
        self.take(quote.len());
        let mut found = Vec::new();
        loop {
            if self.rest.starts_with(&quote) {
                self.take(quote.len());
                break;
            }
            let next = self.rest.chars().next();
            match next {
                None => return Err(self.mistake("Syntax error: unterminated string")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(self.mistake("Syntax error: unterminated string"));
                }
                Some('\\') if !raw => self.escape(bytes, &mut found)?,
                Some('\\') => {
                    let both = 1 + self.rest[1..].chars().next().map_or(0, char::len_utf8);
                    found.extend_from_slice(self.take(both).as_bytes());
                }
                Some(c) => found.extend_from_slice(self.take(c.len_utf8()).as_bytes()),
            }
        }
        if bytes {
            return Ok(Token::Bytes(found));
        }
        String::from_utf8(found).map(Token::Text).map_err(|_| self.mistake("invalid UTF-8"))
    }

    fn escape(&mut self, bytes: bool, out: &mut Vec<u8>) -> Result<(), Mistake> {
        self.take(1);
        let Some(letter) = self.rest.chars().next() else {
            return Err(self.mistake("Syntax error: unterminated string"));
        };
        let simple = match letter {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' | '\'' | '"' | '`' | '?' => u8::try_from(letter).ok(),
            _ => None,
        };
        if let Some(byte) = simple {
            self.take(1);
            out.push(byte);
            return Ok(());
        }
        let (skip, digits, radix) = match letter {
            'x' | 'X' => (1, 2, 16),
            'u' if !bytes => (1, 4, 16),
            'U' if !bytes => (1, 8, 16),
            '0'..='3' => (0, 3, 8),
            _ => return Err(self.mistake(format!("invalid escape sequence: \\{letter}"))),
        };
        let text = self.rest.get(skip..skip + digits);
        let code = text.and_then(|text| u32::from_str_radix(text, radix).ok());
        let code = code.ok_or_else(|| self.mistake("invalid escape sequence"))?;
        self.take(skip + digits);
        if bytes {
            out.push(u8::try_from(code).unwrap_or(u8::MAX));
        } else {
            let c =
                char::from_u32(code).ok_or_else(|| self.mistake("invalid unicode code point"))?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}
