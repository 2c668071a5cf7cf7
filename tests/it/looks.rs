//! What coupons say and how they look: refused where it is wrong, and then nothing is changed.

use crate::{
    app::TestApp,
    campaigns::{campaign, voucher},
};
use serde_json::{Value, json};

/// Styles that are wrong, and where.
fn bad_styles() -> Vec<(String, Vec<&'static str>)> {
    let style = |style: Value| style.to_string();
    vec![
        (style(json!({"voucherText2Lbl": {"background": "url(//x)"}})), vec!["/voucherText2Lbl/background"]),
        (style(json!({"voucherCodeLbl": "<b>"})), vec!["/voucherCodeLbl"]),
        (style(json!({"sheet": "a5", "bleed": "x", "script": 1})), vec!["/bleed", "/script", "/sheet"]),
        (style(json!({"content": {"url": "javascript:{code}"}})), vec!["/content/url"]),
        (style(json!({"content": {"url": "https://example.com/"}})), vec!["/content/url"]),
        (
            style(
                json!({"content": {"digitalLink": {"domain": "https://example.com", "gcn": "9501101530004"}}}),
            ),
            vec!["/content/digitalLink/gcn"],
        ),
        (style(json!({"locale": "xx-XX"})), vec!["/locale"]),
        (style(json!({"a/b": 1})), vec!["/a~1b"]),
        (style(json!([])), vec![""]),
        (r#"{"marks":true,"marks":true}"#.to_owned(), vec!["/marks"]),
        (r#"{"bleed":1e999}"#.to_owned(), vec!["/bleed"]),
        (r#"{"voucherText1Lbl":{"color":"\ud800"}}"#.to_owned(), vec!["/voucherText1Lbl/color"]),
        ("{".to_owned(), vec![""]),
        ("{\"a\":".repeat(600), vec![""]),
        ("x".repeat(10_000), vec![""]),
    ]
}

/// Texts that are wrong, and a word of the reason.
fn bad_texts() -> Vec<(String, &'static str)> {
    vec![
        ("a\u{0}b".to_owned(), "control"),
        ("a\nb".to_owned(), "control"),
        ("a\u{9b}b".to_owned(), "control"),
        ("\u{202e}05 €".to_owned(), "turn text around"),
        ("\u{2067}a\u{2069}".to_owned(), "turn text around"),
        ("a\u{2028}b".to_owned(), "break lines"),
        ("a\u{ffff}".to_owned(), "no characters"),
        (format!("e{}", "\u{301}".repeat(100)), "combining marks"),
        ("x".repeat(10_000), "at most 500 characters"),
    ]
}

fn merged(base: &Value, name: &str, value: &str) -> Value {
    let mut body = base.clone();
    body[name] = json!(value);
    body
}

/// The reasons of a refusal, after a look at where they are.
#[track_caller]
fn refused(problem: &Value, field: &str, pointers: &[&str]) -> String {
    let mut found: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    let expected: Vec<_> = pointers.iter().map(|pointer| format!("/{field}{pointer}")).collect();
    assert_eq!(found, expected, "{problem}");
    problem["errors"].to_string()
}

#[tokio::test]
async fn a_bad_style_is_refused_with_pointers_into_it() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let style = r##"{"voucherText1Lbl": {"fontSize": "28px", "color": "#c00"}, "locale": "hy"}"##;
    let path = campaign(&a, json!({"voucherStyle": style})).await;
    let posted = voucher(&a, &path, json!({"style": style})).await;
    let voucher_path = format!("/voucher/{}", posted["id"].as_str().unwrap());
    let before = (a.get(&path).await.expect(200), a.get(&voucher_path).await.expect(200));
    assert_eq!((&before.0["voucherStyle"], &before.1["style"]), (&json!(style), &json!(style)));

    let new_campaign = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 500});
    let new_voucher = json!({"campaign": posted["campaign"], "type": "discount", "value": 5});
    let replacement =
        json!({"campaign": posted["campaign"], "type": "discount", "value": 5, "validationRules": []});
    for (style, pointers) in bad_styles() {
        let replies = [
            (a.post("/campaign", merged(&new_campaign, "voucherStyle", &style)).await, "voucherStyle"),
            (a.put(&path, json!({"name": "other", "voucherStyle": style})).await, "voucherStyle"),
            (a.post("/voucher", merged(&new_voucher, "style", &style)).await, "style"),
            (a.put(&voucher_path, merged(&replacement, "style", &style)).await, "style"),
        ];
        for (reply, field) in replies {
            refused(&reply.expect(422), field, &pointers);
        }
    }
    assert_eq!((a.get(&path).await.expect(200), a.get(&voucher_path).await.expect(200)), before);
    assert_eq!(a.get("/campaign").await.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(a.get("/voucher").await.expect(200).as_array().unwrap().len(), 1);

    a.put(&path, json!({"voucherStyle": null})).await.expect(200);
    assert_eq!(a.get(&path).await.expect(200)["voucherStyle"], Value::Null);
}

#[tokio::test]
async fn hostile_text_is_refused_with_its_reason() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"voucherText4": "kept"})).await;
    let posted = voucher(&a, &path, json!({"text1": "kept"})).await;
    let voucher_path = format!("/voucher/{}", posted["id"].as_str().unwrap());
    let before = (a.get(&path).await.expect(200), a.get(&voucher_path).await.expect(200));

    let new_campaign = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 500});
    let new_voucher = json!({"campaign": posted["campaign"], "type": "discount", "value": 5});
    let replacement =
        json!({"campaign": posted["campaign"], "type": "discount", "value": 5, "validationRules": []});
    for (text, reason) in bad_texts() {
        let replies = [
            (a.post("/campaign", merged(&new_campaign, "voucherText1", &text)).await, "voucherText1"),
            (a.put(&path, json!({"name": "other", "voucherText4": text})).await, "voucherText4"),
            (a.post("/voucher", merged(&new_voucher, "text2", &text)).await, "text2"),
            (a.put(&voucher_path, merged(&replacement, "text3", &text)).await, "text3"),
        ];
        for (reply, field) in replies {
            let reasons = refused(&reply.expect(422), field, &[""]);
            assert!(reasons.contains(reason), "{text:?}: {reasons}");
        }
    }
    a.post("/voucher", merged(&new_voucher, "code", "a\u{202e}b")).await.expect_problem(422, "/code");
    assert_eq!((a.get(&path).await.expect(200), a.get(&voucher_path).await.expect(200)), before);
    assert_eq!(a.get("/voucher").await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn real_text_of_any_script_is_kept_as_it_is() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let texts = ["Անվճար սուրճ", "می\u{200c}خواهم\u{200f}!", "קָפֶה חִנָּם", "👩\u{200d}👩\u{200d}👧 คนที่รัก"];
    let [first, second, third, fourth] = texts;
    let path = campaign(
        &a,
        json!({"voucherText1": first, "voucherText2": second, "voucherText3": third, "voucherText4": fourth}),
    )
    .await;
    let kept = a.get(&path).await.expect(200);
    for (number, text) in (1..).zip(texts) {
        assert_eq!(kept[format!("voucherText{number}")], text);
    }
}
