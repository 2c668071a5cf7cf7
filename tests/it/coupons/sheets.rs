//! Where coupons stand on label sheets: those that are sold, those that are used in part, printers that are off.

use super::{
    Shop,
    reader::{corners, said},
};
use serde_json::json;

/// Millimetres as points.
fn mm(millimetres: f32) -> f32 {
    millimetres * 72.0 / 25.4
}

/// The lower left corner of a label, from that of an A4 sheet of three by seven.
fn label(place: usize) -> (f32, f32) {
    let (row, column) = (place / 3, place % 3);
    (mm(7.25 + 66.0 * column as f32), mm(297.0 - 15.15 - 38.1 * (row + 1) as f32))
}

#[track_caller]
fn assert_near(found: &[(f32, f32)], expected: &[(f32, f32)]) {
    let near = |(one, other): (&(f32, f32), &(f32, f32))| {
        (one.0 - other.0).abs() < 0.05 && (one.1 - other.1).abs() < 0.05
    };
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(near), "{found:?}\n{expected:?}");
}

#[tokio::test]
async fn the_first_coupon_stands_where_the_sheet_is_not_used_yet() {
    let shop = Shop::new().await;
    let path = shop.campaign(30, json!({})).await;
    shop.a.post(&format!("{path}/pdf?sheet=a4-3x7&start=20"), json!({})).await.expect(202);
    shop.work().await;
    let parts = shop.progress(&path).await["parts"].clone();
    let pages: Vec<_> =
        parts.as_array().unwrap().iter().map(|part| part["pages"].as_i64().unwrap()).collect();
    // Two on what is left of the first sheet, 21 on the next, and two; the second part has whole sheets.
    assert_eq!(pages, [3, 1]);
    shop.assert_exact(&path).await;
    let parts = shop.parts(&path).await;
    let expected: Vec<_> = (19..21).chain(0..21).chain(0..2).map(label).collect();
    assert_near(&corners(&parts[0]), &expected);
    assert_near(&corners(&parts[1]), &(0..5).map(label).collect::<Vec<_>>());
    // Another start is another PDF.
    let asked = shop.a.post(&format!("{path}/pdf?sheet=a4-3x7&start=1"), json!({})).await.expect(202);
    assert_eq!(asked["vouchersPdfStatus"], "pending");
}

#[tokio::test]
async fn everything_is_moved_by_the_offset() {
    let shop = Shop::new().await;
    let path = shop.campaign(2, json!({})).await;
    let vouchers = shop.a.get(&format!("{path}/vouchers")).await.expect(200);
    let voucher = format!("/voucher/{}/pdf", vouchers[0]["id"].as_str().unwrap());
    let query = "?sheet=a4-3x7&start=5&offsetX=1.5mm&offsetY=-0.75";
    let asked = shop.a.post(&format!("{voucher}{query}"), json!({})).await.expect(202);
    let url = asked["pdfUrl"].as_str().unwrap();
    for said in ["start=5", "offsetX=1.5mm", "offsetY=-0.75"] {
        assert!(url.contains(said), "{url}");
    }
    let (x, y) = label(4);
    assert_near(
        &corners(&shop.a.get(&format!("{voucher}{query}")).await.body),
        &[(x + mm(1.5), y + mm(0.75))],
    );
    shop.a.get(&format!("{voucher}?sheet=a4-3x7&start=22")).await.expect_problem(400, "/start");
}

#[tokio::test]
async fn labels_of_an_inch_stand_on_letter_paper() {
    let shop = Shop::new().await;
    let path = shop.campaign(25, json!({"voucherStyle": r#"{"sheet": "letter-3x10"}"#})).await;
    shop.a.post(&format!("{path}/pdf?start=30"), json!({})).await.expect(202);
    shop.work().await;
    let corners = corners(&shop.parts(&path).await[0]);
    let place = |place: usize| {
        let (row, column) = (place / 3, place % 3);
        (72.0 * (0.1875 + 2.75 * column as f32), 72.0 * (10.5 - (row + 1) as f32))
    };
    assert_near(&corners, &[29].into_iter().chain(0..24).map(place).collect::<Vec<_>>());
}

#[tokio::test]
async fn symbols_are_printed_as_what_they_are() {
    let shop = Shop::new().await;
    let symbols = "☕★✓♥➜☎✂❄①฿";
    let terms = json!({"voucherText1": format!("Gratis {symbols}"), "voucherText2": "🎁 ❤\u{fe0f} 1\u{fe0f}\u{20e3}"});
    let path = shop.campaign(1, terms).await;
    let asked = shop.ask(&path).await;
    assert_eq!(asked["pdfNotes"].to_string().matches("unprintable").count(), 0, "{asked}");
    shop.work().await;
    let said = said(&shop.parts(&path).await[0]);
    for symbol in symbols.chars().chain("🎁❤".chars()) {
        assert!(said.contains(symbol), "{symbol}: {said}");
    }
}
