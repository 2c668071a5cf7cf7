//! What can happen to the vouchers of a code, generated.

use proptest::{collection::vec, option, prelude::*, sample::select};

/// Machines, by host name.
pub const DEVICES: [&str; 3] = ["vm-a-1", "vm-a-2", "vm-a1-1"];

/// Groups that a campaign can belong to: root, a, a1.
pub const GROUPS: [i64; 3] = [1, 2, 3];

/// Moments before something happens to clocks or calendars: summer time begins and ends in Amsterdam
/// and in New York, a month ends, a year ends.
const STARTS: [&str; 7] = [
    "2026-03-28T21:30:00Z",
    "2026-10-24T20:00:00Z",
    "2026-03-07T22:00:00Z",
    "2026-10-31T21:00:00Z",
    "2027-02-27T12:00:00Z",
    "2026-12-30T23:30:00Z",
    "2026-06-07T11:00:00Z",
];

/// A voucher to begin with.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Whether it follows its campaign in everything.
    pub inherits: bool,
    /// Which of [`GROUPS`] its campaign belongs to.
    pub group: usize,
    /// Whether it is a gift, not a discount.
    pub gift: bool,
    /// Cents.
    pub value: i64,
    /// Redemptions in a period.
    pub limit: Option<i64>,
    /// When a period ends, in the words of the API.
    pub reset: &'static str,
    /// Where its days begin.
    pub zone: &'static str,
    /// Days from today.
    pub expires: Option<i64>,
    /// Whether it starts tomorrow only.
    pub tomorrow: bool,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A machine validates, perhaps with a lock of so many seconds.
    Validate { device: usize, lock: Option<i64>, demand: Option<i64> },
    /// A machine redeems.
    Redeem { device: usize, order: u8, amount: i64, demand: Option<i64> },
    /// The last redemption that was asked for, asked for again.
    Again,
    /// A machine gives its lock back.
    Release { device: usize },
    /// One of the orders so far, redeemed or not.
    RollBack { nth: usize },
    /// A voucher is switched on or off.
    Switch { voucher: usize, on: bool },
    /// The campaign of a voucher is switched on or off.
    SwitchCampaign { voucher: usize, on: bool },
    /// A voucher's value changes.
    Revalue { voucher: usize, value: i64 },
    /// A voucher's last day becomes one so many days from today; `None`: it has none.
    Expire { voucher: usize, days: Option<i64> },
    /// A voucher's terms are replaced, or its campaign's where it follows that.
    Edit { voucher: usize, edit: Edit },
    /// Time passes.
    Pass { seconds: i64 },
    /// Redis loses everything.
    Flush,
    /// Everything in Redis is declared worthless.
    Distrust,
}

/// New terms: what is absent stays.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Whether it is a gift; a campaign's vouchers stay what they are.
    pub gift: Option<bool>,
    /// Cents; a campaign's stay.
    pub value: Option<i64>,
    /// Redemptions in a period; 0: as many as one likes.
    pub limit: Option<i64>,
    /// When a period ends.
    pub reset: Option<&'static str>,
    /// Where days begin.
    pub zone: Option<&'static str>,
}

impl Edit {
    /// The limit that it leaves of one before it.
    pub fn limit(&self, before: Option<i64>) -> Option<i64> {
        self.limit.or(before).filter(|limit| *limit > 0)
    }
}

/// A world and what happens in it.
#[derive(Clone, Debug)]
pub struct Play {
    /// When it begins.
    pub start: &'static str,
    /// The vouchers, which share one code.
    pub seeds: Vec<Seed>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// All plays.
pub fn plays() -> impl Strategy<Value = Play> {
    (select(&STARTS[..]), vec(seeds(), 1..=2), vec(steps(), 1..80)).prop_map(|(start, seeds, steps)| Play {
        start,
        seeds,
        steps,
    })
}

fn resets() -> impl Strategy<Value = &'static str> {
    select(&["day", "day", "week", "month", "never"][..])
}

fn zones() -> impl Strategy<Value = &'static str> {
    select(&["Europe/Amsterdam", "America/New_York"][..])
}

fn edits() -> impl Strategy<Value = Edit> {
    (
        option::weighted(0.2, any::<bool>()),
        option::weighted(0.4, 0i64..300),
        option::weighted(0.3, 0i64..4),
        option::weighted(0.6, resets()),
        option::weighted(0.4, zones()),
    )
        .prop_map(|(gift, value, limit, reset, zone)| Edit { gift, value, limit, reset, zone })
}

fn seeds() -> impl Strategy<Value = Seed> {
    (
        any::<bool>(),
        0..GROUPS.len(),
        any::<bool>(),
        0i64..300,
        option::of(1i64..4),
        resets(),
        zones(),
        option::of(1i64..6),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(inherits, group, gift, value, limit, reset, zone, expires, tomorrow)| Seed {
            inherits,
            group,
            gift,
            value,
            limit,
            reset,
            zone,
            // It is its campaign that has no end.
            expires: expires.filter(|_| !inherits),
            tomorrow: tomorrow && !inherits,
        })
}

fn steps() -> impl Strategy<Value = Step> {
    let device = || 0..DEVICES.len();
    // Of so few orders many are asked again.
    let order = || 0u8..6;
    let voucher = || 0usize..2;
    let seconds =
        prop_oneof![3 => 1i64..90, 2 => 90i64..3 * 3600, 4 => 3600i64..40 * 3600, 1 => 86400i64..12 * 86400];
    prop_oneof![
        6 => (device(), option::of(prop_oneof![1i64..60, Just(900)]), option::of(0i64..200))
            .prop_map(|(device, lock, demand)| Step::Validate { device, lock, demand }),
        8 => (device(), order(), select(&[0i64, 40, 250][..]), option::weighted(0.9, select(&[1i64, 30, 70, 150][..])))
            .prop_map(|(device, order, amount, demand)| Step::Redeem { device, order, amount, demand }),
        2 => Just(Step::Again),
        1 => device().prop_map(|device| Step::Release { device }),
        3 => (0usize..30).prop_map(|nth| Step::RollBack { nth }),
        1 => (voucher(), prop::bool::weighted(0.7)).prop_map(|(voucher, on)| Step::Switch { voucher, on }),
        1 => (voucher(), prop::bool::weighted(0.7)).prop_map(|(voucher, on)| Step::SwitchCampaign { voucher, on }),
        1 => (voucher(), 0i64..300).prop_map(|(voucher, value)| Step::Revalue { voucher, value }),
        1 => (voucher(), option::of(-1i64..9)).prop_map(|(voucher, days)| Step::Expire { voucher, days }),
        3 => (voucher(), edits()).prop_map(|(voucher, edit)| Step::Edit { voucher, edit }),
        3 => seconds.prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Flush),
        1 => Just(Step::Distrust),
    ]
}
