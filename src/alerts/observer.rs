//! What is looked out for, and which of its terms go together.

use super::recipient::AlertGroup;
use crate::{
    error::{Error, Issue, Result},
    fleet::{errors::ErrorIdentity, machine::Machine, payments::PaymentMethod},
    identity::directory::UserGroup,
    resource::{Columns, Flag, Name, Preset, Ref, Whole, field::words, resource},
};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

/// Units of its timer that an observer can have.
const TIMER_MAX: i64 = 10_000;

/// How often something may have to happen.
const OCCURS_MAX: i64 = 10_000;

words! {
    /// What an observer looks at.
    Observed {
        /// What machines report.
        Event = "event",
        /// What they sell, or what is paid in one way.
        Transaction = "transaction",
    }
}

words! {
    /// What it looks out for.
    Pattern {
        /// That it happens so often within the timer.
        Occurrence = "occurrence",
        /// That it lasts for as long as the timer.
        NonResolution = "non_resolution",
        /// That it does not happen for as long as the timer.
        NonOccurrence = "non_occurrence",
    }
}

resource! {
    /// Something that is looked out for at machines, and whom to tell.
    AlertObserver "alert observer" at "/alertobserver" in "alert_observer";
    area "alertobserver";
    may AlertRead, AlertWrite;
    reach Own;
    does NO_CHANGE;
    takes {
        /// What people call it.
        #[eg("\"Out of order\"")]
        name: Name,
        /// Whether it is about events or about transactions.
        r#type: Observed,
        /// What is looked out for.
        observer: Pattern,
        /// How long, in units of the timer type.
        #[eg("30")]
        timer: Whole<1, TIMER_MAX>,
        /// The timer's unit: 1 minutes, 2 hours, 3 days, 4 weeks.
        #[eg("1")]
        timer_type: Whole<1, 4>,
        /// Who is told.
        alert_group: Ref<AlertGroup>,
        /// Of events: the only one; any without it.
        error: Option<Ref<ErrorIdentity>>,
        /// Of an occurrence: how often within the timer; once without it.
        occurs: Option<Whole<1, OCCURS_MAX>>,
        /// Of transactions: the only way of paying; without it, sales count however they are paid.
        payment_method: Option<PaymentMethod>,
        /// Whether only the time counts in which the machine is open: what happens while it is closed is
        /// not counted, and timers stand still.
        opening_hours: Preset<Flag>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    lists {
        /// When somebody was last told.
        sent_at: Option<DateTime<Utc>>,
    }
    sets {
        /// The only machines that it is about; all of its group and the groups below without any.
        machines: Machine = "alert_observer_machine" ("alert_observer", "machine") mentioned,
    }
}

/// How long a timer is.
pub fn span(timer: i64, timer_type: i64) -> Duration {
    let minutes = match timer_type {
        1 => 1,
        2 => 60,
        3 => 24 * 60,
        _ => 7 * 24 * 60,
    };
    Duration::minutes(timer.saturating_mul(minutes))
}

/// Refuses what was given (beside what is there `before`) where it does not go together. What was there and
/// no longer goes with the rest is taken away.
pub fn reconcile(given: &mut Columns, before: &Columns) -> Result<()> {
    let word = |name: &str| given.get(name).or_else(|| before.get(name)).and_then(Value::as_str);
    // Without these two nothing is created, and that is what will be said.
    let (Some(observed), Some(pattern)) = (word("type"), word("observer")) else { return Ok(()) };
    let is_event = observed == Observed::Event.word();
    let is_counted = pattern == Pattern::Occurrence.word();
    let mut issues = Vec::new();
    if pattern == Pattern::NonResolution.word() && !is_event {
        let pointer = if given.contains_key("observer") { "/observer" } else { "/type" };
        issues.push(Issue::at(pointer, "can't be: only an event is there to be resolved"));
    }
    for (column, pointer, fits, detail) in [
        ("error", "/error", is_event, "goes with events only"),
        ("payment_method", "/paymentMethod", !is_event, "goes with transactions only"),
        ("occurs", "/occurs", is_counted, "goes with an occurrence only"),
    ] {
        if fits {
            continue;
        }
        if given.get(column).is_some_and(|value| !value.is_null()) {
            issues.push(Issue::at(pointer, detail));
        }
        given.insert(column.to_owned(), Value::Null);
    }
    let occurs = given.get("occurs").or_else(|| before.get("occurs"));
    if is_counted && occurs.is_none_or(Value::is_null) {
        given.insert("occurs".to_owned(), 1.into());
    }
    // Whoever names machines and loses the last of them is about none, not about all.
    if let Some(machines) = given.get("machines").and_then(Value::as_array) {
        let everywhere = machines.is_empty();
        given.insert("everywhere".to_owned(), everywhere.into());
    }
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(value: Value) -> Columns {
        serde_json::from_value(value).unwrap()
    }

    fn after(given: Value, before: Value) -> Result<Value, Vec<String>> {
        let mut given = columns(given);
        match reconcile(&mut given, &columns(before)) {
            Ok(()) => Ok(Value::Object(given)),
            Err(error) => {
                Err(error.problem().errors.into_iter().map(|issue| issue.pointer.to_string()).collect())
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_its_place() {
        for (given, pointers) in [
            (
                json!({"type": "transaction", "observer": "occurrence", "error": 1, "payment_method": "cash"}),
                vec!["/error"],
            ),
            (
                json!({"type": "event", "observer": "occurrence", "payment_method": "cash"}),
                vec!["/paymentMethod"],
            ),
            (json!({"type": "event", "observer": "non_resolution", "occurs": 2}), vec!["/occurs"]),
            (json!({"type": "transaction", "observer": "non_resolution"}), vec!["/observer"]),
        ] {
            assert_eq!(after(given, json!({})), Err(pointers.into_iter().map(str::to_owned).collect()));
        }
        let resolved = json!({"type": "event", "observer": "non_resolution"});
        assert_eq!(after(json!({"type": "transaction"}), resolved), Err(vec!["/type".to_owned()]));
    }

    #[test]
    fn what_no_longer_goes_with_the_rest_is_taken_away() {
        let before = json!({"type": "event", "observer": "occurrence", "error": 1, "occurs": 3});
        let quiet = after(json!({"type": "transaction", "observer": "non_occurrence"}), before.clone());
        let expected =
            json!({"type": "transaction", "observer": "non_occurrence", "error": null, "occurs": null});
        assert_eq!(quiet, Ok(expected));
        assert_eq!(
            after(json!({"name": "n"}), before.clone()),
            Ok(json!({"name": "n", "payment_method": null}))
        );
        let once = after(json!({"occurs": null}), before).unwrap();
        assert_eq!(once["occurs"], 1);
    }

    #[test]
    fn naming_no_machine_is_naming_all() {
        let draft =
            |machines: Value| json!({"type": "event", "observer": "non_occurrence", "machines": machines});
        assert_eq!(after(draft(json!([])), json!({})).unwrap()["everywhere"], true);
        assert_eq!(after(draft(json!([7])), json!({})).unwrap()["everywhere"], false);
        assert_eq!(after(json!({"name": "n"}), draft(json!([7]))).unwrap().get("everywhere"), None);
    }

    #[test]
    fn a_timer_is_minutes_hours_days_or_weeks() {
        let seconds = |timer, timer_type| span(timer, timer_type).num_seconds();
        assert_eq!([seconds(2, 1), seconds(2, 2)], [120, 7_200]);
        assert_eq!([seconds(2, 3), seconds(TIMER_MAX, 4)], [172_800, 6_048_000_000]);
    }
}
