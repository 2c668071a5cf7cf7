//! Fairness between tenants where places are few: uploads, exports, look-ups of lists, password hashes.
//!
//! A [`Gate`] has a number of places for all, and a share of them for each tenant. Where places are free for a
//! tenant, entering is one short lock. Otherwise a request waits in its tenant's line, and each place that
//! becomes free goes to the tenant that has the fewest places, among equals to the one whose turn is longest
//! ago: nobody waits for more than one request of each other tenant, however many these have sent.
//!
//! The unit is the user group that a caller acts for (`caller.group()`): a user or a key speaks for exactly
//! one, and a group above it is another customer of the server's time. Where nobody has logged in yet the
//! unit is the client's address. Any `Copy` key will do.

use crate::error::{Error, Result};
use std::{
    collections::{HashMap, VecDeque},
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// A tenant as a gate tells them apart.
pub trait Tenant: Copy + Debug + Eq + Hash + Send + 'static {}

impl<T: Copy + Debug + Eq + Hash + Send + 'static> Tenant for T {}

/// The limits of a gate.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Names the places in refusals and metrics: "exports".
    pub what: &'static str,
    /// Places in all.
    pub places: usize,
    /// Places that one tenant can have.
    pub share: usize,
    /// Requests that wait, of all tenants.
    pub waiting: usize,
    /// How long a request waits for its place.
    pub patience: Duration,
    /// After how many seconds someone who was refused may try again.
    pub retry_after_s: u64,
}

/// The limit that a request was refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The tenant's own share.
    Share,
    /// The places of all tenants together.
    Total,
}

impl Limit {
    const fn label(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Total => "total",
        }
    }
}

/// Places shared between tenants; cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate<T: Tenant = i64>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T: Tenant> {
    limits: Limits,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T: Tenant> {
    taken: usize,
    waiting: usize,
    /// Counts requests and places given: tells what came before what.
    turn: u64,
    /// Tenants that have a place or wait for one.
    tenants: HashMap<T, Line<T>>,
}

/// The places of one tenant, and its requests that wait for one.
#[derive(Debug)]
struct Line<T: Tenant> {
    taken: usize,
    /// When it last took a place or gave one back, or began to wait with none before.
    served: u64,
    waiters: VecDeque<Waiter<T>>,
}

#[derive(Debug)]
struct Waiter<T: Tenant> {
    ticket: u64,
    call: oneshot::Sender<Place<T>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place<T: Tenant = i64> {
    inner: Arc<Inner<T>>,
    tenant: T,
}

/// A request in line; leaves it when dropped, and gives back a place that it was called to meanwhile.
#[derive(Debug)]
struct Waiting<T: Tenant> {
    inner: Arc<Inner<T>>,
    tenant: T,
    ticket: u64,
    called: oneshot::Receiver<Place<T>>,
}

impl<T: Tenant> Gate<T> {
    /// Opens a gate. There is always one place, and a share of one.
    pub fn new(limits: Limits) -> Self {
        let places = limits.places.max(1);
        let limits = Limits { places, share: limits.share.clamp(1, places), ..limits };
        let state = State { taken: 0, waiting: 0, turn: 0, tenants: HashMap::new() };
        Self(Arc::new(Inner { limits, state: Mutex::new(state) }))
    }

    /// Takes a place for `tenant`, when it is its turn. Refuses where too many wait already, or nothing
    /// becomes free in time: 429 if that is for the tenant's own share, 503 if for all of them.
    pub async fn enter(&self, tenant: T) -> Result<Place<T>> {
        let inner = &self.0;
        let mut waiting = self.join(tenant).map_err(|limit| inner.refusal(limit))?;
        if let Ok(place) = waiting.called.try_recv() {
            return Ok(place);
        }
        match timeout(inner.limits.patience, &mut waiting.called).await {
            Ok(Ok(place)) => Ok(place),
            // Its place in line went to a tenant that has fewer there.
            Ok(Err(_)) => Err(inner.refusal(Limit::Share)),
            Err(_) => {
                let limit = inner.limit_of(tenant);
                Err(inner.refusal(limit))
            }
        }
    }

    /// Takes a place for `tenant` if one is free for it now.
    pub fn try_enter(&self, tenant: T) -> Result<Place<T>> {
        let inner = &self.0;
        let mut state = inner.state();
        let own = state.tenants.get(&tenant).map_or(0, |line| line.taken);
        let limit = if own >= inner.limits.share {
            Limit::Share
        } else if state.taken >= inner.limits.places {
            Limit::Total
        } else {
            state.seat(tenant);
            drop(state);
            return Ok(Place { inner: Arc::clone(inner), tenant });
        };
        drop(state);
        Err(inner.refusal(limit))
    }

    /// Joins the tenant's line, and calls whoever is next. A full line makes room for a tenant that has
    /// fewer in it: the newest of the one that has the most is sent away, but never anybody's first.
    fn join(&self, tenant: T) -> Result<Waiting<T>, Limit> {
        let (call, called) = oneshot::channel();
        let mut state = self.0.state();
        if state.waiting >= self.0.limits.waiting && !state.has_room(tenant, &self.0.limits) {
            let own = state.tenants.get(&tenant).map_or(0, |line| line.waiters.len());
            let most = state.longest().filter(|(_, most)| *most > own + 1);
            let Some(sent_away) = most.and_then(|(most, _)| state.send_away(most)) else {
                let has_any = state.tenants.contains_key(&tenant);
                return Err(if has_any { Limit::Share } else { Limit::Total });
            };
            drop(sent_away);
        }
        let ticket = state.wait(tenant, call);
        self.0.settle(state);
        Ok(Waiting { inner: Arc::clone(&self.0), tenant, ticket, called })
    }
}

impl<T: Tenant> Inner<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places to who is next, and then lets others at the state: a place that nobody takes any
    /// more is given back as soon as it is dropped.
    fn settle(self: &Arc<Self>, mut state: MutexGuard<'_, State<T>>) {
        let mut calls = Vec::new();
        while state.taken < self.limits.places {
            let Some((tenant, call)) = state.next(self.limits.share) else { break };
            calls.push((call, Place { inner: Arc::clone(self), tenant }));
        }
        let waiting = state.waiting;
        drop(state);
        metrics::gauge!("scrip_gate_waiting", "gate" => self.limits.what).set(waiting as f64);
        for (call, place) in calls {
            drop(call.send(place));
        }
    }

    fn limit_of(&self, tenant: T) -> Limit {
        let own = self.state().tenants.get(&tenant).map_or(0, |line| line.taken);
        if own >= self.limits.share { Limit::Share } else { Limit::Total }
    }

    fn refusal(&self, limit: Limit) -> Error {
        let Limits { what, retry_after_s, .. } = self.limits;
        metrics::counter!("scrip_gate_refused_total", "gate" => what, "limit" => limit.label()).increment(1);
        Error::Crowded { what, limit, retry_after_s }
    }
}

impl<T: Tenant> State<T> {
    /// Tells whether `tenant` would have a place at once.
    fn has_room(&self, tenant: T, limits: &Limits) -> bool {
        let line = self.tenants.get(&tenant);
        self.taken < limits.places
            && line.is_none_or(|line| line.taken < limits.share && line.waiters.is_empty())
    }

    /// The tenant that has most requests in line, and how many.
    fn longest(&self) -> Option<(T, usize)> {
        let lines = self.tenants.iter().map(|(tenant, line)| (*tenant, line.waiters.len()));
        lines.max_by_key(|(_, waiting)| *waiting)
    }

    /// Takes the newest request of `tenant` out of line.
    fn send_away(&mut self, tenant: T) -> Option<Waiter<T>> {
        let newest = self.tenants.get_mut(&tenant)?.waiters.pop_back()?;
        self.waiting -= 1;
        Some(newest)
    }

    fn wait(&mut self, tenant: T, call: oneshot::Sender<Place<T>>) -> u64 {
        self.turn += 1;
        let ticket = self.turn;
        let line = self.line(tenant);
        if line.waiters.is_empty() && line.taken == 0 {
            line.served = ticket;
        }
        line.waiters.push_back(Waiter { ticket, call });
        self.waiting += 1;
        ticket
    }

    fn line(&mut self, tenant: T) -> &mut Line<T> {
        let turn = self.turn;
        self.tenants.entry(tenant).or_insert_with(|| Line {
            taken: 0,
            served: turn,
            waiters: VecDeque::new(),
        })
    }

    /// Counts a place as the tenant's.
    fn seat(&mut self, tenant: T) {
        self.turn += 1;
        self.taken += 1;
        let turn = self.turn;
        let line = self.line(tenant);
        line.taken += 1;
        line.served = turn;
    }

    /// Takes out of line, and seats, who is next.
    fn next(&mut self, share: usize) -> Option<(T, oneshot::Sender<Place<T>>)> {
        let in_line = self.tenants.iter().filter(|(_, line)| line.taken < share && !line.waiters.is_empty());
        let (tenant, _) = in_line.min_by_key(|(_, line)| (line.taken, line.served))?;
        let tenant = *tenant;
        let waiter = self.tenants.get_mut(&tenant)?.waiters.pop_front()?;
        self.waiting -= 1;
        self.seat(tenant);
        Some((tenant, waiter.call))
    }

    /// Forgets a tenant that has nothing and waits for nothing.
    fn forget_idle(&mut self, tenant: T) {
        if self.tenants.get(&tenant).is_some_and(|line| line.taken == 0 && line.waiters.is_empty()) {
            self.tenants.remove(&tenant);
        }
    }
}

impl<T: Tenant> Drop for Place<T> {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.taken -= 1;
        state.turn += 1;
        let turn = state.turn;
        if let Some(line) = state.tenants.get_mut(&self.tenant) {
            line.taken -= 1;
            line.served = turn;
        }
        state.forget_idle(self.tenant);
        self.inner.settle(state);
    }
}

impl<T: Tenant> Drop for Waiting<T> {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        let Some(line) = state.tenants.get_mut(&self.tenant) else { return };
        if let Some(at) = line.waiters.iter().position(|waiter| waiter.ticket == self.ticket) {
            line.waiters.remove(at);
            state.waiting -= 1;
            state.forget_idle(self.tenant);
            self.inner.settle(state);
        }
    }
}

#[cfg(test)]
#[path = "fairness_tests.rs"]
mod tests;
