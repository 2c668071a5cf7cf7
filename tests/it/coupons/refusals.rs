//! What can't be printed, and who may not have it.

use super::Shop;
use crate::{campaigns::voucher, world};
use serde_json::{Value, json};

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
        ("start=0", "/start"),
        ("start=25", "/start"),
        ("start=seven", "/start"),
        ("start=2&sheet=a6", "/start"),
        ("offsetX=11mm", "/offsetX"),
        ("offsetY=wide", "/offsetY"),
    ] {
        let problem = shop.a.post(&format!("{path}/pdf?{query}"), json!({})).await.expect(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    assert_eq!(shop.status(&path).await, "empty");
}

/// Bodies with a text that no font has, and one in a language that none has.
fn unprintable(body: &Value, text: &str, style: &str) -> [(Value, String, &'static str); 2] {
    let with = |name: &str, value: &str| {
        let mut body = body.clone();
        body[name] = json!(value);
        body
    };
    [
        (with(text, "Gratis 咖啡 ☕"), format!("/{text}"), "咖啡"),
        (with(style, r#"{"locale":"ja"}"#), format!("/{style}/locale"), "年"),
    ]
}

#[tokio::test]
async fn text_that_no_font_has_is_refused_when_it_is_stored() {
    let shop = Shop::new().await;
    let path = shop.campaign(1, json!({})).await;
    let posted = voucher(&shop.a, &path, json!({})).await;
    let own = format!("/voucher/{}", posted["id"].as_str().unwrap());
    let before = (shop.a.get(&path).await.expect(200), shop.a.get(&own).await.expect(200));
    let campaign = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 500});
    let draft = json!({"campaign": posted["campaign"], "type": "discount", "value": 5});
    let replacement =
        json!({"campaign": posted["campaign"], "type": "discount", "value": 5, "validationRules": []});
    let mut replies = Vec::new();
    for case in unprintable(&campaign, "voucherText2", "voucherStyle") {
        replies.push((shop.a.post("/campaign", case.0.clone()).await, case));
    }
    for case in unprintable(&json!({"name": "other"}), "voucherText4", "voucherStyle") {
        replies.push((shop.a.put(&path, case.0.clone()).await, case));
    }
    for case in unprintable(&draft, "text1", "style") {
        replies.push((shop.a.post("/voucher", case.0.clone()).await, case));
    }
    for case in unprintable(&replacement, "text3", "style") {
        replies.push((shop.a.put(&own, case.0.clone()).await, case));
    }
    for (reply, (body, pointer, characters)) in replies {
        reply.expect_problem(422, &pointer);
        let detail = reply.expect(422)["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(characters) && !detail.contains('☕'), "{body}: {detail}");
    }
    assert_eq!((shop.a.get(&path).await.expect(200), shop.a.get(&own).await.expect(200)), before);
    // What belongs to others is not there, whatever the text.
    let b = shop.app.user("b").await;
    b.put(&path, json!({"voucherText1": "咖啡"})).await.expect(404);
}

#[tokio::test]
async fn text_that_was_stored_before_is_printed_and_told_of() {
    let shop = Shop::new().await;
    let path = shop.campaign(2, json!({})).await;
    let posted = voucher(&shop.a, &path, json!({"text2": "Own"})).await;
    for stored in
        ["UPDATE campaign SET voucher_text3 = '咖啡'", "UPDATE voucher SET text2 = '茶' WHERE NOT inherits"]
    {
        sqlx::query(stored).execute(&shop.app.app.db).await.unwrap();
    }
    let told = |notes: &Value, part: &str, characters: &str| {
        let notes = notes.as_array().unwrap();
        let note = notes.iter().find(|note| note["part"] == part && note["outcome"] == "unprintable");
        assert_eq!(note.unwrap()["detail"], characters, "{notes:?}");
    };
    told(&shop.ask(&path).await["pdfNotes"], "text3", "咖啡");
    shop.work().await;
    assert_eq!(shop.status(&path).await, "ready");
    shop.assert_exact(&path).await;
    told(&shop.progress(&path).await["pdfNotes"], "text2", "茶");
    let own = format!("/voucher/{}", posted["id"].as_str().unwrap());
    let asked = shop.a.post(&format!("{own}/pdf"), json!({})).await.expect(202);
    told(&asked["pdfNotes"], "text2", "茶");
    // It can be written back as it was read, and changes with what no font has can't be added to it.
    shop.a.put(&path, json!({"voucherText3": "咖啡", "voucherText1": "Free tea"})).await.expect(200);
    shop.a
        .put(&path, json!({"voucherText3": "咖啡", "voucherText1": "茶"}))
        .await
        .expect_problem(422, "/voucherText1");
    let same = json!({"campaign": posted["campaign"], "type": "discount", "value": 5, "validationRules": [], "text2": "茶"});
    shop.a.put(&own, same).await.expect(200);
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
