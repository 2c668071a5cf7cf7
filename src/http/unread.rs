//! Bodies that are read once it is known that their sender may send them.

use super::caller::{Caller, Permission};
use crate::{app::App, error::Result, idempotency};
use axum::extract::{FromRequest, Request};
use std::{convert::Infallible, marker::PhantomData};

/// A type that a body can be read as.
pub trait FromBody: Sized {
    /// Reads the body of a request. What its size makes slow is done in the line of `group`.
    fn from_body(request: Request, app: &App, group: i64) -> impl Future<Output = Result<Self>> + Send;
}

/// A body that is not read yet: nothing of it is received, unzipped or parsed before the permission to send
/// it is named. The last argument of a handler.
#[derive(Debug)]
pub struct Unread<T> {
    /// Boxed, since it is handed on and on.
    request: Box<Request>,
    kind: PhantomData<fn() -> T>,
}

impl<T: FromBody> Unread<T> {
    /// The body of a request.
    pub fn of(request: Request) -> Self {
        Self { request: Box::new(request), kind: PhantomData }
    }

    /// The same body, to be read as something else.
    pub(super) fn of_kind<U: FromBody>(self) -> Unread<U> {
        Unread { request: self.request, kind: PhantomData }
    }

    /// Reads the body, unless the caller lacks `permission` (403). A request that was answered before ends here, before
    /// its body is judged by what has come to be meanwhile.
    pub async fn read(self, app: &App, caller: &Caller, permission: Permission) -> Result<T> {
        caller.may(permission)?;
        let body = T::from_body(*self.request, app, caller.group()).await?;
        idempotency::expect_new(app).await?;
        Ok(body)
    }
}

impl<T: FromBody> FromRequest<App> for Unread<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &App) -> Result<Self, Infallible> {
        Ok(Self::of(request))
    }
}
