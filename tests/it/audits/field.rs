//! Audit files as machines in the field send them.

use super::{rows, sales, send, settled};
use crate::{app::TestApp, client::Client};
use chrono::TimeDelta;
use scrip::telemetry::recount::recount;
use serde_json::{Value, json};

/// A report of these lines, without a checksum.
fn report(lines: &[String]) -> String {
    let body = lines.join("\r\n");
    format!("DXS*SCR0000001*VA*V0/6*1\r\nST*001*0001\r\n{body}\r\nSE*9*0001\r\nDXE*1*1\r\n")
}

/// Lines of a machine that sells cola for 50, read on a day of November.
fn cola(number: i64, day: i64) -> Vec<String> {
    let value = number * 50;
    let lines = ["ID1*4711*M".to_owned(), "ID4*2*978*EUR".to_owned(), format!("VA1*{value}*{number}")];
    let selection =
        [format!("CA2*{value}*{number}"), "PA1*11*50*Cola".to_owned(), format!("PA2*{number}*{value}")];
    [lines.to_vec(), selection.to_vec(), vec![format!("EA3*1*202611{day}*0800")]].concat()
}

fn with(mut lines: Vec<String>, more: &str) -> Vec<String> {
    let at = lines.len() - 1;
    lines.insert(at, more.to_owned());
    lines
}

fn instead(lines: &[String], of: &str, line: &str) -> Vec<String> {
    lines.iter().map(|old| if old.starts_with(of) { line.to_owned() } else { old.clone() }).collect()
}

fn notes(receipt: &Value) -> String {
    receipt["reads"][0]["notes"].to_string()
}

/// Sends two reads of a machine of its own, and says what was sold, with what was noted at last.
async fn both(reads: [String; 2]) -> ((i64, i64), String) {
    let (test, gateway) = settled().await;
    let [first, second] = reads;
    send(&gateway, first).await.expect(201);
    let receipt = send(&gateway, second).await.expect(201);
    assert_eq!(recount(&test.app.db, false).await.unwrap().differing, 0);
    (sales(&test).await, notes(&receipt))
}

#[tokio::test]
async fn words_behind_the_set_and_padding_sell_as_well() {
    let ways: [fn(String) -> String; 5] = [
        |file| {
            file.replace("DXE*1*1", "@$1*HI*37*ID101*X**p\r\n@$10*Venduto*1.50\r\n@$91*Prova*N\r\nDXE*1*1")
        },
        |file| file.replace("DXE*1*1\r\n", "\u{1a}"),
        |file| file.replace("DXE*1*1\r\n", "\0\0\0\0"),
        |file| file.replace("\r\n", "\r\n  \r\n  "),
        |file| file.replace("DXS*SCR0000001*VA*V0/6*1\r\n", "\u{feff}"),
    ];
    for (way, change) in ways.into_iter().enumerate() {
        let (sold, _) = both([change(report(&cola(10, 20))), change(report(&cola(13, 21)))]).await;
        assert_eq!(sold, (3, 150), "{way}");
    }
}

#[tokio::test]
async fn sales_may_stand_by_means_of_payment_alone_and_may_not_add_up() {
    let parts = |number: i64, day: i64, value: i64| {
        let lines = with(cola(number, day), &format!("PA7*11*CA*0*50*{number}*{value}"));
        lines.into_iter().filter(|line| !line.starts_with("PA2")).collect::<Vec<_>>()
    };
    assert_eq!(both([report(&parts(10, 20, 500)), report(&parts(13, 21, 650))]).await.0, (3, 150));
    for off in [4_294_967_295_i64, 0, 330] {
        let part = |number: i64, value| format!("PA7*11*CA*0*50*{number}*{value}");
        let first = report(&with(cola(10, 20), &part(10, if off > 330 { off } else { 0 })));
        let second = report(&with(cola(13, 21), &part(13, off)));
        assert_eq!(both([first, second]).await.0, (3, 150), "{off}");
    }
}

#[tokio::test]
async fn totals_are_held_against_selections() {
    // Three of a selection that is not told are nobody's.
    let more = |number: i64, day| {
        let lines = instead(&cola(number, day), "VA1", &format!("VA1*{}*{}", number * 70, number + number));
        instead(&lines, "CA2", "CA2*9*9")
    };
    let (sold, told) = both([report(&more(10, 20)), report(&more(13, 21))]).await;
    assert_eq!(sold, (6, 210), "{told}");
    // A selection counts what no total knows of.
    let wild = instead(&cola(13, 21), "PA2", "PA2*113*42650");
    let (sold, told) = both([report(&cola(10, 20)), report(&wild)]).await;
    assert_eq!(sold, (3, 150));
    assert!(told.contains("421.50 EUR"), "{told}");
    // The total is wrong, and payments agree with the selections.
    let wrong = instead(&cola(13, 21), "VA1", "VA1*600*12");
    let (sold, told) = both([report(&cola(10, 20)), report(&wrong)]).await;
    assert_eq!(sold, (3, 150));
    assert!(told.contains("2 vends for 1.00 EUR"), "{told}");
}

#[tokio::test]
async fn counters_since_the_last_reset_are_sold_once() {
    let interval = |resets: i64, day: i64, number: i64| {
        let value = number * 50;
        report(&[
            "ID1*4711*M".to_owned(),
            format!("VA1*{}**{value}*{number}", 9_000 + 150 * resets),
            format!("CA2**0*{value}*{number}"),
            "PA1*11*50".to_owned(),
            format!("PA2***{number}*{value}"),
            format!("EA3*{resets}*202611{day}*0800"),
        ])
    };
    let (test, gateway) = settled().await;
    send(&gateway, interval(5, 20, 3)).await.expect(201);
    send(&gateway, interval(6, 21, 3)).await.expect(201);
    assert_eq!(sales(&test).await, (3, 150));
    // The same period goes on.
    send(&gateway, interval(6, 22, 4)).await.expect(201);
    assert_eq!(sales(&test).await, (4, 200));
    // One is missing, and comes late.
    let gap = send(&gateway, interval(8, 24, 1)).await.expect(201);
    assert!(notes(&gap).contains("missing"), "{gap}");
    send(&gateway, interval(7, 23, 2)).await.expect(201);
    assert_eq!(sales(&test).await, (7, 350));
}

#[tokio::test]
async fn a_file_of_another_machine_moves_nothing() {
    let (test, gateway) = settled().await;
    let of = |serial: &str, number: i64, day: i64| {
        report(&instead(&cola(number, day), "ID1", &format!("ID1*{serial}*M")))
    };
    let brings = async |file: String| send(&gateway, file).await.expect(201)["sales"].clone();
    assert_eq!(brings(of("1", 10, 20)).await, 0);
    let strange = send(&gateway, of("2", 5_000, 20)).await.expect(201);
    assert_eq!((&strange["sales"], &strange["reads"][0]["baseline"]), (&json!(0), &json!(false)));
    assert!(notes(&strange).contains("another machine"), "{strange}");
    assert_eq!(brings(of("2", 5_100, 21)).await, 0);
    assert_eq!(brings(of("1", 13, 21)).await, 3);

    // A new board: nothing more comes of the old one.
    assert_eq!(brings(of("3", 2, 22)).await, 0);
    assert_eq!(brings(of("3", 4, 22).replace("0800", "0900")).await, 0);
    test.app.clock.advance(TimeDelta::days(1));
    assert_eq!(brings(of("3", 7, 23)).await, 5);
    assert_eq!(brings(of("1", 20, 24)).await, 0);
    assert_eq!(sales(&test).await, (8, 400));
}

#[tokio::test]
async fn a_report_that_was_cut_off_waits_for_the_next() {
    let (test, gateway) = settled().await;
    send(&gateway, report(&cola(10, 20))).await.expect(201);
    let whole = report(&cola(13, 21));
    for end in ["PA2*1", "PA2*13", "PA2*13*65", "PA2*13*650\r\n", "EA3*1*2026"] {
        let at = whole.find(end).unwrap() + end.len();
        let cut = send(&gateway, whole[..at].to_owned()).await.expect(201);
        assert!(notes(&cut).contains("cut off"), "{cut}");
        assert_eq!(cut["sales"], 0);
    }
    send(&gateway, whole).await.expect(201);
    assert_eq!(sales(&test).await, (3, 150));
}

#[tokio::test]
async fn currencies_that_are_none_are_the_machines() {
    for said in ["ID4*2**XTS", "ID4*2*963", "ID4*2*999", "ID4*2*039*050"] {
        let (test, gateway) = settled().await;
        for (number, day) in [(10, 20), (13, 21)] {
            let file = report(&instead(&cola(number, day), "ID4", said));
            let receipt = send(&gateway, file).await.expect(201);
            assert!(notes(&receipt).contains("names no currency"), "{receipt}");
        }
        let sold =
            rows(&test, "SELECT currency, sum(price) AS sum FROM revenue_transaction GROUP BY 1").await;
        assert_eq!(sold, json!([{"currency": "EUR", "sum": 150}]), "{said}");
    }
    let dollars = |number, day| report(&instead(&cola(number, day), "ID4", "ID4*2*840*USD"));
    let (_, told) = both([dollars(10, 20), dollars(13, 21)]).await;
    assert!(told.contains("counts in USD"), "{told}");
}

#[tokio::test]
async fn a_machine_that_once_sent_a_sale_is_audited_again() {
    let (test, gateway) = settled().await;
    let sale = json!({"remote": 1, "occurredAt": "2024-01-05T10:00:00Z", "price": 50, "product": 501});
    gateway.post("/machine/vm-a-1/revenuetransactions", sale).await.expect(200);
    send(&gateway, report(&cola(10, 20))).await.expect(201);
    assert_eq!(send(&gateway, report(&cola(13, 21))).await.expect(201)["sales"], 3);
    let shown = rows(&test, "SELECT count(*) AS n FROM revenue_transaction_ever").await;
    assert_eq!(shown, json!([{"n": 4}]));
    // While it sends, what it counts beyond that is told.
    let sale = json!({"remote": 2, "occurredAt": "2026-11-21T10:00:00Z", "price": 50, "product": 501});
    gateway.post("/machine/vm-a-1/revenuetransactions", sale).await.expect(200);
    let told = send(&gateway, report(&cola(15, 22))).await.expect(201);
    assert_eq!(told["sales"], 0);
    assert!(notes(&told).contains("2 sales for 1.00 EUR, and has sent 1 sales for 0.50 EUR"), "{told}");
}

/// When the reads of a machine were, by what the audit says.
async fn read_at(gateway: &Client, file: String) -> Value {
    send(gateway, file).await.expect(201)["reads"][0]["readAt"].clone()
}

#[tokio::test]
async fn a_clock_that_was_never_set_sells_now_and_a_day_ends_at_24() {
    let (test, gateway): (TestApp, Client) = settled().await;
    send(&gateway, report(&cola(10, 20))).await.expect(201);
    let unset = report(&instead(&cola(13, 21), "EA3", "EA3*1*20100101*0005"));
    let told = send(&gateway, unset).await.expect(201);
    assert!(notes(&told).contains("2010-01-01 00:05:00"), "{told}");
    let times =
        rows(&test, "SELECT DISTINCT occurred_at = $$2026-11-24T12:00:00Z$$ AS now FROM revenue_transaction");
    assert_eq!(times.await, json!([{"now": true}]));
    assert_eq!(sales(&test).await, (3, 150));
    let (_test, gateway) = settled().await;
    let midnight = report(&instead(&cola(10, 20), "EA3", "EA3*1*20261120*2400"));
    assert_eq!(read_at(&gateway, midnight).await, "2026-11-20T23:00:00.000Z");
}

#[tokio::test]
async fn price_lists_make_no_products_and_letters_tell_selections_apart() {
    let (test, gateway) = settled().await;
    let lists = with(with(cola(10, 20), "LA1*7*17**0*68315"), "LA1*7*101**0*0");
    assert_eq!(send(&gateway, report(&lists)).await.expect(201)["products"], 1);
    let letters = |a: i64, b: i64, day: i64| {
        let lines = ["PA1*A12*90".to_owned(), format!("PA2*{a}*{}", a * 90), "PA1*B12*80".to_owned()];
        let total = format!("VA1*{}*{}", a * 90 + b * 80, a + b);
        let all = [vec!["ID1*4711*M".to_owned(), total], lines.to_vec(), vec![format!("PA2*{b}*{}", b * 80)]];
        report(&[all.concat(), vec![format!("EA3*1*202611{day}*0800")]].concat())
    };
    sqlx::raw_sql("DELETE FROM audit").execute(&test.app.db).await.unwrap();
    send(&gateway, letters(1, 1, 22)).await.expect(201);
    send(&gateway, letters(2, 3, 23)).await.expect(201);
    let sold = "SELECT name, product, count(*) FROM revenue_transaction GROUP BY 1, 2 ORDER BY 1";
    let expected = json!([
        {"name": "A12", "product": null, "count": 1}, {"name": "B12", "product": null, "count": 2}]);
    assert_eq!(rows(&test, sold).await, expected);
}
