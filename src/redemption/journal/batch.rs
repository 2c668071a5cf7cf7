//! The guarded statement: its arrays, and how one batch is written.

use super::Entry;
use crate::{error::violates, redemption::voucher::State};
use chrono::{DateTime, Utc};
use sqlx::{Encode, PgConnection, Postgres, Type, postgres::PgArguments, prelude::FromRow, query::QueryAs};
use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};
use uuid::Uuid;

/// The redemptions of one voucher in one batch: all are entered, or none.
#[derive(Debug, Default)]
pub(super) struct Group<'a> {
    pub(super) entries: Vec<&'a Entry>,
}

/// What a voucher's row became.
#[derive(Clone, Copy, Debug, FromRow)]
pub(super) struct Spent {
    id: Uuid,
    balance: Option<i64>,
    period_start: DateTime<Utc>,
    redemption_count: i64,
}

impl Spent {
    /// A discount's value, or a gift's balance after the entry that `taken_later` cents were taken after.
    pub(super) fn value_after(&self, entry: &Entry, taken_later: i64) -> i64 {
        self.balance.map_or(entry.value, |balance| balance + taken_later)
    }

    /// Whether a copy with nothing outstanding says the same.
    pub(super) fn agrees_with(&self, state: &State) -> bool {
        (self.period_start, self.redemption_count, self.balance.unwrap_or(0))
            == (state.period, state.count, state.balance)
    }
}

/// Writes a batch in one statement, and so in one transaction; returns the vouchers that were spent.
/// With a look, vouchers with an order that is known are passed over; without, such an order fails the
/// batch: see [`is_repeat`].
pub(super) async fn write(
    connection: &mut PgConnection,
    groups: &BTreeMap<Uuid, Group<'_>>,
    look: bool,
) -> Result<HashMap<Uuid, Spent>, sqlx::Error> {
    let mut columns = Columns::default();
    for (voucher, group) in groups {
        columns.push(*voucher, group);
    }
    let spent: Vec<Spent> = columns.execute(connection, look).await?;
    Ok(spent.into_iter().map(|spent| (spent.id, spent)).collect())
}

/// Whether a batch failed because an order of it is known.
pub(super) fn is_repeat(error: &sqlx::Error) -> bool {
    violates(error, "redemption_pkey")
}

/// The guarded statement.
const BATCH: &str = include_str!("batch.sql");

/// The same guard for a redemption that comes alone: a row of values in place of arrays, and so index
/// scans in place of hash joins.
static ALONE: LazyLock<String> = LazyLock::new(|| {
    [("unnest(", "(SELECT "), ("[]", ""), ("ANY ($", "($")]
        .iter()
        .fold(BATCH.to_owned(), |text, (array, value)| text.replace(array, value))
});

/// The same for one that a lock carries past the end of its voucher's span.
static LATE: LazyLock<String> = LazyLock::new(|| ALONE.replace("-- late: ", ""));

/// One of the three, with its parameters so far.
struct Statement<'q> {
    query: QueryAs<'q, Postgres, Spent, PgArguments>,
    alone: bool,
}

impl<'q> Statement<'q> {
    fn new(alone: bool, late: bool) -> Self {
        let text = if late {
            LATE.as_str()
        } else if alone {
            ALONE.as_str()
        } else {
            BATCH
        };
        Self { query: sqlx::query_as(text), alone }
    }

    /// Binds an array, or the one value of it.
    fn column<T>(self, values: Vec<T>) -> Self
    where
        T: 'q,
        Vec<T>: Encode<'q, Postgres> + Type<Postgres>,
        Option<T>: Encode<'q, Postgres> + Type<Postgres>,
    {
        let query =
            if self.alone { self.query.bind(values.into_iter().next()) } else { self.query.bind(values) };
        Self { query, ..self }
    }

    fn bind<T: Encode<'q, Postgres> + Type<Postgres> + 'q>(self, value: T) -> Self {
        Self { query: self.query.bind(value), ..self }
    }
}

#[derive(Default)]
struct Columns<'a> {
    campaigns: BTreeMap<i64, i64>,
    // A voucher each.
    vouchers: Vec<Uuid>,
    voucher_campaigns: Vec<i64>,
    versions: Vec<i64>,
    lockers: Vec<i64>,
    taken: Vec<i64>,
    amounts: Vec<i64>,
    limits: Vec<Option<i64>>,
    initials: Vec<Option<i64>>,
    periods: Vec<DateTime<Utc>>,
    last_locations: Vec<i64>,
    now: DateTime<Utc>,
    /// Of the only redemption.
    ended: Option<DateTime<Utc>>,
    // A redemption each.
    keys: Vec<Uuid>,
    fingerprints: Vec<Uuid>,
    entry_vouchers: Vec<Uuid>,
    entry_campaigns: Vec<i64>,
    machines: Vec<i64>,
    locations: Vec<i64>,
    requesters: Vec<&'a str>,
    order_ids: Vec<&'a str>,
    order_amounts: Vec<i64>,
    amounts_off: Vec<i64>,
    rests: Vec<i64>,
    campaign_types: Vec<&'a str>,
    currencies: Vec<&'a str>,
    requests: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, voucher: Uuid, group: &Group<'a>) {
        // Entries of one group were made by the same facts (see `Gathering`), so the last speaks for all.
        let Some(last) = group.entries.last() else { return };
        let newest = self.campaigns.entry(last.campaign).or_default();
        *newest = last.campaign_version.max(*newest);
        let amount: i64 = group.entries.iter().map(|entry| entry.amount_off).sum();
        let one_machine = group.entries.iter().all(|entry| entry.machine == last.machine);
        self.vouchers.push(voucher);
        self.voucher_campaigns.push(last.campaign);
        self.versions.push(last.version);
        self.lockers.push(if one_machine { last.machine } else { 0 });
        self.taken.push(group.entries.len() as i64);
        self.amounts.push(amount);
        self.limits.push(last.limit);
        self.initials.push(last.initial);
        self.periods.push(last.period);
        self.last_locations.push(last.location);
        self.ended = last.ended;
        let mut taken_later = amount;
        for entry in &group.entries {
            taken_later -= entry.amount_off;
            self.now = self.now.max(entry.entered_at());
            self.keys.push(entry.key);
            self.fingerprints.push(entry.fingerprint);
            self.entry_vouchers.push(voucher);
            self.entry_campaigns.push(entry.campaign);
            self.machines.push(entry.machine);
            self.locations.push(entry.location);
            self.requesters.push(&entry.requester);
            self.order_ids.push(&entry.order_id);
            self.order_amounts.push(entry.order_amount);
            self.amounts_off.push(entry.amount_off);
            self.rests.push(if entry.initial.is_some() { taken_later } else { entry.value });
            self.campaign_types.push(entry.campaign_type);
            self.currencies.push(&entry.currency);
            self.requests.push(&entry.request);
        }
    }

    async fn execute(self, connection: &mut PgConnection, look: bool) -> Result<Vec<Spent>, sqlx::Error> {
        let (campaigns, campaign_versions): (Vec<i64>, Vec<i64>) = self.campaigns.into_iter().unzip();
        let statement = Statement::new(self.keys.len() == 1, self.ended.is_some())
            .column(campaigns)
            .column(campaign_versions)
            .column(self.vouchers)
            .column(self.voucher_campaigns)
            .column(self.versions)
            .column(self.lockers)
            .column(self.taken)
            .column(self.amounts)
            .column(self.limits)
            .column(self.initials)
            .column(self.periods)
            .column(self.last_locations)
            .bind(self.now)
            .column(self.keys)
            .column(self.fingerprints)
            .column(self.entry_vouchers)
            .column(self.entry_campaigns)
            .column(self.machines)
            .column(self.locations)
            .column(self.requesters)
            .column(self.order_ids)
            .column(self.order_amounts)
            .column(self.amounts_off)
            .column(self.rests)
            .column(self.campaign_types)
            .column(self.currencies)
            .column(self.requests)
            .bind(look);
        let statement = match self.ended {
            Some(ended) => statement.bind(ended),
            None => statement,
        };
        statement.query.fetch_all(connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::{ALONE, BATCH, LATE};

    #[test]
    fn a_redemption_alone_is_written_without_arrays_of_parameters() {
        let statement: Vec<&str> = ALONE.lines().filter(|line| !line.starts_with("--")).collect();
        for array in ["unnest", "[]", "ANY ($"] {
            assert!(!statement.iter().any(|line| line.contains(array)), "{array}");
        }
        assert!(
            !BATCH.contains("\n      AND (v.last_redemption_at")
                && LATE.contains("\n      AND (v.last_redemption_at")
        );
        assert_eq!(ALONE.matches("FROM (SELECT $").count() + ALONE.matches("JOIN (SELECT $").count(), 4);
    }
}
