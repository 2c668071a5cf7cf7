//! What HTTP and JSON alone cost here: reads the body of a validate, answers one, and does nothing between.
#![expect(clippy::print_stdout, reason = "says when it is ready")]

use axum::{Json, Router, extract::Path, routing::post, serve::ListenerExt};
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, error::Error, net::SocketAddr};

/// A bare JSON echo, to compare with.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8091")]
    listen: SocketAddr,
    /// Worker threads; by default one less than there are cores, as the product does.
    #[arg(long)]
    workers: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    device_id: String,
    lock_duration: Option<u32>,
    demand: Option<Demand>,
}

#[derive(Deserialize)]
struct Demand {
    amount: i64,
}

/// As long as the answer to a validate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    code: String,
    campaign_type: &'static str,
    voucher_id: String,
    valid: bool,
    voucher_value: i64,
    discount: Discount,
    valid_for: ValidFor,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discount {
    r#type: &'static str,
    amount_off: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidFor {
    products: BTreeMap<String, bool>,
    products_reg_exp: &'static str,
}

async fn validate(Path(code): Path<String>, Json(question): Json<Question>) -> Json<Answer> {
    let value = i64::from(question.lock_duration.unwrap_or(100));
    Json(Answer {
        code,
        campaign_type: "discount",
        voucher_id: format!("{:0>36}", question.device_id),
        valid: true,
        voucher_value: value,
        discount: Discount {
            r#type: "cents",
            amount_off: question.demand.map_or(value, |demand| demand.amount),
        },
        valid_for: ValidFor { products: BTreeMap::new(), products_reg_exp: "" },
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let cores = std::thread::available_parallelism()?.get();
    let workers = args.workers.unwrap_or(cores - 1).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?.block_on(
        async {
            let router = Router::new().route("/voucher/{code}/validate", post(validate));
            let listener = tokio::net::TcpListener::bind(args.listen).await?.tap_io(|stream| {
                // A socket that can't be told just answers later.
                stream.set_nodelay(true).ok();
            });
            println!("echo: listening on {}", args.listen);
            axum::serve(listener, router).await?;
            Ok(())
        },
    )
}
