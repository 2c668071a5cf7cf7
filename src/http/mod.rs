//! What every endpoint shares, and the whole surface on one screen.

pub mod caller;
pub mod csv;
pub mod extract;
pub mod list;

pub use caller::Caller;
pub use extract::{Json, Path, Query, RawJson};

/// What a body may weigh where nothing else is configured, in bytes.
pub const BODY_MAX_BYTES_DEFAULT: usize = 1 << 20;

/// An answer that only says that it was done.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Message {
    /// In a few words.
    pub message: std::borrow::Cow<'static, str>,
}

impl Message {
    /// `message` as a JSON answer.
    pub fn json(message: impl Into<std::borrow::Cow<'static, str>>) -> Json<Self> {
        Json(Self { message: message.into() })
    }
}

/// An answer that names what was created.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Created {
    /// Its id.
    pub id: i64,
}
