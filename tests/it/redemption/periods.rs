//! Days, weeks and months in the voucher's zone, over changes of the clocks; and the last day.

use super::{Shop, gist};
use chrono::{DateTime, Duration, Utc};
use serde_json::json;

const DEVICE: &str = "vm-a-1";

/// The last millisecond of a period, by zone and frequency.
const ENDS: [(&str, &str, &str, &str); 12] = [
    // The day with 23 hours, and the one with 25.
    ("Europe/Amsterdam", "day", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999Z"),
    ("Europe/Amsterdam", "day", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999Z"),
    ("America/New_York", "day", "2026-03-08T05:00:00Z", "2026-03-09T03:59:59.999Z"),
    ("America/New_York", "day", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999Z"),
    // ISO weeks begin on Mondays.
    ("Europe/Amsterdam", "week", "2026-03-22T23:00:00Z", "2026-03-29T21:59:59.999Z"),
    ("Europe/Amsterdam", "week", "2026-10-18T22:00:00Z", "2026-10-25T22:59:59.999Z"),
    ("America/New_York", "week", "2026-03-02T05:00:00Z", "2026-03-09T03:59:59.999Z"),
    ("America/New_York", "week", "2026-12-28T05:00:00Z", "2027-01-04T04:59:59.999Z"),
    ("Europe/Amsterdam", "month", "2026-02-28T23:00:00Z", "2026-03-31T21:59:59.999Z"),
    ("Europe/Amsterdam", "month", "2026-09-30T22:00:00Z", "2026-10-31T22:59:59.999Z"),
    ("America/New_York", "month", "2026-03-01T05:00:00Z", "2026-04-01T03:59:59.999Z"),
    ("America/New_York", "month", "2028-02-01T05:00:00Z", "2028-03-01T04:59:59.999Z"),
];

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn counters_and_balances_start_again_at_local_midnight() {
    let shop = Shop::new().await.with_redis().await;
    for (zone, frequency, start, end) in ENDS {
        shop.pass(instant(start) - shop.app().clock.now());
        let terms = json!({"timeZone": zone, "resetFrequency": frequency, "redemptionLimit": 1});
        let discount = shop.made(terms).await;
        let terms = json!({"timeZone": zone, "resetFrequency": frequency, "type": "gift", "value": 100});
        let gift = shop.made(terms).await;
        let context = format!("{zone} {frequency} {start}");
        assert_eq!(shop.redeem(DEVICE, &discount.code, "1").await["redeemed"], true, "{context}");
        assert_eq!(shop.spend(DEVICE, &gift.code, "1", 60).await["voucherValue"], 40, "{context}");
        shop.pass(instant(end) - shop.app().clock.now());
        assert_eq!(shop.redeem(DEVICE, &discount.code, "2").await["redeemed"], false, "{context}");
        assert_eq!(shop.validate(DEVICE, &gift.code).await["voucherValue"], 40, "{context}");
        assert_eq!(shop.spend(DEVICE, &gift.code, "2", 60).await["redeemed"], false, "{context}");
        shop.pass(Duration::milliseconds(1));
        assert_eq!(shop.validate(DEVICE, &discount.code).await["valid"], true, "{context}");
        assert_eq!(shop.validate(DEVICE, &gift.code).await["voucherValue"], 100, "{context}");
        assert_eq!(shop.redeem(DEVICE, &discount.code, "2").await["redeemed"], true, "{context}");
        assert_eq!(shop.spend(DEVICE, &gift.code, "2", 60).await["voucherValue"], 40, "{context}");
        let read = shop.read(&gift).await;
        let expected = json!([1, 60, 2, 120, 40]);
        let found = json!([
            read["redemptionCount"],
            read["amountRedeemed"],
            read["totalRedemptionCount"],
            read["totalAmountRedeemed"],
            read["balance"]
        ]);
        assert_eq!(found, expected, "{context}");
        assert_eq!(instant(read["lastResetAt"].as_str().unwrap()), instant(end) + Duration::milliseconds(1));
    }
}

#[tokio::test]
async fn a_date_is_good_to_the_end_of_its_day_in_its_zone() {
    let shop = Shop::new().await.with_redis().await;
    for (zone, date, start, end) in [
        ("Europe/Amsterdam", "2026-03-29", "2026-03-29T10:00:00Z", "2026-03-29T21:59:59.999Z"),
        ("America/New_York", "2026-03-29", "2026-03-29T10:00:00Z", "2026-03-30T03:59:59.999Z"),
        ("Europe/Amsterdam", "2026-12-31", "2026-10-25T10:00:00Z", "2026-12-31T22:59:59.999Z"),
        ("Pacific/Auckland", "2026-12-31", "2026-10-25T10:00:00Z", "2026-12-31T10:59:59.999Z"),
    ] {
        shop.pass(instant(start) - shop.app().clock.now());
        let made = shop.made(json!({"timeZone": zone, "expiresOn": date, "redemptionLimit": 2})).await;
        shop.pass(instant(end) - shop.app().clock.now());
        assert_eq!(shop.lock(DEVICE, &made.code, 60).await["valid"], true, "{zone} {date}");
        assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["redeemed"], true, "{zone} {date}");
        shop.pass(Duration::milliseconds(1));
        assert_eq!(shop.lock(DEVICE, &made.code, 60).await["reason"], "expired", "{zone} {date}");
        assert_eq!(shop.redeem(DEVICE, &made.code, "2").await["reason"], "expired", "{zone} {date}");
    }
}

#[tokio::test]
async fn a_lock_over_midnight_holds_into_the_new_period() {
    let shop = Shop::at("2026-10-25T22:59:50Z").await.with_redis().await;
    let made = shop.made(json!({"resetFrequency": "day", "redemptionLimit": 1})).await;
    shop.redeem(DEVICE, &made.code, "1").await;
    assert_eq!(shop.lock(DEVICE, &made.code, 30).await["reason"], "redemption_limit_reached");
    shop.pass(Duration::seconds(10));
    assert_eq!(shop.lock(DEVICE, &made.code, 30).await["valid"], true);
    assert_eq!(shop.redeem("vm-a-2", &made.code, "1").await["reason"], "locked");
    let gift = shop.made(json!({"resetFrequency": "day", "type": "gift", "value": 10})).await;
    shop.pass(Duration::hours(24) - Duration::seconds(10));
    shop.lock(DEVICE, &gift.code, 30).await;
    shop.pass(Duration::seconds(15));
    assert_eq!(shop.validate("vm-a-2", &gift.code).await["reason"], "locked");
    assert_eq!(gist(&shop.spend(DEVICE, &gift.code, "1", 10).await), json!([true, null, 10, 0]));
}

#[tokio::test]
async fn a_rollback_gives_back_to_the_period_of_its_redemption() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let terms = json!({"type": "gift", "value": 100, "resetFrequency": "day", "redemptionLimit": 2});
        let made = shop.made(terms).await;
        shop.spend(DEVICE, &made.code, "old", 30).await;
        shop.spend(DEVICE, &made.code, "older", 50).await;
        shop.pass(Duration::days(1));
        // Nobody has looked at it since: its row still tells of yesterday.
        let undone = shop.roll_back(DEVICE, &made.code, "old").await;
        assert_eq!(undone["voucherValue"], 100);
        assert_eq!(shop.roll_back(DEVICE, &made.code, "old").await, undone);
        assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], 100);
        shop.spend(DEVICE, &made.code, "new", 80).await;
        assert_eq!(shop.roll_back(DEVICE, &made.code, "older").await["voucherValue"], 20);
        let read = shop.read(&made).await;
        let fields =
            ["balance", "redemptionCount", "amountRedeemed", "totalRedemptionCount", "totalAmountRedeemed"];
        assert_eq!(fields.map(|field| read[field].as_i64().unwrap()), [20, 1, 80, 1, 80]);
        assert_eq!(shop.roll_back(DEVICE, &made.code, "new").await["voucherValue"], 100);
    }
}
