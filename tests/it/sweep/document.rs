//! The operations of the document, and what its schemas allow.

use axum::http::Method;
use regex::Regex;
use scrip::resource::{Spec, camel};
use serde_json::{Map, Value};

/// The document.
pub struct Document(Value);

/// One operation of it.
pub struct Operation {
    /// Its name in the document.
    pub id: String,
    /// The area that it is in.
    pub area: String,
    /// How it is called.
    pub method: Method,
    /// Where, with its parameters in braces.
    pub path: String,
    /// What its body is to be like, if it has one.
    pub body: Option<Value>,
    /// What it answers, by status.
    pub answers: Value,
    /// What its path and its query are made of.
    pub parameters: Vec<Parameter>,
    /// `true` if it takes its body as a form of flat fields too.
    pub takes_form: bool,
    /// `true` if it can be sent again with its key.
    pub takes_key: bool,
    /// Whether nobody is asked for a token.
    pub open: bool,
}

/// A parameter of a path or a query.
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it is a part of the path.
    pub in_path: bool,
    /// Whether it may not be left out.
    pub required: bool,
    /// What it is to be like.
    pub schema: Value,
}

/// A place in a body: a property that an object has or could have.
pub struct Field {
    /// Its JSON pointer.
    pub pointer: String,
    /// What it is to be like.
    pub schema: Value,
    /// Whether it may not be left out.
    pub required: bool,
}

impl Field {
    /// What it is called where it is.
    pub fn name(&self) -> &str {
        self.pointer.rsplit('/').next().unwrap_or_default()
    }
}

impl Operation {
    fn new(path: &str, method: &str, value: &Value) -> Self {
        let given = value["parameters"].as_array().into_iter().flatten();
        let (headers, given): (Vec<_>, Vec<_>) = given.partition(|parameter| parameter["in"] == "header");
        let parameters = given.into_iter().map(|parameter| Parameter {
            name: parameter["name"].as_str().unwrap().to_owned(),
            in_path: parameter["in"] == "path",
            required: parameter["required"] == true,
            schema: parameter["schema"].clone(),
        });
        Self {
            id: value["operationId"].as_str().unwrap().to_owned(),
            area: value["tags"][0].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            body: value.pointer("/requestBody/content/application~1json/schema").cloned(),
            answers: value["responses"].clone(),
            parameters: parameters.collect(),
            takes_form: value.pointer("/requestBody/content/application~1x-www-form-urlencoded").is_some(),
            takes_key: headers.iter().any(|header| header["name"] == "Idempotency-Key"),
            open: value["security"].as_array().is_some_and(Vec::is_empty),
        }
    }

    /// The parameters of its path.
    pub fn places(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.in_path)
    }

    /// The parameters of its query.
    pub fn query(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| !parameter.in_path)
    }

    /// Its path, with something for each of its parameters.
    pub fn path_with(&self, value: impl Fn(&Parameter) -> String) -> String {
        self.places().fold(self.path.clone(), |path, parameter| {
            path.replace(&format!("{{{}}}", parameter.name), &value(parameter))
        })
    }

    /// Whether what this parameter of its path names belongs to some group.
    pub fn owns(&self, place: &Parameter) -> bool {
        let is_public = ["currency", "charttemplate"].contains(&self.area.as_str())
            || ["type", "resource", "alias", "status", "field"].contains(&place.name.as_str());
        !is_public && !self.invents(place)
    }

    /// Whether this parameter of its path names nothing that is there: a command that is being sent.
    pub fn invents(&self, place: &Parameter) -> bool {
        place.name == "command" && self.method == Method::POST
    }

    /// The resource that its body is a draft or a change of, if that is plain.
    pub fn spec(&self) -> Option<&'static Spec> {
        let name = self.body.as_ref()?["$ref"].as_str()?.rsplit('/').next()?;
        let name = name.strip_suffix("Draft").or(name.strip_suffix("Patch"))?;
        scrip::http::resources().into_iter().find(|spec| spec.schema == name)
    }

    /// What a field of its body names by an id, or by several.
    pub fn target(&self, name: &str) -> Option<&'static Spec> {
        if let Some(spec) = self.spec() {
            return target_in(spec, name);
        }
        let resources = scrip::http::resources();
        resources
            .iter()
            .find_map(|spec| target_in(spec, name))
            .or_else(|| resources.into_iter().find(|spec| camel(&spec.noun.replace(' ', "_")) == name))
    }
}

/// What a field or a set of a plain resource names.
fn target_in(spec: &'static Spec, name: &str) -> Option<&'static Spec> {
    let field = spec.named().find(|(_, known)| *known == name).and_then(|(field, _)| field.target);
    let set = spec.sets.iter().find(|set| camel(set.name) == name).map(|set| set.target);
    field.or(set).map(|target| target())
}

impl Document {
    /// As the server makes it.
    pub fn read() -> Self {
        Self(serde_json::to_value(scrip::http::document()).unwrap())
    }

    /// Every operation.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(|(method, value)| Operation::new(path, method, value))
        });
        operations.collect()
    }

    /// What creates something that is then found below `path`.
    pub fn creation(&self, path: &str) -> Option<Operation> {
        let value = self.0["paths"].get(path)?.get("post")?;
        Some(Operation::new(path, "post", value))
    }

    /// The words of an enumeration.
    pub fn words(&self, schema: &str) -> Vec<String> {
        let words = &self.0["components"]["schemas"][schema]["enum"];
        words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    /// The schema behind a reference.
    pub fn behind<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema["$ref"].as_str();
        reference.map_or(schema, |reference| {
            self.behind(self.0.pointer(reference.trim_start_matches('#')).unwrap())
        })
    }

    /// The schema itself, behind references and the choice between it and `null`.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let schema = self.behind(schema);
        let choices = schema["oneOf"].as_array().or(schema["allOf"].as_array());
        let choice = choices.into_iter().flatten().find(|schema| schema["type"] != "null");
        choice.map_or(schema, |schema| self.resolve(schema))
    }

    /// All fields of a body like `sample`, to any depth; of arrays the first element stands for all.
    pub fn fields(&self, schema: &Value, sample: &Value) -> Vec<Field> {
        let mut fields = Vec::new();
        self.collect(schema, sample, "", &mut fields);
        fields
    }

    fn collect(&self, schema: &Value, sample: &Value, pointer: &str, fields: &mut Vec<Field>) {
        let schema = self.resolve(schema);
        if let Some(first) = sample.get(0) {
            self.collect(&schema["items"], first, &format!("{pointer}/0"), fields);
        }
        // What can be text, too, has no fields where it is.
        let properties = schema["properties"].as_object().filter(|_| sample.is_object());
        // Those are taken as they are stored, which is looked at elsewhere.
        let set = properties.into_iter().flatten().filter(|(_, property)| property["readOnly"] != true);
        for (name, property) in set {
            let pointer = format!("{pointer}/{name}");
            let required =
                schema["required"].as_array().is_some_and(|names| names.contains(&name.as_str().into()));
            if let Some(inner) = sample.get(name) {
                self.collect(property, inner, &pointer, fields);
            }
            fields.push(Field { pointer, schema: property.clone(), required });
        }
    }

    /// Whether a value is what a schema allows, as far as schemas can say.
    pub fn allows(&self, schema: &Value, value: &Value) -> bool {
        if schema["oneOf"].as_array().is_some_and(|choices| choices[1]["type"] == "null") && value.is_null() {
            return true;
        }
        let schema = self.resolve(schema);
        has_type(schema, value)
            && schema["enum"].as_array().is_none_or(|words| value.is_null() || words.contains(value))
            && match value {
                Value::Number(number) => number.as_f64().is_some_and(|number| {
                    schema["minimum"].as_f64().is_none_or(|least| number >= least)
                        && schema["maximum"].as_f64().is_none_or(|most| number <= most)
                }),
                Value::String(text) => allows_text(schema, text),
                Value::Array(items) => {
                    schema["minItems"].as_u64().is_none_or(|least| items.len() as u64 >= least)
                        && schema["maxItems"].as_u64().is_none_or(|most| items.len() as u64 <= most)
                        && items.iter().all(|item| self.allows(&schema["items"], item))
                }
                Value::Object(object) => self.allows_object(schema, object),
                Value::Null | Value::Bool(_) => true,
            }
    }

    fn allows_object(&self, schema: &Value, object: &Map<String, Value>) -> bool {
        let mut required = schema["required"].as_array().into_iter().flatten();
        required.all(|name| object.contains_key(name.as_str().unwrap()))
            && object.iter().all(|(name, value)| {
                schema["properties"].get(name).is_some_and(|schema| self.allows(schema, value))
            })
    }
}

/// Whether a value is of one of the types that a schema allows.
pub fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    schema["type"].as_array().map_or_else(|| is(&schema["type"]), |names| names.iter().any(is))
}

fn allows_text(schema: &Value, text: &str) -> bool {
    let length = text.chars().count() as u64;
    schema["minLength"].as_u64().is_none_or(|least| length >= least)
        && schema["maxLength"].as_u64().is_none_or(|most| length <= most)
        && schema["pattern"].as_str().is_none_or(|pattern| Regex::new(pattern).unwrap().is_match(text))
}
