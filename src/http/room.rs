//! Rooms for what goes on at once, with a share for each address, so that one host can't fill them.

use super::peer::TrustedProxies;
use crate::config::Config;
use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// Counters of a room that addresses are spread over. Two addresses on one counter share a share, which
/// only shows once they fill it together; which ones do, nobody outside can know.
const COUNTERS: usize = 1_024;

/// A limit on what goes on at once.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    share: u32,
    taken: AtomicUsize,
    by_address: Box<[AtomicU32]>,
}

/// The counter of an address; none of an address without a limit of its own.
pub(super) type Counter = Option<usize>;

impl Room {
    pub(super) fn new(limit: usize, share_percent: u8) -> Self {
        let share = (limit * usize::from(share_percent.min(100))).div_ceil(100);
        Self {
            limit,
            share: u32::try_from(share).unwrap_or(u32::MAX).max(1),
            taken: AtomicUsize::new(0),
            by_address: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Takes a place, unless the room or the share of the address is full.
    pub(super) fn enter(&self, counter: Counter) -> Option<Place<'_>> {
        let place = Place { room: self, counter };
        self.admit(counter).then_some(place)
    }

    /// Counts one more; `false` if that is more than there is room for. It is counted all the same.
    pub(super) fn admit(&self, counter: Counter) -> bool {
        let has_room = self.taken.fetch_add(1, Ordering::Relaxed) < self.limit;
        let own = counter.and_then(|counter| self.by_address.get(counter));
        own.is_none_or(|own| own.fetch_add(1, Ordering::Relaxed) < self.share) && has_room
    }

    /// Counts one less.
    pub(super) fn leave(&self, counter: Counter) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(own) = counter.and_then(|counter| self.by_address.get(counter)) {
            own.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A place in a room; given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    room: &'a Room,
    counter: Counter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.leave(self.counter);
    }
}

/// Finds the counters of addresses.
#[derive(Debug)]
pub(super) struct Addresses {
    keys: RandomState,
    trusted: TrustedProxies,
}

impl Addresses {
    pub(super) fn new(config: &Config) -> Self {
        Self { keys: RandomState::new(), trusted: config.trusted_proxies.clone() }
    }

    /// The counter of an address. A proxy that is trusted speaks for many; a host has its whole IPv6 network.
    pub(super) fn counter(&self, address: Option<IpAddr>) -> Counter {
        let address = address.filter(|address| !self.trusted.contain(*address))?;
        let hash = match address {
            IpAddr::V4(address) => self.keys.hash_one(address),
            IpAddr::V6(address) => self.keys.hash_one(address.to_bits() >> 64),
        };
        usize::try_from(hash % COUNTERS as u64).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses::new(&Config { trusted_proxies: "10.0.0.0/8".parse().unwrap(), ..Config::default() })
    }

    #[test]
    fn there_is_room_for_as_many_as_the_limit() {
        let room = Room::new(1, 100);
        let first = room.enter(None);
        assert!(first.is_some() && room.enter(None).is_none());
        drop(first);
        assert!(room.enter(None).is_some());
        assert!(Room::new(0, 100).enter(None).is_none());
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let room = Room::new(4, 50);
        let mine: Vec<_> = (0..2).map(|_| room.enter(Some(7)).unwrap()).collect();
        assert!(room.enter(Some(7)).is_none());
        let others = room.enter(Some(8)).unwrap();
        assert_eq!(room.taken(), 3);
        drop((mine, others));
        assert!(room.taken() == 0 && room.enter(Some(7)).is_some());
    }

    #[test]
    fn a_network_is_one_host_and_trusted_proxies_have_no_share() {
        let counter = |address: &str| addresses().counter(Some(address.parse().unwrap()));
        assert_eq!(counter("10.1.2.3"), None);
        assert!(counter("192.0.2.1").is_some_and(|counter| counter < COUNTERS));
        let known = addresses();
        let counter = |address: &str| known.counter(Some(address.parse().unwrap()));
        assert_eq!(counter("2001:db8::1"), counter("2001:db8::ffff:2"));
        let many = (0..64).map(|number| counter(&format!("192.0.2.{number}")));
        assert!(many.collect::<std::collections::HashSet<_>>().len() > 32);
    }
}
