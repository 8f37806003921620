use super::plan::Range;

#[test]
fn the_first_free_part_is_given() {
    let cases: &[(&str, u8, &[&str], Option<&str>)] = &[
        ("10.244.0.0/16", 24, &[], Some("10.244.0.0/24")),
        ("10.244.0.0/16", 24, &["10.244.0.0/24", "10.244.2.0/24", ""], Some("10.244.1.0/24")),
        ("10.244.0.0/16", 24, &["10.244.0.0/23"], Some("10.244.2.0/24")),
        ("10.244.0.0/16", 24, &["192.168.0.0/24"], Some("10.244.0.0/24")),
        ("10.244.0.0/23", 24, &["10.244.0.0/24", "10.244.1.0/24"], None),
        ("10.244.0.0/30", 32, &["10.244.0.0/32"], Some("10.244.0.1/32")),
        ("fd00::/56", 64, &["fd00::/64"], Some("fd00:0:0:1::/64")),
    ];
    for (cidr, mask, taken, wanted) in cases {
        let free = Range::parse(cidr, *mask).unwrap().free(taken.iter().copied());
        assert_eq!(free.as_deref(), *wanted, "{cidr} {taken:?}");
    }
    for (cidr, mask) in
        [("10.244.0.0/24", 16), ("10.0.0.0/8", 32), ("nonsense", 24), ("10.0.0.0/8", 99)]
    {
        assert_eq!(Range::parse(cidr, mask), None, "{cidr}");
    }
}
