//! That what a server writes down tells nobody's secret, at any level that is used in earnest.

use crate::{database::Database, server::Server, world};
use serde_json::{Value, json};
use sqlx::PgPool;

/// Asks for everything that carries a secret, well and badly; returns the secrets.
async fn tell_secrets(server: &Server, database: &Database) -> Vec<String> {
    let db = PgPool::connect(&database.url).await.unwrap();
    let key = world::key(&db, world::ROOT, None, &["voucher.redeem"]).await;
    db.close().await;
    let mut secrets = vec![key.clone(), world::PASSWORD.to_owned(), "of the tests alone".to_owned()];
    let post = async |path: &str, token: &str, body: Value| {
        let (_, answer) = server.post(path, token, &body).await.unwrap();
        answer
    };

    let wrong = "an0therPassw0rd-that-is-wrong";
    post("/auth/login", "", json!({"username": "root", "password": wrong})).await;
    let tokens = post("/auth/login", "", json!({"username": "root", "password": world::PASSWORD})).await;
    let token = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (token(&tokens, "access_token"), token(&tokens, "refresh_token"));
    let renewed = post("/auth/refresh", "", json!({"refresh_token": refresh})).await;
    secrets.extend([token(&renewed, "access_token"), token(&renewed, "refresh_token")]);
    post("/auth/refresh", "", json!({"refresh_token": refresh})).await;
    let made = post("/apikey", &access, json!({"name": "till", "scopes": ["voucher.redeem"]})).await;
    secrets.push(token(&made, "key"));

    let campaign = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 0, "type": "dynamic"});
    let campaign = post("/campaign", &access, campaign).await["id"].clone();
    let draft = json!({"campaign": campaign, "type": "discount", "value": 100, "redemptionLimit": 1});
    let code = post("/voucher", &access, draft).await["code"].as_str().unwrap().to_owned();
    let (device, order) = ("vm-a-1", json!({"id": "1", "amount": 250}));
    for code in [code.as_str(), "GUESS-7K3M9Q"] {
        let at = |verb: &str| format!("/v1/voucher/{code}/{verb}");
        post(&at("validate"), &key, json!({"deviceId": device, "lockDuration": 30})).await;
        post(&at("redeem"), &key, json!({"deviceId": device, "order": order})).await;
        post(&at("redeem"), &key, json!({"deviceId": device, "order": order, "code": code})).await;
        post(&at("rollback"), &key, json!({"deviceId": device, "order": {"id": "1"}})).await;
        post(&at("nowhere"), &key, json!({})).await;
        server.get(&format!("/voucher?where[code][=]={code}"), &access).await.unwrap();
        server.get(&format!("/voucher/{code}"), &access).await.unwrap();
    }
    secrets.extend([wrong.to_owned(), access, refresh, code, "GUESS-7K3M9Q".to_owned()]);
    secrets
}

#[tokio::test]
async fn no_secret_is_written_down() {
    for format in ["text", "json"] {
        let database = Database::new().await;
        let server = Server::start_with_log(&database, "debug", format).await;
        let secrets = tell_secrets(&server, &database).await;
        let log = server.log();
        assert!(log.contains("/voucher/{code}/redeem"), "requests are logged by route: {log}");
        for event in ["log_in_failed", "logged_in", "key_created"] {
            let line = log.lines().find(|line| line.contains(&format!("\"{event}\"")));
            let line = line.unwrap_or_else(|| panic!("{event}: {log}"));
            assert!(line.contains("127.0.0.1") && line.contains("security"), "{line}");
        }
        assert!(!log.contains('\u{1b}'), "no colours where nobody looks: {log}");
        for secret in secrets {
            // A code is looked up in another spelling than it is printed in.
            let body = secret.rsplit('-').next().unwrap_or_default();
            let told = log.lines().find(|line| {
                line.contains(&secret)
                    || body.len() >= 6 && line.to_uppercase().contains(&body.to_uppercase())
            });
            assert_eq!(told, None, "{secret} is in the log");
        }
    }
}

#[tokio::test]
async fn a_log_of_json_is_json_on_every_line() {
    let database = Database::new().await;
    let mut server = Server::start_with_log(&database, "info", "json").await;
    assert!(server.stop());
    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "serving"), "{log}");
    assert_eq!(lines.last().unwrap()["message"], "stopped", "{log}");
}
