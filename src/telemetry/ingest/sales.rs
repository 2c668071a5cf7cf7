//! Sales as they come in: new ones are told from known ones, find their products, and bring their payments.

use super::{
    batch::{Batch, Receipt, Status},
    item::SaleItem,
    known::{ByNumber, Numbered, Where, known, newest, newest_of, numbered},
    payments::{self, Book, Paid},
    series::{Fate, Kept, Said, place},
};
use crate::{
    error::Result,
    telemetry::{
        record::{self, KeptSale, Of, Payment, Sale},
        sender::{Facts, Numbering, Sender},
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, prelude::FromRow};
use std::collections::HashMap;

/// A sale that is known by its number.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Known {
    id: i64,
    remote: i64,
    series: i64,
    occurred_at: DateTime<Utc>,
    /// Whether it came without a time that can be.
    is_timeless: bool,
    product: Option<i64>,
    name: String,
    price: i64,
    original_price: i64,
    currency: String,
    token: Option<String>,
    salestype: Option<i64>,
    pricelist: Option<i64>,
    /// Its place among the new ones, if it came with this very batch.
    #[sqlx(skip)]
    fresh: Option<usize>,
}

numbered!(
    Known,
    "SELECT id, remote, series, occurred_at, occurred_at = created_at AS is_timeless, product, name, price,
        original_price, currency, token, salestype, pricelist
     FROM revenue_transaction_ever"
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
    /// What is known of a sale from now on; its id is given later, if it is new.
    pub(super) fn from_now_on(sale: &Sale, id: i64, fresh: Option<usize>) -> Option<Self> {
        Some(Self {
            id,
            remote: sale.remote?,
            series: sale.series,
            occurred_at: sale.occurred_at,
            is_timeless: false,
            product: sale.product,
            name: sale.name.clone(),
            price: sale.price,
            original_price: sale.original_price,
            currency: sale.currency.clone(),
            token: sale.token.clone(),
            salestype: sale.salestype,
            pricelist: sale.pricelist,
            fresh,
        })
    }

    /// The first field in which what is sent now is not what was kept. What was worked out when it was
    /// kept (a product's name, a currency) is not compared where the item does not say it: that may have
    /// changed since, and the sale has not.
    fn contradiction(&self, item: &SaleItem) -> Option<&'static str> {
        let differs = |sent: Option<&str>, kept: &str| sent.is_some_and(|sent| sent != kept);
        let currency = item.currency.clone().map(String::from);
        let is_then = self.occurred_at == item.occurred_at.0 || self.is_timeless && item.is_timeless;
        if !is_then {
            Some("/occurredAt")
        } else if self.price != item.price.0 {
            Some("/price")
        } else if self.product.zip(item.product).is_some_and(|(kept, sent)| kept != sent) {
            Some("/product")
        } else if differs(item.name.as_ref().map(|name| &*name.0), &self.name) {
            Some("/name")
        } else if differs(currency.as_deref(), &self.currency) {
            Some("/currency")
        } else if item.token.as_ref().map(|token| &*token.0) != self.token.as_deref() {
            Some("/token")
        } else if item.salestype != self.salestype {
            Some("/salestype")
        } else if item.pricelist != self.pricelist {
            Some("/pricelist")
        } else if item.original_price.is_some_and(|price| price.0 != self.original_price) {
            Some("/originalPrice")
        } else {
            None
        }
    }

    fn target(&self) -> Target {
        self.fresh.map_or_else(
            || {
                Target::Kept(KeptSale {
                    id: self.id,
                    remote: self.remote,
                    series: self.series,
                    occurred_at: self.occurred_at,
                    name: self.name.clone(),
                    currency: self.currency.clone(),
                })
            },
            Target::New,
        )
    }
}

/// A product of the machine's.
#[derive(Clone, Debug, Default, FromRow)]
pub(super) struct Product {
    id: i64,
    plu: i64,
    name: String,
    report_name: Option<String>,
    barcode: Option<String>,
}

/// The sale of a payment that came within it.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A new one, by its place.
    New(usize),
    /// One that was there.
    Kept(KeptSale),
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    /// Sales that are new.
    pub(super) sales: Vec<Sale>,
    /// Payments that are new, each with its sale.
    pub(super) payments: Vec<(Payment, Target)>,
}

/// Sales by the machine's own numbers.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) known: ByNumber<Known>,
    /// When the latest of the running series happened.
    pub(super) newest: Option<DateTime<Utc>>,
}

/// Takes in a batch of sales.
pub(super) async fn take_in(
    db: &mut PgConnection,
    sender: &Sender,
    mut batch: Batch<SaleItem>,
) -> Result<Vec<Receipt>> {
    let mut ledger = ledger(db, sender, &batch).await?;
    let within = |item: &SaleItem| -> Vec<Paid> {
        item.paymenttransactions.iter().map(|nested| Paid::within(nested, item)).collect()
    };
    let nested: Vec<Paid> = batch.items.iter().flat_map(|(_, item)| within(item)).collect();
    let mut book = payments::book(db, sender, &nested).await?;
    let products = products(db, sender, &batch).await?;
    let mut numbering = sender.numbering;
    let harvest = judge(&mut batch, &mut numbering, &mut ledger, &mut book, &products, &sender.facts);
    sender.begin_series(db, numbering).await?;
    let ids = record::sales(db, sender, &harvest.sales).await?;
    let paid = harvest.payments.into_iter().map(|(payment, target)| {
        let of = match target {
            Target::New(place) => Of::New { sale: ids[place], name: harvest.sales[place].name.clone() },
            Target::Kept(sale) => Of::Kept(sale),
        };
        Payment { of: Some(of), ..payment }
    });
    record::payments(db, sender, &paid.collect::<Vec<_>>()).await?;
    Ok(batch.receipts)
}

/// The sales that are kept under the numbers of a batch.
async fn ledger(db: &mut PgConnection, sender: &Sender, batch: &Batch<SaleItem>) -> Result<Ledger> {
    const NEWEST: [&str; 1] = [newest_of!("revenue_transaction_ever")];
    let said = batch.items.iter().map(|(_, item)| (item.remote.0, item.occurred_at.0));
    // What is above the mark is new without a look.
    let arrived = said.filter(|&(remote, _)| sender.may_know(remote, sender.synced.sales));
    let is_odd = batch.items.iter().any(|(_, item)| item.series.is_some() || item.is_timeless);
    let known = known(db, sender.machine, Where::of(sender, is_odd), arrived).await?;
    let newest = if known.is_empty() { None } else { newest(db, sender, &NEWEST).await? };
    Ok(Ledger { known, newest })
}

/// The machine's products that a batch names.
async fn products(db: &mut PgConnection, sender: &Sender, batch: &Batch<SaleItem>) -> Result<Vec<Product>> {
    const SQL: &str = "
        SELECT id, plu, name, report_name, barcode FROM product
        WHERE machine = $1 AND (id = ANY($2) OR plu = ANY($3))";
    let ids: Vec<i64> = batch.items.iter().filter_map(|(_, item)| item.product).collect();
    let plus: Vec<i64> = batch.items.iter().filter_map(|(_, item)| Some(item.plu?.0)).collect();
    if ids.is_empty() && plus.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(SQL).bind(sender.machine).bind(ids).bind(plus).fetch_all(db).await?)
}

/// What of a batch is new; the receipts say what the rest is.
pub(super) fn judge(
    batch: &mut Batch<SaleItem>,
    numbering: &mut Numbering,
    ledger: &mut Ledger,
    book: &mut Book,
    products: &[Product],
    facts: &Facts,
) -> Harvest {
    let by_id: HashMap<i64, &Product> = products.iter().map(|product| (product.id, product)).collect();
    let by_plu: HashMap<i64, &Product> = products.iter().map(|product| (product.plu, product)).collect();
    let mut harvest = Harvest::default();
    for (index, item) in std::mem::take(&mut batch.items) {
        let kept = ledger.known.entry(item.remote.0).or_default();
        let (named, pointer) = match (item.product, item.plu) {
            (Some(id), _) => (by_id.get(&id), "/product"),
            (None, plu) => (plu.and_then(|plu| by_plu.get(&plu.0)), "/plu"),
        };
        let new = sale(&item, named.copied(), facts);
        let said = Said { series: item.series.map(|series| series.0), at: item.occurred_at.0 };
        // One that can't be written down begins no series.
        let (mut other_numbering, mut other_newest) = (*numbering, ledger.newest);
        let fate =
            place(&mut other_numbering, &mut other_newest, kept, said, |kept| kept.contradiction(&item));
        let at = match fate {
            Fate::Known(at) => {
                batch.receipts[index].status = Status::Duplicate;
                at
            }
            Fate::Contradicts(pointer) => {
                batch.contradicts(index, pointer);
                continue;
            }
            Fate::New(series) => {
                let Some(sale) = new else {
                    let detail = "is no product of this machine: say its name too";
                    batch.note(index, Status::Invalid, pointer, detail);
                    continue;
                };
                (*numbering, ledger.newest) = (other_numbering, other_newest);
                let sale = Sale { series, ..sale };
                kept.extend(Known::from_now_on(&sale, 0, Some(harvest.sales.len())));
                harvest.sales.push(sale);
                kept.len() - 1
            }
        };
        let is_new = matches!(fate, Fate::New(_));
        for pointer in harvest.pay(&item, is_new, &kept[at].target(), numbering, book, facts) {
            batch.contradicts(index, &pointer);
        }
    }
    harvest
}

impl Harvest {
    /// Adds the payments within a sale that are new themselves; says which contradict what is kept.
    fn pay(
        &mut self,
        item: &SaleItem,
        is_new: bool,
        target: &Target,
        numbering: &mut Numbering,
        book: &mut Book,
        facts: &Facts,
    ) -> Vec<String> {
        let id = match target {
            Target::Kept(sale) => Some(sale.id),
            Target::New(_) => None,
        };
        let mut contradictions = Vec::new();
        for (place, nested) in item.paymenttransactions.iter().enumerate() {
            let paid = Paid::within(nested, item);
            // One without a number came with its sale.
            if paid.remote.is_none() && !is_new {
                continue;
            }
            let series = match book.place(numbering, &paid, id) {
                Fate::Known(_) => continue,
                Fate::New(series) => series,
                Fate::Contradicts(pointer) => {
                    let pointer = if pointer == "/revenuetransaction" { "" } else { pointer };
                    contradictions.push(format!("/paymenttransactions/{place}{pointer}"));
                    continue;
                }
            };
            let payment = paid.payment(series, None, facts);
            book.add(&payment, id);
            if let Target::New(sale) = target {
                self.sales[*sale].count(&payment);
            }
            self.payments.push((payment, target.clone()));
        }
        contradictions
    }
}

/// How a sale is written down; None where it is not known what was sold.
fn sale(item: &SaleItem, product: Option<&Product>, facts: &Facts) -> Option<Sale> {
    let said = item.name.as_ref().map(|name| name.0.clone());
    Some(Sale {
        remote: Some(item.remote.0),
        series: 0,
        occurred_at: item.occurred_at.0,
        product: product.map(|product| product.id),
        name: said.or_else(|| product.map(|product| product.name.clone()))?,
        internal_ref: product.and_then(|product| product.report_name.clone()),
        barcode: product.and_then(|product| product.barcode.clone()),
        price: item.price.0,
        original_price: item.original_price.map_or(item.price.0, |price| price.0),
        currency: item.currency.clone().map_or_else(|| facts.currency.clone(), String::from),
        token: item.token.as_ref().map(|token| token.0.clone()),
        salestype: item.salestype,
        pricelist: item.pricelist,
        num_payments: 0,
        paid: 0,
        paid_back: 0,
    })
}
