//! Spend it: Redis admits, Postgres decides.
//!
//! Redis only ever speeds up a yes. Whatever it refuses, does not know or gets wrong is looked up in
//! Postgres, which is also where the same order, asked again, finds its first answer.

use super::{
    code::Code,
    demand::Demand,
    find,
    hot::{Admission, Found},
    journal::{self, Entry, Lost, Outcome, truth},
    reconcile::Reservation,
    rules::Device,
    voucher::{Ask, Refusal, Voucher, amount_off, choose},
};
use crate::{
    app::App,
    crash,
    error::{Error, Result, Store},
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

/// How often Redis is asked before Postgres admits alone.
const ATTEMPTS_BY_REDIS: usize = 3;

/// What is bought.
#[derive(Clone, Debug)]
pub struct Order {
    /// The client's id of it: with code and device, the idempotency key.
    pub id: String,
    /// What it costs, in cents.
    pub amount: i64,
    /// Product, quantity and price of each position, as far as the client says.
    pub items: Vec<(String, i64, i64)>,
    /// What a gift is to pay of it, in cents.
    pub demand: Demand,
    /// The request as it came.
    pub request: String,
}

/// A redemption that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which voucher.
    pub voucher: Uuid,
    /// Its code as printed.
    pub code: String,
    /// What its campaign's vouchers are.
    pub campaign_type: String,
    /// Cents that it took off.
    pub amount_off: i64,
    /// A discount's value; a gift's balance after it.
    pub voucher_value: i64,
    /// ISO 4217.
    pub currency: Box<str>,
}

/// The answer to a redemption.
#[derive(Clone, Debug)]
pub enum Redeemed {
    /// The code means nothing to this device.
    Unknown,
    /// Redeemed by this request, or by an earlier one with the same order.
    Done(Receipt),
    /// This order was redeemed and rolled back.
    RolledBack(Receipt),
    /// Not redeemed.
    Refused {
        /// The first reason why not.
        refusal: Refusal,
        /// The voucher as it is.
        voucher: Box<Voucher>,
        /// When it was asked.
        at: DateTime<Utc>,
    },
}

/// One request to redeem, and what follows from it.
struct Attempt<'a> {
    app: &'a App,
    device: &'a Device,
    requester: &'a str,
    code: &'a Code,
    order: &'a Order,
    products: Vec<&'a str>,
    fingerprint: Uuid,
}

/// A voucher that someone vouches for, with the reservation that was made for it in Redis.
struct Admitted {
    voucher: Voucher,
    at: DateTime<Utc>,
    reserved: Option<Reservation>,
    /// `true` if this device's lock goes on in Redis until the redemption is committed: see [`Attempt::closing`].
    keeps_lock: bool,
}

impl Admitted {
    /// Returns the voucher as it was reserved, with the lock that the reservation has ended.
    fn as_reserved(&self) -> Voucher {
        let mut voucher = self.voucher.clone();
        voucher.state.lock = voucher.state.lock.filter(|_| !self.keeps_lock);
        voucher
    }
}

/// What became of an entry in the journal; whatever is not done is looked at again.
enum Entered {
    /// Committed.
    Done(Receipt),
    /// The guard says no.
    Refused,
    /// The connection was lost: it may be committed.
    Unknown,
}

/// Redeems. A fault means that nothing was promised: asking again with the same order tells.
pub async fn redeem(
    app: &App,
    device: &Device,
    requester: &str,
    code: &Code,
    order: &Order,
) -> Result<Redeemed> {
    let items = order.items.iter().map(|(product, quantity, price)| (product.as_str(), *quantity, *price));
    let attempt = Attempt {
        app,
        device,
        requester,
        code,
        order,
        products: order.items.iter().map(|(product, ..)| product.as_str()).collect(),
        fingerprint: journal::fingerprint(order.amount, order.demand.cents(), items),
    };
    attempt.run().await
}

impl Attempt<'_> {
    fn ask(&self) -> Ask<'_> {
        Ask::Redeem {
            order_amount: self.order.amount,
            demand: self.order.demand.cents().unwrap_or(0),
            products: &self.products,
        }
    }

    async fn run(&self) -> Result<Redeemed> {
        let give_up_at = Instant::now() + Duration::from_millis(self.app.config.redeem_deadline_ms);
        let mut by_redis = 0;
        let mut in_vain = None;
        while Instant::now() < give_up_at {
            if by_redis < ATTEMPTS_BY_REDIS && self.app.hot.is_up() {
                by_redis += 1;
                if let Some(admitted) = self.admit_by_redis().await? {
                    let reserved = admitted.reserved.as_ref().map(|_| admitted.as_reserved());
                    match self.enter(admitted).await? {
                        Entered::Done(receipt) => return Ok(Redeemed::Done(receipt)),
                        Entered::Refused => in_vain = in_vain.or(reserved),
                        Entered::Unknown => {}
                    }
                }
            }
            let admitted = match self.judge_by_postgres().await {
                Ok(Ok(admitted)) => admitted,
                Ok(Err(redeemed)) => return self.without(in_vain, Ok(redeemed)).await,
                Err(error) => return self.without(in_vain, Err(error)).await,
            };
            if by_redis < ATTEMPTS_BY_REDIS && self.app.hot.is_up() {
                // Redis was wrong, or has just been put right: it also knows of locks.
                find::load(self.app, self.code, true).await?;
            } else if let Entered::Done(receipt) = self.enter(admitted).await? {
                return Ok(Redeemed::Done(receipt));
            }
        }
        Err(Error::Unavailable { store: Store::Postgres })
    }

    /// Gives an answer for which Redis should not have reserved anything: takes that back, and with it
    /// the end of this device's lock.
    async fn without(&self, reserved: Option<Voucher>, answer: Result<Redeemed>) -> Result<Redeemed> {
        let (app, code) = (self.app, self.code);
        let Some(reserved) = reserved else { return answer };
        let at = app.clock.now();
        let Ok((rows, _)) = find::load(app, code, true).await else {
            drop(app.reconcile.watch(code.key()));
            return answer;
        };
        if let Some(lock) = reserved.state.lock.filter(|lock| lock.till > at)
            && let Some(row) = rows.iter().find(|row| row.voucher.facts.id == reserved.facts.id)
        {
            let claim = find::claim(&row.voucher, self.device, 0, at);
            // Whoever was quicker than this has it now.
            let _ = app.hot.lock(code.key(), claim, lock.till).await;
        }
        answer
    }

    /// A gift is asked for an amount.
    fn check_demand(&self, voucher: &Voucher) -> Result<()> {
        self.order.demand.require(voucher.terms().kind)
    }

    /// Reserves in Redis. `None`: ask Postgres, which may say why.
    async fn admit_by_redis(&self) -> Result<Option<Admitted>> {
        let (app, device, code) = (self.app, self.device, self.code);
        let at = app.clock.now();
        let voucher = match find::at_hand(app, device, code) {
            Some(voucher) => voucher,
            None => match find::meant(app, device, code, self.ask(), at).await? {
                Some(meant) if meant.in_redis && self.is_settled(&meant).await => meant.voucher,
                _ => return Ok(None),
            },
        };
        if !app.journal.is_up(voucher.facts.id) {
            return Err(Error::Unavailable { store: Store::Postgres });
        }
        let closing = self.closing(&voucher, at);
        let stands = match voucher.standing(at) {
            Err(Refusal::Expired) => closing.is_some(),
            standing => standing.is_ok(),
        };
        // A repeated order may have been for another voucher of this code: the journal knows.
        if self.check_demand(&voucher).is_err() || !stands || voucher.admits(device, self.ask()).is_err() {
            return Ok(None);
        }
        let need = amount_off(voucher.terms(), &voucher.state, self.ask());
        crash::point("redeem-before-reserve");
        match app.hot.reserve(code.key(), find::claim(&voucher, device, need, at), closing).await {
            Ok(Admission::Granted(copy)) => {
                let reserved =
                    Some(app.reconcile.reserved(code.key(), app.hot.mark(code.key(), &copy), copy.state));
                let voucher = voucher.with_state(copy.state);
                Ok(Some(Admitted { voucher, at, reserved, keeps_lock: closing.is_some() }))
            }
            Ok(Admission::Refused(..)) => Ok(None),
            Ok(Admission::Missing | Admission::Changed) => {
                app.near.forget_code(code.key());
                find::load(app, code, false).await?;
                Ok(None)
            }
            // It may have been reserved all the same.
            Err(_) => {
                drop(app.reconcile.watch(code.key()));
                Ok(None)
            }
        }
    }

    /// Returns the end of the voucher's span, if it is so near that a lock can reach past it. Such a lock
    /// is given back only after the commit, because no other is granted to a device that has to ask again.
    fn closing(&self, voucher: &Voucher, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let longest = TimeDelta::seconds(self.app.config.lock_max_s.into());
        let ends = voucher.terms().expires_at?;
        ((at - ends).abs() <= longest).then_some(ends)
    }

    /// Whether the choice among vouchers that share the code stands. To pass one over is to refuse it,
    /// and no refusal counts before Postgres has given it.
    async fn is_settled(&self, meant: &find::Meant) -> bool {
        let same = |admitted: &Admitted| admitted.voucher.facts.id == meant.voucher.facts.id;
        !meant.passed_over || matches!(self.judge_by_postgres().await, Ok(Ok(admitted)) if same(&admitted))
    }

    /// Writes it into the journal.
    async fn enter(&self, admitted: Admitted) -> Result<Entered> {
        crash::point("redeem-reserved");
        let Admitted { voucher, at, reserved, keeps_lock } = admitted;
        let terms = voucher.terms();
        let amount_off = amount_off(terms, &voucher.state, self.ask());
        let entry = Entry {
            key: journal::idempotency_key(
                self.code,
                voucher.facts.generated,
                self.device.machine,
                &self.order.id,
            ),
            fingerprint: self.fingerprint,
            voucher: voucher.facts.id,
            version: i64::from(voucher.facts.version),
            campaign: voucher.campaign.id,
            campaign_version: voucher.campaign.version,
            campaign_type: voucher.campaign.kind.word(),
            machine: self.device.machine,
            location: self.device.location,
            requester: self.requester.to_owned(),
            order_id: self.order.id.clone(),
            order_amount: self.order.amount,
            amount_off,
            value: terms.value,
            limit: terms.limit,
            initial: terms.initial_balance(),
            period: voucher.last_reset(at),
            ended: terms.expires_at.filter(|ends| at >= *ends),
            currency: voucher.campaign.currency.clone(),
            request: self.order.request.clone(),
            now: at,
            since: Instant::now(),
        };
        let in_redis = reserved.is_some();
        match self.app.journal.submit(entry, reserved).await {
            Ok(Outcome::Entered { voucher_value }) => {
                crash::point("redeem-committed");
                if !in_redis || keeps_lock {
                    // Lost, the lock ends by itself, and carries no second redemption past the end.
                    let (app, machine) = (self.app, self.device.machine);
                    let _ = app.hot.release(self.code.key(), voucher.facts.id, machine, at).await;
                }
                if !in_redis {
                    find::reload(self.app, self.code).await;
                }
                Ok(Entered::Done(Receipt {
                    voucher: voucher.facts.id,
                    code: voucher.facts.code.to_string(),
                    campaign_type: voucher.campaign.kind.word().to_owned(),
                    amount_off,
                    voucher_value,
                    currency: voucher.campaign.currency.clone(),
                }))
            }
            Ok(Outcome::Refused) => {
                metrics::counter!("scrip_guard_refusals_total").increment(1);
                // What is known here is not what is true: read all of it again.
                self.app.near.forget_code(self.code.key());
                self.app.near.forget_campaign(voucher.campaign.id);
                Ok(Entered::Refused)
            }
            Err(Lost::Unknown) => Ok(Entered::Unknown),
            Err(Lost::NotWritten) => Err(Error::Unavailable { store: Store::Postgres }),
        }
    }

    /// What Postgres says: the first answer to this order, a refusal, or a voucher to redeem.
    /// The vouchers are read before the journal: a voucher that this very order has spent is then
    /// found in it.
    async fn judge_by_postgres(&self) -> Result<Result<Admitted, Redeemed>> {
        let rows = truth::vouchers(&self.app.vends, self.code.key()).await?;
        let keys = journal::idempotency_keys(self.code, self.device.machine, &self.order.id);
        if let Some(redemption) = truth::redemption(&self.app.vends, keys).await? {
            // What was only read counts once it is where its commit has to be.
            self.app.barrier.pass().await?;
            return self.repeat(redemption).map(Err);
        }
        let at = self.app.clock.now();
        let mut rows = find::named(rows, self.code);
        rows.retain(|row| self.device.belongs_below(row.voucher.campaign.group));
        if !rows.is_empty() {
            self.add_locks(&mut rows, at).await;
        }
        let vouchers: Vec<Voucher> = rows.into_iter().map(truth::Row::into_voucher).collect();
        let Some(voucher) = choose(&vouchers, self.device, self.ask(), at) else {
            return Ok(Err(Redeemed::Unknown));
        };
        self.check_demand(voucher)?;
        let voucher = voucher.clone();
        Ok(match voucher.verdict(self.device, self.ask(), at) {
            Ok(_) => Ok(Admitted { voucher, at, reserved: None, keeps_lock: false }),
            Err(refusal) => Err(Redeemed::Refused { refusal, voucher: Box::new(voucher), at }),
        })
    }

    /// Adds to what Postgres says the locks that only Redis knows of.
    async fn add_locks(&self, rows: &mut [truth::Row], at: DateTime<Utc>) {
        let copies = match self.app.hot.read(self.code.key()).await {
            Ok(Found { copies, evictions }) if copies.is_empty() => {
                let loaded =
                    find::load_key(self.app, self.code.key(), false, Some(evictions), |_| true).await;
                loaded.map(|loaded| loaded.1).unwrap_or_default()
            }
            found => found.unwrap_or_default().copies,
        };
        for voucher in rows.iter_mut().map(|row| &mut row.voucher) {
            let copy = copies.iter().find(|copy| copy.id == voucher.facts.id);
            let in_row = voucher.state.lock.filter(|lock| lock.till > at);
            voucher.state.lock = in_row.or(copy.and_then(|copy| copy.state.lock));
        }
    }

    /// The first answer again, for ever.
    fn repeat(&self, redemption: truth::Redemption) -> Result<Redeemed> {
        if redemption.fingerprint != self.fingerprint {
            return Err(Error::Conflict(
                "this device has redeemed this code for another order with the same id".into(),
            ));
        }
        metrics::counter!("scrip_repeated_redemptions_total").increment(1);
        let receipt = Receipt {
            voucher: redemption.voucher,
            code: redemption.code.unwrap_or_else(|| self.code.upper().to_owned()),
            campaign_type: redemption.campaign_type,
            amount_off: redemption.amount_off,
            voucher_value: redemption.voucher_value,
            currency: redemption.currency.into(),
        };
        Ok(match redemption.rolled_back_to {
            Some(voucher_value) => Redeemed::RolledBack(Receipt { voucher_value, ..receipt }),
            None => Redeemed::Done(receipt),
        })
    }
}
