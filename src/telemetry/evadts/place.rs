//! Where a read belongs among those of its machine, and what was sold of which no other read tells.

use super::{
    counters::Counters,
    format::Reading,
    sold::Sold,
    store::{self, Apart, Read},
};
use crate::{
    error::Result,
    telemetry::{clock::AHEAD_MAX, sender::Sender},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// A machine with a new serial number has got a new board, if no file with the old one comes for so long.
const NEW_BOARD_AFTER: TimeDelta = TimeDelta::days(1);

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
    /// Why it has no place among them, if it has none.
    pub(super) apart: Option<Apart>,
}

impl Placed {
    /// A read that moves nothing.
    fn apart(read: Read, why: Apart, note: impl Into<String>) -> Self {
        let sold = Sold { notes: vec![note.into()], ..Sold::default() };
        let sold_at = read.read_at;
        Self { read, before: None, sold, since: None, sold_at, is_late: false, apart: Some(why) }
    }
}

/// Finds the place of a read, and with it what was sold. A report that was cut off moves nothing, nor does
/// one without an end that its own total does not bear out: it may have been.
pub(super) async fn place(
    db: &mut PgConnection,
    sender: &Sender,
    read_at: DateTime<Utc>,
    reading: &Reading,
) -> Result<Placed> {
    const CUT: &str = "the report was cut off before its end: it waits for the next whole one";
    const ENDLESS: &str = "the report has no end (SE, G85 or DXE), and no total that bears its counters out: it \
                           may have been cut off, and waits for the next whole one";
    let counters = Counters::of(reading, &sender.facts.currency);
    if reading.is_cut {
        return Ok(Placed::apart(Read { read_at, counters }, Apart::Cut, CUT));
    }
    let placed = among(db, sender, read_at, reading).await?;
    if placed.apart.is_some() || is_whole(reading, &placed.read.counters) {
        return Ok(placed);
    }
    Ok(Placed::apart(Read { read_at, counters }, Apart::Cut, ENDLESS))
}

/// Returns `true` if nothing can be missing of the counters of a report that has begun nowhere or has come to its end.
pub(super) fn is_whole(reading: &Reading, counters: &Counters) -> bool {
    reading.ended || counters.adds_up()
}

/// Finds the place of a whole read among the others.
async fn among(
    db: &mut PgConnection,
    sender: &Sender,
    mut read_at: DateTime<Utc>,
    reading: &Reading,
) -> Result<Placed> {
    let machine = sender.machine;
    let mut counters = Counters::of(reading, &sender.facts.currency);
    if let Some(was) = stranger(db, sender, read_at, &counters).await? {
        let note = format!(
            "the serial number was {was:?}, and is {:?}: the file is of another machine, and moves nothing. If the \
             machine has a new board, send its next file when a day has passed",
            counters.serial
        );
        return Ok(Placed::apart(Read { read_at, counters }, Apart::Another, note));
    }
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
        apart: None,
    };
    let since = |before: &Read, counters: &Counters| Sold::between(&before.counters, counters);
    let Some(after) = after else {
        let sold = before.as_ref().map(|before| since(before, &counters)).unwrap_or_default();
        sold.add_to_old_total(&mut counters);
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
        apart: None,
    };
    // What was counted since a reset that the read behind it does not know of, that one does not tell.
    if counters.since_reset {
        let is_told = counters.resets == after.counters.resets;
        let sold = before.filter(|_| !is_told).map(|before| since(&before, &counters)).unwrap_or_default();
        return Ok(late(counters, sold));
    }
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
    // Or its clock was put back.
    if let Some((newest, counters, sold)) = onto_newest(db, sender, before.is_some(), reading).await? {
        let read_at = newest.read_at;
        return Ok(going_on(Some(newest), read_at, counters, sold));
    }
    let shown = format!("{} vends for {}", counters.vends(), counters.said(counters.paid.value.unwrap_or(0)));
    let note = format!("it goes on from no other read and shows {shown}: nothing of that is sold");
    Ok(late(counters, Sold { notes: vec![note], ..Sold::default() }))
}

/// The serial number that the nearest of the other reads has, if a read is of another machine than they.
async fn stranger(
    db: &mut PgConnection,
    sender: &Sender,
    read_at: DateTime<Utc>,
    counters: &Counters,
) -> Result<Option<String>> {
    let machine = sender.machine;
    let since = sender.now - NEW_BOARD_AFTER;
    for may_adopt in [true, false] {
        let mut nearest = store::before(db, machine, read_at).await?;
        if nearest.is_none() {
            nearest = store::after(db, machine, read_at).await?;
        }
        let nearest = nearest.map(|nearest| nearest.counters);
        let Some(nearest) = nearest.filter(|nearest| counters.is_of_another(nearest)) else {
            return Ok(None);
        };
        if !(may_adopt && store::adopt(db, machine, &counters.serial, since).await?) {
            return Ok(Some(nearest.serial));
        }
    }
    Ok(None)
}

/// What was sold since the newest read of all, for a machine whose clock was put back: it goes on from that. One
/// that has counted far more than that is rather of a time before the machine was set up again.
async fn onto_newest(
    db: &mut PgConnection,
    sender: &Sender,
    has_before: bool,
    reading: &Reading,
) -> Result<Option<(Read, Counters, Sold)>> {
    let newest = store::before(db, sender.machine, sender.now + AHEAD_MAX).await?;
    let Some(newest) = newest else { return Ok(None) };
    let mut counters = Counters::of(reading, &sender.facts.currency);
    counters.carry(&newest.counters, reading.ended);
    let mut sold = Sold::between(&newest.counters, &counters);
    let is_likely = has_before || sold.number() <= newest.counters.vends();
    if !sold.set_back.is_empty() || sold.number() == 0 || !is_likely {
        return Ok(None);
    }
    sold.notes.push("the machine's clock was put back".into());
    sold.add_to_old_total(&mut counters);
    Ok(Some((newest, counters, sold)))
}

fn has_counted_less(counters: &Counters, than: &Counters) -> bool {
    !Sold::between(than, counters).set_back.is_empty() && Sold::between(counters, than).set_back.is_empty()
}
