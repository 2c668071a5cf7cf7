//! What can't be printed, and who may not have it.

use super::Shop;
use crate::{campaigns::voucher, world};
use serde_json::json;

#[tokio::test]
async fn what_there_is_not_is_not_printed() {
    let shop = Shop::new().await;
    let path = shop.campaign(0, json!({})).await;
    shop.a.get(&format!("{path}/pdf")).await.expect(404);
    shop.a.post(&format!("{path}/pdf"), json!({})).await.expect(409);
    voucher(&shop.a, &path, json!({})).await;
    shop.ask(&path).await;
    shop.a.get(&format!("{path}/pdf")).await.expect(409);
    shop.a.post("/campaign/999/pdf", json!({})).await.expect(404);
    shop.a.post("/voucher/00000000-0000-0000-0000-000000000000/pdf", json!({})).await.expect(404);
}

#[tokio::test]
async fn a_sheet_that_there_is_not_is_refused_by_name() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    for (query, pointer) in [
        ("sheet=a3", "/sheet"),
        ("bleed=wide", "/bleed"),
        ("marks=perhaps", "/marks"),
        ("ruler=1", "/ruler"),
        ("colour=red", "/colour"),
    ] {
        let problem = shop.a.post(&format!("{path}/pdf?{query}"), json!({})).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    assert_eq!(shop.status(&path).await, "empty");
}

#[tokio::test]
async fn text_that_no_font_has_is_refused_before_it_is_printed() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({"voucherText3": "咖啡"})).await;
    let problem = shop.a.post(&format!("{path}/pdf"), json!({})).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/voucherText3");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains('咖'), "{problem}");
    assert_eq!(shop.status(&path).await, "empty");
    let made = voucher(&shop.a, &path, json!({"text2": "咖啡"})).await;
    let problem =
        shop.a.post(&format!("/voucher/{}/pdf", made["id"].as_str().unwrap()), json!({})).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/text2");
}

#[tokio::test]
async fn a_symbol_too_dense_for_its_sheet_is_refused() {
    let shop = Shop::new().await;
    let content = json!({"url": format!("https://example.com/{}?c={{code}}", "x".repeat(230))});
    let path = shop.campaign(1, json!({"voucherStyle": json!({"content": content}).to_string()})).await;
    let problem = shop.a.post(&format!("{path}/pdf?sheet=a4-4x10"), json!({})).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/sheet");
    shop.a.post(&format!("{path}/pdf?sheet=a6"), json!({})).await.expect(202);
}

#[tokio::test]
async fn a_voucher_that_can_not_be_printed_ends_the_print_and_is_named() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    let style = json!({"content": {"url": format!("https://example.com/{}?c={{code}}", "x".repeat(230))}});
    voucher(&shop.a, &path, json!({"code": "DENSE", "style": style.to_string()})).await;
    shop.a.post(&format!("{path}/pdf?sheet=a4-4x10"), json!({})).await.expect(202);
    shop.work().await;
    assert_eq!(shop.status(&path).await, "failed");
    let problem = shop.progress(&path).await["problem"].clone();
    assert!(problem.as_str().unwrap().contains("DENSE"), "{problem}");
    shop.a.get(&format!("{path}/pdf")).await.expect(409);
}

#[tokio::test]
async fn others_have_nothing_of_it() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    shop.printed(&path).await;
    let vouchers = shop.a.get(&format!("{path}/vouchers")).await.expect(200);
    let voucher = format!("/voucher/{}/pdf", vouchers[0]["id"].as_str().unwrap());
    shop.a.post(&voucher, json!({})).await.expect(202);
    let b = shop.app.user("b").await;
    for file in [&format!("{path}/pdf"), &voucher] {
        b.get(file).await.expect(404);
        b.post(file, json!({})).await.expect(404);
    }
    // Codes are money: who may not read vouchers may not read them on paper.
    let reader = shop.app.bearer(world::key(&shop.app.app.db, world::A, None, &["campaign.read"]).await);
    reader.get(&format!("{path}/pdf")).await.expect(403);
    reader.post(&format!("{path}/pdf"), json!({})).await.expect(403);
}
