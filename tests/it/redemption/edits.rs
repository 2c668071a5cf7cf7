//! An edit of terms is no reset: what was used in the running period stays used, and a rollback gives it back in
//! full, whatever was edited in between.

use super::{Made, Shop, gist};
use crate::world;
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use scrip::redemption::period::{Calendar, Former, History, Schedule};
use serde_json::{Value, json};
use sqlx::types::Json;

const DEVICE: &str = "vm-a-1";

/// When vouchers are made: three weeks later, a day, a week and a month have begun that are younger than they are.
const MADE_AT: &str = "2026-05-20T10:00:00Z";

/// With Redis and without.
async fn shops() -> [Shop; 2] {
    let without = crate::app::TestApp::builder().stopped_at(MADE_AT).without_redis();
    [Shop::at(MADE_AT).await.with_redis().await, Shop::on(without).await]
}

/// A voucher that follows a campaign with these terms.
async fn inheriting(shop: &Shop, code: &str, terms: Value) -> Made {
    let campaign = shop.campaign(world::A, terms).await;
    shop.inheriting(campaign, code).await
}

/// Replaces a gift's terms; `change` goes over what they are.
async fn replace(shop: &Shop, made: &Made, change: Value) {
    let read = shop.read(made).await;
    let fields = ["type", "value", "redemptionLimit", "resetFrequency", "timeZone"];
    let mut terms = json!({"campaign": made.campaign, "validationRules": []});
    for field in fields {
        terms[field] = read[field].clone();
    }
    let path = format!("/voucher/{}", made.id);
    shop.owner.put(&path, super::merged(terms, &change)).await.expect(200);
    shop.heed(made).await;
    shop.pass(Duration::seconds(1));
}

/// Changes a campaign's terms.
async fn change_campaign(shop: &Shop, made: &Made, change: Value) {
    shop.change_campaign(made.campaign, change).await;
    shop.heed(made).await;
    shop.pass(Duration::seconds(1));
}

async fn counters(shop: &Shop, made: &Made) -> [i64; 5] {
    let read = shop.read(made).await;
    ["balance", "redemptionCount", "amountRedeemed", "totalRedemptionCount", "totalAmountRedeemed"]
        .map(|field| read[field].as_i64().unwrap())
}

#[tokio::test]
async fn a_rollback_after_any_edit_gives_back_in_full() {
    let edits = [
        json!({"resetFrequency": "never"}),
        json!({"resetFrequency": "day"}),
        json!({"resetFrequency": "week"}),
        json!({"resetFrequency": "month"}),
        json!({"timeZone": "America/New_York"}),
        json!({"timeZone": "Pacific/Auckland"}),
        json!({"redemptionLimit": 7}),
        json!({"redemptionLimit": null}),
        json!({"resetFrequency": "day", "timeZone": "Asia/Tokyo", "redemptionLimit": 1}),
    ];
    for shop in shops().await {
        let mut cases = Vec::new();
        for (nth, from) in ["never", "day", "month"].into_iter().enumerate() {
            for (at, edit) in edits.iter().enumerate() {
                let terms = |value: &str| json!({"type": "gift", value: 100, "resetFrequency": from, "redemptionLimit": 5});
                let own = shop.made(terms("value")).await;
                let inherited = inheriting(&shop, &format!("EDIT-{nth}-{at}"), terms("voucherValue")).await;
                cases.extend([(from, edit, own, true), (from, edit, inherited, false)]);
            }
        }
        shop.pass(Duration::days(21));
        for (from, edit, made, own) in &cases {
            let context = format!("{from} {edit} {}", made.code);
            shop.spend(DEVICE, &made.code, "1", 30).await;
            shop.spend(DEVICE, &made.code, "2", 50).await;
            if *own {
                replace(&shop, made, (*edit).clone()).await;
            } else {
                change_campaign(&shop, made, (*edit).clone()).await;
            }
            assert_eq!(counters(&shop, made).await, [20, 2, 80, 2, 80], "{context}");
            assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], 20, "{context}");
            assert_eq!(shop.roll_back(DEVICE, &made.code, "2").await["voucherValue"], 70, "{context}");
            assert_eq!(shop.roll_back(DEVICE, &made.code, "1").await["voucherValue"], 100, "{context}");
            assert_eq!(counters(&shop, made).await, [100, 0, 0, 0, 0], "{context}");
            assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], 100, "{context}");
        }
        assert_eq!(shop.differences().await, []);
    }
}

#[tokio::test]
async fn a_value_moves_the_balance_and_a_rollback_gives_back_in_full() {
    for shop in shops().await {
        let made = shop.made(json!({"type": "gift", "value": 100, "resetFrequency": "week"})).await;
        shop.pass(Duration::days(21));
        shop.spend(DEVICE, &made.code, "1", 30).await;
        shop.amend(&made, json!({"value": 250})).await;
        replace(&shop, &made, json!({"resetFrequency": "day"})).await;
        shop.spend(DEVICE, &made.code, "2", 200).await;
        assert_eq!(counters(&shop, &made).await, [20, 2, 230, 2, 230]);
        let less = json!({"campaign": made.campaign, "value": 229});
        shop.owner.patch(&format!("/voucher/{}", made.id), less).await.expect_problem(422, "/value");
        shop.amend(&made, json!({"value": 230})).await;
        assert_eq!(counters(&shop, &made).await, [0, 2, 230, 2, 230]);
        assert_eq!(shop.roll_back(DEVICE, &made.code, "1").await["voucherValue"], 30);
        assert_eq!(shop.roll_back(DEVICE, &made.code, "2").await["voucherValue"], 230);
        assert_eq!(shop.differences().await, []);
    }
}

#[tokio::test]
async fn a_campaigns_new_calendar_fills_no_card_before_its_first_start() {
    for shop in shops().await {
        let terms = json!({"type": "gift", "voucherValue": 100});
        let made = inheriting(&shop, "CARD", terms).await;
        shop.pass(Duration::days(21));
        shop.spend(DEVICE, "CARD", "1", 100).await;
        for (frequency, end) in [("month", "2026-06-30T21:59:59Z"), ("week", "2026-07-05T21:59:59Z")] {
            change_campaign(&shop, &made, json!({"resetFrequency": frequency})).await;
            for now in [None, Some(end)] {
                if let Some(end) = now {
                    shop.pass(end.parse::<DateTime<Utc>>().unwrap() - shop.app().clock.now());
                }
                assert_eq!(
                    shop.validate(DEVICE, "CARD").await["reason"],
                    "insufficient_balance",
                    "{frequency}"
                );
                let refused = shop.spend(DEVICE, "CARD", "2", 1).await;
                assert_eq!(gist(&refused), json!([false, "insufficient_balance", 0, 0]), "{frequency}");
                assert_eq!(counters(&shop, &made).await[..2], [0, 1], "{frequency}");
                let campaign = shop.owner.get(&format!("/campaign/{}", made.campaign)).await.expect(200);
                assert_ne!(campaign["lastResetAt"], "2026-05-31T22:00:00Z", "{frequency}");
            }
            shop.pass(Duration::seconds(1));
            assert_eq!(counters(&shop, &made).await[..2], [100, 0], "{frequency}");
            assert_eq!(shop.validate(DEVICE, "CARD").await["voucherValue"], 100, "{frequency}");
            shop.spend(DEVICE, "CARD", frequency, 100).await;
        }
        assert_eq!(shop.differences().await, []);
    }
}

#[tokio::test]
async fn a_reset_that_was_due_before_an_edit_has_happened() {
    for shop in shops().await {
        let day = json!({"type": "gift", "voucherValue": 100, "resetFrequency": "day"});
        let inherited = inheriting(&shop, "UNSEEN", day).await;
        let own = shop.made(json!({"type": "gift", "value": 100, "resetFrequency": "day"})).await;
        shop.pass(Duration::days(21));
        for made in [&inherited, &own] {
            shop.spend(DEVICE, &made.code, "1", 60).await;
        }
        shop.pass(Duration::days(1));
        // Nobody looks at them before the next edit, nor after it.
        for change in [json!({"resetFrequency": "never"}), json!({"timeZone": "Asia/Tokyo"})] {
            change_campaign(&shop, &inherited, change.clone()).await;
            let terms =
                json!({"campaign": own.campaign, "type": "gift", "value": 100, "validationRules": []});
            let path = format!("/voucher/{}", own.id);
            shop.owner.put(&path, super::merged(terms, &change)).await.expect(200);
            shop.heed(&own).await;
            shop.pass(Duration::hours(3));
        }
        for made in [&inherited, &own] {
            assert_eq!(counters(&shop, made).await, [100, 0, 0, 1, 60]);
            assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], 100);
            assert_eq!(shop.roll_back(DEVICE, &made.code, "1").await["voucherValue"], 100);
            assert_eq!(counters(&shop, made).await, [100, 0, 0, 0, 0]);
            assert_eq!(shop.spend(DEVICE, &made.code, "2", 70).await["voucherValue"], 30);
            assert_eq!(shop.roll_back(DEVICE, &made.code, "2").await["voucherValue"], 100);
        }
        assert_eq!(shop.differences().await, []);
    }
}

#[tokio::test]
async fn what_was_given_back_after_a_reset_changes_the_totals_alone() {
    for shop in shops().await {
        let terms = json!({"type": "gift", "voucherValue": 100});
        let made = inheriting(&shop, "LATE", terms).await;
        shop.pass(Duration::days(21));
        shop.spend(DEVICE, "LATE", "1", 60).await;
        change_campaign(&shop, &made, json!({"resetFrequency": "day"})).await;
        assert_eq!(shop.spend(DEVICE, "LATE", "2", 40).await["voucherValue"], 0);
        shop.pass(Duration::days(1));
        shop.spend(DEVICE, "LATE", "3", 10).await;
        change_campaign(&shop, &made, json!({"resetFrequency": "never"})).await;
        for (order, totals) in [("1", [2, 50]), ("2", [1, 10])] {
            assert_eq!(shop.roll_back(DEVICE, "LATE", order).await["voucherValue"], 90);
            assert_eq!(counters(&shop, &made).await, [90, 1, 10, totals[0], totals[1]]);
        }
        assert_eq!(shop.roll_back(DEVICE, "LATE", "3").await["voucherValue"], 100);
        assert_eq!(shop.differences().await, []);
    }
}

/// Lists filter by the values that rows show.
#[tokio::test]
async fn postgres_and_the_server_agree_on_the_last_reset() {
    const SQL: &str = "
        SELECT last_reset(own_reset, own_zone, terms_since, reset, zone, calendar_since, former, at)
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[],
                    $8::timestamptz[]) WITH ORDINALITY
             AS one(own_reset, own_zone, terms_since, reset, zone, calendar_since, former, at, nth)
        ORDER BY nth";
    const CASES: usize = 4_000;
    // Some zones put their clocks back or forward at midnight.
    let zones =
        ["Europe/Amsterdam", "America/New_York", "America/Havana", "Africa/Cairo", "America/Santiago", "UTC"];
    let words = ["day", "week", "month", "never"];
    let mut rng = StdRng::seed_from_u64(7);
    let from = "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let mut rows = Vec::new();
    for _ in 0..CASES {
        let mut calendar = || {
            let of = json!({"reset": words[rng.random_range(0..4)], "zone": zones[rng.random_range(0..6)]});
            serde_json::from_value::<Calendar>(of).unwrap()
        };
        let (present, own, others) = (calendar(), calendar(), [calendar(), calendar(), calendar()]);
        let mut history = History::default();
        let mut now = from + Duration::minutes(rng.random_range(0..400 * 24 * 60));
        for other in &others[..rng.random_range(0..4)] {
            history = history.after(*other, now);
            now += Duration::minutes(rng.random_range(0..3 * 24 * 60));
        }
        let terms_since =
            (rng.random_range(0..3) == 0).then(|| now - Duration::hours(rng.random_range(0..99)));
        let own_reset = (rng.random_range(0..4) == 0).then_some(own.reset);
        let own_zone = (rng.random_range(0..4) == 0).then_some(own.zone);
        rows.push((own_reset, own_zone, terms_since, present, history, now));
    }
    let word =
        |calendar: &Calendar| serde_json::to_value(calendar).unwrap()["reset"].as_str().unwrap().to_owned();
    let former = |history: &History| -> Json<Vec<Former>> { Json(history.former.clone()) };
    let resets: Vec<_> =
        rows.iter().map(|row| row.0.map(|reset| word(&Calendar { reset, zone: row.3.zone }))).collect();
    let shop = Shop::without_redis().await;
    let found: Vec<DateTime<Utc>> = sqlx::query_scalar(SQL)
        .bind(resets)
        .bind(rows.iter().map(|row| row.1.map(Tz::name)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| word(&row.3)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.3.zone.name()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.4.since).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| former(&row.4)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.5).collect::<Vec<_>>())
        .fetch_all(&shop.app().db)
        .await
        .unwrap();
    let expected = rows.iter().map(|(own_reset, own_zone, terms_since, calendar, history, now)| {
        let (own_reset, own_zone, calendar) = (*own_reset, *own_zone, *calendar);
        let terms_since = terms_since.unwrap_or_default();
        Schedule { own_reset, own_zone, terms_since, calendar, history }.last_reset(*now)
    });
    for ((row, expected), found) in rows.iter().zip(expected).zip(found) {
        assert_eq!(found, expected, "{row:?}");
    }
}
