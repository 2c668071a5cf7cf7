//! What was made of late, to be used again: bounded, and the same for the same input.

/// Things by what they were made from, the latest first.
#[derive(Debug)]
pub struct Recent<K, V> {
    entries: Vec<(K, V)>,
    most: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps this many.
    pub fn new(most: usize) -> Self {
        Self { entries: Vec::new(), most }
    }

    /// What was made from this.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let at = self.entries.iter().position(|(its, _)| its == key)?;
        self.entries[..=at].rotate_right(1);
        self.entries.first().map(|(_, value)| value.clone())
    }

    /// Keeps something; what was not used for the longest time makes room for it.
    pub fn keep(&mut self, key: K, value: V) {
        self.entries.truncate(self.most.saturating_sub(1));
        self.entries.insert(0, (key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_not_used_for_longest_makes_room() {
        let mut recent = Recent::new(2);
        recent.keep(1, 'a');
        recent.keep(2, 'b');
        assert_eq!(recent.get(&1), Some('a'));
        recent.keep(3, 'c');
        assert_eq!((recent.get(&1), recent.get(&2), recent.get(&3)), (Some('a'), None, Some('c')));
        for key in 0..1000 {
            recent.keep(key, 'x');
            assert!(recent.entries.len() <= 2);
        }
    }
}
