//! Read-only fields in the document: bodies of changes take what a read gave, as long as it is what is stored
//! ([`written_back`](super::written_back)).

use utoipa::openapi::{
    Content, OneOfBuilder, OpenApi, PathItem, RefOr, Schema,
    path::Operation,
    schema::{Components, Object},
};

/// The type of what is sent as JSON.
const JSON: &str = "application/json";

/// Adds to the body of each change the fields that only its read shows.
pub(super) fn describe(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    for item in document.paths.paths.values() {
        let PathItem { get: Some(get), put, patch, .. } = item else { continue };
        for change in [put, patch].into_iter().flatten() {
            let Some(name) = body(change) else { continue };
            let mut shown = Vec::new();
            properties(components, answer(get), &mut shown);
            if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(&name) {
                add(body, shown);
            }
        }
    }
}

/// The name of the schema of an operation's body.
fn body(operation: &Operation) -> Option<String> {
    let RefOr::T(body) = operation.request_body.as_ref()? else { return None };
    match json(body.content.get(JSON))? {
        RefOr::Ref(reference) => name(&reference.ref_location).map(str::to_owned),
        RefOr::T(_) => None,
    }
}

/// The schema of what a read answers.
fn answer(operation: &Operation) -> Option<&RefOr<Schema>> {
    match operation.responses.responses.get("200")? {
        RefOr::T(response) => json(response.content.get(JSON)),
        RefOr::Ref(_) => None,
    }
}

/// The schema of some content.
fn json(content: Option<&RefOr<Content>>) -> Option<&RefOr<Schema>> {
    match content? {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    }
}

fn name(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}

/// Collects the properties of a schema and of all that hold together with it.
fn properties(
    components: &Components,
    schema: Option<&RefOr<Schema>>,
    found: &mut Vec<(String, RefOr<Schema>)>,
) {
    match schema {
        Some(RefOr::Ref(reference)) => {
            let schema = name(&reference.ref_location).and_then(|name| components.schemas.get(name));
            properties(components, schema, found);
        }
        Some(RefOr::T(Schema::Object(object))) => {
            found.extend(object.properties.iter().map(|(name, schema)| (name.clone(), schema.clone())));
        }
        Some(RefOr::T(Schema::AllOf(all))) => {
            all.items.iter().for_each(|part| properties(components, Some(part), found));
        }
        // One, or a list of them.
        Some(RefOr::T(Schema::OneOf(one))) => {
            one.items.iter().for_each(|kind| properties(components, Some(kind), found));
        }
        _ => {}
    }
}

fn add(body: &mut Object, shown: Vec<(String, RefOr<Schema>)>) {
    for (name, schema) in shown {
        body.properties.entry(name).or_insert_with(|| read_only(schema));
    }
}

fn read_only(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.read_only = Some(true);
            object.into()
        }
        RefOr::T(Schema::OneOf(mut one)) => {
            one.read_only = Some(true);
            Schema::OneOf(one).into()
        }
        RefOr::Ref(mut reference) => {
            reference.read_only = Some(true);
            reference.into()
        }
        other @ RefOr::T(_) => Schema::OneOf(OneOfBuilder::new().item(other).read_only(true).build()).into(),
    }
}
