//! Operators.

use super::call::no_overload;
use super::unify::join;
use super::{Checker, Info};
use crate::cel::ast::{Expr, Operator};
use crate::cel::cost::{Range, TRAVERSAL};
use crate::cel::types::Type;

// === impl Checker ===

impl Checker {
    pub(super) fn unary(&mut self, name: &str, operand: &Expr, at: u32) -> Info {
        let info = self.expr(operand);
        let fits = match name {
            "!_" => matches!(info.ty, Type::Bool | Type::Dyn),
            _ => matches!(info.ty, Type::Int | Type::Double | Type::Dyn),
        };
        if !fits {
            return self.mistake(at, no_overload(name, false, &[info]));
        }
        let cost = info.cost.plus(Range::ONE);
        Info::new(info.ty).with_cost(cost)
    }

    /// Only the first operand is sure to be evaluated.
    pub(super) fn logical(&mut self, name: &str, all: &[Expr]) -> Info {
        let mut cost = None::<Range>;
        for expr in all {
            let info = self.expr(expr);
            if !matches!(info.ty, Type::Bool | Type::Dyn) {
                let text = format!(
                    "found no matching overload for '{name}' applied to '(bool, {})'",
                    info.ty
                );
                self.mistake(expr.at, text);
            }
            cost = Some(cost.map_or(info.cost, |sum| Range {
                min: sum.min,
                max: sum.max.saturating_add(info.cost.max),
            }));
        }
        Info::new(Type::Bool).with_cost(cost.unwrap_or(Range::ZERO))
    }

    pub(super) fn conditional(&mut self, [condition, yes, no]: &[Expr; 3], at: u32) -> Info {
        let (condition, yes, no) = (self.expr(condition), self.expr(yes), self.expr(no));
        let ty = join(&yes.ty, &no.ty);
        let Some(ty) = ty.filter(|_| matches!(condition.ty, Type::Bool | Type::Dyn)) else {
            return self.mistake(at, no_overload("_?_:_", false, &[condition, yes, no]));
        };
        let entries = match (yes.entries, no.entries) {
            (Some(a), Some(b)) => Some((a.0.union(b.0), a.1.union(b.1))),
            _ => None,
        };
        Info {
            size: yes.size.union(no.size),
            entries,
            cost: condition.cost.plus(yes.cost.union(no.cost)),
            ..Info::new(ty)
        }
    }

    pub(super) fn binary(&mut self, operator: Operator, operands: &[Expr; 2], at: u32) -> Info {
        let (left, right) = (self.expr(&operands[0]), self.expr(&operands[1]));
        let cost = left.cost.plus(right.cost);
        let Some((ty, own, size)) = applied(operator, &left, &right) else {
            return self.mistake(at, no_overload(operator.name(), false, &[left, right]));
        };
        let mut info = Info::new(ty).with_cost(cost.plus(own));
        if let Some(size) = size {
            info.size = size;
        }
        if let (Operator::Add, Some(a), Some(b)) = (operator, entries(&left), entries(&right)) {
            info.entries = Some((a.0.union(b.0), a.1.union(b.1)));
        }
        info
    }
}

fn entries(info: &Info) -> Option<(Range, Range)> {
    info.entries
}

/// The type of the result, the cost of the operation, and the size of the result if it is known.
fn applied(operator: Operator, left: &Info, right: &Info) -> Option<(Type, Range, Option<Range>)> {
    use Operator::{Add, Divide, Equals, Greater, GreaterEquals, In, Less, LessEquals};
    use Operator::{Modulo, Multiply, NotEquals, Subtract};
    match operator {
        Add => add(left, right),
        Subtract | Multiply | Divide | Modulo => {
            Some((arithmetic(operator, &left.ty, &right.ty)?, Range::ONE, None))
        }
        Equals | NotEquals => {
            join(&left.ty, &right.ty)?;
            let opaque = matches!(left.ty, Type::Opaque(_));
            let cost = if opaque { Range::ONE } else { compared(left, right) };
            Some((Type::Bool, cost, None))
        }
        Less | LessEquals | Greater | GreaterEquals => {
            ordered(&left.ty, &right.ty).then_some(())?;
            let text = |ty: &Type| matches!(ty, Type::String | Type::Bytes);
            let texts = text(&left.ty) || text(&right.ty);
            let cost = if texts { compared(left, right) } else { Range::ONE };
            Some((Type::Bool, cost, None))
        }
        In => match &right.ty {
            Type::List(of) => {
                join(of, &left.ty)?;
                Some((Type::Bool, right.size, None))
            }
            Type::Map(key, _) => {
                join(key, &left.ty)?;
                Some((Type::Bool, Range::ONE, None))
            }
            Type::Dyn => Some((Type::Bool, right.size.union(Range::ONE), None)),
            _ => None,
        },
    }
}

/// Both are gone through as far as the shorter one reaches.
fn compared(left: &Info, right: &Info) -> Range {
    let shorter = left.size.max.min(right.size.max);
    Range { min: u64::from(shorter > 0), max: shorter }.scaled(TRAVERSAL)
}

fn add(left: &Info, right: &Info) -> Option<(Type, Range, Option<Range>)> {
    let size = left.size.plus(right.size);
    match (&left.ty, &right.ty) {
        (Type::String | Type::Bytes, other) if *other == left.ty || *other == Type::Dyn => {
            Some((left.ty.clone(), size.scaled(TRAVERSAL), Some(size)))
        }
        (Type::Dyn, Type::String | Type::Bytes) => {
            Some((right.ty.clone(), size.scaled(TRAVERSAL), Some(size)))
        }
        (Type::List(a), Type::List(b)) => {
            let of = join(a, b).map(|ty| match (&**a, &**b) {
                (Type::Dyn, other) | (other, Type::Dyn) => other.clone(),
                _ => ty,
            });
            Some((Type::list(of?), Range::ONE, Some(size)))
        }
        (Type::List(_), Type::Dyn) => Some((left.ty.clone(), Range::ONE, Some(size))),
        (Type::Dyn, Type::List(_)) => Some((right.ty.clone(), Range::ONE, Some(size))),
        (Type::Dyn, Type::Dyn) => Some((Type::Dyn, size.scaled(TRAVERSAL), Some(size))),
        (a, b) => Some((arithmetic(Operator::Add, a, b)?, Range::ONE, None)),
    }
}

fn arithmetic(operator: Operator, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Double, Duration, Dyn, Int, Timestamp, Uint};
    let modulo = operator == Operator::Modulo;
    let linear = matches!(operator, Operator::Add | Operator::Subtract);
    Some(match (left, right) {
        (Dyn, Dyn) => Dyn,
        (Int, Int | Dyn) | (Dyn, Int) => Int,
        (Uint, Uint | Dyn) | (Dyn, Uint) => Uint,
        (Double, Double | Dyn) | (Dyn, Double) if !modulo => Double,
        (Duration, Duration) if linear => Duration,
        (Timestamp, Duration) if linear => Timestamp,
        (Duration, Timestamp) if operator == Operator::Add => Timestamp,
        (Timestamp, Timestamp) if operator == Operator::Subtract => Duration,
        (Timestamp | Duration, Dyn) | (Dyn, Timestamp | Duration) if linear => Dyn,
        _ => return None,
    })
}

fn ordered(left: &Type, right: &Type) -> bool {
    use Type::{Bool, Bytes, Double, Duration, Dyn, Int, String, Timestamp, Uint};
    let number = |ty: &Type| matches!(ty, Int | Uint | Double);
    let known = |ty: &Type| matches!(ty, Bool | Bytes | String | Duration | Timestamp | Dyn);
    match (left, right) {
        (Dyn, other) | (other, Dyn) => number(other) || known(other),
        (left, right) => (number(left) && number(right)) || (left == right && known(left)),
    }
}
