//! How times are spread: counts in classes that grow with what they hold, to within 0.1 %.

/// Times up to this many microseconds have a class each; above, classes double in width as times double.
const EXACT: u64 = 2048;
const HALF: usize = EXACT as usize / 2;
/// Times from 2³⁶ µs, about 19 hours, on count as that.
const LARGEST_POWER: u32 = 36;

/// Times in microseconds, counted.
#[derive(Clone)]
pub(crate) struct Spread {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Spread {
    pub(crate) fn new() -> Self {
        let classes = EXACT as usize + HALF * (LARGEST_POWER - EXACT.ilog2()) as usize;
        Self { counts: vec![0; classes], total: 0, max: 0 }
    }

    pub(crate) fn add(&mut self, micros: u64) {
        let micros = micros.min((1 << LARGEST_POWER) - 1);
        self.counts[class(micros)] += 1;
        self.total += 1;
        self.max = self.max.max(micros);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// The time that this share of all did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return highest(class).min(self.max);
            }
        }
        self.max
    }
}

fn class(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let doublings = micros.ilog2() - EXACT.ilog2() + 1;
    HALF * doublings as usize + (micros >> doublings) as usize
}

fn highest(class: usize) -> u64 {
    if class < EXACT as usize {
        return class as u64;
    }
    let doublings = class / HALF - 1;
    (((class - HALF * doublings) as u64 + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_highest_and_not_the_next() {
        for micros in (0..5000).chain([65_535, 65_536, 1_000_000, (1 << LARGEST_POWER) - 1]) {
            let highest = highest(class(micros));
            assert!(
                highest >= micros && highest - micros <= micros / 1000,
                "{micros} in a class up to {highest}"
            );
            assert_eq!(class(highest), class(micros));
            assert!(class(highest + 1) > class(micros));
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut spread = Spread::new();
        (1..=1000).for_each(|micros| spread.add(micros));
        assert_eq!((spread.quantile(0.5), spread.quantile(0.99), spread.quantile(1.0)), (500, 990, 1000));
        assert_eq!(Spread::new().quantile(0.5), 0);
    }
}
