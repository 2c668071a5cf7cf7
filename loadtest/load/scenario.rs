//! What is asked: scenarios, the requests they are made of, and what an answer to each must look like.

use crate::{
    target::{Device, Target},
    wire::Answer,
};
use clap::ValueEnum;
use std::{cell::Cell, net::SocketAddr, rc::Rc};

/// A mix of requests under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The bare echo, asked as a validate.
    Echo,
    /// Validates of random vouchers.
    Validate,
    /// The same, each with a lock.
    ValidateLock,
    /// Redeems of random vouchers.
    Redeem,
    /// Redeems of one gift voucher, a cent at a time.
    RedeemHot,
    /// Redeems at the plain service.
    PlainRedeem,
    /// Redeems of one voucher at the plain service.
    PlainHot,
    /// 70 % validates with a lock, 25 % redeems, 3 % refused redeems, 2 % guessed codes.
    Mixed,
}

impl Scenario {
    /// As the command line calls it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the server is the product, which wants a token.
    pub(crate) const fn is_product(self) -> bool {
        !matches!(self, Self::Echo | Self::PlainRedeem | Self::PlainHot)
    }

    fn pick(self) -> Verb {
        match self {
            Self::Echo | Self::Validate => Verb::Validate,
            Self::ValidateLock => Verb::ValidateLock,
            Self::Redeem | Self::PlainRedeem => Verb::Redeem,
            Self::RedeemHot | Self::PlainHot => Verb::RedeemHot,
            Self::Mixed => match rand::random_range(0..100) {
                0..70 => Verb::ValidateLock,
                70..95 => Verb::Redeem,
                95..98 => Verb::RedeemPoor,
                _ => Verb::Guess,
            },
        }
    }
}

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Validate,
    ValidateLock,
    Redeem,
    RedeemHot,
    /// Asks a gift voucher for more than it holds.
    RedeemPoor,
    Guess,
}

impl Verb {
    const ALL: [Self; 6] =
        [Self::Validate, Self::ValidateLock, Self::Redeem, Self::RedeemHot, Self::RedeemPoor, Self::Guess];

    pub(crate) const fn redeems(self) -> bool {
        matches!(self, Self::Redeem | Self::RedeemHot | Self::RedeemPoor)
    }
}

/// How an answer is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Valid, or redeemed.
    Done,
    /// A verdict of no.
    Refused,
    /// 404.
    Missed,
    /// 429.
    Throttled,
    /// 503.
    Unavailable,
    /// The connection broke, or nothing came in time.
    Broken,
    /// Anything else: no answer of this API.
    Wrong,
}

impl Outcome {
    pub(crate) const COUNT: usize = Self::Wrong as usize + 1;

    pub(crate) fn of(verb: Verb, answer: &Answer<'_>) -> Self {
        let (yes, no): (&[u8], &[u8]) = if verb.redeems() {
            (b"\"redeemed\":true", b"\"redeemed\":false")
        } else {
            (b"\"valid\":true", b"\"valid\":false")
        };
        match answer.status {
            200 if find(answer.body, yes).is_some() => Self::Done,
            200 if find(answer.body, no).is_some() => Self::Refused,
            404 => Self::Missed,
            429 => Self::Throttled,
            503 => Self::Unavailable,
            _ => Self::Wrong,
        }
    }

    /// Whether this is what the request was made to bring about.
    pub(crate) const fn is_meant(self, verb: Verb) -> bool {
        match verb {
            Verb::RedeemPoor => matches!(self, Self::Refused),
            Verb::Guess => matches!(self, Self::Missed | Self::Throttled),
            _ => matches!(self, Self::Done),
        }
    }

    /// Whether the server has decided, so that asking again is of no use.
    pub(crate) const fn is_verdict(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Missed)
    }
}

/// The cents that an answer takes off.
pub(crate) fn amount_off(body: &[u8]) -> Option<i64> {
    let rest = &body[find(body, b"\"amountOff\":")? + b"\"amountOff\":".len()..];
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

fn find(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).position(|window| window == what)
}

/// What there is to shoot with, for all connections of a run.
pub(crate) struct Ammunition {
    pub(crate) codes: Vec<String>,
    pub(crate) hot: String,
    pub(crate) poor: String,
    /// Sets this run's orders apart from any other's.
    pub(crate) run: String,
    pub(crate) sequence: Cell<u64>,
    /// Each code once, in order, and then no more.
    pub(crate) sweep: bool,
}

/// A request that is on its way.
pub(crate) struct Shot {
    pub(crate) verb: Verb,
    nth: usize,
    order: u64,
}

impl Ammunition {
    pub(crate) fn is_spent(&self) -> bool {
        self.sweep && self.sequence.get() >= self.codes.len() as u64
    }

    pub(crate) fn code(&self, shot: &Shot) -> &str {
        match shot.verb {
            Verb::RedeemHot => &self.hot,
            Verb::RedeemPoor => &self.poor,
            _ => &self.codes[shot.nth],
        }
    }

    pub(crate) fn order(&self, shot: &Shot) -> String {
        format!("{}-{:0ORDER_DIGITS$}", self.run, shot.order)
    }
}

const ORDER_DIGITS: usize = 10;
const GUESS_DIGITS: usize = 8;

/// What stands around the code in a request, ready made.
struct Template {
    after_code: Vec<u8>,
    /// Where in `after_code` the order's number goes.
    order_at: Option<usize>,
}

impl Template {
    fn new(verb: Verb, host: &str, device: &Device, run: &str) -> Self {
        let id = &device.id;
        let order = format!(r#""order":{{"id":"{run}-{:0ORDER_DIGITS$}","amount":250}}"#, 0);
        let (path, body) = match verb {
            Verb::Validate | Verb::Guess => ("validate", format!(r#"{{"deviceId":"{id}"}}"#)),
            Verb::ValidateLock => ("validate", format!(r#"{{"deviceId":"{id}","lockDuration":30}}"#)),
            Verb::Redeem => ("redeem", format!(r#"{{"deviceId":"{id}",{order}}}"#)),
            Verb::RedeemHot => {
                ("redeem", format!(r#"{{"deviceId":"{id}",{order},"demand":{{"amount":1}}}}"#))
            }
            Verb::RedeemPoor => {
                ("redeem", format!(r#"{{"deviceId":"{id}",{order},"demand":{{"amount":100}}}}"#))
            }
        };
        let token = match &device.token {
            Some(token) => format!("authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let after_code = format!(
            "/{path} HTTP/1.1\r\nhost: {host}\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let order_at = after_code.find(&format!("\"{run}-")).map(|at| at + run.len() + 2);
        Self { after_code: after_code.into_bytes(), order_at }
    }
}

/// Makes the requests of one connection, which speaks for one device.
///
/// A device keeps to its own share of the codes, as customers do: no lock of another stands in its way.
pub(crate) struct Gun {
    scenario: Scenario,
    ammunition: Rc<Ammunition>,
    templates: [Template; Verb::ALL.len()],
    device: Device,
    /// The server that it speaks to.
    pub(crate) address: SocketAddr,
    share: usize,
    shares: usize,
    /// The request that was last loaded.
    pub(crate) request: Vec<u8>,
}

impl Gun {
    pub(crate) fn new(
        scenario: Scenario,
        ammunition: &Rc<Ammunition>,
        target: &Target,
        connection: usize,
    ) -> Self {
        let shares = target.devices.len();
        let share = connection % shares;
        let device = target.devices[share].clone();
        Self {
            scenario,
            ammunition: Rc::clone(ammunition),
            templates: Verb::ALL.map(|verb| Template::new(verb, &target.host, &device, &ammunition.run)),
            device,
            address: target.addresses[connection % target.addresses.len()],
            share,
            shares,
            request: Vec::new(),
        }
    }

    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }

    /// Puts the next request into `request`.
    pub(crate) fn load(&mut self) -> Shot {
        let verb = self.scenario.pick();
        let order = self.ammunition.sequence.get();
        self.ammunition.sequence.set(order + 1);
        let codes = self.ammunition.codes.len();
        let nth = if self.ammunition.sweep {
            order as usize % codes
        } else {
            let own = (codes + self.shares - 1 - self.share) / self.shares;
            if own == 0 { 0 } else { self.share + self.shares * rand::random_range(0..own) }
        };
        let shot = Shot { verb, nth, order };

        self.request.clear();
        self.request.extend_from_slice(b"POST /voucher/");
        if verb == Verb::Guess {
            self.request.extend_from_slice(b"GUESS-");
            push_digits(&mut self.request, u64::from(rand::random::<u32>()), GUESS_DIGITS);
        } else {
            self.request.extend_from_slice(self.ammunition.code(&shot).as_bytes());
        }
        let template = &self.templates[verb as usize];
        let after = self.request.len();
        self.request.extend_from_slice(&template.after_code);
        if let Some(at) = template.order_at {
            write_digits(&mut self.request[after + at..][..ORDER_DIGITS], order);
        }
        shot
    }
}

fn push_digits(into: &mut Vec<u8>, number: u64, digits: usize) {
    let at = into.len();
    into.resize(at + digits, b'0');
    write_digits(&mut into[at..], number);
}

fn write_digits(into: &mut [u8], mut number: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
