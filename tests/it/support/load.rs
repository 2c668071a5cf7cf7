//! Machines that buy and buy, while a test breaks things.

use crate::{
    field::{Field, Order},
    pair::{Pair, becomes},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Machines at it at once.
const BUYERS: usize = 6;

/// Between two purchases of one machine: what is tested are faults, not the machine that tests.
const PACE: Duration = Duration::from_millis(10);

/// What a gift is asked for, in cents.
pub const DEMAND: i64 = 30;

/// What became of an order.
#[derive(Clone, Debug)]
pub struct Told {
    /// The order.
    pub order: Order,
    /// Why it was refused, if it was.
    pub refusal: Option<String>,
}

/// Machines that buy until they are told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    buyers: JoinSet<Vec<Told>>,
}

impl Load {
    /// Starts buying with vouchers made for it: some that are soon spent, gifts, and one without an end.
    pub async fn start(pair: &Pair, seed: u64) -> Self {
        let single = pair.campaign("discount", 100, Some(3)).await;
        let gift = pair.campaign("gift", 1000, None).await;
        let endless = pair.campaign("discount", 50, None).await;
        let mut vouchers: Vec<(String, Option<i64>)> = Vec::new();
        vouchers.extend(pair.vouchers(single, 20).await.into_iter().map(|code| (code, None)));
        vouchers.extend(pair.vouchers(gift, 10).await.into_iter().map(|code| (code, Some(DEMAND))));
        vouchers.extend(pair.vouchers(endless, 2).await.into_iter().map(|code| (code, None)));
        let vouchers: Arc<[_]> = vouchers.into();
        let mut load = Self { stop: Arc::default(), answered: Arc::default(), buyers: JoinSet::new() };
        for number in 0..BUYERS {
            let buyer = Buyer {
                field: pair.field.clone(),
                device: pair.devices[number].clone(),
                vouchers: Arc::clone(&vouchers),
                stop: Arc::clone(&load.stop),
                answered: Arc::clone(&load.answered),
            };
            load.buyers.spawn(buyer.buy(number, StdRng::seed_from_u64(seed + number as u64)));
        }
        load.goes_on().await;
        load
    }

    /// Waits until each machine, one with another, has been answered twice more.
    pub async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let further = async || self.answered.load(Ordering::Relaxed) >= before + 2 * BUYERS;
        becomes("machines are answered", further).await;
    }

    /// Stops buying, and says what the machines were told.
    pub async fn finish(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        self.buyers.join_all().await.concat()
    }
}

struct Buyer {
    field: Field,
    device: String,
    vouchers: Arc<[(String, Option<i64>)]>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl Buyer {
    async fn buy(self, number: usize, mut random: StdRng) -> Vec<Told> {
        let mut told = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let (code, demand) = self.vouchers[random.random_range(0..self.vouchers.len())].clone();
            let order =
                Order { code, device: self.device.clone(), id: format!("load-{}", told.len()), demand };
            let heard = self.field.redeem(number + told.len(), &order).await;
            told.push(Told { order, refusal: heard.redeemed().err() });
            self.answered.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PACE).await;
        }
        told
    }
}
