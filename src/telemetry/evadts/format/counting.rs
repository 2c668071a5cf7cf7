//! Counters: in which elements they stand, and since when they count.

use super::{Segment, element::number};

/// How many, and of which worth. Not every machine counts both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub number: Option<i64>,
    /// For how much, in the report's decimals.
    pub value: Option<i64>,
}

/// The elements that a counter stands in.
#[derive(Clone, Copy)]
pub(super) struct Elements {
    number: usize,
    value: usize,
}

/// Since when a machine's counters count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// Since it was set up: such counters go on for ever.
    #[default]
    SetUp,
    /// Since they were reset when it was last read so: it has no others.
    Reset,
}

/// Where counters of the whole machine stand: since it was set up, and two elements on since the reset.
pub(super) const MACHINES: Elements = Elements { number: 2, value: 1 };

/// Where those of a selection do.
pub(super) const SELECTIONS: Elements = Elements { number: 1, value: 2 };

/// Where those of its discounted vends do.
pub(super) const DISCOUNTS: Elements = Elements { number: 5, value: 6 };

/// Where those of a means of payment do.
pub(super) const PARTS: Elements = Elements { number: 5, value: 6 };

impl Since {
    /// The elements to read of those that count since the machine was set up.
    pub(super) fn of(self, elements: Elements) -> Elements {
        let Elements { number, value } = elements;
        match self {
            Self::SetUp => elements,
            Self::Reset => Elements { number: number + 2, value: value + 2 },
        }
    }
}

/// Since when a report counts. All counters of one do so since the same time: counts since the reset hold
/// where there are no others, neither of the machine nor of any selection.
pub(super) fn since(segments: &[Segment]) -> Since {
    let any = |since: Since| {
        segments.iter().any(|segment| {
            let at = match segment.tag.as_str() {
                "VA1" => MACHINES,
                "PA2" => SELECTIONS,
                "PA7" => PARTS,
                _ => return false,
            };
            !segment.text(since.of(at).number).is_empty()
        })
    };
    if !any(Since::SetUp) && any(Since::Reset) { Since::Reset } else { Since::SetUp }
}

pub(super) fn count(segment: &Segment, at: Elements) -> Result<Count, String> {
    let read = |at| number(segment.text(at)).map_err(|detail| format!("element {at}: {detail}"));
    Ok(Count { number: read(at.number)?, value: read(at.value)? })
}
