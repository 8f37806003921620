//! Calls of functions.

use super::unify::Bindings;
use super::{Checker, Info};
use crate::apiextensions::schema::pattern;
use crate::cel::ast::{Expr, Kind};
use crate::cel::cost::{self, Range};
use crate::cel::types::Type;
use crate::cel::value::Literal;
use crate::cel::{duration, library};

// === impl Checker ===

impl Checker {
    pub(super) fn call(
        &mut self,
        function: &str,
        target: Option<&Expr>,
        args: &[Expr],
        at: u32,
    ) -> Info {
        let infos: Vec<_> = target.into_iter().chain(args).map(|arg| self.expr(arg)).collect();
        let overloads = library::overloads(function);
        if overloads.is_empty() {
            let text = format!("undeclared reference to '{function}' (in container '')");
            return self.mistake(at, text);
        }
        let (mut result, mut found) = (None::<Type>, 0);
        for overload in overloads.iter().filter(|o| o.is_member == target.is_some()) {
            let mut bindings = Bindings::default();
            let fits = overload.args.len() == infos.len()
                && overload.args.iter().zip(&infos).all(|(a, b)| bindings.accepts(a, &b.ty));
            if fits {
                let ty = bindings.fill(&overload.result);
                found += 1;
                result = Some(match result {
                    Some(known) if known != ty => Type::Dyn,
                    _ => ty,
                });
            }
        }
        let Some(ty) = result else {
            let text = no_overload(function, target.is_some(), &infos);
            return self.mistake(at, text);
        };
        self.literals(function, args);
        let args_cost = infos.iter().fold(Range::ZERO, |sum, info| sum.plus(info.cost));
        let (cost, size) = match function {
            "dyn" => (Range::ONE, Some(infos[0].size)),
            // A quantity that is unknown may be a text or a list.
            _ if found > 1 && infos[0].ty == Type::Dyn => {
                let (cost, size) = cost::call(function, target.is_some(), &infos);
                (cost.union(Range::ONE), size)
            }
            _ => cost::call(function, target.is_some(), &infos),
        };
        let entries = match function {
            "dyn" | "sort" | "reverse" | "slice" | "distinct" => infos[0].entries,
            _ => None,
        };
        let info = Info { entries, cost: args_cost.plus(cost), ..Info::new(ty) };
        match size {
            Some(size) => info.with_size(size),
            None => info,
        }
    }

    /// Texts in the source that must have a form.
    fn literals(&mut self, function: &str, args: &[Expr]) {
        let Some((last, text)) = args.iter().find_map(|arg| match &arg.kind {
            Kind::Literal(Literal::String(text)) => Some((arg, text)),
            _ => None,
        }) else {
            return;
        };
        let good = match function {
            "matches" | "find" | "findAll" => pattern::check(text).is_ok(),
            "duration" => duration::parse(text).is_some(),
            "timestamp" => text.parse::<jiff::Timestamp>().is_ok(),
            _ => true,
        };
        if !good {
            self.mistake(last.at, format!("invalid {function} argument"));
        }
    }
}

/// As the specification's reference says it.
pub(super) fn no_overload(function: &str, member: bool, args: &[Info]) -> String {
    let texts: Vec<_> = args.iter().map(|info| info.ty.to_string()).collect();
    let applied = match texts.split_first() {
        Some((target, rest)) if member => format!("{target}.({})", rest.join(", ")),
        _ => format!("({})", texts.join(", ")),
    };
    format!("found no matching overload for '{function}' applied to '{applied}'")
}
