//! Items that are wrong, and where they are said to be.

use super::{
    batch::{Batch, Status},
    item::{EventItem, Item, SaleItem},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json, value::to_raw_value};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What is said of one item: its status and where it is wrong.
fn said<T: Item>(item: &Value) -> (Status, Vec<String>) {
    let batch = Batch::<T>::read(&[to_raw_value(item).unwrap()], at("2026-06-01T10:00:00Z"));
    let receipt = &batch.receipts[0];
    assert_eq!(batch.items.is_empty(), receipt.status == Status::Invalid);
    (receipt.status, receipt.errors.iter().map(|issue| issue.pointer.to_string()).collect())
}

fn with(mut item: Value, change: &Value) -> Value {
    for (field, value) in change.as_object().unwrap() {
        item[field] = value.clone();
    }
    item
}

#[test]
fn a_sale_is_wrong_where_it_is_wrong() {
    let good = json!({"remote": 1, "occurredAt": "2026-06-01T10:00:00Z", "price": 0, "name": "Cola"});
    let fine = [
        json!({}),
        json!({"product": 7, "name": null, "currency": "USD"}),
        json!({"occurredAt": "2026-06-02T11:59:59.9999999+02:00"}),
        json!({"occurredAt": "2021-06-03T00:00:00Z", "price": 1_000_000_000}),
        json!({"paymenttransactions": [{"method": "cash", "price": -5}]}),
    ];
    for change in fine {
        assert_eq!(said::<SaleItem>(&with(good.clone(), &change)), (Status::Created, vec![]), "{change}");
    }
    let wrong = [
        (json!({"remote": -1}), "/0/remote"),
        (json!({"remote": 9_223_372_036_854_775_808_u64}), "/0/remote"),
        (json!({"occurredAt": "2026-06-02T10:00:01Z"}), "/0/occurredAt"),
        (json!({"occurredAt": "2026-06-01T10:00:00"}), "/0/occurredAt"),
        (json!({"price": 1_000_000_001}), "/0/price"),
        (json!({"price": "1"}), "/0/price"),
        (json!({"name": null}), "/0/name"),
        (json!({"name": "a\u{0}b"}), "/0/name"),
        (json!({"currency": "QQQ"}), "/0/currency"),
        (json!({"plu": 2_147_483_648_i64}), "/0/plu"),
        (json!({"colour": 1}), "/0/colour"),
        (
            json!({"paymenttransactions": [{"method": "cash", "price": 1}, {"method": "barter", "price": 1}]}),
            "/0/paymenttransactions/1/method",
        ),
        (
            json!({"paymenttransactions": [{"remote": 3, "method": "cash", "price": 1},
                                        {"remote": 3, "method": "card", "price": 1}]}),
            "/0/paymenttransactions/1/remote",
        ),
        (
            json!({"paymenttransactions": vec![json!({"method": "cash", "price": 1}); 21]}),
            "/0/paymenttransactions",
        ),
    ];
    for (change, pointer) in wrong {
        let said = said::<SaleItem>(&with(good.clone(), &change));
        assert_eq!(said, (Status::Invalid, vec![pointer.to_owned()]), "{change}");
    }
    assert_eq!(said::<SaleItem>(&json!({"remote": 1})).1, ["/0/occurredAt"]);
    // A clock that was never set is told, and what it brings counts for when it comes.
    for unset in ["1970-01-01T00:00:00Z", "2000-01-01T00:05:00Z", "2010-01-01T00:00:00Z"] {
        let nested = json!([{"method": "cash", "price": 1, "occurredAt": unset}]);
        let item = with(good.clone(), &json!({"occurredAt": unset, "paymenttransactions": nested}));
        assert_eq!(said::<SaleItem>(&item), (Status::Created, vec!["/0/occurredAt".to_owned()]));
        let now = at("2026-06-01T10:00:00Z");
        let batch = Batch::<SaleItem>::read(&[to_raw_value(&item).unwrap()], now);
        let item = &batch.items[0].1;
        assert_eq!((item.occurred_at.0, item.paymenttransactions[0].occurred_at), (now, None));
    }
    assert_eq!(said::<SaleItem>(&json!([1])).1, ["/0"]);
}

#[test]
fn an_event_lasts_from_its_beginning_to_its_end() {
    let good = json!({"remote": 1, "code": "E42", "occurredAt": "2026-06-01T09:00:00Z"});
    let lasts = |change: Value| {
        let item: EventItem = serde_json::from_value(with(good.clone(), &change)).unwrap();
        let event = item.event();
        (event.duration, event.resolved_at.map(|end| end.to_rfc3339()))
    };
    assert_eq!(lasts(json!({})), (None, None));
    let end = Some("2026-06-01T09:01:00+00:00".to_owned());
    assert_eq!(lasts(json!({"duration": 60})), (Some(60), end.clone()));
    assert_eq!(lasts(json!({"resolvedAt": "2026-06-01T11:01:00+02:00"})), (Some(60), end));
    for (change, pointer) in [
        (json!({"resolvedAt": "2026-06-01T08:59:59Z"}), "/0/resolvedAt"),
        (json!({"resolvedAt": "2026-07-01T00:00:00Z"}), "/0/resolvedAt"),
        (json!({"duration": 1_000_000_000}), "/0/duration"),
        (json!({"type": 4}), "/0/type"),
        (json!({"extraData": "\u{0}"}), "/0/extraData"),
        (json!({"extraData": vec![json!("x".repeat(100)); 100]}), "/0/extraData"),
    ] {
        assert_eq!(said::<EventItem>(&with(good.clone(), &change)).1, [pointer], "{change}");
    }
    let item: EventItem = serde_json::from_value(with(good, &json!({"extraData": {"b": [1]}}))).unwrap();
    assert_eq!(item.extra_text().as_deref(), Some("{\"b\":[1]}"));
}
