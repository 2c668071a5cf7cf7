//! The verbs as a machine sees them: through HTTP, on real stores, with a clock that stands still.

mod batches;
mod callers;
mod codes;
mod currencies;
mod devices;
mod edits;
mod express;
mod forms;
mod guessing;
mod locks;
mod log;
mod periods;
mod repeats;
mod round_trips;
mod rules;
mod seen;
mod spellings;
mod story;
mod verdicts;
mod verify;

use crate::{
    app::{Builder, TestApp},
    client::{Client, Reply},
    world,
};
use chrono::Duration;
use scrip::{
    app::App,
    http,
    redemption::{
        code::Code,
        verify::{Difference, verify},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a marketing department and its machines' operator may do.
const SCOPES: &[&str] =
    &["campaign.read", "campaign.write", "voucher.read", "voucher.write", "voucher.redeem"];

/// A server, someone of the root group who may do everything, and machines to speak for.
#[derive(Debug)]
pub struct Shop {
    pub(super) test: TestApp,
    /// May do everything in every group.
    pub owner: Client,
}

/// A voucher that was made for a test.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// As printed.
    pub code: String,
    /// Its campaign's id.
    pub campaign: i64,
}

impl Shop {
    /// On a Monday at noon, in Amsterdam.
    pub async fn new() -> Self {
        Self::at("2026-06-01T10:00:00Z").await
    }

    /// At some other time.
    pub async fn at(instant: &str) -> Self {
        Self::on(TestApp::builder().stopped_at(instant)).await
    }

    /// On another server.
    pub async fn on(server: Builder) -> Self {
        let test = server.build().await;
        while !test.app.journal.is_ready() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let owner = test.bearer(world::key(&test.app.db, world::ROOT, None, SCOPES).await);
        Self { test, owner }
    }

    /// With a Redis that never answers.
    pub async fn without_redis() -> Self {
        Self::on(TestApp::builder().stopped_at("2026-06-01T10:00:00Z").without_redis()).await
    }

    /// Waits until Redis is used too.
    pub async fn with_redis(self) -> Self {
        assert!(self.app().ready(std::time::Duration::from_secs(5)).await, "Redis does not answer");
        self
    }

    /// A second server on the same stores and clock, and someone who may do everything there. Whoever
    /// asks for it stops it.
    pub async fn second_server(&self) -> (App, Client) {
        let app = App::start(self.app().config.clone(), self.app().clock.clone()).unwrap();
        while !app.journal.is_ready() || app.hot.is_up() != self.app().hot.is_up() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let key = world::key(&app.db, world::ROOT, None, SCOPES).await;
        (app.clone(), Client::new(http::surface(app), Some(key)))
    }

    /// The server's parts.
    pub fn app(&self) -> &App {
        &self.test.app
    }

    /// Someone with a key of a group, for one machine or for all.
    pub async fn caller(&self, group: i64, machine: Option<&str>, scopes: &[&str]) -> Client {
        self.test.bearer(world::key(&self.app().db, group, machine, scopes).await)
    }

    /// Makes a campaign without vouchers; `terms` go over the usual ones.
    pub async fn campaign(&self, group: i64, terms: Value) -> i64 {
        let usual = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 100, "type": "dynamic"});
        let owner = self.caller(group, None, SCOPES).await;
        owner.post("/campaign", merged(usual, &terms)).await.expect(201)["id"].as_i64().unwrap()
    }

    /// Makes a voucher with terms of its own.
    pub async fn voucher(&self, campaign: i64, terms: Value) -> Made {
        let usual = json!({"campaign": campaign, "type": "discount", "value": 100});
        let made = self.owner.post("/voucher", merged(usual, &terms)).await.expect(201);
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Made { id: text("id"), code: text("code"), campaign }
    }

    /// Makes a voucher of a new campaign of the group that all tests' first machines are in.
    pub async fn made(&self, terms: Value) -> Made {
        let campaign = self.campaign(world::A, json!({})).await;
        self.voucher(campaign, terms).await
    }

    /// Makes a voucher with an own code that follows its campaign in everything.
    pub async fn inheriting(&self, campaign: i64, code: &str) -> Made {
        const SQL: &str = "
            INSERT INTO voucher (id, campaign, code, key, generated, inherits, balance, created_at, period_start)
            SELECT $2, id, $3, $4, false, true, CASE type WHEN 'gift' THEN voucher_value END, $5, $5
            FROM campaign WHERE id = $1";
        let id = Uuid::now_v7();
        let insert = sqlx::query(SQL)
            .bind(campaign)
            .bind(id)
            .bind(code)
            .bind(Code::parse(code).unwrap().key())
            .bind(self.app().clock.now());
        insert.execute(&self.app().db).await.unwrap();
        Made { id: id.to_string(), code: code.to_owned(), campaign }
    }

    /// One verb, by someone who may speak for every machine.
    pub async fn ask(&self, verb: &str, code: &str, body: Value) -> Reply {
        self.owner.post(&path(code, verb), body).await
    }

    /// Validates without a lock.
    pub async fn validate(&self, device: &str, code: &str) -> Value {
        self.ask("validate", code, json!({"deviceId": device})).await.expect(200)
    }

    /// Validates with a lock of so many seconds.
    pub async fn lock(&self, device: &str, code: &str, seconds: i64) -> Value {
        self.ask("validate", code, json!({"deviceId": device, "lockDuration": seconds})).await.expect(200)
    }

    /// Redeems for an order of 250 cents.
    pub async fn redeem(&self, device: &str, code: &str, order: &str) -> Value {
        let body = json!({"deviceId": device, "order": {"id": order, "amount": 250}});
        self.ask("redeem", code, body).await.expect(200)
    }

    /// Redeems so many cents of a gift.
    pub async fn spend(&self, device: &str, code: &str, order: &str, cents: i64) -> Value {
        let order = json!({"id": order, "amount": 250});
        let body = json!({"deviceId": device, "order": order, "demand": {"amount": cents}});
        self.ask("redeem", code, body).await.expect(200)
    }

    /// Gives a lock back.
    pub async fn release(&self, device: &str, code: &str) -> Value {
        self.ask("release", code, json!({"deviceId": device})).await.expect(200)
    }

    /// Undoes an order.
    pub async fn roll_back(&self, device: &str, code: &str, order: &str) -> Value {
        let body = json!({"deviceId": device, "order": {"id": order}, "reason": "spiral jammed"});
        self.ask("rollback", code, body).await.expect(200)
    }

    /// A voucher as its owner sees it.
    pub async fn read(&self, made: &Made) -> Value {
        self.owner.get(&format!("/voucher/{}", made.id)).await.expect(200)
    }

    /// Changes a voucher.
    pub async fn amend(&self, made: &Made, change: Value) {
        let change = merged(json!({"campaign": made.campaign}), &change);
        self.owner.patch(&format!("/voucher/{}", made.id), change).await.expect(200);
    }

    /// Changes a campaign.
    pub async fn change_campaign(&self, campaign: i64, change: Value) {
        self.owner.put(&format!("/campaign/{campaign}"), change).await.expect(200);
    }

    /// Has the server take note of a change of a voucher or its campaign, as Postgres' notice would in a moment.
    pub async fn heed(&self, made: &Made) {
        let app = self.app();
        let key = Code::parse(&made.code).unwrap().key().to_owned();
        app.near.on_notice("campaign", &made.campaign.to_string());
        app.near.on_notice("code", &key);
        // With Redis away there is nothing in it.
        let _ = app.hot.evict(&[key], app.clock.now()).await;
    }

    /// What Postgres holds otherwise than the journal says, or Redis than Postgres, once Redis has heard of what
    /// was acknowledged.
    pub async fn differences(&self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for _ in 0..400 {
            differences = verify(self.app()).await.unwrap().differences;
            if differences.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        differences
    }

    /// Moves the clock.
    pub fn pass(&self, time: Duration) {
        self.app().clock.advance(time);
    }

    /// Validates until the answer's `field` is as wanted: a change may take a second to be known.
    pub async fn becomes(&self, device: &str, code: &str, field: &str, wanted: Value) {
        let mut found = Value::Null;
        for _ in 0..100 {
            found = self.validate(device, code).await[field].clone();
            if found == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{field} is {found} after a second, not {wanted}");
    }
}

/// The path of a verb, with what a URL can't hold escaped.
pub fn path(code: &str, verb: &str) -> String {
    let escaped: Vec<String> = code
        .bytes()
        .map(|byte| match byte {
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let escaped = escaped.concat();
    format!("/voucher/{escaped}/{verb}")
}

fn merged(mut object: Value, over: &Value) -> Value {
    for (field, value) in over.as_object().unwrap() {
        object[field] = value.clone();
    }
    object
}

/// The fields of an answer that a machine acts on.
#[track_caller]
pub fn gist(answer: &Value) -> Value {
    let done = answer.get("valid").or(answer.get("redeemed")).unwrap();
    json!([done, answer.get("reason"), answer["discount"]["amountOff"], answer["voucherValue"]])
}
