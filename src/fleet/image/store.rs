//! Images in Postgres.

use super::{Rendition, Size, workshop::Both};
use crate::{
    error::{Error, Result, violates},
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

const NOT_FOUND: Error = Error::NotFound("image");

/// An image that belongs to `group`, to a group below it, or to one above it.
pub async fn fetch(db: &PgPool, group: i64, id: i64, size: Size) -> Result<Rendition> {
    const SQL: &str = "
        SELECT r.type, r.width, r.height, r.hash, r.bytes
        FROM image_rendition r JOIN image i ON i.id = r.image
        WHERE r.image = $1 AND r.size = $2 AND (
            i.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)
            OR i.user_group IN (SELECT ancestor FROM user_group_tree WHERE descendant = $3))";
    sqlx::query_as(SQL).bind(id).bind(size).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// The hash of the same, without its bytes.
pub async fn hash(db: &PgPool, group: i64, id: i64, size: Size) -> Result<Vec<u8>> {
    const SQL: &str = "
        SELECT r.hash
        FROM image_rendition r JOIN image i ON i.id = r.image
        WHERE r.image = $1 AND r.size = $2 AND (
            i.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)
            OR i.user_group IN (SELECT ancestor FROM user_group_tree WHERE descendant = $3))";
    sqlx::query_scalar(SQL).bind(id).bind(size).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// Stores a new image of `group`.
pub(super) async fn insert(db: &PgPool, group: i64, both: &Both, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str =
        "INSERT INTO image (user_group, created_at, updated_at) VALUES ($1, $2, $2) RETURNING id";
    let mut transaction = transaction::begin(db).await?;
    let id = sqlx::query_scalar(SQL).bind(group).bind(now).fetch_one(&mut *transaction).await?;
    put(&mut transaction, id, Size::Original, &both.original).await?;
    put(&mut transaction, id, Size::Thumbnail, &both.thumbnail).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Refuses an image that does not belong to `group` or a group below it.
pub(super) async fn expect(db: &PgPool, group: i64, id: i64) -> Result<()> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM image WHERE id = $1
            AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))";
    let there: bool = sqlx::query_scalar(SQL).bind(id).bind(group).fetch_one(db).await?;
    there.then_some(()).ok_or(NOT_FOUND)
}

/// Puts these in the place of what an image was in the same sizes.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    id: i64,
    renditions: &[(Size, Rendition)],
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE image SET updated_at = $3 WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    let mut transaction = transaction::begin(db).await?;
    let touched = sqlx::query(SQL).bind(id).bind(group).bind(now).execute(&mut *transaction).await?;
    if touched.rows_affected() == 0 {
        return Err(NOT_FOUND);
    }
    for (size, rendition) in renditions {
        put(&mut transaction, id, *size, rendition).await?;
    }
    transaction.commit().await?;
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

/// Deletes an image that nothing shows.
pub(super) async fn delete(db: &PgPool, group: i64, id: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM image WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    /// What can point at an image, by its foreign key.
    const USES: [(&str, &str); 2] = [
        ("machine_model_image", "the image is that of a machine model"),
        ("campaign_voucher_logo_img", "the image is the logo of a campaign"),
    ];
    match sqlx::query(SQL).bind(id).bind(group).execute(db).await {
        Ok(deleted) if deleted.rows_affected() == 0 => Err(NOT_FOUND),
        Ok(_) => Ok(()),
        Err(error) => Err(match USES.iter().find(|(key, _)| violates(&error, key)) {
            Some((_, used)) => Error::Conflict((*used).into()),
            None => error.into(),
        }),
    }
}
