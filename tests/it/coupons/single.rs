//! The coupon of a single voucher.

use super::{Shop, codes};
use crate::campaigns::voucher;
use serde_json::{Value, json};

#[tokio::test]
async fn it_is_what_the_voucher_is_now() {
    let shop = Shop::new().await;
    let campaign = shop.campaign(0, json!({})).await;
    let made = voucher(&shop.a, &campaign, json!({"text1": "Free coffee"})).await;
    let path = format!("/voucher/{}", made["id"].as_str().unwrap());
    assert_eq!((&made["pdfStatus"], &made["pdfUrl"]), (&json!("empty"), &Value::Null));
    shop.a.get(&format!("{path}/pdf")).await.expect(404);
    let asked = shop.a.post(&format!("{path}/pdf?sheet=a6&bleed=3mm"), json!({})).await.expect(202);
    assert_eq!((&asked["pdfStatus"], &asked["pdfNotes"]), (&json!("ready"), &json!([])));
    let url = asked["pdfUrl"].as_str().unwrap();
    assert!(url.ends_with("&bleed=3mm&sheet=a6") || url.ends_with("&sheet=a6&bleed=3mm"), "{url}");
    assert!(shop.a.get(&path).await.expect(200)["pdfUrl"].is_string());

    let get = async |query: &str| shop.a.get(&format!("{path}/pdf{query}")).await;
    let pdf = get("").await;
    assert_eq!(codes(&pdf.body), [made["code"].as_str().unwrap()]);
    assert_eq!(get("").await.body, pdf.body, "the same input gives the same bytes");
    let small = get("?sheet=a6").await;
    assert_eq!(codes(&small.body), codes(&pdf.body));
    assert_ne!(small.headers["etag"], pdf.headers["etag"]);
    let campaign = made["campaign"].clone();
    shop.a.patch(&path, json!({"campaign": campaign, "value": 250})).await.expect(200);
    assert_ne!(get("").await.headers["etag"], pdf.headers["etag"], "its value is on it");
}

#[tokio::test]
async fn the_code_can_be_an_address_or_a_digital_link() {
    let shop = Shop::new().await;
    let campaign = shop.campaign(0, json!({})).await;
    for (code, content, says) in [
        (
            "AB-C1",
            json!({"url": "https://v.example.com/r/{code}?from=print"}),
            "https://v.example.com/r/AB-C1?from=print",
        ),
        (
            "123456",
            json!({"digitalLink": {"domain": "https://id.example.com", "gcn": "9501101020917"}}),
            "https://id.example.com/255/9501101020917123456",
        ),
    ] {
        let style = json!({"content": content}).to_string();
        let made = voucher(&shop.a, &campaign, json!({"code": code, "style": style})).await;
        let path = format!("/voucher/{}/pdf", made["id"].as_str().unwrap());
        shop.a.post(&path, json!({})).await.expect(202);
        assert_eq!(codes(&shop.a.get(&path).await.body), [says]);
    }
}
