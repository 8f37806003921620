//! Numbers that may be given as a share: `25%`.

use windlass_core::apis::IntOrString;

/// Which way a share is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    Up,
    Down,
}

/// A number, or a share of `total`. A text that is no share counts as 0: the server takes none.
pub(crate) fn scaled(value: &IntOrString, total: i32, round: Round) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let hundredths = percent * i64::from(total);
            let whole = hundredths.div_euclid(100);
            let more = round == Round::Up && hundredths.rem_euclid(100) != 0;
            i32::try_from(whole + i64::from(more)).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_as_asked() {
        for (text, total, up, down) in
            [("25%", 10, 3, 2), ("100%", 7, 7, 7), ("0%", 9, 0, 0), ("1%", 1, 1, 0)]
        {
            let value = IntOrString::String(text.into());
            assert_eq!(
                (scaled(&value, total, Round::Up), scaled(&value, total, Round::Down)),
                (up, down),
                "{text}"
            );
        }
        assert_eq!(scaled(&IntOrString::Int(4), 1, Round::Up), 4);
    }
}
