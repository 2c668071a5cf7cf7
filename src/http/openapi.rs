//! The `OpenAPI` document, made from the code, and the pages that show it.

use super::{flat_form, read_only};
use crate::{app::App, error::Problem, idempotency};
use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    middleware,
    response::{IntoResponse, Redirect},
};
use std::sync::OnceLock;
use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        OpenApi, PathItem, Ref, RefOr, Server,
        content::ContentBuilder,
        path::Operation,
        response::{Response, ResponseBuilder},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What is said before the first endpoint.
const INTRODUCTION: &str = "\
Vouchers, campaigns and machines of vending fleets. A machine validates a code with a lock, vends, redeems \
it, and rolls the redemption back if the vend failed.

Send `Authorization: Bearer …` with an access token (from `/auth/login`) or an API key. Every path \
is served under `/` and under `/v1`, and `PATCH` is taken for `PUT` where there is no `PATCH`. \
Errors are `application/problem+json` (RFC 9457); what each type means stands behind its link.

What a read gave can be sent back as a change: read-only fields are taken where they equal what is stored, and links \
that the server makes are ignored. A `POST` that creates something can be sent again with its `Idempotency-Key`.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Scrip", description = INTRODUCTION, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(Problem)),
    modifiers(&Bearer),
    tags(
        (name = "auth", description = "Logging in and out, activation, forgotten passwords."),
        (name = "user", description = "Who logs in."),
        (name = "usergroup", description = "The tree of groups that everything belongs to."),
        (name = "apikey", description = "Keys of devices and integrations."),
        (name = "campaign", description = "What marketing sets up."),
        (name = "voucher", description = "Codes: what machines validate and redeem."),
        (name = "machine", description = "Vending machines."),
        (name = "machinegroup", description = "Machines that are dealt with together."),
        (name = "location", description = "Where machines stand."),
        (name = "locationgroup", description = "Locations that are dealt with together."),
        (name = "openinghours", description = "When machines are open."),
        (name = "assortment", description = "What machines sell."),
        (name = "machineconfig", description = "How machines are configured, and how far that is on its way."),
        (name = "command", description = "What machines are told to do."),
        (name = "machinemodel", description = "Models of machines."),
        (name = "machinetype", description = "Types of machines."),
        (name = "manufacturer", description = "Makers of machines."),
        (name = "errorprofile", description = "Dialects in which machines report what goes wrong."),
        (name = "erroridentity", description = "What can go wrong."),
        (name = "errorcode", description = "What machines send when it does."),
        (name = "transactionprofile", description = "How payments are named and grouped in reports."),
        (name = "currency", description = "Currencies of ISO 4217."),
        (name = "language", description = "Languages."),
        (name = "translation", description = "What things are called in them."),
        (name = "image", description = "Pictures."),
        (name = "telemetry", description = "What machines send in."),
        (name = "revenuetransaction", description = "What machines sold."),
        (name = "paymenttransaction", description = "What customers paid with."),
        (name = "log", description = "What happened to machines."),
        (name = "shift", description = "The time between two counts of a location's takings."),
        (name = "currencyrate", description = "What currencies are worth, as reports convert them."),
        (name = "report", description = "Reports over one or two periods, and stored ones."),
        (name = "userreport", description = "Reports that users put together of charts."),
        (name = "chart", description = "Charts of them."),
        (name = "charttemplate", description = "What charts can begin with."),
        (name = "alertobserver", description = "What is looked out for."),
        (name = "alertgroup", description = "Recipients who are told the same."),
        (name = "alertrecipient", description = "Who is told."),
        (name = "dashboard", description = "Dashboards and their widgets."),
        (name = "integration", description = "Systems that are told of each transaction."),
        (name = "activity", description = "Who changed what, and when."),
        (name = "export", description = "Lists as CSV."),
        (name = "operations", description = "Health, metrics and documentation of this server."),
    )
)]
struct Base;

/// The one way to say who is calling.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An access token or an API key."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
        document.security = Some(vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
        document.servers = Some(vec![Server::new("/"), Server::new("/v1")]);
    }
}

/// Paths of those who log in begin so; they take forms.
const LOG_IN: &str = "/auth/";

/// Paths that need no token begin so.
const OPEN: &[&str] = &[LOG_IN, "/health/", "/metrics", "/openapi.json", "/docs/"];

/// Returns `true` for the path of an operation that needs no token.
fn is_open(path: &str) -> bool {
    OPEN.iter().any(|prefix| path.starts_with(prefix))
}

/// A problem that operations answer with, and which of them.
struct Common {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    when: fn(&Endpoint<'_>) -> bool,
}

/// What decides which problems an operation can answer with.
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
struct Endpoint<'a> {
    path: &'a str,
    open: bool,
    /// Has parameters or a body.
    reads: bool,
    has_body: bool,
    changes: bool,
}

const COMMON: &[Common] = &[
    Common { status: "400", name: "Malformed", description: "The request can't be read.", when: |e| e.reads },
    Common {
        status: "401",
        name: "Unauthorized",
        description: "No token, or one that is not good (any more).",
        when: |endpoint| !endpoint.open || endpoint.path.starts_with("/auth/"),
    },
    Common {
        status: "403",
        name: "Forbidden",
        description: "The caller's group may not do this.",
        when: |e| !e.open,
    },
    Common {
        status: "404",
        name: "NotFound",
        description: "There is none, or none that the caller may know of.",
        when: |endpoint| endpoint.path.contains('{'),
    },
    Common {
        status: "408",
        name: "TooSlow",
        description: "The body did not come in time.",
        when: |endpoint| endpoint.has_body,
    },
    Common {
        status: "409",
        name: "Conflict",
        description: "It contradicts what is there.",
        when: |endpoint| endpoint.changes && !endpoint.open,
    },
    Common { status: "413", name: "TooLarge", description: "The body is too large.", when: |e| e.has_body },
    Common {
        status: "415",
        name: "UnsupportedMediaType",
        description: "The body is of no type that is taken here.",
        when: |endpoint| endpoint.has_body,
    },
    Common {
        status: "422",
        name: "Invalid",
        description: "Readable, and wrong: see `errors`.",
        when: |e| e.has_body,
    },
    Common {
        status: "429",
        name: "TooManyRequests",
        description: "A budget is used up: see `Retry-After`.",
        when: |e| !e.open || e.path.starts_with("/auth/"),
    },
    Common {
        status: "503",
        name: "Unavailable",
        description: "A store is away, or the server is busy: see `Retry-After`.",
        when: |_| true,
    },
];

/// The document before any endpoint is in it.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// Adds to every operation what all have in common.
pub(super) fn complete(document: &mut OpenApi) {
    read_only::describe(document);
    let components = document.components.get_or_insert_default();
    for common in COMMON {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response: Response = ResponseBuilder::new()
            .description(common.description)
            .content("application/problem+json", problem)
            .build();
        components.responses.insert(common.name.to_owned(), response.into());
    }
    for (path, item) in &mut document.paths.paths {
        for (changes, operation) in operations(item) {
            add_common(path, changes, operation);
            if path.starts_with(LOG_IN) {
                flat_form::describe(operation);
            }
        }
        if let Some(post) = item.post.as_mut().filter(|_| !is_open(path)) {
            idempotency::document::describe(post);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let changing = [put, post, delete, patch].into_iter().flatten().map(|operation| (true, operation));
    get.iter_mut().map(|operation| (false, operation)).chain(changing)
}

fn add_common(path: &str, changes: bool, operation: &mut Operation) {
    let open = is_open(path);
    if open {
        operation.security = Some(Vec::new());
    }
    let has_body = operation.request_body.is_some();
    let reads = has_body || operation.parameters.is_some();
    let endpoint = Endpoint { path, open, reads, has_body, changes };
    for common in COMMON.iter().filter(|common| (common.when)(&endpoint)) {
        operation
            .responses
            .responses
            .entry(common.status.to_owned())
            .or_insert_with(|| RefOr::Ref(Ref::from_response_name(common.name)));
    }
}

/// The endpoint of the document.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    operation_id = "read_openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn show() -> impl IntoResponse {
    static JSON: OnceLock<Bytes> = OnceLock::new();
    let json = JSON.get_or_init(|| super::document().to_json().unwrap_or_default().into());
    ([(header::CONTENT_TYPE, "application/json")], json.clone())
}

/// The content policy of the page: it may load its own files, and ask this server. It sets styles as it runs.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

async fn as_page(mut response: axum::response::Response) -> axum::response::Response {
    let policy = HeaderValue::from_static(PAGE_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Swagger UI, from files in this binary: a page that needs no other server.
pub(super) fn pages() -> Router<App> {
    let config = utoipa_swagger_ui::Config::from("/openapi.json").persist_authorization(false);
    Router::from(utoipa_swagger_ui::SwaggerUi::new("/docs").config(config))
        .route("/", axum::routing::get(|| async { Redirect::temporary("/docs/") }))
        .layer(middleware::map_response(as_page))
}
