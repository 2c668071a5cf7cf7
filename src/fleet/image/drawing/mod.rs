//! Drawings, as SVG: they are taken as logos, and never kept as they were sent.
//!
//! An SVG can hold scripts, addresses and far more than its size lets on. So it is first held against
//! what a logo needs ([`subset`]) and against what it would grow to ([`growth`]); what is stored is
//! written anew from what it shows.

mod encoding;
mod growth;
mod style;
mod subset;
mod variables;

use super::{
    Format, Rendition,
    codec::{Bounds, Flaw},
};
use sha2::{Digest, Sha256};
use svg2pdf::usvg::{
    Error, ImageHrefResolver, Indent, Node, Options, Tree, WriteOptions,
    roxmltree::{self, Document, ParsingOptions},
};

/// The most elements that a drawing has, with everything counted as often as it is referred to.
const ELEMENTS_MAX: u64 = 20_000;

/// How deep elements stand in one another.
const DEPTH_MAX: u32 = 64;

/// The longest side, in the drawing's own units.
const SIDE_MAX: f32 = 1_000_000.0;

/// How many times as long as wide a drawing is at most, or as wide as long.
const ASPECT_MAX: f32 = 20.0;

/// Why a drawing is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Neither a drawing nor any other image.
    #[error("must be a PNG, JPEG, GIF, WebP or SVG image")]
    Alien,
    /// Not XML.
    #[error("is not readable as the SVG that it begins as: {0}")]
    Broken(String),
    /// Not in the encoding that it says it is in.
    #[error("is not readable as {0}, the encoding that it names or goes without naming: save it as UTF-8")]
    Encoding(String),
    /// A document type that defines something, like entities.
    #[error("has a DOCTYPE with definitions in it: save it as plain SVG")]
    Doctype,
    /// A custom property of CSS that could stand for anything.
    #[error("has var({0}), which stands for no one value in it: save it with plain colours")]
    Variable(String),
    /// An element that logos do without.
    #[error("has a <{name}>, which is not taken: {advice}")]
    Element {
        /// Its name.
        name: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// An attribute, or a property of a style, that logos do without.
    #[error("has <{element} {attribute}=…>, which is not taken: {advice}")]
    Attribute {
        /// The element that has it.
        element: String,
        /// Its name.
        attribute: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Its style sheet is of the kind that takes long to apply.
    #[error("has a <style> with {0}: save it with presentation attributes")]
    Style(&'static str),
    /// Deeper than anything that was drawn.
    #[error("has more than {DEPTH_MAX} elements in one another")]
    Deep,
    /// Deeper than a PDF can nest it.
    #[error("has groups, clip paths or masks too deep in one another to be printed: ungroup some")]
    Nested,
    /// Something in it is made of itself.
    #[error("has elements that refer to themselves")]
    Circular,
    /// It is too much, or would be with all references followed.
    #[error("has more than {ELEMENTS_MAX} elements, or grows too much where they refer to one another")]
    Immense,
    /// It would make large what it is printed in.
    #[error("takes more than {0} bytes in a PDF: merge some of its shapes")]
    Heavy(usize),
    /// No size, or one that nothing can have.
    #[error("has no width and height that can be printed")]
    Sizeless,
    /// A strip.
    #[error("is more than {ASPECT_MAX} times as wide as high, or as high as wide")]
    Strip,
    /// There is nothing to see.
    #[error("shows nothing")]
    Blank,
}

/// Whether this claims to be a drawing: all other images begin otherwise.
pub fn is_one(bytes: &[u8]) -> bool {
    encoding::begins_with(bytes, '<')
}

/// Reads a drawing that a client sent, and writes what it shows anew.
pub fn read(bytes: &[u8], bounds: Bounds) -> Result<Rendition, Flaw> {
    let tree = sent(bytes, bounds)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let text = tree.to_string(&WriteOptions { indent: Indent::None, ..WriteOptions::default() });
    let most = bounds.drawing_bytes.saturating_mul(4);
    if text.len() > most {
        return Err(Unfit::Immense.into());
    }
    let bytes = text.into_bytes();
    // Whatever is printed one day has been read back once before.
    stored(&bytes)?;
    let side = |length: f32| (length.round() as i32).max(1);
    let hash = Sha256::digest(&bytes).to_vec();
    Ok(Rendition { format: Format::Svg, width: side(width), height: side(height), hash, bytes })
}

/// The drawing that a stored rendition holds.
pub fn stored(bytes: &[u8]) -> Result<Tree, Flaw> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unfit::Alien)?;
    let document = Document::parse(text).map_err(|error| broken(&error))?;
    Ok(tree(&document)?)
}

fn sent(bytes: &[u8], bounds: Bounds) -> Result<Tree, Unfit> {
    let text = encoding::decode(bytes)?;
    let text = subset::without_doctype(&text)?;
    // The parser calls itself for every element in another.
    subset::check_depth(&text)?;
    let text = variables::resolved(&text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 4 * ELEMENTS_MAX as u32 };
    let document = Document::parse_with_options(&text, options).map_err(|error| broken(&error))?;
    subset::check(&document)?;
    growth::check(&document, bounds.drawing_bytes as u64 * 4)?;
    let tree = tree(&document)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    if !(width <= SIDE_MAX && height <= SIDE_MAX && width.min(height) >= 1.0 / SIDE_MAX) {
        return Err(Unfit::Sizeless);
    }
    if width.max(height) > ASPECT_MAX * width.min(height) {
        return Err(Unfit::Strip);
    }
    if !shows_something(tree.root().children()) {
        return Err(Unfit::Blank);
    }
    Ok(tree)
}

fn tree(document: &Document) -> Result<Tree, Unfit> {
    let nothing =
        ImageHrefResolver { resolve_data: Box::new(|_, _, _| None), resolve_string: Box::new(|_, _| None) };
    let options = Options { image_href_resolver: nothing, ..Options::default() };
    Tree::from_xmltree(document, &options).map_err(|error| match error {
        Error::InvalidSize => Unfit::Sizeless,
        Error::ElementsLimitReached => Unfit::Immense,
        Error::ParsingFailed(error) => broken(&error),
        other => Unfit::Broken(other.to_string()),
    })
}

fn broken(error: &roxmltree::Error) -> Unfit {
    match error {
        roxmltree::Error::DtdDetected => Unfit::Doctype,
        roxmltree::Error::NodesLimitReached => Unfit::Immense,
        // Names that it complains of can be as long as what was sent.
        other => Unfit::Broken(other.to_string().chars().take(120).collect()),
    }
}

fn shows_something(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Group(group) => shows_something(group.children()),
        Node::Path(path) => path.is_visible() && (path.fill().is_some() || path.stroke().is_some()),
        Node::Image(_) | Node::Text(_) => false,
    })
}

#[cfg(test)]
mod tests;
