//! Payments as they come in: new ones are told from known ones, and find their sales.
//!
//! A payment that names a sale which has not arrived is kept, and becomes that sale's when it does; one
//! that names none stays without.

use super::{
    batch::{Batch, Receipt, Status},
    item::{NestedPayment, PaymentItem},
    known::{Numbered, known, numbered},
};
use crate::{
    campaigns::terms::Currency,
    error::Result,
    fleet::payments::PaymentMethod,
    telemetry::{
        record::{self, KeptSale, Of, Payment},
        sender::{Facts, Sender},
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, prelude::FromRow};
use std::collections::HashMap;

/// What is said of a payment, by itself or within its sale.
#[derive(Clone, Debug)]
pub(super) struct Paid {
    /// The machine's own number of it.
    pub(super) remote: Option<i64>,
    occurred_at: DateTime<Utc>,
    method: PaymentMethod,
    price: i64,
    currency: Option<Currency>,
}

impl From<&PaymentItem> for Paid {
    fn from(item: &PaymentItem) -> Self {
        Self {
            remote: Some(item.remote.0),
            occurred_at: item.occurred_at.0,
            method: item.method,
            price: item.price.0,
            currency: item.currency.clone(),
        }
    }
}

impl Paid {
    /// A payment within a sale of that time.
    pub(super) fn within(payment: &NestedPayment, occurred_at: DateTime<Utc>) -> Self {
        Self {
            remote: payment.remote.map(|remote| remote.0),
            occurred_at: payment.occurred_at.map_or(occurred_at, |at| at.0),
            method: payment.method,
            price: payment.price.0,
            currency: payment.currency.clone(),
        }
    }

    /// How it is written down.
    pub(super) fn payment(&self, of: Option<Of>, facts: &Facts) -> Payment {
        Payment {
            remote: self.remote,
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
    /// The id of its sale.
    revenuetransaction: Option<i64>,
    occurred_at: DateTime<Utc>,
    method: PaymentMethod,
    price: i64,
    currency: String,
}

numbered!(
    Known,
    "SELECT remote, revenuetransaction, occurred_at, method, price, currency FROM payment_transaction_ever"
);
numbered!(KeptSale, "SELECT id, remote, occurred_at, name FROM revenue_transaction_ever");

impl Known {
    /// What is known of a payment from now on.
    pub(super) fn from_now_on(payment: &Payment, sale: Option<i64>) -> Option<Self> {
        Some(Self {
            remote: payment.remote?,
            revenuetransaction: sale,
            occurred_at: payment.occurred_at,
            method: payment.method,
            price: payment.price,
            currency: payment.currency.clone(),
        })
    }

    /// The first field in which what is sent now is not what was kept. What is not said is not
    /// compared, nor is a sale that was not there then.
    pub(super) fn contradiction(&self, paid: &Paid, sale: Option<i64>) -> Option<&'static str> {
        let currency = paid.currency.clone().map(String::from);
        if self.occurred_at != paid.occurred_at {
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
pub(super) type Book = HashMap<i64, Known>;

/// The payments that are kept under the numbers of these; those above the mark are not looked for.
pub(super) async fn book(db: &mut PgConnection, sender: &Sender, paid: &[Paid]) -> Result<Book> {
    let said = paid.iter().filter_map(|paid| Some((paid.remote?, paid.occurred_at)));
    known(db, sender.machine, said.filter(|&(remote, _)| Some(remote) <= sender.synced.payments)).await
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
    let sales: HashMap<i64, KeptSale> = known(db, sender.machine, of).await?;
    let new = judge(&mut batch, &mut book, &sales, &sender.facts);
    record::payments(db, sender, &new).await?;
    Ok(batch.receipts)
}

/// Which payments of a batch are new; the receipts say what the others are.
pub(super) fn judge(
    batch: &mut Batch<PaymentItem>,
    book: &mut Book,
    sales: &HashMap<i64, KeptSale>,
    facts: &Facts,
) -> Vec<Payment> {
    let mut new = Vec::new();
    for (index, item) in std::mem::take(&mut batch.items) {
        let paid = Paid::from(&item);
        let remote = item.revenuetransaction.map(|remote| remote.0);
        let sale = remote.and_then(|remote| sales.get(&remote));
        let id = sale.map(|sale| sale.id);
        if let Some(known) = book.get(&item.remote.0) {
            match known.contradiction(&paid, id) {
                None => batch.receipts[index].status = Status::Duplicate,
                Some(pointer) => batch.contradicts(index, pointer),
            }
            continue;
        }
        let of = sale.cloned().map(Of::Kept).or_else(|| remote.map(Of::Awaited));
        let payment = paid.payment(of, facts);
        book.extend(Known::from_now_on(&payment, id).map(|known| (known.remote, known)));
        new.push(payment);
    }
    new
}
