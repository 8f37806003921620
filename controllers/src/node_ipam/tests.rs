use super::plan::{Range, Ranges};
use crate::support::testing::cases;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    cidrs: String,
    mask: Option<u8>,
    #[serde(default)]
    taken: Vec<String>,
    free: Option<Vec<String>>,
}

#[test]
fn each_family_gives_the_first_free_part() {
    for case in cases::<Case>(include_str!("tests/parts.yaml")) {
        let masks = (case.mask.unwrap_or(24), case.mask.unwrap_or(64));
        let ranges = Ranges::parse(&case.cidrs, masks.0, masks.1).unwrap();
        assert_eq!(ranges.free(case.taken.iter().map(String::as_str)), case.free, "{}", case.name);
    }
}

#[test]
fn what_is_no_range_is_refused() {
    for (cidr, mask) in
        [("10.244.0.0/24", 16), ("10.0.0.0/8", 32), ("nonsense", 24), ("10.0.0.0/8", 99)]
    {
        assert_eq!(Range::parse(cidr, mask), None, "{cidr}");
    }
    assert_eq!(Ranges::parse("10.1.0.0/24,x", 24, 64), Err("x".into()));
}
