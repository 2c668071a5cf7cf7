//! The sales below a report, one by one.

use super::rows;
use crate::app::TestApp;
use rand::{SeedableRng, rngs::StdRng};

const SALES: &str = "
    INSERT INTO revenue_transaction (id, machine, location, user_group, shift, occurred_at, time_zone, product, name,
                                     price, original_price, currency)
    VALUES (7, 21, 2, 2, 5, '2026-03-29 00:59:59.5Z', 'Europe/Amsterdam', NULL, '=Tea', 150, 200, 'EUR'),
           (8, 99, 2, 2, NULL, '2026-03-29 22:00:00Z', 'Europe/Amsterdam', 3, 'Soup', 300, 300, 'EUR'),
           (9, 41, 4, 4, NULL, '2026-03-29 10:00:00Z', 'America/New_York', 3, 'Soup', 300, 300, 'USD');
    INSERT INTO payment_transaction (revenuetransaction, machine, location, user_group, occurred_at, time_zone, method,
                                     type, price, currency)
    SELECT 7, 21, 2, 2, '2026-03-29 00:59:58Z', 'Europe/Amsterdam', method, 'other', 75, 'EUR'
    FROM unnest(ARRAY['code', 'card', 'card']) method";

#[tokio::test]
async fn sales_are_told_one_by_one_in_the_zone_that_was_asked_for() {
    let test = TestApp::builder().stopped_at("2026-04-20T10:00:00Z").build().await;
    sqlx::raw_sql(SALES).execute(&test.app.db).await.unwrap();
    let a = test.user("a").await;
    let day =
        "period1[startDate]=2026-03-29 00:00:00&period1[endDate]=2026-03-29 23:59:59".replace(' ', "%20");
    let header = "id,time,machine,machineName,location,locationName,shift,productId,name,internalRef,barcode,price,\
                  originalPrice,currency,payments";
    let tea = "7,2026-03-29T01:59:59.500+01:00,21,Machine 1 of a,2,At a,5,,'=Tea,,,150,200,EUR,card+code";
    let reply = a
        .get(&format!("/report/transactions?{day}&timezone=Europe/Amsterdam&locations[]=2&locations[]=3"))
        .await;
    assert_eq!(reply.text(), format!("{header}\n{tea}\n"));
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"Transactions.csv\"");
    // The day after, of a machine that is gone, by parts; the same under another name.
    let next = "period1[referenceDate]=2026-04-20&period1[startDate][month]=3&period1[startDate][day]=30\
                &period1[startDate][hour]=0&period1[endDate][day]=0";
    let reply = a.get(&format!("/export/report?{next}")).await;
    assert_eq!(reply.text(), format!("{header}\n8,2026-03-29T22:00:00Z,99,,2,At a,,3,Soup,,,300,300,EUR,\n"));
    for (query, pointer) in [
        ("", "/period1[startDate]"),
        ("period1[startDate]=2025-10-19&period1[endDate]=2026-03-29", "/period1[startDate]"),
        ("period1[startDate][year]=x&period1[endDate]=2026-03-29", "/period1[startDate][year]"),
        ("period1[startDate]=2026-03-29&period1[endDate]=2026-03-28", "/period1"),
        (&*format!("{day}&timezone=Mars"), "/timezone"),
        (&*format!("{day}&machines[]=x"), "/machines"),
        (&*format!("{day}&machines[]=21&machines[]=41"), "/machines/1"),
        (&*format!("{day}&colour=red"), "/colour"),
    ] {
        a.get(&format!("/report/transactions?{query}")).await.expect_problem(400, pointer);
    }
}

#[tokio::test]
async fn a_sale_is_told_for_each_that_a_report_has() {
    let test = TestApp::builder().stopped_at("2026-04-20T10:00:00Z").build().await;
    rows::add(&test.app.db, &mut StdRng::seed_from_u64(4), 2_000).await;
    let root = test.user("root").await;
    let period = serde_json::json!({"startDate": "2026-01-15 10:30:00", "endDate": "2026-03-29 02:30:00"});
    let revenue = root.post("/report/revenue", serde_json::json!({"period1": period})).await.expect(200);
    let data = revenue["period1"]["data"].as_array().unwrap();
    let quantity: i64 = data.iter().map(|row| row["quantity"].as_i64().unwrap()).sum();
    let query = "period1[startDate]=2026-01-15+10:30:00&period1[endDate]=2026-03-29+02:30:00";
    let sheet = root.get(&format!("/report/transactions?{query}")).await.text();
    assert!(quantity > 500);
    assert_eq!(sheet.lines().count() as i64, quantity + 1);
}
