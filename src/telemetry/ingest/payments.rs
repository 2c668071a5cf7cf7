//! Payments as they come in: new ones are told from known ones, and find their sales.
//!
//! A payment that names a sale which has not arrived is kept, and becomes that sale's when it does; one
//! that names none stays without. Where a sale's number was there in several series, it is the nearest that was
//! made within a day of it, or that of the running series.

use super::{
    batch::{Batch, Receipt, Status},
    item::{NestedPayment, PaymentItem, SaleItem},
    known::{ByNumber, Numbered, Where, known, newest, newest_of, numbered},
    series::{Fate, Kept, Said, place},
};
use crate::{
    campaigns::terms::Currency,
    error::Result,
    fleet::payments::PaymentMethod,
    telemetry::{
        record::{self, KeptSale, Of, Payment},
        sender::{Facts, Numbering, Sender},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, prelude::FromRow};

/// Of the sales with a number, one that was made so shortly before or after a payment is what it is of.
const NEAR: TimeDelta = TimeDelta::days(1);

/// What is said of a payment, by itself or within its sale.
#[derive(Clone, Debug)]
pub(super) struct Paid {
    /// The machine's own number of it.
    pub(super) remote: Option<i64>,
    /// The series that it is said to be of.
    series: Option<i64>,
    occurred_at: DateTime<Utc>,
    /// Whether it came without a time that can be.
    is_timeless: bool,
    method: PaymentMethod,
    price: i64,
    currency: Option<Currency>,
}

impl From<&PaymentItem> for Paid {
    fn from(item: &PaymentItem) -> Self {
        Self {
            remote: Some(item.remote.0),
            series: item.series.map(|series| series.0),
            occurred_at: item.occurred_at.0,
            is_timeless: item.is_timeless,
            method: item.method,
            price: item.price.0,
            currency: item.currency.clone(),
        }
    }
}

impl Paid {
    /// A payment within a sale.
    pub(super) fn within(payment: &NestedPayment, sale: &SaleItem) -> Self {
        Self {
            remote: payment.remote.map(|remote| remote.0),
            series: sale.series.map(|series| series.0),
            occurred_at: payment.occurred_at.map_or(sale.occurred_at.0, |at| at.0),
            is_timeless: sale.is_timeless && payment.occurred_at.is_none(),
            method: payment.method,
            price: payment.price.0,
            currency: payment.currency.clone(),
        }
    }

    /// How it is written down.
    pub(super) fn payment(&self, series: i64, of: Option<Of>, facts: &Facts) -> Payment {
        Payment {
            remote: self.remote,
            series,
            of,
            occurred_at: self.occurred_at,
            method: self.method,
            price: self.price,
            currency: self.currency.clone().map_or_else(|| facts.currency.clone(), String::from),
        }
    }
}

/// A payment that is known by its number.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Known {
    remote: i64,
    series: i64,
    /// The id of its sale.
    revenuetransaction: Option<i64>,
    occurred_at: DateTime<Utc>,
    /// Whether it came without a time that can be.
    is_timeless: bool,
    method: PaymentMethod,
    price: i64,
    currency: String,
}

numbered!(
    Known,
    "SELECT remote, series, revenuetransaction, occurred_at, occurred_at = created_at AS is_timeless, method, price,
        currency
     FROM payment_transaction_ever"
);
numbered!(KeptSale, "SELECT id, remote, series, occurred_at, name, currency FROM revenue_transaction_ever");

impl Kept for Known {
    fn series(&self) -> i64 {
        self.series
    }

    fn occurred_at(&self) -> DateTime<Utc> {
        self.occurred_at
    }
}

impl Known {
    /// What is known of a payment from now on.
    pub(super) fn from_now_on(payment: &Payment, sale: Option<i64>) -> Option<Self> {
        Some(Self {
            remote: payment.remote?,
            series: payment.series,
            revenuetransaction: sale,
            occurred_at: payment.occurred_at,
            is_timeless: false,
            method: payment.method,
            price: payment.price,
            currency: payment.currency.clone(),
        })
    }

    /// The first field in which what is sent now is not what was kept. What is not said is not
    /// compared, nor is a sale that was not there then.
    pub(super) fn contradiction(&self, paid: &Paid, sale: Option<i64>) -> Option<&'static str> {
        let currency = paid.currency.clone().map(String::from);
        let is_then = self.occurred_at == paid.occurred_at || self.is_timeless && paid.is_timeless;
        if !is_then {
            Some("/occurredAt")
        } else if self.method != paid.method {
            Some("/method")
        } else if self.price != paid.price {
            Some("/price")
        } else if currency.is_some_and(|currency| currency != self.currency) {
            Some("/currency")
        } else if self.revenuetransaction.zip(sale).is_some_and(|(kept, sent)| kept != sent) {
            Some("/revenuetransaction")
        } else {
            None
        }
    }
}

/// Payments by the machine's own numbers.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) known: ByNumber<Known>,
    /// When the latest of the running series happened.
    pub(super) newest: Option<DateTime<Utc>>,
}

impl Book {
    /// What a payment is; one without a number is always new.
    pub(super) fn place(&mut self, numbering: &mut Numbering, paid: &Paid, sale: Option<i64>) -> Fate {
        let kept = paid.remote.and_then(|remote| self.known.get(&remote)).map_or(&[][..], Vec::as_slice);
        let said = Said { series: paid.series, at: paid.occurred_at };
        place(numbering, &mut self.newest, kept, said, |kept| kept.contradiction(paid, sale))
    }

    /// Keeps a payment that is new.
    pub(super) fn add(&mut self, payment: &Payment, sale: Option<i64>) {
        if let Some(known) = Known::from_now_on(payment, sale) {
            self.known.entry(known.remote).or_default().push(known);
        }
    }
}

/// The payments that are kept under the numbers of these; those above the mark are not looked for.
pub(super) async fn book(db: &mut PgConnection, sender: &Sender, paid: &[Paid]) -> Result<Book> {
    const NEWEST: [&str; 2] =
        [newest_of!("payment_transaction_ever"), newest_of!("revenue_transaction_ever")];
    let said = paid.iter().filter_map(|paid| Some((paid.remote?, paid.occurred_at)));
    let arrived = said.filter(|&(remote, _)| sender.may_know(remote, sender.synced.payments));
    let is_odd = paid.iter().any(|paid| paid.series.is_some() || paid.is_timeless);
    let known = known(db, sender.machine, Where::of(sender, is_odd), arrived).await?;
    let newest = if known.is_empty() { None } else { newest(db, sender, &NEWEST).await? };
    Ok(Book { known, newest })
}

/// Takes in a batch of payments.
pub(super) async fn take_in(
    db: &mut PgConnection,
    sender: &Sender,
    mut batch: Batch<PaymentItem>,
) -> Result<Vec<Receipt>> {
    let paid: Vec<Paid> = batch.items.iter().map(|(_, item)| Paid::from(item)).collect();
    let mut book = book(db, sender, &paid).await?;
    // A sale is paid when it is made.
    let of =
        batch.items.iter().filter_map(|(_, item)| Some((item.revenuetransaction?.0, item.occurred_at.0)));
    let is_odd = paid.iter().any(|paid| paid.series.is_some());
    let sales: ByNumber<KeptSale> = known(db, sender.machine, Where::of(sender, is_odd), of).await?;
    let mut numbering = sender.numbering;
    let new = judge(&mut batch, &mut numbering, &mut book, &sales, &sender.facts);
    sender.begin_series(db, numbering).await?;
    record::payments(db, sender, &new).await?;
    Ok(batch.receipts)
}

/// Which payments of a batch are new; the receipts say what the others are.
pub(super) fn judge(
    batch: &mut Batch<PaymentItem>,
    numbering: &mut Numbering,
    book: &mut Book,
    sales: &ByNumber<KeptSale>,
    facts: &Facts,
) -> Vec<Payment> {
    let mut new = Vec::new();
    for (index, item) in std::mem::take(&mut batch.items) {
        let paid = Paid::from(&item);
        let remote = item.revenuetransaction.map(|remote| remote.0);
        let sales = remote.and_then(|remote| sales.get(&remote)).map_or(&[][..], Vec::as_slice);
        let id = sale_of(&paid, sales, *numbering).map(|sale| sale.id);
        match book.place(numbering, &paid, id) {
            Fate::Known(_) => batch.receipts[index].status = Status::Duplicate,
            Fate::Contradicts(pointer) => batch.contradicts(index, pointer),
            Fate::New(series) => {
                // The numbers may have begun again just now.
                let sale = sale_of(&paid, sales, *numbering);
                let awaited = || {
                    Some(Of::Awaited(remote?, paid.series.unwrap_or_else(|| numbering.at(paid.occurred_at))))
                };
                let of = sale.cloned().map(Of::Kept).or_else(awaited);
                let payment = paid.payment(series, of, facts);
                book.add(&payment, sale.map(|sale| sale.id));
                new.push(payment);
            }
        }
    }
    new
}

/// The sale that a payment is of, among those with the number that it names.
fn sale_of<'a>(paid: &Paid, sales: &'a [KeptSale], numbering: Numbering) -> Option<&'a KeptSale> {
    if let Some(series) = paid.series {
        return sales.iter().find(|sale| sale.series == series);
    }
    let found = sales.iter().filter(|sale| sale.series <= 0);
    let nearest = found.clone().min_by_key(|sale| (sale.occurred_at - paid.occurred_at).abs());
    let near = nearest.filter(|sale| (sale.occurred_at - paid.occurred_at).abs() <= NEAR);
    let running = numbering.at(paid.occurred_at);
    near.or_else(|| found.clone().find(|sale| sale.series == running))
}
