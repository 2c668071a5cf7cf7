//! A PDF says what its campaign and vouchers say: whatever changes that has it made anew.

use super::Shop;
use crate::{campaigns::voucher, client::Client};
use base64::{Engine, prelude::BASE64_STANDARD};
use scrip::jobs::worker::work_one;
use serde_json::{Value, json};

/// Whether a change has the PDF made anew; it is ready before and afterwards.
async fn outdates(shop: &Shop, path: &str, change: impl AsyncFnOnce(&Client)) -> bool {
    shop.work().await;
    assert_eq!(shop.status(path).await, "ready");
    change(&shop.a).await;
    let outdated = shop.status(path).await == "pending";
    shop.work().await;
    shop.assert_exact(path).await;
    outdated
}

#[tokio::test]
async fn whatever_is_printed_has_it_made_anew() {
    let shop = Shop::new().await;
    let path = shop.campaign(30, json!({})).await;
    shop.printed(&path).await;
    let before = shop.parts(&path).await;
    for change in [
        json!({"voucherText1": "Free tea"}),
        json!({"voucherText4": "Not with other offers"}),
        json!({"voucherStyle": "{\"voucherText1Lbl\":{\"fontWeight\":\"bold\"}}"}),
        json!({"expiresOn": "2026-12-31"}),
        json!({"currency": "USD"}),
        json!({"timeZone": "Asia/Yerevan"}),
    ] {
        let put = async |a: &Client| drop(a.put(&path, change.clone()).await.expect(200));
        assert!(outdates(&shop, &path, put).await, "{change}");
    }
    assert_ne!(shop.parts(&path).await, before);
    let posted = async |a: &Client| drop(voucher(a, &path, json!({})).await);
    assert!(outdates(&shop, &path, posted).await);
    assert_eq!(shop.codes(&path).await.len(), 31);
}

#[tokio::test]
async fn what_is_not_printed_leaves_it_alone() {
    let shop = Shop::new().await;
    let path = shop.campaign(3, json!({})).await;
    shop.printed(&path).await;
    let job = async || {
        sqlx::query_scalar::<_, i64>("SELECT max(id) FROM job").fetch_one(&shop.app.app.db).await.unwrap()
    };
    let before = job().await;
    for change in [json!({"name": "Summer"}), json!({"status": "inactive"}), json!({"redemptionLimit": 5})] {
        let put = async |a: &Client| drop(a.put(&path, change.clone()).await.expect(200));
        assert!(!outdates(&shop, &path, put).await, "{change}");
    }
    let asked = shop.ask(&path).await;
    assert_eq!(asked["vouchersPdfStatus"], "ready", "what is there is not made again");
    assert_eq!(job().await, before);
    let other = shop.a.post(&format!("{path}/pdf?sheet=a6"), json!({})).await.expect(202);
    assert_eq!(other["vouchersPdfStatus"], "pending", "another sheet is another PDF");
}

#[tokio::test]
async fn a_change_of_one_voucher_does_too() {
    let shop = Shop::new().await;
    let path = shop.campaign(3, json!({})).await;
    shop.printed(&path).await;
    let vouchers = shop.a.get(&format!("{path}/vouchers")).await.expect(200);
    let [one, other] = [&vouchers[0], &vouchers[1]];
    let id = |voucher: &Value| format!("/voucher/{}", voucher["id"].as_str().unwrap());
    let campaign = one["campaign"].clone();
    let value = async |a: &Client| {
        a.patch(&id(one), json!({"campaign": campaign, "value": 250})).await.expect(200);
    };
    assert!(outdates(&shop, &path, value).await);
    let status = async |a: &Client| {
        a.patch(&id(other), json!({"campaign": campaign, "status": "inactive"})).await.expect(200);
    };
    assert!(!outdates(&shop, &path, status).await);
    let replaced = async |a: &Client| {
        let new = json!({"campaign": campaign, "type": "discount", "value": 1, "validationRules": [], "text1": "Own"});
        a.put(&id(other), new).await.expect(200);
    };
    assert!(outdates(&shop, &path, replaced).await);
}

#[tokio::test]
async fn another_logo_does_too() {
    const SVG: &str = "data:image/svg+xml;base64,";
    let shop = Shop::new().await;
    let path = shop.campaign(3, json!({})).await;
    shop.printed(&path).await;
    let drawing = |color: &str| {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 6"><path fill="{color}" d="M0 0h9v6z"/></svg>"#
        );
        format!("{SVG}{}", BASE64_STANDARD.encode(svg))
    };
    let mut seen = vec![shop.parts(&path).await];
    for image in [json!(drawing("red")), json!(drawing("blue")), Value::Null] {
        let logo = async |a: &Client| {
            a.put(&format!("{path}/logo"), json!({"image": image})).await.expect(200);
        };
        assert!(outdates(&shop, &path, logo).await, "{image}");
        seen.push(shop.parts(&path).await);
    }
    assert_eq!(seen[3], seen[0]);
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
}

#[tokio::test]
async fn a_change_while_it_is_printed_is_in_it() {
    let shop = Shop::new().await;
    let path = shop.campaign(200, json!({})).await;
    shop.ask(&path).await;
    let (worked, ()) = tokio::join!(work_one(&shop.app.app), async {
        while shop.progress(&path).await["parts"].as_array().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        shop.a.put(&path, json!({"voucherText1": "Free tea"})).await.expect(200);
        voucher(&shop.a, &path, json!({"code": "LATE"})).await;
    });
    worked.unwrap();
    shop.work().await;
    shop.assert_exact(&path).await;
    let printed = shop.parts(&path).await;
    // The same campaign, printed in peace.
    sqlx::query("DELETE FROM coupon_print").execute(&shop.app.app.db).await.unwrap();
    shop.printed(&path).await;
    assert_eq!(shop.parts(&path).await, printed);
}
