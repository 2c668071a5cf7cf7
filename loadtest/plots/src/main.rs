//! Draws how cost grows: an SVG for each question whose measurements are there.
//!
//!     plots <folder of CSV files> <folder for SVG files>

mod axis;
mod figure;
mod measurements;
mod sketch;

use measurements::Measurements;
use std::{env, path::Path};

/// What drawing can fail with; nobody handles it, somebody reads it.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let folders: Vec<String> = env::args().skip(1).collect();
    let [from, to] = folders.as_slice() else { return Err("usage: plots <CSV folder> <SVG folder>".into()) };
    for figure in figure::all() {
        let file = Path::new(from).join(figure.question).with_extension("csv");
        if file.exists() {
            let measurements = Measurements::read(&file)?;
            sketch::draw(&figure, &measurements, &Path::new(to).join(figure.question).with_extension("svg"))?;
        }
    }
    Ok(())
}
