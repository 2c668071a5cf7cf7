//! Code 128: the bars of a code, as few as there can be.

use barcoders::sym::code128::Code128;

/// Modules that stay white at its left and right.
pub const QUIET: usize = 10;

/// By what `barcoders` is told to go on with set B: all of ASCII that can be seen.
const SET_B: char = '\u{0181}';
/// By what it is told to go on with set C: pairs of digits.
const SET_C: char = '\u{0106}';
/// Modules of a symbol; the last has two more.
const SYMBOL: usize = 11;
/// Symbols that are no characters: the first, the check sum and the last.
const FRAME: usize = 3;

/// The sets of Code 128 that codes are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    B,
    C,
}

/// How a code is written: in which set from which character on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    data: String,
    symbols: usize,
}

/// A bar: its left edge and its width, in modules.
pub type Bar = [usize; 2];

impl Bars {
    /// The shortest way to write `code`, or none if it has characters that Code 128 lacks.
    pub fn of(code: &str) -> Option<Self> {
        if code.is_empty() || !code.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return None;
        }
        let code = code.as_bytes();
        // Symbols that the rest takes from each place on, with each of the sets in force there.
        let mut costs = vec![[0usize; 2]; code.len() + 2];
        for at in (0..code.len()).rev() {
            let one = 1 + costs[at + 1][0];
            let two = if pair(code, at) { 1 + costs[at + 2][1] } else { usize::MAX - 1 };
            costs[at] = [one.min(two + 1), two.min(one + 1)];
        }
        let mut set = if costs[0][1] < costs[0][0] { Set::C } else { Set::B };
        let (mut data, mut symbols, mut at) = (String::from(letter(set)), FRAME, 0);
        while at < code.len() {
            let stay = match set {
                Set::B => costs[at][0] == 1 + costs[at + 1][0],
                Set::C => pair(code, at) && costs[at][1] == 1 + costs[at + 2][1],
            };
            if stay {
                let taken = if set == Set::C { 2 } else { 1 };
                data.extend(code[at..at + taken].iter().copied().map(char::from));
                at += taken;
            } else {
                set = if set == Set::B { Set::C } else { Set::B };
                data.push(letter(set));
            }
            symbols += 1;
        }
        Some(Self { data, symbols })
    }

    /// Its modules from the first bar to the last.
    pub fn width(&self) -> usize {
        self.symbols * SYMBOL + 2
    }

    /// Its bars.
    pub fn draw(&self) -> Vec<Bar> {
        let modules = Code128::new(&self.data).map(|code| code.encode()).unwrap_or_default();
        let mut bars: Vec<Bar> = Vec::new();
        for (at, _) in modules.iter().enumerate().filter(|(_, module)| **module == 1) {
            match bars.last_mut() {
                Some([from, width]) if *from + *width == at => *width += 1,
                _ => bars.push([at, 1]),
            }
        }
        bars
    }
}

/// Whether two digits stand at a place.
fn pair(code: &[u8], at: usize) -> bool {
    code.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_digit))
}

const fn letter(set: Set) -> char {
    match set {
        Set::B => SET_B,
        Set::C => SET_C,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_go_in_pairs_where_that_is_shorter() {
        let symbols = |code| Bars::of(code).unwrap().symbols;
        assert_eq!(symbols("12345678"), FRAME + 4);
        assert_eq!(symbols("1234567"), FRAME + 5);
        assert_eq!(symbols("A12B"), FRAME + 4);
        assert_eq!(symbols("A1234B"), FRAME + 6);
        assert_eq!(symbols("A123456B"), FRAME + 7);
        // Two pairs, to set B, and the rest.
        assert_eq!(symbols("00000-ABCDEFGHJKMN"), FRAME + 2 + 1 + 14);
        assert_eq!(Bars::of("caf\u{e9}"), None);
        assert_eq!(Bars::of("a\u{7f}"), None);
        assert_eq!(Bars::of(""), None);
    }

    proptest! {
        #[test]
        fn every_code_has_as_many_modules_as_it_says(code in "[ -~]{1,64}|[0-9]{1,64}|[0-9]{0,9}[A-Z]{0,5}[0-9]{1,9}") {
            let bars = Bars::of(&code).unwrap();
            let drawn = bars.draw();
            let [from, width] = drawn[drawn.len() - 1];
            prop_assert_eq!(from + width, bars.width());
            prop_assert!(drawn.windows(2).all(|pair| pair[0][0] + pair[0][1] < pair[1][0]));
            // Nobody needs more symbols than one a character.
            prop_assert!(bars.symbols <= FRAME + code.len());
        }
    }
}
