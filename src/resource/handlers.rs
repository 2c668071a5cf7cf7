//! Plain resources over HTTP: five handlers for all of them.

use super::{
    Columns, Spec,
    associations::{self, Association},
    describe, members, reach,
    store::{self, Author},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller, Json, Path, Unread,
        extract::JsonBytes,
        list::{Below, ListParams},
        written_back::Absent,
    },
    idempotency::Creation,
    transaction,
};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{self, MethodRouter},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

/// An answer that names what was done to what.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// The id of what was created or changed.
    pub id: i64,
    /// In a few words.
    pub message: Cow<'static, str>,
}

impl Done {
    /// `noun` with this id was `done`.
    pub fn of(id: i64, noun: &str, done: &str) -> Self {
        Self { id, message: format!("{noun} {done}").into() }
    }

    /// The same as an answer.
    pub fn json(id: i64, noun: &str, done: &str) -> Json<Self> {
        Json(Self::of(id, noun, done))
    }
}

/// Where in the tree of resources a path leads: its parameters, by name.
pub(super) type Place = Path<Vec<(String, String)>>;

pub(super) fn text<'a>(place: &'a Place, name: &str) -> Option<&'a str> {
    place.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

pub(super) fn number(place: &Place, name: &str) -> Result<Option<i64>> {
    let number = text(place, name).map(str::parse).transpose();
    number.map_err(|_| Error::malformed(format!("/{name}"), "is not a whole number"))
}

/// The one that the path names.
pub(super) fn id(place: &Place) -> Result<i64> {
    number(place, "id")?.ok_or_else(|| Error::fault("a path without an id"))
}

/// The one of which they are a part.
fn parent(place: &Place, spec: &'static Spec) -> Result<Option<i64>> {
    spec.parent.as_ref().map_or(Ok(None), |parent| number(place, parent.column))
}

/// The one that something is associated with.
pub(super) fn parent_of(place: &Place) -> Result<i64> {
    number(place, "parentid")?.ok_or_else(|| Error::fault("a path without a parent"))
}

/// The routes of these resources, each with its description.
pub fn routes(specs: &[&'static Spec]) -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::new();
    for &spec in specs {
        let one = format!("{}/{{id}}", spec.path);
        router = router.routes(describe::described(spec, spec.path, collection(spec)));
        router = router.routes(describe::described(spec, &one, member(spec)));
        if !associations::of(spec).is_empty() {
            let path = format!("{}/{{parentid}}/{{alias}}", spec.path);
            let populate = move |app: State<App>, caller: Caller, place: Place, params: ListParams| {
                populate(app, spec, caller, place, params)
            };
            router = router.routes(describe::described(spec, &path, routing::get(populate)));
            if spec.does.associate {
                let path = format!("{path}/{{id}}");
                router = router.routes(describe::described(spec, &path, members::routes(spec)));
            }
        }
    }
    router
}

fn collection(spec: &'static Spec) -> MethodRouter<App> {
    let mut router = MethodRouter::new();
    if spec.does.list {
        router = router.get(move |app: State<App>, caller: Caller, place: Place, params: ListParams| {
            list(app, spec, caller, place, params)
        });
    }
    if spec.does.create {
        router =
            router.post(move |app: State<App>, caller: Caller, place: Place, body: Unread<JsonBytes>| {
                create(app, spec, caller, place, body)
            });
    }
    router
}

fn member(spec: &'static Spec) -> MethodRouter<App> {
    let mut router = MethodRouter::new();
    if spec.does.read {
        router =
            router.get(move |app: State<App>, caller: Caller, place: Place| read(app, spec, caller, place));
    }
    if spec.does.update {
        router = router.put(move |app: State<App>, caller: Caller, place: Place, body: Unread<JsonBytes>| {
            update(app, spec, caller, place, body)
        });
    }
    if spec.does.delete {
        router = router
            .delete(move |app: State<App>, caller: Caller, place: Place| delete(app, spec, caller, place));
    }
    router
}

async fn list(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
    params: ListParams,
) -> Result<Response> {
    caller.may(spec.read)?;
    let parent = parent(&place, spec)?;
    if let (Some(of), Some(parent)) = (&spec.parent, parent) {
        store::find(&app.db, (of.target)(), caller.group(), None, parent).await?;
    }
    page(&app, spec, &caller, params, parent).await
}

async fn page(
    app: &App,
    spec: &'static Spec,
    caller: &Caller,
    mut params: ListParams,
    parent: Option<i64>,
) -> Result<Response> {
    let listing = spec.listing_asked(&mut params)?;
    let query = params.over(listing)?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut sqlx::QueryBuilder<sqlx::Postgres>| {
        store::push_place(sql, spec, parent, None);
        sql.push(" AND ");
        reach::readable(sql, spec, &below);
    };
    query.answer(app, reading, scope, spec.shown()).await
}

async fn read(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
) -> Result<Json<Box<RawValue>>> {
    caller.may(spec.read)?;
    let (id, parent) = (id(&place)?, parent(&place, spec)?);
    store::find(&app.db, spec, caller.group(), parent, id).await.map(Json)
}

async fn create(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Done>)> {
    let parent = parent(&place, spec)?;
    let columns = spec.receive(&app, &caller, body).await?;
    created(&app, spec, &caller, parent, columns).await
}

/// Creates one from what was read, and says so.
pub async fn created(
    app: &App,
    spec: &'static Spec,
    caller: &Caller,
    parent: Option<i64>,
    columns: Columns,
) -> Result<(StatusCode, Json<Done>)> {
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut creation = Creation::begin(&app.db, author.now).await?;
    let id = store::insert(&mut creation, spec, author, parent, columns).await?;
    creation.commit(StatusCode::CREATED, Done::of(id, spec.noun, "created")).await
}

async fn update(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
    body: Unread<JsonBytes>,
) -> Result<Response> {
    let (id, parent) = (id(&place)?, parent(&place, spec)?);
    let columns = spec.receive_change(&app, &caller, (parent, id), Absent::Stays, body).await?;
    let done = updated(&app, spec, &caller, parent, id, columns).await?;
    if !spec.does.answers {
        return Ok(done.into_response());
    }
    Ok(Json(store::find(&app.db, spec, caller.group(), parent, id).await?).into_response())
}

/// Changes one as was read, and says so.
pub async fn updated(
    app: &App,
    spec: &'static Spec,
    caller: &Caller,
    parent: Option<i64>,
    id: i64,
    columns: Columns,
) -> Result<Json<Done>> {
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut tx = transaction::begin(&app.db).await?;
    store::update(&mut tx, spec, author, parent, id, columns).await?;
    tx.commit().await?;
    Ok(Done::json(id, spec.noun, "updated"))
}

async fn delete(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
) -> Result<Json<Done>> {
    caller.may(spec.write)?;
    let (id, parent) = (id(&place)?, parent(&place, spec)?);
    store::delete(&app.db, spec, caller.group(), parent, id).await?;
    Ok(Done::json(id, spec.noun, "deleted"))
}

async fn populate(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
    params: ListParams,
) -> Result<Response> {
    caller.may(spec.read)?;
    let parent = parent_of(&place)?;
    let alias = text(&place, "alias").unwrap_or_default();
    let association = associations::of(spec).into_iter().find(|(name, _)| name == alias);
    let Some((_, association)) = association else { return Err(Error::NotFound("association")) };
    let target = association.target();
    caller.may(target.read)?;
    store::find(&app.db, spec, caller.group(), None, parent).await?;
    let query = params.over(target.listing_ever())?;
    let Association::Many(many) = association else {
        return associations::one(&app.db, spec, &association, caller.group(), parent)
            .await
            .map(|shown| Json(shown).into_response());
    };
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut sqlx::QueryBuilder<sqlx::Postgres>| {
        reach::readable(sql, target, &below);
        sql.push(" AND ");
        many.push(sql, parent);
    };
    query.answer(&app, reading, scope, target.shown()).await
}
