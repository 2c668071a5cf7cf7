//! Where numbers stand along the horizontal axis, and how they are written there.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// How x is spread out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// By powers of ten; zero stands a decade before the first number.
    Powers,
}

/// The horizontal axis of a figure: from the first number that was measured at to the last, ticks at each.
#[derive(Clone)]
pub(crate) struct Axis {
    scale: Scale,
    xs: Vec<f64>,
}

impl Axis {
    pub(crate) const fn new(scale: Scale, xs: Vec<f64>) -> Self {
        Self { scale, xs }
    }

    fn position(&self, x: f64) -> f64 {
        match self.scale {
            Scale::Linear => x,
            Scale::Powers if x > 0.0 => x.log10(),
            Scale::Powers => self.xs.iter().find(|x| **x > 0.0).map_or(0.0, |first| first.log10() - 1.0),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a pixel of a page")]
    fn map(&self, x: &f64, (left, right): (i32, i32)) -> i32 {
        const MARGIN: f64 = 0.08;
        let Range { start, end } = self.range();
        let (first, last) = (self.position(start), self.position(end));
        let share = if last > first { (self.position(*x) - first) / (last - first) } else { 0.5 };
        left + (f64::from(right - left) * (MARGIN + share * (1.0 - 2.0 * MARGIN))).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.xs.clone()
    }

    fn range(&self) -> Range<f64> {
        let (first, last) = (self.xs.first(), self.xs.last());
        first.copied().unwrap_or_default()..last.copied().unwrap_or_default()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, x: &f64) -> String {
        written(*x)
    }
}

/// A number as people write it: large powers of ten as such.
pub(crate) fn written(x: f64) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = format!("{x:.0}");
    let is_power = x >= 1000.0 && digits.starts_with('1') && digits[1..].chars().all(|digit| digit == '0');
    match RAISED.get(digits.len() - 1) {
        Some(raised) if is_power => format!("10{raised}"),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_written_as_such() {
        let numbers = [0.0, 1.0, 10.0, 1000.0, 20_000.0, 10_000_000.0].map(written);
        assert_eq!(numbers, ["0", "1", "10", "10³", "20000", "10⁷"]);
    }

    #[test]
    fn zero_stands_before_the_first_power() {
        let axis = Axis::new(Scale::Powers, vec![0.0, 1e6, 1e7]);
        let [zero, first, second] = [0.0, 1e6, 1e7].map(|x| axis.map(&x, (0, 1000)));
        assert_eq!(second - first, first - zero);
    }
}
