//! Where a read belongs among those of its machine, and what was sold of which no other read tells.

use super::{
    counters::Counters,
    format::Reading,
    sold::Sold,
    store::{self, Read},
};
use crate::{
    error::Result,
    telemetry::{ingest::item::AHEAD_MAX, sender::Sender},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// A read at its place among the others.
pub(super) struct Placed {
    pub(super) read: Read,
    /// The read that it goes on from; none of the first one, and of one that comes late.
    pub(super) before: Option<Read>,
    /// What was sold.
    pub(super) sold: Sold,
    /// Since when, where that is the time of a read.
    pub(super) since: Option<DateTime<Utc>>,
    /// By when: what counts as the time of it.
    pub(super) sold_at: DateTime<Utc>,
    pub(super) is_late: bool,
}

/// Finds the place of a read, and with it what was sold.
pub(super) async fn place(
    db: &mut PgConnection,
    sender: &Sender,
    mut read_at: DateTime<Utc>,
    reading: &Reading,
) -> Result<Placed> {
    let machine = sender.machine;
    let mut counters = Counters::of(reading, &sender.facts.currency);
    let mut before = store::before(db, machine, read_at).await?;
    let mut after = store::after(db, machine, read_at).await?;
    // Clocks show minutes. Of two reads of one minute, that which has counted less was first.
    while let Some(twin) =
        before.take_if(|before| before.read_at == read_at && has_counted_less(&counters, &before.counters))
    {
        read_at -= TimeDelta::microseconds(1);
        before = store::before(db, machine, read_at).await?;
        after = Some(twin);
    }
    if let Some(before) = &before {
        counters.carry(&before.counters, reading.ended);
    }
    let going_on = |before: Option<Read>, read_at: DateTime<Utc>, counters: Counters, sold: Sold| Placed {
        read: Read { read_at, counters },
        since: before.as_ref().map(|before| before.read_at),
        before,
        sold,
        sold_at: read_at,
        is_late: false,
    };
    let since = |before: &Read, counters: &Counters| Sold::between(&before.counters, counters);
    let Some(after) = after else {
        let sold = before.as_ref().map(|before| since(before, &counters)).unwrap_or_default();
        return Ok(going_on(before, read_at, counters, sold));
    };
    // It comes late: what was sold by then was counted with the read behind it.
    let late = |counters: Counters, sold: Sold| Placed {
        read: Read { read_at, counters },
        before: None,
        sold,
        since: None,
        sold_at: read_at,
        is_late: true,
    };
    let onward = Sold::between(&counters, &after.counters);
    if onward.set_back.is_empty() {
        // Unless counting began there: now it begins here.
        let is_first = before.is_none();
        return Ok(if is_first {
            Placed { since: Some(read_at), sold_at: after.read_at, ..late(counters, onward) }
        } else {
            late(counters, Sold::default())
        });
    }
    // The machine may have begun to count anew in between: of what did, the read behind it tells no more
    // than since then.
    if let Some(before) = &before {
        let mut sold = since(before, &counters);
        let again = since(before, &after.counters).set_back;
        if sold.set_back.is_empty() && !again.is_empty() {
            sold.lines.retain(|line, _| again.contains(&line.selection));
            return Ok(late(counters, sold));
        }
    }
    // Or its clock was put back: then it goes on from the newest read of all. One that has counted far more
    // than that is rather of a time before the machine was set up again.
    if let Some(newest) = store::before(db, machine, sender.now + AHEAD_MAX).await? {
        let mut counters = Counters::of(reading, &sender.facts.currency);
        counters.carry(&newest.counters, reading.ended);
        let mut sold = since(&newest, &counters);
        let is_likely = before.is_some() || sold.number() <= newest.counters.vends();
        if sold.set_back.is_empty() && sold.number() > 0 && is_likely {
            sold.notes.push("the machine's clock was put back".into());
            let read_at = newest.read_at;
            return Ok(going_on(Some(newest), read_at, counters, sold));
        }
    }
    Ok(late(counters, Sold::default()))
}

fn has_counted_less(counters: &Counters, than: &Counters) -> bool {
    !Sold::between(than, counters).set_back.is_empty() && Sold::between(counters, than).set_back.is_empty()
}
