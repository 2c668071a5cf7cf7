//! Sales, payments and events as they are written down: one statement a table, however many there are.
//!
//! Every function here is called in a transaction that holds the machine's presence ([`Sender`]); the
//! sums follow in the same statements, by triggers.

use super::{
    sale_payments::{Found, count, give_awaited, paid_and_back},
    sender::{Sender, shift_of, shifts},
};
use crate::{
    error::Result,
    fleet::payments::{PaymentMethod, PaymentType},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Something that was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The machine's own number of it; none where it was worked out from an audit.
    pub remote: Option<i64>,
    /// The series of numbers that it is of.
    pub series: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Which product of the machine's, if it is one that is known.
    pub product: Option<i64>,
    /// What it was called.
    pub name: String,
    /// What reports call it.
    pub internal_ref: Option<String>,
    /// As printed on it.
    pub barcode: Option<String>,
    /// What was asked for it, in minor units.
    pub price: i64,
    /// What it costs without whatever made it cheaper.
    pub original_price: i64,
    /// ISO 4217.
    pub currency: String,
    /// Which key, chip or account it was for.
    pub token: Option<String>,
    /// As the machine numbers kinds of sales.
    pub salestype: Option<i64>,
    /// As the machine numbers its price lists.
    pub pricelist: Option<i64>,
    /// How many payments come with it.
    pub num_payments: i64,
    /// What they come to in its currency.
    pub paid: i64,
    /// What of that was given back.
    pub paid_back: i64,
}

/// Something that a customer paid, or got back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The machine's own number of it.
    pub remote: Option<i64>,
    /// The series of numbers that it is of.
    pub series: i64,
    /// What was paid for.
    pub of: Option<Of>,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// How.
    pub method: PaymentMethod,
    /// Minor units; negative where money was given back.
    pub price: i64,
    /// ISO 4217.
    pub currency: String,
}

/// The sale that a payment is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// One that was written just now, and counts this payment already.
    New {
        /// Its id.
        sale: i64,
        /// What was sold.
        name: String,
    },
    /// One that was there.
    Kept(KeptSale),
    /// One that has not arrived: the machine's own number of it, and the series that this is of.
    Awaited(i64, i64),
}

/// A sale that is written already.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeptSale {
    /// Its id.
    pub id: i64,
    /// The machine's own number of it.
    pub remote: i64,
    /// The series of numbers that it is of.
    pub series: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What was sold.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
}

/// Something that happened to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The machine's own number of it.
    pub remote: Option<i64>,
    /// The series of numbers that it is of.
    pub series: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What the machine calls it.
    pub code: String,
    /// 1: a message; 2: an issue; 3: an alarm.
    pub kind: i16,
    /// Seconds that it lasted, if it has ended.
    pub duration: Option<i64>,
    /// When it ended.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Whatever else is known of it.
    pub extra_data: Option<String>,
}

/// The same statement for the months at hand and for those in the archive. What joins them to an array
/// says besides that ids are in it and instants between its first and its last: then the right months
/// alone are looked at, by their index.
macro_rules! hot_and_archived {
    ($before:literal, $table:literal, $after:literal) => {
        [concat!($before, $table, $after), concat!($before, $table, "_archive", $after)]
    };
}
pub(super) use hot_and_archived;

/// Numbers for so many rows, from low to high.
async fn numbers(db: &mut PgConnection, of: &'static str, count: usize) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(of).bind(count as i64).fetch_all(db).await?)
}

/// Writes sales down and returns their ids. Payments that were waiting for one of them become its own.
pub async fn sales(db: &mut PgConnection, sender: &Sender, sales: &[Sale]) -> Result<Vec<i64>> {
    const IDS: &str = "SELECT draw_ids('revenue_transaction', $1)";
    const INSERT: &str = "
        INSERT INTO revenue_transaction (machine, location, user_group, time_zone, created_at, updated_at, id, remote,
            shift, occurred_at, product, name, internal_ref, barcode, price, original_price, currency, token,
            salestype, pricelist, num_payment_transactions, series, paid, paid_back)
        SELECT $1, $2, $3, $4, $5, $5, u.* FROM unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[],
            $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::text[],
            $17::text[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[])
            AS u";
    const PRESENCE: &str = "
        UPDATE machine_presence SET
            revenuetransaction_synced = GREATEST(revenuetransaction_synced, $2),
            last_revenuetransaction = CASE WHEN sold_at > $4 THEN last_revenuetransaction ELSE $3 END,
            last_sold = CASE WHEN sold_at > $4 THEN last_sold ELSE COALESCE($5, last_sold) END,
            sold_at = GREATEST(sold_at, $4)
        WHERE machine = $1";
    let ids = numbers(db, IDS, sales.len()).await?;
    let Some((latest, id)) = sales.iter().zip(&ids).max_by_key(|(sale, id)| (sale.occurred_at, **id)) else {
        return Ok(ids);
    };
    let shifts = shifts(db, sender, sales.iter().map(|sale| sale.occurred_at)).await?;
    let column = |of: fn(&Sale) -> i64| sales.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&Sale) -> Option<i64>| sales.iter().map(of).collect::<Vec<_>>();
    let text = |of: fn(&Sale) -> Option<&str>| sales.iter().map(of).collect::<Vec<_>>();
    sqlx::query(INSERT)
        .bind(sender.machine)
        .bind(sender.facts.location)
        .bind(sender.facts.user_group)
        .bind(&sender.facts.time_zone)
        .bind(sender.now)
        .bind(&ids)
        .bind(number(|sale| sale.remote))
        .bind(sales.iter().map(|sale| shift_of(&shifts, sale.occurred_at)).collect::<Vec<_>>())
        .bind(sales.iter().map(|sale| sale.occurred_at).collect::<Vec<_>>())
        .bind(number(|sale| sale.product))
        .bind(text(|sale| Some(&sale.name)))
        .bind(text(|sale| sale.internal_ref.as_deref()))
        .bind(text(|sale| sale.barcode.as_deref()))
        .bind(column(|sale| sale.price))
        .bind(column(|sale| sale.original_price))
        .bind(text(|sale| Some(&sale.currency)))
        .bind(text(|sale| sale.token.as_deref()))
        .bind(number(|sale| sale.salestype))
        .bind(number(|sale| sale.pricelist))
        .bind(column(|sale| sale.num_payments))
        .bind(column(|sale| sale.series))
        .bind(column(|sale| sale.paid))
        .bind(column(|sale| sale.paid_back))
        .execute(&mut *db)
        .await?;
    sqlx::query(PRESENCE)
        .bind(sender.machine)
        .bind(sales.iter().filter_map(|sale| sale.remote).max())
        .bind(id)
        .bind(latest.occurred_at)
        .bind(latest.product)
        .execute(&mut *db)
        .await?;
    let kept = sales.iter().zip(&ids).filter_map(|(sale, &id)| Some(sale.kept(id, sale.remote?)));
    give_awaited(db, sender, &kept.collect::<Vec<_>>()).await?;
    Ok(ids)
}

impl Sale {
    /// It as one that is written, by the machine's own number of it.
    fn kept(&self, id: i64, remote: i64) -> KeptSale {
        let (name, currency) = (self.name.clone(), self.currency.clone());
        KeptSale { id, remote, series: self.series, occurred_at: self.occurred_at, name, currency }
    }

    /// Counts a payment that comes with it.
    pub(super) fn count(&mut self, payment: &Payment) {
        let (paid, back) = paid_and_back(payment.price, payment.currency == self.currency);
        self.num_payments += 1;
        self.paid += paid;
        self.paid_back += back;
    }
}

/// Writes payments down and returns their ids. Sales that were there count them.
pub async fn payments(db: &mut PgConnection, sender: &Sender, payments: &[Payment]) -> Result<Vec<i64>> {
    const IDS: &str = "SELECT draw_ids('payment_transaction', $1)";
    const INSERT: &str = "
        INSERT INTO payment_transaction (machine, location, user_group, time_zone, created_at, updated_at, id, remote,
            revenuetransaction, shift, occurred_at, method, type, price, currency, exclude, report_group, series)
        SELECT $1, $2, $3, $4, $5, $5, u.* FROM unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
            $10::timestamptz[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::boolean[], $16::text[],
            $17::bigint[]) AS u";
    const AWAIT: &str = "
        INSERT INTO awaited_sale (machine, sale, series, payment, occurred_at)
        SELECT $1, u.* FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[]) AS u";
    const PRESENCE: &str = "
        UPDATE machine_presence SET paymenttransaction_synced = GREATEST(paymenttransaction_synced, $2)
        WHERE machine = $1";
    let ids = numbers(db, IDS, payments.len()).await?;
    if ids.is_empty() {
        return Ok(ids);
    }
    let shifts = shifts(db, sender, payments.iter().map(|payment| payment.occurred_at)).await?;
    let types: Vec<PaymentType> =
        payments.iter().map(|payment| sender.facts.shown_as(payment.method)).collect();
    sqlx::query(INSERT)
        .bind(sender.machine)
        .bind(sender.facts.location)
        .bind(sender.facts.user_group)
        .bind(&sender.facts.time_zone)
        .bind(sender.now)
        .bind(&ids)
        .bind(payments.iter().map(|payment| payment.remote).collect::<Vec<_>>())
        .bind(payments.iter().map(Payment::sale).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| shift_of(&shifts, payment.occurred_at)).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| payment.occurred_at).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| payment.method.word()).collect::<Vec<_>>())
        .bind(types.iter().map(|shown_as| shown_as.word()).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| payment.price).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| &*payment.currency).collect::<Vec<_>>())
        .bind(types.iter().map(|&shown_as| shown_as == PaymentType::Test).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| payment.report_group(sender)).collect::<Vec<_>>())
        .bind(payments.iter().map(|payment| payment.series).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
    let latest = payments.iter().filter_map(|payment| payment.remote).max();
    sqlx::query(PRESENCE).bind(sender.machine).bind(latest).execute(&mut *db).await?;

    let mut found = Vec::new();
    let mut awaited: (Vec<i64>, Vec<i64>, Vec<i64>, Vec<DateTime<Utc>>) = Default::default();
    for (payment, id) in payments.iter().zip(&ids) {
        match &payment.of {
            Some(Of::Kept(sale)) => {
                found.push(Found { sale, price: payment.price, currency: payment.currency.clone() });
            }
            Some(Of::Awaited(remote, series)) => {
                awaited.0.push(*remote);
                awaited.1.push(*series);
                awaited.2.push(*id);
                awaited.3.push(payment.occurred_at);
            }
            Some(Of::New { .. }) | None => {}
        }
    }
    count(db, sender, &found).await?;
    if !awaited.0.is_empty() {
        let wait = sqlx::query(AWAIT).bind(sender.machine).bind(&awaited.0).bind(&awaited.1);
        wait.bind(&awaited.2).bind(&awaited.3).execute(db).await?;
    }
    Ok(ids)
}

impl Payment {
    fn sale(&self) -> Option<i64> {
        match &self.of {
            Some(Of::New { sale, .. }) => Some(*sale),
            Some(Of::Kept(sale)) => Some(sale.id),
            Some(Of::Awaited(..)) | None => None,
        }
    }

    fn report_group(&self, sender: &Sender) -> Option<String> {
        match &self.of {
            Some(Of::New { name, .. } | Of::Kept(KeptSale { name, .. })) => sender.facts.report_group(name),
            Some(Of::Awaited(..)) | None => None,
        }
    }
}

/// Writes events down and returns their ids.
pub async fn events(db: &mut PgConnection, sender: &Sender, events: &[Event]) -> Result<Vec<i64>> {
    const IDS: &str = "SELECT draw_ids('machine_log', $1)";
    const INSERT: &str = "
        INSERT INTO machine_log (machine, location, user_group, time_zone, created_at, updated_at, error_identity,
            id, remote, occurred_at, code, type, duration, resolved_at, extra_data, series)
        SELECT $1, $2, $3, $4, $5, $5,
            (SELECT error_identity FROM error_code WHERE error_profile = $6 AND code = u.code),
            u.* FROM unnest($7::bigint[], $8::bigint[], $9::timestamptz[], $10::text[], $11::smallint[],
                $12::bigint[], $13::timestamptz[], $14::text[], $15::bigint[])
            AS u(id, remote, occurred_at, code, type, duration, resolved_at, extra_data, series)";
    const PRESENCE: &str = "
        UPDATE machine_presence SET log_synced = GREATEST(log_synced, $2),
            last_log = CASE WHEN logged_at > $4 THEN last_log ELSE $3 END, logged_at = GREATEST(logged_at, $4)
        WHERE machine = $1";
    let ids = numbers(db, IDS, events.len()).await?;
    let Some((latest, id)) = events.iter().zip(&ids).max_by_key(|(event, id)| (event.occurred_at, **id))
    else {
        return Ok(ids);
    };
    sqlx::query(INSERT)
        .bind(sender.machine)
        .bind(sender.facts.location)
        .bind(sender.facts.user_group)
        .bind(&sender.facts.time_zone)
        .bind(sender.now)
        .bind(sender.facts.error_profile)
        .bind(&ids)
        .bind(events.iter().map(|event| event.remote).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.occurred_at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &*event.code).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.kind).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.duration).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.resolved_at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.extra_data.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.series).collect::<Vec<_>>())
        .execute(&mut *db)
        .await?;
    sqlx::query(PRESENCE)
        .bind(sender.machine)
        .bind(events.iter().filter_map(|event| event.remote).max())
        .bind(id)
        .bind(latest.occurred_at)
        .execute(db)
        .await?;
    Ok(ids)
}

impl Event {
    /// When it ended and how long it lasted: of the two, what is not said follows from the other.
    pub fn ended(
        occurred_at: DateTime<Utc>,
        duration: Option<i64>,
        resolved_at: Option<DateTime<Utc>>,
    ) -> (Option<i64>, Option<DateTime<Utc>>) {
        let end = || occurred_at.checked_add_signed(TimeDelta::try_seconds(duration?)?);
        let lasted = || Some((resolved_at? - occurred_at).num_seconds());
        (duration.or_else(lasted), resolved_at.or_else(end))
    }
}
