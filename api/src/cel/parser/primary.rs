//! What operators stand between: names, literals, calls, lists and maps, and what follows them.

use super::{Parsed, Parser};
use crate::cel::ast::{Element, Entry, Expr, Field, Kind, Macro, MacroName};
use crate::cel::escape::{RESERVED, unescape};
use crate::cel::lexer::Token;
use crate::cel::library;
use crate::cel::value::Literal;
use std::borrow::Cow;

// === impl Parser ===

impl Parser<'_> {
    pub(super) fn member(&mut self) -> Parsed {
        let primary = self.primary()?;
        self.postfix(primary)
    }

    pub(super) fn postfix(&mut self, mut expr: Expr) -> Parsed {
        loop {
            let at = self.at;
            if self.eat(".")? {
                let optional = self.eat("?")?;
                let name = self.ident()?;
                let call = !optional && matches!(self.token, Token::Sign("("));
                expr = if call {
                    let at = self.at;
                    self.call(Some(expr), name, at)?
                } else {
                    let kind = Kind::Select { operand: Box::new(expr), field: name, optional };
                    self.build(kind, at)?
                };
            } else if self.eat("[")? {
                let optional = self.eat("?")?;
                let index = self.expr()?;
                self.expect("]")?;
                let kind = Kind::Index { operands: Box::new([expr, index]), optional };
                expr = self.build(kind, at)?;
            } else if matches!(self.token, Token::Sign("{"))
                && let Some(name) = name_of(&expr)
            {
                expr = self.message(name, at)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at;
        match &self.token {
            Token::Sign("(") => {
                self.advance()?;
                let inner = self.expr()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => self.list(at),
            Token::Sign("{") => self.map(at),
            Token::Sign(".") => {
                self.advance()?;
                self.name(at)
            }
            Token::Ident(_) => self.name(at),
            Token::Sign(_) | Token::End | Token::IntMin => Err(self.unexpected(
                "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
            )),
            _ => {
                let literal = match self.advance()? {
                    Token::Int(value) => Literal::Int(value),
                    Token::Uint(value) => Literal::Uint(value),
                    Token::Double(value) => Literal::Double(value),
                    Token::Text(text) => Literal::String(text.into()),
                    Token::Bytes(bytes) => Literal::Bytes(bytes.into()),
                    _ => return Err(self.unexpected("a literal")),
                };
                self.build(Kind::Literal(literal), at)
            }
        }
    }

    fn name(&mut self, at: u32) -> Parsed {
        let name = self.ident()?;
        let literal = match &*name {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "null" => Some(Literal::Null),
            _ => None,
        };
        if let Some(literal) = literal {
            return self.build(Kind::Literal(literal), at);
        }
        if RESERVED.contains(&&*name) {
            return self.mistake(at, format!("reserved identifier: {name}"));
        }
        if matches!(self.token, Token::Sign("(")) {
            let at = self.at;
            return self.call(None, name, at);
        }
        self.build(Kind::Ident(name), at)
    }

    fn call(&mut self, target: Option<Expr>, name: Box<str>, at: u32) -> Parsed {
        self.expect("(")?;
        let mut args = Vec::new();
        while !self.eat(")")? {
            args.push(self.expr()?);
            if !self.eat(",")? {
                self.expect(")")?;
                break;
            }
        }
        match target {
            None if &*name == "has" && args.len() == 1 => self.has(args, at),
            None => self.build(Kind::Call { function: name, target: None, args: args.into() }, at),
            Some(target) => self.member_call(target, name, args, at),
        }
    }

    fn has(&mut self, mut args: Vec<Expr>, at: u32) -> Parsed {
        let place = args[0].at;
        match args.pop().map(|arg| arg.kind) {
            Some(Kind::Select { operand, field, optional: false }) => {
                self.build(Kind::Has { operand, field }, at)
            }
            _ => self.mistake(place, "invalid argument to has() macro"),
        }
    }

    fn member_call(&mut self, target: Expr, name: Box<str>, args: Vec<Expr>, at: u32) -> Parsed {
        if let Some(found) = macro_named(&name, args.len()) {
            return self.expand(found, target, args, at);
        }
        if let Kind::Ident(space) = &target.kind {
            let function = format!("{space}.{name}");
            if !library::overloads(&function).is_empty() {
                let function = function.into();
                return self.build(Kind::Call { function, target: None, args: args.into() }, at);
            }
        }
        let target = Some(Box::new(target));
        self.build(Kind::Call { function: name, target, args: args.into() }, at)
    }

    /// A macro with its variables, an optional filter and a body.
    fn expand(
        &mut self,
        (name, variables, filtered): (MacroName, usize, bool),
        range: Expr,
        args: Vec<Expr>,
        at: u32,
    ) -> Parsed {
        let mut names = Vec::new();
        let mut args = args.into_iter();
        for arg in args.by_ref().take(variables) {
            match arg.kind {
                Kind::Ident(name) if names.contains(&name) => {
                    return self.mistake(arg.at, format!("duplicate variable name: {name}"));
                }
                Kind::Ident(name) => names.push(name),
                _ => return self.mistake(arg.at, "argument must be a simple name"),
            }
        }
        let filter = if filtered { args.next() } else { None };
        let mut names = names.into_iter();
        let (Some(variable), second, Some(body)) = (names.next(), names.next(), args.next()) else {
            return self.mistake(at, "argument must be a simple name");
        };
        self.build(Kind::Macro(Box::new(Macro { name, range, variable, second, filter, body })), at)
    }

    fn list(&mut self, at: u32) -> Parsed {
        self.advance()?;
        let mut items = Vec::new();
        while !self.eat("]")? {
            let optional = self.eat("?")?;
            items.push(Element { value: self.expr()?, optional });
            if !self.eat(",")? {
                self.expect("]")?;
                break;
            }
        }
        self.build(Kind::List(items.into()), at)
    }

    fn message(&mut self, name: String, at: u32) -> Parsed {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.eat("}")? {
            let optional = self.eat("?")?;
            let name = self.ident()?;
            self.expect(":")?;
            let name = unescape(&name).map_or_else(|| name.to_string(), Cow::into_owned).into();
            fields.push(Field { name, value: self.expr()?, optional });
            if !self.eat(",")? {
                self.expect("}")?;
                break;
            }
        }
        self.build(Kind::Message { name: name.into(), fields: fields.into() }, at)
    }

    fn map(&mut self, at: u32) -> Parsed {
        self.advance()?;
        let mut entries = Vec::new();
        while !self.eat("}")? {
            let optional = self.eat("?")?;
            let key = self.expr()?;
            self.expect(":")?;
            entries.push(Entry { key, value: self.expr()?, optional });
            if !self.eat(",")? {
                self.expect("}")?;
                break;
            }
        }
        self.build(Kind::Map(entries.into()), at)
    }
}

/// The name of a type: `Object.spec`.
fn name_of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.to_string()),
        Kind::Select { operand, field, optional: false } => {
            Some(format!("{}.{field}", name_of(operand)?))
        }
        _ => None,
    }
}

/// The macro of this name with so many arguments; how many variables it has, and whether a filter.
fn macro_named(name: &str, args: usize) -> Option<(MacroName, usize, bool)> {
    Some(match (name, args) {
        ("all", 2) => (MacroName::All, 1, false),
        ("all", 3) => (MacroName::All, 2, false),
        ("exists", 2) => (MacroName::Exists, 1, false),
        ("exists", 3) => (MacroName::Exists, 2, false),
        ("exists_one" | "existsOne", 2) => (MacroName::ExistsOne, 1, false),
        ("exists_one" | "existsOne", 3) => (MacroName::ExistsOne, 2, false),
        ("map", 2) => (MacroName::Map, 1, false),
        ("map", 3) => (MacroName::Map, 1, true),
        ("filter", 2) => (MacroName::Filter, 1, false),
        ("transformList", 3) => (MacroName::Map, 2, false),
        ("transformList", 4) => (MacroName::Map, 2, true),
        ("transformMap", 3) => (MacroName::TransformMap, 2, false),
        ("transformMap", 4) => (MacroName::TransformMap, 2, true),
        ("transformMapEntry", 3) => (MacroName::TransformMapEntry, 2, false),
        ("transformMapEntry", 4) => (MacroName::TransformMapEntry, 2, true),
        ("optMap", 2) => (MacroName::OptMap, 1, false),
        ("optFlatMap", 2) => (MacroName::OptFlatMap, 1, false),
        ("sortBy", 2) => (MacroName::SortBy, 1, false),
        _ => return None,
    })
}
