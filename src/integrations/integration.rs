//! Integrations: who is told of what, where, and how hard it is tried.

use super::{
    delivery::{address::is_public, secret_of, signature, store as deliveries},
    rights,
};
use crate::{
    app::App,
    config::Config,
    error::{Error, Result},
    http::{
        Caller, Json, Path, Unread, caller::Permission, extract::JsonBytes, list::Kind, written_back::Absent,
    },
    idempotency::Creation,
    identity::directory::UserGroup,
    resource::{
        Columns, FieldType, Name, Note, Preset, Ref, Resource, Whole,
        field::words,
        handlers::Done,
        instant::Exact,
        resource,
        store::{self, Author},
    },
    text::flaw,
    transaction,
};
use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use sqlx::PgConnection;
use std::borrow::Cow;
use url::{Host, Url};
use utoipa::{
    ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The longest URL, in characters.
const URL_MAX_CHARS: usize = 2_000;

words! {
    /// What an integration can be.
    IntegrationKind {
        /// It is sent what happens by HTTP.
        HttpTransactions = "httptransactions",
    }
}

words! {
    /// How an integration is.
    IntegrationState {
        /// There is nothing to be told, or no URL.
        Idle = "idle",
        /// It is being told.
        Running = "running",
        /// It fails, and is left alone for a while.
        Paused = "paused",
        /// It has failed: nothing is sent until it is made active again, or a replay is asked for.
        Failed = "failed",
    }
}

words! {
    /// What an integration can be told of.
    Event {
        /// A sale, with its payments.
        Transaction = "transaction",
        /// A voucher was found good at a machine.
        Validated = "voucher.validated",
        /// A voucher was spent.
        Redeemed = "voucher.redeemed",
        /// A voucher was given back what was spent.
        RolledBack = "voucher.rolled_back",
        /// All vouchers of a campaign are there.
        Ready = "campaign.ready",
    }
}

/// What an integration is told of; each event once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Event>")]
pub struct Events(Vec<Event>);

impl From<Vec<Event>> for Events {
    fn from(mut events: Vec<Event>) -> Self {
        events.sort_by_key(|event| event.word());
        events.dedup();
        Self(events)
    }
}

impl FieldType for Events {
    type Shown = Vec<String>;
    const KIND: Option<Kind> = None;

    fn takes() -> Schema {
        ArrayBuilder::new().items(RefOr::T(Event::takes())).build().into()
    }
}

/// Where something is sent to.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint(String);

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(flaw) = flaw(&text) {
            return Err(D::Error::custom(flaw));
        }
        let url =
            Url::parse(text.trim()).map_err(|error| D::Error::custom(format_args!("is no URL: {error}")))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(D::Error::custom("must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(D::Error::custom("must not have a user or a password in it"));
        }
        if url.fragment().is_some() {
            return Err(D::Error::custom("must not have a fragment"));
        }
        if url.as_str().len() > URL_MAX_CHARS {
            return Err(D::Error::custom(format_args!("must have at most {URL_MAX_CHARS} characters")));
        }
        Ok(Self(url.into()))
    }
}

impl FieldType for Endpoint {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uri".to_owned())))
            .max_length(Some(URL_MAX_CHARS))
            .into()
    }
}

resource! {
    /// A system that is told of what happens in a user group and the groups below it.
    Integration "integration" at "/integration" in "integration";
    may IntegrationRead, IntegrationWrite;
    reach Own;
    does NO_CHANGE;
    takes {
        /// What its owner's own books call it.
        #[eg("4711")]
        external_id: i64,
        /// What people call it; unique within its user group.
        #[eg("\"Bookkeeping\"")]
        name: Name,
        /// What it is for.
        description: Option<Note>,
        /// Where deliveries are posted to. Nothing is put aside for an integration without one.
        #[eg("\"https://books.example.com/hooks/vending\"")]
        url: Option<Endpoint>,
        /// What it is told of: sales where it does not say.
        #[eg("[\"transaction\", \"voucher.redeemed\"]")]
        events: Preset<Events>,
        /// Whether it is told anything. To make it active, also one that is, begins anew after a failure.
        active: Preset<bool>,
        /// Milliseconds between the starts of two deliveries.
        throttle: Preset<Whole<0, 60_000>>,
        /// Retries of a delivery before it has failed.
        max_retries: Preset<Whole<0, 100>>,
        /// Seconds before the first retry; each further one waits twice as long.
        retry_throttle: Preset<Whole<0, 3_600>>,
        /// Whether a delivery that has failed stops all others, so that nothing is ever left out.
        stop_on_failure: Preset<bool>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    lists {
        /// How it is.
        state: IntegrationState,
    }
    shows {
        /// Its kind.
        #[named("type")]
        kind: IntegrationKind,
        /// Why it is paused or has failed.
        problem: Option<String>,
        /// Until when it is left alone.
        paused_until: Option<Exact>,
    }
}

/// An answer that shows a secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entrusted {
    /// The id of the integration.
    pub id: i64,
    /// In a few words.
    #[schema(value_type = String)]
    pub message: Cow<'static, str>,
    /// The secret that signs its deliveries (Standard Webhooks). It is shown this once: an answer that is given again
    /// for the same `Idempotency-Key` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, examples("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))]
    pub secret: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(update)).routes(routes!(rotate))
}

/// Create an integration
///
/// Its creator has to be allowed to read all that it is told of, and it is told no more: sales need
/// `transaction.read`, validations `voucher.read`, redemptions and rollbacks one of them, campaigns
/// `campaign.read`. Codes are masked without `voucher.read`, and where the voucher is of a group above. The answer is the only one that shows the secret that its deliveries are signed with.
///
/// Each is a `POST` of `{"type": "transaction", "timestamp": …, "data": {…}}`, signed after Standard
/// Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`), and counts as delivered once it is
/// answered 2xx. A machine's deliveries come in order. One can come twice, under the same `webhook-id`.
#[utoipa::path(post, path = "/integration", tag = "integration", operation_id = "create_integration",
    request_body(content = ref("#/components/schemas/IntegrationDraft")),
    responses((status = 201, description = "The integration was created", body = Entrusted)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Entrusted>)> {
    let spec = Integration::spec();
    let columns = spec.receive(&app, &caller, body).await?;
    check_url(&columns, &app.config)?;
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut tx = Creation::begin(&app.db, author.now).await?;
    let id = store::insert(&mut tx, spec, author, None, columns).await?;
    rights::grant(&mut tx, &caller, id).await?;
    let secret = entrust(&app, &mut tx, id).await?;
    let message = "integration created";
    let lasting = Entrusted { id, message: message.into(), secret: None };
    tx.commit_secret(StatusCode::CREATED, Entrusted { secret: Some(secret), ..lasting.clone() }, lasting)
        .await
}

/// Change an integration
///
/// What is absent stays; `null` takes away. Another URL, other events and a new beginning need what
/// creating it needs. `active: true` begins anew with one that has failed: all
/// that was put aside since is delivered then.
#[utoipa::path(put, path = "/integration/{id}", tag = "integration", operation_id = "update_integration",
    params(("id" = i64, Path, description = "The integration")),
    request_body(content = ref("#/components/schemas/IntegrationPatch")),
    responses((status = 200, description = "The integration was changed", body = Done)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<JsonBytes>,
) -> Result<Json<Done>> {
    let spec = Integration::spec();
    let columns = spec.receive_change(&app, &caller, (None, id), Absent::Repeats, body).await?;
    check_url(&columns, &app.config)?;
    let restarts = columns.get("active").and_then(serde_json::Value::as_bool) == Some(true);
    let redirects = restarts || ["url", "events"].iter().any(|column| columns.contains_key(*column));
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut tx = transaction::begin(&app.db).await?;
    store::update(&mut tx, spec, author, None, id, columns).await?;
    if redirects {
        rights::grant(&mut tx, &caller, id).await?;
    }
    if restarts {
        deliveries::restart(&mut tx, id).await?;
    }
    tx.commit().await?;
    Ok(Done::json(id, spec.noun, "updated"))
}

/// Give an integration a new secret
///
/// What is delivered from now on is signed with it, and for a day with the one before as well, so that
/// receivers can be given the new one meanwhile.
#[utoipa::path(post, path = "/integration/{id}/secret", tag = "integration", operation_id = "rotate_integration_secret",
    params(("id" = i64, Path, description = "The integration")),
    responses((status = 200, description = "The integration has a new secret", body = Entrusted)))]
async fn rotate(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Entrusted>> {
    caller.may(Permission::IntegrationWrite)?;
    let mut tx = transaction::begin(&app.db).await?;
    store::lock(&mut tx, Integration::spec(), caller.group(), None, id).await?;
    let secret = entrust(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Entrusted { id, message: "integration has a new secret".into(), secret: Some(secret) }))
}

/// Makes a new secret for an integration and keeps it sealed.
async fn entrust(app: &App, db: &mut PgConnection, id: i64) -> Result<String> {
    let secret = signature::new_secret();
    let sealed = app.keyring.seal(secret_of(id), &secret)?;
    let overlap = TimeDelta::seconds(app.config.integration_secret_overlap_s as i64);
    sqlx::query(
        "UPDATE integration SET secret = $2, secret_previous = secret, secret_previous_until = $3 WHERE id = $1",
    )
    .bind(id)
    .bind(sealed)
    .bind(app.clock.now() + overlap)
    .execute(db)
    .await?;
    Ok(secret)
}

/// Refuses a URL that nothing may be sent to as this server is set up.
fn check_url(columns: &Columns, config: &Config) -> Result<()> {
    let Some(url) = columns.get("url").and_then(|url| Url::parse(url.as_str()?).ok()) else { return Ok(()) };
    if url.scheme() != "https" && !config.integration_plain_http {
        return Err(Error::invalid("/url", "must begin with https://"));
    }
    let private = match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    };
    if private && !config.integration_private_addresses {
        return Err(Error::invalid("/url", "leads to no public address"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn taken(url: &str, config: &Config) -> Result<(), String> {
        let endpoint: Endpoint = serde_json::from_value(json!(url)).map_err(|error| error.to_string())?;
        let columns = json!({"url": endpoint.0});
        check_url(columns.as_object().unwrap(), config).map_err(|error| error.problem().message)
    }

    #[test]
    fn only_urls_that_lead_out_are_taken() {
        let strict = Config::default();
        let open =
            Config { integration_plain_http: true, integration_private_addresses: true, ..Config::default() };
        assert_eq!(taken("https://example.com/hook?x=1", &strict), Ok(()));
        let inside = [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://LOCALHOST/",
            "https://a.localhost/",
        ];
        for url in inside {
            assert!(taken(url, &strict).is_err(), "{url}");
            assert_eq!(taken(url, &open), Ok(()), "{url}");
        }
        for url in
            ["", "example.com", "ftp://example.com/", "https://u:p@example.com/", "https://example.com/#a"]
        {
            assert!(taken(url, &open).is_err(), "{url}");
        }
        assert!(taken(&format!("https://example.com/{}", "a".repeat(2_000)), &open).is_err());
    }

    #[test]
    fn each_event_counts_once() {
        let events: Events =
            serde_json::from_value(json!(["transaction", "campaign.ready", "transaction"])).unwrap();
        assert_eq!(serde_json::to_value(&events).unwrap(), json!(["campaign.ready", "transaction"]));
        assert!(serde_json::from_value::<Events>(json!(["sale"])).is_err());
    }
}
