//! Gateways that wait at this server for something to do.
//!
//! Postgres says which machine has a new command; whoever waits for it looks again. Nothing is kept of
//! machines that nobody waits for, and whoever waits holds nothing but its place here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, futures::Notified};

/// Who waits, by machine.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<i64, Arc<Notify>>>);

/// A place to wait in; given back when dropped.
#[derive(Debug)]
pub struct Place<'a> {
    waiting: &'a Waiting,
    machine: i64,
    bell: Arc<Notify>,
}

impl Waiting {
    /// A place to wait for a machine's commands in.
    pub fn enter(&self, machine: i64) -> Place<'_> {
        let bell = Arc::clone(self.lock().entry(machine).or_default());
        metrics::gauge!("scrip_gateways_waiting").increment(1.0);
        Place { waiting: self, machine, bell }
    }

    /// Wakes those who wait for a machine's commands.
    pub fn wake(&self, machine: i64) {
        if let Some(bell) = self.lock().get(&machine) {
            bell.notify_waiters();
        }
    }

    /// Wakes everybody: notices may have been missed.
    pub fn wake_all(&self) {
        self.lock().values().for_each(|bell| bell.notify_waiters());
    }

    /// Machines that somebody waits for.
    pub fn machines(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Ends when there may be something to do. What happens after this was called is not missed,
    /// even before it is waited for.
    pub fn woken(&self) -> Notified<'_> {
        self.bell.notified()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        metrics::gauge!("scrip_gateways_waiting").decrement(1.0);
        let mut waiting = self.waiting.lock();
        // The map's own, and this one.
        if Arc::strong_count(&self.bell) <= 2 {
            waiting.remove(&self.machine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn whoever_waits_for_a_machine_is_woken_and_nobody_else() {
        let waiting = Waiting::default();
        let (one, same, other) = (waiting.enter(1), waiting.enter(1), waiting.enter(2));
        let woken = [one.woken(), same.woken(), other.woken()];
        waiting.wake(1);
        waiting.wake(3);
        let woken = woken.map(|woken| woken.now_or_never().is_some());
        assert_eq!(woken, [true, true, false]);
    }

    #[test]
    fn what_happens_before_the_wait_begins_is_not_missed() {
        let waiting = Waiting::default();
        let place = waiting.enter(1);
        let woken = place.woken();
        waiting.wake_all();
        assert!(woken.now_or_never().is_some());
        assert!(place.woken().now_or_never().is_none(), "once a call");
    }

    #[test]
    fn nothing_is_kept_of_a_machine_that_nobody_waits_for() {
        let waiting = Waiting::default();
        let (one, same) = (waiting.enter(1), waiting.enter(1));
        drop(one);
        assert_eq!(waiting.machines(), 1);
        let late = waiting.enter(1);
        drop(same);
        {
            let woken = late.woken();
            waiting.wake(1);
            assert!(woken.now_or_never().is_some(), "who is left is still heard of");
        }
        drop(late);
        assert_eq!(waiting.machines(), 0);
    }
}
