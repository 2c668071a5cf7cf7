//! Tests of settings: the ones that are refused, and how they are shown.

use super::*;

fn with_secret(secret: &str) -> Config {
    Config { signing_secret: Some(SecretString::from(secret)), ..Config::default() }
}

#[test]
fn a_weak_or_known_signing_secret_is_refused() {
    assert!(Config::default().signing_secret().is_err());
    assert!(with_secret("short").signing_secret().is_err());
    assert!(with_secret(&"abcabc".repeat(8)).signing_secret().is_err());
    assert!(with_secret("change-me-change-me-change-me-change-me").signing_secret().is_err());
    let demo = with_secret("scrip-demo-3f2504e04f8911d39a0c0305e82c3301");
    assert!(demo.signing_secret().is_err());
    assert!(Config { demo: true, ..demo }.signing_secret().is_ok());
    assert!(with_secret("c0ffee5f8f1e4b7f9a7b1d2e3f405162").signing_secret().is_ok());
}

#[test]
fn printing_shows_no_secret() {
    let config = Config {
        database_url: SecretString::from("postgres://scrip:hunter2@db/scrip"),
        ..with_secret("c0ffee5f8f1e4b7f9a7b1d2e3f405162")
    };
    let shown = serde_json::to_string(&config).unwrap();
    assert!(!shown.contains("hunter2") && !shown.contains("c0ffee"), "{shown}");
    assert!(shown.contains("@db/scrip"));
}
