//! A run: connections that ask and ask again, a window in which it counts, and the line at the end.

use crate::{
    Result, aftermath,
    cpu::{self, Usage, Watched},
    ledger::Ledger,
    pace::Pace,
    scenario::{Ammunition, Gun, Outcome, Scenario, Shot, amount_off},
    tally::{Conditions, Measured, Tally},
    target::{self, Target},
    wire::Wire,
};
use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{sleep, timeout},
};

/// A request that has no answer after this has none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a machine waits before it asks again.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What to run, at whom.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    scenario: Scenario,
    /// Where the server is; by default `SCRIP_URL`. With commas between: servers that share the connections.
    #[arg(long)]
    url: Option<String>,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests a second, whether or not they are answered; by default each connection waits for its answer.
    #[arg(long)]
    rate: Option<f64>,
    /// How long to measure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How long to run before that.
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
    /// A file of voucher codes, one a line.
    #[arg(long)]
    codes: Option<PathBuf>,
    /// Asks for each code once, in order, and ends: so that nothing is asked for the first time later.
    #[arg(long)]
    sweep: bool,
    /// The voucher that everybody redeems.
    #[arg(long, default_value = "PLAIN-HOT")]
    hot_code: String,
    /// The gift voucher that holds too little.
    #[arg(long, default_value = "")]
    poor_code: String,
    /// Processes to account for: server=123,redis=456,postgres=789.
    #[arg(long, default_value = "")]
    pids: String,
    /// The name of this measurement; by default the scenario's.
    #[arg(long)]
    label: Option<String>,
    /// Repeats a run during which others, on this machine or on its host, kept more cores busy than this.
    #[arg(long, default_value_t = 0.3)]
    noise_max: f64,
    /// Runs at most, for that reason.
    #[arg(long, default_value_t = 1)]
    attempts: u32,
    /// Waits afterwards until the server has done all that it put off, and measures what that takes; its
    /// database is in `DATABASE_URL`.
    #[arg(long)]
    aftermath: bool,
    /// Writes the answer to each redeem to this file, and asks until there is one.
    #[arg(long)]
    record: Option<PathBuf>,
}

/// What all connections of a run share.
struct Session {
    target: Target,
    scenario: Scenario,
    ammunition: Rc<Ammunition>,
    pace: Option<Pace>,
    tally: RefCell<Tally>,
    ledger: Option<RefCell<Ledger>>,
    /// Requests that began after this count.
    counting_since: Cell<Option<Instant>>,
    stopped: Cell<bool>,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let watched = cpu::watched(&args.pids)?;
    let mut best: Option<Measured> = None;
    for _ in 0..args.attempts.max(1) {
        let mut measured = LocalSet::new().run_until(once(&args, &watched)).await?;
        measured.spoilt = measured.noise() > args.noise_max;
        let is_better = best.as_ref().is_none_or(|best| measured.noise() < best.noise());
        if is_better {
            best = Some(measured);
        }
        if best.as_ref().is_some_and(|best| !best.spoilt) {
            break;
        }
    }
    println!("{}", serde_json::to_string(&best)?);
    Ok(())
}

async fn once(args: &Args, watched: &[Watched]) -> Result<Measured> {
    let url = target::url(args.url.as_deref())?;
    let target =
        if args.scenario.is_product() { Target::product(&url).await? } else { Target::open(&url).await? };
    let session = Rc::new(Session {
        target,
        scenario: args.scenario,
        ammunition: Rc::new(Ammunition {
            codes: args
                .codes
                .as_deref()
                .map(codes)
                .transpose()?
                .unwrap_or_else(|| vec!["PLAIN-000001".to_owned()]),
            hot: args.hot_code.clone(),
            poor: args.poor_code.clone(),
            run: format!("{:08x}", rand::random::<u32>()),
            sequence: Cell::new(0),
            sweep: args.sweep,
        }),
        pace: args.rate.map(Pace::start),
        tally: RefCell::new(Tally::new()),
        ledger: args.record.as_deref().map(Ledger::create).transpose()?.map(RefCell::new),
        counting_since: Cell::new(None),
        stopped: Cell::new(false),
    });
    let mut connections = JoinSet::new();
    let warms_up = !args.sweep && args.warmup > 0.0;
    if warms_up {
        session.open(&mut connections, args.connections);
        sleep(Duration::from_secs_f64(args.warmup)).await;
    }
    let before = Usage::now(watched)?;
    let start = Instant::now();
    session.counting_since.set(Some(start));
    if !warms_up {
        session.open(&mut connections, args.connections);
    }
    if args.sweep {
        while connections.join_next().await.is_some() {}
    } else {
        sleep(Duration::from_secs_f64(args.seconds)).await;
    }
    session.counting_since.set(None);
    let elapsed = start.elapsed();
    let usage = Usage::now(watched)?.since(&before);
    session.stop(&mut connections).await?;
    let later = if args.aftermath {
        let stopped = Usage::now(watched)?;
        aftermath::over().await?;
        Some(Usage::now(watched)?.since(&stopped))
    } else {
        None
    };

    let label = args.label.clone().unwrap_or_else(|| args.scenario.name());
    let what = Conditions { label, connections: args.connections, rate: args.rate };
    let mut measured = session.tally.borrow().measured(what, elapsed, &usage);
    if let Some(later) = later {
        // What was asked while it warmed up is part of it.
        let share = args.seconds / (args.seconds + args.warmup);
        measured.note_later(&later, share);
    }
    Ok(measured)
}

fn codes(file: &Path) -> Result<Vec<String>> {
    let codes: Vec<String> = std::fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    if codes.is_empty() { Err(format!("{} holds no code", file.display()).into()) } else { Ok(codes) }
}

impl Session {
    fn open(self: &Rc<Self>, connections: &mut JoinSet<()>, count: usize) {
        for n in 0..count {
            connections.spawn_local(Rc::clone(self).connection(n));
        }
    }

    /// One connection's life: a request, its answer, the next one.
    async fn connection(self: Rc<Self>, n: usize) {
        let mut gun = Gun::new(self.scenario, &self.ammunition, &self.target, n);
        let mut wire = None;
        while !self.stopped.get() && !self.ammunition.is_spent() {
            let since = match &self.pace {
                None => Instant::now(),
                Some(pace) => match pace.ticket().await {
                    Some(ticket) => {
                        if let Some(late) = ticket.late {
                            self.tally.borrow_mut().late(late);
                        }
                        ticket.since
                    }
                    None => return,
                },
            };
            let shot = gun.load();
            let (outcome, amount) = self.settle(&mut wire, &gun, &shot).await;
            if self.counting_since.get().is_some_and(|start| since >= start) {
                self.tally.borrow_mut().settle(shot.verb, outcome, since.elapsed());
            }
            if let Some(ledger) = &self.ledger
                && shot.verb.redeems()
            {
                let device = &gun.device().id;
                let order = self.ammunition.order(&shot);
                ledger.borrow_mut().note(outcome, self.ammunition.code(&shot), device, &order, amount);
            }
        }
    }

    /// Asks once; or, where answers are recorded, as often as it takes, under the same order.
    async fn settle(&self, wire: &mut Option<Wire>, gun: &Gun, shot: &Shot) -> (Outcome, Option<i64>) {
        loop {
            let (outcome, amount) = self.ask(wire, gun, shot).await;
            if outcome.is_verdict() {
                return (outcome, amount);
            }
            if self.ledger.is_none() || self.stopped.get() {
                if outcome == Outcome::Broken {
                    sleep(RETRY_AFTER).await;
                }
                return (outcome, None);
            }
            self.tally.borrow_mut().retry(outcome);
            sleep(RETRY_AFTER).await;
        }
    }

    async fn ask(&self, wire: &mut Option<Wire>, gun: &Gun, shot: &Shot) -> (Outcome, Option<i64>) {
        let mut open = match wire.take() {
            Some(open) => open,
            None => match Wire::open(gun.address).await {
                Ok(open) => open,
                Err(_) => return (Outcome::Broken, None),
            },
        };
        // Where only speed counts, no timer is set for each request: a stuck one ends with the run.
        let answer = if self.ledger.is_some() {
            timeout(PATIENCE, open.ask(&gun.request)).await.unwrap_or_else(|late| Err(late.into()))
        } else {
            open.ask(&gun.request).await
        };
        let Ok(answer) = answer else {
            return (Outcome::Broken, None);
        };
        let outcome = Outcome::of(shot.verb, &answer);
        let amount = if self.ledger.is_some() { amount_off(answer.body) } else { None };
        *wire = Some(open);
        (outcome, amount)
    }

    /// Lets what is under way finish, and closes the books.
    async fn stop(&self, connections: &mut JoinSet<()>) -> Result<()> {
        self.stopped.set(true);
        if let Some(pace) = &self.pace {
            pace.stop();
        }
        if timeout(PATIENCE, async { while connections.join_next().await.is_some() {} }).await.is_err() {
            connections.shutdown().await;
            return Err("requests were left without an answer".into());
        }
        match &self.ledger {
            Some(ledger) => ledger.borrow_mut().close(),
            None => Ok(()),
        }
    }
}
