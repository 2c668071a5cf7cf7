//! Names that are properties of CSS, and values that are no plain ones: what a style may carry along although no
//! coupon follows it.

use super::{tree::Tree, values::Wrong};

/// The properties of CSS that browsers know, in order.
const PROPERTIES: &str = "accent-color align-content align-items align-self all animation animation-delay \
    animation-direction animation-duration animation-fill-mode animation-iteration-count animation-name \
    animation-play-state animation-timing-function appearance aspect-ratio backdrop-filter backface-visibility background \
    background-attachment background-blend-mode background-clip background-color background-image background-origin \
    background-position background-position-x background-position-y background-repeat background-size baseline-shift \
    block-size border border-block border-block-color border-block-end border-block-end-color border-block-end-style \
    border-block-end-width border-block-start border-block-start-color border-block-start-style border-block-start-width \
    border-block-style border-block-width border-bottom border-bottom-color border-bottom-left-radius \
    border-bottom-right-radius border-bottom-style border-bottom-width border-collapse border-color border-end-end-radius \
    border-end-start-radius border-image border-image-outset border-image-repeat border-image-slice border-image-source \
    border-image-width border-inline border-inline-color border-inline-end border-inline-end-color border-inline-end-style \
    border-inline-end-width border-inline-start border-inline-start-color border-inline-start-style \
    border-inline-start-width border-inline-style border-inline-width border-left border-left-color border-left-style \
    border-left-width border-radius border-right border-right-color border-right-style border-right-width border-spacing \
    border-start-end-radius border-start-start-radius border-style border-top border-top-color border-top-left-radius \
    border-top-right-radius border-top-style border-top-width border-width bottom box-decoration-break box-shadow \
    box-sizing break-after break-before break-inside caption-side caret-color clear clip clip-path clip-rule color \
    color-interpolation color-scheme column-count column-fill column-gap column-rule column-rule-color column-rule-style \
    column-rule-width column-span column-width columns contain container container-name container-type content \
    content-visibility counter-increment counter-reset counter-set cursor direction display dominant-baseline empty-cells \
    fill fill-opacity fill-rule filter flex flex-basis flex-direction flex-flow flex-grow flex-shrink flex-wrap float font \
    font-family font-feature-settings font-kerning font-language-override font-optical-sizing font-palette font-size \
    font-size-adjust font-stretch font-style font-synthesis font-synthesis-small-caps font-synthesis-style \
    font-synthesis-weight font-variant font-variant-alternates font-variant-caps font-variant-east-asian \
    font-variant-emoji font-variant-ligatures font-variant-numeric font-variant-position font-variation-settings \
    font-weight forced-color-adjust gap grid grid-area grid-auto-columns grid-auto-flow grid-auto-rows grid-column \
    grid-column-end grid-column-start grid-row grid-row-end grid-row-start grid-template grid-template-areas \
    grid-template-columns grid-template-rows hanging-punctuation height hyphenate-character hyphenate-limit-chars hyphens \
    image-orientation image-rendering initial-letter inline-size inset inset-block inset-block-end inset-block-start \
    inset-inline inset-inline-end inset-inline-start isolation justify-content justify-items justify-self left \
    letter-spacing line-break line-clamp line-height line-height-step list-style list-style-image list-style-position \
    list-style-type margin margin-block margin-block-end margin-block-start margin-bottom margin-inline margin-inline-end \
    margin-inline-start margin-left margin-right margin-top mask mask-border mask-clip mask-composite mask-image mask-mode \
    mask-origin mask-position mask-repeat mask-size mask-type math-depth math-shift math-style max-block-size max-height \
    max-inline-size max-width min-block-size min-height min-inline-size min-width mix-blend-mode object-fit \
    object-position offset offset-anchor offset-distance offset-path offset-position offset-rotate opacity order orphans \
    outline outline-color outline-offset outline-style outline-width overflow overflow-anchor overflow-block \
    overflow-clip-margin overflow-inline overflow-wrap overflow-x overflow-y overscroll-behavior overscroll-behavior-x \
    overscroll-behavior-y padding padding-block padding-block-end padding-block-start padding-bottom padding-inline \
    padding-inline-end padding-inline-start padding-left padding-right padding-top page page-break-after \
    page-break-before page-break-inside paint-order perspective perspective-origin place-content place-items place-self \
    pointer-events position print-color-adjust quotes resize right rotate row-gap ruby-align ruby-position scale \
    scroll-behavior scroll-margin scroll-padding scroll-snap-align scroll-snap-stop scroll-snap-type scrollbar-color \
    scrollbar-gutter scrollbar-width shape-image-threshold shape-margin shape-outside shape-rendering stroke \
    stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width \
    tab-size table-layout text-align text-align-all text-align-last text-anchor text-combine-upright text-decoration \
    text-decoration-color text-decoration-line text-decoration-skip text-decoration-skip-ink text-decoration-style \
    text-decoration-thickness text-emphasis text-emphasis-color text-emphasis-position text-emphasis-style text-indent \
    text-justify text-orientation text-overflow text-rendering text-shadow text-size-adjust text-transform \
    text-underline-offset text-underline-position text-wrap text-wrap-mode text-wrap-style top touch-action transform \
    transform-box transform-origin transform-style transition transition-behavior transition-delay transition-duration \
    transition-property transition-timing-function translate unicode-bidi user-select vertical-align visibility \
    white-space white-space-collapse widows width will-change word-break word-spacing word-wrap writing-mode z-index zoom";

/// Parts of a value that would fetch, run or break out where somebody else shows it.
const HOSTILE: [&str; 10] =
    ["url(", "expression(", "image(", "image-set(", "src(", "@", "javascript:", "vbscript:", "data:", "<"];

/// Returns a property's name as scripts spell it (`fontSize`), if it is one of CSS, spelled so or `font-size`.
pub(super) fn property(name: &str) -> Option<String> {
    let dashed = dashed(name)?;
    PROPERTIES.split_ascii_whitespace().any(|known| known == dashed).then(|| joined(&dashed))
}

/// Spells a name as style sheets do. Those that begin with a capital letter are browsers' own.
fn dashed(name: &str) -> Option<String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
        return None;
    }
    let mut dashed = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    Some(dashed)
}

fn joined(dashed: &str) -> String {
    let mut words = dashed.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

/// Says what is wrong with a value that no property of CSS may have here.
pub(super) fn flaw(value: &Tree) -> Option<Wrong> {
    let text = match value {
        Tree::Number(_) => return None,
        Tree::Text(text) => text,
        _ => return Some("must be a text or a number".into()),
    };
    if let Some(flaw) = crate::text::flaw(text) {
        return Some(flaw.into());
    }
    // Escapes and comments spell words that are not seen.
    if text.contains(['\\', ';', '{', '}']) || text.contains("/*") {
        return Some("must be a single value of CSS, without \\ ; { } and comments".into());
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let hostile = HOSTILE.into_iter().find(|word| plain.contains(word));
    hostile.map(|word| format!("must not contain {word}: nothing in a style is fetched or run").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_known_in_both_spellings() {
        for (name, known) in [
            ("fontSize", Some("fontSize")),
            ("font-size", Some("fontSize")),
            ("letterSpacing", Some("letterSpacing")),
            ("zIndex", Some("zIndex")),
            ("colour", None),
            ("", None),
            ("FontSize", None),
            ("behavior", None),
            ("MozBinding", None),
            ("--own", None),
            ("font size", None),
        ] {
            assert_eq!(property(name).as_deref(), known, "{name}");
        }
    }

    #[test]
    fn what_would_fetch_run_or_break_out_is_wrong() {
        for bad in [
            "url(x)",
            "URL( //example.com/a.png )",
            "u\\72l(x)",
            "expres/**/sion(1)",
            "Expression (alert(1))",
            "java script:alert(1)",
            "@import 'x'",
            "1px;color:red",
            "1px}",
            "</style>",
            "image-set('a' 1x)",
            "a\u{7}",
            "a\nb",
            "a\u{202e}b",
        ] {
            assert!(flaw(&Tree::Text(bad.to_owned())).is_some(), "{bad}");
        }
        for good in ["0.1em", "1px 2px #000", "calc(1px + 2%)", "'Comic Sans MS', cursive", "inherit", "ünlü"]
        {
            assert_eq!(flaw(&Tree::Text(good.to_owned())), None, "{good}");
        }
        for odd in [Tree::Null, Tree::Bool(true), Tree::List, Tree::Object(Vec::new())] {
            assert!(flaw(&odd).is_some(), "{odd:?}");
        }
    }
}
