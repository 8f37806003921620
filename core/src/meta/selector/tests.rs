use super::*;

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
