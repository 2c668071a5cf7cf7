//! Tests of [`super`]: shares, turns that go round, lines that are full, requests that are given up.

use super::*;
use futures_util::{FutureExt, future::BoxFuture};
use proptest::prelude::*;

fn gate(places: usize, share: usize, waiting: usize) -> Gate<u8> {
    let patience = Duration::from_mins(1);
    Gate::new(Limits { what: "tests", places, share, waiting, patience, retry_after_s: 1 })
}

fn limit(refused: Result<Place<u8>>) -> Option<Limit> {
    match refused.err() {
        Some(Error::Crowded { limit, .. }) => Some(limit),
        _ => None,
    }
}

#[tokio::test]
async fn a_tenant_has_its_share_and_others_have_the_rest() {
    let gate = gate(3, 2, 8);
    let first = gate.enter(1).await.unwrap();
    let _second = gate.enter(1).await.unwrap();
    assert_eq!(limit(gate.try_enter(1)), Some(Limit::Share));
    let _other = gate.enter(2).await.unwrap();
    assert_eq!(limit(gate.try_enter(3)), Some(Limit::Total));
    drop(first);
    assert!(gate.try_enter(3).is_ok());
}

#[tokio::test]
async fn one_request_goes_before_the_many_of_another() {
    let gate = gate(1, 1, 100);
    let held = gate.enter(1).await.unwrap();
    let mut many: Vec<_> = (0..50).map(|_| Box::pin(gate.enter(1))).collect();
    for one in &mut many {
        assert!(one.now_or_never().is_none());
    }
    let mut other = Box::pin(gate.enter(2));
    assert!((&mut other).now_or_never().is_none());
    drop(held);
    assert!(other.now_or_never().is_some_and(|place| place.is_ok()), "its turn is longest ago");
}

#[tokio::test]
async fn a_request_that_is_given_up_gives_its_turn_back() {
    let gate = gate(1, 1, 8);
    let held = gate.enter(1).await.unwrap();
    let mut gives_up = Box::pin(gate.enter(2));
    let mut called = Box::pin(gate.enter(3));
    assert!((&mut gives_up).now_or_never().is_none());
    assert!((&mut called).now_or_never().is_none());
    drop(gives_up);
    drop(held);
    // Called, and dropped before it looked.
    drop(called);
    assert!(gate.try_enter(4).is_ok());
}

#[tokio::test]
async fn a_full_line_has_room_for_who_has_fewest_in_it() {
    let gate = gate(1, 1, 2);
    let held = gate.enter(1).await.unwrap();
    let mut first = Box::pin(gate.enter(1));
    let mut second = Box::pin(gate.enter(1));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(limit(gate.enter(1).await), Some(Limit::Share));
    let mut other = Box::pin(gate.enter(2));
    assert!((&mut other).now_or_never().is_none(), "it waits");
    assert_eq!(limit(second.await), Some(Limit::Share), "and the newest of the others has left");
    assert_eq!(limit(gate.enter(3).await), Some(Limit::Total), "nobody's first is sent away");
    drop(held);
    assert!(other.await.is_ok());
    assert!(first.await.is_ok());
}

#[tokio::test]
async fn a_wait_ends() {
    let patience = Duration::from_millis(20);
    let limits = Limits { patience, ..gate(2, 1, 8).0.limits };
    let gate = Gate::new(limits);
    let _one = gate.enter(1).await.unwrap();
    assert_eq!(limit(gate.enter(1).await), Some(Limit::Share));
    let _two = gate.enter(2).await.unwrap();
    assert_eq!(limit(gate.enter(3).await), Some(Limit::Total));
    assert_eq!(gate.0.state().waiting, 0);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u8),
    Leave(usize),
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4u8).prop_map(Step::Enter),
        3 => any::<usize>().prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::GiveUp),
    ]
}

proptest! {
    #[test]
    fn places_are_used_within_limits_and_turns_go_round(
        (places, share, waiting) in (1..4usize, 1..4usize, 0..8usize),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let gate = gate(places, share, waiting);
        let share = share.min(places);
        let mut held: Vec<Place<u8>> = Vec::new();
        let mut line: Vec<(u8, BoxFuture<'static, Result<Place<u8>>>)> = Vec::new();
        // For each tenant that waits and has no place: how often each other one went before it.
        let mut passed = [[0usize; 4]; 4];
        for step in steps {
            match step {
                Step::Enter(tenant) => {
                    let its = gate.clone();
                    line.push((tenant, async move { its.enter(tenant).await }.boxed()));
                }
                Step::Leave(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                Step::GiveUp(at) if !line.is_empty() => drop(line.swap_remove(at % line.len())),
                _ => {}
            }
            let had: [usize; 4] = std::array::from_fn(|t| held.iter().filter(|p| usize::from(p.tenant) == t).count());
            let mut entered = Vec::new();
            // The newest last, and then those again that it may have sent away.
            for _ in 0..2 {
                let mut still = Vec::new();
                for (tenant, mut enter) in std::mem::take(&mut line) {
                    match (&mut enter).now_or_never() {
                        Some(Ok(place)) => {
                            entered.push(tenant);
                            held.push(place);
                        }
                        Some(Err(_)) => {}
                        None => still.push((tenant, enter)),
                    }
                }
                line = still;
            }
            prop_assert!(held.len() <= places);
            for tenant in 0..4u8 {
                let index = usize::from(tenant);
                let own = held.iter().filter(|place| place.tenant == tenant).count();
                let waits = line.iter().any(|(of, _)| *of == tenant);
                prop_assert!(own <= share);
                prop_assert!(!(waits && own < share && held.len() < places), "{tenant} waits beside a free place");
                if waits && own == 0 && had[index] == 0 {
                    for other in &entered {
                        passed[index][usize::from(*other)] += 1;
                    }
                    for (other, times) in passed[index].iter().enumerate() {
                        prop_assert!(other == index || *times <= 1, "{other} went before {tenant} {times} times");
                    }
                } else {
                    passed[index] = [0; 4];
                }
            }
            let state = gate.0.state();
            prop_assert_eq!((state.taken, state.waiting), (held.len(), line.len()));
            prop_assert!(line.len() <= waiting);
        }
        line.clear();
        held.clear();
        prop_assert!(gate.0.state().tenants.is_empty());
    }
}
