//! Campaigns through HTTP: made, changed, counted, deleted, and out of sight of other groups.

use crate::{app::TestApp, client::Client, world};
use serde_json::{Value, json};

/// Creates a campaign with `more` on top of what is required; returns its path.
pub async fn campaign(client: &Client, more: Value) -> String {
    let mut draft = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 500});
    draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = client.post("/campaign", draft).await.expect(201);
    format!("/campaign/{}", created["id"])
}

/// Posts a voucher with `more` on top of what is required.
pub async fn voucher(client: &Client, campaign: &str, more: Value) -> Value {
    let id: i64 = campaign.trim_start_matches("/campaign/").parse().unwrap();
    let mut draft = json!({"campaign": id, "type": "discount", "value": 100});
    draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/voucher", draft).await.expect(201)
}

/// Writes a redemption of `voucher` into the journal and into the voucher.
pub async fn redeem(app: &TestApp, voucher: &Value, amount: i64, at: &str) {
    const JOURNAL: &str = "
        INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id,
            order_amount, amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
        SELECT (left(first_redemption(key)::text, 9) || right(gen_random_uuid()::text, 27))::uuid, gen_random_uuid(),
            id, campaign, 21, 2, 'vm-a-1', 'order-1', $2, $2,
            COALESCE(balance, value) - CASE WHEN balance IS NULL THEN 0 ELSE $2 END, type, 'EUR', period_start,
            '{\"asked\":true}', $3::text::timestamptz
        FROM voucher WHERE id = $1";
    const VOUCHER: &str = "
        UPDATE voucher SET redemption_count = redemption_count + 1, amount_redeemed = amount_redeemed + $2,
            total_redemption_count = total_redemption_count + 1,
            total_amount_redeemed = total_amount_redeemed + $2, balance = balance - $2,
            last_redemption_at = $3::text::timestamptz, last_redemption_location = 2
        WHERE id = $1";
    let id: uuid::Uuid = voucher["id"].as_str().unwrap().parse().unwrap();
    for statement in [JOURNAL, VOUCHER] {
        sqlx::query(statement).bind(id).bind(amount).bind(at).execute(&app.app.db).await.unwrap();
    }
}

#[tokio::test]
async fn a_campaign_is_read_as_it_was_created() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(
        &a,
        json!({
            "type": "gift", "redemptionLimit": 3, "resetFrequency": "week", "startsOn": "2026-12-01",
            "expiresOn": "2026-12-31", "timeZone": "America/New_York", "currency": "USD", "prefix": "XMAS",
            "voucherText1": "Ho ho", "voucherStyle": "{\"voucherText1Lbl\":{\"fontSize\":\"28px\"}}",
            "status": "inactive"
        }),
    )
    .await;
    let campaign = a.get(&path).await.expect(200);
    let id = campaign["id"].clone();
    assert_eq!(
        campaign,
        json!({
            "id": id, "name": "Spring", "totalVouchers": 0, "type": "gift", "valueType": "cents",
            "voucherValue": 500, "redemptionLimit": 3, "resetFrequency": "week", "startsOn": "2026-12-01",
            "expiresOn": "2026-12-31", "currency": "USD", "timeZone": "America/New_York", "status": "inactive",
            "createdAt": "2026-11-24T12:00:00Z", "updatedAt": "2026-11-24T12:00:00Z", "prefix": "XMAS",
            "ownerId": world::A, "ownerData": null, "voucherText1": "Ho ho", "voucherText2": null,
            "voucherText3": null, "voucherText4": null,
            "voucherStyle": "{\"voucherText1Lbl\":{\"fontSize\":\"28px\"}}", "campaignstats": id,
            "lastResetAt": null, "vouchersPdfStatus": "empty", "vouchersPdfUrl": null, "voucherLogoImg": null,
            "validationRules": []
        })
    );
    app.app.clock.advance(chrono::Duration::days(7));
    let a = app.user("a").await;
    assert_eq!(a.get(&path).await.expect(200)["lastResetAt"], "2026-11-30T05:00:00Z");
}

#[tokio::test]
async fn an_update_keeps_what_is_absent_clears_what_is_null_and_moves_dates_with_their_zone() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path =
        campaign(&a, json!({"redemptionLimit": 3, "expiresOn": "2090-12-31", "voucherText1": "x"})).await;
    a.put(&path, json!({"name": "Summer", "redemptionLimit": null, "status": "inactive"})).await.expect(200);
    a.patch(&path, json!({"timeZone": "America/New_York"})).await.expect(200);
    let campaign = a.get(&path).await.expect(200);
    assert_eq!(campaign["name"], "Summer");
    assert_eq!(campaign["redemptionLimit"], Value::Null);
    assert_eq!(campaign["voucherText1"], "x");
    assert_eq!(campaign["status"], "inactive");
    let expires: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT expires_at FROM campaign").fetch_one(&app.app.db).await.unwrap();
    assert_eq!(expires.to_rfc3339(), "2091-01-01T05:00:00+00:00");

    a.put(&path, json!({"name": null})).await.expect_problem(422, "/name");
    a.put(&path, json!({"voucherValue": 1})).await.expect_problem(422, "/voucherValue");
    a.put(&path, json!({"expiresOn": "2020-01-01"})).await.expect_problem(422, "/expiresOn");
    a.put(&path, json!({"startsOn": "2091-01-01"})).await.expect_problem(422, "/expiresOn");
    a.put(&path, json!({"status": "creating"})).await.expect_problem(422, "/status");
}

#[tokio::test]
async fn other_groups_do_not_find_a_campaign_and_groups_above_do() {
    let app = TestApp::new().await;
    let (root, a, a1, b) =
        (app.user("root").await, app.user("a").await, app.user("a1").await, app.user("b").await);
    let path = campaign(&a, json!({})).await;
    let voucher = voucher(&a, &path, json!({})).await;
    let voucher_path = format!("/voucher/{}", voucher["id"].as_str().unwrap());
    for stranger in [&a1, &b] {
        for path in [
            path.clone(),
            format!("{path}/vouchers"),
            format!("{path}/stats"),
            format!("{path}/progress"),
            format!("{path}/validationrules"),
            voucher_path.clone(),
            format!("{voucher_path}/logs"),
        ] {
            stranger.get(&path).await.expect(404);
        }
        stranger.put(&path, json!({"name": "mine"})).await.expect(404);
        stranger.put(&format!("{path}/validationrules"), json!([])).await.expect(404);
        stranger.post(&format!("{path}/cancel"), json!({})).await.expect(404);
        stranger.delete(&path).await.expect(404);
        let body = json!({"campaign": voucher["campaign"], "value": 1});
        stranger.patch(&voucher_path, body).await.expect(404);
        let draft = json!({"campaign": voucher["campaign"], "type": "gift", "value": 1});
        stranger.post("/voucher", draft).await.expect_problem(422, "/campaign");
        for list in ["/campaign", "/voucher"] {
            let reply = stranger.get(list).await;
            assert_eq!(
                (reply.expect(200), &reply.headers["x-total-count"]),
                (json!([]), &"0".parse().unwrap())
            );
        }
        assert_eq!(stranger.get("/voucher/export?columns=id").await.text(), "id\n");
    }
    root.get(&path).await.expect(200);
    root.put(&path, json!({"name": "ours"})).await.expect(200);
    assert_eq!(root.get(&voucher_path).await.expect(200)["id"], voucher["id"]);
    assert_eq!(root.get("/campaign").await.expect(200)[0]["name"], "ours");
}

#[tokio::test]
async fn rules_are_replaced_as_a_whole_and_those_that_stay_keep_their_ids() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = format!("{}/validationrules", campaign(&a, json!({})).await);
    let rule = |field: &str, value: &str| json!({"field": field, "value": value});
    a.put(&path, json!([rule("location", "10"), rule("product", "7")])).await.expect(200);
    let before = a.get(&path).await.expect(200);
    a.put(&path, json!([rule("machine", "3"), before[1]])).await.expect(200);
    let after = a.get(&path).await.expect(200);
    assert_eq!(after.as_array().unwrap().len(), 2);
    assert_eq!(after[0], before[1]);
    assert_eq!((&after[1]["field"], &after[1]["value"]), (&json!("machine"), &json!("3")));

    a.put(&path, json!([rule("location", "x")])).await.expect_problem(422, "/0/value");
    a.put(&path, json!([rule("colour", "1")])).await.expect_problem(422, "/0/field");
    a.put(&path, json!([rule("product", "1"), rule("product", "1")])).await.expect_problem(422, "/1");
    let foreign = json!([{"campaign": 999, "field": "product", "value": "1"}]);
    a.put(&path, foreign).await.expect_problem(422, "/0/campaign");
    assert_eq!(a.get(&path).await.expect(200), after);
    a.put(&path, json!([])).await.expect(200);
    assert_eq!(a.get(&path).await.expect(200), json!([]));
}

#[tokio::test]
async fn a_campaign_is_deleted_with_its_vouchers_until_one_is_redeemed() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 10})).await;
    voucher(&a, &path, json!({"validationRules": [{"field": "product", "value": "1"}]})).await;
    a.put(&format!("{path}/validationrules"), json!([{"field": "product", "value": "1"}])).await.expect(200);
    a.delete(&path).await.expect(200);
    a.get(&path).await.expect(404);
    assert!(!scrip::jobs::worker::work_one(&app.app).await.unwrap(), "its job is gone, too");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM voucher").fetch_one(&app.app.db).await.unwrap();
    assert_eq!(left, 0);

    let path = campaign(&a, json!({})).await;
    let voucher = voucher(&a, &path, json!({})).await;
    redeem(&app, &voucher, 100, "2026-11-24T12:00:00Z").await;
    a.delete(&path).await.expect(409);
    a.get(&path).await.expect(200);
}

#[tokio::test]
async fn statistics_count_by_day_in_the_campaigns_zone() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    let first = voucher(&a, &path, json!({"value": 100})).await;
    let second = voucher(&a, &path, json!({"type": "gift", "value": 1000})).await;
    voucher(&a, &path, json!({})).await;
    // Before and after midnight in Amsterdam.
    redeem(&app, &first, 100, "2026-11-23T22:59:59Z").await;
    redeem(&app, &second, 250, "2026-11-23T23:00:00Z").await;
    redeem(&app, &second, 50, "2026-11-24T10:00:00Z").await;
    let stats = a.get(&format!("{path}/stats?from=2026-11-23&to=2026-11-24")).await.expect(200);
    assert_eq!(
        stats,
        json!({
            "campaign": first["campaign"], "currency": "EUR", "vouchers": 3, "active": 3, "redeemed": 2,
            "redemptions": 3, "rollbacks": 0, "amountRedeemed": 400, "amountRolledBack": 0,
            "perDay": [
                {"day": "2026-11-23", "redemptions": 1, "rollbacks": 0, "amountRedeemed": 100, "amountRolledBack": 0},
                {"day": "2026-11-24", "redemptions": 2, "rollbacks": 0, "amountRedeemed": 300, "amountRolledBack": 0},
            ]
        })
    );
    let stats = a.get(&format!("{path}/stats")).await.expect(200);
    assert_eq!(stats["perDay"].as_array().unwrap().len(), 90);
    for query in ["from=2026-11-25", "from=2020-01-01", "from=x", "from=0001-01-01&to=0001-01-02", "day=1"] {
        assert_eq!(a.get(&format!("{path}/stats?{query}")).await.status, 400, "{query}");
    }
}
