//! What of SVG a logo may use: what is drawn, and nothing that runs, moves, or is somewhere else.

use super::{DEPTH_MAX, Unfit, style};
use simplecss::DeclarationTokenizer;
use std::{borrow::Cow, str::FromStr};
use svg2pdf::usvg::roxmltree::{Attribute, Document, Node};
use svgtypes::{Color, Paint};

pub(super) const SVG: &str = "http://www.w3.org/2000/svg";
const XHTML: &str = "http://www.w3.org/1999/xhtml";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Every element that is taken.
const TAKEN: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "metadata",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "style",
    "svg",
    "switch",
    "symbol",
    "title",
    "use",
];

/// What shows nothing by itself. It is left behind: what would use it is refused where it does.
const IDLE: &[&str] = &[
    "filter",
    "font",
    "font-face",
    "font-face-format",
    "font-face-name",
    "font-face-src",
    "font-face-uri",
    "glyph",
    "hkern",
    "missing-glyph",
    "vkern",
];

/// What to do about some that are not.
const ADVICE: &[(&[&str], &str)] = &[
    (&["text", "tspan", "textPath", "tref"], "convert text to paths"),
    (&["image", "feImage"], "trace it, or send the whole logo as PNG"),
    (&["script", "handler"], "nothing in a logo may run"),
    (&["animate", "animateColor", "animateMotion", "animateTransform", "set"], "a logo stands still"),
    (&["foreignObject"], "save it as plain SVG"),
    (&["a"], "a logo is no link"),
];

const ELSE: &str = "only shapes, gradients, patterns, masks and clip paths are";
pub(super) const UNREAD: &str = "it has properties that can't be read";
const OUTSIDE: &str = "it may refer to what is in it alone";

/// A text without a DOCTYPE that only names what the drawing is. Refuses one that defines anything.
pub(super) fn without_doctype(text: &str) -> Result<Cow<'_, str>, Unfit> {
    let mut rest = text.trim_start();
    while let Some((_, after)) = [("<?", "?>"), ("<!--", "-->")]
        .into_iter()
        .find_map(|(opening, closing)| rest.strip_prefix(opening)?.split_once(closing))
    {
        rest = after.trim_start();
    }
    let Some(doctype) = rest.strip_prefix("<!DOCTYPE") else { return Ok(Cow::Borrowed(text)) };
    let end = end_of_tag(doctype);
    let (named, defined) = doctype[..end].split_once('[').unwrap_or((&doctype[..end], ""));
    let defined = defined.trim_end().trim_end_matches(']').trim();
    if !defined.is_empty() || named.contains('<') {
        return Err(Unfit::Doctype);
    }
    let before = &text[..text.len() - rest.len()];
    Ok(Cow::Owned([before, doctype.get(end + 1..).unwrap_or_default()].concat()))
}

/// Refuses a text whose elements stand too deep in one another, without parsing it in full.
pub(super) fn check_depth(text: &str) -> Result<(), Unfit> {
    let mut depth = 0u32;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("</", ">")];
        if let Some((opening, closing)) = skipped.into_iter().find(|pair| rest.starts_with(pair.0)) {
            if opening == "</" {
                depth = depth.saturating_sub(1);
            }
            rest = rest[opening.len()..].split_once(closing).map_or("", |(_, rest)| rest);
        } else if rest.starts_with("<!") {
            return Err(Unfit::Doctype);
        } else {
            let end = end_of_tag(rest);
            if !rest[..end].ends_with('/') {
                depth += 1;
            }
            if depth > DEPTH_MAX {
                return Err(Unfit::Deep);
            }
            rest = &rest[end..];
        }
    }
    Ok(())
}

/// Where the `>` of the tag is that this begins with; those in quotes are not it.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    let end = text.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), _) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    });
    end.unwrap_or(text.len())
}

/// Refuses what a logo does without.
pub(super) fn check(document: &Document) -> Result<(), Unfit> {
    if !document.root_element().has_tag_name((SVG, "svg")) {
        return Err(Unfit::Alien);
    }
    for node in document.descendants() {
        if node.pi().is_some_and(|instruction| instruction.target == "xml-stylesheet") {
            return Err(element("?xml-stylesheet?", OUTSIDE));
        }
        if node.is_element() {
            check_element(node)?;
        }
    }
    Ok(())
}

fn check_element(node: Node) -> Result<(), Unfit> {
    let name = node.tag_name().name();
    match node.tag_name().namespace() {
        Some(SVG) => {}
        // A page inside of the drawing, or what is of no language at all.
        Some(XHTML | "") | None => return Err(element(name, ELSE)),
        // What the editor keeps for itself is left behind.
        Some(_) => return Ok(()),
    }
    let in_filter = || node.ancestors().any(|outer| outer.has_tag_name((SVG, "filter")));
    if IDLE.contains(&name) || (name.starts_with("fe") && in_filter()) {
        return Ok(());
    }
    if !TAKEN.contains(&name) {
        let advice = ADVICE.iter().find(|(names, _)| names.contains(&name));
        let effect = name.starts_with("fe").then_some("flatten its effects");
        return Err(element(name, effect.or(advice.map(|(_, advice)| *advice)).unwrap_or(ELSE)));
    }
    node.attributes().try_for_each(|attribute| check_attribute(node, attribute))?;
    if name == "style" {
        style::check(&style::text(node), node.document().root_element())?;
    }
    Ok(())
}

fn check_attribute(node: Node, attribute: Attribute) -> Result<(), Unfit> {
    let (name, value) = (attribute.name(), attribute.value());
    let refused = |name: &str, advice| {
        let element = short(node.tag_name().name());
        Err(Unfit::Attribute { element, attribute: short(name), advice })
    };
    match attribute.namespace() {
        None | Some(XLINK | SVG) => {}
        Some(_) => return Ok(()),
    }
    if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on")) {
        return refused(name, "nothing in a logo may run");
    }
    if matches!(name, "href" | "src") && !value.trim().starts_with('#') {
        return refused(name, OUTSIDE);
    }
    // It is written as it is, and names nothing else then.
    if name == "id" && (value.is_empty() || value.contains(['<', '>', '&', '"', '\'', '(', ')', '#'])) {
        return refused(name, "name it with letters and digits");
    }
    if name == "style" {
        if !style::is_read(value) {
            return refused(name, UNREAD);
        }
        for declaration in DeclarationTokenizer::from(value) {
            if let Err(advice) = check_property(declaration.name, declaration.value) {
                return refused(declaration.name, advice);
            }
        }
    }
    check_property(name, value).or_else(|advice| refused(name, advice))
}

/// Refuses a property, as an attribute or in a style, that is an effect or refers to something outside.
pub(super) fn check_property(name: &str, value: &str) -> Result<(), &'static str> {
    if matches!(name, "filter" | "backdrop-filter") && value.trim() != "none" {
        return Err("flatten its effects");
    }
    if matches!(name, "marker" | "marker-start" | "marker-mid" | "marker-end") && value.trim() != "none" {
        return Err("convert markers to paths");
    }
    let outside = |url: &str| !url.trim_start_matches([' ', '\t', '\r', '\n', '"', '\'']).starts_with('#');
    let lower = value.to_ascii_lowercase();
    if lower.split("url(").skip(1).any(outside) || lower.contains("javascript:") {
        return Err(OUTSIDE);
    }
    let value = value.trim();
    let understood = match name {
        "fill" | "stroke" => Paint::from_str(value).is_ok(),
        "color" | "stop-color" => {
            matches!(value, "currentColor" | "inherit") || Color::from_str(value).is_ok()
        }
        _ => true,
    };
    // Anything else would be painted black.
    if understood { Ok(()) } else { Err("give the colour as #rrggbb") }
}

fn element(name: &str, advice: &'static str) -> Unfit {
    Unfit::Element { name: short(name), advice }
}

/// Names can be as long as what was sent.
fn short(name: &str) -> String {
    name.chars().take(40).collect()
}
