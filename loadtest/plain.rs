//! The voucher service that one would write in a day: a row lock, three statements and a commit for each redeem.
//!
//! Nothing is held against it: statements are prepared, every look-up has its index, connections are
//! pooled and not tested before use, and it neither authenticates nor logs.
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
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{error::Error, net::SocketAddr};

/// A plain `SELECT … FOR UPDATE` redeem, to compare with.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8092")]
    listen: SocketAddr,
    /// Worker threads; by default one less than there are cores, as the product does.
    #[arg(long)]
    workers: Option<usize>,
    /// Connections to Postgres.
    #[arg(long, default_value_t = 32)]
    pool: u32,
    /// Makes this many vouchers, PLAIN-000001 and on, and PLAIN-HOT; those of last time go.
    #[arg(long)]
    load: Option<i64>,
    /// Stops when the vouchers are made.
    #[arg(long)]
    load_only: bool,
}

const SCHEMA: &[&str] = &[
    "DROP TABLE IF EXISTS plain_redemption, plain_voucher",
    "CREATE TABLE plain_voucher (
        id               bigserial PRIMARY KEY,
        code             text NOT NULL UNIQUE,
        value            bigint NOT NULL,
        active           boolean NOT NULL DEFAULT true,
        redemption_limit bigint NOT NULL,
        redemption_count bigint NOT NULL DEFAULT 0,
        amount_redeemed  bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 80)",
    "CREATE TABLE plain_redemption (
        id          bigserial PRIMARY KEY,
        voucher     bigint NOT NULL REFERENCES plain_voucher,
        order_id    text NOT NULL,
        device      text NOT NULL,
        amount_off  bigint NOT NULL,
        redeemed_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (voucher, order_id)
    )",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    device_id: String,
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
    voucher_id: i64,
    redeemed: bool,
    discount: Discount,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discount {
    r#type: &'static str,
    amount_off: i64,
}

/// A failed statement, as a 500.
struct Fault(sqlx::Error);

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

type Found = (i64, i64, bool, i64, i64);

async fn redeem(
    State(db): State<PgPool>,
    Path(code): Path<String>,
    Json(question): Json<Question>,
) -> Result<Response, Fault> {
    #[expect(clippy::disallowed_methods, reason = "what one would write in a day")]
    let mut tx = db.begin().await?;
    let found: Option<Found> = sqlx::query_as(
        "SELECT id, value, active, redemption_limit, redemption_count FROM plain_voucher
         WHERE code = $1 FOR UPDATE",
    )
    .bind(&code)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((voucher_id, value, active, limit, count)) = found else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let redeemed = active && count < limit;
    let amount_off = if redeemed { value.min(question.order.amount) } else { 0 };
    if redeemed {
        sqlx::query(
            "UPDATE plain_voucher SET redemption_count = redemption_count + 1, amount_redeemed = amount_redeemed + $2
             WHERE id = $1",
        )
        .bind(voucher_id)
        .bind(amount_off)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO plain_redemption (voucher, order_id, device, amount_off) VALUES ($1, $2, $3, $4)",
        )
        .bind(voucher_id)
        .bind(&question.order.id)
        .bind(&question.device_id)
        .bind(amount_off)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    let discount = Discount { r#type: "cents", amount_off };
    Ok(Json(Answer { code, voucher_id, redeemed, discount }).into_response())
}

async fn load(db: &PgPool, vouchers: i64) -> Result<(), sqlx::Error> {
    for &statement in SCHEMA {
        sqlx::query(statement).execute(db).await?;
    }
    sqlx::query(
        "INSERT INTO plain_voucher (code, value, redemption_limit)
         SELECT 'PLAIN-' || lpad(n::text, 6, '0'), 100, 1000000000 FROM generate_series(1, $1) n
         UNION ALL SELECT 'PLAIN-HOT', 1, 1000000000",
    )
    .bind(vouchers)
    .execute(db)
    .await?;
    sqlx::query("VACUUM ANALYZE plain_voucher").execute(db).await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let url = std::env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set")?;
    let cores = std::thread::available_parallelism()?.get();
    let workers = args.workers.unwrap_or(cores - 1).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?.block_on(
        async {
            let db = PgPoolOptions::new()
                .max_connections(args.pool)
                .test_before_acquire(false)
                .connect(&url)
                .await?;
            if let Some(vouchers) = args.load {
                load(&db, vouchers).await?;
            }
            if args.load_only {
                return Ok(());
            }
            let router = Router::new().route("/voucher/{code}/redeem", post(redeem)).with_state(db);
            let listener = tokio::net::TcpListener::bind(args.listen).await?.tap_io(|stream| {
                // A socket that can't be told just answers later.
                stream.set_nodelay(true).ok();
            });
            println!("plain: listening on {}", args.listen);
            axum::serve(listener, router).await?;
            Ok(())
        },
    )
}
