//! The voucher verbs by Goose: a second opinion on what `loadtest/load` measures.
//!
//! `LOAD_SCENARIO` says what is asked, `LOAD_RATE` how many a second at fixed instants (without it, each user
//! asks as soon as it is answered); everything else are Goose's own options. `loadtest/goose.sh` runs it.

#[path = "../../load/pace.rs"]
mod pace;
mod target;
mod verb;

use goose::prelude::*;
use pace::{Pace, Ticket};
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use target::{Result, Target};
use verb::{MIXES, Verb};

/// What latencies from the intended instant are kept under.
const DUE: &str = "DUE";
/// What is kept beside them: how late this program was, by its own doing.
const LATE: &str = "LATE";

/// What all users share.
struct Session {
    target: Target,
    pace: Option<Pace>,
    /// Sets this run's orders apart from any other's.
    run: u32,
    orders: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let name = env::var("LOAD_SCENARIO").unwrap_or_else(|_| "mixed".to_owned());
    let (name, verbs) =
        MIXES.iter().find(|(known, _)| *known == name).ok_or("LOAD_SCENARIO names no scenario")?;
    let rate: Option<f64> = match env::var("LOAD_RATE") {
        Ok(rate) if !rate.is_empty() => Some(rate.parse()?),
        _ => None,
    };
    let target = Target::new().await?;
    let url = target.url.clone();
    let session = Arc::new(Session {
        target,
        pace: rate.map(Pace::start),
        run: rand::random(),
        orders: AtomicU64::new(0),
    });

    let mut scenario = Scenario::new(name);
    for (verb, weight) in *verbs {
        scenario = scenario.register_transaction(transaction(*verb, &session).set_weight(*weight)?);
    }
    let metrics = GooseAttack::initialize()?
        .register_scenario(scenario)
        .set_scheduler(GooseScheduler::Random)
        .set_default(GooseDefault::Host, url.as_str())?
        .execute()
        .await?;
    if let Some(pace) = &session.pace {
        pace.stop();
    }
    let failed: usize = metrics.requests.values().map(|request| request.fail_count).sum();
    if failed > 0 { Err(format!("{failed} answers were not as meant").into()) } else { Ok(()) }
}

fn transaction(verb: Verb, session: &Arc<Session>) -> Transaction {
    let session = Arc::clone(session);
    let shoot: TransactionFunction = Arc::new(move |user| {
        let session = Arc::clone(&session);
        Box::pin(async move { session.shoot(verb, user).await })
    });
    Transaction::new(shoot).set_name(verb.name())
}

impl Session {
    /// One request and its answer, when it is due.
    async fn shoot(&self, verb: Verb, user: &mut GooseUser) -> TransactionResult {
        let Some(pace) = &self.pace else { return self.ask(verb, user).await };
        let Some(Ticket { since, late }) = pace.ticket().await else { return Ok(()) };
        if let Some(late) = late {
            user.record_custom_request_duration(LATE, verb.name(), late, true, None, None).await?;
        }
        let done = self.ask(verb, user).await;
        user.record_custom_request_duration(DUE, verb.name(), since.elapsed(), done.is_ok(), None, None)
            .await?;
        done
    }

    async fn ask(&self, verb: Verb, user: &mut GooseUser) -> TransactionResult {
        let (device, code) = self.target.pick(user.weighted_users_index);
        let order = format!("{:08x}-{}", self.run, self.orders.fetch_add(1, Ordering::Relaxed));
        let path = verb.path(&self.target, code);
        let request = user
            .get_request_builder(&GooseMethod::Post, &path)?
            .bearer_auth(&device.token)
            .json(&verb.body(&device.id, &order));
        let request = GooseRequest::builder()
            .method(GooseMethod::Post)
            .path(path.as_str())
            .name(verb.name())
            .set_request_builder(request)
            .expect_status_code(verb.status())
            .error_on_fail()
            .build();
        let mut answer = user.request(request).await?;
        let body = match answer.response {
            Ok(response) => response.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        };
        if body.contains(verb.says()) {
            return Ok(());
        }
        user.set_failure("the answer is not as meant", &mut answer.request, None, Some(&body))
    }
}
