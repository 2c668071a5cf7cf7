//! Plain resources in the `OpenAPI` document: made from the same declaration as everything else.

use super::{
    Field, Mode, Set, Spec,
    associations::{self, Association},
    camel,
    field::FieldType as _,
    handlers::Done,
    store::MEMBERS_MAX,
};
use crate::{app::App, http::list::ListParams};
use axum::routing::MethodRouter;
use serde_json::Value;
use utoipa::{
    IntoParams as _, PartialSchema as _, ToSchema as _,
    openapi::{
        AllOfBuilder, ArrayBuilder, HttpMethod, ObjectBuilder, Paths, Ref, RefOr, Required, Schema,
        content::ContentBuilder,
        path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem},
        request_body::{RequestBody, RequestBodyBuilder},
        response::ResponseBuilder,
        schema::{AdditionalProperties, AnyOf, SchemaType, Type},
    },
};
use utoipa_axum::router::UtoipaMethodRouter;

/// The routes of a path, with the description of those that its resource has.
pub fn described(spec: &'static Spec, path: &str, routes: MethodRouter<App>) -> UtoipaMethodRouter<App> {
    let mut paths = Paths::new();
    for (method, operation) in operations(spec, path) {
        let mut item = PathItem::new(method, operation);
        if let Some(mut known) = paths.paths.remove(path) {
            known.merge_operations(item);
            item = known;
        }
        paths.paths.insert(path.to_owned(), item);
    }
    (schemas(spec), paths, routes)
}

fn operations(spec: &'static Spec, path: &str) -> Vec<(HttpMethod, Operation)> {
    let does = spec.does;
    let known = if path.ends_with("/{alias}/{id}") {
        vec![(true, HttpMethod::Post, associate(spec)), (true, HttpMethod::Delete, dissociate(spec))]
    } else if path.ends_with("/{alias}") {
        vec![(true, HttpMethod::Get, populate(spec))]
    } else if path.ends_with("/{id}") {
        vec![
            (does.read, HttpMethod::Get, read(spec)),
            (does.update, HttpMethod::Put, update(spec)),
            (does.delete, HttpMethod::Delete, delete(spec)),
        ]
    } else {
        vec![(does.list, HttpMethod::Get, list(spec)), (does.create, HttpMethod::Post, create(spec))]
    };
    let there = known.into_iter().filter(|(there, ..)| *there);
    there.map(|(_, method, operation)| (method, operation)).collect()
}

/// What one is called as a part of a name: `machine_model`.
fn name(spec: &Spec) -> String {
    spec.noun.replace(' ', "_")
}

/// Several of them.
pub fn plural(noun: &str) -> String {
    noun.strip_suffix('y').map_or_else(|| format!("{noun}s"), |stem| format!("{stem}ies"))
}

fn operation(spec: &'static Spec, id: String, summary: String) -> OperationBuilder {
    let operation = OperationBuilder::new().tag(spec.area).operation_id(Some(id)).summary(Some(summary));
    match &spec.parent {
        Some(parent) => operation.parameter(in_path(camel(parent.column), (parent.target)().noun, whole())),
        None => operation,
    }
}

fn list(spec: &'static Spec) -> Operation {
    let columns: Vec<&str> = spec.listing().columns.iter().map(|column| column.name).collect();
    let mut params = ListParams::into_params(|| None);
    params.extend(spec.ever.map(|_| ListParams::use_archive()));
    operation(spec, format!("list_{}", plural(&name(spec))), format!("List {}", plural(spec.noun)))
        .description(Some(format!("Filtered and sorted by {}.", columns.join(", "))))
        .parameters(Some(params))
        .response("200", answer(format!("A page of {}", plural(spec.noun)), array_of(spec)))
        .build()
}

fn read(spec: &'static Spec) -> Operation {
    operation(spec, format!("fetch_{}", name(spec)), format!("Read a {}", spec.noun))
        .parameter(id_of(spec))
        .response("200", answer(format!("The {}", spec.noun), Ref::from_schema_name(spec.schema)))
        .build()
}

fn create(spec: &'static Spec) -> Operation {
    operation(spec, format!("create_{}", name(spec)), format!("Create a {}", spec.noun))
        .description(Some(spec.doc.trim()))
        .request_body(Some(body(&format!("{}Draft", spec.schema))))
        .response("201", answer(format!("The {} was created", spec.noun), Ref::from_schema_name("Done")))
        .build()
}

fn update(spec: &'static Spec) -> Operation {
    let (is, shown) = if spec.does.answers { ("as it is now", spec.schema) } else { ("was changed", "Done") };
    operation(spec, format!("update_{}", name(spec)), format!("Change a {}", spec.noun))
        .description(Some("What is absent stays; `null` takes away."))
        .parameter(id_of(spec))
        .request_body(Some(body(&format!("{}Patch", spec.schema))))
        .response("200", answer(format!("The {} {is}", spec.noun), Ref::from_schema_name(shown)))
        .build()
}

fn delete(spec: &'static Spec) -> Operation {
    operation(spec, format!("delete_{}", name(spec)), format!("Delete a {}", spec.noun))
        .description(Some("Refused (409) while something points at it."))
        .parameter(id_of(spec))
        .response("200", answer(format!("The {} was deleted", spec.noun), Ref::from_schema_name("Done")))
        .build()
}

fn populate(spec: &'static Spec) -> Operation {
    let associations = associations::of(spec);
    let aliases: Vec<&str> = associations.iter().map(|(alias, _)| alias.as_str()).collect();
    let alias = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(aliases));
    // Which of them it is follows from the alias; two arrays can't be told apart when both are empty.
    let mut choices = AnyOf::new();
    for (_, association) in &associations {
        let target = association.target();
        let choice = match association {
            Association::One { .. } => Ref::from_schema_name(target.schema).into(),
            Association::Many(_) => RefOr::T(array_of(target)),
        };
        if !choices.items.contains(&choice) {
            choices.items.push(choice);
        }
    }
    operation(
        spec,
        format!("populate_{}", name(spec)),
        format!("Read what a {} is associated with", spec.noun),
    )
    .description(Some("One where it points at one, a page of a list where there can be many."))
    .parameter(in_path("parentid", spec.noun, whole()))
    .parameter(in_path("alias", "association", alias))
    .parameters(Some(ListParams::into_params(|| None)))
    .response("200", answer("The association".to_owned(), one_of(choices)))
    .build()
}

/// The only choice, or any of several.
fn one_of(mut choices: AnyOf) -> RefOr<Schema> {
    match choices.items.pop() {
        Some(only) if choices.items.is_empty() => only,
        last => {
            choices.items.extend(last);
            Schema::AnyOf(choices).into()
        }
    }
}

fn associate(spec: &'static Spec) -> Operation {
    one_by_one(spec, format!("associate_{}", name(spec)), format!("Add to a set of a {}", spec.noun))
        .response("201", answer("It is in the set".to_owned(), Ref::from_schema_name("Done")))
        .build()
}

fn dissociate(spec: &'static Spec) -> Operation {
    one_by_one(spec, format!("dissociate_{}", name(spec)), format!("Take out of a set of a {}", spec.noun))
        .response("200", answer("It is no longer in the set".to_owned(), Ref::from_schema_name("Done")))
        .build()
}

fn one_by_one(spec: &'static Spec, id: String, summary: String) -> OperationBuilder {
    let aliases = spec.sets.iter().map(Set::alias);
    let alias = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(aliases));
    operation(spec, id, summary)
        .parameter(in_path("parentid", spec.noun, whole()))
        .parameter(in_path("alias", "set", alias))
        .parameter(in_path("id", "member", whole()))
}

fn whole() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

fn id_of(spec: &Spec) -> Parameter {
    in_path("id", spec.noun, whole())
}

fn in_path(name: impl Into<String>, noun: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("The {noun}")))
        .schema(Some(Schema::from(schema)))
        .build()
}

fn array_of(spec: &Spec) -> Schema {
    ArrayBuilder::new().items(Ref::from_schema_name(spec.schema)).build().into()
}

fn answer(description: String, schema: impl Into<RefOr<Schema>>) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn body(schema: &str) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True)).build()
}

/// The schemas that the operations of a resource refer to.
fn schemas(spec: &'static Spec) -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(spec.schema.to_owned(), shown(spec).into())];
    if spec.fields.iter().any(Field::is_input) {
        schemas.push((format!("{}Draft", spec.schema), taken(spec, true).into()));
        schemas.push((format!("{}Patch", spec.schema), taken(spec, false).into()));
    }
    schemas.push((Done::name().into_owned(), Done::schema()));
    for (_, association) in associations::of(spec) {
        let target = association.target();
        schemas.push((target.schema.to_owned(), shown(target).into()));
    }
    schemas
}

/// One as it is in answers.
pub fn shown(spec: &'static Spec) -> Schema {
    let mut object = ObjectBuilder::new().description(Some(spec.doc.trim()));
    object = object.property("id", described_field("Its id.", i64::takes(), false, None)).required("id");
    for (field, name) in spec.named() {
        object = object.property(name, property(field, (field.shows)(), field.nullable)).required(name);
    }
    for (name, doc) in [("createdAt", "When it was created."), ("updatedAt", "When it was last changed.")] {
        let instant = chrono::DateTime::<chrono::Utc>::takes();
        object = object.property(name, described_field(doc, instant, false, None)).required(name);
    }
    object.build().into()
}

fn taken(spec: &'static Spec, creation: bool) -> Schema {
    let mut object = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    if !creation {
        object = object.property("id", described_field("The path's, if at all.", i64::takes(), false, None));
    }
    // What a new one is a part of, the path says already.
    let given = spec.parent.as_ref().filter(|_| creation).map(|parent| parent.column);
    for (field, name) in spec.named().filter(|(field, _)| Some(field.column) != given) {
        if field.mode == Mode::Takes || (creation && field.mode == Mode::Once) {
            object = object.property(name, property(field, (field.takes)(), field.nullable));
            if creation && field.is_required() {
                object = object.required(name);
            }
        }
    }
    for set in spec.sets {
        object = object.property(camel(set.name), members(set));
    }
    object.build().into()
}

fn members(set: &Set) -> Schema {
    ArrayBuilder::new()
        .items(RefOr::T(Schema::from(whole().minimum(Some(1)))))
        .max_items(Some(MEMBERS_MAX))
        .description(Some(set.doc.trim()))
        .build()
        .into()
}

fn property(field: &Field, schema: Schema, nullable: bool) -> Schema {
    described_field(field.doc, schema, nullable, field.example)
}

/// An example of a field as its schema has it: some numbers are text where they are shown.
fn shown_as(kind: &SchemaType, example: Value) -> Value {
    let is_text = match kind {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => false,
    };
    if is_text && example.is_number() { example.to_string().into() } else { example }
}

/// A schema with its description, an example, and the choice of having no value.
fn described_field(doc: &str, schema: Schema, nullable: bool, example: Option<&str>) -> Schema {
    let Schema::Object(mut object) = schema else {
        return AllOfBuilder::new().item(schema).description(Some(doc.trim())).build().into();
    };
    object.description = Some(doc.trim().to_owned());
    if nullable {
        if let SchemaType::Type(kind) = object.schema_type {
            object.schema_type = SchemaType::Array(vec![kind, Type::Null]);
        }
        if let Some(words) = &mut object.enum_values {
            words.push(Value::Null);
        }
    }
    if let Some(example) = example.and_then(|example| serde_json::from_str(example).ok()) {
        object.examples = vec![shown_as(&object.schema_type, example)];
    }
    object.into()
}
