//! Machines in the field, before two servers: they ask either one, and keep asking until they are
//! answered, as real ones do.

use reqwest::header;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A machine that is not answered within this has been let down.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// What every order costs, in cents.
pub const PRICE: i64 = 250;

/// The way from the machines to the servers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Field {
    http: reqwest::Client,
    bases: [String; 2],
    key: String,
}

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order {
    /// The voucher's code.
    pub code: String,
    /// Which machine.
    pub device: String,
    /// The machine's id of it.
    pub id: String,
    /// What a gift is to pay, in cents.
    pub demand: Option<i64>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its status.
    pub status: u16,
    /// When to ask again, if it says so.
    pub retry_after: Option<String>,
    /// Its body as it came.
    pub body: String,
}

impl Heard {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it says that the order was redeemed; otherwise why not.
    #[track_caller]
    pub fn redeemed(&self) -> Result<i64, String> {
        assert_eq!(self.status, 200, "{}", self.body);
        let answer = self.json();
        if answer["redeemed"] == true {
            Ok(answer["voucherValue"].as_i64().unwrap())
        } else {
            Err(answer["reason"].as_str().unwrap().to_owned())
        }
    }

    /// That it asks to try again later.
    #[track_caller]
    pub fn expect_unavailable(&self) {
        assert_eq!(self.status, 503, "{}", self.body);
        assert!(self.retry_after.is_some(), "a 503 says when to ask again");
    }
}

impl Field {
    /// `key` speaks for every machine.
    pub fn new(bases: [String; 2], key: String) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).build().unwrap();
        Self { http, bases, key }
    }

    /// Asks one server once; `None` if no whole answer came.
    pub async fn ask(&self, server: usize, code: &str, verb: &str, body: &Value) -> Option<Heard> {
        let url = format!("{}/voucher/{code}/{verb}", self.bases[server % 2]);
        let response = self.http.post(url).bearer_auth(&self.key).json(body).send().await.ok()?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        Some(Heard { status, retry_after, body: response.text().await.ok()? })
    }

    /// Redeems at one server, once.
    pub async fn redeem_once(&self, server: usize, order: &Order) -> Option<Heard> {
        let mut body = json!({"deviceId": order.device, "order": {"id": order.id, "amount": PRICE}});
        if let Some(amount) = order.demand {
            body["demand"] = json!({"amount": amount});
        }
        self.ask(server, &order.code, "redeem", &body).await
    }

    /// Redeems: asks one server, then the other, and so on, until one says yes or no.
    pub async fn redeem(&self, server: usize, order: &Order) -> Heard {
        let started = Instant::now();
        for attempt in server.. {
            let heard = self.redeem_once(attempt, order).await;
            if let Some(heard) = &heard
                && heard.status != 503
            {
                return heard.clone();
            }
            assert!(started.elapsed() < PATIENCE, "{order:?} is not answered; at last {heard:?}");
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("servers are asked for ever")
    }

    /// Validates at one server, once; with a lock if it is to be held for some seconds.
    pub async fn validate(
        &self,
        server: usize,
        code: &str,
        device: &str,
        lock_s: Option<u32>,
    ) -> Option<Heard> {
        let body = match lock_s {
            Some(lock_s) => json!({"deviceId": device, "lockDuration": lock_s}),
            None => json!({"deviceId": device}),
        };
        self.ask(server, code, "validate", &body).await
    }

    /// Rolls an order back at one server, once.
    pub async fn roll_back(&self, server: usize, order: &Order) -> Option<Heard> {
        let body = json!({"deviceId": order.device, "order": {"id": order.id}, "reason": "spiral jammed"});
        self.ask(server, &order.code, "rollback", &body).await
    }
}
