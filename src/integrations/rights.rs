//! Permissions that events need. An integration is told what the person who set it up may read, as far as its
//! user group still may: who can see a channel does not see by it what goes through.

use super::integration::Event;
use crate::{
    error::{Error, Result},
    http::{Caller, caller::Permission},
    identity::{groups, permission::Permissions},
};
use sqlx::{PgConnection, PgPool};

/// Permissions that are kept of who sets up an integration.
const CONTENT: [Permission; 3] =
    [Permission::VoucherRead, Permission::TransactionRead, Permission::CampaignRead];

/// The permissions of which an event needs one. A redemption is also seen as the payment that it leaves.
const fn needed(event: Event) -> &'static [Permission] {
    match event {
        Event::Transaction => &[Permission::TransactionRead],
        Event::Redeemed | Event::RolledBack => &[Permission::VoucherRead, Permission::TransactionRead],
        Event::Validated => &[Permission::VoucherRead],
        Event::Ready => &[Permission::CampaignRead],
    }
}

/// The events and codes that an integration may be told.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    permissions: Permissions,
    /// The user group of the integration.
    pub group: i64,
}

impl Rights {
    /// The rights of an integration: none once its user group is disabled.
    pub async fn of(db: &PgPool, integration: i64) -> Result<Self> {
        const SQL: &str = "SELECT user_group, reads FROM integration WHERE id = $1";
        let found: Option<(i64, Vec<String>)> =
            sqlx::query_as(SQL).bind(integration).fetch_optional(db).await?;
        let Some((group, reads)) = found else { return Err(Error::NotFound("integration")) };
        let allowed = groups::allowed(db, group).await?;
        let permissions = allowed
            .map_or_else(|| Permissions::named(&[]), |allowed| allowed.and(Permissions::named(&reads)));
        Ok(Self { permissions, group })
    }

    /// Returns `true` if the integration may be told of an event.
    pub fn may_read(&self, event: Event) -> bool {
        needed(event).iter().any(|permission| self.permissions.contains(*permission))
    }

    /// Returns `true` if the codes of its user group's vouchers are shown.
    pub fn shows_codes(&self) -> bool {
        self.permissions.contains(Permission::VoucherRead)
    }
}

/// Refuses (403) a caller who may not read what an integration is told of.
pub async fn check(db: &mut PgConnection, caller: &Caller, integration: i64) -> Result<()> {
    let events: Vec<Event> = sqlx::query_scalar("SELECT unnest(events) FROM integration WHERE id = $1")
        .bind(integration)
        .fetch_all(db)
        .await?;
    for event in events {
        let needed = needed(event);
        if !needed.iter().any(|permission| caller.grant.allows(*permission)) {
            let needed: Vec<String> = needed.iter().map(Permission::to_string).collect();
            let needed = needed.join(" or ");
            return Err(Error::Forbidden(
                format!("the event {} needs the permission {needed}", event.word()).into(),
            ));
        }
    }
    Ok(())
}

/// Gives an integration the rights of the caller. Refuses (403) one who may not read what it is told of.
pub async fn grant(db: &mut PgConnection, caller: &Caller, integration: i64) -> Result<()> {
    check(db, caller, integration).await?;
    let reads = CONTENT.into_iter().filter(|permission| caller.grant.allows(*permission));
    let reads: Vec<String> = reads.map(|permission| permission.to_string()).collect();
    sqlx::query("UPDATE integration SET reads = $2 WHERE id = $1")
        .bind(integration)
        .bind(reads)
        .execute(db)
        .await?;
    Ok(())
}
