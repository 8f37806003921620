//! From text to expressions (CEL specification, "Syntax").

mod primary;

use super::ast::{Expr, Kind, Operator};
use super::error::Mistake;
use super::lexer::{Lexer, Token};
use super::value::Literal;

/// How deep expressions may nest, so that no stack overflows on the way through them.
const MAX_HEIGHT: u16 = 100;
/// How long an expression may be, in bytes.
const MAX_LENGTH: usize = 100_000;

/// Parses a whole expression.
pub(super) fn parse(source: &str) -> Result<Expr, Mistake> {
    if source.len() > MAX_LENGTH {
        let text = format!(
            "expression code point size exceeds limit: size: {}, limit {MAX_LENGTH}",
            source.len()
        );
        return Err(Mistake { at: 0, text });
    }
    let mut lexer = Lexer::new(source);
    let (token, at) = lexer.next()?;
    let mut parser = Parser { lexer, token, at, depth: 0 };
    let expr = parser.expr()?;
    match parser.token {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    at: u32,
    depth: u16,
}

type Parsed = Result<Expr, Mistake>;

// === impl Parser ===

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token, Mistake> {
        let (next, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn mistake<T>(&self, at: u32, text: impl Into<String>) -> Result<T, Mistake> {
        let _ = self;
        Err(Mistake { at, text: text.into() })
    }

    fn unexpected(&self, wanted: &str) -> Mistake {
        let found = match &self.token {
            Token::End => "<EOF>".to_owned(),
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Ident(name) => name.clone(),
            Token::Text(text) => format!("{text:?}"),
            Token::Int(value) => value.to_string(),
            other => format!("{other:?}"),
        };
        let text = format!("Syntax error: mismatched input '{found}' expecting {wanted}");
        Mistake { at: self.at, text }
    }

    fn eat(&mut self, sign: &str) -> Result<bool, Mistake> {
        let found = matches!(self.token, Token::Sign(found) if found == sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.eat(sign)? { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    fn ident(&mut self) -> Result<Box<str>, Mistake> {
        match &self.token {
            Token::Ident(_) => match self.advance()? {
                Token::Ident(name) => Ok(name.into()),
                _ => Err(self.unexpected("IDENTIFIER")),
            },
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn build(&self, kind: Kind, at: u32) -> Parsed {
        let expr = Expr::new(kind, at);
        if expr.height > MAX_HEIGHT {
            return self.mistake(at, format!("expression recursion limit exceeded: {MAX_HEIGHT}"));
        }
        Ok(expr)
    }

    fn expr(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_HEIGHT {
            let text = format!("expression recursion limit exceeded: {MAX_HEIGHT}");
            return self.mistake(self.at, text);
        }
        let condition = self.any_of()?;
        let at = self.at;
        let expr = if self.eat("?")? {
            let yes = self.any_of()?;
            self.expect(":")?;
            let no = self.expr()?;
            self.build(Kind::Conditional(Box::new([condition, yes, no])), at)?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn any_of(&mut self) -> Parsed {
        let (mut all, at) = (vec![self.all_of()?], self.at);
        while self.eat("||")? {
            all.push(self.all_of()?);
        }
        self.logical(all, at, Kind::Or)
    }

    fn all_of(&mut self) -> Parsed {
        let (mut all, at) = (vec![self.relation()?], self.at);
        while self.eat("&&")? {
            all.push(self.relation()?);
        }
        self.logical(all, at, Kind::And)
    }

    fn logical(&self, mut all: Vec<Expr>, at: u32, kind: fn(Box<[Expr]>) -> Kind) -> Parsed {
        match (all.len(), all.pop()) {
            (1, Some(only)) => Ok(only),
            (_, last) => {
                all.extend(last);
                self.build(kind(all.into()), at)
            }
        }
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let at = self.at;
            let operator = match &self.token {
                Token::Sign("==") => Operator::Equals,
                Token::Sign("!=") => Operator::NotEquals,
                Token::Sign("<") => Operator::Less,
                Token::Sign("<=") => Operator::LessEquals,
                Token::Sign(">") => Operator::Greater,
                Token::Sign(">=") => Operator::GreaterEquals,
                Token::Ident(word) if word == "in" => Operator::In,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.sum()?;
            left = self.build(Kind::Binary(operator, Box::new([left, right])), at)?;
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let at = self.at;
            let operator = match &self.token {
                Token::Sign("+") => Operator::Add,
                Token::Sign("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.product()?;
            left = self.build(Kind::Binary(operator, Box::new([left, right])), at)?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let at = self.at;
            let operator = match &self.token {
                Token::Sign("*") => Operator::Multiply,
                Token::Sign("/") => Operator::Divide,
                Token::Sign("%") => Operator::Modulo,
                _ => return Ok(left),
            };
            self.advance()?;
            let right = self.unary()?;
            left = self.build(Kind::Binary(operator, Box::new([left, right])), at)?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let at = self.at;
        let (sign, kind): (_, fn(Box<Expr>) -> Kind) = match self.token {
            Token::Sign("!") => ("!", Kind::Not),
            Token::Sign("-") => ("-", Kind::Negate),
            _ => return self.member(),
        };
        let mut count = 0_u32;
        while self.eat(sign)? {
            count += 1;
        }
        if sign == "-" && count % 2 == 1 {
            let literal = match self.token {
                Token::Int(value) => Some(Literal::Int(-value)),
                Token::IntMin => Some(Literal::Int(i64::MIN)),
                Token::Double(value) => Some(Literal::Double(-value)),
                _ => None,
            };
            if let Some(literal) = literal {
                self.advance()?;
                let value = self.build(Kind::Literal(literal), at)?;
                return self.postfix(value);
            }
        }
        let operand = self.member()?;
        if count.is_multiple_of(2) { Ok(operand) } else { self.build(kind(Box::new(operand)), at) }
    }
}
