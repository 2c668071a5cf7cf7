//! Style sheets in drawings: few rules, each for an element, a class or an id.

use super::{Unfit, subset};
use simplecss::{AttributeOperator, DeclarationTokenizer, Element, PseudoClass, StyleSheet};
use svg2pdf::usvg::roxmltree::Node;

/// More rules than any editor writes.
const RULES_MAX: usize = 500;

/// Declarations, with those of a rule for many elements counted for each of them.
const DECLARATIONS_MAX: usize = 200_000;

/// Declarations in one text.
const DECLARATIONS_READ_MAX: usize = 5_000;

/// The text of a `<style>`.
pub(super) fn text(node: Node) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

/// At-rules that a drawing without text shows nothing of.
const IDLE: [&str; 3] = ["charset", "font-face", "namespace"];

/// Refuses a style sheet that is slow to apply, or has an element of `root` refer to something outside.
pub(super) fn check(text: &str, root: Node) -> Result<(), Unfit> {
    // First of all: what reads declarations takes longer for each, the longer the text is.
    let count = |wanted: char| text.chars().filter(|&c| c == wanted).count();
    let commas = count(',') + 1;
    if commas + count('{') > RULES_MAX
        || is_long(text)
        || commas.saturating_mul(count(':')) > DECLARATIONS_MAX
    {
        return Err(Unfit::Style("too many rules"));
    }
    let idle = |rule: &str| {
        let end = rule.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rule.len());
        IDLE.iter().any(|name| name.eq_ignore_ascii_case(&rule[..end]))
    };
    let plain = without_comments(text);
    if !plain.split('@').skip(1).all(idle) {
        return Err(Unfit::Style("an @ rule"));
    }
    let mut before = "";
    for block in plain.split('{') {
        let (inside, after) = block.split_once('}').unwrap_or(("", block));
        if !before.contains('@') && !is_read(inside) {
            return Err(Unfit::Style("properties that can't be read"));
        }
        before = after;
    }
    for rule in StyleSheet::parse(text).rules {
        // To find an element by those around it, all of them may have to be looked at.
        if rule.selector.to_string().contains([' ', '>', '+']) {
            return Err(Unfit::Style("rules for elements in elements"));
        }
        let mut elements = root.descendants().filter(Node::is_element);
        for declaration in rule.declarations {
            let Err(advice) = subset::check_property(declaration.name, declaration.value) else { continue };
            // A rule for elements that there are not is no rule.
            if elements.any(|element| rule.selector.matches(&Styled(element))) {
                let attribute = declaration.name.chars().take(40).collect();
                return Err(Unfit::Attribute { element: "style".to_owned(), attribute, advice });
            }
            break;
        }
    }
    Ok(())
}

/// Returns `true` if a text has more declarations than are read.
fn is_long(text: &str) -> bool {
    text.matches(':').count() > DECLARATIONS_READ_MAX
}

/// Returns `true` if all declarations of a rule, or of a `style`, are read. What draws reads none behind the first
/// that it can't, and would draw what they are for in black.
pub(super) fn is_read(text: &str) -> bool {
    if is_long(text) {
        return false;
    }
    let (mut open, mut quote, mut written, mut has_colon) = (0, None, 0, false);
    for char in without_comments(text).chars().chain([';']) {
        match (quote, char) {
            (Some(end), _) => quote = quote.filter(|_| end != char),
            (None, '"' | '\'') => quote = Some(char),
            (None, '(') => open += 1,
            (None, ')') => open -= 1,
            (None, ':') => has_colon = true,
            (None, ';') if open <= 0 => written += usize::from(std::mem::take(&mut has_colon)),
            (None, _) => {}
        }
    }
    DeclarationTokenizer::from(text).count() >= written
}

fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// An element, as rules look for it.
pub(super) struct Styled<'a, 'input>(pub(super) Node<'a, 'input>);

impl Element for Styled<'_, '_> {
    fn parent_element(&self) -> Option<Self> {
        self.0.parent_element().map(Self)
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.0.prev_sibling_element().map(Self)
    }

    fn has_local_name(&self, name: &str) -> bool {
        self.0.tag_name().name() == name
    }

    fn attribute_matches(&self, name: &str, operator: AttributeOperator<'_>) -> bool {
        self.0.attribute(name).is_some_and(|value| operator.matches(value))
    }

    fn pseudo_class_matches(&self, class: PseudoClass<'_>) -> bool {
        class == PseudoClass::FirstChild && self.0.prev_sibling_element().is_none()
    }
}
