//! What must hold of every PDF.

use super::*;
use crate::{
    campaigns::style::{SheetKind, Style},
    coupons::{area::mm, symbol},
};
use regex::bytes::Regex;
use std::sync::LazyLock;

static TYPEFACES: LazyLock<Arc<Typefaces>> = LazyLock::new(|| Arc::new(Typefaces::load(None).unwrap()));

fn job(sheet: Sheet) -> Print {
    Print {
        sheet,
        logo: None,
        title: "Coffee \u{2013} spring".to_owned(),
        language: "en".to_owned(),
        typefaces: TYPEFACES.clone(),
    }
}

fn labels() -> Print {
    job(Sheet::new(SheetKind::A4ThreeByEight, None, None, None))
}

fn coupons(count: usize) -> Vec<Coupon> {
    let style = Arc::new(Style::default());
    (0..count)
        .map(|n| Coupon {
            code: format!("00000-ABCDEFGH{n:04}"),
            texts: [Some("A coffee on us".to_owned()), Some("Ծանուցում".to_owned()), None, None],
            value: Some("€ 2,50".to_owned()),
            expiry: None,
            style: style.clone(),
        })
        .collect()
}

fn printed(job: &Print, coupons: &[Coupon]) -> Printed {
    print(job, coupons, &mut |_| true).unwrap()
}

fn count(bytes: &[u8], pattern: &str) -> usize {
    Regex::new(pattern).unwrap().find_iter(bytes).count()
}

/// The four numbers of each box of this name.
fn boxes(bytes: &[u8], name: &str) -> Vec<[f32; 4]> {
    let pattern = format!(r"/{name} \[([0-9.]+) ([0-9.]+) ([0-9.]+) ([0-9.]+)\]");
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse::<f32>().unwrap();
    let found = Regex::new(&pattern).unwrap();
    found.captures_iter(bytes).map(|found| [1, 2, 3, 4].map(|group| number(&found[group]))).collect()
}

/// What the file's streams say that are drawings.
fn drawings(bytes: &[u8]) -> Vec<String> {
    let stream = Regex::new(r"(?s-u)stream\n(.*?)\nendstream").unwrap();
    let unpacked = stream.captures_iter(bytes).filter_map(|found| {
        let bytes = miniz_oxide::inflate::decompress_to_vec_zlib(&found[1]).ok()?;
        String::from_utf8(bytes).ok()
    });
    unpacked.filter(|text| text.contains(" cm\n") || text.contains("BT\n")).collect()
}

#[test]
fn the_same_coupons_are_the_same_bytes() {
    let (job, mut coupons) = (labels(), coupons(30));
    let first = printed(&job, &coupons);
    assert_eq!(first, printed(&job, &coupons));
    assert_eq!((first.pages, first.coupons), (2, 30));
    coupons[29].code.push('X');
    assert_ne!(first.bytes, printed(&job, &coupons).bytes);
    assert_eq!(count(&first.bytes, "CreationDate|ModDate"), 0);
}

#[test]
fn what_coupons_share_is_written_once() {
    let (job, mut coupons) = (labels(), coupons(100));
    // The artwork, and marks with their ruler.
    assert_eq!(count(&printed(&job, &coupons).bytes, "/Subtype /Form"), 2);
    for (n, coupon) in coupons.iter_mut().enumerate() {
        coupon.texts[2] = Some(format!("Table {n}"));
    }
    assert_eq!(count(&printed(&job, &coupons).bytes, "/Subtype /Form"), 101);
}

#[test]
fn every_page_has_its_boxes() {
    let near = |one: [f32; 4], other: [f32; 4]| one.iter().zip(other).all(|(a, b)| (a - mm(b)).abs() < 0.01);
    let bytes = printed(&job(Sheet::new(SheetKind::A6, Some(mm(3.0)), Some(true), None)), &coupons(2)).bytes;
    for (name, expected) in [
        ("MediaBox", [0.0, 0.0, 129.0, 172.0]),
        ("CropBox", [0.0, 0.0, 129.0, 172.0]),
        ("BleedBox", [9.0, 9.0, 120.0, 163.0]),
        ("TrimBox", [12.0, 12.0, 117.0, 160.0]),
    ] {
        let boxes = boxes(&bytes, name);
        assert!(boxes.len() == 2 && boxes.iter().all(|found| near(*found, expected)), "{name}: {boxes:?}");
    }
    let bytes = printed(&labels(), &coupons(25)).bytes;
    for name in ["MediaBox", "CropBox", "BleedBox", "TrimBox"] {
        let boxes = boxes(&bytes, name);
        assert!(
            boxes.len() == 2 && boxes.iter().all(|found| near(*found, [0.0, 0.0, 210.0, 297.0])),
            "{name}"
        );
    }
}

#[test]
fn receipts_are_as_long_as_what_they_say() {
    let mut coupons = coupons(2);
    coupons[1].texts[2] = Some("Thank you for your visit. ".repeat(8));
    let bytes = printed(&job(Sheet::new(SheetKind::Receipt58, None, None, None)), &coupons).bytes;
    let boxes = boxes(&bytes, "MediaBox");
    assert!((boxes[0][2] - mm(58.0)).abs() < 0.01 && boxes[1][3] > boxes[0][3] + 30.0, "{boxes:?}");
}

#[test]
fn a_page_paints_the_dark_modules_of_each_code_in_black_alone() {
    let coupons = coupons(3);
    let drawings = drawings(&printed(&labels(), &coupons).bytes);
    let page = drawings.iter().find(|text| text.contains(" re\n")).unwrap();
    let symbols: Vec<Vec<symbol::Block>> = page
        .split("q\n0 0 0 1 k\n")
        .skip(1)
        .map(|path| {
            let lines = path.lines().filter_map(|line| line.strip_suffix(" re"));
            lines
                .map(|line| {
                    let numbers: Vec<usize> = line.split(' ').map(|word| word.parse().unwrap()).collect();
                    numbers.try_into().unwrap()
                })
                .collect()
        })
        .collect();
    let expected: Vec<Vec<symbol::Block>> =
        coupons.iter().map(|coupon| Plan::of(&coupon.code).unwrap().draw().unwrap().blocks()).collect();
    assert_eq!(symbols, expected);
    for drawing in &drawings {
        assert!(drawing.lines().all(|line| !line.ends_with(" rg") && !line.ends_with(" g")), "{drawing}");
        let inks = drawing.lines().filter(|line| line.ends_with(" k"));
        assert!(inks.clone().all(|line| line.starts_with("0 0 0 ")), "{drawing}");
    }
}

#[test]
fn whoever_watches_can_end_it() {
    let mut told = Vec::new();
    let ended = print(&labels(), coupons(100), &mut |count| {
        told.push(count);
        count < 48
    });
    assert_eq!((ended, told), (Err(Flaw::Stopped), vec![24, 48]));
}

#[test]
fn what_was_done_is_counted() {
    let (job, mut coupons) = (labels(), coupons(10));
    let endless = "A headline that goes on and on ".repeat(10);
    coupons[4].texts[0] = Some(endless.clone());
    coupons[7].texts[0] = Some(endless);
    coupons[8].texts[1] = Some("\u{4e00}".to_owned());
    coupons[9].texts[1] = Some("\u{4e8c}".to_owned());
    let remarks = printed(&job, &coupons).remarks;
    let cut = remarks.iter().find(|remark| remark.note.outcome == Outcome::Cut).unwrap();
    assert_eq!((cut.coupons, cut.example.as_str()), (2, "00000-ABCDEFGH0004"));
    let missing = remarks.iter().find(|remark| matches!(remark.note.outcome, Outcome::Missing(_))).unwrap();
    assert_eq!(missing.coupons, 2);
    assert_eq!(missing.note.outcome, Outcome::Missing(vec!['\u{4e00}', '\u{4e8c}']));
    // The same is known without printing.
    assert!(check(&job, &coupons[4]).unwrap().contains(&cut.note));
}

#[test]
fn no_coupons_are_an_empty_page() {
    let nothing = printed(&labels(), &[]);
    assert_eq!((nothing.pages, nothing.coupons), (1, 0));
    let receipt = printed(&job(Sheet::new(SheetKind::Receipt80, None, None, None)), &[]);
    assert!(boxes(&receipt.bytes, "MediaBox")[0][3] > 0.0);
}

#[test]
fn text_that_is_read_from_right_to_left_says_one_character_a_glyph() {
    let mut coupons = coupons(1);
    // A ligature of two letters between others.
    coupons[0].texts = [Some("\u{628}\u{644}\u{627}\u{628}".to_owned()), None, None, None];
    let bytes = printed(&labels(), &coupons).bytes;
    let stream = Regex::new(r"(?s-u)stream\n(.*?)\nendstream").unwrap();
    let maps = stream.captures_iter(&bytes).filter_map(|found| {
        let bytes = miniz_oxide::inflate::decompress_to_vec_zlib(&found[1]).ok()?;
        String::from_utf8(bytes).ok().filter(|text| text.contains("beginbfchar"))
    });
    let arabic = maps.into_iter().find(|map| map.contains("<0644>")).unwrap();
    assert!(
        arabic.lines().filter(|line| line.starts_with('<')).all(|line| line.len() <= "<0001> <0627>".len())
    );
}

#[test]
fn vowel_points_are_said_once() {
    let mut coupons = coupons(1);
    let text = "\u{5e9}\u{5c1}\u{5b8}\u{5dc}\u{5d5}\u{5b9}\u{5dd}";
    coupons[0].texts = [Some(text.to_owned()), None, None, None];
    let drawings = drawings(&printed(&labels(), &coupons).bytes);
    let art = drawings.iter().find(|text| text.contains("/Span")).unwrap();
    // The points are drawn by glyphs that say nothing, and said by glyphs that are not drawn.
    assert_eq!(art.matches("/ActualText ()").count(), 1, "{art}");
    assert_eq!(art.matches("3 Tr").count(), 2, "{art}");
}
