//! What happened to a machine, as its audits tell: occurrences that it wrote down, and events that it
//! counts.
//!
//! A code is a letter for events (E) or operations (O), a letter for the unit, and a letter more; makers
//! have their own behind an underscore. An event that lasts opens an entry that is closed by the first
//! read in which it lasts no more. It is an alarm where the machine can't sell safely, or at all, without
//! the unit, and an issue anywhere else. What is over when it is read is a message.

use super::{counters::Counters, format::Occurrence};
use crate::telemetry::{clock, record::Event};
use chrono::{DateTime, Utc};

/// Units that nothing can be sold without: control, hot drinks, brewer, water, cold drinks, refrigeration.
const VITAL: &str = "CDEFHO";

/// Message.
pub(super) const MESSAGE: i16 = 1;

/// Lasts: something is out of order.
const ISSUE: i16 = 2;

/// Lasts: nothing can be sold.
const ALARM: i16 = 3;

/// What an event that lasts is.
fn lasting(code: &str) -> i16 {
    let mut letters = code.chars().map(|letter| letter.to_ascii_uppercase());
    let is_vital = letters.next() == Some('E') && letters.next().is_some_and(|unit| VITAL.contains(unit));
    // A maker's own code: `EA_7`, where A is no unit.
    let is_makers = code.chars().nth(2) == Some('_');
    if is_vital && !is_makers { ALARM } else { ISSUE }
}

fn event(code: &str, occurred_at: DateTime<Utc>, kind: i16) -> Event {
    Event {
        remote: None,
        series: 0,
        occurred_at,
        code: code.to_owned(),
        kind,
        duration: None,
        resolved_at: None,
        extra_data: None,
    }
}

/// The occurrences with a date that can be, in the machine's zone. Without one nobody could tell whether an
/// occurrence is the same as in the read before.
pub fn occurrences(
    of: &[Occurrence],
    now: DateTime<Utc>,
    instant: impl Fn(chrono::NaiveDateTime) -> DateTime<Utc>,
) -> Vec<Event> {
    let dated = of.iter().filter_map(|occurrence| {
        let at = instant(occurrence.at?);
        let mut event = event(&occurrence.code, at, MESSAGE);
        event.duration = occurrence.minutes.map(|minutes| minutes.min(1_000_000) * 60);
        event.extra_data = Some(occurrence.note.clone()).filter(|note| !note.is_empty());
        clock::flaw(at, now).is_none().then_some(event)
    });
    dated.collect()
}

/// What is counted of events since the read before: what begins, what is over, and which ones of those
/// that are open last no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Events to write down.
    pub begun: Vec<Event>,
    /// Codes of events that were open, and are over.
    pub over: Vec<String>,
}

/// Compares the newest read with the one before it; `written` are the occurrences that this read brought.
pub fn changes(before: Option<&Counters>, after: &Counters, written: &[Event], at: DateTime<Utc>) -> Changes {
    let mut changes = Changes::default();
    for (code, now) in &after.events {
        let then = before.and_then(|before| before.events.get(code));
        let was_active = then.is_some_and(|then| then.active);
        let known = written.iter().filter(|event| event.code == *code).count() as i64;
        // A counter that went down was set back: how often it happened since, it shows.
        let more = match (before, then.and_then(|then| then.count), now.count) {
            (Some(_), Some(then), Some(now)) if now >= then => now - then,
            (Some(_), _, Some(now)) => now,
            _ => 0,
        };
        let begins = now.active && !was_active;
        let over = more - known - i64::from(begins);
        if over > 0 {
            let mut times = event(code, at, MESSAGE);
            times.extra_data = (over > 1).then(|| format!("{{\"count\":{over}}}"));
            changes.begun.push(times);
        }
        if begins {
            changes.begun.push(event(code, at, lasting(code)));
        }
    }
    // Codes that a machine no longer names are over too: it names what it counted since its last reset.
    let before = before.into_iter().flat_map(|before| &before.events).filter(|(_, then)| then.active);
    let lasts = |code: &String| after.events.get(code).is_some_and(|now| now.active);
    changes.over = before.map(|(code, _)| code.clone()).filter(|code| !lasts(code)).collect();
    changes
}

#[cfg(test)]
mod tests {
    use super::{super::counters::Happening, *};

    fn counters(events: &[(&str, i64, bool)]) -> Counters {
        let events = events.iter().map(|(code, count, active)| {
            ((*code).to_owned(), Happening { count: Some(*count), active: *active })
        });
        Counters { events: events.collect(), ..Counters::default() }
    }

    fn told(changes: &Changes) -> Vec<(&str, i16)> {
        changes.begun.iter().map(|event| (event.code.as_str(), event.kind)).collect()
    }

    #[test]
    fn what_lasts_is_an_alarm_where_nothing_can_be_sold_without_it() {
        for code in ["ECA", "EF", "EEB", "EOA", "EHC"] {
            assert_eq!(lasting(code), ALARM, "{code}");
        }
        for code in ["EAA", "EGS", "EIN", "ELA_12", "OBC", "EC_1", "E", "", "\u{e9}"] {
            assert_eq!(lasting(code), ISSUE, "{code}");
        }
    }

    #[test]
    fn occurrences_have_a_date_that_can_be() {
        let of = |day: &str| Occurrence {
            code: "EGS".to_owned(),
            at: Some(day.parse::<chrono::NaiveDate>().unwrap().into()),
            minutes: Some(5),
            note: String::new(),
        };
        let read =
            ["1999-12-31", "2010-01-01", "2021-11-26", "2026-11-24", "2026-11-25", "9999-01-01"].map(of);
        let now = "2026-11-24T00:00:00Z".parse().unwrap();
        let events = occurrences(&read, now, |civil| civil.and_utc());
        let days: Vec<_> = events.iter().map(|event| event.occurred_at.date_naive().to_string()).collect();
        assert_eq!(days, ["2021-11-26", "2026-11-24", "2026-11-25"]);
    }

    #[test]
    fn counts_become_events() {
        let at = DateTime::UNIX_EPOCH;
        let before = counters(&[("EGS", 4, false), ("OBC", 1, true), ("EOA", 0, false), ("ECA", 7, true)]);
        let after = counters(&[("EGS", 7, false), ("OBC", 1, false), ("EOA", 1, true), ("EIN", 2, false)]);
        let changes = changes(Some(&before), &after, &[event("EGS", at, MESSAGE)], at);
        assert_eq!(told(&changes), [("EGS", MESSAGE), ("EIN", MESSAGE), ("EOA", ALARM)]);
        assert_eq!(changes.begun[0].extra_data.as_deref(), Some("{\"count\":2}"));
        assert_eq!(changes.over, ["ECA", "OBC"]);
    }

    #[test]
    fn the_first_read_tells_what_lasts() {
        let after = counters(&[("EGS", 7, false), ("OBC", 1, true)]);
        assert_eq!(told(&changes(None, &after, &[], DateTime::UNIX_EPOCH)), [("OBC", ISSUE)]);
        let same = changes(Some(&after), &after, &[], DateTime::UNIX_EPOCH);
        assert_eq!(same, Changes::default());
        let set_back = counters(&[("EGS", 2, false), ("OBC", 0, true)]);
        assert_eq!(told(&changes(Some(&after), &set_back, &[], DateTime::UNIX_EPOCH)), [("EGS", MESSAGE)]);
    }
}
