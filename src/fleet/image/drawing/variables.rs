//! Custom properties of CSS (`--brand: #dc1e1e`) and what refers to them (`var(--brand, red)`). What draws
//! knows neither, and would paint black: so each reference gives way to what it stands for before that.

use super::Unfit;
use std::{borrow::Cow, collections::HashMap, ops::Range};

/// The longest value, in bytes.
const VALUE_MAX: usize = 100;

/// How deep references stand in one another.
const DEPTH_MAX: usize = 8;

/// How much longer a text may become, in bytes.
const GROWTH_MAX: usize = 64 << 10;

/// A reference as it begins.
const REFERENCE: &str = "var(";

/// What each custom property is set to; `None` where it is set to several things.
type Values<'a> = HashMap<&'a str, Option<&'a str>>;

/// The same drawing without custom properties and references to them.
pub(super) fn resolved(text: &str) -> Result<Cow<'_, str>, Unfit> {
    let definitions = definitions(text);
    if definitions.is_empty() && !text.contains(REFERENCE) {
        return Ok(Cow::Borrowed(text));
    }
    let mut values = Values::new();
    for definition in &definitions {
        let value = values.entry(definition.name).or_insert(Some(definition.value));
        *value = value.filter(|value| *value == definition.value);
    }
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    for definition in &definitions {
        plain.push_str(text.get(at..definition.place.start).unwrap_or_default());
        at = definition.place.end;
    }
    plain.push_str(text.get(at..).unwrap_or_default());
    let resolved = without_references(&plain, &values, 0)?;
    if resolved.len() > text.len() + GROWTH_MAX { Err(Unfit::Immense) } else { Ok(Cow::Owned(resolved)) }
}

/// A custom property that is set.
struct Definition<'a> {
    name: &'a str,
    value: &'a str,
    place: Range<usize>,
}

/// Every custom property that is set, wherever that is.
fn definitions(text: &str) -> Vec<Definition<'_>> {
    let mut found: Vec<Definition<'_>> = Vec::new();
    for (start, _) in text.match_indices("--") {
        let begins = text[..start].ends_with(|char: char| char.is_whitespace() || "{;\"'/".contains(char));
        if !begins || found.last().is_some_and(|last| start < last.place.end) {
            continue;
        }
        let rest = &text[start..];
        let name = &rest[..name_length(rest)];
        let Some(value) = rest[name.len()..].trim_start().strip_prefix(':').filter(|_| name.len() > 2) else {
            continue;
        };
        let from = text.len() - value.len();
        let value = value.split([';', '}', '<', '"', '\'']).next().unwrap_or_default();
        let end = from + value.len();
        let end = if text[end..].starts_with(';') { end + 1 } else { end };
        let value = value.split('!').next().unwrap_or_default().trim();
        found.push(Definition { name, value, place: start..end });
    }
    found
}

/// How long the name is that a text begins with.
fn name_length(text: &str) -> usize {
    text.find(|char: char| !(char.is_alphanumeric() || "-_".contains(char))).unwrap_or(text.len())
}

/// A text in which every reference gave way to what it stands for.
fn without_references(text: &str, values: &Values, depth: usize) -> Result<String, Unfit> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once(REFERENCE) {
        plain.push_str(before);
        if before.ends_with(|char: char| char.is_alphanumeric() || "-_".contains(char)) {
            plain.push_str(REFERENCE);
            rest = reference;
            continue;
        }
        let length = length_of_arguments(reference);
        let (name, fallback) = match reference[..length].split_once(',') {
            Some((name, fallback)) => (name.trim(), Some(fallback)),
            None => (reference[..length].trim(), None),
        };
        let unclear = || Unfit::Variable(name.chars().take(40).collect());
        let value = match values.get(name) {
            Some(value) => *value,
            None => fallback,
        };
        let value = value.filter(|_| depth < DEPTH_MAX).ok_or_else(unclear)?;
        let value = without_references(value, values, depth + 1)?;
        // Nothing that could end the attribute or the rule that it stands in.
        let plain_char = |char: char| char.is_ascii_alphanumeric() || "#(),.%+-/ ".contains(char);
        if value.len() > VALUE_MAX || !value.chars().all(plain_char) {
            return Err(unclear());
        }
        plain.push_str(value.trim());
        rest = reference.get(length + 1..).unwrap_or_default();
    }
    plain.push_str(rest);
    Ok(plain)
}

/// How far it is to the bracket that closes what a text is inside of.
fn length_of_arguments(text: &str) -> usize {
    let mut open = 1;
    let end = text.bytes().position(|byte| {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        open == 0
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_gives_way_to_what_it_stands_for() {
        for (text, plain) in [
            ("<p fill='red'/><!-- a -- b -->", "<p fill='red'/><!-- a -- b -->"),
            ("<p style='fill:var(--brand,#dc1e1e)'/>", "<p style='fill:#dc1e1e'/>"),
            ("<p fill='var( --brand , rgb(1, 2, 3) )'/>", "<p fill='rgb(1, 2, 3)'/>"),
            ("<p fill='var(--a, var(--b, blue))'/>", "<p fill='blue'/>"),
            (
                ":root{--brand:#0a3; --dark : var(--brand)!important}p{fill:var(--dark,red)}",
                ":root{ }p{fill:#0a3}",
            ),
            (
                "<svg style='--a:#123'><p style='--b:1;fill:var(--a)'/>",
                "<svg style=''><p style='fill:#123'/>",
            ),
            // Set twice to the same.
            ("a{--x:red}b{--x:red}c{fill:var(--x)}", "a{}b{}c{fill:red}"),
            ("<!--Generator: x--><p/>", "<!--Generator: x--><p/>"),
            ("a{my-var(--x)}", "a{my-var(--x)}"),
        ] {
            assert_eq!(resolved(text).unwrap(), plain, "{text}");
        }
    }

    #[test]
    fn a_reference_to_nothing_clear_is_refused_by_its_name() {
        let long = format!("a{{--x:{}}}b{{fill:var(--x)}}", "a".repeat(101));
        for text in [
            "<p fill='var(--x)'/>",
            "a{--x:red}b{--x:blue}c{fill:var(--x)}",
            "a{--x:var(--x)}c{fill:var(--x)}",
            "a{--x:url(&quot;)}c{fill:var(--x)}",
            "<p fill='var(--x, &lt;script>)'/>",
            &long,
        ] {
            assert_eq!(resolved(text), Err(Unfit::Variable("--x".to_owned())), "{text}");
        }
        let name = format!("<p fill='var({})'/>", "x".repeat(5_000));
        assert!(resolved(&name).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn what_grows_by_its_references_is_refused() {
        let text = format!("a{{--x:{}}}{}", "a".repeat(100), "b{fill:var(--x)}".repeat(2_000));
        assert_eq!(resolved(&text), Err(Unfit::Immense));
        let doubled = (0..30).map(|level| format!("a{{--x{level}:var(--x{0}) var(--x{0})}}", level + 1));
        assert!(resolved(&format!("{}c{{fill:var(--x0)}}", doubled.collect::<String>())).is_err());
    }
}
