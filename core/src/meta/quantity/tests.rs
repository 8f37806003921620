use super::*;
use proptest::prelude::*;

#[test]
fn quantities_parse() {
    for (text, milli) in [
        ("0", 0),
        ("1", 1000),
        ("100m", 100),
        ("1.5", 1500),
        ("1Ki", 1_024_000),
        ("2e3", 2_000_000),
        ("1k", 1_000_000),
        ("0.5Gi", 512 * 1024 * 1024 * 1000),
        ("1n", 1),
        ("-1", -1000),
        (".5", 500),
        ("5.", 5000),
        ("1E", 1_000_000_000_000_000_000_000),
    ] {
        assert_eq!(text.parse::<Quantity>().expect(text).milli, milli, "{text}");
    }
    for text in ["", "x", "1x", "1.2.3", "1ki", "--1", "1 Gi", "e3", "1e99"] {
        assert!(text.parse::<Quantity>().is_err(), "{text}");
    }
}

#[test]
fn units_round_up() {
    assert_eq!("1500m".parse::<Quantity>().expect("parses").units(), 2);
    assert_eq!("8E".parse::<Quantity>().expect("parses").units(), 8_000_000_000_000_000_000);
    assert_eq!("100E".parse::<Quantity>().expect("parses").units(), i64::MAX);
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[-+]?[0-9.]{0,40}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,4}|\\PC{0,12}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            let (units, milli) = (quantity.units(), quantity.milli());
            prop_assert!(units.checked_mul(1000).is_none_or(|rounded| rounded >= milli), "{}", text);
        }
    }

    #[test]
    fn what_is_printed_is_read_again(milli in any::<i64>()) {
        let quantity = Quantity::from_milli(milli);
        prop_assert_eq!(quantity.to_string().parse::<Quantity>(), Ok(quantity));
    }

    #[test]
    fn suffixes_only_scale(n in 0_i64..1_000_000) {
        let parse = |suffix: &str| format!("{n}{suffix}").parse::<Quantity>().expect("a quantity");
        prop_assert_eq!(parse("Ki").units(), n * 1024);
        prop_assert_eq!(parse("M").units(), n * 1_000_000);
        prop_assert_eq!(parse("m").milli(), n);
        prop_assert_eq!(parse("e3"), parse("k"));
    }
}
