//! Product numbers (PLU) that are composed of a base, a flavour and an extra: pure.
//!
//! Machines without a notion of flavours sell espresso as 5 and espresso with vanilla as 105: the
//! base plus so many steps for the flavour, plus so many larger (or smaller) steps for the extra.

use crate::{campaigns::terms::Checks, error::Result};

/// The highest number of a product, a flavour or an extra.
pub const PLU_MAX: i64 = i32::MAX as i64;

/// What a flavour and an extra add to the number of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    flavour: Option<i64>,
    extra: Option<i64>,
}

/// What a number is composed of. A flavour or an extra of 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// The number of the product without either.
    pub base: i64,
    /// The number of the flavour.
    pub flavour: i64,
    /// The number of the extra.
    pub extra: i64,
}

impl Steps {
    /// Reads both steps; without one there are no flavours, or no extras. Only where one step is a
    /// whole number of the other's can a number be read in one way alone.
    pub fn read(flavour: Option<i64>, extra: Option<i64>) -> Result<Self> {
        let mut checks = Checks::default();
        checks.number("/flavourPLU", flavour.unwrap_or(2), 2, PLU_MAX);
        checks.number("/extraProductPLU", extra.unwrap_or(2), 2, PLU_MAX);
        if let (Some(flavour @ 2..), Some(extra @ 2..)) = (flavour, extra)
            && (flavour == extra || flavour.max(extra) % flavour.min(extra) != 0)
        {
            checks.wrong("/extraProductPLU", "must be a multiple of flavourPLU, or the other way round");
        }
        checks.done()?;
        Ok(Self { flavour, extra })
    }

    /// Takes a number apart.
    pub fn digits(self, plu: i64) -> Digits {
        match (self.flavour, self.extra) {
            (None, None) => Digits { base: plu, flavour: 0, extra: 0 },
            (Some(flavour), None) => Digits { base: plu % flavour, flavour: plu / flavour, extra: 0 },
            (None, Some(extra)) => Digits { base: plu % extra, flavour: 0, extra: plu / extra },
            (Some(flavour), Some(extra)) if flavour < extra => {
                Digits { base: plu % flavour, flavour: plu % extra / flavour, extra: plu / extra }
            }
            (Some(flavour), Some(extra)) => {
                Digits { base: plu % extra, flavour: plu / flavour, extra: plu % flavour / extra }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(flavour: Option<i64>, extra: Option<i64>) -> Steps {
        Steps::read(flavour, extra).unwrap()
    }

    #[test]
    fn a_number_is_taken_apart_by_its_steps() {
        let cases = [
            (Some(100), Some(1000), 5, (5, 0, 0)),
            (Some(100), Some(1000), 105, (5, 1, 0)),
            (Some(100), Some(1000), 1005, (5, 0, 1)),
            (Some(100), Some(1000), 2105, (5, 1, 2)),
            (Some(1000), Some(100), 2105, (5, 2, 1)),
            (Some(100), Some(1000), 99, (99, 0, 0)),
            (Some(100), Some(1000), 12_999, (99, 9, 12)),
            (Some(100), None, 1205, (5, 12, 0)),
            (None, Some(100), 1205, (5, 0, 12)),
            (None, None, 1205, (1205, 0, 0)),
        ];
        for (flavour, extra, plu, (base, n, m)) in cases {
            let digits = Digits { base, flavour: n, extra: m };
            assert_eq!(steps(flavour, extra).digits(plu), digits, "{flavour:?} {extra:?} {plu}");
        }
    }

    #[test]
    fn steps_that_leave_a_doubt_are_refused() {
        let cases = [
            (Some(1), None, "/flavourPLU"),
            (Some(-100), Some(100), "/flavourPLU"),
            (None, Some(0), "/extraProductPLU"),
            (None, Some(PLU_MAX + 1), "/extraProductPLU"),
            (Some(100), Some(100), "/extraProductPLU"),
            (Some(100), Some(250), "/extraProductPLU"),
            (Some(i64::MIN), Some(i64::MAX), "/flavourPLU"),
        ];
        for (flavour, extra, pointer) in cases {
            let problem = Steps::read(flavour, extra).unwrap_err().problem();
            assert_eq!(problem.errors[0].pointer, pointer, "{flavour:?} {extra:?}");
        }
    }

    proptest! {
        #[test]
        fn digits_put_together_are_the_number(
            small in 2i64..10_000,
            factor in 2i64..1_000,
            flavours_first: bool,
            plu in 0..=PLU_MAX,
        ) {
            let (flavour, extra) =
                if flavours_first { (small, small * factor) } else { (small * factor, small) };
            let digits = steps(Some(flavour), Some(extra)).digits(plu);
            prop_assert_eq!(digits.base + digits.flavour * flavour + digits.extra * extra, plu);
            prop_assert!((0..small).contains(&digits.base));
            let inner = if flavours_first { digits.flavour } else { digits.extra };
            prop_assert!(inner < factor, "the smaller step is counted below the larger one");
        }
    }
}
