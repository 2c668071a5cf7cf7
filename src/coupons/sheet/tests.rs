//! What must hold of every sheet.

use super::*;
use proptest::prelude::*;

fn near(left: f32, millimetres: f32) -> bool {
    (left - mm(millimetres)).abs() < 0.05
}

fn box_of(mark: &Mark) -> Area {
    let (x, y) = (mark.from.0.min(mark.to.0), mark.from.1.min(mark.to.1));
    Area::new(x, y, (mark.from.0 - mark.to.0).abs(), (mark.from.1 - mark.to.1).abs())
}

#[test]
fn labels_stand_where_those_that_are_sold_do() {
    let cases = [
        (SheetKind::A4ThreeByEight, 7.25, 12.9),
        (SheetKind::A4ThreeBySeven, 7.25, 15.15),
        (SheetKind::A4TwoBySeven, 4.65, 15.15),
        (SheetKind::A4FourByTen, 9.85, 21.5),
        (SheetKind::LetterTwoBySeven, 3.97, 21.17),
        (SheetKind::LetterThreeByEight, 4.76, 12.7),
        (SheetKind::LetterThreeByTen, 4.76, 12.7),
        (SheetKind::LetterFourByTen, 4.76, 12.7),
    ];
    for (kind, side, top) in cases {
        let page = Sheet::new(kind, None, None, None).page(0.0, true);
        let (first, last) = (page.cells[0], page.cells[page.cells.len() - 1]);
        assert!(near(first.x, side) && near(first.y, top), "{kind:?}: {first:?}");
        assert!((page.media.right() - last.right() - first.x).abs() < 0.01, "{kind:?}: {last:?}");
        assert!((page.media.bottom() - last.bottom() - first.y).abs() < 0.01, "{kind:?}: {last:?}");
        assert!(page.ruler.is_some_and(|ruler| ruler.millimetres == 100), "{kind:?}");
    }
}

#[test]
fn a_single_coupon_grows_by_its_bleed_and_its_marks() {
    let page = Sheet::new(SheetKind::A6, Some(mm(3.0)), Some(true), None).page(0.0, true);
    assert!(near(page.trim.width, 105.0) && near(page.trim.height, 148.0));
    assert!(near(page.bleed.width, 111.0) && near(page.bleed.height, 154.0));
    assert!(near(page.media.width, 129.0) && near(page.media.height, 172.0));
    let page = Sheet::new(SheetKind::A6, Some(mm(3.0)), None, None).page(0.0, true);
    assert_eq!(page.media, page.bleed);
    let page = Sheet::new(SheetKind::A6, None, None, None).page(0.0, true);
    assert_eq!((page.media, page.bleed), (page.trim, page.trim));
    let page = Sheet::new(SheetKind::A6, Some(mm(99.0)), None, None).page(0.0, true);
    assert!(near(page.bleed.width, 125.0));
}

#[test]
fn a_strip_is_as_long_as_its_coupon_and_its_ruler() {
    let sheet = Sheet::new(SheetKind::Receipt58, Some(mm(3.0)), Some(true), Some(true));
    let (first, second) = (sheet.page(200.0, true), sheet.page(200.0, false));
    assert!(near(first.media.width, 58.0) && first.marks.is_empty());
    assert!(first.media.height > 200.0 && first.ruler.is_some());
    assert_eq!((second.media.height, second.ruler), (200.0, None));
}

#[test]
fn a_used_sheet_is_begun_behind_its_last_label() {
    let whole = Sheet::new(SheetKind::A4ThreeBySeven, None, None, None);
    let (sheet, cells) = (whole.starting_at(7), whole.page(0.0, true).cells);
    assert_eq!((sheet.coupons_on(true), sheet.coupons_on(false), sheet.coupons()), (15, 21, 21));
    assert_eq!(sheet.page(0.0, true).cells, cells[6..]);
    assert_eq!(sheet.page(0.0, false).cells, cells);
    // The seventh label of three in a row is the first of the third.
    assert!(near(cells[6].x, 7.25) && near(cells[6].y, 15.15 + 2.0 * 38.1), "{:?}", cells[6]);
    assert_eq!(whole.starting_at(21).page(0.0, true).cells, cells[20..]);
    for start in [0, 1, 22, usize::MAX] {
        assert_eq!(whole.starting_at(start), whole, "{start}");
    }
}

proptest! {
    #[test]
    fn what_is_moved_is_as_it_was_elsewhere(
        kind in proptest::sample::select(&SheetKind::ALL[..]),
        right in -10.0f32..10.0,
        down in -10.0f32..10.0,
    ) {
        let sheet = Sheet::new(kind, Some(mm(3.0)), Some(true), Some(true));
        let (before, after) = (sheet.page(200.0, true), sheet.moved(mm(right), mm(down)).page(200.0, true));
        prop_assert_eq!((before.media, before.trim, before.bleed), (after.media, after.trim, after.bleed));
        let apart = |one: (f32, f32), other: (f32, f32)| {
            near(other.0 - one.0, right) && near(other.1 - one.1, down)
        };
        prop_assert_eq!((before.cells.len(), before.marks.len()), (after.cells.len(), after.marks.len()));
        for (one, other) in before.cells.iter().zip(&after.cells) {
            prop_assert!(apart((one.x, one.y), (other.x, other.y)));
            prop_assert_eq!((one.width, one.height), (other.width, other.height));
        }
        for (one, other) in before.marks.iter().zip(&after.marks) {
            prop_assert!(apart(one.from, other.from) && apart(one.to, other.to));
        }
        let corner = |page: &Page| page.ruler.map(|ruler| (ruler.x, ruler.y));
        prop_assert_eq!(corner(&before).is_some(), corner(&after).is_some());
        prop_assert!(corner(&before).zip(corner(&after)).is_none_or(|(one, other)| apart(one, other)));
    }

    #[test]
    fn nothing_on_a_page_lies_on_a_coupon_or_off_the_paper(
        kind in proptest::sample::select(&SheetKind::ALL[..]),
        bleed in proptest::option::of(-10.0f32..60.0),
        marks in proptest::option::of(any::<bool>()),
        ruler in proptest::option::of(any::<bool>()),
        height in 50.0f32..900.0,
        first in any::<bool>(),
    ) {
        let sheet = Sheet::new(kind, bleed, marks, ruler);
        let page = sheet.page(height, first);
        prop_assert_eq!(page.cells.len(), sheet.coupons());
        prop_assert!(page.media.holds(&page.bleed) && page.bleed.holds(&page.trim));
        for (n, cell) in page.cells.iter().enumerate() {
            prop_assert!(page.trim.holds(cell));
            prop_assert!(page.cells[n + 1..].iter().all(|other| !cell.overlaps(other)));
            let inner = cell.grown(sheet.cell().bleed).grown(0.1);
            let mut marks = page.marks.iter().map(box_of);
            let apart = marks.all(|mark| page.media.holds(&mark) && !inner.overlaps(&mark.grown(0.05)));
            prop_assert!(apart);
            if let Some(ruler) = page.ruler {
                let scale = Area::new(ruler.x, ruler.y, mm(f32::from(ruler.millimetres)), TICK);
                prop_assert!(page.media.holds(&scale) && !inner.overlaps(&scale));
                let apart = page.marks.iter().all(|mark| !box_of(mark).grown(0.1).overlaps(&scale));
                prop_assert!(apart);
            }
        }
    }
}
