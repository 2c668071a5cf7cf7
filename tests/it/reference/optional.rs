//! Fields that the reference leaves optional or says are not used, and values that stand for none.

use crate::{
    app::TestApp,
    redemption::{Shop, gist},
    world,
};
use serde_json::{Value, json};

const HERE: &str = "vm-a-1";

#[tokio::test]
async fn a_discount_is_redeemed_whatever_it_is_asked_for() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"value": 100})).await;
    let demands = [
        json!({"amount": 0}),
        json!({}),
        json!(null),
        json!("x"),
        json!([1]),
        json!({"amount": -5, "x": {}}),
    ];
    for (order, demand) in demands.iter().enumerate() {
        let body = json!({"deviceId": HERE, "demand": demand});
        assert_eq!(shop.ask("validate", &made.code, body).await.expect(200)["valid"], true, "{demand}");
        let body =
            json!({"deviceId": HERE, "order": {"id": order.to_string(), "amount": 250}, "demand": demand});
        let redeemed = shop.ask("redeem", &made.code, body).await.expect(200);
        assert_eq!(gist(&redeemed), json!([true, null, 100, 100]), "{demand}");
        assert!(redeemed.as_object().unwrap().contains_key("reason"), "it is null where there is none");
    }
    let gift = shop.made(json!({"type": "gift", "value": 100})).await;
    for (demand, pointer) in [
        (json!(null), "/demand"),
        (json!("x"), "/demand"),
        (json!({}), "/demand/amount"),
        (json!({"amount": 0}), "/demand/amount"),
        (json!({"amount": 10, "x": 1}), "/demand/x"),
    ] {
        let order = json!({"id": "1", "amount": 250});
        let body = json!({"deviceId": HERE, "order": order, "demand": demand});
        shop.ask("redeem", &gift.code, body).await.expect_problem(422, pointer);
    }
    let wrong = json!({"deviceId": HERE, "lockDuration": 60, "demand": {"amount": "10"}});
    shop.ask("validate", &gift.code, wrong).await.expect_problem(422, "/demand/amount");
    assert_eq!(shop.read(&gift).await["lockedTill"], Value::Null, "what is refused locks nothing");
    let whole = json!({"deviceId": HERE, "order": {"id": "2", "amount": 250.0, "items": [
        {"productId": 5, "quantity": 1.0, "price": 250.0}]}, "demand": {"amount": 60.0}});
    assert_eq!(gist(&shop.ask("redeem", &gift.code, whole).await.expect(200)), json!([true, null, 60, 40]));
}

#[tokio::test]
async fn a_product_is_named_by_a_number_or_by_text() {
    let shop = Shop::new().await.with_redis().await;
    let rules = json!([{"field": "product", "value": "5"}]);
    let made = shop.made(json!({"validationRules": rules})).await;
    for (order, (product, is_allowed)) in
        [(json!(5), true), (json!("5"), true), (json!(5.0), true), (json!(6), false)].into_iter().enumerate()
    {
        let items = json!([{"productId": product, "quantity": 1, "price": 250}]);
        let body =
            json!({"deviceId": HERE, "order": {"id": order.to_string(), "amount": 250, "items": items}});
        assert_eq!(
            shop.ask("redeem", &made.code, body).await.expect(200)["redeemed"],
            is_allowed,
            "{product}"
        );
    }
}

#[tokio::test]
async fn what_is_left_out_has_a_name_and_a_number_all_the_same() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let id = a.post("/report", json!({})).await.expect(201)["id"].clone();
    let draft = a.get(&format!("/report/{id}")).await.expect(200);
    assert_eq!((&draft["name"], &draft["period1"]), (&json!(format!("Report {id}")), &Value::Null));
    let day = json!({"startDate": "2026-01-01", "endDate": "2026-01-31"});
    a.put(&format!("/report/{id}"), json!({"period1": day})).await.expect(200);
    assert_eq!(a.get(&format!("/report/{id}")).await.expect(200)["period1"]["endDate"], "2026-01-31");
    for part in ["productflavour", "productextra"] {
        let path = format!("/machine/21/{part}");
        for body in [
            json!({}),
            json!({"plu": 0, "price": 0}),
            json!({"plu": 7, "name": "Mint"}),
            json!({"name": "Lime"}),
        ] {
            a.post(&path, body).await.expect(201);
        }
        let parts = a.get(&path).await.expect(200);
        let shown: Vec<_> = parts
            .as_array()
            .unwrap()
            .iter()
            .map(|part| (part["plu"].clone(), part["name"].clone()))
            .collect();
        let expected =
            [(1, "1"), (2, "2"), (7, "Mint"), (8, "Lime")].map(|(plu, name)| (json!(plu), json!(name)));
        assert_eq!(shown, expected, "{part}");
        a.post(&path, json!({"plu": 2_147_483_647})).await.expect(201);
        a.post(&path, json!({})).await.expect(201);
        let last = a.get(&path).await.expect(200)[5]["plu"].clone();
        assert_eq!(last, 9, "there is none behind the highest");
    }
}

#[tokio::test]
async fn what_is_absent_from_a_change_stays() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let board = a.post("/dashboard", json!({"name": "Morning"})).await.expect(201)["id"].clone();
    let widget = a.post(&format!("/dashboard/{board}/widget"), json!({})).await.expect(201)["id"].clone();
    let settings = async || a.get("/dashboard").await.expect(200)[0]["widgets"][0]["settings"].clone();
    let path = format!("/widget/{widget}/settings");
    for (body, then) in [
        (json!({"settings": "a"}), json!("a")),
        (json!({}), json!("a")),
        (json!({"settings": null}), json!(null)),
    ] {
        a.put(&path, body).await.expect(200);
        assert_eq!(settings().await, then);
    }
    let group = a.post("/alertgroup", json!({"name": "Technicians"})).await.expect(201)["id"].clone();
    let changed = a.put(&format!("/alertgroup/{group}"), json!({"name": "Cleaners"})).await.expect(200);
    assert_eq!(changed, a.get(&format!("/alertgroup/{group}")).await.expect(200));
    assert_eq!(changed["name"], "Cleaners");
}

#[tokio::test]
async fn configurations_are_a_list_where_no_machine_is_named() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    a.put("/machineconfig", json!({"machine": 21, "ssid": "hall"})).await.expect(200);
    let all = a.get("/machineconfig").await.expect(200);
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [21, 22, 31, 32]);
    assert_eq!(all[0], a.get("/machineconfig?hostname=vm-a-1").await.expect(200));
    assert_eq!(b.get("/machineconfig?where[id]=21").await.expect(200), json!([]));
    a.get("/machineconfig?hostname=vm-a-1&colour=red").await.expect(400);
}

#[tokio::test]
async fn a_command_is_any_word_and_needs_no_body() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for word in ["Reboot", "setPrice", "2x", "clean%20up", "r%C3%A9"] {
        let request = axum::http::Request::post(format!("/command/vm-a-1/{word}"));
        let reply = a.send_raw(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 201, "{word}: {}", reply.text());
    }
    for word in ["%20", "a%07", "a%2Fb", &"x".repeat(101)] {
        a.post(&format!("/command/vm-a-1/{word}"), json!({})).await.expect_problem(400, "/command");
    }
    let sent = a.get("/command?sort=createdAt%20asc").await.expect(200);
    assert!(sent.as_array().unwrap().iter().any(|command| command["command"] == "clean up"));
}

#[tokio::test]
async fn a_voucher_becomes_one_that_inherits_and_rules_stay_where_they_are_not_given() {
    let shop = Shop::new().await;
    let campaign =
        shop.campaign(world::A, json!({"type": "gift", "voucherValue": 500, "voucherText1": "Cheers"})).await;
    let rules = json!([{"field": "location", "value": "2"}]);
    let made = shop
        .voucher(campaign, json!({"type": "gift", "value": 300, "text1": "Prost", "redemptionLimit": 0, "validationRules": rules}))
        .await;
    let before = shop.read(&made).await;
    assert_eq!((&before["validationRules"], &before["redemptionLimit"]), (&rules, &Value::Null));
    let path = format!("/voucher/{}", made.id);
    let follow = json!({"campaign": campaign, "type": "inherit"});
    for (field, value) in [("value", json!(1)), ("text1", json!("x")), ("redemptionLimit", json!(3))] {
        let mut body = follow.clone();
        body[field] = value;
        shop.owner.put(&path, body).await.expect_problem(422, &format!("/{field}"));
    }
    shop.owner.put(&path, follow).await.expect(200);
    let after = shop.read(&made).await;
    let told = |voucher: &Value| {
        ["inherits", "type", "value", "balance", "text1"].map(|field| voucher[field].clone())
    };
    assert_eq!(told(&after), [json!(true), json!("gift"), json!(500), json!(500), json!("Cheers")]);
    assert_eq!(after["validationRules"], rules, "they stay");
    shop.change_campaign(
        campaign,
        json!({"voucherText1": "Hello", "validationRules": [{"field": "product", "value": "5"}]}),
    )
    .await;
    assert_eq!(shop.read(&made).await["text1"], "Hello");
    let shown = shop.owner.get(&format!("/campaign/{campaign}")).await.expect(200)["validationRules"].clone();
    assert_eq!(shown, shop.owner.get(&format!("/campaign/{campaign}/validationrules")).await.expect(200));
    assert_eq!(shown[0]["value"], "5");
    let own = json!({"campaign": campaign, "type": "gift", "value": 200, "validationRules": []});
    shop.owner.put(&path, own).await.expect(200);
    let own = shop.read(&made).await;
    assert_eq!((&own["inherits"], &own["validationRules"]), (&json!(false), &json!([])));
    let dynamic = shop.made(json!({})).await;
    let body = json!({"campaign": dynamic.campaign, "type": "inherit"});
    shop.owner.put(&format!("/voucher/{}", dynamic.id), body).await.expect_problem(422, "/type");
}

#[tokio::test]
async fn a_style_of_css_makes_the_campaign_and_the_pdf_tells_what_no_coupon_follows() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let campaign = |style: &str| json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 100, "voucherText1": "Free coffee", "voucherStyle": style});
    let style = r#"{"voucherText1Lbl": {"fontStyle": "italic", "textTransform": "uppercase", "fontSize": "1.5em",
        "margin": "2px 0", "letterSpacing": "1px"}}"#;
    let id = a.post("/campaign", campaign(style)).await.expect(201)["id"].clone();
    assert_eq!(a.get(&format!("/campaign/{id}")).await.expect(200)["voucherStyle"], style, "it is kept");
    let voucher = json!({"campaign": id, "type": "discount", "value": 100});
    let voucher = a.post("/voucher", voucher).await.expect(201)["id"].as_str().unwrap().to_owned();
    let notes = a.post(&format!("/voucher/{voucher}/pdf"), json!({})).await.expect(202)["pdfNotes"].clone();
    let ignored = notes.as_array().unwrap().iter().find(|note| note["outcome"] == "ignored").unwrap();
    assert_eq!((&ignored["part"], &ignored["detail"]), (&json!("text1"), &json!("letterSpacing")));
    a.post("/campaign", campaign("")).await.expect(201);
    for (style, pointer) in [
        (
            r#"{"voucherText1Lbl": {"backgroundImage": "url(//example.com)"}}"#,
            "/voucherStyle/voucherText1Lbl/backgroundImage",
        ),
        (r#"{"voucherText1Lbl": {"colour": "red"}}"#, "/voucherStyle/voucherText1Lbl/colour"),
        ("string", "/voucherStyle"),
    ] {
        a.post("/campaign", campaign(style)).await.expect_problem(422, pointer);
    }
}
