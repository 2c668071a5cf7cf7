//! Downloads: whole, in pieces, in an archive, and by whom.

use super::{Shop, codes};
use crate::client::{Client, Reply};
use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use serde_json::json;

/// The path and query of a link, as the server is asked for it.
fn local(url: &str) -> String {
    url.split_once("://").unwrap().1.split_once('/').map(|(_, path)| format!("/{path}")).unwrap()
}

async fn get_with(client: &Client, path: &str, headers: &[(header::HeaderName, &str)]) -> Reply {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    client.send_raw(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_download_can_be_resumed_wherever_it_broke_off() {
    let shop = Shop::new().await;
    let path = shop.campaign(60, json!({})).await;
    shop.printed(&path).await;
    for (query, media) in [("", "application/zip"), ("?part=2", "application/pdf")] {
        let path = format!("{path}/pdf{query}");
        let whole = shop.a.get(&path).await;
        assert_eq!((whole.status.as_u16(), whole.headers["content-type"].to_str().unwrap()), (200, media));
        assert_eq!(whole.headers["accept-ranges"], "bytes");
        assert_eq!(whole.headers["content-length"], whole.body.len().to_string());
        let tag = whole.headers["etag"].to_str().unwrap().to_owned();
        let mut got = Vec::new();
        while got.len() < whole.body.len() {
            let end = (got.len() + 10_007).min(whole.body.len()) - 1;
            let range = format!("bytes={}-{end}", got.len());
            let piece = get_with(&shop.a, &path, &[(header::RANGE, &range), (header::IF_RANGE, &tag)]).await;
            assert_eq!(piece.status, 206, "{range}");
            let says = format!("bytes {}-{end}/{}", got.len(), whole.body.len());
            assert_eq!(piece.headers["content-range"], says);
            got.extend_from_slice(&piece.body);
        }
        assert!(got == whole.body, "the pieces are not the whole");
        let known = get_with(&shop.a, &path, &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
        let beyond = get_with(&shop.a, &path, &[(header::RANGE, "bytes=99999999-")]).await;
        assert_eq!(beyond.status, 416);
        let stale =
            get_with(&shop.a, &path, &[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, "\"other\"")]).await;
        assert_eq!((stale.status.as_u16(), stale.body.len()), (200, whole.body.len()));
    }
}

#[tokio::test]
async fn an_archive_has_every_part() {
    let shop = Shop::new().await;
    let path = shop.campaign(60, json!({})).await;
    shop.printed(&path).await;
    let archive = shop.a.get(&format!("{path}/pdf")).await.body;
    // Stored as they are, one behind the other, each behind a header that gives its length.
    let (mut at, mut parts) = (0, Vec::new());
    while archive[at..].starts_with(b"PK\x03\x04") {
        let long = |from: usize| u32::from_le_bytes(archive[at + from..at + from + 4].try_into().unwrap());
        let name = u16::from_le_bytes(archive[at + 26..at + 28].try_into().unwrap()) as usize;
        let (crc, length) = (long(14), long(18) as usize);
        let part = archive[at + 30 + name..at + 30 + name + length].to_vec();
        assert_eq!(crc32fast::hash(&part), crc);
        parts.push(part);
        at += 30 + name + length;
    }
    assert_eq!(parts, shop.parts(&path).await);
    shop.a.get(&format!("{path}/pdf?part=4")).await.expect(404);
}

#[tokio::test]
async fn a_link_is_good_for_one_file_and_a_while() {
    let shop = Shop::new().await;
    let (path, other) = (shop.campaign(2, json!({})).await, shop.campaign(2, json!({})).await);
    shop.printed(&path).await;
    shop.printed(&other).await;
    let link = local(shop.a.get(&path).await.expect(200)["vouchersPdfUrl"].as_str().unwrap());
    let anyone = shop.app.anyone();
    let reply = anyone.get(&link).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(codes(&reply.body).len(), 2);
    assert_eq!(anyone.get(link.trim_start_matches("/v1")).await.status, 200);
    let token = link.split_once("token=").unwrap().1;
    anyone.get(&format!("{other}/pdf?token={token}")).await.expect(401);
    anyone.get(&format!("{path}/pdf?token={token}x")).await.expect(401);
    anyone.get(&format!("{path}/pdf")).await.expect(401);
    // It is no access token, and an access token is no link.
    shop.app.bearer(token).get(&path).await.expect(401);
    shop.app.app.clock.advance(TimeDelta::seconds(901));
    anyone.get(&link).await.expect(401);
}

#[tokio::test]
async fn a_link_ends_with_the_session_that_it_was_shown_to() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    shop.printed(&path).await;
    let session = shop.app.session("a").await;
    let user = shop.app.bearer(session["access_token"].as_str().unwrap());
    let link = local(user.get(&path).await.expect(200)["vouchersPdfUrl"].as_str().unwrap());
    assert_eq!(shop.app.anyone().get(&link).await.status, 200);
    let token = json!({"refresh_token": session["refresh_token"]});
    shop.app.anyone().post("/auth/logout", token).await.expect(200);
    shop.app.anyone().get(&link).await.expect(401);
}

#[tokio::test]
async fn a_link_ends_with_the_account() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    shop.printed(&path).await;
    let link = local(shop.a.get(&path).await.expect(200)["vouchersPdfUrl"].as_str().unwrap());
    assert_eq!(shop.app.anyone().get(&link).await.status, 200);
    let ended = "UPDATE account SET session_generation = session_generation + 1";
    sqlx::query(ended).execute(&shop.app.app.db).await.unwrap();
    shop.app.app.access.clear();
    shop.app.anyone().get(&link).await.expect(401);
}
