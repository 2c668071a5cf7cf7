//! Named points at which a test kills the server, as a power cut would. Without the feature
//! `failpoints` they are nothing.

/// Arms the points as the environment's `FAILPOINTS` says, for as long as the process lives.
pub fn arm() {
    #[cfg(feature = "failpoints")]
    std::mem::forget(fail::FailScenario::setup());
}

/// Dies here, if the environment's `FAILPOINTS` says so (`name=return`).
#[inline]
pub fn point(name: &'static str) {
    // Without the feature the macro drops its arguments.
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}
