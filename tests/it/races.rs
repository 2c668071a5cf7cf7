//! Many machines at once, over two servers.

use crate::{
    database::Database,
    field::{Heard, Order},
    pair::{NO_REDIS, PATIENT, Pair, Place},
    world,
};
use reqwest::Method;
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;

/// A server pair that has to do without Redis.
async fn crowd(place: impl Into<Place>, machines: i32) -> Pair {
    Pair::start_with(place, machines, [PATIENT, PATIENT]).await
}

async fn without_redis(database: &Database, machines: i32) -> Pair {
    crowd(Place { redis_url: NO_REDIS.to_owned(), ..database.into() }, machines).await
}

async fn a_limit_of_one_is_redeemed_once(pair: &Pair) {
    let code = pair.voucher("discount", 100, Some(1)).await;
    let orders = (0..pair.devices.len()).map(|device| pair.order(&code, device, "7")).collect();
    let answers: Vec<_> = pair.at_once(orders).await.iter().map(Heard::redeemed).collect();
    let (redeemed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(redeemed, [Ok(100)]);
    assert!(
        refused.iter().all(|answer| *answer == Err("redemption_limit_reached".to_owned())),
        "{refused:?}"
    );
    assert_eq!(pair.count(&code).await, 1);
    pair.assert_settled().await;
}

async fn a_gift_is_spent_to_the_last_full_demand(pair: &Pair) {
    let code = pair.voucher("gift", 1000, None).await;
    let order = |number: usize| {
        let order = pair.order(&code, number % pair.devices.len(), &number.to_string());
        Order { demand: Some(30), ..order }
    };
    let answers: Vec<_> =
        pair.at_once((0..100).map(order).collect()).await.iter().map(Heard::redeemed).collect();
    let balances: BTreeSet<i64> = answers.iter().flatten().copied().collect();
    assert_eq!(balances, (0..33).map(|spent| 10 + 30 * spent).collect(), "each left another balance");
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 33);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(
        refused.clone().all(|reason| reason == "insufficient_balance"),
        "{:?}",
        refused.collect::<Vec<_>>()
    );
    let balance: i64 = sqlx::query_scalar("SELECT balance FROM voucher WHERE code = $1")
        .bind(&code)
        .fetch_one(&pair.db)
        .await
        .unwrap();
    assert_eq!((balance, pair.count(&code).await), (10, 33));
    pair.assert_settled().await;
}

async fn an_order_sent_50_times_is_redeemed_once(pair: &Pair) {
    // Where it uses the voucher up, its repetitions must not be told so.
    let vouchers = [
        ("discount", None, None),
        ("discount", Some(1), None),
        ("gift", None, Some(30)),
        ("gift", None, Some(1000)),
    ];
    for (kind, limit, demand) in vouchers {
        let code = pair.voucher(kind, 1000, limit).await;
        let order = Order { demand, ..pair.order(&code, 0, "the same") };
        let answers = pair.at_once(vec![order; 50]).await;
        assert!(answers[0].redeemed().is_ok(), "{:?}", answers[0]);
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{answers:#?}");
        assert_eq!(pair.count(&code).await, 1);
    }
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_machines_one_redeems() {
    let database = Database::new().await;
    a_limit_of_one_is_redeemed_once(&crowd(&database, 64).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_machines_one_redeems() {
    let database = Database::new().await;
    a_limit_of_one_is_redeemed_once(&crowd(&database, 1000).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_demands_a_gift_pays_what_it_holds() {
    let database = Database::new().await;
    a_gift_is_spent_to_the_last_full_demand(&crowd(&database, 100).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_times_the_same_order_is_one_redemption() {
    let database = Database::new().await;
    an_order_sent_50_times_is_redeemed_once(&crowd(&database, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_races_end_the_same_way() {
    let database = Database::new().await;
    let pair = without_redis(&database, 64).await;
    a_limit_of_one_is_redeemed_once(&pair).await;
    a_gift_is_spent_to_the_last_full_demand(&pair).await;
    an_order_sent_50_times_is_redeemed_once(&pair).await;
}

async fn one_machine_holds_a_lock(pair: &Pair) {
    let code = pair.voucher("discount", 100, Some(1)).await;
    let mut asking = JoinSet::new();
    for (number, device) in pair.devices.iter().cloned().enumerate() {
        let (field, code) = (pair.field.clone(), code.clone());
        asking.spawn(async move {
            let heard = field.validate(number, &code, &device, Some(300)).await.unwrap();
            assert_eq!(heard.status, 200, "{}", heard.body);
            (number, heard.json())
        });
    }
    let answers = asking.join_all().await;
    let (held, locked): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(_, answer)| answer["valid"] == true);
    assert_eq!(held.len(), 1, "{held:?}");
    for (_, answer) in &locked {
        assert_eq!(answer["reason"], "locked");
        assert!(answer["lockedTill"].is_string());
    }
    let owner = held[0].0;
    for (stranger, _) in locked.iter().take(8) {
        let heard = pair.field.redeem(*stranger, &pair.order(&code, *stranger, "7")).await;
        assert_eq!(heard.redeemed(), Err("locked".to_owned()));
    }
    assert_eq!(pair.field.redeem(owner + 1, &pair.order(&code, owner, "7")).await.redeemed(), Ok(100));
    assert_eq!(pair.count(&code).await, 1);
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_machines_one_gets_the_lock() {
    let database = Database::new().await;
    one_machine_holds_a_lock(&crowd(&database, 64).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_one_machine_gets_the_lock() {
    let database = Database::new().await;
    one_machine_holds_a_lock(&without_redis(&database, 64).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_rollbacks_undo_once() {
    let database = Database::new().await;
    let pair = crowd(&database, 1).await;
    let code = pair.voucher("gift", 1000, None).await;
    let order = |id: &str| Order { demand: Some(30), ..pair.order(&code, 0, id) };
    for id in ["kept", "undone"] {
        assert!(pair.field.redeem(0, &order(id)).await.redeemed().is_ok());
    }
    let mut asking = JoinSet::new();
    for number in 0..20 {
        let (field, order) = (pair.field.clone(), order("undone"));
        asking.spawn(async move { field.roll_back(number, &order).await.unwrap() });
    }
    for heard in asking.join_all().await {
        assert_eq!((heard.status, heard.json()["voucherValue"].as_i64()), (200, Some(970)), "{}", heard.body);
    }
    let (balance, count): (i64, i64) =
        sqlx::query_as("SELECT balance, redemption_count FROM voucher WHERE code = $1")
            .bind(&code)
            .fetch_one(&pair.db)
            .await
            .unwrap();
    assert_eq!((balance, count), (970, 1));
    let again = pair.field.redeem(1, &order("undone")).await;
    assert_eq!(again.redeemed(), Err("rolled_back".to_owned()));
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_redeemed_once_a_campaign_is_switched_off() {
    let database = Database::new().await;
    let pair = crowd(&database, 16).await;
    let credentials = json!({"username": "a", "password": world::PASSWORD});
    let (_, tokens) = pair.servers[0].post("/auth/login", "", &credentials).await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let campaign = pair.campaign("discount", 100, None).await;
    let code = pair.vouchers(campaign, 1).await.remove(0);
    let switched_off = Arc::new(AtomicBool::new(false));
    let mut asking = JoinSet::new();
    for device in 0..pair.devices.len() {
        let (field, switched_off, order) =
            (pair.field.clone(), Arc::clone(&switched_off), pair.order(&code, device, ""));
        asking.spawn(async move {
            for number in 0.. {
                let too_late = switched_off.load(Ordering::SeqCst);
                let heard =
                    field.redeem(device + number, &Order { id: number.to_string(), ..order.clone() }).await;
                match heard.redeemed() {
                    Ok(_) => assert!(!too_late, "redeemed after it was switched off"),
                    Err(reason) => {
                        assert_eq!(reason, "campaign_inactive");
                        return number;
                    }
                }
            }
            unreachable!("it was switched off")
        });
    }
    crate::pair::becomes("some are redeemed", async || pair.count(&code).await > 50).await;
    let path = format!("/campaign/{campaign}");
    let put = pair.servers[1].send(Method::PUT, &path, token, Some(&json!({"status": "inactive"}))).await;
    assert_eq!(put.unwrap().0, 200);
    switched_off.store(true, Ordering::SeqCst);
    let by_then = pair.count(&code).await;
    let acknowledged: usize = asking.join_all().await.iter().sum();
    assert_eq!(pair.count(&code).await, by_then, "nothing was entered after that commit");
    assert_eq!(acknowledged as i64, by_then);
    pair.assert_settled().await;
}
