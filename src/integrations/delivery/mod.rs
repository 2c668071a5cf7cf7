//! Brings integrations what was put aside for them: at least once, and in order.
//!
//! What happens is put aside by triggers, in the transaction in which it happens; nothing there waits
//! for an endpoint. Any number of servers deliver. One at a time has a turn with an integration, for a
//! few seconds; then it may be another's. Within a turn lanes (machines) go side by side, and each in
//! order: a delivery that fails holds up its lane until a retry succeeds or it is given up. Whatever is
//! acknowledged is noted in a transaction of its own, so a server that dies repeats at most what was
//! under way.
//!
//! - [`policy`]: what becomes of a delivery after an attempt. [`address`]: where it may go.
//! - [`signature`], [`payload`]: what is sent. [`courier`]: how. [`store`]: the statements.

pub mod address;
pub mod courier;
pub mod payload;
pub mod policy;
pub mod signature;
pub mod store;

use crate::{app::App, crash, error::Result, integrations::rights::Rights, seal::Place};
use axum::http::{HeaderMap, HeaderValue, header};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use policy::{Attempt, FAILURES_MAX, Verdict};
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use store::{Delivery, Turn};
use tokio::{sync::Mutex, time};

/// How long something waits at most before a server looks for it.
const POLL: Duration = Duration::from_millis(500);

/// Between two looks for what is too old.
const FORGET: Duration = Duration::from_mins(10);

/// Where the secret of an integration is at home.
pub fn secret_of(integration: i64) -> Place {
    Place { column: "integration.secret", row: integration }
}

/// Delivers until the server stops.
pub async fn work(app: App) {
    let mut forgot: Option<Instant> = None;
    while !app.stop.is_cancelled() {
        match begin_turns(&app).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = %error, "deliveries wait for the database"),
        }
        if forgot.is_none_or(|at| at.elapsed() >= FORGET) {
            let keep = app.clock.now() - TimeDelta::days(app.config.integration_keep_days.into());
            // What is left is for the next time.
            let all = store::forget(&app.db, keep).await.unwrap_or(true);
            forgot = all.then(Instant::now);
        }
        tokio::select! {
            () = time::sleep(POLL) => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Begins turns with integrations that have something to be told, as far as there is room: the others
/// are left to servers that have some.
async fn begin_turns(app: &App) -> Result<()> {
    while !app.stop.is_cancelled()
        && let Ok(place) = Arc::clone(&app.courier.turns).try_acquire_owned()
        && let Some(turn) = store::claim(app).await?
    {
        let app_of_turn = app.clone();
        app.tasks.spawn(async move {
            app_of_turn.liveness.unless_cut(take(&app_of_turn, turn)).await;
            drop(place);
        });
    }
    Ok(())
}

/// Has one turn with the integration that has waited longest; false if none has anything to be told.
pub async fn take_one(app: &App) -> Result<bool> {
    let Some(turn) = store::claim(app).await? else { return Ok(false) };
    take(app, turn).await;
    Ok(true)
}

async fn take(app: &App, turn: Turn) {
    let id = turn.id;
    let turn = async {
        let rights = Rights::of(&app.db, id).await?;
        Round::begin(app, turn, rights).go().await
    };
    if let Err(error) = turn.await {
        // Its lease runs out, and what was under way is looked at again.
        tracing::warn!(integration = id, error = %error, "a turn broke off");
    }
}

/// A turn under way.
struct Round<'a> {
    app: &'a App,
    turn: Turn,
    /// The secrets that deliveries are signed with; none if the integration's own can't be opened.
    secrets: Vec<SecretString>,
    rights: Rights,
    until: Instant,
    /// Set once nothing more is to be sent: it was paused or stopped.
    halted: AtomicBool,
    /// Deliveries in a row that came to nothing.
    failures: AtomicI64,
    /// When the next delivery may start.
    pace: Mutex<Instant>,
    /// The lane that was begun last: the next turn begins behind it, so that none waits for ever.
    reached: AtomicI64,
}

impl<'a> Round<'a> {
    fn begin(app: &'a App, turn: Turn, rights: Rights) -> Self {
        let open = |sealed: &Option<Vec<u8>>| app.keyring.open(secret_of(turn.id), sealed.as_deref()?);
        let own = open(&turn.secret);
        let previous = own.as_ref().and_then(|_| open(&turn.secret_previous));
        let now = Instant::now();
        Self {
            app,
            secrets: own.into_iter().chain(previous).collect(),
            rights,
            until: now + Duration::from_secs(app.config.integration_turn_s),
            halted: AtomicBool::new(false),
            failures: AtomicI64::new(turn.failures),
            pace: Mutex::new(now),
            reached: AtomicI64::new(turn.last_lane),
            turn,
        }
    }

    /// Whether nothing more is to be sent.
    fn is_over(&self) -> bool {
        self.halted.load(Ordering::Relaxed) || self.app.stop.is_cancelled() || Instant::now() >= self.until
    }

    async fn go(&self) -> Result<()> {
        if self.secrets.is_empty() {
            self.turn.stop(self.app, "its secret can't be opened any more: give it a new one").await?;
            return self.turn.end(self.app, self.turn.last_lane).await;
        }
        let mut last_lane = self.turn.last_lane;
        let mut from_the_first = false;
        while !self.is_over() {
            let next = store::next(self.app, self.turn.id, last_lane).await?;
            let Some(last) = next.last() else {
                if std::mem::replace(&mut from_the_first, true) {
                    break;
                }
                last_lane = i64::MIN;
                continue;
            };
            from_the_first = false;
            last_lane = last.lane;
            if self.failures.load(Ordering::Relaxed) >= FAILURES_MAX {
                // One is enough to find out whether it is well again.
                self.lane(&next[..1]).await?;
                last_lane = next[0].lane;
                continue;
            }
            let parallel = self.app.config.integration_each_parallel_max.max(1);
            let mut lanes = Vec::new();
            for lane in next.chunk_by(|one, other| one.lane == other.lane) {
                lanes.push(self.lane(lane));
            }
            let mut under_way = stream::iter(lanes).buffer_unordered(parallel);
            // All of them end before a fault is reported: none is dropped half way.
            let mut fault = Ok(());
            while let Some(ended) = under_way.next().await {
                fault = fault.and(ended);
            }
            fault?;
        }
        self.turn.end(self.app, self.reached.load(Ordering::Relaxed)).await
    }

    /// Delivers one after the other, for as long as all goes well.
    async fn lane(&self, deliveries: &[Delivery]) -> Result<()> {
        for delivery in deliveries {
            if !self.keep_pace().await {
                return Ok(());
            }
            let Ok(_hand) = self.app.courier.hands.enter(self.turn.user_group).await else { return Ok(()) };
            if self.is_over() {
                return Ok(());
            }
            self.reached.store(delivery.lane, Ordering::Relaxed);
            if !self.deliver(delivery).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the next delivery may start; false if that is not in this turn.
    async fn keep_pace(&self) -> bool {
        let mut pace = self.pace.lock().await;
        if *pace >= self.until || self.is_over() {
            self.halted.fetch_or(*pace >= self.until, Ordering::Relaxed);
            return false;
        }
        time::sleep_until((*pace).into()).await;
        *pace = Instant::now() + Duration::from_millis(self.turn.throttle.max(0) as u64);
        !self.is_over()
    }

    /// Tries once; whether the next one of its lane may follow.
    async fn deliver(&self, delivery: &Delivery) -> Result<bool> {
        let payload = if self.rights.may_read(delivery.event) {
            payload::render(&self.app.db, delivery, self.rights).await?.ok_or("what it is about is gone")
        } else {
            Err("its user group, or who set it up, may not read this")
        };
        let payload = match payload {
            Ok(payload) => payload,
            Err(reason) => {
                let void =
                    Attempt { status: None, retry_after: None, message: reason.to_owned(), details: None };
                self.turn.void(self.app, delivery.id, &void).await?;
                return Ok(true);
            }
        };
        let headers = self.headers(&payload);
        let attempt =
            self.app.courier.post(&self.turn.url, headers, payload.body, self.app.clock.now()).await;
        crash::point("delivery-acknowledged");
        let verdict = attempt.verdict(self.turn.policy, delivery.attempts + 1, rand::random());
        metrics::counter!("scrip_deliveries_total", "outcome" => outcome(verdict)).increment(1);
        let (state, wait) = match verdict {
            Verdict::Delivered => {
                let recovered = self.failures.swap(0, Ordering::Relaxed) > 0;
                self.turn.delivered(self.app, delivery.id, &attempt, recovered).await?;
                return Ok(true);
            }
            Verdict::Retry(wait) => (None, Some(wait)),
            Verdict::GiveUp => (Some("failed"), None),
            Verdict::Stop => (None, None),
        };
        let failures = self.turn.failed(self.app, delivery.id, &attempt, state, wait).await?;
        self.failures.store(failures, Ordering::Relaxed);
        if verdict == Verdict::Stop {
            self.halted.store(true, Ordering::Relaxed);
            self.turn.stop(self.app, &attempt.message).await?;
        } else if let Some(pause) = attempt.pause(self.turn.policy, failures, rand::random()) {
            self.halted.store(true, Ordering::Relaxed);
            self.turn.pause(self.app, pause, &attempt.message).await?;
        }
        Ok(verdict == Verdict::GiveUp)
    }

    fn headers(&self, payload: &payload::Payload) -> HeaderMap {
        const AGENT: &str = concat!("scrip/", env!("CARGO_PKG_VERSION"));
        let timestamp = self.app.clock.now().timestamp();
        let sign = |secret: &SecretString| {
            signature::sign(secret.expose_secret(), &payload.id, timestamp, &payload.body)
        };
        let signatures: Vec<String> = self.secrets.iter().filter_map(sign).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
        let texts =
            [("webhook-id", Some(payload.id.clone())), ("webhook-signature", Some(signatures.join(" ")))];
        for (name, value) in texts {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

const fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry(_) => "retry",
        Verdict::GiveUp => "given_up",
        Verdict::Stop => "stopped",
    }
}
