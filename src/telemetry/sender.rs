//! The machine that rows are written for: where it stands now, how its payments are shown, and what of
//! its own numbers has arrived.

use super::offline;
use crate::{
    error::{Error, Result},
    fleet::payments::{PaymentMethod, PaymentType, ReportRule},
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, prelude::FromRow};
use std::collections::HashMap;

/// A machine whose row of presence this transaction holds: whoever else writes rows for it waits, so
/// that the ids of its rows rise in the order in which they are committed.
#[derive(Debug)]
pub struct Sender {
    /// The machine.
    pub machine: i64,
    /// The present, of all that is written.
    pub now: DateTime<Utc>,
    /// Which of its own numbers have arrived.
    pub synced: Synced,
    /// The series that they are of.
    pub numbering: Numbering,
    /// What rows take over from it.
    pub facts: Facts,
}

/// The highest of the machine's own numbers that have arrived. What is above is new without a look.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Synced {
    /// Of sales.
    pub sales: Option<i64>,
    /// Of payments.
    pub payments: Option<i64>,
    /// Of events.
    pub events: Option<i64>,
}

/// The series that a machine's own numbers are of where it names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct Numbering {
    /// 0 at first, and one less each time that they were found to have begun again.
    pub series: i64,
    /// Until when they were of the series before.
    #[sqlx(rename = "series_from")]
    pub from: Option<DateTime<Utc>>,
}

/// Where a machine stands, and by which rules its rows are written.
#[derive(Clone, Debug, FromRow)]
pub struct Facts {
    /// Where it stands.
    pub location: i64,
    /// Whose it is.
    pub user_group: i64,
    /// Of the place.
    pub time_zone: String,
    /// ISO 4217.
    pub currency: String,
    /// The dialect that it reports events in.
    pub error_profile: i64,
    /// Which part of a product's name makes it a group in reports.
    pub report_rule: Option<ReportRule>,
    /// What payments are shown as, where that is not as usual.
    #[sqlx(json)]
    pub payment_types: HashMap<String, PaymentType>,
}

/// A row of presence as it is when it is locked.
#[derive(FromRow)]
struct Presence {
    #[sqlx(flatten)]
    synced: Synced,
    #[sqlx(flatten)]
    numbering: Numbering,
    offline_since: Option<DateTime<Utc>>,
}

impl Sender {
    /// Locks the machine's presence and writes down that it was heard of, which ends its being offline.
    pub async fn lock(db: &mut PgConnection, machine: i64, now: DateTime<Utc>) -> Result<Self> {
        const LOCK: &str = "
            INSERT INTO machine_presence AS p (machine, seen_at) SELECT id, $2 FROM machine WHERE id = $1
            ON CONFLICT (machine) DO UPDATE SET seen_at = GREATEST(p.seen_at, excluded.seen_at)
            RETURNING revenuetransaction_synced AS sales, paymenttransaction_synced AS payments,
                log_synced AS events, series, series_from, offline_since";
        const FACTS: &str = "
            SELECT m.location, m.user_group, l.time_zone, c.code AS currency, k.error_profile, t.report_rule,
                COALESCE(t.payment_types_map, '{}') AS payment_types
            FROM machine m JOIN location l ON l.id = m.location JOIN currency c ON c.id = m.currency
                JOIN machine_model k ON k.id = m.machine_model
                LEFT JOIN transaction_profile t ON t.id = m.transaction_profile
            WHERE m.id = $1";
        let presence: Option<Presence> =
            sqlx::query_as(LOCK).bind(machine).bind(now).fetch_optional(&mut *db).await?;
        let presence = presence.ok_or(Error::NotFound("machine"))?;
        if let Some(since) = presence.offline_since {
            offline::back(db, machine, since, now).await?;
        }
        let facts: Option<Facts> = sqlx::query_as(FACTS).bind(machine).fetch_optional(db).await?;
        let facts = facts.ok_or(Error::NotFound("machine"))?;
        Ok(Self { machine, now, synced: presence.synced, numbering: presence.numbering, facts })
    }

    /// Returns `true` if its own numbers were found to have begun again.
    pub fn has_begun_again(&self) -> bool {
        self.numbering.series != 0
    }

    /// Returns `true` if one of its own numbers may have arrived, `mark` being the highest that has.
    pub fn may_know(&self, remote: i64, mark: Option<i64>) -> bool {
        self.has_begun_again() || Some(remote) <= mark
    }

    /// Writes down that its own numbers have begun again, if they have: marks are of the series before.
    pub async fn begin_series(&self, db: &mut PgConnection, numbering: Numbering) -> Result<()> {
        const SQL: &str = "
            UPDATE machine_presence SET series = $2, series_from = $3, revenuetransaction_synced = NULL,
                paymenttransaction_synced = NULL, log_synced = NULL WHERE machine = $1";
        if numbering != self.numbering {
            let begin = sqlx::query(SQL).bind(self.machine).bind(numbering.series).bind(numbering.from);
            begin.execute(db).await?;
        }
        Ok(())
    }
}

impl Facts {
    /// What reports show a payment by this method as.
    pub fn shown_as(&self, method: PaymentMethod) -> PaymentType {
        let usual = method.usual_type();
        self.payment_types.get(method.word()).copied().unwrap_or(usual)
    }

    /// The group that a product of this name is in, in reports.
    pub fn report_group(&self, product: &str) -> Option<String> {
        let product = product.trim_start();
        match self.report_rule? {
            ReportRule::FirstLetter => product.chars().next().map(String::from),
            ReportRule::FirstBlock => product.split_whitespace().next().map(str::to_owned),
        }
    }
}

/// A time between two counts of a location's takings.
#[derive(Clone, Copy, Debug, FromRow)]
pub(super) struct Shift {
    id: i64,
    opened_at: DateTime<Utc>,
    closed: Option<DateTime<Utc>>,
}

/// The shifts of the sender's location in which something of these instants can have happened. They
/// are held: whoever closes one waits, and finds what is written here.
pub(super) async fn shifts(
    db: &mut PgConnection,
    sender: &Sender,
    instants: impl Iterator<Item = DateTime<Utc>> + Clone,
) -> Result<Vec<Shift>> {
    const SQL: &str = "
        SELECT id, opened_at, closed FROM shift
        WHERE location = $1 AND opened_at <= $3 AND (closed IS NULL OR closed > $2)
        ORDER BY opened_at FOR SHARE";
    let (Some(first), Some(last)) = (instants.clone().min(), instants.max()) else { return Ok(Vec::new()) };
    let shifts = sqlx::query_as(SQL).bind(sender.facts.location).bind(first).bind(last);
    Ok(shifts.fetch_all(db).await?)
}

/// The shift of an instant: the last that had been opened by then, if it had not been closed.
pub(super) fn shift_of(shifts: &[Shift], at: DateTime<Utc>) -> Option<i64> {
    let opened = shifts.partition_point(|shift| shift.opened_at <= at);
    let shift = shifts[..opened].last()?;
    shift.closed.is_none_or(|closed| at < closed).then_some(shift.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(report_rule: Option<ReportRule>, payment_types: HashMap<String, PaymentType>) -> Facts {
        Facts {
            location: 1,
            user_group: 1,
            time_zone: "UTC".into(),
            currency: "EUR".into(),
            error_profile: 1,
            report_rule,
            payment_types,
        }
    }

    #[test]
    fn payments_are_shown_as_the_profile_says_and_else_as_usual() {
        let shown = facts(None, HashMap::from([("token".into(), PaymentType::Virtual)]));
        let by = |method| shown.shown_as(method).word();
        assert_eq!(by(PaymentMethod::Token), "virtual");
        assert_eq!(by(PaymentMethod::Code), "voucher");
        assert_eq!(by(PaymentMethod::Card), "card");
        assert_eq!(by(PaymentMethod::Virtual), "virtual");
    }

    #[test]
    fn a_product_is_in_the_group_that_its_name_begins_with() {
        let by = |rule, name| facts(Some(rule), HashMap::new()).report_group(name);
        assert_eq!(by(ReportRule::FirstLetter, " Élan water").as_deref(), Some("É"));
        assert_eq!(by(ReportRule::FirstBlock, "K2 Cola 330").as_deref(), Some("K2"));
        assert_eq!(by(ReportRule::FirstBlock, "Cola").as_deref(), Some("Cola"));
        assert_eq!(facts(None, HashMap::new()).report_group("Cola"), None);
    }

    #[test]
    fn an_instant_is_in_the_shift_that_holds_it() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let shift = |id, opened_at, closed: Option<i64>| Shift {
            id,
            opened_at: at(opened_at),
            closed: closed.map(at),
        };
        let shifts = [shift(1, 10, Some(20)), shift(2, 20, Some(30)), shift(3, 40, None)];
        let found: Vec<Option<i64>> = [9, 10, 19, 20, 29, 30, 39, 40, 99]
            .into_iter()
            .map(|second| shift_of(&shifts, at(second)))
            .collect();
        assert_eq!(found, [None, Some(1), Some(1), Some(2), Some(2), None, None, Some(3), Some(3)]);
    }
}
