//! A worker is killed in the middle of a campaign: of the generation of its vouchers, of its PDF.
//! Another goes on, and every voucher is there, and printed, exactly once.

use crate::{coupons::codes, database::Database, pair::becomes, server::Server, world};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeSet;

/// Vouchers of the campaign, so many that its work takes ten batches or parts.
const VOUCHERS: usize = 200;

/// A server whose work comes in small steps, and whoever asks it to.
struct Site {
    server: Server,
    key: String,
    db: PgPool,
    _database: Database,
}

impl Site {
    async fn new(fail: &str) -> Self {
        let database = Database::new().await;
        let db = PgPool::connect(&database.url).await.unwrap();
        let scopes = ["campaign.read", "campaign.write", "voucher.read", "voucher.write"];
        let key = world::key(&db, world::A, None, &scopes).await;
        let redis_url = crate::database::url("SCRIP_TEST_REDIS_URL");
        let server = Server::on(&database.url, &redis_url, &database.name)
            .start_with(&[
                ("FAILPOINTS", fail),
                ("SCRIP_JOB_LEASE_S", "1"),
                ("SCRIP_GENERATION_BATCH", "20"),
                ("SCRIP_COUPONS_PER_PART", "20"),
            ])
            .await;
        Self { server, key, db, _database: database }
    }

    async fn campaign(&self) -> String {
        let draft =
            json!({"name": "Summer", "totalVouchers": VOUCHERS, "voucherValue": 100, "voucherText1": "Tea"});
        // The server may die of the work before it has answered.
        let created = self.server.post("/campaign", &self.key, &draft).await;
        assert!(created.is_none_or(|(status, _)| status == 201));
        let id: i64 = sqlx::query_scalar("SELECT id FROM campaign").fetch_one(&self.db).await.unwrap();
        format!("/campaign/{id}")
    }

    async fn ask(&self, campaign: &str) {
        self.server.post(&format!("{campaign}/pdf"), &self.key, &json!({})).await;
    }

    /// The server dies by itself; it is started again, without what killed it.
    async fn dies(&mut self) {
        becomes("the server has died", async || self.server.has_ended()).await;
        self.server.restart_without(&["FAILPOINTS"]).await;
    }

    async fn progress(&self, campaign: &str) -> Value {
        self.server
            .get(&format!("{campaign}/progress"), &self.key)
            .await
            .map(|(_, is)| is)
            .unwrap_or_default()
    }

    async fn done(&self, campaign: &str, work: &str) {
        becomes("the work is done", async || {
            let progress = self.progress(campaign).await;
            progress["work"] == work && progress["status"] == "done"
        })
        .await;
    }

    async fn vouchers(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT code FROM voucher").fetch_all(&self.db).await.unwrap()
    }

    async fn assert_printed_once(&self, campaign: &str) {
        let (mut printed, client) = (Vec::new(), reqwest::Client::new());
        for part in 1..=self.progress(campaign).await["parts"].as_array().unwrap().len() {
            let url = self.server.url(&format!("{campaign}/pdf?part={part}"));
            let pdf = client.get(url).bearer_auth(&self.key).send().await.unwrap().bytes().await.unwrap();
            printed.extend(codes(&pdf));
        }
        assert_eq!(printed.len(), VOUCHERS);
        let printed: BTreeSet<String> = printed.into_iter().collect();
        assert_eq!(printed, self.vouchers().await.into_iter().collect());
    }
}

#[cfg(feature = "failpoints")]
async fn generation_dies_at(point: &str) {
    let mut site = Site::new(&format!("{point}=3*off->return")).await;
    let campaign = site.campaign().await;
    becomes("the server has died", async || site.server.has_ended()).await;
    assert!(site.vouchers().await.len() < VOUCHERS);
    site.dies().await;
    site.done(&campaign, "vouchers").await;
    let vouchers = site.vouchers().await;
    let distinct: BTreeSet<_> = vouchers.iter().collect();
    assert_eq!((vouchers.len(), distinct.len()), (VOUCHERS, VOUCHERS));
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn generation_goes_on_where_its_worker_died() {
    generation_dies_at("generation-before-commit").await;
    generation_dies_at("generation-after-commit").await;
}

#[cfg(feature = "failpoints")]
async fn printing_dies_at(point: &str) {
    let mut site = Site::new(&format!("{point}=4*off->return")).await;
    let campaign = site.campaign().await;
    site.done(&campaign, "vouchers").await;
    site.ask(&campaign).await;
    site.dies().await;
    let kept = site.progress(&campaign).await["parts"].as_array().unwrap().len();
    assert!((4..10).contains(&kept), "{kept} parts");
    site.done(&campaign, "pdf").await;
    site.assert_printed_once(&campaign).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn printing_goes_on_where_its_worker_died() {
    printing_dies_at("coupons-before-commit").await;
    printing_dies_at("coupons-after-commit").await;
}

#[tokio::test]
async fn a_print_survives_a_kill_at_every_tenth() {
    let mut site = Site::new("").await;
    let campaign = site.campaign().await;
    site.done(&campaign, "vouchers").await;
    site.ask(&campaign).await;
    for tenth in (0..VOUCHERS as i64).step_by(VOUCHERS / 10) {
        becomes("so much is printed", async || site.progress(&campaign).await["done"].as_i64() > Some(tenth))
            .await;
        site.server.kill();
        site.server.restart().await;
    }
    site.done(&campaign, "pdf").await;
    site.assert_printed_once(&campaign).await;
}
