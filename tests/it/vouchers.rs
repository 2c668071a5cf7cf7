//! Vouchers through HTTP: posted, changed, logged, exported.

use crate::{
    app::TestApp,
    campaigns::{campaign, redeem, voucher},
};
use serde_json::{Value, json};

async fn count(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM voucher").fetch_one(&app.app.db).await.unwrap()
}

#[tokio::test]
async fn a_voucher_is_read_as_it_was_posted() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"currency": "CHF", "type": "gift"})).await;
    let posted = voucher(
        &a,
        &path,
        json!({
            "type": "gift", "value": 1000, "code": "Cola-Fan", "prefix": "vip", "redemptionLimit": 5,
            "resetFrequency": "month", "expiresOn": "2026-12-31", "timeZone": "Europe/Zurich", "text1": "Cheers",
            "validationRules": [{"field": "product", "value": "7"}]
        }),
    )
    .await;
    assert_eq!(
        posted,
        json!({
            "id": posted["id"], "code": "vip-Cola-Fan", "campaign": posted["campaign"], "type": "gift",
            "value": 1000, "valueType": "cents", "currency": "CHF", "initialValue": 1000, "redemptionLimit": 5,
            "redemptionCount": 0, "totalRedemptionCount": 0, "lastRedemptionAt": null,
            "lastRedemptionLocation": null, "prefix": "vip", "resetFrequency": "month", "lastResetAt": null,
            "startsOn": null, "expiresOn": "2026-12-31", "timeZone": "Europe/Zurich", "lockOwner": null,
            "lockedTill": null, "status": "active", "amountRedeemed": 0, "totalAmountRedeemed": 0,
            "createdAt": "2026-11-24T12:00:00Z", "updatedAt": "2026-11-24T12:00:00Z", "balance": 1000,
            "text1": "Cheers", "text2": null, "text3": null, "text4": null, "logoImg": null,
            "pdfStatus": "empty", "style": null, "pdfUrl": null, "voucherComments": null, "inherits": false
        })
    );
    let id = posted["id"].as_str().unwrap();
    let mut whole = posted.clone();
    whole["validationRules"] = json!([{"field": "product", "value": "7"}]);
    assert_eq!(a.get(&format!("/voucher/{id}")).await.expect(200), whole);
    assert_eq!(a.get(&format!("{path}/vouchers")).await.expect(200), json!([posted]));
    a.get("/voucher/1").await.expect_problem(400, "/id");
    a.get("/voucher/018f0000-0000-7000-8000-000000000000").await.expect(404);

    // Case does not make another code, another campaign does.
    let again = json!({"campaign": posted["campaign"], "type": "gift", "value": 1, "code": "VIP-cola-fan"});
    a.post("/voucher", again).await.expect(409);
    let other = campaign(&a, json!({})).await;
    voucher(&a, &other, json!({"code": "VIP-cola-fan"})).await;
}

#[tokio::test]
async fn five_thousand_vouchers_are_created_together_or_not_at_all() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"prefix": "SUN"})).await;
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let draft = json!({"campaign": id, "type": "discount", "value": 5, "count": 5000});
    let reply = a.post("/voucher", draft.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0));
    assert_eq!(count(&app).await, 5_000);
    let listed = a.get("/voucher?limit=1").await.expect(200);
    assert!(listed[0]["code"].as_str().unwrap().starts_with("SUN-"), "{listed}");

    // The last row of the next batch meets a fault of the database.
    for statement in [
        "CREATE SEQUENCE inserted",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('inserted') >= 5000 THEN
                 RAISE EXCEPTION 'clash' USING ERRCODE = 'unique_violation', CONSTRAINT = 'voucher_code';
             END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON voucher FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        sqlx::query(statement).execute(&app.app.db).await.unwrap();
    }
    a.post("/voucher", draft).await.expect(409);
    assert_eq!(count(&app).await, 5_000);
}

#[tokio::test]
async fn a_bad_voucher_is_refused_and_nothing_is_left_of_it() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let cases = [
        (json!({"type": "inherit"}), "/value"),
        (json!({"type": "gift"}), "/type"),
        (json!({"value": -1}), "/value"),
        (json!({"value": 1.5}), "/value"),
        (json!({"campaign": 999_999}), "/campaign"),
        (json!({"count": 5001}), "/count"),
        (json!({"count": 2, "code": "x"}), "/code"),
        (json!({"code": " x"}), "/code"),
        (json!({"code": "a\u{0}"}), "/code"),
        (json!({"timeZone": "nowhere"}), "/timeZone"),
        (json!({"validationRules": [{"field": "location", "value": ""}]}), "/validationRules/0/value"),
        (json!({"text1": "\u{0}"}), "/text1"),
        (json!({"status": "active"}), "/status"),
    ];
    for (more, pointer) in cases {
        let mut draft = json!({"campaign": id, "type": "discount", "value": 5});
        draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        a.post("/voucher", draft).await.expect_problem(422, pointer);
    }
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn a_generated_voucher_follows_its_campaign_until_it_is_changed_itself() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 2, "type": "gift", "voucherText1": "Hello"})).await;
    assert!(scrip::jobs::worker::work_one(&app.app).await.unwrap());
    a.put(&path, json!({"redemptionLimit": 9, "voucherText1": "Bye"})).await.expect(200);
    let vouchers = a.get(&format!("{path}/vouchers")).await.expect(200);
    let seen = |voucher: &Value| {
        (voucher["redemptionLimit"].clone(), voucher["text1"].clone(), voucher["balance"].clone())
    };
    assert_eq!(seen(&vouchers[0]), (json!(9), json!("Bye"), json!(500)));

    let first = format!("/voucher/{}", vouchers[0]["id"].as_str().unwrap());
    let second = format!("/voucher/{}", vouchers[1]["id"].as_str().unwrap());
    a.patch(&first, json!({"campaign": vouchers[0]["campaign"], "value": 700})).await.expect(200);
    a.patch(&second, json!({"campaign": vouchers[0]["campaign"], "status": "inactive"})).await.expect(200);
    a.put(&path, json!({"redemptionLimit": 1})).await.expect(200);
    let (first, second) = (a.get(&first).await.expect(200), a.get(&second).await.expect(200));
    assert_eq!(seen(&first), (json!(9), json!("Bye"), json!(700)));
    assert_eq!(
        (seen(&second), &second["status"]),
        ((json!(1), json!("Bye"), json!(500)), &json!("inactive"))
    );
}

#[tokio::test]
async fn a_voucher_is_changed_within_what_was_spent() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    let posted = voucher(&a, &path, json!({"type": "gift", "value": 1000, "resetFrequency": "day"})).await;
    redeem(&app, &posted, 400, "2026-11-24T12:00:00Z").await;
    let at = format!("/voucher/{}", posted["id"].as_str().unwrap());
    let body = |more: Value| {
        let mut body = json!({"campaign": posted["campaign"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    a.patch(&at, body(json!({"value": 399}))).await.expect_problem(422, "/value");
    a.patch(&at, body(json!({"value": null}))).await.expect_problem(422, "/value");
    a.patch(&at, json!({"campaign": 999_999, "value": 1000})).await.expect_problem(422, "/campaign");
    a.patch(&at, body(json!({"value": 900, "expiresOn": "2026-12-24"}))).await.expect(200);
    let changed = a.get(&at).await.expect(200);
    assert_eq!((&changed["balance"], &changed["amountRedeemed"]), (&json!(500), &json!(400)));
    assert_eq!(
        (&changed["expiresOn"], &changed["lastRedemptionLocation"]),
        (&json!("2026-12-24"), &json!("2"))
    );

    let terms = json!({"type": "discount", "value": 10, "validationRules": []});
    a.put(&at, body(terms)).await.expect(409);
    let terms = json!({"type": "gift", "value": 800, "resetFrequency": "day", "validationRules": [], "voucherComments": "a\nb"});
    a.put(&at, body(terms.clone())).await.expect(200);
    let replaced = a.get(&at).await.expect(200);
    assert_eq!((&replaced["balance"], &replaced["expiresOn"]), (&json!(400), &Value::Null));
    assert_eq!((&replaced["voucherComments"], &replaced["status"]), (&json!("a\nb"), &json!("active")));

    // The next day the balance is back, whether anyone looked or not.
    app.app.clock.advance(chrono::Duration::days(1));
    let a = app.user("a").await;
    let reset = a.get(&at).await.expect(200);
    assert_eq!(
        (&reset["balance"], &reset["amountRedeemed"], &reset["redemptionCount"]),
        (&json!(800), &json!(0), &json!(0))
    );
    assert_eq!(
        (&reset["totalAmountRedeemed"], &reset["lastResetAt"]),
        (&json!(400), &json!("2026-11-24T23:00:00Z"))
    );
    a.patch(&at, body(json!({"value": 100}))).await.expect(200);
    assert_eq!(a.get(&at).await.expect(200)["balance"], 100);
}

#[tokio::test]
async fn the_log_shows_what_was_asked_in_the_order_of_time() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let posted = voucher(&a, &path, json!({"code": "mine"})).await;
    redeem(&app, &posted, 60, "2026-11-24T12:00:02Z").await;
    let id: uuid::Uuid = posted["id"].as_str().unwrap().parse().unwrap();
    for (action, success, at) in [("rollback", true, "12:00:03"), ("validate", false, "12:00:01")] {
        sqlx::query(
            "INSERT INTO voucher_log (voucher, action, success, requester, location, request, response, currency, created_at)
             VALUES ($1, $2, $3, 'vm-a-1', 2, '{}', '{}', 'EUR', ('2026-11-24T' || $4 || 'Z')::timestamptz)",
        )
        .bind(id)
        .bind(action)
        .bind(success)
        .bind(at)
        .execute(&app.app.db)
        .await
        .unwrap();
    }
    let logs = a.get(&format!("/voucher/{id}/logs")).await.expect(200);
    let actions: Vec<_> =
        logs.as_array().unwrap().iter().map(|log| (&log["action"], &log["success"])).collect();
    assert_eq!(
        actions,
        [(&json!("validate"), &json!(0)), (&json!("redeem"), &json!(1)), (&json!("rollback"), &json!(1))]
    );
    let redeemed = &logs[1];
    let response: Value = serde_json::from_str(redeemed["response"].as_str().unwrap()).unwrap();
    assert_eq!(
        response,
        json!({"code": "mine", "campaignType": "discount", "voucherId": id, "redeemed": true, "reason": null,
            "discount": {"type": "cents", "amountOff": 60}, "voucherValue": 100})
    );
    assert_eq!(redeemed["requesterLocation"], "2");
    assert_eq!(redeemed["createdAt"], "2026-11-24T12:00:02Z");
    let page = a.get(&format!("/voucher/{id}/logs?limit=1&after={}", logs[0]["id"])).await.expect(200);
    assert_eq!(page[0], logs[1]);
    let redeems = a.get(&format!("/voucher/{id}/logs?where[action]=redeem")).await.expect(200);
    assert_eq!(redeems, json!([logs[1]]));
}

#[tokio::test]
async fn an_export_has_the_columns_that_were_asked_for() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    voucher(&a, &path, json!({"code": "b", "value": 2, "text1": "=HYPERLINK(\"x\")"})).await;
    voucher(&a, &path, json!({"code": "a", "value": 1, "text1": "one, two"})).await;
    voucher(&a, &path, json!({"code": "c", "value": 3})).await;
    let reply = a.get("/voucher/export?columns=code,value,text1&sort=code+desc&where[value][%3C]=3").await;
    assert_eq!(reply.text(), "code,value,text1\nb,2,\"'=HYPERLINK(\"\"x\"\")\"\na,1,\"one, two\"\n");
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"vouchers.csv\"");
    let reply = a.get("/voucher/export?columns=code&columns[]=value&sort=code").await;
    assert_eq!(reply.text(), "code,value\na,1\nb,2\nc,3\n");
    for query in ["", "columns=", "columns=code,colour", "columns=code&columns=code"] {
        a.get(&format!("/voucher/export?{query}")).await.expect_problem(400, "/columns");
    }
    a.get("/voucher/export?columns=code&limit=5").await.expect_problem(400, "/limit");
    a.get("/voucher/export?columns=code&where[x]=1").await.expect_problem(400, "/where[x]");

    // Every field of a voucher is a column, and more than one chunk arrives whole.
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    a.post("/voucher", json!({"campaign": id, "type": "gift", "value": 5, "count": 5000})).await;
    let voucher = a.get("/voucher?limit=1").await.expect(200);
    let columns: Vec<_> = voucher[0].as_object().unwrap().keys().cloned().collect();
    let reply = a.get(&format!("/voucher/export?columns={}", columns.join(","))).await;
    assert_eq!(reply.text().lines().count(), 5_004);
}

#[tokio::test]
async fn the_database_refuses_what_no_voucher_can_be() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    voucher(&a, &path, json!({})).await;
    let refused_by = async |sql: String| {
        let error = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&app.app.db).await.expect_err(&sql);
        error.as_database_error().and_then(|error| error.constraint()).unwrap_or_default().to_owned()
    };
    for column in
        ["redemption_count", "amount_redeemed", "total_redemption_count", "total_amount_redeemed", "balance"]
    {
        assert_eq!(
            refused_by(format!("UPDATE voucher SET {column} = -1")).await,
            "voucher_state",
            "{column}"
        );
    }
    let terms = [
        "type = NULL",
        "type = 'dynamic'",
        "value = -1",
        "redemption_limit = 0",
        "reset_frequency = 'year'",
        "status = 'lost'",
        "pdf_status = 'lost'",
    ];
    for change in terms {
        assert_eq!(refused_by(format!("UPDATE voucher SET {change}")).await, "voucher_terms", "{change}");
    }
    let insert = "INSERT INTO voucher (id, campaign, code, key, generated, inherits) \
                  SELECT gen_random_uuid(), campaign, 'NEW', 'NEW', true, false FROM voucher";
    assert_eq!(refused_by(insert.to_owned()).await, "voucher_terms");
    assert_eq!(count(&app).await, 1);
}
