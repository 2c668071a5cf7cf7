//! Drawings in a PDF.

use crate::fleet::image::{
    codec::Flaw,
    drawing::{self, Unfit},
};
use pdf_writer::{Chunk, Primitive, Ref};
use std::collections::BTreeMap;
use svg2pdf::{ConversionError, ConversionOptions};

/// What a drawing may take of a file, in bytes.
const BYTES_MAX: usize = 2 << 20;

/// A drawing as the objects of a PDF.
#[derive(Clone)]
pub(super) struct Vector {
    objects: Chunk,
    /// The one to draw.
    root: Ref,
}

impl std::fmt::Debug for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vector").field("bytes", &self.objects.len()).finish_non_exhaustive()
    }
}

impl Vector {
    /// The drawing, and how many times as wide as high it is.
    pub(super) fn read(svg: &[u8]) -> Result<(Self, f32), Flaw> {
        let tree = drawing::stored(svg)?;
        let (objects, root) =
            svg2pdf::to_chunk(&tree, ConversionOptions::default()).map_err(|error| match error {
                ConversionError::TooMuchNesting => Unfit::Nested,
                other => Unfit::Broken(other.to_string()),
            })?;
        if objects.len() > BYTES_MAX {
            return Err(Unfit::Heavy(BYTES_MAX).into());
        }
        let objects = in_order(&objects).ok_or(Flaw::Damaged)?;
        Ok((Self { objects, root }, tree.size().width() / tree.size().height()))
    }

    pub(super) fn write(&self, file: &mut Chunk, next: &mut impl FnMut() -> Ref) -> Ref {
        // By the order of the objects, so that equal drawings become equal bytes.
        let named: BTreeMap<Ref, Ref> = self.objects.refs().map(|old| (old, next())).collect();
        let renamed = |old: Ref| named.get(&old).copied().unwrap_or(old);
        self.objects.renumber_into(file, renamed);
        renamed(self.root)
    }
}

/// An object as it was written before.
struct Written<'a>(&'a [u8]);

impl Primitive for Written<'_> {
    fn write(self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.0);
    }
}

/// The same objects, with their resources in the order of their names: `svg2pdf` keeps these in a map
/// whose order is another in each process.
fn in_order(objects: &Chunk) -> Option<Chunk> {
    let mut ordered = Chunk::with_capacity(objects.len());
    let mut rest = objects.as_bytes();
    for id in objects.refs() {
        rest = rest.strip_prefix(format!("{} 0 obj\n", id.get()).as_bytes())?;
        let (object, after) = rest.split_at_checked(length(rest)?)?;
        ordered.indirect(id).primitive(Written(&with_sorted_resources(object)));
        rest = after.strip_prefix(b"\nendobj\n\n")?;
    }
    Some(ordered)
}

/// How long the object is that this begins with.
fn length(bytes: &[u8]) -> Option<usize> {
    const STREAM: &[u8] = b"\nstream\n";
    const END: &[u8] = b"\nendstream";
    let end = find(bytes, b"\nendobj\n")?;
    match find(&bytes[..end], STREAM) {
        Some(start) => {
            let head = std::str::from_utf8(&bytes[..start]).ok()?;
            let (_, length) = head.split_once("/Length ")?;
            let length: usize = length.split_ascii_whitespace().next()?.parse().ok()?;
            Some(start + STREAM.len() + length + END.len())
        }
        None => Some(end),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// An object with those of its lines in order that name a resource.
fn with_sorted_resources(object: &[u8]) -> Vec<u8> {
    let head = find(object, b"\nstream\n").unwrap_or(object.len());
    let mut lines: Vec<&[u8]> = object[..head].split(|&byte| byte == b'\n').collect();
    let mut at = 0;
    while at < lines.len() {
        let run = lines[at..].iter().take_while(|line| names_a_resource(line)).count();
        lines[at..at + run].sort_unstable();
        at += run + 1;
    }
    [&lines.join(&b'\n'), &object[head..]].concat()
}

/// Whether this is a line as `/gs12 7 0 R`.
fn names_a_resource(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    ["/xo", "/gs", "/po", "/sh", "/cs"]
        .iter()
        .filter_map(|kind| line.strip_prefix(kind.as_bytes()))
        .any(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}
