//! Draws a figure: rows of panels under one title, y from zero, a bar for the spread of each point.

use crate::{
    Result,
    axis::Axis,
    figure::{Curve, Figure, Panel, Row},
    measurements::{Measurements, Point},
};
use plotters::{coord::Shift, prelude::*};
use std::path::Path;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 700;
const TITLE_HEIGHT: u32 = 28;
const ROW_HEIGHT: u32 = 250;
const LEGEND_HEIGHT: u32 = 34;
const FONT: &str = "sans-serif";
const TITLE_SIZE: u32 = 15;
const TEXT_SIZE: u32 = 12;
const GREY: RGBColor = RGBColor(225, 225, 225);

/// A figure, and what is to be seen in it.
struct Sketch<'a> {
    figure: &'a Figure,
    measurements: &'a Measurements,
    axis: Axis,
}

/// Writes a figure as SVG.
pub(crate) fn draw(figure: &Figure, measurements: &Measurements, file: &Path) -> Result<()> {
    let height = TITLE_HEIGHT + ROW_HEIGHT * u32::try_from(figure.rows.len())?;
    let canvas = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let (head, body) = canvas.split_vertically(TITLE_HEIGHT);
    head.draw_text(&figure.title(measurements), &(FONT, TITLE_SIZE).into_text_style(&head), (10, 10))?;
    let sketch = Sketch { figure, measurements, axis: Axis::new(figure.scale, measurements.xs()) };
    for (area, row) in body.split_evenly((figure.rows.len(), 1)).iter().zip(&figure.rows) {
        sketch.row(area, row)?;
    }
    canvas.present()?;
    Ok(())
}

impl Sketch<'_> {
    fn points(&self, curve: &Curve) -> Vec<Point> {
        self.measurements.curve(curve.scenario, curve.metric)
    }

    fn row(&self, area: &Canvas, row: &Row) -> Result<()> {
        let (legend, frames) = area.split_vertically(LEGEND_HEIGHT);
        if let Some(panel) = row.panels.first() {
            draw_legend(&legend, panel)?;
        }
        let curves = row.panels.iter().flat_map(|panel| &panel.curves);
        let points = curves.flat_map(|curve| self.points(curve));
        let highest = points.map(|point| point.highest).fold(0.0, f64::max);
        let top = if highest > 0.0 { highest * 1.1 } else { 1.0 };
        let mut unit = row.unit;
        for (frame, panel) in frames.split_evenly((1, row.panels.len())).iter().zip(&row.panels) {
            let written = |y: &f64| format!("{y:.*}", row.decimals);
            let mut chart = ChartBuilder::on(frame)
                .margin_left(6)
                .margin_right(10)
                .x_label_area_size(38)
                .y_label_area_size(if unit.is_empty() { 28 } else { 50 })
                .caption(panel.title, (FONT, TEXT_SIZE))
                .build_cartesian_2d(self.axis.clone(), 0.0..top)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GREY)
                .y_labels(6)
                .y_label_formatter(&written)
                .x_desc(self.figure.counts)
                .y_desc(unit)
                .label_style((FONT, TEXT_SIZE))
                .axis_desc_style((FONT, TEXT_SIZE))
                .draw()?;
            for curve in &panel.curves {
                let (points, colour) = (self.points(curve), curve.colour);
                let line = points.iter().map(|point| (point.x, point.value));
                let spread = |Point { x, value, lowest, highest }: &Point| {
                    ErrorBar::new_vertical(*x, *lowest, *value, *highest, colour.stroke_width(1), 6)
                };
                chart.draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?;
                chart.draw_series(line.map(|at| Circle::new(at, 3, colour.filled())))?;
                chart.draw_series(points.iter().map(spread))?;
            }
            // It is said once a row.
            unit = "";
        }
        Ok(())
    }
}

/// Names the curves' colours; those of the first panel are those of the whole row.
fn draw_legend(area: &Canvas, panel: &Panel) -> Result<()> {
    const CHARACTER: i32 = 7;
    const MIDDLE: i32 = 22;
    let mut at = 60;
    for Curve { name, colour, .. } in &panel.curves {
        area.draw(&PathElement::new([(at, MIDDLE), (at + 18, MIDDLE)], colour.stroke_width(2)))?;
        area.draw(&Circle::new((at + 9, MIDDLE), 3, colour.filled()))?;
        area.draw_text(name, &(FONT, TEXT_SIZE).into_text_style(area), (at + 24, MIDDLE - 6))?;
        at += 46 + CHARACTER * i32::try_from(name.chars().count())?;
    }
    Ok(())
}
