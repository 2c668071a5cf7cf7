//! What `growth.sh` has measured for one question.

use crate::Result;
use serde::Deserialize;
use std::path::Path;

/// A line of the file: a median, and its spread over the rounds.
#[derive(Clone, Deserialize)]
struct Line {
    x: f64,
    scenario: String,
    metric: String,
    value: f64,
    lowest: f64,
    highest: f64,
}

/// All lines of a file.
pub(crate) struct Measurements {
    lines: Vec<Line>,
}

/// One point of a curve.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) value: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Measurements {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let lines = csv::Reader::from_path(file)?.deserialize().collect::<Result<Vec<Line>, _>>()?;
        if lines.is_empty() { Err(format!("{} is empty", file.display()).into()) } else { Ok(Self { lines }) }
    }

    /// The points of one curve, by rising x.
    pub(crate) fn curve(&self, scenario: &str, metric: &str) -> Vec<Point> {
        let of_curve = |line: &&Line| line.scenario == scenario && line.metric == metric;
        let mut points: Vec<Point> = self
            .lines
            .iter()
            .filter(of_curve)
            .map(|line| Point { x: line.x, value: line.value, lowest: line.lowest, highest: line.highest })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        points
    }

    /// How often the first point of a curve goes into its last.
    pub(crate) fn growth(&self, scenario: &str, metric: &str) -> Option<f64> {
        let points = self.curve(scenario, metric);
        Some(points.last()?.value / points.first()?.value)
    }

    /// Every x that something was measured at, rising.
    pub(crate) fn xs(&self) -> Vec<f64> {
        let mut xs: Vec<f64> = self.lines.iter().map(|line| line.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }
}
