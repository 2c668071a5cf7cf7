//! What each type of problem means, behind the link that a problem carries.

use super::Path;
use crate::{
    app::App,
    error::{Error, Result},
};
use axum::response::Html;
use utoipa_axum::{router::OpenApiRouter, routes};

/// One type of problem, for the person who has met it.
struct Explanation {
    kind: &'static str,
    status: u16,
    meaning: &'static str,
    cause: &'static str,
    cure: &'static str,
}

const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        kind: "malformed",
        status: 400,
        meaning: "The request can't be read.",
        cause: "The body is not JSON, a parameter is not of its type, or a list query names a column or an \
                operator that there is not.",
        cure: "Look at the pointer in errors: it names the parameter or the place in the body.",
    },
    Explanation {
        kind: "unauthorized",
        status: 401,
        meaning: "The server does not know who is calling.",
        cause: "There is no Authorization header, or its token has expired, was revoked, or is not one of ours.",
        cure: "Log in or refresh the access token; for a device, check that its key has not been revoked.",
    },
    Explanation {
        kind: "forbidden",
        status: 403,
        meaning: "The caller is known, and may not do this.",
        cause: "The permissions of the caller's user group, or the scopes of its key, do not include it.",
        cure: "Ask an administrator of the group for the permission, or make a key with the scope.",
    },
    Explanation {
        kind: "not-found",
        status: 404,
        meaning: "There is none, or none that the caller may know of.",
        cause: "The id or the code is wrong, or it belongs to another user group.",
        cure: "Check the id; check that the caller's group is the owner's or above it.",
    },
    Explanation {
        kind: "method-not-allowed",
        status: 405,
        meaning: "The endpoint exists, but not with this method.",
        cause: "GET where POST is meant, for example.",
        cure: "Use one of the methods in the Allow header.",
    },
    Explanation {
        kind: "too-slow",
        status: 408,
        meaning: "The body did not come in time.",
        cause: "The connection is too slow or broken: less than client_bytes_per_s_min came for client_window_s, \
                or not all of it within body_max_s.",
        cure: "Send it again; send less at once where the network is slow.",
    },
    Explanation {
        kind: "conflict",
        status: 409,
        meaning: "The request contradicts what is there.",
        cause: "A name or a code is taken, an order was redeemed or an Idempotency-Key was sent before with another \
                body, or the resource is in a state that does not allow this.",
        cure: "Read the resource and decide again; give a new order a new id, and another request another key.",
    },
    Explanation {
        kind: "under-way",
        status: 409,
        meaning: "Another request with the same Idempotency-Key has not ended yet.",
        cause: "The request was sent again while the first one was being carried out.",
        cure: "Wait as long as the Retry-After header says, and send it again: the answer is the first one's.",
    },
    Explanation {
        kind: "precondition-failed",
        status: 412,
        meaning: "What is there is not what the request is for.",
        cause: "The file has changed: If-Match names another entity tag than it has now.",
        cure: "Fetch it again, whole.",
    },
    Explanation {
        kind: "too-large",
        status: 413,
        meaning: "More was sent than this server reads.",
        cause: "The body weighs more than body_max_bytes allows, an image more than \
                image_max_bytes, or a drawing more than drawing_max_bytes; detail names the limit.",
        cure: "Send less at once.",
    },
    Explanation {
        kind: "unsupported-media-type",
        status: 415,
        meaning: "The body is of a type that is not read here.",
        cause: "The Content-Type is not application/json, or another that the endpoint's documentation names.",
        cure: "Send what detail names, and say so: Content-Type: application/json, in most places.",
    },
    Explanation {
        kind: "range-not-satisfiable",
        status: 416,
        meaning: "None of the bytes that were asked for is there.",
        cause: "The Range header begins behind the end of the file; Content-Range has its length.",
        cure: "If all of it has arrived, nothing is left to do; otherwise fetch it again, whole.",
    },
    Explanation {
        kind: "invalid",
        status: 422,
        meaning: "The request is readable, and wrong.",
        cause: "A field is missing, unknown, of the wrong type or out of range.",
        cure: "Each entry of errors points at a field and says what it must be.",
    },
    Explanation {
        kind: "too-many-requests",
        status: 429,
        meaning: "A budget is used up.",
        cause: "Too many failed look-ups of codes by a device, a key or a group, too many attempts to log in, or as \
                many exports, reports, uploads or look-ups at once as one user group can have; detail says which.",
        cure: "Wait as long as the Retry-After header says.",
    },
    Explanation {
        kind: "fault",
        status: 500,
        meaning: "Something went wrong on our side.",
        cause: "A defect of this server.",
        cure: "Report it with the X-Request-Id header of the answer: the log has the cause under this id.",
    },
    Explanation {
        kind: "unavailable",
        status: 503,
        meaning: "A store is away. Nothing was promised.",
        cause: "Postgres does not answer or is overloaded.",
        cure: "Send the same request again after Retry-After; an order that was redeemed is not redeemed twice.",
    },
    Explanation {
        kind: "busy",
        status: 503,
        meaning: "Too many requests are under way.",
        cause: "More arrive than this server works off: requests_max, bodies_max and polls_max, and \
                address_share_percent of them for one address, or as many exports, reports, uploads or look-ups \
                as there is room for; detail says which.",
        cure: "Send the same request again after Retry-After; add servers if it stays so.",
    },
];

/// The endpoint of the explanations.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What a type of problem means
#[utoipa::path(
    get,
    path = "/docs/problems/{type}",
    tag = "operations",
    operation_id = "explain_problem",
    params(("type" = String, Path, description = "Last part of a problem's `type`", example = "invalid")),
    responses((status = 200, description = "Meaning, cause and cure", body = String, content_type = "text/html"))
)]
async fn show(Path(kind): Path<String>) -> Result<Html<String>> {
    let explanation =
        EXPLANATIONS.iter().find(|known| known.kind == kind).ok_or(Error::NotFound("type of problem"))?;
    let Explanation { kind, status, meaning, cause, cure } = explanation;
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{kind}</title>\
         <style>body{{font:16px/1.5 system-ui;max-width:40em;margin:3em auto;padding:0 1em}}</style>\
         <h1>{kind} <small>{status}</small></h1><p>{meaning}\
         <h2>Cause</h2><p>{cause}<h2>Cure</h2><p>{cure}</html>\n"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Store;

    #[test]
    fn every_error_is_explained() {
        let errors = [
            Error::malformed("", ""),
            Error::Unauthorized(""),
            Error::Forbidden("".into()),
            Error::NotFound(""),
            Error::Conflict("".into()),
            Error::TooLarge { what: "", limit_bytes: 1 },
            Error::Changed,
            Error::UnsupportedMedia { takes: "" },
            Error::Beyond { length: 1 },
            Error::invalid("", ""),
            Error::TooMany { what: "", retry_after_s: 1 },
            Error::Unavailable { store: Store::Redis },
            Error::fault(""),
        ];
        for error in errors {
            let (status, kind) = error.face();
            let explained = EXPLANATIONS.iter().find(|explanation| explanation.kind == kind);
            assert_eq!(explained.map(|explanation| explanation.status), Some(status.as_u16()), "{kind}");
        }
    }
}
