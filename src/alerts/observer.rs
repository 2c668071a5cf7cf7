//! What is looked out for, and which of its terms go together.

use super::recipient::AlertGroup;
use crate::{
    fleet::{errors::ErrorIdentity, machine::Machine, payments::PaymentMethod},
    http::list::Kind,
    identity::directory::UserGroup,
    resource::{Columns, FieldType, Flag, Name, Preset, Ref, Whole, field::words, resource},
};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::openapi::Schema;

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
        /// That it lasts for as long as the timer: an event that is not resolved, a sale that no payment comes for.
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
        /// Its length in units of the timer type; 0 is 1.
        #[eg("30")]
        timer: FromOne<TIMER_MAX>,
        /// The timer's unit: 1 minutes, 2 hours, 3 days, 4 weeks.
        #[eg("1")]
        timer_type: Whole<1, 4>,
        /// Who is told.
        alert_group: Ref<AlertGroup>,
        /// Of events: the only one; any without it.
        error: Option<Ref<ErrorIdentity>>,
        /// Of an occurrence: how often within the timer; once without it, or with 0.
        occurs: Option<FromOne<OCCURS_MAX>>,
        /// Of transactions that are there, or missing: the only way of paying; without it, sales count however they are
        /// paid.
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

/// A whole number from 1 to `MAX`; a client that says 0 means 1.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct FromOne<const MAX: i64>(i64);

impl<'de, const MAX: i64> Deserialize<'de> for FromOne<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Whole(number) = Whole::<0, MAX>::deserialize(deserializer)?;
        Ok(Self(number.max(1)))
    }
}

impl<const MAX: i64> FieldType for FromOne<MAX> {
    type Shown = i64;
    const KIND: Option<Kind> = Some(Kind::Int);

    fn takes() -> Schema {
        Whole::<0, MAX>::takes()
    }

    fn shows() -> Schema {
        Whole::<1, MAX>::shows()
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

/// Takes away, from what was given and from what is there `before`, what does not go with the rest: clients send
/// every field of an observer, whatever it looks out for.
pub fn reconcile(given: &mut Columns, before: &Columns) {
    let word = |name: &str| given.get(name).or_else(|| before.get(name)).and_then(Value::as_str);
    // Without these two nothing is created, and that is what will be said.
    let (Some(observed), Some(pattern)) = (word("type"), word("observer")) else { return };
    let is_event = observed == Observed::Event.word();
    let is_counted = pattern == Pattern::Occurrence.word();
    // A payment that has not come is by no method.
    let is_of_method = !is_event && pattern != Pattern::NonResolution.word();
    for (column, fits) in [("error", is_event), ("payment_method", is_of_method), ("occurs", is_counted)] {
        if !fits {
            given.insert(column.to_owned(), Value::Null);
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(value: Value) -> Columns {
        serde_json::from_value(value).unwrap()
    }

    fn after(given: Value, before: Value) -> Value {
        let mut given = columns(given);
        reconcile(&mut given, &columns(before));
        Value::Object(given)
    }

    #[test]
    fn what_does_not_go_with_the_type_is_ignored() {
        let all = |observed: &str, pattern: &str| {
            let given = json!({"type": observed, "observer": pattern, "error": 7, "payment_method": "cash", "occurs": 2});
            let after = after(given, json!({}));
            (after["error"].clone(), after["payment_method"].clone(), after["occurs"].clone())
        };
        let none = Value::Null;
        assert_eq!(all("event", "occurrence"), (json!(7), none.clone(), json!(2)));
        assert_eq!(all("event", "non_resolution"), (json!(7), none.clone(), none.clone()));
        assert_eq!(all("event", "non_occurrence"), (json!(7), none.clone(), none.clone()));
        assert_eq!(all("transaction", "occurrence"), (none.clone(), json!("cash"), json!(2)));
        assert_eq!(all("transaction", "non_resolution"), (none.clone(), none.clone(), none.clone()));
        assert_eq!(all("transaction", "non_occurrence"), (none.clone(), json!("cash"), none));
    }

    #[test]
    fn what_no_longer_goes_with_the_rest_is_taken_away() {
        let before = json!({"type": "event", "observer": "occurrence", "error": 1, "occurs": 3});
        let quiet = after(json!({"type": "transaction", "observer": "non_occurrence"}), before.clone());
        let expected =
            json!({"type": "transaction", "observer": "non_occurrence", "error": null, "occurs": null});
        assert_eq!(quiet, expected);
        assert_eq!(after(json!({"name": "n"}), before.clone()), json!({"name": "n", "payment_method": null}));
        assert_eq!(after(json!({"occurs": null}), before)["occurs"], 1);
    }

    #[test]
    fn a_number_from_1_takes_0_for_1() {
        let read = |number: &str| serde_json::from_str::<FromOne<10>>(number).map(|number| number.0).ok();
        assert_eq!(["0", "1", "10"].map(read), [Some(1), Some(1), Some(10)]);
        assert_eq!(["-1", "11", "null"].map(read), [None; 3]);
    }

    #[test]
    fn naming_no_machine_is_naming_all() {
        let draft =
            |machines: Value| json!({"type": "event", "observer": "non_occurrence", "machines": machines});
        assert_eq!(after(draft(json!([])), json!({}))["everywhere"], true);
        assert_eq!(after(draft(json!([7])), json!({}))["everywhere"], false);
        assert_eq!(after(json!({"name": "n"}), draft(json!([7]))).get("everywhere"), None);
    }

    #[test]
    fn a_timer_is_minutes_hours_days_or_weeks() {
        let seconds = |timer, timer_type| span(timer, timer_type).num_seconds();
        assert_eq!([seconds(2, 1), seconds(2, 2)], [120, 7_200]);
        assert_eq!([seconds(2, 3), seconds(TIMER_MAX, 4)], [172_800, 6_048_000_000]);
    }
}
