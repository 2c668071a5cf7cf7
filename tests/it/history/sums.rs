//! Sums are those of the sales, whatever zone, day and currency they belong to.

use super::run;
use crate::app::TestApp;
use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A sale as it was, without the sums.
#[derive(Clone, Debug)]
struct Sale {
    machine: i64,
    at: DateTime<Utc>,
    name: &'static str,
    price: i64,
    currency: &'static str,
}

impl Sale {
    /// Machines 21 and 22 are in Amsterdam, 41 and 42 in New York.
    fn zone(&self) -> Tz {
        if self.machine < 40 { chrono_tz::Europe::Amsterdam } else { chrono_tz::America::New_York }
    }

    fn local(&self) -> NaiveDateTime {
        self.at.with_timezone(&self.zone()).naive_local()
    }
}

/// New Year's morning in Amsterdam, when New York is still in the last: on a Friday, so that the week,
/// the month and the year begin apart.
const NOW: &str = "2027-01-01T03:00:00Z";

/// Around now, around both days on which clocks are set back, and over the year.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let around = |text: &str, hours: i64| {
        let middle: DateTime<Utc> = text.parse().unwrap();
        (-hours * 3_600..hours * 3_600).prop_map(move |seconds| middle + Duration::seconds(seconds))
    };
    prop_oneof![
        around("2026-12-31T12:00:00Z", 15),
        around("2026-12-29T00:00:00Z", 100),
        around("2026-10-25T01:00:00Z", 3),
        around("2026-11-01T06:00:00Z", 3),
        around("2026-03-29T01:00:00Z", 30),
        around("2026-08-01T00:00:00Z", 3_700),
    ]
}

fn sales() -> impl Strategy<Value = Vec<Sale>> {
    let machine = prop::sample::select(vec![21, 22, 41, 42]);
    let name = prop::sample::select(vec!["Cola", "Thee", "Koffie", "Soep"]);
    let currency = prop::sample::select(vec!["EUR", "EUR", "USD"]);
    let sale = (machine, instants(), name, -50_i64..500, currency)
        .prop_map(|(machine, at, name, price, currency)| Sale { machine, at, name, price, currency });
    prop::collection::vec(sale, 300)
}

async fn insert(test: &TestApp, sales: &[Sale]) {
    let sql = "INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price,
                   original_price, currency)
               SELECT s.machine, m.location, m.user_group, s.at, l.time_zone, s.name, s.price, s.price, s.currency
               FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::text[])
                   AS s(machine, at, name, price, currency)
               JOIN machine m ON m.id = s.machine JOIN location l ON l.id = m.location";
    sqlx::query(sql)
        .bind(sales.iter().map(|sale| sale.machine).collect::<Vec<_>>())
        .bind(sales.iter().map(|sale| sale.at).collect::<Vec<_>>())
        .bind(sales.iter().map(|sale| sale.name).collect::<Vec<_>>())
        .bind(sales.iter().map(|sale| sale.price).collect::<Vec<_>>())
        .bind(sales.iter().map(|sale| sale.currency).collect::<Vec<_>>())
        .execute(&test.app.db)
        .await
        .unwrap();
}

/// Adds up pieces and revenue by a key.
fn added<K: Ord>(sales: &[Sale], key: impl Fn(&Sale) -> Option<K>) -> BTreeMap<K, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for sale in sales {
        let Some(key) = key(sale) else { continue };
        let sum: &mut (i64, i64) = sums.entry(key).or_default();
        *sum = (sum.0 + 1, sum.1 + sale.price);
    }
    sums
}

/// Without rates.
fn summary(sales: &[Sale], first: NaiveDate, last: NaiveDate) -> Value {
    let by_day = added(sales, |sale| {
        let date = sale.local().date();
        (first..=last).contains(&date).then_some((sale.currency, date))
    });
    let mut summary: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for ((currency, date), (_, revenue)) in by_day {
        summary.entry(currency).or_default().push(json!({
            "currency": currency, "currencyRate": 1.0, "date": date, "orginalValue": revenue, "value": revenue
        }));
    }
    json!(summary)
}

fn bestselling(sales: &[Sale], first: NaiveDate, last: NaiveDate, amount: usize) -> Value {
    let sold = added(sales, |sale| {
        let date = sale.local().date();
        (first..=last).contains(&date).then_some((date, sale.name))
    });
    let mut days: BTreeMap<NaiveDate, Vec<(i64, &str)>> = BTreeMap::new();
    for ((date, name), (pieces, _)) in sold {
        days.entry(date).or_default().push((-pieces, name));
    }
    let mut products: BTreeMap<&str, Vec<(NaiveDate, i64)>> = BTreeMap::new();
    for (date, mut best) in days {
        best.sort_unstable();
        for (pieces, name) in best.into_iter().take(amount) {
            products.entry(name).or_default().push((date, -pieces));
        }
    }
    let mut products: Vec<_> = products.into_iter().collect();
    products.sort_by_key(|(_, days)| -days.iter().map(|(_, pieces)| pieces).sum::<i64>());
    let shown = products.into_iter().map(|(name, days)| {
        let values: Vec<Value> =
            days.iter().map(|(date, pieces)| json!({"date": date, "value": pieces})).collect();
        json!({"name": name, "values": values})
    });
    shown.collect()
}

/// Whether a day is in the same period as today; the last finds a week's Monday.
type Holds = fn(NaiveDate, NaiveDate, &dyn Fn(NaiveDate) -> NaiveDate) -> bool;

fn periods(sales: &[Sale], now: DateTime<Utc>) -> Value {
    let here = |sale: &Sale| now.with_timezone(&sale.zone()).date_naive();
    let monday = |date: NaiveDate| date - Days::new(u64::from(date.weekday().num_days_from_monday()));
    let kinds: [(&str, Holds); 4] = [
        ("day", |day, today, _| day == today),
        ("week", |day, today, monday| monday(day) == monday(today)),
        ("month", |day, today, _| (day.year(), day.month()) == (today.year(), today.month())),
        ("year", |day, today, _| day.year() == today.year()),
    ];
    let sums = kinds.map(|(name, holds)| {
        let sums =
            added(sales, |sale| holds(sale.local().date(), here(sale), &monday).then_some(sale.currency));
        (name, sums)
    });
    let mut periods = BTreeMap::new();
    for currency in ["EUR", "USD"] {
        if sums.iter().all(|(_, sums)| !sums.contains_key(currency)) {
            continue;
        }
        let shown: serde_json::Map<String, Value> = sums
            .iter()
            .map(|(name, sums)| {
                let (products, revenue) = sums.get(currency).copied().unwrap_or_default();
                ((*name).to_owned(), json!({"currency": currency, "products": products, "revenue": revenue}))
            })
            .collect();
        periods.insert(currency, vec![shown]);
    }
    json!(periods)
}

fn heatmap(sales: &[Sale], now: DateTime<Utc>) -> Value {
    let hours = added(sales, |sale| {
        let today = now.with_timezone(&sale.zone()).date_naive();
        let local = sale.local();
        let first = today - Months::new(3);
        let hour = (local.weekday().number_from_monday(), local.hour(), sale.currency);
        (first..=today).contains(&local.date()).then_some(hour)
    });
    let shown = hours.into_iter().map(|((day, hour, currency), (count, total))| {
        json!({"day": day, "hour": hour, "count": count, "total": total, "currency": currency})
    });
    shown.collect()
}

#[tokio::test]
async fn sums_equal_what_the_sales_add_up_to() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let root = test.user("root").await;
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let mut random = TestRunner::default();
    for round in 0..4 {
        let sales = sales().new_tree(&mut random).unwrap().current();
        run(&test, "TRUNCATE revenue_transaction, sales_rollup").await;
        insert(&test, &sales).await;
        let (first, last) =
            if round % 2 == 0 { ("2026-10-20", "2026-11-03") } else { ("2026-03-01", "2027-01-01") };
        let days = (first.parse().unwrap(), last.parse().unwrap());
        let only = |machines: &[i64]| -> Vec<Sale> {
            sales.iter().filter(|sale| machines.contains(&sale.machine)).cloned().collect()
        };
        for (query, sales) in [
            ("", sales.clone()),
            ("machines[]=21&machines[]=42", only(&[21, 42])),
            ("locations[]=4", only(&[41, 42])),
            ("machines=22&locations=4", Vec::new()),
        ] {
            let get = async |what: &str, more: &str| {
                root.get(&format!("/revenuetransaction/{what}?{query}&{more}")).await.expect(200)
            };
            let span = format!("startDate={first}&endDate={last}T12:00:00-05:00");
            let context = format!("{query} of {sales:?}");
            assert_eq!(get("summary", &span).await, summary(&sales, days.0, days.1), "{context}");
            let best = get("bestselling", &format!("{span}&amount=2")).await;
            assert_eq!(best, bestselling(&sales, days.0, days.1, 2), "{context}");
            assert_eq!(get("periods", "").await, periods(&sales, now), "{context}");
            assert_eq!(get("heatmap", "").await, heatmap(&sales, now), "{context}");
        }
    }
}

#[tokio::test]
async fn revenue_is_converted_by_the_rate_of_its_day_and_bad_queries_are_refused() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let (root, a, b) = (test.user("root").await, test.user("a").await, test.user("b").await);
    let sale = |at: &str, machine, price, currency| Sale {
        machine,
        at: at.parse().unwrap(),
        name: "Cola",
        price,
        currency,
    };
    let sales = [
        sale("2026-05-01T12:00:00Z", 21, 1_000, "USD"),
        sale("2026-05-02T12:00:00Z", 21, 1_000, "USD"),
        sale("2026-05-03T12:00:00Z", 21, 500, "JPY"),
        sale("2026-05-03T12:00:00Z", 21, 700, "EUR"),
        sale("2026-05-03T12:00:00Z", 41, 300, "USD"),
    ];
    insert(&test, &sales).await;
    let rate = |currency: i64, rate: f64, from: &str| json!({"currency": currency, "base": 978, "rate": rate, "validFrom": from});
    root.post("/currencyrate", rate(840, 0.8, "2026-01-01")).await.expect(201);
    root.post("/currencyrate", rate(392, 0.00625, "2026-01-01")).await.expect(201);
    root.post("/currencyrate", rate(392, 0.00625, "2026-01-01")).await.expect(409);
    let own = a.post("/currencyrate", rate(840, 0.9215, "2026-05-02")).await.expect(201)["id"].clone();
    let shown = a.get(&format!("/currencyrate/{own}")).await.expect(200);
    assert_eq!((&shown["rate"], &shown["validFrom"]), (&json!(0.9215), &json!("2026-05-02")));
    for (body, pointer) in [
        (rate(840, 0.0, "2026-01-01"), "/rate"),
        (rate(840, -1.0, "2026-01-01"), "/rate"),
        (rate(840, 1.0, "2026-02-30"), "/validFrom"),
        (rate(840, 1.0, "2026-02-03T00:00:00Z"), "/validFrom"),
        (rate(1, 1.0, "2026-01-01"), "/currency"),
    ] {
        a.post("/currencyrate", body).await.expect_problem(422, pointer);
    }
    b.put(&format!("/currencyrate/{own}"), json!({"rate": 2})).await.expect(404);

    let span = "startDate=2026-05-01&endDate=2026-05-03";
    let path = format!("/revenuetransaction/summary?{span}");
    let row = |currency: &str, rate: f64, date: &str, original: i64, value: i64| json!({"currency": currency, "currencyRate": rate, "date": date, "orginalValue": original, "value": value});
    assert_eq!(
        a.get(&path).await.expect(200),
        json!({
            "EUR": [row("EUR", 1.0, "2026-05-03", 700, 700)],
            "JPY": [row("EUR", 0.00625, "2026-05-03", 500, 313)],
            "USD": [row("EUR", 0.8, "2026-05-01", 1_000, 800), row("EUR", 0.9215, "2026-05-02", 1_000, 922)]
        })
    );
    let of_b = b.get(&path).await.expect(200);
    assert_eq!(of_b, json!({"USD": [row("EUR", 0.8, "2026-05-03", 300, 240)]}));
    // A machine that has moved to another group keeps its history where it was.
    run(&test, "UPDATE machine SET user_group = 2, location = 2 WHERE id = 41").await;
    assert_eq!(b.get(&path).await.expect(200), of_b);

    for (query, pointer) in [
        ("summary?endDate=2026-05-01", "/startDate"),
        ("summary?startDate=2026-05-01", "/endDate"),
        ("summary?startDate=soon&endDate=2026-05-01", "/startDate"),
        ("summary?startDate=2026-05-02&endDate=2026-05-01", "/endDate"),
        ("bestselling?startDate=2026-05-01&endDate=2026-05-01&amount=101", "/amount"),
        ("periods?machines[]=42", "/machines/0"),
        ("periods?locations=4", "/locations/0"),
        ("heatmap?machines=x", "/machines"),
        ("heatmap?day=1", "/day"),
        ("heatmap?machines=99999999999999999999", "/machines"),
    ] {
        a.get(&format!("/revenuetransaction/{query}")).await.expect_problem(400, pointer);
    }
}
