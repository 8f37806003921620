use super::*;
use crate::apiextensions::conditions::is_true;

fn definition(plural: &str, kind: &str, short: &[&str]) -> Map {
    let names = json!({"plural": plural, "singular": kind.to_lowercase(), "kind": kind,
        "listKind": format!("{kind}List"), "shortNames": short});
    let Value::Object(map) = json!({"spec": {"names": names}}) else { panic!("an object") };
    map
}

fn taken(by: &[&Map]) -> Taken {
    let mut taken = Taken::default();
    by.iter().for_each(|definition| taken.add(&accepted(definition)));
    taken
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn the_first_gets_its_names() {
    let planned = plan(&definition("cars", "Car", &["c"]), &Taken::default(), "", now());
    assert!(is_true(&planned, NAMES_ACCEPTED) && is_true(&planned, ESTABLISHED));
    let names = &planned["status"]["acceptedNames"];
    assert_eq!(names["plural"], "cars");
    assert_eq!(names["shortNames"], json!(["c"]));
    assert_eq!(
        plan(&planned, &taken(&[&planned]), "", now()),
        planned,
        "there is nothing more to do"
    );
}

#[test]
fn the_second_waits_until_they_are_free() {
    let first = plan(&definition("cars", "Car", &["c"]), &Taken::default(), "", now());
    let second = definition("vans", "Car", &["c"]);
    let refused = plan(&second, &taken(&[&first]), "", now());
    assert!(!is_true(&refused, NAMES_ACCEPTED) && !is_true(&refused, ESTABLISHED));
    let condition = &refused["status"]["conditions"][0];
    assert_eq!(condition["reason"], "ShortNamesConflict");
    assert_eq!(condition["message"], "\"c\" is already in use");
    assert_eq!(refused["status"]["acceptedNames"]["plural"], "vans", "what is free is given");
    assert_eq!(refused["status"]["acceptedNames"]["kind"], "");
    let accepted = plan(&refused, &Taken::default(), "", now());
    assert!(is_true(&accepted, ESTABLISHED));
    assert_eq!(accepted["status"]["acceptedNames"]["kind"], "Car");
}

#[test]
fn what_is_established_stays_when_it_asks_for_more() {
    let first = plan(&definition("cars", "Car", &["c"]), &Taken::default(), "", now());
    let second = plan(&definition("vans", "Van", &[]), &taken(&[&first]), "", now());
    let mut asking = second.clone();
    asking.insert("spec".into(), definition("vans", "Van", &["c"])["spec"].clone());
    let planned = plan(&asking, &taken(&[&first, &second]), "", now());
    assert!(is_true(&planned, ESTABLISHED) && !is_true(&planned, NAMES_ACCEPTED));
    assert!(planned["status"]["acceptedNames"].get("shortNames").is_none());
}

#[test]
fn a_schema_that_is_none_is_told() {
    let planned = plan(&definition("cars", "Car", &[]), &Taken::default(), "no type", now());
    assert!(is_true(&planned, NON_STRUCTURAL));
    assert!(!is_true(&plan(&planned, &Taken::default(), "", now()), NON_STRUCTURAL));
}
