//! A list without a limit: all of its rows as one array, sent as they are read.
//!
//! They come from a cursor, some at a time, so that a million of them need no more memory than the first. A list that
//! is read in one go is answered as a page is. A longer one takes a place among the exports, and as long as its
//! reader; a fault breaks it off, and never ends its array.

use super::{Show, follow::Horizon, page::tell, params::ListQuery};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        chunks::{CHUNK_BYTES, Chunks, chunks},
        sheet::TIME_MAX_S,
    },
    postgres::reads::Reading,
    transaction,
};
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, QueryBuilder, Transaction, postgres::PgRow};
use std::{pin::pin, time::Duration};
use tokio::{select, task::yield_now, time::timeout};

/// Rows that are read at a time.
const ROWS: usize = 500;

/// Those of them that a long list begins with.
const FIRST: usize = 100;

/// The part of a statement's time limit after which a long list is not counted before its first row is sent: 40 ms
/// of 10 s.
const COUNT_WITHIN: u32 = 250;

/// The rows of a statement, at one state of everything.
struct Cursor {
    tx: Transaction<'static, Postgres>,
    /// The number of the process in Postgres that reads them.
    process: i32,
}

impl Cursor {
    /// Opens the cursor of a query. Rows that a transaction under way may still commit before others are left for
    /// whoever goes on from the last.
    async fn open(
        db: &PgPool,
        query: &ListQuery,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
    ) -> Result<Self> {
        let mut horizon = query.horizon(db).await?;
        if let Some(horizon) = &mut horizon {
            horizon.wait(db).await?;
        }
        let mut tx = transaction::snapshot(db).await?;
        declare(&mut tx, query, scope, None).await?;
        if let Some(horizon) = &horizon
            && !horizon.is_quiet(&mut *tx).await?
        {
            sqlx::query("CLOSE listed").execute(&mut *tx).await?;
            declare(&mut tx, query, scope, Some(horizon)).await?;
        }
        let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *tx).await?;
        Ok(Self { tx, process })
    }

    /// Reads the next rows; fewer than [`ROWS`] are the last.
    async fn next(&mut self) -> Result<Vec<PgRow>, sqlx::Error> {
        next(&mut self.tx).await
    }

    /// Counts all rows, unless that takes long. The cursor stays where it is.
    async fn total(
        &mut self,
        query: &ListQuery,
        scope: &impl Fn(&mut QueryBuilder<Postgres>),
        limit: Duration,
    ) -> Result<Option<i64>, sqlx::Error> {
        let limit = limit.as_millis().max(1);
        let begin = format!("SAVEPOINT counting; SET LOCAL statement_timeout = {limit}");
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *self.tx).await?;
        let total = query.total(&mut *self.tx, scope).await?;
        sqlx::query("ROLLBACK TO SAVEPOINT counting").execute(&mut *self.tx).await?;
        Ok(total)
    }

    /// Reads the next rows for as long as they are wanted: a statement whose reader has gone is ended.
    async fn next_while_read(
        &mut self,
        db: &PgPool,
        chunks: &Chunks,
    ) -> Result<Option<Vec<PgRow>>, sqlx::Error> {
        let mut reading = pin!(next(&mut self.tx));
        select! {
            rows = &mut reading => return rows.map(Some),
            () = chunks.closed() => {}
        }
        // The process works for nobody else as long as its transaction is held here.
        sqlx::query("SELECT pg_cancel_backend($1)").bind(self.process).execute(db).await?;
        match reading.await {
            Err(error) if !transaction::was_too_long(&error) => Err(error),
            _ => Ok(None),
        }
    }

    async fn close(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}

async fn declare(
    db: &mut PgConnection,
    query: &ListQuery,
    scope: &impl Fn(&mut QueryBuilder<Postgres>),
    horizon: Option<&Horizon>,
) -> Result<()> {
    // Of a cursor Postgres knows that its first rows matter, and plans for them.
    let mut sql = query.select("DECLARE listed NO SCROLL CURSOR FOR SELECT ", scope, None, horizon);
    sql.build().persistent(false).execute(db).await.map_err(|error| query.too_long(error))?;
    Ok(())
}

async fn next(db: &mut PgConnection) -> Result<Vec<PgRow>, sqlx::Error> {
    let fetch = format!("FETCH {ROWS} FROM listed");
    sqlx::query(AssertSqlSafe(fetch)).persistent(false).fetch_all(db).await
}

impl ListQuery {
    /// Answers with all rows.
    pub(super) async fn whole(
        self,
        app: &App,
        mut reading: Reading,
        scope: impl Fn(&mut QueryBuilder<Postgres>),
        show: impl Show,
    ) -> Result<Response> {
        loop {
            let mut cursor = Cursor::open(&reading, &self, &scope).await?;
            let rows = cursor.next().await.map_err(|error| self.too_long(error))?;
            if rows.len() < ROWS {
                cursor.close().await?;
                return self.short(&reading, rows, scope, show).await;
            }
            if reading.lengthen().is_ok() {
                let total = cursor.total(&self, &scope, reading.timeout() / COUNT_WITHIN).await?;
                return self.long(app, reading, cursor, rows, total, show).await;
            }
            // A turn is given up before it waits for a place among the exports, which are held for long.
            cursor.close().await?;
            let group = reading.group();
            drop(reading);
            reading = app.reads.long_list(group).await?;
        }
    }

    /// Answers with rows that are all there are.
    async fn short(
        self,
        reading: &Reading,
        rows: Vec<PgRow>,
        scope: impl Fn(&mut QueryBuilder<Postgres>),
        show: impl Show,
    ) -> Result<Response> {
        let total = match self.total_by(rows.len(), false) {
            None => self.total(&**reading, &scope).await?,
            known => known,
        };
        let mut response = axum::Json(show.show(rows).await?).into_response();
        tell(&mut response, total, self.link_back(super::LIMIT_MAX).as_slice());
        Ok(response)
    }

    /// Answers with these rows, and all that follow them.
    async fn long(
        self,
        app: &App,
        reading: Reading,
        mut cursor: Cursor,
        mut rows: Vec<PgRow>,
        total: Option<i64>,
        show: impl Show,
    ) -> Result<Response> {
        sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL statement_timeout = '{TIME_MAX_S}s'")))
            .execute(&mut *cursor.tx)
            .await?;
        // A fault in these is told as one; the first byte waits for no more of them.
        let rest = rows.split_off(FIRST.min(rows.len()));
        let first = show.show(rows).await?;
        let (chunks, reader) = chunks();
        let task = app.clone();
        app.tasks.spawn(async move {
            let app = &task;
            let array =
                Array { bytes: Vec::with_capacity(CHUNK_BYTES), is_begun: false, chunks: chunks.clone() };
            let writing = Box::pin(write(app, &mut cursor, (first, rest), &show, array));
            let limit = Duration::from_secs(TIME_MAX_S.into());
            let written = timeout(limit, app.liveness.while_up(writing)).await;
            match written.unwrap_or_else(|_| Err(Error::fault("a list took too long to be read"))) {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "a list broke off");
                    chunks.fail(error).await;
                }
            }
            drop(cursor);
            drop(reading);
        });
        let mut response = reader.body(None).into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        tell(&mut response, total, self.link_back(super::LIMIT_MAX).as_slice());
        Ok(response)
    }
}

/// A JSON array on its way to its reader.
struct Array {
    bytes: Vec<u8>,
    is_begun: bool,
    chunks: Chunks,
}

impl Array {
    /// Adds items; `false` if nobody reads any more.
    async fn push(&mut self, items: &[impl Serialize]) -> Result<bool> {
        for item in items {
            self.bytes.push(if self.is_begun { b',' } else { b'[' });
            self.is_begun = true;
            serde_json::to_writer(&mut self.bytes, item).map_err(Error::fault)?;
            if self.bytes.len() >= CHUNK_BYTES {
                let chunk = std::mem::replace(&mut self.bytes, Vec::with_capacity(CHUNK_BYTES));
                if !self.chunks.send(chunk).await {
                    return Ok(false);
                }
                // Others have their turn, however fast the reader is.
                yield_now().await;
            }
        }
        Ok(true)
    }

    /// Ends an array that has items.
    async fn end(mut self) {
        self.bytes.push(b']');
        if self.chunks.send(self.bytes).await {
            self.chunks.end().await;
        }
    }
}

/// Writes the first items, the rest of the rows that were read, and all that follow them, until nobody reads any more.
async fn write<S: Show>(
    app: &App,
    cursor: &mut Cursor,
    (first, rest): (Vec<S::Shown>, Vec<PgRow>),
    show: &S,
    mut array: Array,
) -> Result<()> {
    if !array.push(&first).await? || !array.push(&show.show(rest).await?).await? {
        return Ok(());
    }
    while let Some(rows) = cursor.next_while_read(&app.db, &array.chunks).await? {
        let are_last = rows.len() < ROWS;
        if !array.push(&show.show(rows).await?).await? {
            break;
        }
        if are_last {
            array.end().await;
            break;
        }
    }
    Ok(())
}
