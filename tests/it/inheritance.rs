//! A voucher takes from its campaign the fields that it was not given, and an end.

use crate::{
    app::TestApp,
    campaigns::{campaign, voucher},
    client::Client,
    redemption::{Shop, gist},
    world,
};
use chrono::Duration;
use serde_json::{Value, json};

const DEVICE: &str = "vm-a-1";

/// Fields that a voucher can be given, other than its type and value.
const FIELDS: [&str; 10] = [
    "redemptionLimit",
    "resetFrequency",
    "startsOn",
    "expiresOn",
    "timeZone",
    "text1",
    "text2",
    "text3",
    "text4",
    "style",
];

/// A campaign's name of a voucher's field.
fn of_campaign(field: &str) -> String {
    match field {
        "style" => "voucherStyle".to_owned(),
        text if text.starts_with("text") => format!("voucherText{}", &text[4..]),
        same => same.to_owned(),
    }
}

/// Two values of a field that differ.
fn values(field: &str) -> [Value; 2] {
    match field {
        "redemptionLimit" => [json!(3), json!(5)],
        "resetFrequency" => [json!("day"), json!("month")],
        "startsOn" => [json!("2026-02-01"), json!("2026-03-01")],
        "expiresOn" => [json!("2027-02-01"), json!("2027-03-01")],
        "timeZone" => [json!("America/New_York"), json!("Asia/Yerevan")],
        "style" => [json!("{\"sheet\":\"a6\"}"), json!("{\"marks\":true}")],
        _ => [json!("Cheers"), json!("Prost")],
    }
}

async fn read(client: &Client, made: &Value) -> Value {
    client.get(&format!("/voucher/{}", made["id"].as_str().unwrap())).await.expect(200)
}

#[tokio::test]
async fn each_field_that_a_voucher_was_not_given_follows_its_campaign() {
    let app = TestApp::builder().stopped_at("2026-01-10T10:00:00Z").build().await;
    let a = app.user("a").await;
    for field in FIELDS {
        let [first, second] = values(field);
        let of_campaign = of_campaign(field);
        let path = campaign(&a, json!({of_campaign.as_str(): first})).await;
        let without = voucher(&a, &path, json!({})).await;
        let with = voucher(&a, &path, json!({field: first})).await;
        assert_eq!((&without[field], &with[field]), (&first, &first), "{field}");
        a.put(&path, json!({of_campaign.as_str(): second})).await.expect(200);
        assert_eq!(read(&a, &without).await[field], second, "{field} is the campaign's");
        assert_eq!(read(&a, &with).await[field], first, "{field} is its own");
        let listed = a.get(&format!("{path}/vouchers?sort=id+asc")).await.expect(200);
        assert_eq!((&listed[0][field], &listed[1][field]), (&second, &first), "{field}");

        // Written back as it was read, it goes on following.
        let mut body = read(&a, &without).await;
        let body = body.as_object_mut().unwrap();
        body.retain(|name, _| {
            FIELDS.contains(&name.as_str()) || ["campaign", "type", "value"].contains(&name.as_str())
        });
        body.insert("validationRules".to_owned(), json!([]));
        let body = Value::Object(body.clone());
        let at = format!("/voucher/{}", without["id"].as_str().unwrap());
        a.put(&at, body).await.expect(200);
        a.put(&path, json!({of_campaign.as_str(): first})).await.expect(200);
        assert_eq!(read(&a, &without).await[field], first, "{field} follows after a replacement");
    }
}

#[tokio::test]
async fn a_machine_goes_by_what_a_voucher_takes_from_its_campaign() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let terms = json!({"redemptionLimit": 1, "resetFrequency": "day", "startsOn": "2026-06-02"});
        let campaign = shop.campaign(world::A, terms).await;
        let made = shop.voucher(campaign, json!({"type": "gift", "value": 500})).await;
        assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "not_started");
        shop.change_campaign(campaign, json!({"startsOn": null})).await;
        assert_eq!(gist(&shop.spend(DEVICE, &made.code, "1", 200).await), json!([true, null, 200, 300]));
        assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "redemption_limit_reached");
        assert_eq!(shop.spend(DEVICE, &made.code, "2", 200).await["reason"], "redemption_limit_reached");
        shop.change_campaign(campaign, json!({"redemptionLimit": 2})).await;
        assert_eq!(gist(&shop.spend(DEVICE, &made.code, "2", 200).await), json!([true, null, 200, 100]));
        shop.pass(Duration::days(1));
        assert_eq!(gist(&shop.validate(DEVICE, &made.code).await), json!([true, null, 500, 500]));
        assert_eq!(gist(&shop.spend(DEVICE, &made.code, "3", 500).await), json!([true, null, 500, 0]));
        let report = scrip::redemption::verify::verify(shop.app()).await.unwrap();
        assert_eq!(report.differences, []);
    }
}

#[tokio::test]
async fn a_voucher_never_outlives_its_campaign() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let campaign = shop.campaign(world::A, json!({"expiresOn": "2026-06-02"})).await;
        let later = shop.voucher(campaign, json!({"expiresOn": "2026-12-31", "code": "SHARED"})).await;
        let earlier = shop.voucher(campaign, json!({"expiresOn": "2026-06-01"})).await;
        assert_eq!(shop.read(&later).await["expiresOn"], "2026-12-31");
        // Of two with one code the first to expire is meant, as its campaign has it.
        let other = shop.campaign(world::A, json!({})).await;
        shop.voucher(other, json!({"expiresOn": "2026-07-01", "code": "SHARED"})).await;
        assert_eq!(shop.validate(DEVICE, "SHARED").await["voucherId"], later.id);
        shop.change_campaign(other, json!({"status": "inactive"})).await;

        shop.pass(Duration::days(1));
        assert_eq!(shop.validate(DEVICE, &earlier.code).await["reason"], "expired");
        assert_eq!(shop.redeem(DEVICE, &later.code, "1").await["redeemed"], true);
        shop.pass(Duration::days(1));
        assert_eq!(shop.validate(DEVICE, &later.code).await["reason"], "expired");
        assert_eq!(shop.redeem(DEVICE, &later.code, "2").await["reason"], "expired");
        shop.change_campaign(campaign, json!({"expiresOn": "2026-06-30"})).await;
        assert_eq!(shop.validate(DEVICE, &later.code).await["valid"], true);
        assert_eq!(shop.validate(DEVICE, &earlier.code).await["reason"], "expired");
        shop.change_campaign(campaign, json!({"expiresOn": null})).await;
        shop.pass(Duration::days(100));
        assert_eq!(shop.validate(DEVICE, &later.code).await["valid"], true);
    }
}

#[tokio::test]
async fn dates_without_a_zone_of_their_own_move_with_the_campaigns() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({"timeZone": "Asia/Tokyo"})).await;
    let made = shop.voucher(campaign, json!({"expiresOn": "2026-06-01"})).await;
    let own = shop.voucher(campaign, json!({"expiresOn": "2026-06-01", "timeZone": "Asia/Tokyo"})).await;
    shop.change_campaign(campaign, json!({"timeZone": "America/New_York"})).await;
    // In Tokyo the second has begun.
    shop.pass(Duration::hours(6));
    assert_eq!(shop.validate(DEVICE, &made.code).await["valid"], true);
    assert_eq!(shop.validate(DEVICE, &own.code).await["reason"], "expired");
    shop.change_campaign(campaign, json!({"timeZone": "Asia/Tokyo"})).await;
    assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "expired");
    // A day that is over in Amsterdam can be given while it lasts where the campaign is.
    shop.pass(Duration::hours(7));
    let there = shop.campaign(world::A, json!({"timeZone": "America/New_York"})).await;
    shop.voucher(there, json!({"expiresOn": "2026-06-01"})).await;
}

#[tokio::test]
async fn a_type_is_the_campaigns_but_in_a_dynamic_one() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    for (kind, good, bad) in [
        ("discount", &["discount", "inherit"][..], &["gift"][..]),
        ("gift", &["gift", "inherit"], &["discount"]),
        ("dynamic", &["discount", "gift"], &["inherit"]),
    ] {
        let path = campaign(&a, json!({"type": kind})).await;
        let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
        let draft = |r#type: &&str| match *r#type {
            "inherit" => json!({"campaign": id, "type": "inherit"}),
            r#type => json!({"campaign": id, "type": r#type, "value": 100}),
        };
        for r#type in good {
            a.post("/voucher", draft(r#type)).await.expect(201);
        }
        for r#type in bad {
            a.post("/voucher", draft(r#type)).await.expect_problem(422, "/type");
        }
        if kind != "dynamic" {
            let made = voucher(&a, &path, json!({"type": kind})).await;
            let at = format!("/voucher/{}", made["id"].as_str().unwrap());
            let body = json!({"campaign": id, "type": bad[0], "value": 100, "validationRules": []});
            a.put(&at, body).await.expect_problem(422, "/type");
        }
    }
}

#[tokio::test]
async fn a_voucher_that_inherits_follows_in_everything() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({"type": "gift", "voucherValue": 500})).await;
    let body = json!({"campaign": campaign, "type": "inherit", "code": "LIKE-ALL"});
    let made = shop.owner.post("/voucher", body).await.expect(201);
    assert_eq!(
        json!([made["type"], made["value"], made["balance"], made["inherits"]]),
        json!(["gift", 500, 500, true])
    );
    assert_eq!(gist(&shop.spend(DEVICE, "LIKE-ALL", "1", 100).await), json!([true, null, 100, 400]));
    shop.change_campaign(campaign, json!({"redemptionLimit": 1, "voucherText1": "Cheers"})).await;
    assert_eq!(shop.validate(DEVICE, "LIKE-ALL").await["reason"], "redemption_limit_reached");
    assert_eq!(read(&shop.owner, &made).await["text1"], "Cheers");
    let listed = shop.owner.get("/voucher?where[inherits]=true").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_voucher_can_be_had_inherit_later() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({"type": "gift", "voucherValue": 500})).await;
    let own = json!({"type": "gift", "value": 300, "code": "OWN", "text1": "Mine", "redemptionLimit": 9});
    let made = shop.voucher(campaign, own).await;
    shop.spend(DEVICE, "OWN", "1", 100).await;
    let path = format!("/voucher/{}", made.id);
    let inherit = json!({"campaign": campaign, "type": "inherit"});
    for (field, value) in
        [("value", json!(300)), ("expiresOn", json!("2090-01-01")), ("text1", json!("Mine"))]
    {
        let mut body = inherit.clone();
        body[field] = value;
        shop.owner.put(&path, body).await.expect_problem(422, &format!("/{field}"));
    }
    shop.owner.put(&path, inherit).await.expect(200);
    shop.change_campaign(campaign, json!({"redemptionLimit": 5})).await;
    let now = shop.owner.get(&path).await.expect(200);
    assert_eq!(
        json!([
            now["type"],
            now["value"],
            now["balance"],
            now["inherits"],
            now["text1"],
            now["redemptionLimit"]
        ]),
        json!(["gift", 500, 400, true, null, 5])
    );
    let own = json!({"campaign": campaign, "type": "gift"});
    shop.owner.put(&path, own).await.expect_problem(422, "/value");
}

#[tokio::test]
async fn a_voucher_that_is_written_back_goes_on_following() {
    let shop = Shop::new().await.with_redis().await;
    let terms = json!({"type": "gift", "voucherValue": 500, "redemptionLimit": 2, "voucherText1": "Cheers"});
    let campaign = shop.campaign(world::A, terms).await;
    let inherits = json!({"campaign": campaign, "type": "inherit"});
    let inherits = shop.owner.post("/voucher", inherits).await.expect(201);
    let own = json!({"campaign": campaign, "type": "gift", "value": 300});
    let own = shop.owner.post("/voucher", own).await.expect(201);
    let at = |made: &Value| format!("/voucher/{}", made["id"].as_str().unwrap());
    for made in [&inherits, &own] {
        let shown = shop.owner.get(&at(made)).await.expect(200);
        shop.owner.put(&at(made), shown).await.expect(200);
    }
    shop.change_campaign(campaign, json!({"redemptionLimit": 5, "voucherText1": "Hello"})).await;
    for (made, value, inherits) in [(&inherits, 500, true), (&own, 300, false)] {
        let now = shop.owner.get(&at(made)).await.expect(200);
        assert_eq!(
            json!([now["value"], now["inherits"], now["redemptionLimit"], now["text1"]]),
            json!([value, inherits, 5, "Hello"])
        );
    }
}

#[tokio::test]
async fn a_running_campaign_gets_more_codes_that_follow_it() {
    let shop = Shop::new().await.with_redis().await;
    let campaign =
        shop.campaign(world::A, json!({"type": "discount", "voucherValue": 50, "prefix": "AUT"})).await;
    let more = json!({"campaign": campaign, "type": "inherit", "count": 500});
    assert_eq!(shop.owner.post("/voucher", more).await.status, 201);
    shop.change_campaign(campaign, json!({"redemptionLimit": 3})).await;
    let page = shop.owner.get(&format!("/campaign/{campaign}/vouchers?limit=100")).await;
    assert_eq!(page.headers["x-total-count"], "500");
    for made in page.json().as_array().unwrap() {
        assert_eq!(
            json!([made["type"], made["value"], made["inherits"], made["redemptionLimit"], made["prefix"]]),
            json!(["discount", 50, true, 3, "AUT"])
        );
        assert!(made["code"].as_str().unwrap().starts_with("AUT-"));
    }
}

/// The tag of a voucher's PDF: what is printed alike has the same.
async fn printed(client: &Client, made: &Value) -> String {
    let path = format!("/voucher/{}/pdf", made["id"].as_str().unwrap());
    client.post(&path, json!({})).await.expect(202);
    client.get(&path).await.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_coupon_says_what_its_campaign_has_for_it() {
    let app = TestApp::builder().stopped_at("2026-06-01T10:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(
        &a,
        json!({"voucherText1": "Gratis koffie", "expiresOn": "2026-12-31", "voucherStyle": "{\"locale\":\"nl-NL\"}"}),
    )
    .await;
    let made = voucher(&a, &path, json!({})).await;
    let plain = printed(&a, &made).await;
    let at = format!("/voucher/{}", made["id"].as_str().unwrap());
    let put = async |more: Value| {
        let mut body =
            json!({"campaign": made["campaign"], "type": "discount", "value": 100, "validationRules": []});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        a.put(&at, body).await.expect(200);
        printed(&a, &made).await
    };
    // Given the same itself, it is printed alike; given something else, it is not.
    for (field, same, other) in [
        ("text1", json!("Gratis koffie"), json!("Gratis thee")),
        ("style", json!("{\"locale\":\"nl-NL\"}"), json!("{\"locale\":\"de-DE\"}")),
        ("expiresOn", json!("2026-12-31"), json!("2026-11-30")),
    ] {
        assert_ne!(put(json!({field: other})).await, plain, "{field}");
        assert_eq!(put(json!({field: same})).await, plain, "{field}");
        assert_eq!(put(json!({})).await, plain, "{field}");
    }
    // It is good until the campaign ends, and the campaign's language is its own.
    assert_eq!(put(json!({"expiresOn": "2027-12-31"})).await, plain);
    let styled = put(json!({"style": "{\"code128\":true,\"locale\":\"nl-NL\"}"})).await;
    assert_eq!(put(json!({"style": "{\"code128\":true}"})).await, styled);
    put(json!({})).await;
    a.put(&path, json!({"voucherText1": "Gratis thee"})).await.expect(200);
    assert_ne!(printed(&a, &made).await, plain, "it follows its campaign");
}
