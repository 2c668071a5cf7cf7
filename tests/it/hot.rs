//! Redis as the server uses it: keys, and what the scripts have in common.

use crate::app::TestApp;
use chrono::Duration;
use deadpool_redis::redis::{AsyncCommands, Client};
use scrip::redemption::{
    hot::{Admission, Claim, scripts},
    voucher::{Facts, OwnTerms, State},
};
use uuid::Uuid;

/// The slot of a key in a cluster: CRC16 (XMODEM) of what is between its first brace and the next
/// closing one, or of all of it where there is nothing between.
fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16_384
}

#[test]
fn slots_are_those_of_the_cluster_specification() {
    assert_eq!(slot("123456789"), 0x31c3);
    assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
    assert_ne!(slot("foo{}{bar}"), slot("bar"));
    assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
    assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
}

#[test]
fn every_script_documents_one_key_and_its_arguments() {
    for script in scripts() {
        let header: Vec<&str> = script.code().lines().filter(|line| line.starts_with("--")).collect();
        let keys = header.iter().filter(|line| line.starts_with("-- KEYS[")).count();
        assert_eq!(keys, 1, "{}", script.name);
        assert!(header.iter().any(|line| line.starts_with("-- KEYS[1]   {prefix}:")), "{}", script.name);
        assert!(script.code().contains("assert(#KEYS == 1 and "), "{}", script.name);
        assert!(!script.code().contains("redis.call(\"TIME\""), "{} has time passed in", script.name);
    }
}

#[tokio::test]
async fn everything_about_a_code_is_under_one_key_in_one_slot() {
    let test = TestApp::builder().stopped_at("2026-06-01T10:00:00Z").build().await;
    let app = &test.app;
    assert!(app.ready(std::time::Duration::from_secs(5)).await, "Redis does not answer");
    let client = Client::open(crate::database::url("SCRIP_TEST_REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    for code in ["00000-ABC", "{A}B", "A{B", "}{", "{}", "A B*?[x]", "ÉTÉ"] {
        let facts = Facts {
            id: Uuid::now_v7(),
            code: code.into(),
            generated: false,
            campaign: 1,
            version: 1,
            active: true,
            created_at: app.clock.now(),
            own: OwnTerms::default(),
            terms_since: app.clock.now(),
            rules: Vec::new(),
        };
        let now = app.clock.now();
        let state = State { period: now, count: 0, balance: 0, lock: None };
        let copies = app.hot.load(code, &[(&facts, state, 1)], false, 0, now).await.unwrap().copies;
        let claim =
            Claim { facts: &facts, now, period: now, initial: 0, limit: Some(9), need: 0, machine: 21 };
        let held = app.hot.lock(code, claim, now + Duration::seconds(9)).await.unwrap();
        assert!(matches!(held, Admission::Granted(_)), "{code}");
        assert!(app.hot.release(code, facts.id, 21, now).await.unwrap(), "{code}");
        let Admission::Granted(reserved) = app.hot.reserve(code, claim, None).await.unwrap() else {
            panic!("{code} can't be reserved");
        };
        assert_eq!(reserved.generation, copies[0].generation);
        assert_eq!(app.hot.read(code).await.unwrap().copies[0].pending, 1, "{code}");
        let mark = app.hot.mark(code, &reserved);
        assert_eq!(app.hot.settle(&[&mark]).await, Ok(vec![0]), "{code}");
        let read = app.hot.read(code).await.unwrap().copies;
        assert_eq!((read.len(), read[0].state.count, read[0].pending), (1, 1, 0), "{code}");
        assert_eq!(*read[0].facts().unwrap(), facts);
        let keys: Vec<String> = redis.keys(format!("{}:*", app.config.redis_prefix)).await.unwrap();
        assert_eq!(keys, [format!("{}:v:{{{code}}}", app.config.redis_prefix)]);
        if !code.starts_with('}') {
            let elsewhere = format!("another-prefix:v:{{{code}}}");
            assert_eq!(slot(&keys[0]), slot(&elsewhere), "the code alone decides: {code}");
        }
        app.hot.evict(&[code.to_owned()], now).await.unwrap();
        let found = app.hot.read(code).await.unwrap();
        assert_eq!(
            (found.copies.len(), found.evictions, app.hot.evictions(code).await),
            (0, 1, Ok(1)),
            "{code}"
        );
        let late = app.hot.load(code, &[(&facts, state, 1)], true, 0, now).await.unwrap();
        assert!(late.outdated && late.copies.is_empty(), "{code}: what was read before it was evicted");
        redis.del::<_, ()>(keys).await.unwrap();
    }
}
