//! Label and field selectors: parsing, printing, matching (API concepts, "Labels and Selectors").

use super::Str;
use std::fmt;

/// Why a selector can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse requirement: {0}")]
pub struct SelectorError(pub String);

/// A conjunction of requirements on labels. The empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// All must hold.
    pub requirements: Vec<LabelRequirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// What is asked of it.
    pub operator: LabelOperator,
    /// Values to compare with; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// What a requirement asks of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// It is there and one of the values.
    In,
    /// It is not there, or none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is there, a number and greater than the value.
    Gt,
    /// It is there, a number and less than the value.
    Lt,
}

/// A conjunction of requirements on fields. The empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// All must hold.
    pub requirements: Vec<FieldRequirement>,
}

/// One requirement on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// Path: `spec.nodeName`.
    pub field: String,
    /// The value to compare with.
    pub value: String,
    /// Whether the value must be another one.
    pub not: bool,
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`. An empty text selects everything.
    ///
    /// # Errors
    /// When the text is no selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let parts = split_outside_parentheses(text)?;
        let requirements =
            parts.into_iter().map(LabelRequirement::parse).collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Requires that each of these labels has this value.
    pub fn from_map<'a, K, V>(labels: impl IntoIterator<Item = (&'a K, &'a V)>) -> Self
    where
        K: AsRef<str> + ?Sized + 'a,
        V: AsRef<str> + ?Sized + 'a,
    {
        let equal = |(key, value): (&K, &V)| LabelRequirement {
            key: key.as_ref().into(),
            operator: LabelOperator::In,
            values: vec![value.as_ref().into()],
        };
        Self { requirements: labels.into_iter().map(equal).collect() }
    }

    /// The selector in an object's `spec.selector` (`matchLabels` and `matchExpressions`).
    ///
    /// # Errors
    /// When an operator is unknown.
    pub fn from_api(api: &crate::apis::meta::v1::LabelSelector) -> Result<Self, SelectorError> {
        let mut selector = Self::from_map(api.match_labels.iter().flatten());
        for expression in api.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => LabelOperator::In,
                "NotIn" => LabelOperator::NotIn,
                "Exists" => LabelOperator::Exists,
                "DoesNotExist" => LabelOperator::DoesNotExist,
                other => return Err(SelectorError(format!("{other:?} is not a valid operator"))),
            };
            let values = expression.values.clone().unwrap_or_default();
            selector.requirements.push(LabelRequirement {
                key: expression.key.clone(),
                operator,
                values,
            });
        }
        Ok(selector)
    }

    /// Whether it selects an object with these labels; `get` looks one up.
    pub fn matches_with<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|r| r.matches(get(&r.key)))
    }

    /// Whether it selects an object with these labels.
    #[must_use]
    pub fn matches(&self, labels: &[(Str, Str)]) -> bool {
        self.matches_with(|key| {
            labels.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
        })
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

// === impl LabelRequirement ===

impl LabelRequirement {
    /// Whether a label with this value (`None`: not there) meets it.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        let among = |v: &str| self.values.iter().any(|w| w == v);
        match self.operator {
            LabelOperator::In => value.is_some_and(among),
            LabelOperator::NotIn => !value.is_some_and(among),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
            LabelOperator::Gt => self.compares(value, |a, b| a > b),
            LabelOperator::Lt => self.compares(value, |a, b| a < b),
        }
    }

    fn compares(&self, value: Option<&str>, holds: impl Fn(i64, i64) -> bool) -> bool {
        let limit = self.values.first().and_then(|v| v.parse().ok());
        let value = value.and_then(|v| v.parse().ok());
        matches!((value, limit), (Some(a), Some(b)) if holds(a, b))
    }

    fn parse(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        let make = |key: &str, operator, values| Self::checked(text, key, operator, values);
        if let Some(key) = text.strip_prefix('!') {
            return make(key, LabelOperator::DoesNotExist, vec![]);
        }
        if let Some((key, rest)) = text.split_once(char::is_whitespace)
            && let Some((operator, values)) = set_based(rest.trim())?
        {
            return make(key, operator, values);
        }
        for (sign, operator) in [
            ("!=", LabelOperator::NotIn),
            ("==", LabelOperator::In),
            ("=", LabelOperator::In),
            (">", LabelOperator::Gt),
            ("<", LabelOperator::Lt),
        ] {
            if let Some((key, value)) = text.split_once(sign) {
                return make(key, operator, vec![value.trim().to_owned()]);
            }
        }
        make(text, LabelOperator::Exists, vec![])
    }

    fn checked(
        text: &str,
        key: &str,
        operator: LabelOperator,
        values: Vec<String>,
    ) -> Result<Self, SelectorError> {
        let key = key.trim();
        let word = |s: &str, more: &str| {
            s.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c) || more.contains(c))
        };
        let numeric = matches!(operator, LabelOperator::Gt | LabelOperator::Lt);
        if key.is_empty() || !word(key, "/") || !values.iter().all(|v| word(v, "")) {
            return Err(SelectorError(format!("invalid selector {text:?}")));
        }
        if numeric && values.iter().any(|v| v.parse::<i64>().is_err()) {
            return Err(SelectorError(format!("{text:?}: the value must be an integer")));
        }
        Ok(Self { key: key.to_owned(), operator, values })
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match (self.operator, self.values.len()) {
            (LabelOperator::In, 1) => write!(f, "{key}={values}"),
            (LabelOperator::In, _) => write!(f, "{key} in ({values})"),
            (LabelOperator::NotIn, 1) => write!(f, "{key}!={values}"),
            (LabelOperator::NotIn, _) => write!(f, "{key} notin ({values})"),
            (LabelOperator::Exists, _) => write!(f, "{key}"),
            (LabelOperator::DoesNotExist, _) => write!(f, "!{key}"),
            (LabelOperator::Gt, _) => write!(f, "{key}>{values}"),
            (LabelOperator::Lt, _) => write!(f, "{key}<{values}"),
        }
    }
}

// === impl FieldSelector ===

impl FieldSelector {
    /// Parses `a.b=c,d!=e`. An empty text selects everything.
    ///
    /// # Errors
    /// When the text is no selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let requirements = parts.map(FieldRequirement::parse).collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Requires that one field has one value.
    pub fn equal(field: impl Into<String>, value: impl Into<String>) -> Self {
        let one = FieldRequirement { field: field.into(), value: value.into(), not: false };
        Self { requirements: vec![one] }
    }

    /// Whether it selects an object; `get` reads a field, one that is not there is the empty string.
    pub fn matches_with<'a>(&self, get: impl Fn(&str) -> std::borrow::Cow<'a, str>) -> bool {
        self.requirements.iter().all(|r| (get(&r.field) == r.value) != r.not)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, r) in self.requirements.iter().enumerate() {
            let (comma, sign) = (if i == 0 { "" } else { "," }, if r.not { "!=" } else { "=" });
            write!(f, "{comma}{}{sign}{}", r.field, r.value)?;
        }
        Ok(())
    }
}

impl FieldRequirement {
    fn parse(text: &str) -> Result<Self, SelectorError> {
        let (field, value, not) = if let Some((field, value)) = text.split_once("!=") {
            (field, value, true)
        } else if let Some((field, value)) = text.split_once("==").or_else(|| text.split_once('='))
        {
            (field, value, false)
        } else {
            return Err(SelectorError(format!("invalid field selector {text:?}")));
        };
        Ok(Self { field: field.trim().into(), value: value.trim().into(), not })
    }
}

fn split_outside_parentheses(text: &str) -> Result<Vec<&str>, SelectorError> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err(SelectorError(format!("unbalanced parentheses in {text:?}")));
    }
    parts.push(&text[start..]);
    if parts.iter().all(|part| part.trim().is_empty()) && parts.len() == 1 {
        parts.clear();
    }
    Ok(parts)
}

fn set_based(text: &str) -> Result<Option<(LabelOperator, Vec<String>)>, SelectorError> {
    let (operator, rest) = if let Some(rest) = text.strip_prefix("notin") {
        (LabelOperator::NotIn, rest)
    } else if let Some(rest) = text.strip_prefix("in") {
        (LabelOperator::In, rest)
    } else {
        return Ok(None);
    };
    let inner = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner =
        inner.ok_or_else(|| SelectorError(format!("values in parentheses expected: {text:?}")))?;
    Ok(Some((operator, inner.split(',').map(|value| value.trim().to_owned()).collect())))
}

#[cfg(test)]
mod tests;
