//! One code, one voucher of a campaign, in every spelling that look-up takes for the same.

use super::{Made, Shop};
use crate::{client::Reply, world};
use scrip::campaigns::own_codes::give_forms;
use serde_json::{Value, json};
use uuid::Uuid;

const HERE: &str = "vm-a-1";

/// Pairs that are one code, and spellings besides.
const SAME: [[&str; 3]; 4] = [
    ["Caf\u{e9}", "Cafe\u{301}", "CAFE\u{301}"],
    ["Stra\u{df}e", "STRASSE", "stra\u{1e9e}e"],
    ["\u{fb01}x", "FIX", "fix"],
    ["\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}", "\u{3c3}\u{3c3}"],
];

async fn post(shop: &Shop, campaign: i64, code: &str) -> Reply {
    let draft = json!({"campaign": campaign, "type": "discount", "value": 1, "code": code});
    shop.owner.post("/voucher", draft).await
}

#[tokio::test]
async fn spellings_of_one_code_are_one_voucher() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    for spellings in SAME {
        let made = post(&shop, campaign, spellings[0]).await.expect(201);
        for (order, spelling) in spellings.iter().enumerate() {
            assert_eq!(shop.validate(HERE, spelling).await["voucherId"], made["id"], "{spelling}");
            post(&shop, campaign, spelling).await.expect(409);
            let redeemed = shop.redeem(HERE, spelling, &order.to_string()).await;
            assert_eq!(
                (&redeemed["voucherId"], &redeemed["code"]),
                (&made["id"], &made["code"]),
                "{spelling}"
            );
        }
        // The order belongs to the voucher, however its code was typed.
        assert_eq!(shop.redeem(HERE, spellings[0], "2").await["redeemed"], true);
        assert_eq!(shop.roll_back(HERE, spellings[1], "2").await["voucherId"], made["id"]);
        let read = shop.owner.get(&format!("/voucher/{}", made["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(read["totalRedemptionCount"], 2);
    }
    let decomposed = post(&shop, campaign, "ne\u{301}e").await.expect(201);
    assert_eq!(decomposed["code"], "n\u{e9}e", "a code is kept composed");
    let apart =
        [post(&shop, campaign, "COLA").await.expect(201), post(&shop, campaign, "C0LA").await.expect(201)];
    assert_eq!(
        shop.validate(HERE, "c0la").await["voucherId"],
        apart[1]["id"],
        "look-alikes of own codes stay two"
    );
}

#[tokio::test]
async fn an_own_code_is_no_generated_one_in_another_spelling() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    let generated = shop.voucher(campaign, json!({})).await;
    for spelling in [generated.code.clone(), generated.code.replace('0', "O"), generated.code.to_lowercase()]
    {
        post(&shop, campaign, &spelling).await.expect(409);
    }
    let other = shop.campaign(world::A, json!({})).await;
    post(&shop, other, &generated.code.replace('0', "O")).await.expect(201);
}

#[tokio::test]
async fn an_own_code_is_no_formula() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    for code in ["=1+1", "+49", "-1", "@SUM(A1)", " x", "\u{a0}x", "\u{ff1d}1"] {
        post(&shop, campaign, code).await.expect_problem(422, "/code");
    }
    for code in ["1+1=2", "x@y", "#1"] {
        post(&shop, campaign, code).await.expect(201);
    }
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// The ids of a campaign's vouchers that meet a condition on the code.
async fn found(shop: &Shop, campaign: i64, op: &str, code: &str) -> Vec<String> {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair(&format!("where[code]{op}"), code)
        .finish();
    let rows = shop.owner.get(&format!("/campaign/{campaign}/vouchers?{query}")).await.expect(200);
    ids(&rows).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_list_finds_what_look_up_finds() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    let made: Vec<Made> = [
        shop.voucher(campaign, json!({})).await,
        shop.voucher(campaign, json!({"code": "COLA"})).await,
        shop.voucher(campaign, json!({"code": "C0LA"})).await,
        shop.voucher(campaign, json!({"code": "Caf\u{e9}"})).await,
    ]
    .into();
    let generated = &made[0].code;
    let cases = [
        (generated.clone(), 0),
        (generated.to_lowercase(), 0),
        (format!(" {generated} "), 0),
        (generated.replace('0', "O"), 0),
        ("cola".to_owned(), 1),
        ("c0la".to_owned(), 2),
        ("CAFE\u{301}".to_owned(), 3),
    ];
    for (text, which) in &cases {
        assert_eq!(found(&shop, campaign, "", text).await, [made[*which].id.clone()], "{text}");
        let others = found(&shop, campaign, "[!]", text).await;
        assert_eq!(others.len(), 3, "{text}");
        assert!(!others.contains(&made[*which].id), "{text}");
    }
    let two = format!("cafe\u{301},{}", generated.to_lowercase());
    let mut expected = [made[0].id.clone(), made[3].id.clone()];
    expected.sort();
    assert_eq!(found(&shop, campaign, "[in]", &two).await, expected);
    for nothing in ["COIA", "null"] {
        assert_eq!(found(&shop, campaign, "", nothing).await, Vec::<String>::new(), "{nothing}");
    }
    assert_eq!(found(&shop, campaign, "[!]", "nothing").await.len(), 4);
}

#[tokio::test]
async fn codes_of_before_get_their_form_and_keep_their_orders() {
    let shop = Shop::new().await.with_redis().await;
    let db = &shop.app().db;
    let campaign = shop.campaign(world::A, json!({})).await;
    let mut made = Vec::new();
    for code in ["ne\u{301}e", "Plain"] {
        made.push(shop.voucher(campaign, json!({"code": code})).await);
    }
    shop.redeem(HERE, "n\u{e9}e", "1").await;
    // As an older server left it: decomposed, under a key of its own, and its order under an id of that key.
    let older: Uuid = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let sql = "
        ALTER TABLE redemption DISABLE TRIGGER redemption_append_only;
        UPDATE redemption SET id = (left(first_redemption(normalize('NÉE', NFD))::text, 8) || right($$id$$, 28))::uuid;
        ALTER TABLE redemption ENABLE TRIGGER redemption_append_only;
        UPDATE voucher SET form = NULL, code = normalize(code, NFD), key = normalize(key, NFD);";
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.replace("$$id$$", &format!("'{older}'"))))
        .execute(db)
        .await
        .unwrap();

    assert_eq!(give_forms(db).await.unwrap(), 2);
    assert_eq!(give_forms(db).await.unwrap(), 0, "once is enough");
    let forms: Vec<(String, String)> =
        sqlx::query_as("SELECT form, key FROM voucher ORDER BY form").fetch_all(db).await.unwrap();
    let forms: Vec<_> = forms.iter().map(|(form, key)| (form.as_str(), key.as_str())).collect();
    assert_eq!(forms, [("N\u{c9}E", "N\u{c9}E"), ("PLAIN", "P1A1N")]);
    assert_eq!(shop.validate(HERE, "N\u{c9}E").await["voucherId"], made[0].id);
    // The same order again is the redemption of before.
    assert_eq!(shop.redeem(HERE, "n\u{e9}e", "1").await["voucherId"], made[0].id);
    assert_eq!(shop.read(&made[0]).await["totalRedemptionCount"], 1);
    let report = scrip::redemption::verify::verify(shop.app()).await.unwrap();
    assert_eq!(report.differences, []);
}
