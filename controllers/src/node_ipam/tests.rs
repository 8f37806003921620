use super::plan::{Range, Ranges};

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

#[test]
fn each_family_gives_a_part_from_the_first_range_with_room() {
    type Parts = &'static [&'static str];
    let cases: &[(&str, Parts, Option<Parts>)] = &[
        ("10.244.0.0/16,fd00::/48", &[], Some(&["10.244.0.0/24", "fd00::/64"])),
        ("fd00::/48, 10.244.0.0/16", &["fd00::/64"], Some(&["fd00:0:0:1::/64", "10.244.0.0/24"])),
        ("10.1.0.0/24,10.2.0.0/24", &["10.1.0.0/24"], Some(&["10.2.0.0/24"])),
        ("10.1.0.0/24,fd00::/48", &["10.1.0.0/24"], None),
        ("", &[], Some(&[])),
    ];
    for (cidrs, taken, wanted) in cases {
        let taken: Vec<String> = taken.iter().map(|cidr| (*cidr).to_owned()).collect();
        let found = Ranges::parse(cidrs, 24, 64).unwrap().free(&taken);
        let wanted =
            wanted.map(|all| all.iter().map(|cidr| (*cidr).to_owned()).collect::<Vec<_>>());
        assert_eq!(found, wanted, "{cidrs}");
    }
    assert_eq!(Ranges::parse("10.1.0.0/24,x", 24, 64), Err("x".into()));
}
