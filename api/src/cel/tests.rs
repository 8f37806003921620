use super::*;
use serde_json::json;

fn eval(source: &str) -> String {
    let json = json!({"n": 3, "s": "héllo", "l": [3, 1, 2], "m": {"a": 1, "b": 2}, "x": 1.5,
        "os": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]});
    let variable = Variable { name: "self", ty: Type::Dyn, declared: None };
    let program = match Environment::new([variable]).compile(source) {
        Ok(program) => program,
        Err(error) => return error.to_string(),
    };
    let mut budget = RUNTIME_BUDGET;
    match program.eval(vec![("self", Value::from_json(&json, None))], &mut budget) {
        Ok(Value::Bool(value)) => value.to_string(),
        Ok(Value::Int(value)) => value.to_string(),
        Ok(Value::String(text)) => text.to_string(),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn expressions_that_are_true() {
    let lines = include_str!("tests/true.txt").lines().filter(|line| !line.is_empty());
    let wrong: Vec<_> = lines.map(|line| (line, eval(line))).filter(|(_, f)| f != "true").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn expressions_that_fail() {
    let lines = include_str!("tests/fail.txt").lines().filter_map(|line| line.split_once(" # "));
    let found = lines.map(|(source, why)| (source, why, eval(source)));
    let wrong: Vec<_> = found.filter(|(_, why, found)| !found.contains(why)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn mistakes_are_shown_in_their_place() {
    assert_eq!(
        eval("1 +\n nope"),
        "ERROR: <input>:2:2: undeclared reference to 'nope' (in container '')\n |  nope\n | .^"
    );
}

#[test]
fn a_budget_ends_an_evaluation() {
    let list: Vec<u32> = (0..2000).collect();
    let json = json!({"l": list});
    let variable = Variable { name: "self", ty: Type::Dyn, declared: None };
    let source = "self.l.all(x, self.l.all(y, self.l.all(z, x + y + z >= 0)))";
    let program = Environment::new([variable]).compile(source).expect("compiles");
    let mut budget = RUNTIME_BUDGET;
    let result = program.eval(vec![("self", Value::from_json(&json, None))], &mut budget);
    assert_eq!(result.err(), Some(EvalError::Budget));
    assert_eq!(budget, RUNTIME_BUDGET - PER_CALL_LIMIT);
}

#[test]
fn what_grows_is_paid_for_before_it_is_there() {
    // Each step holds the one before twice: written out, the last is 2^60 values.
    let twice = "[1]".to_owned() + &".map(a, [a, a])".repeat(60);
    let json = json!({"many": "a".repeat(1 << 20)});
    let variable = Variable { name: "self", ty: Type::Dyn, declared: None };
    for source in [
        format!("'%s'.format([{twice}]) == ''"),
        format!("sets.contains([{twice}], [{twice}])"),
        format!("{twice}.indexOf({twice}[0]) == 1"),
        format!("{twice}.distinct() == []"),
        "self.many.replace('a', self.many) == ''".to_owned(),
        "self.many.replace('', self.many) == ''".to_owned(),
    ] {
        let program = Environment::new([variable.clone()]).compile(&source).expect("compiles");
        let mut budget = RUNTIME_BUDGET;
        let result = program.eval(vec![("self", Value::from_json(&json, None))], &mut budget);
        assert_eq!(result.err(), Some(EvalError::Budget), "{source}");
    }
}

#[test]
fn expressions_that_objects_bring_along_cost_more() {
    let patterns: Vec<String> = (0..2000).map(|n| format!("^(a{{{n}}}|\\pL+){{3}}$")).collect();
    let json = json!({"patterns": patterns});
    let variable = Variable { name: "self", ty: Type::Dyn, declared: None };
    let run = |source: &str| {
        let program = Environment::new([variable.clone()]).compile(source).expect("compiles");
        let mut budget = RUNTIME_BUDGET;
        program.eval(vec![("self", Value::from_json(&json, None))], &mut budget).err()
    };
    let start = std::time::Instant::now();
    assert_eq!(run("!self.patterns.exists(p, 'x y'.matches(p))"), Some(EvalError::Budget));
    println!("{:?}", start.elapsed());
    assert_eq!(run("self.patterns.all(p, !p.matches('^[0-9]+$'))"), None);
    // One that is used often is compiled once.
    let texts = json!({"patterns": vec!["x"; 9_000]});
    let program =
        Environment::new([variable.clone()]).compile("self.patterns.all(p, p.matches(p))");
    let mut budget = RUNTIME_BUDGET;
    let all = program
        .expect("compiles")
        .eval(vec![("self", Value::from_json(&texts, None))], &mut budget);
    assert!(matches!(all, Ok(Value::Bool(true))), "{all:?}");
    // Too large to be compiled for one object.
    assert!(run("'x'.matches('(\\\\pL{' + '200}){20}')").is_some());
}

/// A list in which each value stands once.
#[derive(Debug)]
struct Unique;

impl Shape for Unique {
    fn scalar(&self) -> Scalar {
        Scalar::Any
    }

    fn item(&self) -> Option<&dyn Shape> {
        None
    }

    fn field(&self, _: &str) -> Option<&dyn Shape> {
        None
    }

    fn is_struct(&self) -> bool {
        false
    }

    fn elements(&self) -> Elements<'_> {
        Elements::Set
    }
}

#[test]
fn large_sets_are_compared_in_no_time() {
    let (up, down): (Vec<u32>, Vec<u32>) = ((0..100_000).collect(), (0..100_000).rev().collect());
    let (up, mut down) = (json!(up), json!(down));
    let equal = |a: &serde_json::Value, b: &serde_json::Value| {
        eval::equal(&Value::from_json(a, Some(&Unique)), &Value::from_json(b, Some(&Unique)))
    };
    let start = std::time::Instant::now();
    assert!(equal(&up, &down));
    down[7] = json!(3);
    assert!(!equal(&up, &down), "one is there twice, and one is not");
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    // The order counts in those: they are as many values.
    let mut arrangements = vec![vec![]];
    for n in 0..8 {
        let with = |all: &Vec<u32>| {
            (0..=all.len()).map(|at| [&all[..at], &[n], &all[at..]].concat()).collect::<Vec<_>>()
        };
        arrangements = arrangements.iter().flat_map(with).collect();
    }
    let reversed: Vec<_> = arrangements.iter().rev().collect();
    let start = std::time::Instant::now();
    assert!(equal(&json!(arrangements), &json!(reversed)));
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    let (a, b) = (json!([1, 2.0, "x", {"k": [1, null]}]), json!([{"k": [1, null]}, 2, "x", 1.0]));
    assert!(equal(&a, &b));
}

#[test]
fn names_are_escaped_and_back() {
    for (name, escaped) in [
        ("a", "a"),
        ("namespace", "__namespace__"),
        ("a-b.c/d", "a__dash__b__dot__c__slash__d"),
        ("a__b", "a__underscores__b"),
    ] {
        assert_eq!(escape(name).as_deref(), Some(escaped));
        assert_eq!(unescape(escaped).as_deref(), Some(name));
    }
    assert_eq!(escape("1a"), None);
}

proptest::proptest! {
    #[test]
    fn nothing_panics(source in "[a-z0-9 .()+*<>=!&|?:'\"\\[\\]{},\\\\-]{0,60}") {
        eval(&source);
    }

    #[test]
    fn nothing_panics_either(words in proptest::collection::vec(proptest::sample::select(vec![
        "self", ".n", ".s", ".l", ".m", ".os", ".all(", "x", ",", ")", "(", " + ", " == ", "1", "'a'", "[", "]",
        ".map(", ".size()", " && ", " ? ", " : ", ".substring(", ".split(", "-9223372036854775808", "quantity(",
        "ip(", ".format(", "duration(", ".slice(", ".replace(", ".charAt(", "lists.range(", "{", "}", "!", "-", ".?", "has(",
        ".indexOf(", ".findAll(", " in ", "9999999999", "''", ".join(", ".orValue(", "optional.of(", " % ", "0",
    ]), 1..12)) {
        eval(&words.concat());
    }
}
