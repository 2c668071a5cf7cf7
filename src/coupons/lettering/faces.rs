//! The fonts that coupons are set in: those that come with Scrip, and those that an operator adds.

use super::{FaceId, Family, face::Face};
use fontique::{Blob, Synthesis};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A font that comes with Scrip.
struct Bundled {
    /// `None` for symbols, which stand beside text of every family.
    family: Option<Family>,
    name: &'static str,
    data: &'static [u8],
}

/// A file in the repository's `fonts` folder.
macro_rules! bundled {
    (Symbols, $name:literal) => {
        bundled!(@ None, $name)
    };
    ($family:ident, $name:literal) => {
        bundled!(@ Some(Family::$family), $name)
    };
    (@ $family:expr, $name:literal) => {
        Bundled {
            family: $family,
            name: $name,
            data: include_bytes!(concat!("../../../fonts/", $name, ".ttf")),
        }
    };
}

/// The fonts that come with Scrip; of each family, the first sets the height of lines.
static BUNDLED: [Bundled; 26] = [
    bundled!(Sans, "NotoSans-Regular"),
    bundled!(Sans, "NotoSans-Bold"),
    bundled!(Sans, "NotoSansArmenian-Regular"),
    bundled!(Sans, "NotoSansArmenian-Bold"),
    bundled!(Sans, "NotoSansArabic-Regular"),
    bundled!(Sans, "NotoSansArabic-Bold"),
    bundled!(Sans, "NotoSansHebrew-Regular"),
    bundled!(Sans, "NotoSansHebrew-Bold"),
    bundled!(Sans, "NotoSansGeorgian-Regular"),
    bundled!(Sans, "NotoSansGeorgian-Bold"),
    bundled!(Sans, "NotoSansThai-Regular"),
    bundled!(Sans, "NotoSansThai-Bold"),
    bundled!(Serif, "NotoSerif-Regular"),
    bundled!(Serif, "NotoSerif-Bold"),
    bundled!(Serif, "NotoSerifArmenian-Regular"),
    bundled!(Serif, "NotoSerifArmenian-Bold"),
    bundled!(Serif, "NotoNaskhArabic-Regular"),
    bundled!(Serif, "NotoNaskhArabic-Bold"),
    bundled!(Serif, "NotoSerifHebrew-Regular"),
    bundled!(Serif, "NotoSerifHebrew-Bold"),
    bundled!(Mono, "NotoSansMono-Regular"),
    bundled!(Mono, "NotoSansMono-Bold"),
    bundled!(Symbols, "NotoSansSymbols2-Regular"),
    bundled!(Symbols, "NotoSansSymbols-Regular"),
    bundled!(Symbols, "NotoSansMath-Regular"),
    bundled!(Symbols, "NotoEmoji-Regular"),
];

/// The fonts that there are, and the order in which they are asked for a character.
#[derive(Debug)]
pub struct Typefaces {
    faces: Vec<Face>,
    origins: Vec<Origin>,
    orders: [[Vec<FaceId>; 2]; 3],
    /// Nothing is made bold or slanted that was not drawn so.
    pub(super) as_drawn: Synthesis,
}

impl Typefaces {
    /// Those that come with Scrip, and behind them those in the folder, in the order of its files' names.
    /// The error names the file that is not fit to be used.
    pub fn load(folder: Option<&Path>) -> Result<Self, String> {
        Self::gather(&BUNDLED, folder)
    }

    fn gather(bundled: &[Bundled], folder: Option<&Path>) -> Result<Self, String> {
        let mut faces = Vec::new();
        let mut origins = Vec::new();
        for Bundled { family, name, data } in bundled {
            let fonts = Face::read(&Blob::new(Arc::new(*data)), name);
            let fonts = fonts.map_err(|why| format!("the bundled font {name} {why}"))?;
            origins.extend(fonts.iter().map(|_| family.map_or(Origin::Symbols, Origin::Text)));
            faces.extend(fonts);
        }
        for path in folder.map(font_files).transpose()?.unwrap_or_default() {
            let named = |why: String| format!("the font {} {why}", path.display());
            let data = fs::read(&path).map_err(|error| named(format!("can't be read: {error}")))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let fonts = Face::read(&Blob::from(data), &stem).map_err(named)?;
            origins.extend(fonts.iter().map(|_| Origin::Folder));
            faces.extend(fonts);
        }
        if faces.len() > usize::from(u16::MAX) {
            return Err("there are more than 65535 fonts".to_owned());
        }
        let order = |family, bold| order(&faces, &origins, family, bold);
        let orders = [Family::Sans, Family::Serif, Family::Mono]
            .map(|family| [order(family, false), order(family, true)]);
        Ok(Self { faces, origins, orders, as_drawn: Synthesis::default() })
    }

    /// One of them; the first of all where there is none of that number.
    pub fn face(&self, id: FaceId) -> &Face {
        self.faces.get(usize::from(id.0)).unwrap_or(&self.faces[0])
    }

    /// All of them, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (FaceId, &Face)> {
        self.faces.iter().enumerate().map(|(place, face)| (FaceId(place as u16), face))
    }

    /// Those of a family and weight, in the order in which they are asked for a character: its own, those
    /// of the other families, symbols, the folder's.
    pub fn order(&self, family: Family, bold: bool) -> &[FaceId] {
        &self.orders[family as usize][usize::from(bold)]
    }

    /// Returns `true` if words are set in it: the space of one for symbols is as wide as a symbol.
    pub(super) fn has_words(&self, id: FaceId) -> bool {
        self.origins.get(usize::from(id.0)) != Some(&Origin::Symbols)
    }

    /// The one that sets the height of lines.
    pub fn leading(&self, family: Family, bold: bool) -> &Face {
        self.face(self.order(family, bold)[0])
    }

    /// The height of a line of so many points, where no glyph sticks out of it.
    pub fn line_height(&self, family: Family, bold: bool, size: f32) -> f32 {
        let face = self.leading(family, bold);
        (face.ascent - face.descent) / face.units_per_em * size
    }

    /// Which one shaped text was set in.
    pub(super) fn find(&self, data: &Blob<u8>, index: u32) -> FaceId {
        let place = self.faces.iter().position(|face| face.data.id() == data.id() && face.index == index);
        FaceId(place.unwrap_or_default() as u16)
    }
}

/// Where a font comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// With Scrip, as one of a family.
    Text(Family),
    /// With Scrip: symbols, in one weight.
    Symbols,
    /// The operator's folder.
    Folder,
}

/// The order in which fonts are asked, for one family and weight.
fn order(faces: &[Face], origins: &[Origin], family: Family, bold: bool) -> Vec<FaceId> {
    let weight = if bold { 700.0 } else { 400.0 };
    let mut order: Vec<usize> = (0..faces.len()).collect();
    // Sorting keeps the order of those that compare equal: that of the table above, and of files' names.
    order.sort_by_key(|&place| {
        let face = &faces[place];
        let (distance, has_sibling) = match origins[place] {
            Origin::Text(its) if its == family => (0, true),
            Origin::Text(_) => (1, true),
            Origin::Symbols => (2, false),
            Origin::Folder => (3, false),
        };
        // A bundled font of the other weight has what its sibling has: there is nothing to find in it.
        let other_weight = has_sibling && face.is_bold() != bold;
        (other_weight, distance, face.is_italic, (face.weight - weight).abs() as u32)
    });
    order.into_iter().map(|place| FaceId(place as u16)).collect()
}

/// The fonts in a folder, in the order of their names.
fn font_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("the font folder {} can't be read: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if matches!(ending.as_str(), "ttf" | "otf" | "ttc") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupons::lettering::{Align, Block, Manner, Outlines, Room, Typesetter};

    fn bundled(name: &str) -> &'static [u8] {
        BUNDLED.iter().find(|font| font.name == name).unwrap().data
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, data) in files {
            fs::write(folder.path().join(name), data).unwrap();
        }
        folder
    }

    fn complaint(name: &str, data: &[u8]) -> String {
        let folder = folder(&[("a.ttf", bundled("NotoSans-Bold")), (name, data)]);
        Typefaces::load(Some(folder.path())).unwrap_err()
    }

    #[test]
    fn what_pdf_has_to_say_of_a_font_is_known() {
        let typefaces = Typefaces::load(None).unwrap();
        assert_eq!(typefaces.iter().count(), 26);
        let face = typefaces.leading(Family::Sans, true);
        assert_eq!((face.name.as_str(), face.index, face.outlines), ("NotoSans-Bold", 0, Outlines::Glyf));
        assert_eq!((face.units_per_em, face.ascent, face.descent), (1000.0, 1069.0, -293.0));
        assert_eq!((face.cap_height, face.is_bold(), face.is_italic), (714.0, true, false));
        assert!(face.bounds[0] < 0.0 && face.bounds[3] > face.cap_height);
        let mono = typefaces.leading(Family::Mono, false);
        assert_eq!((mono.advance(40), mono.advance(41), mono.advance(u16::MAX)), (600.0, 600.0, 0.0));
        assert!((typefaces.line_height(Family::Sans, false, 10.0) - 13.62).abs() < 0.001);
    }

    #[test]
    fn a_family_is_asked_before_the_others_and_a_weight_before_the_other() {
        let folder = folder(&[
            ("2.otf", bundled("NotoSansArmenian-Bold")),
            ("1.TTF", bundled("NotoSansArmenian-Regular")),
            ("licence.txt", b"no font, and not taken for one"),
        ]);
        let typefaces = Typefaces::load(Some(folder.path())).unwrap();
        let asked = |family, bold| -> Vec<&str> {
            typefaces.order(family, bold).iter().map(|id| typefaces.face(*id).name.as_str()).collect()
        };
        let regular = asked(Family::Serif, false);
        assert_eq!(
            regular[..4],
            [
                "NotoSerif-Regular",
                "NotoSerifArmenian-Regular",
                "NotoNaskhArabic-Regular",
                "NotoSerifHebrew-Regular"
            ]
        );
        assert_eq!(regular[4], "NotoSans-Regular");
        assert_eq!(regular[10], "NotoSansMono-Regular");
        let symbols = [
            "NotoSansSymbols2-Regular",
            "NotoSansSymbols-Regular",
            "NotoSansMath-Regular",
            "NotoEmoji-Regular",
        ];
        assert_eq!(regular[11..15], symbols);
        assert_eq!(regular[15..17], ["NotoSansArmenian-Regular", "NotoSansArmenian-Bold"]);
        let bold = asked(Family::Mono, true);
        assert_eq!(bold[..2], ["NotoSansMono-Bold", "NotoSans-Bold"]);
        assert_eq!(bold[11..15], symbols);
        assert_eq!(bold[15..17], ["NotoSansArmenian-Bold", "NotoSansArmenian-Regular"]);
        assert_eq!((regular.len(), bold.len()), (28, 28));
    }

    #[test]
    fn a_font_of_the_folder_has_what_others_lack() {
        let latin =
            [Bundled { family: Some(Family::Sans), name: "Latin", data: bundled("NotoSans-Regular") }];
        let set = |folder: Option<&Path>, text: &str| -> (Block, Vec<char>) {
            let mut typesetter = Typesetter::new(Arc::new(Typefaces::gather(&latin, folder).unwrap()));
            let manner =
                Manner { family: Family::Sans, bold: false, size: 10.0, floor: 5.0, align: Align::Start };
            let room = Room { width: 200.0, height: 20.0, lines_max: 1 };
            (typesetter.fit(text, &manner, room), typesetter.missing(text, Family::Sans))
        };
        let text = "Yes: כן, כן";
        let (boxes, missing) = set(None, text);
        assert_eq!(missing, ['כ', 'ן']);
        assert!(boxes.lines[0].runs.iter().all(|run| run.face == FaceId(0)));
        let folder = folder(&[("hebrew.ttf", bundled("NotoSansHebrew-Regular"))]);
        let (block, missing) = set(Some(folder.path()), text);
        assert!(missing.is_empty(), "{missing:?}");
        let faces: Vec<FaceId> = block.lines[0].runs.iter().map(|run| run.face).collect();
        assert!(faces.contains(&FaceId(0)) && faces.contains(&FaceId(1)), "{faces:?}");
    }

    #[test]
    fn what_is_no_font_or_must_not_be_embedded_is_named() {
        let font = bundled("NotoSansHebrew-Regular");
        assert!(complaint("b.otf", b"").contains("b.otf is no font"));
        assert!(complaint("c.ttc", b"ttcf\0\x01\0\0\xff\xff\xff\xff").contains("c.ttc"));
        assert!(complaint("d.ttf", &font[..font.len() / 2]).contains("d.ttf"));
        // The table directory: sixteen bytes an entry, behind twelve; fsType stands at 8 in OS/2.
        let entry = font.chunks(4).position(|tag| tag == b"OS/2").unwrap() * 4;
        let offset = font[entry + 8..entry + 12].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let mut restricted = font.to_vec();
        restricted[offset + 9] = 2;
        assert!(complaint("e.ttf", &restricted).contains("e.ttf must not be embedded"));
        let nowhere = tempfile::tempdir().unwrap().path().join("none");
        assert!(Typefaces::load(Some(&nowhere)).unwrap_err().contains("none can't be read"));
    }
}
