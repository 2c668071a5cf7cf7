//! The scripts of `lua/`, joined with what they share, and how one is called.

use deadpool_redis::redis::{
    Cmd, RedisError, RedisResult, ServerErrorKind, ToRedisArgs, Value, aio::ConnectionLike, cmd,
};
use std::sync::LazyLock;

/// A script and the digest that Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// Its file, without the ending.
    pub name: &'static str,
    code: &'static str,
    digest: String,
}

macro_rules! scripts {
    ($($name:ident = $file:literal with $($lib:literal)*;)*) => {
        $(
            #[doc = concat!("`lua/", $file, ".lua`.")]
            pub(super) fn $name() -> &'static Script {
                static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new($file, concat!(
                    $(include_str!(concat!("../../../lua/lib/", $lib, ".lua")), "\n",)*
                    include_str!(concat!("../../../lua/", $file, ".lua")),
                )));
                &SCRIPT
            }
        )*

        /// Every script there is.
        pub fn all() -> Vec<&'static Script> {
            vec![$($name()),*]
        }
    };
}

scripts! {
    lock = "lock" with "layout" "claim";
    redeem = "redeem" with "layout" "claim";
    release = "release" with "layout" "record";
    load = "load" with "layout" "record";
    evict = "evict" with "layout" "record";
}

impl Script {
    fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, digest: deadpool_redis::redis::Script::new(code).get_hash().to_owned() }
    }

    /// What Redis runs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Starts a call on the one key that every script takes.
    pub(super) fn key(&'static self, key: String) -> Invocation {
        let mut call = cmd("EVALSHA");
        call.arg(&self.digest).arg(1).arg(key);
        Invocation { script: self, call }
    }

    /// Puts it into Redis's cache.
    pub(super) async fn install(&self, connection: &mut impl ConnectionLike) -> RedisResult<()> {
        cmd("SCRIPT").arg("LOAD").arg(self.code).exec_async(connection).await
    }
}

/// A call under construction.
#[derive(Debug)]
pub(super) struct Invocation {
    script: &'static Script,
    call: Cmd,
}

impl Invocation {
    /// One more ARGV.
    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.call.arg(arg);
        self
    }

    /// Runs it; a Redis that has lost the script is given it again.
    pub(super) async fn run(self, connection: &mut impl ConnectionLike) -> RedisResult<Vec<Value>> {
        match self.call.query_async(connection).await {
            Err(error) if is_unknown_script(&error) => {
                self.script.install(connection).await?;
                self.call.query_async(connection).await
            }
            reply => reply,
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == deadpool_redis::redis::ErrorKind::Server(ServerErrorKind::NoScript)
}
