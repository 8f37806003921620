//! The conditions of a status (`metav1.Condition`; apimachinery's `meta.SetStatusCondition`).

use crate::apis::meta::v1::{Condition, Time};
use crate::object::Object;
use jiff::Timestamp;
use serde::Deserialize;

/// A condition that is true or not, and why. `generation` is that of the object it was observed of.
#[must_use]
pub fn condition(
    kind: &str,
    holds: bool,
    reason: &str,
    message: impl Into<String>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: kind.into(),
        status: if holds { "True" } else { "False" }.into(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: generation,
        last_transition_time: Time(now),
    }
}

/// Puts a condition in the place of the one of its type. The time of transition changes only when the status does.
/// Whether anything changed.
pub fn set(conditions: &mut Vec<Condition>, mut new: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|condition| condition.type_ == new.type_) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// Takes the condition of a type away. Whether there was one.
pub fn remove(conditions: &mut Vec<Condition>, kind: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != kind);
    conditions.len() < before
}

/// Whether the condition of a type is there and true.
#[must_use]
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

/// Whether a condition stands in the status of an object, of whatever kind, and is true.
#[must_use]
pub fn holds(object: &Object, kind: &str) -> bool {
    #[derive(Deserialize)]
    struct View {
        #[serde(default)]
        status: Status,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        conditions: Vec<Short>,
    }
    // Older kinds have conditions without some of the fields of today.
    #[derive(Deserialize)]
    struct Short {
        r#type: String,
        status: String,
    }
    let is = |one: &Short| one.r#type == kind && one.status == "True";
    object.view::<View>().is_ok_and(|view| view.status.conditions.iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_transition_follows_the_status() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let ready = |holds, message, second| {
            condition("Ready", holds, "Because", message, Some(1), at(second))
        };
        let mut all = vec![];
        assert!(set(&mut all, ready(false, "a", 1)));
        assert!(!set(&mut all, ready(false, "a", 2)), "nothing but time has passed");
        assert!(set(&mut all, ready(false, "b", 3)));
        assert_eq!((all[0].last_transition_time.0, all[0].message.as_str()), (at(1), "b"));
        assert!(set(&mut all, ready(true, "b", 4)) && is_true(&all, "Ready"));
        assert_eq!((all[0].last_transition_time.0, all.len()), (at(4), 1));
        assert!(remove(&mut all, "Ready") && !remove(&mut all, "Ready"));
    }

    #[test]
    fn conditions_of_any_kind_are_found() {
        let holds = |status: &str, kind| {
            let json = format!(r#"{{"metadata":{{"name":"a"}}{status}}}"#);
            super::holds(&Object::from_wire(json.into()).expect("an object"), kind)
        };
        let status = r#","status":{"conditions":[{"type":"A","status":"True"},{"type":"B","status":"False"}]}"#;
        assert!(holds(status, "A") && !holds(status, "B") && !holds(status, "C"));
        assert!(!holds("", "A") && !holds(r#","status":{}"#, "A"));
    }
}
