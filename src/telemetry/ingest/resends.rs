//! Whatever is sent again, in whatever order and cut wherever: what is kept is each item once.

use super::{
    batch::{Batch, Receipt, Status},
    events::{self, Diary},
    item::{EventItem, Item, SaleItem},
    payments::{self, Book},
    sales::{self, Ledger, Target},
};
use crate::telemetry::{
    record::{Event, Payment, Sale},
    sender::{Facts, Numbering},
};
use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json, value::to_raw_value};
use std::collections::{BTreeMap, HashMap};

/// What stands in for the tables: rows by number, and the mark above which nothing is looked for.
#[derive(Default)]
struct Kept {
    sales: BTreeMap<i64, Sale>,
    payments: BTreeMap<i64, (Payment, i64)>,
    /// Payments without a number, by their sale.
    unnumbered: Vec<i64>,
    events: BTreeMap<i64, Event>,
}

fn facts() -> Facts {
    Facts {
        location: 1,
        user_group: 1,
        time_zone: "UTC".into(),
        currency: "EUR".into(),
        error_profile: 1,
        report_rule: None,
        payment_types: HashMap::new(),
    }
}

fn read<T: Item>(items: &[Value]) -> Batch<T> {
    let raw: Vec<_> = items.iter().map(|item| to_raw_value(item).unwrap()).collect();
    Batch::read(&raw, DateTime::from_timestamp(1_780_000_000, 0).unwrap())
}

impl Kept {
    /// A batch of sales; ids are the numbers.
    fn take_sales(&mut self, items: &[Value]) -> Vec<Receipt> {
        let mut batch = read::<SaleItem>(items);
        let known = |(remote, sale): (&i64, &Sale)| {
            Some((*remote, vec![sales::Known::from_now_on(sale, *remote, None)?]))
        };
        let newest = self.sales.values().map(|sale| sale.occurred_at).max();
        let mut ledger = Ledger { known: self.sales.iter().filter_map(known).collect(), newest };
        let known = |(remote, (payment, sale)): (&i64, &(Payment, i64))| {
            Some((*remote, vec![payments::Known::from_now_on(payment, Some(*sale))?]))
        };
        let newest = self.payments.values().map(|(payment, _)| payment.occurred_at).max();
        let mut book = Book { known: self.payments.iter().filter_map(known).collect(), newest };
        let mut numbering = Numbering::default();
        let harvest = sales::judge(&mut batch, &mut numbering, &mut ledger, &mut book, &[], &facts());
        assert_eq!(numbering, Numbering::default());
        for (payment, target) in harvest.payments {
            let sale = match target {
                Target::New(place) => harvest.sales[place].remote.unwrap(),
                Target::Kept(sale) => {
                    self.sales.get_mut(&sale.remote).unwrap().num_payments += 1;
                    sale.remote
                }
            };
            match payment.remote {
                Some(remote) => assert!(self.payments.insert(remote, (payment, sale)).is_none()),
                None => self.unnumbered.push(sale),
            }
        }
        for sale in harvest.sales {
            assert!(self.sales.insert(sale.remote.unwrap(), sale).is_none());
        }
        batch.receipts
    }

    /// A batch of events.
    fn take_events(&mut self, items: &[Value]) -> Vec<Receipt> {
        let mut batch = read::<EventItem>(items);
        let known = |(remote, event): (&i64, &Event)| {
            Some((*remote, vec![events::Known::from_now_on(event, *remote, None)?]))
        };
        let newest = self.events.values().map(|event| event.occurred_at).max();
        let mut diary = Diary { known: self.events.iter().filter_map(known).collect(), newest };
        let harvest = events::judge(&mut batch, &mut Numbering::default(), &mut diary);
        for ended in harvest.ended {
            let event = self.events.get_mut(&ended.id).unwrap();
            (event.duration, event.resolved_at) = (ended.duration, ended.resolved_at);
        }
        for event in harvest.events {
            assert!(self.events.insert(event.remote.unwrap(), event).is_none());
        }
        batch.receipts
    }
}

/// The sale of a number, always the same, with as many payments as its number says.
fn sale(remote: i64) -> Value {
    let payment = |n: i64| json!({"remote": remote * 10 + n, "method": "cash", "price": n});
    let mut payments: Vec<Value> = (0..remote % 3).map(payment).collect();
    if remote % 2 == 0 {
        payments.push(json!({"method": "card", "price": 1}));
    }
    json!({"remote": remote, "occurredAt": format!("2026-05-01T10:00:{remote:02}Z"), "price": remote * 10,
        "name": "Cola", "paymenttransactions": payments})
}

/// The event of a number, before or after its end.
fn event(remote: i64, has_ended: bool) -> Value {
    let mut event = json!({"remote": remote, "code": "E1", "type": 2,
        "occurredAt": format!("2026-05-01T10:00:{remote:02}Z")});
    if has_ended {
        event["duration"] = json!(remote);
    }
    event
}

/// Batches of numbers with a flag, each of which may come any number of times.
fn batches() -> impl Strategy<Value = Vec<Vec<(i64, bool)>>> {
    prop::collection::vec(prop::collection::vec((0i64..12, any::<bool>()), 1..8), 1..8)
}

proptest! {
    #[test]
    fn sales_and_their_payments_are_kept_once(batches in batches()) {
        let mut kept = Kept::default();
        let mut seen: Vec<i64> = Vec::new();
        for batch in &batches {
            let items: Vec<Value> = batch.iter().map(|(remote, _)| sale(*remote)).collect();
            for (receipt, (remote, _)) in kept.take_sales(&items).iter().zip(batch) {
                let status = if seen.contains(remote) { Status::Duplicate } else { Status::Created };
                prop_assert_eq!(receipt, &Receipt { remote: Some(*remote), status, errors: vec![] });
                seen.push(*remote);
            }
        }
        let all: Vec<(i64, bool)> = batches.concat();
        let mut once = Kept::default();
        let mut remotes: Vec<i64> = all.iter().map(|(remote, _)| *remote).collect();
        remotes.sort_unstable();
        remotes.dedup();
        once.take_sales(&remotes.iter().map(|remote| sale(*remote)).collect::<Vec<_>>());
        prop_assert_eq!(&kept.sales, &once.sales);
        prop_assert_eq!(&kept.payments, &once.payments);
        kept.unnumbered.sort_unstable();
        prop_assert_eq!(kept.unnumbered, once.unnumbered);
        for sale in kept.sales.values() {
            let remote = sale.remote.unwrap();
            prop_assert_eq!(sale.num_payments, remote % 3 + i64::from(remote % 2 == 0));
        }
    }

    #[test]
    fn events_are_kept_once_and_end_once(batches in batches()) {
        let mut kept = Kept::default();
        let mut seen: BTreeMap<i64, bool> = BTreeMap::new();
        for batch in &batches {
            let items: Vec<Value> = batch.iter().map(|(remote, ended)| event(*remote, *ended)).collect();
            for (receipt, (remote, ended)) in kept.take_events(&items).iter().zip(batch) {
                let status = match seen.get(remote) {
                    None => Status::Created,
                    Some(false) if *ended => Status::Updated,
                    Some(_) => Status::Duplicate,
                };
                prop_assert_eq!(receipt.status, status);
                *seen.entry(*remote).or_default() |= ended;
            }
        }
        for (remote, event) in &kept.events {
            prop_assert_eq!(event.duration, seen[remote].then_some(*remote));
            prop_assert_eq!(event.resolved_at.is_some(), seen[remote]);
        }
        prop_assert_eq!(kept.events.len(), seen.len());
    }
}

#[test]
fn what_contradicts_is_named_and_changes_nothing() {
    let mut kept = Kept::default();
    kept.take_sales(&[sale(5)]);
    kept.take_events(&[event(5, true)]);
    let (sales, events) = (kept.sales.clone(), kept.events.clone());
    let changes = [
        ("occurredAt", json!("2026-05-01T10:00:06Z"), "/0/occurredAt"),
        ("price", json!(51), "/0/price"),
        ("name", json!("Fanta"), "/0/name"),
        ("currency", json!("USD"), "/0/currency"),
        ("token", json!("t"), "/0/token"),
        ("salestype", json!(1), "/0/salestype"),
        ("pricelist", json!(1), "/0/pricelist"),
        ("originalPrice", json!(60), "/0/originalPrice"),
        (
            "paymenttransactions",
            json!([{"remote": 51, "method": "card", "price": 1}]),
            "/0/paymenttransactions/0/method",
        ),
    ];
    for (field, value, pointer) in changes {
        let mut other = sale(5);
        other[field] = value;
        let receipt = kept.take_sales(&[other]).remove(0);
        assert_eq!((receipt.status, &*receipt.errors[0].pointer), (Status::Conflict, pointer));
    }
    for (field, value, pointer) in [
        ("code", json!("E2"), "/0/code"),
        ("type", json!(3), "/0/type"),
        ("extraData", json!("x"), "/0/extraData"),
        ("duration", json!(6), "/0/resolvedAt"),
    ] {
        let mut other = event(5, true);
        other[field] = value;
        let receipt = kept.take_events(&[other]).remove(0);
        assert_eq!((receipt.status, &*receipt.errors[0].pointer), (Status::Conflict, pointer));
    }
    assert_eq!((&kept.sales, &kept.events), (&sales, &events));
    // What is not said is not compared: an end may come alone.
    let opened = json!({"remote": 77, "code": "E1", "type": 3, "occurredAt": "2026-01-01T00:00:00Z", "extraData": {"tank": 2}});
    assert_eq!(kept.take_events(&[opened])[0].status, Status::Created);
    let end = json!({"remote": 77, "code": "E1", "occurredAt": "2026-01-01T00:00:00Z", "resolvedAt": "2026-01-01T00:05:00Z"});
    assert_eq!(kept.take_events(&[end])[0].status, Status::Updated);
}
