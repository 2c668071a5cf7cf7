//! Imports an audit: what was sold and what happened since the read before, in one transaction.

use super::{
    counters::{Counted, Counters},
    currency,
    format::{self, Fault, Reading},
    happened,
    place::{Placed, place},
    products,
    store::{self, Arrived, Product},
    vends::{self, Vend},
};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    http::Caller,
    telemetry::{
        clock,
        record::{self, Event, Of, Payment, Sale},
        sender::Sender,
    },
    time, transaction,
};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::HashMap;
use utoipa::ToSchema;

/// What a vend is called where the machine does not say of what.
const NAMELESS: &str = "Vend";

/// A machine that has sent a sale itself sends all of them, also after so long without any.
const SENDS_FOR: TimeDelta = TimeDelta::days(30);

/// The status of a file that is not refused.
const IMPORTED: &str = "imported";

/// What became of one report in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditReadSummary)]
pub struct ReadSummary {
    /// When the machine was read: by its own clock, or when the file came where it has none.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub read_at: DateTime<Utc>,
    /// Whether it is the first one: what it shows was sold before.
    pub baseline: bool,
    /// Whether a later read was here before it.
    pub late: bool,
    /// ISO 4217.
    pub currency: String,
    /// What the machine has counted since the read before; none of a report that was cut off, and of one of
    /// another machine.
    pub counted: Counted,
    /// What it has sent of that itself; none of a machine that has sent no sales for a month.
    pub reported: Option<Counted>,
    /// What is odd about it.
    pub notes: Vec<String>,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditSummary)]
pub struct Summary {
    /// Lines that were read.
    pub segments: usize,
    /// Products that are counted.
    pub products: usize,
    /// Events that were written down.
    pub events: usize,
    /// Sales that were worked out.
    pub sales: usize,
    /// Payments that were worked out.
    pub payments: usize,
    /// By report: nearly every file has one.
    pub reads: Vec<ReadSummary>,
}

/// What an import comes down to.
pub(super) struct Imported {
    pub(super) id: i64,
    pub(super) is_new: bool,
    pub(super) checksum: String,
    pub(super) summary: Summary,
}

/// What a file says, or what is wrong with it.
struct Contents {
    readings: Vec<Reading>,
    segments: usize,
    all_checked: bool,
}

fn read(file: &[u8]) -> Result<Contents, Vec<Fault>> {
    let reports = format::read(file)?;
    let mut readings = Vec::new();
    let mut faults = Vec::new();
    for report in &reports {
        match Reading::of(report) {
            Ok(reading) => readings.push(reading),
            Err(more) => faults.extend(more),
        }
    }
    faults.truncate(format::FAULTS_MAX);
    if !faults.is_empty() {
        return Err(faults);
    }
    let segments = reports.iter().map(|report| report.segments.len()).sum();
    Ok(Contents { readings, segments, all_checked: reports.iter().all(|report| report.checked) })
}

/// Imports a file that a machine's gateway has sent. A refused one is kept too, and is read again each time
/// it comes: some day it may be understood.
pub(super) async fn import(app: &App, caller: &Caller, machine: i64, file: Vec<u8>) -> Result<Imported> {
    let bytes = file.len();
    let reading = move || {
        let sha256 = Sha256::digest(&file);
        Ok((read(&file), sha256, file))
    };
    let (read, sha256, file) = app.offload.run(caller.group(), bytes, reading).await?;
    let mut tx = transaction::begin(&app.db).await?;
    let sender = Sender::lock(&mut tx, machine, app.clock.now()).await?;
    let known = store::known(&mut tx, machine, &sha256).await?;
    let user_group = sender.facts.user_group;
    let arrived = Arrived { machine, user_group, at: sender.now, sha256: &sha256, file: &file };
    let imported = match (read, known) {
        (Err(faults), known) => {
            let issues =
                faults.into_iter().map(|fault| Issue::at(format!("/line/{}", fault.line), fault.detail));
            let issues: Vec<Issue> = issues.collect();
            if known.is_none() {
                let errors = serde_json::to_value(&issues).map_err(Error::fault)?;
                store::refuse(&mut tx, &arrived, &errors).await?;
            }
            Err(Error::Invalid(issues))
        }
        (Ok(_), Some(known)) if known.status == IMPORTED => {
            let summary = known.summary.map(serde_json::from_value).transpose().map_err(Error::fault)?;
            Ok(Imported {
                id: known.id,
                is_new: false,
                checksum: known.checksum.unwrap_or_default(),
                summary: summary.unwrap_or_default(),
            })
        }
        (Ok(read), _) => {
            let checksum = if read.all_checked { "ok" } else { "absent" };
            let id = store::keep(&mut tx, &arrived, checksum).await?;
            let summary = Import::new(&mut tx, &sender, id).await?.all(read).await?;
            let told = serde_json::to_value(&summary).map_err(Error::fault)?;
            store::summarise(&mut tx, id, &told).await?;
            Ok(Imported { id, is_new: true, checksum: checksum.to_owned(), summary })
        }
    };
    tx.commit().await?;
    imported
}

/// An import under way.
struct Import<'a> {
    db: &'a mut PgConnection,
    sender: &'a Sender,
    audit: i64,
    zone: Tz,
    products: Vec<Product>,
    summary: Summary,
}

impl<'a> Import<'a> {
    async fn new(db: &'a mut PgConnection, sender: &'a Sender, audit: i64) -> Result<Self> {
        let zone = sender.facts.time_zone.parse().unwrap_or(Tz::UTC);
        let products = store::products(db, sender.machine).await?;
        Ok(Self { db, sender, audit, zone, products, summary: Summary::default() })
    }

    /// The reports of a file in the order of their clocks.
    async fn all(mut self, file: Contents) -> Result<Summary> {
        self.summary.segments = file.segments;
        let mut readings: Vec<_> =
            file.readings.iter().map(|reading| (self.clock(reading), reading)).collect();
        readings.sort_by_key(|(at, _)| at.unwrap_or(self.sender.now));
        for (at, reading) in readings {
            self.one(at, reading).await?;
        }
        Ok(self.summary)
    }

    fn instant(&self, civil: NaiveDateTime) -> DateTime<Utc> {
        time::earliest(civil, self.zone)
    }

    /// What the machine's own clock showed; nothing if that can't be.
    fn clock(&self, reading: &Reading) -> Option<DateTime<Utc>> {
        let shown = reading.clocks.iter().flatten().map(|civil| self.instant(*civil));
        shown.filter(|at| clock::flaw(*at, self.sender.now).is_none()).max()
    }

    async fn one(&mut self, clock: Option<DateTime<Utc>>, reading: &Reading) -> Result<()> {
        let placed = place(self.db, self.sender, clock.unwrap_or(self.sender.now), reading).await?;
        let Placed { read, before, sold, is_late, apart, .. } = &placed;
        store::keep_read(self.db, self.audit, self.sender.machine, read, *apart).await?;
        let counted = Counted { number: Some(sold.number()), value: Some(sold.value()) };
        let mut told = ReadSummary {
            read_at: read.read_at,
            baseline: before.is_none() && !is_late && apart.is_none(),
            late: *is_late,
            currency: read.counters.currency.clone(),
            counted: if apart.is_none() { counted } else { Counted::default() },
            reported: None,
            notes: sold.notes.clone(),
        };
        told.notes.extend(self.doubts(clock, reading, &placed));
        if apart.is_none() {
            self.sell_or_compare(&placed, &mut told).await?;
            self.happen(reading, &placed).await?;
            if !is_late && reading.ended {
                self.price(&read.counters).await?;
            }
            self.summary.products = self.summary.products.max(reading.products.len());
        }
        self.summary.reads.push(told);
        Ok(())
    }

    /// What is odd about a report by itself.
    fn doubts(&self, clock: Option<DateTime<Utc>>, reading: &Reading, placed: &Placed) -> Vec<String> {
        let mut doubts = Vec::new();
        let Placed { read: store::Read { counters, .. }, before, is_late, apart, .. } = placed;
        if before.is_none() && !is_late && apart.is_none() && counters.vends() > 0 {
            let taken = counters.said(counters.paid.value.unwrap_or(0));
            doubts.push(format!("counting begins: {} vends for {taken} were before it", counters.vends()));
        }
        if clock.is_none() {
            let shown = reading.clocks.iter().flatten().max();
            let said =
                shown.map_or_else(|| "does not say".to_owned(), |shown| format!("says {shown} as the time"));
            doubts.push(format!("the machine's clock {said} when it was read: when it came counts"));
        }
        doubts.extend(currency::note(reading, &self.sender.facts.currency));
        if reading.stray > 0 {
            doubts
                .push(format!("{} lines with counters stand behind its end and don't count", reading.stray));
        }
        doubts
    }

    /// Writes down what was sold, unless the machine sends its sales itself: that is not to be there twice,
    /// and what is missing of it shows.
    async fn sell_or_compare(&mut self, placed: &Placed, told: &mut ReadSummary) -> Result<()> {
        let (sold, since) = (&placed.sold, placed.since);
        if self.sends_itself(placed).await? {
            if let Some(since) = since {
                told.reported = Some(self.reported(since, placed).await?);
            }
            let reported = told.reported.unwrap_or(Counted::ZERO);
            if reported != told.counted {
                let said = |count: Counted| {
                    let value = placed.read.counters.said(count.value.unwrap_or(0));
                    format!("{} sales for {value}", count.number.unwrap_or(0))
                };
                let (counted, reported) = (said(told.counted), said(reported));
                told.notes.push(format!(
                    "the machine sends its sales itself: it counts {counted}, and has sent {reported}"
                ));
            }
        } else if !sold.lines.is_empty() {
            match vends::vends(sold) {
                Ok(vends) => self.sell(&vends, placed).await?,
                Err(doubt) => {
                    let value = placed.read.counters.said(sold.value());
                    told.notes.push(format!("{doubt}: {} vends for {value} are not sold", sold.number()));
                }
            }
        }
        Ok(())
    }

    /// Returns `true` if the machine was sending its sales itself when these were made.
    async fn sends_itself(&mut self, placed: &Placed) -> Result<bool> {
        if self.sender.synced.sales.is_none() && !self.sender.has_begun_again() {
            return Ok(false);
        }
        let since = placed.since.unwrap_or(placed.sold_at) - SENDS_FOR;
        store::has_sent(self.db, self.sender.machine, since, placed.sold_at).await
    }

    /// What the machine has sent itself between two reads.
    async fn reported(&mut self, since: DateTime<Utc>, placed: &Placed) -> Result<Counted> {
        let (machine, currency) = (self.sender.machine, &placed.read.counters.currency);
        let sum = store::reported(self.db, machine, since, placed.sold_at, currency).await?;
        Ok(Counted { number: Some(sum.0), value: Some(sum.1) })
    }

    /// Writes vends down as sales, each with its payment.
    async fn sell(&mut self, vends: &[Vend], placed: &Placed) -> Result<()> {
        let found = products::by_selection(&self.products, &placed.read.counters.products);
        let sales: Vec<Sale> = vends.iter().map(|vend| sale(vend, placed, &found)).collect();
        let ids = record::sales(self.db, self.sender, &sales).await?;
        let paid = vends.iter().zip(&sales).zip(&ids).filter_map(|((vend, sale), id)| {
            Some(Payment {
                remote: None,
                series: 0,
                of: Some(Of::New { sale: *id, name: sale.name.clone() }),
                occurred_at: sale.occurred_at,
                method: vend.method?,
                price: vend.price,
                currency: sale.currency.clone(),
            })
        });
        let payments: Vec<Payment> = paid.collect();
        record::payments(self.db, self.sender, &payments).await?;
        self.summary.sales += sales.len();
        self.summary.payments += payments.len();
        Ok(())
    }

    /// Writes down what happened since the read before.
    async fn happen(&mut self, reading: &Reading, placed: &Placed) -> Result<()> {
        let (machine, now) = (self.sender.machine, self.sender.now);
        let mut events =
            happened::occurrences(&reading.occurrences, now, |civil| time::earliest(civil, self.zone));
        let mut seen = store::written(self.db, machine, &events).await?;
        events.retain(|event| seen.insert((event.code.clone(), event.occurred_at)));
        // Which events last, the newest read says.
        if !placed.is_late {
            let before = placed.before.as_ref().map(|before| &before.counters);
            let at = placed.read.read_at;
            let changes = happened::changes(before, &placed.read.counters, &events, at);
            let codes: Vec<String> = changes.begun.iter().map(|event| event.code.clone()).collect();
            let lasting = store::lasting(self.db, machine, &codes).await?;
            let is_new = |event: &Event| event.kind == happened::MESSAGE || !lasting.contains(&event.code);
            events.extend(changes.begun.into_iter().filter(is_new));
            if !changes.over.is_empty() {
                store::end(self.db, machine, &changes.over, at, now).await?;
            }
        }
        record::events(self.db, self.sender, &events).await?;
        self.summary.events += events.len();
        Ok(())
    }

    /// Writes down what the machine asks for its products now.
    async fn price(&mut self, counters: &Counters) -> Result<()> {
        if counters.currency != self.sender.facts.currency {
            return Ok(());
        }
        let found = products::by_selection(&self.products, &counters.products);
        let asked = counters.products.iter().filter_map(|(selection, said)| {
            let product = found.get(selection)?;
            let price = said.price.filter(|price| product.remote_price != Some(*price))?;
            Some((product.id, price))
        });
        let prices: Vec<(i64, i64)> = asked.collect();
        if !prices.is_empty() {
            store::price(self.db, &prices, self.sender.now).await?;
        }
        Ok(())
    }
}

/// How a vend is written down.
fn sale(vend: &Vend, placed: &Placed, products: &HashMap<String, &Product>) -> Sale {
    let counters = &placed.read.counters;
    let selection = vend.selection.as_deref();
    let said = selection.and_then(|selection| counters.products.get(selection));
    let said = said.and_then(|said| said.name.as_deref());
    let product = selection.and_then(|selection| products.get(selection));
    let name = product.map(|product| product.name.as_str()).or(said).or(selection).unwrap_or(NAMELESS);
    Sale {
        remote: None,
        series: 0,
        occurred_at: placed.sold_at,
        product: product.map(|product| product.id),
        name: name.to_owned(),
        internal_ref: product.and_then(|product| product.report_name.clone()),
        barcode: product.and_then(|product| product.barcode.clone()),
        price: vend.price,
        original_price: vend.original_price,
        currency: counters.currency.clone(),
        token: None,
        salestype: None,
        pricelist: vend.list,
        num_payments: i64::from(vend.method.is_some()),
        paid: if vend.method.is_some() { vend.price } else { 0 },
        paid_back: 0,
    }
}
