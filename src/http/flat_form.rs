//! Forms of flat fields, where bodies are that simple: what anybody may send to log in.

use super::extract::{escaped, is_of_type};
use crate::error::{Error, Result};
use axum::http::HeaderValue;
use serde_json::Value;
use utoipa::openapi::{RefOr, path::Operation};

/// The type of such a body.
const FORM: &str = "application/x-www-form-urlencoded";

/// Types that are taken where forms are.
pub(super) const TAKES: &str = "application/json or application/x-www-form-urlencoded";

/// Returns `true` if a body says that it is a form.
pub(super) fn is_form(content_type: Option<&HeaderValue>) -> bool {
    content_type.is_some_and(|content_type| is_of_type(content_type.as_bytes(), FORM.as_bytes()))
}

/// Returns the fields of a form as an object of JSON, all of them text; one that is there twice stays so.
pub(super) fn as_json(form: &[u8]) -> Result<Vec<u8>> {
    let mut fields = Vec::new();
    for (name, value) in form_urlencoded::parse(form) {
        // Decoding replaces bytes that are not UTF-8 with this.
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Error::malformed(format!("/{}", escaped(&name)), "is not UTF-8"));
        }
        fields.push(format!("{}:{}", Value::from(name), Value::from(value)));
    }
    Ok(format!("{{{}}}", fields.join(",")).into_bytes())
}

/// Says in the document that an operation takes its body as a form too.
pub(super) fn describe(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(json) = body.content.get("application/json").cloned()
    {
        body.content.insert(FORM.to_owned(), json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_an_object_of_texts() {
        let read = |form: &str| as_json(form.as_bytes()).map(|json| String::from_utf8(json).unwrap());
        for (form, expected) in [
            ("", "{}"),
            ("username=ann&password=a%26b+%22c%22", r#"{"username":"ann","password":"a&b \"c\""}"#),
            ("a=1&a=2&b", r#"{"a":"1","a":"2","b":""}"#),
        ] {
            assert_eq!(read(form).unwrap(), expected);
        }
        let problem = read("password=%FF").unwrap_err().problem();
        assert_eq!((problem.status, &*problem.errors[0].pointer), (400, "/password"));
    }

    #[test]
    fn a_type_may_have_parameters() {
        let is = |text: &'static str| is_form(Some(&HeaderValue::from_static(text)));
        assert!(is(FORM) && is("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        assert!(!is("application/json") && !is("multipart/form-data") && !is_form(None));
    }
}
