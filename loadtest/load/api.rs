//! The API for campaigns, in a user's name.

use crate::{Result, target};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the server may take to generate one campaign.
const GENERATION: Duration = Duration::from_mins(5);

/// A user who is logged in.
pub(crate) struct Api {
    client: Client,
    url: String,
    token: String,
}

impl Api {
    /// Logs in at the server that is given, or at `SCRIP_URL`.
    pub(crate) async fn open(url: Option<&str>) -> Result<Self> {
        let url = target::url(url)?;
        let token = target::token(&url).await?;
        Ok(Self { client: Client::new(), url, token })
    }

    async fn ask(&self, request: RequestBuilder) -> Result<String> {
        let answer = request.bearer_auth(&self.token).send().await?;
        let (status, url) = (answer.status(), answer.url().path().to_owned());
        let body = answer.text().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{url}: {status}: {body}").into()) }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.ask(self.client.post(format!("{}{path}", self.url)).json(body)).await?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn campaign(&self, draft: &Value) -> Result<i64> {
        Ok(self.post("/campaign", draft).await?["id"].as_i64().ok_or("the new campaign has no id")?)
    }

    /// Begins a campaign of discounts, which the server generates in the background.
    pub(crate) async fn discounts(&self, vouchers: u32, limit: u32) -> Result<i64> {
        self.campaign(&json!({
            "name": "Load test", "type": "discount", "totalVouchers": vouchers, "voucherValue": 100,
            "redemptionLimit": limit, "resetFrequency": "never", "prefix": "LOAD", "status": "active",
        }))
        .await
    }

    /// Makes a campaign for gift vouchers.
    pub(crate) async fn gifts(&self) -> Result<i64> {
        self.campaign(&json!({
            "name": "Load test, gifts", "type": "dynamic", "totalVouchers": 0, "voucherValue": 0,
            "resetFrequency": "never", "prefix": "GIFT", "status": "active",
        }))
        .await
    }

    /// Makes a gift voucher and returns its code.
    pub(crate) async fn gift(&self, campaign: i64, cents: u64) -> Result<String> {
        let voucher =
            self.post("/voucher", &json!({ "campaign": campaign, "type": "gift", "value": cents })).await?;
        Ok(voucher["code"].as_str().ok_or("the new voucher has no code")?.to_owned())
    }

    /// Waits until all vouchers of a campaign are there.
    pub(crate) async fn generated(&self, campaign: i64, vouchers: u32) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < GENERATION {
            let answer =
                self.ask(self.client.get(format!("{}/campaign/{campaign}/progress", self.url))).await?;
            let progress: Value = serde_json::from_str(&answer)?;
            if progress["done"].as_u64() == Some(u64::from(vouchers)) && progress["status"] != "creating" {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Err("the vouchers are not there in time".into())
    }

    /// The codes of a campaign's vouchers.
    pub(crate) async fn codes(&self, campaign: i64) -> Result<Vec<String>> {
        let query = [("columns", "code".to_owned()), ("where[campaign]", campaign.to_string())];
        let sheet = self.ask(self.client.get(format!("{}/voucher/export", self.url)).query(&query)).await?;
        let mut rows = csv::Reader::from_reader(sheet.as_bytes());
        Ok(rows.deserialize::<(String,)>().map(|row| row.map(|(code,)| code)).collect::<Result<_, _>>()?)
    }
}
