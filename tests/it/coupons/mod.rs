//! Coupons on paper: asked for, printed, kept up to date, downloaded.

mod downloads;
mod outdated;
mod reader;
mod refusals;
mod sheets;
mod single;

use crate::{
    app::{Builder, TestApp},
    campaigns::{campaign, voucher},
    client::Client,
};
use chrono::TimeDelta;
use scrip::jobs::worker::work_one;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

pub use reader::codes;

/// A server on which a part has 25 coupons, and someone of group "a" there.
struct Shop {
    app: TestApp,
    a: Client,
}

impl Shop {
    async fn new() -> Self {
        Self::on(TestApp::builder().stopped_at("2026-06-01T10:00:00Z")).await
    }

    async fn on(server: Builder) -> Self {
        let app = server.config(|config| config.coupons_per_part = 25).build().await;
        let a = app.user("a").await;
        Self { app, a }
    }

    /// A campaign with so many vouchers that follow it; returns its path.
    async fn campaign(&self, vouchers: usize, more: Value) -> String {
        let mut terms =
            json!({"totalVouchers": vouchers, "voucherText1": "Free coffee", "voucherText2": "Any size"});
        terms.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = campaign(&self.a, terms).await;
        if vouchers > 0 {
            assert!(work_one(&self.app.app).await.unwrap());
        }
        path
    }

    /// Asks for its PDF; returns the campaign.
    async fn ask(&self, campaign: &str) -> Value {
        self.a.post(&format!("{campaign}/pdf"), json!({})).await.expect(202)
    }

    /// Does what there is to do, once changes have settled.
    async fn work(&self) {
        self.app.app.clock.advance(TimeDelta::seconds(3));
        while work_one(&self.app.app).await.unwrap() {}
    }

    async fn printed(&self, campaign: &str) {
        self.ask(campaign).await;
        self.work().await;
        assert_eq!(self.status(campaign).await, "ready");
    }

    async fn status(&self, campaign: &str) -> Value {
        self.a.get(campaign).await.expect(200)["vouchersPdfStatus"].clone()
    }

    async fn progress(&self, campaign: &str) -> Value {
        self.a.get(&format!("{campaign}/progress")).await.expect(200)
    }

    /// The parts of a PDF, as they are downloaded.
    async fn parts(&self, campaign: &str) -> Vec<Vec<u8>> {
        let count = self.progress(campaign).await["parts"].as_array().unwrap().len();
        let mut parts = Vec::new();
        for part in 1..=count {
            let reply = self.a.get(&format!("{campaign}/pdf?part={part}")).await;
            assert_eq!(
                (reply.status.as_u16(), &reply.headers["content-type"]),
                (200, &"application/pdf".parse().unwrap())
            );
            parts.push(reply.body.to_vec());
        }
        parts
    }

    /// Fails unless the QR codes of a PDF are the codes of the campaign's vouchers, each once.
    async fn assert_exact(&self, campaign: &str) {
        let printed: Vec<String> = self.parts(campaign).await.iter().flat_map(|pdf| codes(pdf)).collect();
        let distinct: BTreeSet<String> = printed.iter().cloned().collect();
        assert_eq!(printed.len(), distinct.len(), "a code was printed twice");
        assert_eq!(distinct, self.codes(campaign).await);
    }

    async fn codes(&self, campaign: &str) -> BTreeSet<String> {
        let id: i64 = campaign.trim_start_matches("/campaign/").parse().unwrap();
        let codes = sqlx::query_scalar::<_, String>("SELECT code FROM voucher WHERE campaign = $1").bind(id);
        codes.fetch_all(&self.app.app.db).await.unwrap().into_iter().collect()
    }
}

#[tokio::test]
async fn every_voucher_is_on_one_coupon_of_one_part() {
    let shop = Shop::new().await;
    let path = shop.campaign(60, json!({"expiresOn": "2026-12-31"})).await;
    assert_eq!(shop.status(&path).await, "empty");
    let asked = shop.ask(&path).await;
    assert_eq!((&asked["vouchersPdfStatus"], &asked["vouchersPdfUrl"]), (&json!("pending"), &Value::Null));
    let waiting = shop.progress(&path).await;
    assert_eq!(
        waiting,
        json!({"work": "pdf", "status": "queued", "total": 60, "done": 0, "percent": 0, "problem": null, "parts": [],
               "pdfNotes": []})
    );
    shop.work().await;
    let campaign = shop.a.get(&path).await.expect(200);
    assert_eq!(campaign["vouchersPdfStatus"], "ready");
    assert!(campaign["vouchersPdfUrl"].as_str().unwrap().contains("/pdf?token="));
    let progress = shop.progress(&path).await;
    let vouchers: Vec<_> =
        progress["parts"].as_array().unwrap().iter().map(|part| &part["vouchers"]).collect();
    assert_eq!(vouchers, [&json!(25), &json!(25), &json!(10)]);
    assert_eq!((&progress["status"], &progress["percent"]), (&json!("done"), &json!(100)));
    shop.assert_exact(&path).await;
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes() {
    let shop = Shop::new().await;
    let path = shop.campaign(30, json!({"voucherText3": "Կոֆե — кофе — καφές — קפה — قهوة"})).await;
    shop.printed(&path).await;
    let first = shop.parts(&path).await;
    let again = "UPDATE job SET state = 'queued', done = 0, run_at = 'epoch' WHERE kind = 'print_coupons'";
    for statement in ["DELETE FROM coupon_part", again] {
        sqlx::query(statement).execute(&shop.app.app.db).await.unwrap();
    }
    shop.work().await;
    assert_eq!(shop.parts(&path).await, first);
}

#[tokio::test]
async fn a_campaign_is_printed_once_its_vouchers_are_there() {
    let shop = Shop::new().await;
    let path = campaign(&shop.a, json!({"totalVouchers": 30})).await;
    let asked = shop.ask(&path).await;
    assert_eq!((&asked["status"], &asked["vouchersPdfStatus"]), (&json!("creating"), &json!("pending")));
    // Only the print is due: it has to wait.
    let late = "UPDATE job SET run_at = now() + interval '1 day' WHERE kind = 'generate_vouchers'";
    sqlx::query(late).execute(&shop.app.app.db).await.unwrap();
    assert!(work_one(&shop.app.app).await.unwrap());
    assert_eq!(shop.status(&path).await, "pending");
    let due = "UPDATE job SET run_at = 'epoch' WHERE kind = 'generate_vouchers'";
    sqlx::query(due).execute(&shop.app.app.db).await.unwrap();
    shop.work().await;
    shop.work().await;
    assert_eq!(shop.status(&path).await, "ready");
    shop.assert_exact(&path).await;
}

#[tokio::test]
async fn what_was_cancelled_is_printed_to_its_end_when_resumed() {
    let shop = Shop::new().await;
    let path = shop.campaign(200, json!({})).await;
    shop.ask(&path).await;
    let done = async || shop.progress(&path).await["done"].as_i64().unwrap();
    let (worked, ()) = tokio::join!(work_one(&shop.app.app), async {
        while done().await < 25 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        shop.a.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    });
    worked.unwrap();
    let kept = done().await;
    assert!((25..200).contains(&kept), "{kept}");
    assert_eq!(shop.status(&path).await, "empty");
    assert_eq!(shop.progress(&path).await["status"], "cancelled");
    shop.a.get(&format!("{path}/pdf")).await.expect(404);
    assert!(!work_one(&shop.app.app).await.unwrap(), "nothing goes on by itself");
    shop.a.post(&format!("{path}/resume"), json!({})).await.expect(200);
    assert_eq!(done().await, kept, "what was printed is kept");
    shop.work().await;
    assert_eq!(shop.status(&path).await, "ready");
    shop.assert_exact(&path).await;
    shop.a.post(&format!("{path}/cancel"), json!({})).await.expect(409);
}

#[tokio::test]
async fn two_workers_with_the_same_job_print_no_part_twice() {
    let shop = Shop::new().await;
    let path = shop.campaign(150, json!({})).await;
    shop.ask(&path).await;
    let (first, second) = tokio::join!(work_one(&shop.app.app), async {
        while shop.progress(&path).await["done"] == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // To the second, the first has been silent for too long.
        sqlx::query("UPDATE job SET leased_until = 'epoch'").execute(&shop.app.app.db).await.unwrap();
        work_one(&shop.app.app).await
    });
    first.unwrap();
    second.unwrap();
    shop.work().await;
    assert_eq!(shop.progress(&path).await["parts"].as_array().unwrap().len(), 6);
    shop.assert_exact(&path).await;
}

#[tokio::test]
async fn lines_that_do_not_fit_are_told_of() {
    let shop = Shop::new().await;
    let long = "A very long line about what this coupon is good for ".repeat(6);
    let path = shop.campaign(2, json!({"voucherText2": long.trim()})).await;
    let asked = shop.ask(&path).await;
    let note = asked["pdfNotes"].as_array().unwrap().iter().find(|note| note["part"] == "text2").unwrap();
    assert_eq!((&note["outcome"], &note["coupons"]), (&json!("cut"), &json!(1)));
    let own = json!({"text1": "Unser Dank für zehn Jahre, in denen Sie uns die Treue gehalten haben", "text2": "x"});
    voucher(&shop.a, &path, own).await;
    shop.work().await;
    let notes = shop.progress(&path).await["pdfNotes"].clone();
    let outcome =
        |part: &str| notes.as_array().unwrap().iter().find(|note| note["part"] == part).cloned().unwrap();
    assert_eq!(outcome("text2")["coupons"], 2, "the campaign's text is on the generated vouchers alone");
    assert_eq!(outcome("text1")["coupons"], 1);
}

#[tokio::test]
async fn a_pdf_that_nobody_asked_for_in_a_month_is_dropped() {
    let shop = Shop::new().await;
    let (old, kept) = (shop.campaign(1, json!({})).await, shop.campaign(1, json!({})).await);
    for (path, days) in [(&old, 31), (&kept, 29)] {
        shop.printed(path).await;
        let id: i64 = path.trim_start_matches("/campaign/").parse().unwrap();
        let asked =
            "UPDATE coupon_print SET asked_at = asked_at - make_interval(days => $2) WHERE campaign = $1";
        sqlx::query(asked).bind(id).bind(days).execute(&shop.app.app.db).await.unwrap();
    }
    scrip::coupons::print::drop_old_once(&shop.app.app).await.unwrap();
    assert_eq!((shop.status(&old).await, shop.status(&kept).await), (json!("empty"), json!("ready")));
    shop.printed(&old).await;
}
