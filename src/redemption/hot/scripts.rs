//! The scripts of `lua/`, joined with what they share, and how one is called.

use super::pipeline::{Answer, Failure, Pipeline};
use deadpool_redis::redis::{self, RedisResult, ToRedisArgs, aio::ConnectionLike};
use std::sync::LazyLock;

/// A script and the digest that Redis knows it by.
#[derive(Debug)]
pub struct Script {
    /// Its file, without the ending.
    pub name: &'static str,
    code: &'static str,
    known: redis::Script,
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
    spend = "spend" with;
}

impl Script {
    fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, known: redis::Script::new(code) }
    }

    /// What Redis runs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Puts it into Redis's cache.
    pub(super) async fn install(&self, connection: &Pipeline) -> Result<(), Failure> {
        let parts = [b"SCRIPT".as_slice(), b"LOAD", self.code.as_bytes()];
        connection.ask(parts.into_iter()).await.map(drop)
    }

    /// Runs it on the one key that every script takes; a Redis that has lost it is given it again.
    pub(super) async fn run(
        &self,
        connection: &Pipeline,
        key: &str,
        args: &[&[u8]],
    ) -> Result<Answer, Failure> {
        let head = [b"EVALSHA".as_slice(), self.known.get_hash().as_bytes(), b"1", key.as_bytes()];
        let parts = head.iter().chain(args).copied();
        match connection.ask(parts.clone()).await {
            Err(Failure::Refused(text)) if text.starts_with("NOSCRIPT") => {
                self.install(connection).await?;
                connection.ask(parts).await
            }
            answer => answer,
        }
    }

    /// The same over a connection of the pool.
    pub(super) async fn run_aside(
        &self,
        connection: &mut impl ConnectionLike,
        key: &str,
        arg: impl ToRedisArgs,
    ) -> RedisResult<()> {
        self.known.key(key).arg(arg).invoke_async(connection).await
    }
}
