//! How far a machine's configuration is on its way: pure.
//!
//! Everything is a version, and the version grows with every change. What a gateway says of a version
//! therefore never counts for a later one, in whatever order fetches, reports and changes meet.

use crate::fleet::machine::ConfigState;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a gateway says became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It goes by it.
    Applied,
    /// It could not.
    Failed,
}

/// A gateway speaks of a version that there never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeverWas;

/// The versions of one machine's configuration; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    /// The one in force: what the gateway is to go by.
    pub version: i64,
    /// The last that the gateway has fetched.
    pub sent: i64,
    /// The last that it has applied.
    pub applied: i64,
    /// The last that it could not apply.
    pub failed: i64,
}

impl Standing {
    /// Where the version in force stands; `None` if there never was one.
    pub const fn state(&self) -> Option<ConfigState> {
        match self.version {
            0 => None,
            version if self.failed == version => Some(ConfigState::Failed),
            version if self.applied == version => Some(ConfigState::Applied),
            version if self.sent == version => Some(ConfigState::Sent),
            _ => Some(ConfigState::Scheduled),
        }
    }

    /// There is something new to go by.
    pub const fn change(&mut self) {
        self.version += 1;
    }

    /// The gateway fetches what is in force; whether that is news.
    pub const fn fetch(&mut self) -> bool {
        let news = self.sent != self.version;
        self.sent = self.version;
        news
    }

    /// The gateway says what became of a version; whether it is the one in force.
    pub fn report(&mut self, version: i64, verdict: Verdict) -> Result<bool, NeverWas> {
        if !(1..=self.version).contains(&version) {
            return Err(NeverWas);
        }
        // It has it, whether or not that was noted.
        self.sent = self.sent.max(version);
        match verdict {
            Verdict::Applied => {
                self.applied = self.applied.max(version);
                // It has tried again.
                if self.failed == version {
                    self.failed = 0;
                }
            }
            Verdict::Failed => self.failed = self.failed.max(version),
        }
        Ok(version == self.version)
    }

    /// The gateway says what it goes by of its own accord; whether that is in force from now on. It is
    /// not while something else is on its way, or has failed and is still wanted.
    pub const fn adopt(&mut self) -> bool {
        let free = matches!(self.state(), None | Some(ConfigState::Applied));
        if free {
            self.version += 1;
            self.sent = self.version;
            self.applied = self.version;
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConfigState::{Applied, Failed, Scheduled, Sent};
    use proptest::prelude::*;

    #[test]
    fn a_change_is_scheduled_then_sent_then_applied_or_failed() {
        let mut standing = Standing::default();
        assert_eq!(standing.state(), None);
        standing.change();
        assert_eq!(standing.state(), Some(Scheduled));
        for version in [0, 2] {
            assert_eq!(standing.report(version, Verdict::Applied), Err(NeverWas));
        }
        assert!(standing.fetch() && !standing.fetch());
        assert_eq!(standing.state(), Some(Sent));
        assert_eq!(standing.report(1, Verdict::Failed), Ok(true));
        assert_eq!(standing.state(), Some(Failed));
        assert_eq!(standing.report(1, Verdict::Applied), Ok(true));
        assert_eq!(standing.state(), Some(Applied));
        assert_eq!(standing.report(1, Verdict::Failed), Ok(true));
        assert_eq!(standing.state(), Some(Failed));
    }

    #[test]
    fn what_is_said_of_an_older_version_does_not_count_for_a_newer_one() {
        for verdict in [Verdict::Applied, Verdict::Failed] {
            let mut standing = Standing::default();
            standing.change();
            standing.fetch();
            standing.change();
            assert_eq!(standing.report(1, verdict), Ok(false));
            assert_eq!(standing.state(), Some(Scheduled));
            standing.fetch();
            assert_eq!(standing.report(1, verdict), Ok(false));
            assert_eq!(standing.state(), Some(Sent));
            assert_eq!(standing.report(3, verdict), Err(NeverWas));
        }
    }

    #[test]
    fn a_gateways_own_configuration_takes_the_place_of_nothing_that_is_wanted() {
        let mut standing = Standing::default();
        assert!(standing.adopt());
        assert_eq!(standing, Standing { version: 1, sent: 1, applied: 1, failed: 0 });
        assert!(standing.adopt());
        standing.change();
        assert!(!standing.adopt(), "it is scheduled");
        standing.fetch();
        assert!(!standing.adopt(), "it was sent");
        standing.report(3, Verdict::Failed).unwrap();
        assert!(!standing.adopt(), "it has failed, and is still wanted");
        assert_eq!(standing.version, 3);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Change,
        Fetch,
        Report(i64, Verdict),
        Adopt,
    }

    fn step() -> impl Strategy<Value = Step> {
        let verdict = prop::sample::select(vec![Verdict::Applied, Verdict::Failed]);
        prop_oneof![
            Just(Step::Change),
            Just(Step::Fetch),
            (0i64..6, verdict).prop_map(|(back, verdict)| Step::Report(back, verdict)),
            Just(Step::Adopt),
        ]
    }

    proptest! {
        #[test]
        fn versions_never_go_back_and_none_is_applied_that_was_not_sent(
            steps in prop::collection::vec(step(), 0..40),
        ) {
            let mut standing = Standing::default();
            for step in steps {
                let before = standing;
                match step {
                    Step::Change => {
                        standing.change();
                        prop_assert_eq!(standing.state(), Some(Scheduled));
                    }
                    Step::Fetch => {
                        let news = standing.fetch();
                        prop_assert_eq!(news, before.state() == Some(Scheduled));
                        prop_assert!(standing.state() != Some(Scheduled));
                    }
                    Step::Report(back, verdict) => {
                        let version = before.version - back;
                        match standing.report(version, verdict) {
                            Ok(true) => prop_assert_eq!(standing.state().map(ConfigState::word),
                                Some(if verdict == Verdict::Applied { "applied" } else { "failed" })),
                            Ok(false) => prop_assert_eq!(standing.state(), before.state()),
                            Err(NeverWas) => prop_assert_eq!(standing, before),
                        }
                    }
                    Step::Adopt => {
                        standing.adopt();
                    }
                }
                prop_assert!(standing.version >= before.version && standing.sent >= before.sent);
                prop_assert!(standing.applied >= before.applied);
                prop_assert!(standing.sent <= standing.version);
                prop_assert!(standing.applied <= standing.sent && standing.failed <= standing.sent);
            }
        }
    }
}
