//! What `scrip verify` finds where something is not as the journal says.

use crate::{
    app::TestApp,
    campaigns::{campaign, redeem, voucher},
};
use scrip::redemption::verify::verify;
use serde_json::json;

/// A damage, and what is found of it: what should be, and what is.
const DAMAGES: &[(&str, &str, i64, i64)] = &[
    ("UPDATE voucher SET redemption_count = redemption_count + 1", "redemption count", 1, 2),
    ("UPDATE voucher SET amount_redeemed = amount_redeemed + 1", "amount redeemed", 30, 31),
    ("UPDATE voucher SET total_redemption_count = 0", "total redemption count", 1, 0),
    ("UPDATE voucher SET total_amount_redeemed = 0", "total amount redeemed", 30, 0),
    ("UPDATE voucher SET balance = balance + 1", "balance", 70, 71),
    (
        "ALTER TABLE redemption DISABLE TRIGGER redemption_append_only;
         UPDATE redemption SET id = '00000000-0000-0000-0000-000000000000'",
        "redemptions under the id of another code",
        0,
        1,
    ),
    ("DELETE FROM voucher", "redemptions of a voucher that is gone", 0, 1),
];

#[tokio::test]
async fn whatever_the_journal_does_not_add_up_to_is_found() {
    for (damage, what, expected, found) in DAMAGES {
        let app = TestApp::new().await;
        let a = app.user("a").await;
        let path = campaign(&a, json!({"type": "gift", "voucherValue": 100})).await;
        let made = voucher(&a, &path, json!({"type": "gift"})).await;
        redeem(&app, &made, 30, "2026-11-24T12:00:00Z").await;
        let report = verify(&app.app).await.unwrap();
        assert_eq!((report.entries, report.differences), (1, vec![]), "before: {damage}");

        sqlx::raw_sql(*damage).execute(&app.app.db).await.unwrap();
        let differences = verify(&app.app).await.unwrap().differences;
        let all: Vec<_> = differences.iter().map(|d| (d.what.as_str(), d.expected, d.found)).collect();
        assert_eq!(all, [(*what, *expected, *found)], "{damage}");
    }
}
