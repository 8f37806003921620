//! Macros: what they cost is what their expansion would.

use super::{Checker, Info, wrap};
use crate::cel::ast::{Macro, MacroName};
use crate::cel::cost::{LIST_BASE, MAP_BASE, Range};
use crate::cel::types::Type;
use std::sync::Arc;

// === impl Checker ===

impl Checker {
    pub(super) fn expand(&mut self, one: &Macro, at: u32) -> Info {
        let range = self.expr(&one.range);
        if matches!(one.name, MacroName::OptMap | MacroName::OptFlatMap) {
            return self.optional(one, &range, at);
        }
        let Some((key, value)) = parts(&range) else {
            let text = format!(
                "expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)",
                range.ty
            );
            return self.mistake(at, text);
        };
        let depth = self.scopes.len();
        let single = if matches!(range.ty, Type::Map(..)) { key.clone() } else { value.clone() };
        match &one.second {
            None => self.scopes.push((one.variable.clone(), single.clone())),
            Some(second) => {
                self.scopes.push((one.variable.clone(), key.clone()));
                self.scopes.push((second.clone(), value));
            }
        }
        let filter = one.filter.as_ref().map(|filter| self.condition(filter));
        let body = match one.name {
            MacroName::Map | MacroName::SortBy | MacroName::TransformMap => self.expr(&one.body),
            MacroName::TransformMapEntry => self.expr(&one.body),
            _ => self.condition(&one.body),
        };
        self.scopes.truncate(depth);
        result(one.name, &range, filter.as_ref(), (&key, &single, &body))
    }

    fn condition(&mut self, expr: &crate::cel::ast::Expr) -> Info {
        let info = self.expr(expr);
        if !matches!(info.ty, Type::Bool | Type::Dyn) {
            self.mistake(expr.at, format!("expected type 'bool' but found '{}'", info.ty));
        }
        info
    }

    fn optional(&mut self, one: &Macro, range: &Info, at: u32) -> Info {
        let inner = match &range.ty {
            Type::Optional(inner) => (**inner).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let text = format!("expected type 'optional_type' but found '{other}'");
                return self.mistake(at, text);
            }
        };
        self.scopes.push((one.variable.clone(), Info { ty: inner, ..range.clone() }));
        let body = self.expr(&one.body);
        self.scopes.pop();
        // The value is asked for and read; the binding makes an empty list.
        let cost = range.cost.times(Range::fixed(2)).plus(body.cost).plus(Range::fixed(13));
        wrap(Info { cost, ..body })
    }
}

/// Key and value of an entry of a range.
fn parts(range: &Info) -> Option<(Info, Info)> {
    let entries = range.entries;
    match &range.ty {
        Type::List(_) => Some((Info::new(Type::Int), range.element()?)),
        Type::Map(key, value) => {
            let declared = range.declared.as_ref().and_then(|declared| declared.element());
            let mut parts = (Info::new((**key).clone()), Info::part(declared, (**value).clone()));
            if let Some((key, value)) = entries {
                (parts.0.size, parts.1.size) = (key, value);
            } else if range.declared.is_some() {
                // Keys of declared maps are not bound in length.
                parts.0.size = Range::up_to(0);
            }
            Some(parts)
        }
        Type::Dyn => Some((Info::new(Type::Dyn), Info::new(Type::Dyn))),
        _ => None,
    }
}

fn result(
    name: MacroName,
    range: &Info,
    filter: Option<&Info>,
    (key, single, body): (&Info, &Info, &Info),
) -> Info {
    let fixed = Range::fixed;
    let cost = body.cost;
    let filtered = |step: Range| match filter {
        Some(filter) => filter.cost.plus(step.union(fixed(1))),
        None => step,
    };
    let looped = |each: Range| range.size.times(each);
    let logical =
        |loop_cost: u64| Range { min: loop_cost + 1, max: cost.max.saturating_add(loop_cost + 1) };
    let (own, ty, entries) = match name {
        MacroName::All => (looped(logical(2)).plus(fixed(1)), Type::Bool, None),
        MacroName::Exists => (looped(logical(3)).plus(fixed(1)), Type::Bool, None),
        MacroName::ExistsOne => {
            let step = cost.plus(Range { min: 1, max: 2 });
            (looped(step).plus(fixed(2)), Type::Bool, None)
        }
        MacroName::Map => {
            let step = filtered(cost.plus(fixed(LIST_BASE + 2)));
            let sizes = Some((Range::ONE, Range::up_to(body.size.max)));
            (looped(step).plus(fixed(LIST_BASE + 1)), Type::list(body.ty.clone()), sizes)
        }
        MacroName::Filter => {
            let step = cost.plus(fixed(LIST_BASE + 3).union(fixed(1)));
            let sizes = Some((Range::ONE, Range::up_to(single.size.max)));
            (looped(step).plus(fixed(LIST_BASE + 1)), Type::list(single.ty.clone()), sizes)
        }
        MacroName::SortBy => {
            let step = cost.plus(fixed(LIST_BASE + 2));
            (looped(step).plus(looped(fixed(2))), range.ty.clone(), range.entries)
        }
        MacroName::TransformMap | MacroName::TransformMapEntry => {
            let step = filtered(cost.plus(fixed(3)));
            let ty = match &body.ty {
                map if name == MacroName::TransformMapEntry => map.clone(),
                value => Type::Map(Arc::new(key.ty.clone()), Arc::new(value.clone())),
            };
            (looped(step).plus(fixed(MAP_BASE + 1)), ty, None)
        }
        MacroName::OptMap | MacroName::OptFlatMap => (Range::ONE, body.ty.clone(), None),
    };
    let size = if ty == Type::Bool { Range::ONE } else { range.size };
    Info { entries, size, cost: range.cost.plus(own), ..Info::new(ty) }
}
