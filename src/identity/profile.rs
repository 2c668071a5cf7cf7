//! A user as the API shows one, with its language and its user group in full.

use crate::error::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgExecutor, Row, postgres::PgRow};
use utoipa::ToSchema;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Me)]
pub struct User {
    /// Its id.
    pub id: i64,
    /// What it logs in with.
    pub username: String,
    /// Where it gets its mail.
    pub email: String,
    /// What it is addressed in.
    pub language: Language,
    /// What it belongs to, and has its permissions from.
    pub user_group: UserGroup,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
    /// 1 once it has confirmed its e-mail address, 0 before.
    pub email_confirmed: u8,
    /// When it was disabled, if it is.
    #[serde(serialize_with = "crate::time::seconds")]
    pub disabled_at: Option<DateTime<Utc>>,
    /// When its password has to be replaced, if ever.
    #[serde(rename = "password_expires")]
    #[serde(serialize_with = "crate::time::seconds")]
    pub password_expires: Option<DateTime<Utc>>,
}

/// A language and the formats that go with it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MyLanguage)]
pub struct Language {
    /// Its id.
    pub id: i64,
    /// What its speakers call it.
    #[schema(examples("Nederlands"))]
    pub name: String,
    /// Its ISO 639 code.
    #[schema(examples("nl"))]
    pub language: String,
    /// Its locale.
    #[schema(examples("nl-NL"))]
    pub locale: String,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
}

/// A user group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MyUserGroup)]
pub struct UserGroup {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The group above it; none for a root.
    pub parent: Option<i64>,
    /// The user who answers for it.
    pub admin: Option<i64>,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
    /// When it was disabled, if it is.
    #[serde(serialize_with = "crate::time::seconds")]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl FromRow<'_, PgRow> for User {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            username: row.try_get("username")?,
            email: row.try_get("email")?,
            language: Language {
                id: row.try_get("language_id")?,
                name: row.try_get("language_name")?,
                language: row.try_get("language")?,
                locale: row.try_get("locale")?,
                created_at: row.try_get("language_created_at")?,
                updated_at: row.try_get("language_updated_at")?,
            },
            user_group: UserGroup {
                id: row.try_get("group_id")?,
                name: row.try_get("group_name")?,
                parent: row.try_get("parent")?,
                admin: row.try_get("admin")?,
                created_at: row.try_get("group_created_at")?,
                updated_at: row.try_get("group_updated_at")?,
                disabled_at: row.try_get("group_disabled_at")?,
                deleted: row.try_get("deleted")?,
            },
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            email_confirmed: u8::from(row.try_get::<bool, _>("email_confirmed")?),
            disabled_at: row.try_get("disabled_at")?,
            password_expires: row.try_get("password_expires")?,
        })
    }
}

/// The user of this id.
pub async fn find(db: impl PgExecutor<'_>, account: i64) -> Result<Option<User>> {
    Ok(sqlx::query_as(
        "SELECT a.id, a.username, a.email, a.created_at, a.updated_at, a.email_confirmed, a.disabled_at,
                a.password_expires,
                l.id AS language_id, l.name AS language_name, l.language, l.locale,
                l.created_at AS language_created_at, l.updated_at AS language_updated_at,
                g.id AS group_id, g.name AS group_name, g.parent, g.admin, g.created_at AS group_created_at,
                g.updated_at AS group_updated_at, g.disabled_at AS group_disabled_at, g.deleted
         FROM account a JOIN language l ON l.id = a.language JOIN user_group g ON g.id = a.user_group
         WHERE a.id = $1",
    )
    .bind(account)
    .fetch_optional(db)
    .await?)
}
