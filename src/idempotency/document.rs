//! The key in the document: with each operation that creates something.

use super::{HEADER, KEPT, KEY_MAX_CHARS};
use utoipa::openapi::{
    ObjectBuilder, RefOr, Required,
    header::HeaderBuilder,
    path::{Operation, ParameterBuilder, ParameterIn},
    schema::Type,
};

/// Areas of requests that are idempotent by what they say: machines name each thing that they send.
const BY_ITSELF: &[&str] = &["telemetry"];

/// Answers that say that something was created, or is being made.
const MADE: &[&str] = &["201", "202"];

/// Describes the key at a `POST` for callers who are known, if it creates something or has it made.
pub fn describe(post: &mut Operation) {
    let is_apart = post.tags.iter().flatten().any(|tag| BY_ITSELF.contains(&tag.as_str()));
    let answers = &mut post.responses.responses;
    if is_apart || MADE.iter().all(|status| !answers.contains_key(*status)) {
        return;
    }
    for (status, answer) in answers {
        if let (RefOr::T(answer), true) = (answer, MADE.contains(&status.as_str())) {
            let replayed = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]))))
                .description(Some("There if the answer was given before."))
                .build();
            answer.headers.insert("Idempotency-Replayed".to_owned(), replayed.into());
        }
    }
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(KEY_MAX_CHARS))
        .examples(["b4a2d1ce-9c35-4f7e-8f6f-0a1d3c1f7a55"]);
    let key = ParameterBuilder::new()
        .name(HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(format!(
            "A key of the caller's for this request. Sent again with the same body within {} days, it gives the first \
             answer again (without secrets and links to files) and creates nothing; with another body it is refused \
             (409), and so it is while the first one is under way.",
            KEPT.num_days()
        )))
        .schema(Some(text))
        .build();
    post.parameters.get_or_insert_default().push(key.into());
}
