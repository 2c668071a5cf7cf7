//! A plain request for a verb passes no router. An escape in its code sends it there, and changes nothing else.

use super::{Shop, world};
use crate::client::{Client, Reply};
use axum::{
    body::Body,
    http::{HeaderMap, Request, header},
};
use serde_json::json;

const HERE: &str = "vm-a-1";

/// What an answer says, but for its own id.
fn said(reply: &Reply) -> (u16, HeaderMap, String) {
    let mut headers = reply.headers.clone();
    assert!(headers.remove("x-request-id").is_some());
    // The connection adds it where the router has not.
    headers.remove(header::CONTENT_LENGTH);
    (reply.status.as_u16(), headers, reply.text())
}

async fn send(client: &Client, path: &str, content_type: &str, body: &str) -> Reply {
    let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
    client.send_raw(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn both_ways_give_the_same_answer() {
    let shop = Shop::new().await.with_redis().await;
    let code = shop.made(json!({})).await.code;
    let escaped = format!("%{:02X}{}", code.as_bytes()[0], &code[1..]);
    let nobody = shop.test.anyone();
    let elsewhere = shop.caller(world::B, None, &["voucher.redeem"]).await;
    let unable = shop.caller(world::A, None, &["voucher.read"]).await;
    let device = json!({"deviceId": HERE}).to_string();
    let order = json!({"deviceId": HERE, "order": {"id": "1", "amount": 250}}).to_string();
    let undo = json!({"deviceId": HERE, "order": {"id": "1"}}).to_string();
    let huge = format!(r#"{{"deviceId":"{}"}}"#, "x".repeat(shop.app().config.body_max_bytes));
    let json = "application/json";
    for (client, verb, content_type, body) in [
        (&shop.owner, "validate", json, device.as_str()),
        (&shop.owner, "redeem", json, &order),
        (&shop.owner, "release", json, &device),
        (&shop.owner, "rollback", json, &undo),
        (&shop.owner, "validate", "text/plain", &device),
        (&shop.owner, "validate", json, "{"),
        (&shop.owner, "redeem", json, &device),
        (&shop.owner, "validate", json, &huge),
        (&nobody, "validate", json, &device),
        (&unable, "redeem", json, &order),
        (&elsewhere, "validate", json, &device),
    ] {
        for version in ["", "/v1"] {
            let plain = send(client, &format!("{version}/voucher/{code}/{verb}"), content_type, body).await;
            let routed =
                send(client, &format!("{version}/voucher/{escaped}/{verb}"), content_type, body).await;
            assert_eq!(said(&plain), said(&routed), "{verb} {body:.60}");
        }
    }
}
