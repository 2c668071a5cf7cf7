//! Makes what the scenarios shoot at, through the API: a campaign of discounts, a rich gift, a poor one.

use crate::{Result, target};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How long the server may take to generate the vouchers.
const GENERATION: Duration = Duration::from_mins(5);

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the server is; by default `SCRIP_URL`.
    #[arg(long)]
    url: Option<String>,
    /// Where the files `codes`, `hot` and `poor` go.
    #[arg(long)]
    out: PathBuf,
    #[arg(long, default_value_t = 100_000)]
    vouchers: u32,
    /// How often each of them can be redeemed.
    #[arg(long, default_value_t = 1_000_000)]
    limit: u32,
    /// Cents on the gift voucher that everybody redeems.
    #[arg(long, default_value_t = 1_000_000_000)]
    hot_balance: u64,
}

/// The API, in a user's name.
struct Api {
    client: Client,
    url: String,
    token: String,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let url = target::url(args.url.as_deref())?;
    let token = target::token(&url).await?;
    let api = Api { client: Client::new(), url, token };
    fs::create_dir_all(&args.out)?;

    let discounts = api
        .campaign(&json!({
            "name": "Load test", "type": "discount", "totalVouchers": args.vouchers, "voucherValue": 100,
            "redemptionLimit": args.limit, "resetFrequency": "never", "prefix": "LOAD", "status": "active",
        }))
        .await?;
    let gifts = api
        .campaign(&json!({
            "name": "Load test, gifts", "type": "dynamic", "totalVouchers": 0, "voucherValue": 0,
            "resetFrequency": "never", "prefix": "GIFT", "status": "active",
        }))
        .await?;
    fs::write(args.out.join("hot"), api.gift(gifts, args.hot_balance).await?)?;
    fs::write(args.out.join("poor"), api.gift(gifts, 1).await?)?;

    api.generated(discounts, args.vouchers).await?;
    let codes = api.codes(discounts).await?;
    if codes.len() != args.vouchers as usize {
        return Err(format!("{} codes of {} vouchers", codes.len(), args.vouchers).into());
    }
    fs::write(args.out.join("codes"), codes.join("\n") + "\n")?;
    Ok(())
}

impl Api {
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

    async fn gift(&self, campaign: i64, cents: u64) -> Result<String> {
        let voucher =
            self.post("/voucher", &json!({ "campaign": campaign, "type": "gift", "value": cents })).await?;
        Ok(voucher["code"].as_str().ok_or("the new voucher has no code")?.to_owned())
    }

    /// Waits until all vouchers of a campaign are there.
    async fn generated(&self, campaign: i64, vouchers: u32) -> Result<()> {
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

    async fn codes(&self, campaign: i64) -> Result<Vec<String>> {
        let query = [("columns", "code".to_owned()), ("where[campaign]", campaign.to_string())];
        let sheet = self.ask(self.client.get(format!("{}/voucher/export", self.url)).query(&query)).await?;
        let mut rows = csv::Reader::from_reader(sheet.as_bytes());
        Ok(rows.deserialize::<(String,)>().map(|row| row.map(|(code,)| code)).collect::<Result<_, _>>()?)
    }
}
