//! Findings of `scrip verify` where something is not as the journal says, or Redis not as Postgres.

use super::{Made, Shop};
use crate::{
    app::TestApp,
    campaigns::{campaign, redeem, voucher},
    database, world,
};
use deadpool_redis::redis::{Client, pipe};
use scrip::redemption::{
    hot::Copy,
    verify::{Report, verify},
    voucher::Facts,
};
use serde_json::json;
use uuid::Uuid;

/// A damage, and what is found of it: what should be, and what is.
const DAMAGES: &[(&str, &str, i64, i64)] = &[
    ("UPDATE voucher SET redemption_count = redemption_count + 1", "redemption count", 1, 2),
    ("UPDATE voucher SET amount_redeemed = amount_redeemed + 1", "amount redeemed", 30, 31),
    ("UPDATE voucher SET total_redemption_count = 0", "total redemption count", 1, 0),
    ("UPDATE voucher SET total_amount_redeemed = 0", "total amount redeemed", 30, 0),
    ("UPDATE voucher SET balance = balance + 1", "balance", 70, 71),
    (
        "ALTER TABLE redemption DISABLE TRIGGER redemption_append_only;
         UPDATE redemption SET id = '00000000-0000-0000-0000-000000000000'",
        "redemptions under the id of another code",
        0,
        1,
    ),
    ("DELETE FROM voucher", "redemptions of a voucher that is gone", 0, 1),
];

#[tokio::test]
async fn whatever_the_journal_does_not_add_up_to_is_found() {
    for (damage, what, expected, found) in DAMAGES {
        let app = TestApp::new().await;
        let a = app.user("a").await;
        let path = campaign(&a, json!({"type": "gift", "voucherValue": 100})).await;
        let made = voucher(&a, &path, json!({"type": "gift"})).await;
        redeem(&app, &made, 30, "2026-11-24T12:00:00Z").await;
        let report = verify(&app.app).await.unwrap();
        assert_eq!((report.entries, report.differences), (1, vec![]), "before: {damage}");

        sqlx::raw_sql(*damage).execute(&app.app.db).await.unwrap();
        let differences = verify(&app.app).await.unwrap().differences;
        let all: Vec<_> = differences.iter().map(|d| (d.what.as_str(), d.expected, d.found)).collect();
        assert_eq!(all, [(*what, *expected, *found)], "{damage}");
    }
}

/// The fields of the hash of a code in Redis.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Puts this in the place of a hash and has everything verified, until the report is as expected: whoever still
/// hears of an earlier change loads the code again.
async fn assert_found(
    shop: &Shop,
    fields: &Fields,
    differences: &[(Uuid, &str, i64, i64)],
    unsettled: &[Uuid],
) {
    let client = Client::open(database::url("SCRIP_TEST_REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}:v:{{CARD}}", shop.app().config.redis_prefix);
    let mut report = Report::default();
    for _ in 0..50 {
        let mut replace = pipe();
        replace.atomic().del(&key).hset_multiple(&key, fields);
        replace.query_async::<()>(&mut redis).await.unwrap();
        report = verify(shop.app()).await.unwrap();
        if named(&report) == differences && report.unsettled == unsettled {
            return;
        }
    }
    panic!("{report:#?} is not {differences:?}, {unsettled:?}");
}

/// A copy whose facts are changed as well.
fn refit(copy: &Copy, change: impl FnOnce(&mut Facts)) -> Copy {
    let mut facts = (*copy.facts().unwrap()).clone();
    change(&mut facts);
    Copy::new(&facts, copy.state, copy.revision, copy.epoch, copy.generation)
}

/// Returns the differences of a report: voucher, kind, expected, found.
fn named(report: &Report) -> Vec<(Uuid, &str, i64, i64)> {
    report.differences.iter().map(|d| (d.voucher, d.what.as_str(), d.expected, d.found)).collect()
}

/// A damage to a copy, and what is found of it: what should be, and what is.
type Damage = (fn(&Copy) -> Copy, &'static str, i64, i64);

const DAMAGED_COPIES: [Damage; 7] = [
    (|copy| with(copy, |copy| copy.state.count = 2), "redemption count in Redis", 1, 2),
    (|copy| with(copy, |copy| copy.state.count = 0), "redemption count in Redis", 1, 0),
    (|copy| with(copy, |copy| copy.state.balance += 30), "balance in Redis", 70, 100),
    (|copy| with(copy, |copy| copy.state.balance = 0), "balance in Redis", 70, 0),
    (|copy| with(copy, |copy| copy.version += 1), "version in Redis", 1, 2),
    (|copy| refit(copy, |facts| facts.code = "OTHER".into()), "another code in Redis", 0, 1),
    (|copy| refit(copy, |facts| facts.active = false), "other terms in Redis", 0, 1),
];

fn with(copy: &Copy, change: impl FnOnce(&mut Copy)) -> Copy {
    let mut copy = copy.clone();
    change(&mut copy);
    copy
}

#[tokio::test]
async fn whatever_redis_holds_otherwise_than_postgres_is_found() {
    let shop = Shop::new().await.with_redis().await;
    let mut made: Vec<Made> = Vec::new();
    for _ in 0..2 {
        let campaign = shop.campaign(world::A, json!({})).await;
        made.push(shop.voucher(campaign, json!({"code": "CARD", "type": "gift", "value": 100})).await);
    }
    shop.spend("vm-a-1", "CARD", "1", 30).await;
    assert_eq!(shop.differences().await, []);

    let [spent, other] = [0, 1].map(|nth| made[nth].id.parse::<Uuid>().unwrap());
    let mut copies = Vec::new();
    while copies.len() < 2 {
        // They are taken out of Redis as long as someone hears that the vouchers are new.
        shop.validate("vm-a-2", "CARD").await;
        copies = shop.app().hot.read("CARD").await.unwrap().copies;
    }
    let of = |id: Uuid| copies.iter().find(|copy| copy.id == id).unwrap().clone();
    let (copy, beside) = (of(spent), of(other));
    let field = |copy: &Copy| (copy.id.as_bytes().to_vec(), copy.pack());
    assert_found(&shop, &vec![field(&copy), field(&beside)], &[], &[]).await;
    for (damage, what, expected, found) in DAMAGED_COPIES {
        let fields = vec![field(&damage(&copy)), field(&beside)];
        assert_found(&shop, &fields, &[(spent, what, expected, found)], &[]).await;
    }
    let cut = (spent.as_bytes().to_vec(), copy.pack()[..70].to_vec());
    let unreadable = (spent, "copy in Redis that cannot be read", 0, 1);
    assert_found(&shop, &vec![cut, field(&beside)], &[unreadable], &[]).await;
    let foreign = refit(&copy, |facts| facts.id = Uuid::from_u128(7));
    let fields = vec![field(&copy), field(&beside), field(&foreign)];
    let elsewhere = (foreign.id, "copy in Redis under a code that is not its own", 0, 1);
    assert_found(&shop, &fields, &[elsewhere], &[]).await;
    let missing = (other, "copy in Redis beside others of its code", 1, 0);
    assert_found(&shop, &vec![field(&copy)], &[missing], &[]).await;

    // A reservation that was never settled: whoever asks next settles it, so that it is no difference.
    let reserved = with(&copy, |copy| copy.state.count = 2);
    let fields = vec![field(&reserved), field(&beside), (reserved.marks(), b"1".to_vec())];
    assert_found(&shop, &fields, &[], &[spent]).await;
    shop.pass(chrono::Duration::hours(1));
    shop.validate("vm-a-2", "CARD").await;
    let report = verify(shop.app()).await.unwrap();
    assert_eq!((named(&report), report.unsettled.len()), (vec![], 0));
}
