//! How a voucher is packed in Redis: the layout of `lua/lib/record.lua`, in Rust.

use crate::{
    redemption::voucher::{Facts, Lock, State},
    time::from_millis,
};
use std::sync::Arc;
use uuid::Uuid;

/// Bytes before the facts.
const HEADER_BYTES: usize = 68;

/// The form that facts are packed in. Facts of another form, by a server of another version, are unreadable
/// here. (Without it they began with the length of an id.)
const FORM: u8 = 1;

/// Bytes of the name of a record's field: the voucher's id.
const ID_BYTES: usize = 16;

/// A voucher as Redis holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The voucher's id.
    pub id: Uuid,
    /// Copies of an older epoch than the installation's are worthless.
    pub epoch: u32,
    /// Of the facts in it.
    pub version: u32,
    /// Tells this copy from those before and after it.
    pub generation: u32,
    /// Reservations that Postgres has not confirmed yet.
    pub pending: u32,
    /// Of the row that it was made from.
    pub revision: i64,
    /// When the last reservation was made, in milliseconds since 1970.
    pub since_ms: i64,
    /// What changes with every vend, reservations included.
    pub state: State,
    /// The facts, packed.
    facts: Box<[u8]>,
}

impl Copy {
    /// A copy of what Postgres has, to be loaded.
    pub fn new(facts: &Facts, state: State, revision: i64, epoch: u32, generation: u32) -> Self {
        // Facts are plain data: packing them cannot fail, and an empty tail would only read as missing.
        let packed = postcard::to_stdvec(&(FORM, facts)).unwrap_or_default().into_boxed_slice();
        Self {
            id: facts.id,
            epoch,
            version: facts.version,
            generation,
            pending: 0,
            revision,
            since_ms: 0,
            state,
            facts: packed,
        }
    }

    /// Unpacks the hash of a code. `None` if anything in it is not as it should be.
    pub fn unpack_all<B: AsRef<[u8]>>(fields: &[(B, B)]) -> Option<Vec<Self>> {
        let mut copies = Vec::with_capacity(fields.len());
        for (field, bytes) in fields {
            if field.as_ref().len() == ID_BYTES {
                copies.push(Self::unpack(field.as_ref(), bytes.as_ref())?);
            }
        }
        if copies.len() < fields.len() {
            for copy in &mut copies {
                let marks = copy.marks();
                if let Some((_, count)) = fields.iter().find(|(field, _)| field.as_ref() == marks) {
                    copy.pending = number(count.as_ref())?;
                }
            }
        }
        Some(copies)
    }

    /// The field that counts this copy's reservations.
    pub fn marks(&self) -> Vec<u8> {
        [b"p".as_slice(), self.id.as_bytes(), &self.generation.to_le_bytes()].concat()
    }

    /// Unpacks a field of the hash; its reservations are in another. `None` if it is not a record.
    pub fn unpack(id: &[u8], bytes: &[u8]) -> Option<Self> {
        let (header, facts) = bytes.split_at_checked(HEADER_BYTES)?;
        let word = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let long = |at: usize| header.get(at..at + 8).and_then(|b| b.try_into().ok()).map(i64::from_le_bytes);
        let owner = long(52)?;
        let till = long(60)?;
        Some(Self {
            id: Uuid::from_slice(id).ok()?,
            epoch: word(0)?,
            version: word(4)?,
            generation: word(8)?,
            pending: 0,
            revision: long(12)?,
            since_ms: long(44)?,
            state: State {
                period: from_millis(long(20)?),
                count: long(28)?,
                balance: long(36)?,
                lock: (owner != 0).then(|| Lock { owner, till: from_millis(till) }),
            },
            facts: facts.into(),
        })
    }

    /// Packs it as the scripts read it.
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.facts.len());
        for word in [self.epoch, self.version, self.generation] {
            bytes.extend(word.to_le_bytes());
        }
        let (owner, till) = self.state.lock.map_or((0, 0), |lock| (lock.owner, lock.till.timestamp_millis()));
        let longs = [
            self.revision,
            self.state.period.timestamp_millis(),
            self.state.count,
            self.state.balance,
            self.since_ms,
            owner,
            till,
        ];
        for long in longs {
            bytes.extend(long.to_le_bytes());
        }
        bytes.extend(&*self.facts);
        bytes
    }

    /// Returns `false` if a server of another version has packed its facts.
    pub fn is_readable(&self) -> bool {
        self.facts.first() == Some(&FORM)
    }

    /// The facts in it.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        let facts = self.facts.strip_prefix(&[FORM])?;
        postcard::from_bytes(facts).ok().map(Arc::new)
    }
}

/// A count of reservations; one below zero was settled twice, and counts as none.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    count(digits).map(|count| count.clamp(0, i64::from(u32::MAX)) as u32)
}

/// A whole number in decimal digits.
pub(super) fn count(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redemption::voucher::OwnTerms;
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    fn instant() -> impl Strategy<Value = DateTime<Utc>> {
        (0i64..4_000_000_000_000).prop_map(from_millis)
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            id: u128, words: [u32; 3], revision in 0i64..1 << 53, period in instant(), created in instant(),
            count in 0i64..1 << 40, balance in 0i64..1 << 53, lock in prop::option::of((1i64..1 << 53, instant())),
        ) {
            let facts = Facts {
                id: Uuid::from_u128(id), code: "00000-ABC".into(), generated: true, campaign: 7, version: words[0],
                active: true, created_at: created, own: OwnTerms::default(), terms_since: period, rules: Vec::new(),
            };
            let state = State { period, count, balance, lock: lock.map(|(owner, till)| Lock { owner, till }) };
            let copy = Copy::new(&facts, state, revision, words[1], words[2]);
            let back = Copy::unpack(facts.id.as_bytes(), &copy.pack()).unwrap();
            prop_assert_eq!(&back, &copy);
            prop_assert!(back.is_readable());
            prop_assert_eq!(&*back.facts().unwrap(), &facts);
        }

        #[test]
        fn what_is_not_a_record_is_none_and_no_panic(id: Vec<u8>, bytes: Vec<u8>) {
            if let Some(copy) = Copy::unpack(&id, &bytes) {
                copy.facts();
            }
        }
    }
}
