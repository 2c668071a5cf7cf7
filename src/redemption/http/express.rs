//! The verbs without the router. Machines ask for the same four paths all day, and a route's boxes and
//! layers cost a good part of what an answer does. Whatever is unusual about a request is left to the
//! router, which leads to the same handlers.

use super::{redeem, release, rollback, validate};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Path, Unread, unread::FromBody},
    security::{self, Event},
};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::Method,
    response::{IntoResponse, Response},
};

/// A request for one of the verbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Express {
    verb: Verb,
    code: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Validate,
    Redeem,
    Release,
    Rollback,
}

impl Express {
    /// The verb that a request asks for, if it does so in the plainest way.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        if request.method() != Method::POST {
            return None;
        }
        let path = request.uri().path();
        let path = path.strip_prefix("/v1").unwrap_or(path);
        let (code, verb) = path.strip_prefix("/voucher/")?.split_once('/')?;
        let verb = match verb {
            "validate" => Verb::Validate,
            "redeem" => Verb::Redeem,
            "release" => Verb::Release,
            "rollback" => Verb::Rollback,
            _ => return None,
        };
        // Escapes are the router's.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (!code.is_empty() && code.bytes().all(is_plain)).then(|| Self { verb, code: code.to_owned() })
    }

    /// The pattern of its path, as the router would have it.
    pub const fn route(&self) -> &'static str {
        match self.verb {
            Verb::Validate => "/voucher/{code}/validate",
            Verb::Redeem => "/voucher/{code}/redeem",
            Verb::Release => "/voucher/{code}/release",
            Verb::Rollback => "/voucher/{code}/rollback",
        }
    }

    /// Answers the request.
    pub async fn answer(self, app: App, request: Request) -> Response {
        let Self { verb, code } = self;
        // Boxed: a redemption's future is the largest by far, and all of them would be moved about at its size.
        match verb {
            Verb::Validate => Box::pin(call(validate, app, code, request)).await,
            Verb::Redeem => Box::pin(call(redeem, app, code, request)).await,
            Verb::Release => Box::pin(call(release, app, code, request)).await,
            Verb::Rollback => Box::pin(call(rollback, app, code, request)).await,
        }
        .into_response()
    }
}

/// Calls a handler with what it extracts, in its order.
async fn call<T: FromBody, F: Future<Output = Result<Response>>>(
    handler: impl FnOnce(State<App>, Caller, Path<String>, Unread<T>) -> F,
    app: App,
    code: String,
    request: Request,
) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let (who, address) = (caller.grant.who, caller.address.0);
    let body = Unread::of(Request::from_parts(parts, body));
    let answer = handler(State(app), caller, Path(code), body).await;
    if matches!(answer, Err(Error::Forbidden(_))) {
        security::note(Event::Refused, Some(who), address, "");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn express(method: Method, path: &str) -> Option<Express> {
        Express::of(&Request::builder().method(method).uri(path).body(()).unwrap())
    }

    #[test]
    fn plain_requests_for_a_verb_need_no_router() {
        for (path, verb) in [
            ("/voucher/AB-1.x_2/validate", Verb::Validate),
            ("/v1/voucher/AB-1.x_2/redeem", Verb::Redeem),
            ("/voucher/AB-1.x_2/release?x=1", Verb::Release),
            ("/voucher/AB-1.x_2/rollback", Verb::Rollback),
        ] {
            assert_eq!(
                express(Method::POST, path),
                Some(Express { verb, code: "AB-1.x_2".into() }),
                "{path}"
            );
        }
    }

    #[test]
    fn all_others_are_the_routers() {
        assert_eq!(express(Method::GET, "/voucher/A/validate"), None);
        for path in [
            "/voucher/A%2F/validate",
            "/voucher//validate",
            "/voucher/A/validate/",
            "/voucher/A/B/validate",
            "/voucher/A",
            "/voucher/A/pdf",
            "/v1/v1/voucher/A/validate",
            "/vouchers/A/validate",
        ] {
            assert_eq!(express(Method::POST, path), None, "{path}");
        }
    }
}
