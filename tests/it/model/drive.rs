//! Plays a play on a server and on the oracle, and compares what they say.

use super::{
    oracle::{Oracle, Said},
    steps::{DEVICES, Edit, GROUPS, Play, Step},
};
use crate::{
    app::TestApp,
    client::{Client, Reply},
    database,
    redemption::{Made, Shop, path},
};
use chrono::{DateTime, Utc};
use deadpool_redis::redis::{self, AsyncCommands, aio::MultiplexedConnection};
use proptest::test_runner::TestCaseError;
use scrip::{
    app::App,
    redemption::{code::Code, epoch, verify::verify},
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

/// Two servers for many plays.
pub struct Bench {
    shop: Shop,
    second: App,
    second_owner: Client,
    asked: AtomicU32,
    redis: Option<MultiplexedConnection>,
    plays: AtomicU32,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.second.stop.cancel();
    }
}

/// One play under way.
struct Stage<'a> {
    bench: &'a Bench,
    oracle: Oracle,
    code: String,
    made: Vec<Made>,
    last: Option<(usize, u8, i64, Option<i64>)>,
    /// Device and order of every redemption that was asked for.
    asked: Vec<(usize, u8)>,
}

impl Bench {
    /// On stores of its own; without `redis`, none of the servers reaches one.
    pub async fn new(redis: bool) -> Self {
        let server = TestApp::builder().stopped_at("2026-01-01T00:00:00Z").config(|config| {
            (config.guesses_per_device_per_minute, config.guesses_per_key_per_minute) =
                (1_000_000, 1_000_000);
            // It is about verdicts, not about how long a busy machine takes to give them.
            (config.database_wait_ms, config.redeem_deadline_ms) = (30_000, 30_000);
            // An answer of Redis that counts as none leaves a lock in Postgres, which Redis learns of a moment later.
            config.redis_timeout_ms = 30_000;
        });
        let (shop, redis) = if redis {
            let client = redis::Client::open(database::url("SCRIP_TEST_REDIS_URL")).unwrap();
            let shop = Shop::on(server).await.with_redis().await;
            (shop, Some(client.get_multiplexed_async_connection().await.unwrap()))
        } else {
            (Shop::on(server.without_redis()).await, None)
        };
        let (second, second_owner) = shop.second_server().await;
        Self { shop, second, second_owner, asked: AtomicU32::new(0), redis, plays: AtomicU32::new(0) }
    }

    /// Plays a play; an error says where the two disagree.
    pub async fn play(&self, play: &Play) -> Result<(), TestCaseError> {
        let start: DateTime<Utc> = play.start.parse().unwrap();
        self.shop.pass(start - self.shop.app().clock.now());
        let code = format!("PLAY-{}", self.plays.fetch_add(1, Ordering::Relaxed));
        let oracle = Oracle::new(&play.seeds, start);
        let mut stage = Stage { bench: self, oracle, code, made: Vec::new(), last: None, asked: Vec::new() };
        stage.set_up(play).await;
        for (at, step) in play.steps.iter().enumerate() {
            let (expected, found) = stage.take(step).await;
            if expected != found {
                let now = stage.oracle.now;
                let reason =
                    format!("step {at}, {step:?}, at {now}:\n  model  {expected:?}\n  server {found:?}");
                return Err(TestCaseError::fail(reason));
            }
        }
        stage.compare_vouchers().await?;
        let differences = self.shop.differences().await;
        // The copies of this play are compared, and no more.
        self.flush().await;
        if differences.is_empty() { Ok(()) } else { Err(TestCaseError::fail(format!("{differences:#?}"))) }
    }

    /// Recomputes everything from the journal.
    pub async fn verify(&self) {
        let report = verify(self.shop.app()).await.unwrap();
        assert!(report.entries > 0);
        assert_eq!(report.differences, []);
    }

    async fn flush(&self) {
        let Some(mut redis) = self.redis.clone() else { return };
        let pattern = format!("{}:*", self.shop.app().config.redis_prefix);
        let keys: Vec<String> = redis.keys(pattern).await.unwrap();
        if !keys.is_empty() {
            redis.del::<_, ()>(keys).await.unwrap();
        }
    }
}

impl Stage<'_> {
    async fn set_up(&mut self, play: &Play) {
        let shop = &self.bench.shop;
        for (at, seed) in play.seeds.iter().enumerate() {
            if seed.inherits {
                let terms = json!({
                    "type": if seed.gift { "gift" } else { "discount" }, "voucherValue": seed.value,
                    "redemptionLimit": seed.limit, "resetFrequency": seed.reset, "timeZone": seed.zone,
                });
                let campaign = shop.campaign(GROUPS[seed.group], terms).await;
                self.made.push(shop.inheriting(campaign, &self.code).await);
                continue;
            }
            let campaign = shop.campaign(GROUPS[seed.group], json!({})).await;
            let voucher = &self.oracle.vouchers[at];
            let terms = json!({
                "type": if seed.gift { "gift" } else { "discount" }, "value": seed.value, "code": self.code,
                "redemptionLimit": seed.limit, "resetFrequency": seed.reset, "timeZone": seed.zone,
                "expiresOn": voucher.expires, "startsOn": voucher.starts,
            });
            self.made.push(shop.voucher(campaign, terms).await);
        }
        self.heed().await;
    }

    /// What a server does when Postgres tells it of a change, without waiting for that.
    async fn heed(&self) {
        let key = Code::parse(&self.code).unwrap().key().to_owned();
        for app in [self.bench.shop.app(), &self.bench.second] {
            for made in &self.made {
                app.near.on_notice("campaign", &made.campaign.to_string());
            }
            app.near.on_notice("code", &key);
            if self.bench.redis.is_some() {
                app.hot.evict(std::slice::from_ref(&key), app.clock.now()).await.unwrap();
            }
        }
    }

    /// Takes a step; what the oracle and the server say to it.
    async fn take(&mut self, step: &Step) -> (Said, Said) {
        match *step {
            Step::Validate { device, lock, demand } => {
                self.heed().await;
                let expected = self.oracle.validate(device, lock, demand);
                let body = json!({
                    "deviceId": DEVICES[device], "lockDuration": lock,
                    "demand": demand.map(|amount| json!({"amount": amount})),
                });
                (expected, self.ask("validate", body).await)
            }
            Step::Redeem { device, order, amount, demand } => {
                self.redeem(device, order, amount, demand).await
            }
            Step::Again => match self.last {
                Some((device, order, amount, demand)) => self.redeem(device, order, amount, demand).await,
                None => unchanged(),
            },
            Step::Release { device } => {
                let expected = self.oracle.release(device);
                (expected, self.ask("release", json!({"deviceId": DEVICES[device]})).await)
            }
            Step::RollBack { nth } => {
                let (device, order) = match self.asked.len() {
                    0 => (0, 0),
                    asked => self.asked[nth % asked],
                };
                let expected = self.oracle.roll_back(device, order);
                let body = json!({"deviceId": DEVICES[device], "order": {"id": order.to_string()}});
                (expected, self.ask("rollback", body).await)
            }
            Step::Pass { seconds } => {
                self.oracle.pass(seconds);
                self.bench.shop.pass(chrono::Duration::seconds(seconds));
                unchanged()
            }
            Step::Flush => {
                if self.bench.redis.is_some() {
                    self.oracle.lose_locks();
                }
                self.bench.flush().await;
                unchanged()
            }
            Step::Distrust => {
                epoch::raise(self.bench.shop.app()).await.unwrap();
                unchanged()
            }
            Step::Switch { voucher, .. }
            | Step::SwitchCampaign { voucher, .. }
            | Step::Revalue { voucher, .. }
            | Step::Edit { voucher, .. }
            | Step::Expire { voucher, .. } => self.change(voucher % self.made.len(), step).await,
        }
    }

    async fn redeem(&mut self, device: usize, order: u8, amount: i64, demand: Option<i64>) -> (Said, Said) {
        let expected = self.oracle.redeem(device, order, amount, demand);
        let body = json!({
            "deviceId": DEVICES[device], "order": {"id": order.to_string(), "amount": amount},
            "demand": demand.map(|amount| json!({"amount": amount})),
        });
        self.last = Some((device, order, amount, demand));
        self.asked.push((device, order));
        (expected, self.ask("redeem", body).await)
    }

    async fn change(&mut self, at: usize, step: &Step) -> (Said, Said) {
        let made = &self.made[at];
        let owner = &self.bench.shop.owner;
        let (allowed, change) = match *step {
            Step::SwitchCampaign { on, .. } => {
                self.oracle.vouchers[at].campaign_on = on;
                let path = format!("/campaign/{}", made.campaign);
                owner.put(&path, json!({"status": status(on)})).await.expect(200);
                return unchanged();
            }
            Step::Switch { on, .. } => {
                self.oracle.vouchers[at].on = on;
                (true, json!({"campaign": made.campaign, "status": status(on)}))
            }
            Step::Edit { ref edit, .. } => return self.edit(at, edit).await,
            Step::Revalue { value, .. } => {
                (self.oracle.revalue(at, value), json!({"campaign": made.campaign, "value": value}))
            }
            Step::Expire { days, .. } => {
                let date = days.map(|days| self.oracle.date(at, days));
                (self.oracle.expire(at, date), json!({"campaign": made.campaign, "expiresOn": date}))
            }
            _ => return unchanged(),
        };
        let reply = owner.patch(&format!("/voucher/{}", made.id), change).await;
        let said = |allowed| if allowed { Said::Released(true) } else { Said::Invalid };
        (said(allowed), said(reply.status == 200))
    }

    /// Replaces the terms of a voucher, or its campaign's as long as it follows them.
    async fn edit(&mut self, at: usize, edit: &Edit) -> (Said, Said) {
        let (made, owner) = (&self.made[at], &self.bench.shop.owner);
        let parted = self.oracle.vouchers[at].parted;
        if parted && self.oracle.vouchers[at].seed.inherits {
            return unchanged();
        }
        let allowed = self.oracle.edit(at, edit);
        let voucher = &self.oracle.vouchers[at];
        let (seed, expires, starts) = (&voucher.seed, voucher.expires, voucher.starts);
        let mut terms = json!({
            "redemptionLimit": edit.limit(seed.limit), "resetFrequency": edit.reset.unwrap_or(seed.reset),
            "timeZone": edit.zone.unwrap_or(seed.zone),
        });
        let path = if parted {
            let of_voucher = json!({
                "campaign": made.campaign, "validationRules": [], "expiresOn": expires, "startsOn": starts,
                "type": if edit.gift.unwrap_or(seed.gift) { "gift" } else { "discount" },
                "value": edit.value.unwrap_or(seed.value), "status": status(voucher.on),
            });
            terms.as_object_mut().unwrap().extend(of_voucher.as_object().unwrap().clone());
            format!("/voucher/{}", made.id)
        } else {
            format!("/campaign/{}", made.campaign)
        };
        let reply = owner.put(&path, terms).await;
        let said = |allowed| if allowed { Said::Released(true) } else { Said::Invalid };
        (said(allowed), said(reply.status == 200))
    }

    async fn ask(&self, verb: &str, body: Value) -> Said {
        let turn = self.bench.asked.fetch_add(1, Ordering::Relaxed);
        let client = if turn.is_multiple_of(3) { &self.bench.second_owner } else { &self.bench.shop.owner };
        self.understand(&client.post(&path(&self.code, verb), body).await)
    }

    /// An answer in the oracle's terms.
    fn understand(&self, reply: &Reply) -> Said {
        match reply.status.as_u16() {
            404 => return Said::NotFound,
            409 => return Said::Conflict,
            422 => return Said::Invalid,
            status => assert_eq!(status, 200, "{}", reply.text()),
        }
        let answer = reply.json();
        let voucher = self.made.iter().position(|made| answer["voucherId"] == *made.id).unwrap();
        let value = answer["voucherValue"].as_i64().unwrap_or_default();
        if let Some(released) = answer["released"].as_bool() {
            return Said::Released(released);
        }
        if answer["rolledBack"] == true {
            return Said::Undone { voucher, value };
        }
        let done = answer.get("valid").or(answer.get("redeemed")).unwrap();
        let reason = answer["reason"].as_str().map(|reason| &*reason.to_owned().leak());
        assert_eq!(done.as_bool().unwrap(), reason.is_none(), "{answer}");
        let off = answer["discount"]["amountOff"].as_i64().unwrap();
        let till = answer["lockedTill"].as_str().map(|till| till.parse().unwrap());
        Said::Answer { voucher, reason, off, value, till }
    }

    /// At the end, the vouchers are as their owner expects them.
    async fn compare_vouchers(&self) -> Result<(), TestCaseError> {
        for (made, voucher) in self.made.iter().zip(&self.oracle.vouchers) {
            let read = self.bench.shop.read(made).await;
            let fields = [
                "redemptionCount",
                "amountRedeemed",
                "balance",
                "totalRedemptionCount",
                "totalAmountRedeemed",
            ];
            let found = fields.map(|field| read[field].as_i64().unwrap());
            let expected =
                [voucher.count, voucher.spent, voucher.balance, voucher.total_count, voucher.total_spent];
            if found != expected {
                return Err(TestCaseError::fail(format!(
                    "{fields:?}\n  model  {expected:?}\n  server {found:?}"
                )));
            }
        }
        Ok(())
    }
}

fn status(on: bool) -> &'static str {
    if on { "active" } else { "inactive" }
}

/// Nobody says anything.
fn unchanged() -> (Said, Said) {
    (Said::Released(true), Said::Released(true))
}
