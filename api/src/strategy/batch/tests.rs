use super::schedule::check;

#[test]
fn schedules() {
    for good in [
        "* * * * *",
        "*/5 0-6 1,15 jan-MAR sun",
        "0 0 1 1 *",
        "@daily",
        "@every 1h30m",
        "0 0 ? * 1-5/2",
    ] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (bad, words) in [
        ("every day", "expected exactly 5 fields, found 2"),
        ("60 * * * *", "above maximum (59)"),
        ("* * 0 * *", "below minimum (1)"),
        ("5-1 * * * *", "beyond end of range"),
        ("*/0 * * * *", "positive"),
        ("a * * * *", "failed to parse int"),
        ("@never", "unrecognized descriptor"),
        ("@every soon", "failed to parse duration"),
    ] {
        let why = check(bad).expect_err(bad);
        assert!(why.contains(words), "{bad}: {why}");
    }
}
