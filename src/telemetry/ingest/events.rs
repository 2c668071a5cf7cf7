//! Events as they come in: new ones are told from known ones, and from those that have ended since.

use super::{
    batch::{Batch, Receipt, Status},
    item::EventItem,
    known::{ByNumber, Numbered, Where, known, newest, newest_of, numbered},
    series::{Fate, Kept, Said, place},
};
use crate::{
    error::Result,
    telemetry::{
        record::{self, Event, hot_and_archived},
        sender::{Numbering, Sender},
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, prelude::FromRow};

/// An event that is known by its number.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Known {
    pub(super) id: i64,
    remote: i64,
    series: i64,
    occurred_at: DateTime<Utc>,
    code: String,
    #[sqlx(rename = "type")]
    kind: i16,
    pub(super) duration: Option<i64>,
    pub(super) resolved_at: Option<DateTime<Utc>>,
    extra_data: Option<String>,
    /// Its place among the new ones, if it came with this very batch.
    #[sqlx(skip)]
    pub(super) fresh: Option<usize>,
}

numbered!(
    Known,
    "SELECT id, remote, series, occurred_at, code, type, duration, resolved_at, extra_data FROM machine_log_ever"
);

impl Kept for Known {
    fn series(&self) -> i64 {
        self.series
    }

    fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }
}

impl Known {
    /// What is known of an event from now on; its id is given later, if it is new.
    pub(super) fn from_now_on(event: &Event, id: i64, fresh: Option<usize>) -> Option<Self> {
        Some(Self {
            id,
            remote: event.remote?,
            series: event.series,
            occurred_at: event.occurred_at,
            code: event.code.clone(),
            kind: event.kind,
            duration: event.duration,
            resolved_at: event.resolved_at,
            extra_data: event.extra_data.clone(),
            fresh,
        })
    }

    /// The first field in which what is sent now is not what was kept; whether it has ended apart. What is
    /// not said is not compared: an end may come without the rest.
    fn contradiction(&self, item: &EventItem, event: &Event) -> Option<&'static str> {
        let end = (event.duration, event.resolved_at);
        if self.occurred_at != event.occurred_at {
            Some("/occurredAt")
        } else if self.code != event.code {
            Some("/code")
        } else if item.kind.is_some() && self.kind != event.kind {
            Some("/type")
        } else if event.extra_data.is_some() && self.extra_data != event.extra_data {
            Some("/extraData")
        } else if self.has_ended() && end != (None, None) && end != (self.duration, self.resolved_at) {
            Some(if self.resolved_at == event.resolved_at { "/duration" } else { "/resolvedAt" })
        } else {
            None
        }
    }

    fn has_ended(&self) -> bool {
        self.duration.is_some() || self.resolved_at.is_some()
    }
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    /// Events that are new.
    pub(super) events: Vec<Event>,
    /// Events that have ended since they were kept.
    pub(super) ended: Vec<Known>,
}

/// Events by the machine's own numbers.
#[derive(Debug, Default)]
pub(super) struct Diary {
    pub(super) known: ByNumber<Known>,
    /// When the latest of the running series happened.
    pub(super) newest: Option<DateTime<Utc>>,
}

/// Takes in a batch of events.
pub(super) async fn take_in(
    db: &mut PgConnection,
    sender: &Sender,
    mut batch: Batch<EventItem>,
) -> Result<Vec<Receipt>> {
    const NEWEST: [&str; 2] = [newest_of!("machine_log_ever"), newest_of!("revenue_transaction_ever")];
    let said = batch.items.iter().map(|(_, item)| (item.remote.0, item.occurred_at.0));
    // What is above the mark is new without a look.
    let arrived = said.filter(|&(remote, _)| sender.may_know(remote, sender.synced.events));
    let is_odd = batch.items.iter().any(|(_, item)| item.series.is_some());
    let known = known(db, sender.machine, Where::of(sender, is_odd), arrived).await?;
    let newest = if known.is_empty() { None } else { newest(db, sender, &NEWEST).await? };
    let mut numbering = sender.numbering;
    let harvest = judge(&mut batch, &mut numbering, &mut Diary { known, newest });
    sender.begin_series(db, numbering).await?;
    record::events(db, sender, &harvest.events).await?;
    end(db, sender, &harvest.ended).await?;
    Ok(batch.receipts)
}

/// Which events of a batch are new, and which have ended; the receipts say what the others are.
pub(super) fn judge(batch: &mut Batch<EventItem>, numbering: &mut Numbering, diary: &mut Diary) -> Harvest {
    let mut harvest = Harvest::default();
    for (index, item) in std::mem::take(&mut batch.items) {
        let event = item.event();
        let kept = diary.known.entry(item.remote.0).or_default();
        let said = Said { series: item.series.map(|series| series.0), at: event.occurred_at };
        let fate = place(numbering, &mut diary.newest, kept, said, |kept| kept.contradiction(&item, &event));
        let known = match fate {
            Fate::Known(at) => &mut kept[at],
            Fate::Contradicts(pointer) => {
                batch.contradicts(index, pointer);
                continue;
            }
            Fate::New(series) => {
                let event = Event { series, ..event };
                kept.extend(Known::from_now_on(&event, 0, Some(harvest.events.len())));
                harvest.events.push(event);
                continue;
            }
        };
        let ends_now = !known.has_ended() && (event.duration.is_some() || event.resolved_at.is_some());
        if !ends_now {
            batch.receipts[index].status = Status::Duplicate;
            continue;
        }
        batch.receipts[index].status = Status::Updated;
        (known.duration, known.resolved_at) = (event.duration, event.resolved_at);
        match known.fresh {
            Some(place) => {
                harvest.events[place].duration = event.duration;
                harvest.events[place].resolved_at = event.resolved_at;
            }
            None => harvest.ended.push(known.clone()),
        }
    }
    harvest
}

/// Writes down that events have ended.
async fn end(db: &mut PgConnection, sender: &Sender, ended: &[Known]) -> Result<()> {
    const END: [&str; 2] = hot_and_archived!(
        "UPDATE ",
        "machine_log",
        " AS e SET duration = u.duration, resolved_at = u.resolved_at, updated_at = $1
          FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[], $5::timestamptz[])
            AS u(id, at, duration, resolved_at)
          WHERE e.id = u.id AND e.occurred_at = u.at AND e.id = ANY ($2)
            AND e.occurred_at BETWEEN (SELECT min(at) FROM unnest($3) AS at) AND (SELECT max(at) FROM unnest($3) AS at)"
    );
    if ended.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = ended.iter().map(|event| event.id).collect();
    let instants: Vec<DateTime<Utc>> = ended.iter().map(|event| event.occurred_at).collect();
    let durations: Vec<Option<i64>> = ended.iter().map(|event| event.duration).collect();
    let ends: Vec<Option<DateTime<Utc>>> = ended.iter().map(|event| event.resolved_at).collect();
    for sql in END {
        let end = sqlx::query(sql).bind(sender.now).bind(&ids).bind(&instants);
        end.bind(&durations).bind(&ends).execute(&mut *db).await?;
    }
    Ok(())
}
