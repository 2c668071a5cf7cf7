//! Style sheets in drawings: few rules, each for an element, a class or an id.

use super::{Unfit, subset};
use simplecss::{AttributeOperator, Element, PseudoClass, StyleSheet};
use svg2pdf::usvg::roxmltree::Node;

/// More rules than any editor writes.
const RULES_MAX: usize = 500;

/// Declarations, with those of a rule for many elements counted for each of them.
const DECLARATIONS_MAX: usize = 200_000;

/// The text of a `<style>`.
pub(super) fn text(node: Node) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

/// Refuses a style sheet that refers to something outside, or that is slow to apply.
pub(super) fn check(text: &str) -> Result<(), Unfit> {
    if text.contains('@') {
        return Err(Unfit::Style("an @ rule"));
    }
    let count = |wanted: char| text.chars().filter(|&c| c == wanted).count();
    let commas = count(',') + 1;
    if commas + count('{') > RULES_MAX || commas.saturating_mul(count(':')) > DECLARATIONS_MAX {
        return Err(Unfit::Style("too many rules"));
    }
    for rule in StyleSheet::parse(text).rules {
        // To find an element by those around it, all of them may have to be looked at.
        if rule.selector.to_string().contains([' ', '>', '+']) {
            return Err(Unfit::Style("rules for elements in elements"));
        }
        for declaration in rule.declarations {
            subset::check_property(declaration.name, declaration.value).map_err(|advice| {
                let attribute = declaration.name.chars().take(40).collect();
                Unfit::Attribute { element: "style".to_owned(), attribute, advice }
            })?;
        }
    }
    Ok(())
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
