//! What a drawing grows to when every reference is followed: a few lines that use one another can
//! stand for more shapes than there is memory.
//!
//! It is counted before anything is drawn, and rather too much than too little: whatever an element
//! refers to counts once for it, and a paint that it may pass on counts for every shape in it.

use super::{DEPTH_MAX, ELEMENTS_MAX, Unfit, style, style::Styled};
use simplecss::{DeclarationTokenizer, StyleSheet};
use std::collections::HashMap;
use svg2pdf::usvg::roxmltree::{Document, Node, NodeId};

/// What a declaration costs besides its text.
const DECLARATION_BYTES: u64 = 16;

/// What an element stands for, with all that it holds and refers to.
#[derive(Clone, Copy, Default)]
struct Growth {
    elements: u64,
    /// Of attributes.
    bytes: u64,
    /// Elements that are painted.
    shapes: u64,
    depth: u32,
}

impl Growth {
    fn add(&mut self, part: Self, times: u64) {
        self.elements = self.elements.saturating_add(part.elements.saturating_mul(times));
        self.bytes = self.bytes.saturating_add(part.bytes.saturating_mul(times));
        self.depth = self.depth.max(part.depth + 1);
    }
}

/// Refuses a drawing that becomes more than [`ELEMENTS_MAX`] elements or `bytes_max` bytes of them.
pub(super) fn check(document: &Document, bytes_max: u64) -> Result<(), Unfit> {
    let sheets: Vec<String> =
        document.descendants().filter(|node| node.has_tag_name("style")).map(style::text).collect();
    let mut named: HashMap<&str, Vec<Node>> = HashMap::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            named.entry(id).or_default().push(node);
        }
    }
    let rules = sheets.iter().flat_map(|sheet| StyleSheet::parse(sheet).rules).collect();
    let mut count = Count { named, rules: Rules::new(rules), known: HashMap::new(), bytes_max };
    count.of(document.root_element(), 0).map(drop)
}

/// A style sheet's rules, and what each makes an element heavier by.
struct Rules<'a>(Vec<(simplecss::Rule<'a>, u64)>);

impl<'a> Rules<'a> {
    fn new(rules: Vec<simplecss::Rule<'a>>) -> Self {
        let weight = |rule: &simplecss::Rule| {
            rule.declarations.iter().map(|own| DECLARATION_BYTES + own.value.len() as u64).sum()
        };
        Self(
            rules
                .into_iter()
                .map(|rule| {
                    let its = weight(&rule);
                    (rule, its)
                })
                .collect(),
        )
    }

    fn of(&self, node: Node) -> impl Iterator<Item = &(simplecss::Rule<'a>, u64)> {
        self.0.iter().filter(move |(rule, _)| rule.selector.matches(&Styled(node)))
    }
}

struct Count<'a, 'input> {
    named: HashMap<&'a str, Vec<Node<'a, 'input>>>,
    rules: Rules<'a>,
    /// What is counted, and as `None` what is being counted.
    known: HashMap<NodeId, Option<Growth>>,
    bytes_max: u64,
}

impl<'a, 'input> Count<'a, 'input> {
    /// What an element stands for that stands `depth` deep.
    fn of(&mut self, node: Node<'a, 'input>, depth: u32) -> Result<Growth, Unfit> {
        match self.known.get(&node.id()) {
            Some(Some(growth)) if depth + growth.depth > DEPTH_MAX => return Err(Unfit::Deep),
            Some(Some(growth)) => return Ok(*growth),
            Some(None) => return Err(Unfit::Circular),
            None if depth > DEPTH_MAX => return Err(Unfit::Deep),
            None => {}
        }
        self.known.insert(node.id(), None);
        let growth = self.count(node, depth)?;
        if growth.elements > ELEMENTS_MAX || growth.bytes > self.bytes_max {
            return Err(Unfit::Immense);
        }
        self.known.insert(node.id(), Some(growth));
        Ok(growth)
    }

    fn count(&mut self, node: Node<'a, 'input>, depth: u32) -> Result<Growth, Unfit> {
        let bytes: usize = node.attributes().map(|attribute| attribute.value().len()).sum();
        let is_shape = ["path", "rect", "circle", "ellipse", "line", "polyline", "polygon"]
            .contains(&node.tag_name().name());
        let mut all = Growth { elements: 1, bytes: bytes as u64, shapes: u64::from(is_shape), depth: 0 };
        for child in node.children().filter(Node::is_element) {
            let part = self.of(child, depth + 1)?;
            all.add(part, 1);
            all.shapes = all.shapes.saturating_add(part.shapes);
        }
        let (references, weight) = self.references(node);
        all.bytes = all.bytes.saturating_add(weight);
        // What is used has shapes; what these are painted with comes after them.
        for (inherited, id) in references {
            for target in self.named.get(id.as_str()).cloned().unwrap_or_default() {
                let part = self.of(target, depth + 1)?;
                all.add(part, if inherited { all.shapes.max(1) } else { 1 });
                if !inherited {
                    all.shapes = all.shapes.saturating_add(part.shapes);
                }
            }
        }
        Ok(all)
    }

    /// What an element refers to, what it passes on last, and the weight of the rules that are for it.
    fn references(&self, node: Node) -> (Vec<(bool, String)>, u64) {
        let mut found = Vec::new();
        let mut refer = |name: &str, value: &str| {
            let inherited = matches!(name, "fill" | "stroke");
            if name == "href" {
                found.extend(value.trim().strip_prefix('#').map(|id| (false, id.to_owned())));
            }
            let urls = value.split("url(").skip(1).filter_map(|url| url.split(')').next());
            let ids = urls.map(|url| url.trim_matches([' ', '\t', '\r', '\n', '"', '\'', '#']).to_owned());
            found.extend(ids.map(|id| (inherited, id)));
        };
        for attribute in node.attributes().filter(|attribute| attribute.name() != "style") {
            refer(attribute.name(), attribute.value());
        }
        for declaration in DeclarationTokenizer::from(node.attribute("style").unwrap_or_default()) {
            refer(declaration.name, declaration.value);
        }
        let mut weight = 0u64;
        for (rule, its) in self.rules.of(node) {
            weight = weight.saturating_add(*its);
            for declaration in &rule.declarations {
                refer(declaration.name, declaration.value);
            }
        }
        found.sort_by_key(|(inherited, _)| *inherited);
        (found, weight)
    }
}
