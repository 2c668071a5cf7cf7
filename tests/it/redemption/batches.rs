//! What becomes of a batch of the journal as a whole: entries that are handed over at once.

use super::{Made, Shop};
use chrono::{DateTime, TimeDelta};
use futures_util::future::join_all;
use scrip::redemption::{
    code::Code,
    journal::{Entry, Outcome, fingerprint, idempotency_key},
};
use serde_json::json;
use tokio::{task::unconstrained, time::Instant};

const ENTERED: Outcome = Outcome::Entered { voucher_value: 100 };

/// An order of 2.50 at machine 21, by what a voucher's row says.
async fn entry(shop: &Shop, made: &Made, order_id: &str) -> Entry {
    let (version, campaign_version) = sqlx::query_as(
        "SELECT v.version, c.version FROM voucher v JOIN campaign c ON c.id = v.campaign WHERE v.id::text = $1",
    )
    .bind(&made.id)
    .fetch_one(&shop.app().db)
    .await
    .unwrap();
    Entry {
        key: idempotency_key(&Code::parse(&made.code).unwrap(), true, 21, order_id),
        fingerprint: fingerprint(250, None, []),
        voucher: made.id.parse().unwrap(),
        version,
        campaign: made.campaign,
        campaign_version,
        campaign_type: "dynamic",
        machine: 21,
        location: 2,
        requester: "vm-a-1".to_owned(),
        order_id: order_id.to_owned(),
        order_amount: 250,
        amount_off: 100,
        value: 100,
        limit: None,
        initial: None,
        period: DateTime::UNIX_EPOCH,
        ended: None,
        currency: "EUR".into(),
        request: "{}".to_owned(),
        now: shop.app().clock.now(),
        since: Instant::now(),
    }
}

/// Hands entries over before the lane has its turn: they are one batch.
async fn at_once(shop: &Shop, entries: Vec<Entry>) -> Vec<Outcome> {
    let submitted = entries.into_iter().map(|entry| shop.app().journal.submit(entry, None));
    unconstrained(join_all(submitted)).await.into_iter().map(Result::unwrap).collect()
}

/// How many transactions entered these orders, and how many of them there are.
async fn transactions(shop: &Shop, orders: &[&str]) -> (i64, i64) {
    sqlx::query_as("SELECT count(DISTINCT xmin::text), count(*) FROM redemption WHERE order_id = ANY ($1)")
        .bind(orders)
        .fetch_one(&shop.app().db)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_known_order_leaves_the_others_of_its_batch_together() {
    let shop = Shop::without_redis().await;
    let mut vouchers = Vec::new();
    for _ in 0..3 {
        vouchers.push(shop.made(json!({})).await);
    }
    let [known, other, another] = &vouchers[..] else { unreachable!() };
    assert_eq!(at_once(&shop, vec![entry(&shop, known, "first").await]).await, [ENTERED]);
    // The second batch comes while known orders are looked for, the third when one had none.
    for (a, b) in [("1", "2"), ("3", "4"), ("5", "6")] {
        let entries = vec![
            entry(&shop, other, a).await,
            entry(&shop, known, "first").await,
            entry(&shop, another, b).await,
        ];
        assert_eq!(at_once(&shop, entries).await, [ENTERED, Outcome::Refused, ENTERED]);
        assert_eq!(transactions(&shop, &[a, b]).await, (1, 2));
        if a == "3" {
            assert_eq!(at_once(&shop, vec![entry(&shop, another, "between").await]).await, [ENTERED]);
        }
    }
    assert_eq!(transactions(&shop, &["first"]).await.1, 1);
    let counts = [known, other, another].map(|made| shop.read(made));
    for (read, count) in join_all(counts).await.into_iter().zip([1, 3, 4]) {
        assert_eq!(read["redemptionCount"], count);
    }
}

#[tokio::test]
async fn a_voucher_with_a_known_order_takes_its_other_orders_all_the_same() {
    let shop = Shop::without_redis().await;
    let made = shop.made(json!({})).await;
    assert_eq!(at_once(&shop, vec![entry(&shop, &made, "1").await]).await, [ENTERED]);
    let mut entries = Vec::new();
    for order in ["2", "3", "1"] {
        entries.push(entry(&shop, &made, order).await);
    }
    assert_eq!(at_once(&shop, entries).await, [ENTERED, ENTERED, Outcome::Refused]);
    assert_eq!(shop.read(&made).await["redemptionCount"], 3);
}

#[tokio::test]
async fn what_others_leave_of_a_voucher_is_judged_again_alone_and_in_a_batch() {
    let shop = Shop::without_redis().await;
    let changes = [
        "UPDATE voucher SET redemption_count = 1, revision = revision + 1 WHERE id::text = $1",
        "UPDATE voucher SET lock_owner = 22, locked_till = 'infinity', revision = revision + 1 WHERE id::text = $1",
        "UPDATE voucher SET status = 'inactive' WHERE id::text = $1",
        "UPDATE campaign SET status = 'inactive' WHERE id = (SELECT campaign FROM voucher WHERE id::text = $1)",
    ];
    for change in changes {
        for others in [0, 1] {
            let made = shop.made(json!({"redemptionLimit": 1})).await;
            let mut entries = vec![Entry { limit: Some(1), ..entry(&shop, &made, "1").await }];
            for _ in 0..others {
                entries.push(entry(&shop, &shop.made(json!({})).await, "2").await);
            }
            let mut changing = scrip::transaction::begin(&shop.app().db).await.unwrap();
            sqlx::query(change).bind(&made.id).execute(&mut *changing).await.unwrap();
            let ((), outcomes) = tokio::join!(
                async {
                    someone_waits(&shop).await;
                    changing.commit().await.unwrap();
                },
                at_once(&shop, entries)
            );
            assert_eq!(outcomes[0], Outcome::Refused, "{change}");
            assert!(outcomes[1..].iter().all(|outcome| *outcome == ENTERED), "{change}");
        }
    }
}

#[tokio::test]
async fn of_redemptions_past_the_end_of_a_voucher_the_guard_takes_one() {
    let shop = Shop::without_redis().await;
    let (made, other) = (shop.made(json!({})).await, shop.made(json!({})).await);
    assert_eq!(at_once(&shop, vec![entry(&shop, &made, "in time").await]).await, [ENTERED]);
    let ended = Some(shop.app().clock.now() + TimeDelta::milliseconds(1));
    shop.pass(TimeDelta::milliseconds(1));
    let mut entries = Vec::new();
    for order in ["1", "2", "3"] {
        entries.push(Entry { ended, ..entry(&shop, &made, order).await });
    }
    entries.insert(1, entry(&shop, &other, "4").await);
    assert_eq!(at_once(&shop, entries).await, [ENTERED, ENTERED, Outcome::Refused, Outcome::Refused]);
    assert_eq!(shop.read(&made).await["redemptionCount"], 2);
}

/// Returns once a statement waits for what another transaction holds.
async fn someone_waits(shop: &Shop) {
    const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                                          WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(WAITING).fetch_one(&shop.app().db).await.unwrap() {
        tokio::task::yield_now().await;
    }
}
