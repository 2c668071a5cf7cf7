//! Who is let in, and allowed what.

use super::{BRANCH, GREEDY, NARROW, ROOT, Town};
use axum::http::{Method, StatusCode, header};
use scrip::http::caller::Permission;

#[tokio::test]
async fn only_good_tokens_are_let_in() {
    let town = Town::new().await;
    let good = town.log_in("ann").await.access;
    let [head, body, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{body}.");
    let tampered = format!("{head}.{body}.{}", signature.chars().rev().collect::<String>());
    let unknown_key = format!("scrip_{}", "a".repeat(43));
    for bad in ["", "x", "scrip_", "scrip_short", &unsigned, &tampered, &unknown_key, &good[1..]] {
        let refused = town.send(Method::GET, "/user/me", Some(bad), None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert_eq!(refused.headers[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    assert_eq!(town.send(Method::GET, "/user/me", None, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(town.get("/user/me", &good).await.0, StatusCode::OK);
}

#[tokio::test]
async fn who_is_disabled_is_out() {
    let town = Town::new().await;
    for (name, disable) in [
        ("ann", "UPDATE account SET disabled_at = now() WHERE username = 'ann'"),
        ("carol", "UPDATE user_group SET deleted = true WHERE id = 2"),
    ] {
        let session = town.log_in(name).await;
        assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::OK);
        let mut notices = town.listen().await;
        town.sql(disable).await;
        town.relay(&mut notices, &town.app).await;
        assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::UNAUTHORIZED, "{name}");
        town.refresh(&session.refresh).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_group_has_what_all_above_it_allow() {
    let town = Town::new().await;
    let may = async |name: &str, permission| {
        let token = town.log_in(name).await.access;
        town.caller(&token).await.may(permission).is_ok()
    };
    // A root without a list, and a group below it that takes it over.
    assert!(may("ann", Permission::FleetWrite).await && may("carol", Permission::FleetWrite).await);
    // A list of its own.
    assert!(may("dave", Permission::VoucherRedeem).await && !may("dave", Permission::CampaignWrite).await);
    // A list that asks for more than the group above has, or for less.
    assert!(may("erin", Permission::VoucherRedeem).await);
    assert!(!may("erin", Permission::CampaignWrite).await && !may("erin", Permission::ApiKeyWrite).await);
    let line = scrip::identity::groups::ancestors(&town.app.db, GREEDY).await.unwrap();
    assert_eq!(line, [GREEDY, NARROW, BRANCH, ROOT]);

    // Narrowed above, and so here.
    let mut notices = town.listen().await;
    town.sql("UPDATE user_group SET permissions = '{voucher.read,from.tomorrow}' WHERE id = 1").await;
    town.relay(&mut notices, &town.app).await;
    assert!(!may("erin", Permission::VoucherRedeem).await && !may("carol", Permission::FleetWrite).await);
    assert!(may("dave", Permission::VoucherRead).await && may("frank", Permission::FleetWrite).await);
}

#[tokio::test]
async fn who_is_known_stays_so_while_postgres_is_away() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let bob = town.log_in("bob").await.access;
    town.caller(&ann).await;
    town.app.db.close().await;
    assert_eq!(town.get("/apikey?limit=0", &ann).await.0, StatusCode::BAD_REQUEST);
    let away = town.send(Method::GET, "/apikey", Some(&bob), None).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(away.headers.contains_key(header::RETRY_AFTER));
}
