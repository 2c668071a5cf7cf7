//! What acknowledging from Redis alone costs: one script decides and counts, and that is the answer.
//!
//! Nothing is held against it: no journal, no rules, no log-in, and terms and orders in the one hash
//! that the script reads. What it has acknowledged is lost with Redis' last second.
#![expect(clippy::print_stdout, reason = "says when it is ready")]

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use clap::Parser;
use deadpool_redis::redis::{Client, RedisError, Script, aio::MultiplexedConnection, pipe};
use serde::{Deserialize, Serialize};
use std::{error::Error, net::SocketAddr, sync::Arc};

/// A redeem that trusts Redis, to compare with.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8093")]
    listen: SocketAddr,
    /// Worker threads; by default one less than there are cores, as the product does.
    #[arg(long)]
    workers: Option<usize>,
    /// Makes this many vouchers, PLAIN-000001 and on, first.
    #[arg(long)]
    load: Option<usize>,
}

/// Vouchers that are sent to Redis at a time.
const LOAD_BATCH: usize = 5_000;

/// KEYS[1]: the voucher; ARGV: the order's id, its amount. Returns how it went and the cents taken off.
const REDEEM: &str = r#"
local order = "order:" .. ARGV[1]
local limit, count, value, taken = unpack(redis.call("HMGET", KEYS[1], "limit", "count", "value", order))
if not limit then return { "missing", 0 } end
if taken then return { "redeemed", tonumber(taken) } end
if tonumber(count) >= tonumber(limit) then return { "refused", 0 } end
local off = math.min(tonumber(value), tonumber(ARGV[2]))
redis.call("HSET", KEYS[1], "count", count + 1, order, off)
return { "redeemed", off }
"#;

/// What every request needs.
#[derive(Clone)]
struct Shop {
    redis: MultiplexedConnection,
    redeem: Arc<Script>,
}

#[derive(Deserialize)]
struct Question {
    order: Order,
}

#[derive(Deserialize)]
struct Order {
    id: String,
    amount: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    code: String,
    redeemed: bool,
    discount: Discount,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discount {
    r#type: &'static str,
    amount_off: i64,
}

/// A failed script, as a 500.
struct Fault(RedisError);

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

async fn redeem(
    State(mut shop): State<Shop>,
    Path(code): Path<String>,
    Json(question): Json<Question>,
) -> Result<Response, Fault> {
    let (word, amount_off): (String, i64) = shop
        .redeem
        .key(key(&code))
        .arg(question.order.id)
        .arg(question.order.amount)
        .invoke_async(&mut shop.redis)
        .await?;
    if word == "missing" {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let discount = Discount { r#type: "cents", amount_off };
    Ok(Json(Answer { code, redeemed: word == "redeemed", discount }).into_response())
}

fn key(code: &str) -> String {
    format!("redis-only:{code}")
}

async fn load(redis: &mut MultiplexedConnection, vouchers: usize) -> Result<(), RedisError> {
    const TERMS: [(&str, i64); 3] = [("limit", 1_000_000_000), ("count", 0), ("value", 100)];
    for first in (1..=vouchers).step_by(LOAD_BATCH) {
        let mut batch = pipe();
        for n in first..=vouchers.min(first + LOAD_BATCH - 1) {
            let key = key(&format!("PLAIN-{n:06}"));
            batch.del(&key).ignore().hset_multiple(&key, &TERMS).ignore();
        }
        batch.exec_async(redis).await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let url = std::env::var("REDIS_URL").map_err(|_| "REDIS_URL is not set")?;
    let cores = std::thread::available_parallelism()?.get();
    let workers = args.workers.unwrap_or(cores - 1).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?.block_on(
        async {
            let mut redis = Client::open(url)?.get_multiplexed_async_connection().await?;
            if let Some(vouchers) = args.load {
                load(&mut redis, vouchers).await?;
            }
            let shop = Shop { redis, redeem: Arc::new(Script::new(REDEEM)) };
            let router = Router::new().route("/voucher/{code}/redeem", post(redeem)).with_state(shop);
            let listener = tokio::net::TcpListener::bind(args.listen).await?.tap_io(|stream| {
                // A socket that can't be told just answers later.
                stream.set_nodelay(true).ok();
            });
            println!("redis-only: listening on {}", args.listen);
            axum::serve(listener, router).await?;
            Ok(())
        },
    )
}
