//! The logo on a campaign's coupons, in Postgres.

use crate::{
    error::{Error, Result},
    fleet::image::{self, Both, Image},
    resource::{
        Resource,
        reference::{self, Pointing},
    },
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// What a campaign's coupons are to show.
pub(super) enum NewLogo {
    /// This, which is stored for it.
    Sent(Both),
    /// An image that is there.
    Stored {
        /// Which one.
        image: i64,
        /// The campaign's group, which has to have to do with it.
        owner: i64,
    },
    /// Nothing.
    Nothing,
}

const NOT_FOUND: Error = Error::NotFound("campaign");

/// Whose a campaign is that `group` may change.
pub(super) async fn owner(db: &PgPool, group: i64, id: i64) -> Result<i64> {
    const SQL: &str = "
        SELECT user_group FROM campaign WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    sqlx::query_scalar(SQL).bind(id).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// Gives a campaign another logo, or none. What was sent as its logo before goes, unless something else
/// shows it.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    id: i64,
    logo: NewLogo,
    now: DateTime<Utc>,
) -> Result<()> {
    const LOCK: &str = "
        SELECT user_group, voucher_logo_img FROM campaign WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)
        FOR UPDATE";
    const SET: &str = "UPDATE campaign SET voucher_logo_img = $2 WHERE id = $1";
    let mut tx = transaction::begin(db).await?;
    // First the image and then what shows it, as when an image is deleted.
    if let NewLogo::Stored { image, owner } = logo {
        hold(&mut tx, image, Pointing { caller: group, owner }).await?;
    }
    let (owner, before): (i64, Option<i64>) =
        sqlx::query_as(LOCK).bind(id).bind(group).fetch_optional(&mut *tx).await?.ok_or(NOT_FOUND)?;
    let image = match logo {
        NewLogo::Sent(both) => Some(image::store::insert_logo(&mut tx, owner, &both, now).await?),
        NewLogo::Stored { image, .. } => Some(image),
        NewLogo::Nothing => None,
    };
    sqlx::query(SET).bind(id).bind(image).execute(&mut *tx).await?;
    tx.commit().await?;
    if let Some(before) = before.filter(|before| Some(*before) != image) {
        image::store::forget_logo(db, before).await;
    }
    Ok(())
}

/// Keeps an image from being deleted; refuses (422) one that the campaign's group has nothing to do with.
async fn hold(tx: &mut PgConnection, image: i64, who: Pointing) -> Result<()> {
    const SQL: &str = "SELECT id FROM image WHERE id = $1 FOR KEY SHARE";
    let held: Option<i64> = sqlx::query_scalar(SQL).bind(image).fetch_optional(&mut *tx).await?;
    if held.is_none() || !reference::known(tx, Image::spec(), &[image], who).await?.contains(&image) {
        return Err(Error::Invalid(vec![reference::nothing("/image", Image::spec())]));
    }
    Ok(())
}
