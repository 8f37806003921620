//! Amounts that are written as the amounts they are made of: `128Mi` and `128Mi` are `256Mi`.

use crate::meta::{Quantity, QuantityError};
use std::fmt;
use std::ops::{AddAssign, Sub};

/// A quantity, and whether it is written in powers of 1024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How much it is.
    pub value: Quantity,
    binary: bool,
}

// === impl Amount ===

impl Amount {
    /// So many objects.
    #[must_use]
    pub fn count(objects: usize) -> Self {
        let units = i64::try_from(objects).unwrap_or(i64::MAX);
        Self { value: Quantity::from_units(units), binary: false }
    }

    /// The larger one.
    #[must_use]
    pub fn or_larger(self, other: Self) -> Self {
        if other.value > self.value { other } else { self }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.value == Quantity::default()
    }
}

impl std::str::FromStr for Amount {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Ok(Self { value: text.parse()?, binary: text.ends_with('i') })
    }
}

impl AddAssign for Amount {
    /// Nothing yet takes the form of what is added.
    fn add_assign(&mut self, other: Self) {
        let binary = if self.is_zero() { other.binary } else { self.binary };
        *self = Self { value: self.value + other.value, binary };
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, ..self }
    }
}

impl fmt::Display for Amount {
    /// The canonical form: the largest suffix that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.value.units();
        if Quantity::from_units(units) != self.value {
            return write!(f, "{}", self.value);
        }
        let (base, suffixes) = if self.binary && units.unsigned_abs() >= 1024 {
            (1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
        } else {
            (1000, ["", "k", "M", "G", "T", "P", "E"])
        };
        let (mut number, mut power) = (units, 0);
        while number != 0 && number % base == 0 && power + 1 < suffixes.len() {
            (number, power) = (number / base, power + 1);
        }
        write!(f, "{number}{}", suffixes[power])
    }
}
