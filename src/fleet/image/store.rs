//! Images in Postgres.

use super::{Both, Image, Rendition, Size};
use crate::{
    campaigns::prints,
    error::{Error, Result},
    resource::{Resource, reach, store},
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};

/// An image that `group` sees: its own, and those of the groups below and above it.
pub async fn fetch(db: &PgPool, group: i64, id: i64, size: Size) -> Result<Rendition> {
    let mut sql = seen("r.type, r.width, r.height, r.hash, r.bytes", group, id, size);
    sql.build_query_as().fetch_optional(db).await?.ok_or(Error::NotFound("image"))
}

/// The hash of the same, without its bytes.
pub async fn hash(db: &PgPool, group: i64, id: i64, size: Size) -> Result<Vec<u8>> {
    let mut sql = seen("r.hash", group, id, size);
    sql.build_query_scalar().fetch_optional(db).await?.ok_or(Error::NotFound("image"))
}

fn seen(columns: &'static str, group: i64, id: i64, size: Size) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(columns).push(" FROM image this JOIN image_rendition r ON r.image = this.id WHERE this.id = ");
    sql.push_bind(id).push(" AND r.size = ").push_bind(size).push(" AND ");
    reach::readable(&mut sql, Image::spec(), group);
    sql
}

/// Stores a new image of `group`.
pub(super) async fn insert(
    tx: &mut PgConnection,
    group: i64,
    both: &Both,
    now: DateTime<Utc>,
) -> Result<i64> {
    add(tx, group, both, false, now).await
}

/// Stores an image that `group` sent as a logo: it is there as long as a campaign shows it.
pub async fn insert_logo(tx: &mut PgConnection, group: i64, both: &Both, now: DateTime<Utc>) -> Result<i64> {
    add(tx, group, both, true, now).await
}

async fn add(
    tx: &mut PgConnection,
    group: i64,
    both: &Both,
    sent_as_logo: bool,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO image (user_group, sent_as_logo, created_at, updated_at) VALUES ($1, $2, $3, $3)
        RETURNING id";
    let id = sqlx::query_scalar(SQL).bind(group).bind(sent_as_logo).bind(now).fetch_one(&mut *tx).await?;
    put(tx, id, Size::Original, &both.original).await?;
    put(tx, id, Size::Thumbnail, &both.thumbnail).await?;
    Ok(id)
}

/// Deletes an image that was sent as a logo and that nothing shows any more. It is no harm if it stays.
pub async fn forget_logo(db: &PgPool, id: i64) {
    const SQL: &str = "
        DELETE FROM image WHERE id = $1 AND sent_as_logo
        AND NOT EXISTS (SELECT FROM campaign WHERE voucher_logo_img = image.id)
        AND NOT EXISTS (SELECT FROM machine_model WHERE machine_model.image = image.id)";
    let forget = async {
        let mut tx = transaction::begin(db).await?;
        sqlx::query(SQL).bind(id).execute(&mut *tx).await?;
        Ok::<(), Error>(tx.commit().await?)
    };
    // Something may have come to show it this moment.
    if let Err(error) = forget.await {
        tracing::info!(error = %error, image = id, "a logo that was replaced stays");
    }
}

/// Refuses an image that `group` may not change.
pub(super) async fn expect(db: &PgPool, group: i64, id: i64) -> Result<()> {
    let mut tx = transaction::begin(db).await?;
    store::lock(&mut tx, Image::spec(), group, None, id).await?;
    tx.rollback().await?;
    Ok(())
}

/// Puts these in the place of what an image was in the same sizes.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    id: i64,
    renditions: &[(Size, Rendition)],
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = transaction::begin(db).await?;
    store::lock(&mut tx, Image::spec(), group, None, id).await?;
    for (size, rendition) in renditions {
        put(&mut tx, id, *size, rendition).await?;
    }
    sqlx::query("UPDATE image SET updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    prints::outdate_showing(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn put(connection: &mut PgConnection, id: i64, size: Size, rendition: &Rendition) -> Result<()> {
    const SQL: &str = "
        INSERT INTO image_rendition (image, size, type, width, height, hash, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (image, size) DO UPDATE
        SET type = excluded.type, width = excluded.width, height = excluded.height, hash = excluded.hash,
            bytes = excluded.bytes";
    sqlx::query(SQL)
        .bind(id)
        .bind(size)
        .bind(rendition.format)
        .bind(rendition.width)
        .bind(rendition.height)
        .bind(&rendition.hash)
        .bind(&rendition.bytes)
        .execute(connection)
        .await?;
    Ok(())
}
