//! Whether what a chart asks for makes sense, and what it amounts to: pure.
//!
//! Out of it come columns, sources and ways to compare that are known here; what the client wrote is
//! left in values alone.

use super::{
    criteria::{Criteria, Op, Period, Selected, TimeFrame, ViewType},
    period::{Grain, HOURS_MAX, Span},
    source::{Measure, Source, Table},
};
use crate::{
    error::Issue,
    http::list::{Column, Kind, value::Condition},
    text::flaw,
    time,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// Columns, conditions and names to order by, each.
const LISTED_MAX: usize = 20;

/// Time frames.
const FRAMES_MAX: usize = 12;

/// Characters of a value to compare with, which may be several.
const VALUE_MAX_CHARS: usize = 4_000;

/// Days of rows that are looked at one by one.
const DAYS_ONE_BY_ONE: i64 = 92;

/// What the answer calls the frame, its part, and a currency that was not asked for.
pub const FRAME: &str = "timeFrame";
/// See [`FRAME`].
pub const PERIOD: &str = "period";
/// See [`FRAME`].
pub const CURRENCY: &str = "currency";

/// When it is, and where.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The present.
    pub now: DateTime<Utc>,
    /// The zones of all places whose rows are seen, at least one.
    pub zones: &'a [Tz],
}

/// Criteria that make sense.
#[derive(Debug)]
pub struct Plan {
    /// Where the rows come from.
    pub source: &'static Source,
    /// The coarsest rows that will do.
    pub table: &'static Table,
    /// The columns of the answer.
    pub outputs: Vec<Output>,
    /// What rows must meet.
    pub conditions: Vec<Condition>,
    /// Outputs to order by, by their places, and whether downwards.
    pub order: Vec<(usize, bool)>,
    /// The frames.
    pub frames: Vec<TimeFrame>,
    /// The time that they are about.
    pub at: &'static str,
}

/// A column of the answer.
#[derive(Debug)]
pub struct Output {
    /// What the answer calls it.
    pub name: String,
    /// Its kind.
    pub shows: Shows,
}

/// What a column of the answer is.
#[derive(Clone, Copy, Debug)]
pub enum Shows {
    /// Which frame.
    Frame,
    /// Which part of the frame.
    Period,
    /// What rows are grouped by.
    Group(&'static Column),
    /// How many different ones.
    Count(&'static Column),
    /// The first.
    Min(&'static Column),
    /// The last.
    Max(&'static Column),
    /// Added up.
    Sum(&'static Measure),
    /// On average.
    Average(&'static Measure),
}

impl Shows {
    /// Whether rows are grouped by it.
    pub fn groups(self) -> bool {
        matches!(self, Self::Frame | Self::Period | Self::Group(_))
    }

    fn is_money(self) -> bool {
        matches!(self, Self::Sum(measure) | Self::Average(measure) if measure.money)
    }

    /// What rows must have for it.
    fn needs(self) -> Option<&'static Column> {
        match self {
            Self::Group(known) | Self::Count(known) | Self::Min(known) | Self::Max(known) => Some(known),
            Self::Frame | Self::Period | Self::Sum(_) | Self::Average(_) => None,
        }
    }
}

/// Reads criteria, and gathers what is wrong with them.
struct Reader<'a> {
    criteria: &'a Criteria,
    source: &'static Source,
    issues: Vec<Issue>,
}

impl Plan {
    /// Reads criteria; all that is wrong with them otherwise, by pointers into what they stand in.
    pub fn of(criteria: &Criteria, moment: Moment<'_>) -> Result<Self, Vec<Issue>> {
        let source = criteria.from.source();
        let mut reader = Reader { criteria, source, issues: Vec::new() };
        reader.sizes();
        if !reader.issues.is_empty() {
            return Err(reader.issues);
        }
        let outputs = reader.outputs();
        let conditions = reader.conditions();
        let order = reader.order(&outputs);
        let at = reader.frames(moment);
        let table = reader.table(&outputs, &conditions, moment);
        match table {
            Some(table) if reader.issues.is_empty() => Ok(Self {
                source,
                table,
                outputs,
                conditions,
                order,
                frames: criteria.time_frames.clone(),
                at,
            }),
            _ => Err(reader.issues),
        }
    }
}

impl Reader<'_> {
    fn wrong(&mut self, pointer: impl AsRef<str>, detail: impl Into<String>) {
        self.issues.push(Issue::at(format!("/criteria/{}", pointer.as_ref()), detail.into()));
    }

    fn sizes(&mut self) {
        let criteria = self.criteria;
        let sizes = [
            ("select", criteria.select.len(), LISTED_MAX),
            ("where", criteria.conditions.len(), LISTED_MAX),
            ("orderBy", criteria.order_by.len(), LISTED_MAX),
            ("timeFrames", criteria.time_frames.len(), FRAMES_MAX),
        ];
        for (name, size, most) in sizes {
            if size > most {
                self.wrong(name, format!("must have at most {most}"));
            }
        }
        if criteria.select.is_empty() {
            self.wrong("select", "must have at least one column");
        }
    }

    fn outputs(&mut self) -> Vec<Output> {
        let frames = &self.criteria.time_frames;
        let mut outputs = Vec::new();
        if frames.len() > 1 {
            outputs.push(Output { name: FRAME.to_owned(), shows: Shows::Frame });
        }
        if frames.iter().any(|frame| frame.view_type.is_some_and(|view| view != ViewType::Total)) {
            outputs.push(Output { name: PERIOD.to_owned(), shows: Shows::Period });
        }
        for (index, selected) in self.criteria.select.iter().enumerate() {
            let Some(shows) = self.shows(index, selected) else { continue };
            let name = selected.name.clone().unwrap_or_else(|| named(selected));
            if let Some(detail) = refused(&name, shows) {
                self.wrong(format!("select/{index}/as"), detail);
            } else if outputs.iter().any(|known| known.name == name) {
                self.wrong(format!("select/{index}/as"), "is what another column is called");
            }
            outputs.push(Output { name, shows });
        }
        let has_currency =
            |output: &Output| matches!(output.shows, Shows::Group(known) if known.name == CURRENCY);
        if outputs.iter().any(|output| output.shows.is_money())
            && !outputs.iter().any(has_currency)
            && let Some(currency) = self.source.dimension(CURRENCY)
        {
            outputs.push(Output { name: CURRENCY.to_owned(), shows: Shows::Group(currency) });
        }
        outputs
    }

    fn shows(&mut self, index: usize, selected: &Selected) -> Option<Shows> {
        let expr = selected.expr.as_str();
        let shows = match (self.source.dimension(expr), self.source.measure(expr), selected.op) {
            (Some(known), _, None) => Shows::Group(known),
            (Some(known), _, Some(Op::Count)) => Shows::Count(known),
            (Some(known), _, Some(Op::Min)) if known.kind == Kind::Time => Shows::Min(known),
            (Some(known), _, Some(Op::Max)) if known.kind == Kind::Time => Shows::Max(known),
            (Some(_), ..) => {
                self.wrong(format!("select/{index}/op"), "does not go with this column");
                return None;
            }
            (_, Some(measure), Some(Op::Sum)) => Shows::Sum(measure),
            (_, Some(measure), Some(Op::Avg)) if measure.name != "quantity" => Shows::Average(measure),
            (_, Some(_), op) => {
                let detail =
                    if op.is_none() { "is required: sum or avg" } else { "does not go with this column" };
                self.wrong(format!("select/{index}/op"), detail);
                return None;
            }
            _ => {
                let names = self.source.names().join(", ");
                self.wrong(format!("select/{index}/expr"), format!("is none of {names}"));
                return None;
            }
        };
        Some(shows)
    }

    fn conditions(&mut self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (index, compared) in self.criteria.conditions.iter().enumerate() {
            let Some(known) = self.source.dimension(&compared.field) else {
                self.wrong(format!("where/{index}/field"), "is no column that rows can be grouped by");
                continue;
            };
            let value = compared.value.0.as_str();
            if value.chars().count() > VALUE_MAX_CHARS {
                let detail = format!("must have at most {VALUE_MAX_CHARS} characters");
                self.wrong(format!("where/{index}/value"), detail);
                continue;
            }
            match Condition::read(known, compared.op.word(), value) {
                Ok(condition) => conditions.push(condition),
                Err(detail) => {
                    let fits = known.compares(compared.op.word()).is_ok();
                    let place = if fits { "value" } else { "op" };
                    self.wrong(format!("where/{index}/{place}"), detail);
                }
            }
        }
        conditions
    }

    fn order(&mut self, outputs: &[Output]) -> Vec<(usize, bool)> {
        let mut order = Vec::new();
        for (index, text) in self.criteria.order_by.iter().enumerate() {
            let (name, down) = match (text.strip_suffix(" asc"), text.strip_suffix(" desc")) {
                (Some(name), _) => (name, false),
                (_, Some(name)) => (name, true),
                _ => (text.as_str(), false),
            };
            match outputs.iter().position(|output| output.name == name) {
                Some(place) => order.push((place, down)),
                None => {
                    self.wrong(format!("orderBy/{index}"), "must be a name of the answer, then asc or desc");
                }
            }
        }
        order
    }

    /// Checks the frames; returns the time that they are about.
    fn frames(&mut self, moment: Moment<'_>) -> &'static str {
        let frames = &self.criteria.time_frames;
        let times = self.source.times;
        let first = times[0];
        let mut about = None;
        for (index, frame) in frames.iter().enumerate() {
            let name = frame.column.as_deref().unwrap_or(first.0);
            match times.iter().find(|(known, _)| *known == name) {
                None => {
                    let names: Vec<&str> = times.iter().map(|(known, _)| *known).collect();
                    self.wrong(
                        format!("timeFrames/{index}/column"),
                        format!("must be {}", names.join(" or ")),
                    );
                }
                Some(time) if *about.get_or_insert(*time) != *time => {
                    self.wrong(format!("timeFrames/{index}/column"), "is another one than the first frame's");
                }
                Some(_) => {}
            }
            self.frame(index, frame, moment);
        }
        about.unwrap_or(first).1
    }

    fn frame(&mut self, index: usize, frame: &TimeFrame, moment: Moment<'_>) {
        if !(0..=HOURS_MAX).contains(&frame.hours_to_sub.unwrap_or(0)) {
            self.wrong(format!("timeFrames/{index}/hoursToSub"), format!("must be from 0 to {HOURS_MAX}"));
        }
        if let Some(detail) = frame.description.as_deref().and_then(|text| refused_text(text, 200)) {
            self.wrong(format!("timeFrames/{index}/description"), detail);
        }
        for (name, given) in [("startAt", &frame.start_at), ("endAt", &frame.end_at)] {
            let pointer = format!("timeFrames/{index}/{name}");
            match (frame.period, given.as_deref()) {
                (Period::Fixed, None) => self.wrong(pointer, "is required of a fixed one"),
                (Period::Fixed, Some(text)) if time::Moment::parse(text, Tz::UTC).is_none() => {
                    self.wrong(pointer, "must be a date, a time of the clock or an instant");
                }
                (Period::Fixed, Some(_)) | (_, None) => {}
                (_, Some(_)) => self.wrong(pointer, "goes with a fixed one alone"),
            }
        }
        if let Some(span) = frame.span(Tz::UTC, moment.now)
            && span.starts >= span.ends
        {
            self.wrong(format!("timeFrames/{index}/endAt"), "must be after startAt");
        }
    }

    /// The coarsest rows that have all that is asked for, and lie between the bounds of the frames.
    fn table(
        &mut self,
        outputs: &[Output],
        conditions: &[Condition],
        moment: Moment<'_>,
    ) -> Option<&'static Table> {
        let frames = &self.criteria.time_frames;
        let spans = |zone: &Tz| frames.iter().filter_map(|frame| frame.span(*zone, moment.now)).collect();
        let spans: Vec<Vec<Span>> = moment.zones.iter().map(spans).collect();
        let spans = spans.concat();
        let views = frames.iter().filter_map(|frame| frame.view_type).map(ViewType::grain);
        let grain = spans.iter().map(|span| span.grain()).chain(views).min();
        let compared = conditions.iter().filter_map(|one| self.source.dimension(one.column.name));
        let needed: Vec<_> =
            outputs.iter().filter_map(|output| output.shows.needs()).chain(compared).collect();
        let fits = |table: &&Table| {
            table.grain <= grain.unwrap_or(Grain::Month)
                && !needed.iter().any(|known| table.lacks.contains(&known.name))
        };
        let table = self.source.tables.iter().find(fits)?;
        let bounded = !frames.is_empty() && !spans.iter().any(|span| span.exceeds(DAYS_ONE_BY_ONE));
        if table.instant.is_some() && !bounded {
            self.wrong("timeFrames", "are needed, of at most 92 days each: this is looked up row by row");
        }
        Some(table)
    }
}

/// What the answer calls a column that is given no name.
fn named(selected: &Selected) -> String {
    match selected.op {
        None | Some(Op::Sum) => selected.expr.clone(),
        Some(op) => {
            let (head, tail) = selected.expr.split_at(selected.expr.len().min(1));
            format!("{}{}{tail}", op.word(), head.to_ascii_uppercase())
        }
    }
}

/// Why the answer may not call a column so.
fn refused(name: &str, shows: Shows) -> Option<String> {
    let currency = matches!(shows, Shows::Group(known) if known.name == CURRENCY);
    match name {
        FRAME | PERIOD => Some("is what the answer calls its frames".to_owned()),
        CURRENCY if !currency => Some("is what the answer calls currencies".to_owned()),
        _ => refused_text(name, 100),
    }
}

/// What is wrong with a text that people read, if anything is.
fn refused_text(text: &str, most: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some("must not be empty".to_owned());
    }
    let long = text.chars().count() > most;
    flaw(text).map(str::to_owned).or_else(|| long.then(|| format!("must have at most {most} characters")))
}

impl ViewType {
    /// The coarsest rows that it can be made of.
    fn grain(self) -> Grain {
        match self {
            Self::Total | Self::Month => Grain::Month,
            Self::Week | Self::Day => Grain::Day,
            Self::Hour => Grain::Hour,
        }
    }
}
