//! Encodes as many QR codes as a campaign has, and nothing else: what printing coupons is measured by.
//! Prints the seconds that it took.

#![expect(clippy::print_stdout, reason = "its output is for the script that runs it")]

use scrip::{coupons::symbol::Plan, redemption::code};
use std::{error::Error, hint::black_box, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).ok_or("say how many")?.parse()?;
    let mut rng = rand::rng();
    let codes: Vec<String> = (0..count).map(|_| code::generate("00000", count, &mut rng)).collect();
    let started = Instant::now();
    for code in &codes {
        black_box(Plan::of(code)?.draw()?);
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}
