//! Where on Earth something is: the time zone of a pair of coordinates.
//!
//! The map (timezone-boundary-builder's, made from OpenStreetMap, `ODbL` 1.0) is part of the binary, and is
//! asked where it lies: 4 MB that no allocation is made for.

use chrono_tz::Tz;
use std::sync::LazyLock;
use tzf_rs::EmbeddedFinder;

static MAP: LazyLock<EmbeddedFinder> = LazyLock::new(EmbeddedFinder::new);

/// The time zone at a place, in degrees; at sea the nautical one (`Etc/GMT-2` is two hours ahead of
/// UTC). None if there is no such place.
pub async fn zone_at(latitude: f64, longitude: f64) -> Option<Tz> {
    // Opening the map checks all of it, once.
    tokio::task::spawn_blocking(move || look_up(latitude, longitude)).await.ok().flatten()
}

fn look_up(latitude: f64, longitude: f64) -> Option<Tz> {
    let is_place = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    is_place.then(|| MAP.get_tz_name(longitude, latitude).parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn a_place_has_the_zone_of_its_clocks() {
        for (latitude, longitude, zone) in [
            (52.3731, 4.8922, Tz::Europe__Amsterdam),
            (50.8503, 4.3517, Tz::Europe__Brussels),
            (-33.8688, 151.2093, Tz::Australia__Sydney),
            (40.7128, -74.0060, Tz::America__New_York),
            (-34.6037, -58.3816, Tz::America__Argentina__Buenos_Aires),
            (27.7172, 85.3240, Tz::Asia__Kathmandu),
            // Sailors count from the ship: the mid-Atlantic is two hours behind.
            (30.0, -30.0, Tz::Etc__GMTPlus2),
        ] {
            assert_eq!(zone_at(latitude, longitude).await, Some(zone), "{latitude} {longitude}");
        }
    }

    #[tokio::test]
    async fn what_is_no_place_has_no_zone() {
        for (latitude, longitude) in
            [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY), (f64::MIN, f64::MAX)]
        {
            assert_eq!(zone_at(latitude, longitude).await, None, "{latitude} {longitude}");
        }
    }

    #[test]
    fn every_zone_of_the_map_is_known_here() {
        let unknown: Vec<_> =
            MAP.timezonenames().into_iter().filter(|name| name.parse::<Tz>().is_err()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    proptest! {
        #[test]
        fn every_place_on_earth_has_one(latitude in -90.0f64..=90.0, longitude in -180.0f64..=180.0) {
            prop_assert!(look_up(latitude, longitude).is_some());
        }
    }
}
