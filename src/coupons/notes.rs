//! What had to be done for texts to fit on coupons, as the API says it: whoever wrote them can write
//! them otherwise.

use super::{
    coupon::{self, Outcome},
    press::Remark,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of a part of some coupons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PdfNote)]
pub struct Note {
    /// Which part: `text1` to `text4`, `value`, `expiry`, `code`, `code128` or `logo`.
    pub part: String,
    /// What was done.
    pub outcome: NoteOutcome,
    /// The size in points, the number of lines, or the characters or properties in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many coupons it was done on.
    pub coupons: i64,
    /// The code of the first of them.
    pub example: String,
}

/// What was done for a part to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PdfNoteOutcome)]
pub enum NoteOutcome {
    /// It is smaller than it was to be.
    Shrunk,
    /// It is as small as it gets, and on several lines.
    Wrapped,
    /// Its end is missing.
    Cut,
    /// There was no room for it.
    Omitted,
    /// No font has some of its characters.
    Unprintable,
    /// No coupon follows some properties of its style.
    Ignored,
}

impl Note {
    /// Of so many coupons, the first of which has the code `example`.
    pub fn of(note: &coupon::Note, coupons: usize, example: &str) -> Self {
        let (outcome, detail) = match &note.outcome {
            Outcome::Shrunk(size) => (NoteOutcome::Shrunk, Some(format!("{size:.1}"))),
            Outcome::Wrapped(lines) => (NoteOutcome::Wrapped, Some(lines.to_string())),
            Outcome::Cut => (NoteOutcome::Cut, None),
            Outcome::LeftOut => (NoteOutcome::Omitted, None),
            Outcome::Ignored(properties) => (NoteOutcome::Ignored, Some(properties.clone())),
            Outcome::Missing(characters) => (NoteOutcome::Unprintable, Some(characters.iter().collect())),
        };
        let part = note.part.word().to_owned();
        Self { part, outcome, detail, coupons: coupons as i64, example: example.to_owned() }
    }
}

impl From<&Remark> for Note {
    fn from(remark: &Remark) -> Self {
        Self::of(&remark.note, remark.coupons, &remark.example)
    }
}

/// One note a part and outcome, of the notes of several PDFs.
pub fn merged(notes: impl IntoIterator<Item = Note>) -> Vec<Note> {
    let mut all: Vec<Note> = Vec::new();
    for note in notes {
        match all.iter_mut().find(|known| (&known.part, known.outcome) == (&note.part, note.outcome)) {
            Some(known) => known.coupons += note.coupons,
            None => all.push(note),
        }
    }
    all
}
