//! Which figures there are, and what each of them shows.

use crate::{
    axis::{Scale, written},
    measurements::Measurements,
};
use plotters::style::RGBColor;

const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const BLACK: RGBColor = RGBColor(40, 40, 40);
const PURPLE: RGBColor = RGBColor(170, 70, 140);
const SKY: RGBColor = RGBColor(70, 160, 210);

/// What the figure of a question is made of.
pub(crate) struct Figure {
    pub(crate) question: &'static str,
    /// What x counts.
    pub(crate) counts: &'static str,
    pub(crate) scale: Scale,
    /// The curves whose growth the title tells.
    pub(crate) told: &'static [Told],
    /// What of it grows.
    pub(crate) told_of: &'static str,
    /// Rows of panels, from top to bottom.
    pub(crate) rows: Vec<Row>,
}

/// A curve, as the title calls it.
pub(crate) struct Told {
    name: &'static str,
    scenario: &'static str,
    metric: &'static str,
}

/// Panels side by side, with the same vertical axis.
pub(crate) struct Row {
    /// What is measured, in which unit.
    pub(crate) unit: &'static str,
    /// Decimals at the ticks of its vertical axis.
    pub(crate) decimals: usize,
    pub(crate) panels: Vec<Panel>,
}

/// Curves in one frame.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) curves: Vec<Curve>,
}

/// One curve and its colour.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) colour: RGBColor,
}

impl Figure {
    /// The message: how much the curves have grown from the first x to the last.
    pub(crate) fn title(&self, measurements: &Measurements) -> String {
        let xs = measurements.xs();
        let ends = xs.first().zip(xs.last()).map_or_else(String::new, |(first, last)| {
            format!("From {} to {} {}", written(*first), written(*last), self.counts)
        });
        let grown = self.told.iter().filter_map(|told| {
            let growth = measurements.growth(told.scenario, told.metric)?;
            Some(format!("{} × {growth:.2}", told.name))
        });
        format!("{ends}, {}: {}", self.told_of, grown.collect::<Vec<_>>().join(", "))
    }
}

const SCENARIOS: [(&str, &str, RGBColor); 3] = [
    ("validate", "validate", BLACK),
    ("validate with a lock", "validate-lock", SKY),
    ("redeem", "redeem", PURPLE),
];

const TOLD: &[Told] = &[
    Told { name: "validate", scenario: "validate", metric: "all_us" },
    Told { name: "with a lock", scenario: "validate-lock", metric: "all_us" },
    Told { name: "redeem", scenario: "redeem", metric: "all_us" },
];

const TOLD_OF_MEMORY: &[Told] = &[
    Told { name: "Postgres", scenario: "stored", metric: "postgres_all" },
    Told { name: "Redis", scenario: "stored", metric: "redis" },
];

/// Every figure.
pub(crate) fn all() -> Vec<Figure> {
    vec![
        under_load("vouchers", "vouchers", Scale::Powers),
        under_load("campaigns", "campaigns", Scale::Powers),
        under_load("candidates", "vouchers of one code", Scale::Linear),
        under_load("servers", "servers", Scale::Linear),
        under_load("logs", "redemptions and log entries", Scale::Powers),
        memory(),
    ]
}

/// What requests cost by process, and how many there are beside the echo's.
fn under_load(question: &'static str, counts: &'static str, scale: Scale) -> Figure {
    let processes = |scenario| {
        [("server", "server_us", BLUE), ("Redis", "redis_us", ORANGE), ("Postgres", "postgres_us", GREEN)]
            .map(|(name, metric, colour)| Curve { name, scenario, metric, colour })
            .into()
    };
    let costs = SCENARIOS.map(|(title, scenario, _)| Panel { title, curves: processes(scenario) });
    let rates =
        SCENARIOS.map(|(name, scenario, colour)| Curve { name, scenario, metric: "rps_to_echo", colour });
    Figure {
        question,
        counts,
        scale,
        told: TOLD,
        told_of: "CPU a request",
        rows: vec![
            Row { unit: "CPU µs a request", decimals: 0, panels: costs.into() },
            Row {
                unit: "rate / echo's rate",
                decimals: 1,
                panels: vec![Panel { title: "", curves: rates.into() }],
            },
        ],
    }
}

fn memory() -> Figure {
    let curves = [
        ("Postgres, all", "postgres_all", BLACK),
        ("its table", "postgres_table", BLUE),
        ("its indexes", "postgres_indexes", GREEN),
        ("Redis", "redis", ORANGE),
    ];
    let curves = curves.map(|(name, metric, colour)| Curve { name, scenario: "stored", metric, colour });
    Figure {
        question: "memory",
        counts: "vouchers",
        scale: Scale::Powers,
        told: TOLD_OF_MEMORY,
        told_of: "bytes a voucher",
        rows: vec![Row {
            unit: "bytes a voucher",
            decimals: 0,
            panels: vec![Panel { title: "", curves: curves.into() }],
        }],
    }
}
