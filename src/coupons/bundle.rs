//! What is downloaded: one PDF, or all parts of a large campaign in a ZIP archive. Pure.
//!
//! The parts lie ready, and PDFs don't shrink any further. So an archive of them is known to the last
//! byte before any of it is read (PKWARE's APPNOTE, 4.3: method 0, stored), and each of its bytes can
//! be told apart from all before it, as a resumed download needs.

use std::ops::Range;

/// Bytes that are read from the database in one go.
const SLICE_BYTES: u64 = 256 << 10;

/// What an archive can hold without the extensions for large ones.
const ARCHIVE_MAX_BYTES: u64 = u32::MAX as u64;

/// A file that is ready, as far as an archive must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is called in the archive.
    pub name: String,
    /// In bytes.
    pub length: u64,
    /// CRC-32 of the bytes, as in PNG.
    pub crc32: u32,
}

/// Something to download, as pieces one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pieces: Vec<Piece>,
    length: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    at: u64,
    length: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Made(Vec<u8>),
    /// The file of this number, from 0.
    File(usize),
}

/// A short stretch of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slice {
    /// These bytes.
    Made(Vec<u8>),
    /// These bytes of the file of this number, from 0.
    Of(usize, Range<u64>),
}

impl Bundle {
    /// The file with this number and length, as it is.
    pub fn plain(file: usize, length: u64) -> Self {
        let mut bundle = Self { pieces: Vec::new(), length: 0 };
        bundle.push(length, What::File(file));
        bundle
    }

    /// An archive of the files; `None` if it were larger than an archive can be.
    pub fn archive(files: &[Stored]) -> Option<Self> {
        let mut bundle = Self { pieces: Vec::new(), length: 0 };
        let mut directory = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let offset = u32::try_from(bundle.length).ok()?;
            bundle.made(local_header(file)?);
            bundle.push(file.length, What::File(number));
            directory.extend(directory_entry(file, offset)?);
        }
        let end = end_of_directory(files.len(), directory.len(), bundle.length)?;
        bundle.made(directory);
        bundle.made(end);
        (bundle.length <= ARCHIVE_MAX_BYTES).then_some(bundle)
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What lies in `range`, in short stretches.
    pub fn slices(&self, range: Range<u64>) -> impl Iterator<Item = Slice> + use<'_> {
        self.pieces.iter().flat_map(move |piece| {
            let from = range.start.clamp(piece.at, piece.at + piece.length) - piece.at;
            let to = range.end.clamp(piece.at, piece.at + piece.length) - piece.at;
            (from..to).step_by(SLICE_BYTES as usize).map(move |start| {
                let end = (start + SLICE_BYTES).min(to);
                match &piece.what {
                    What::Made(bytes) => Slice::Made(bytes[start as usize..end as usize].to_vec()),
                    What::File(number) => Slice::Of(*number, start..end),
                }
            })
        })
    }

    fn made(&mut self, bytes: Vec<u8>) {
        self.push(bytes.len() as u64, What::Made(bytes));
    }

    fn push(&mut self, length: u64, what: What) {
        self.pieces.push(Piece { at: self.length, length, what });
        self.length += length;
    }
}

/// What a local header and an entry of the directory share: version, flags (names are UTF-8), method,
/// time (the first that there is: the same input gives the same bytes), checksum, sizes, name.
fn description(file: &Stored) -> Option<Vec<u8>> {
    let size = u32::try_from(file.length).ok()?;
    let name_length = u16::try_from(file.name.len()).ok()?;
    let mut bytes = Vec::new();
    for short in [20u16, 0x0800, 0, 0, 0x0021] {
        bytes.extend(short.to_le_bytes());
    }
    for long in [file.crc32, size, size] {
        bytes.extend(long.to_le_bytes());
    }
    bytes.extend(name_length.to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    Some(bytes)
}

fn local_header(file: &Stored) -> Option<Vec<u8>> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend(description(file)?);
    bytes.extend(file.name.as_bytes());
    Some(bytes)
}

fn directory_entry(file: &Stored, offset: u32) -> Option<Vec<u8>> {
    let mut bytes = b"PK\x01\x02\x14\x00".to_vec();
    bytes.extend(description(file)?);
    // No comment, first disk, no attributes.
    bytes.extend([0; 10]);
    bytes.extend(offset.to_le_bytes());
    bytes.extend(file.name.as_bytes());
    Some(bytes)
}

fn end_of_directory(files: usize, directory: usize, offset: u64) -> Option<Vec<u8>> {
    let files = u16::try_from(files).ok()?;
    let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
    bytes.extend(files.to_le_bytes());
    bytes.extend(files.to_le_bytes());
    bytes.extend(u32::try_from(directory).ok()?.to_le_bytes());
    bytes.extend(u32::try_from(offset).ok()?.to_le_bytes());
    bytes.extend([0; 2]);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bundle: &Bundle, files: &[Vec<u8>], range: Range<u64>) -> Vec<u8> {
        let slices = bundle.slices(range);
        slices
            .flat_map(|slice| match slice {
                Slice::Made(bytes) => bytes,
                Slice::Of(number, range) => files[number][range.start as usize..range.end as usize].to_vec(),
            })
            .collect()
    }

    fn archive(files: &[Vec<u8>]) -> Bundle {
        let stored: Vec<_> = files
            .iter()
            .enumerate()
            .map(|(number, bytes)| Stored {
                name: format!("part-{number}.pdf"),
                length: bytes.len() as u64,
                crc32: crc32fast::hash(bytes),
            })
            .collect();
        Bundle::archive(&stored).unwrap()
    }

    #[test]
    fn an_archive_has_its_directory_where_its_end_says() {
        let files = [b"one".to_vec(), vec![7; 1_000]];
        let bundle = archive(&files);
        let bytes = read(&bundle, &files, 0..bundle.length());
        let end = &bytes[bytes.len() - 22..];
        let long = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&end[..4], end[10]), (&b"PK\x05\x06"[..], 2));
        let (size, offset) = (long(12), long(16));
        assert_eq!(offset + size + 22, bytes.len());
        assert_eq!(&bytes[offset..offset + 4], b"PK\x01\x02");
        assert_eq!(&bytes[..4], b"PK\x03\x04");
        assert_eq!(&bytes[30..40], b"part-0.pdf");
        assert_eq!(&bytes[40..43], b"one");
    }

    #[test]
    fn an_archive_that_were_too_large_is_none() {
        let large = Stored { name: "a".to_owned(), length: u64::from(u32::MAX) - 100, crc32: 0 };
        assert!(Bundle::archive(std::slice::from_ref(&large)).is_some());
        assert!(Bundle::archive(&[large.clone(), large]).is_none());
    }

    proptest! {
        #[test]
        fn any_range_is_what_the_whole_has_there(
            lengths in proptest::collection::vec(0usize..700_000, 1..4),
            from in any::<proptest::sample::Index>(),
            to in any::<proptest::sample::Index>(),
        ) {
            let files: Vec<Vec<u8>> = lengths.iter().map(|length| (0..*length).map(|at| at as u8).collect()).collect();
            let bundle = archive(&files);
            let whole = read(&bundle, &files, 0..bundle.length());
            prop_assert_eq!(whole.len() as u64, bundle.length());
            let (from, to) = (from.index(whole.len()), to.index(whole.len()));
            let (from, to) = (from.min(to), from.max(to));
            prop_assert_eq!(&read(&bundle, &files, from as u64..to as u64)[..], &whole[from..to]);
        }
    }
}
