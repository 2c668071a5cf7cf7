//! Which rows of a resource a group sees, and which it may change.
//!
//! A group changes what belongs to it or to a group below it. What else it sees, the resource
//! says: nothing, what the groups above have, or what was shared with it.

use super::Spec;
use crate::http::list::{Below, belongs_to};
use sqlx::{Postgres, QueryBuilder};

/// Who sees a resource, besides its group and those above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nobody.
    Own,
    /// Every group below: it is part of a catalogue.
    Downwards,
    /// The groups below that it was shared with: a view of pairs `(user_group, id)`.
    Shared(&'static str),
    /// Everybody, and nobody changes it.
    World,
}

/// Restricts rows to those that `group` may change.
pub fn writable(sql: &mut QueryBuilder<Postgres>, spec: &'static Spec, below: impl Into<Below>) {
    if spec.reach == Reach::World {
        sql.push("false");
        return;
    }
    belongs_to(sql, spec.owner, below);
}

/// Restricts rows to those that `group` sees.
pub fn readable(sql: &mut QueryBuilder<Postgres>, spec: &'static Spec, below: impl Into<Below>) {
    let below = below.into();
    let group = below.group();
    match spec.reach {
        Reach::Own => belongs_to(sql, spec.owner, below),
        Reach::Downwards => {
            sql.push(spec.owner)
                .push(" IN (SELECT descendant FROM user_group_tree WHERE ancestor = ")
                .push_bind(group)
                .push(" UNION ALL SELECT ancestor FROM user_group_tree WHERE descendant = ")
                .push_bind(group)
                .push(")");
        }
        Reach::Shared(view) => {
            sql.push("(");
            belongs_to(sql, spec.owner, below);
            sql.push(" OR this.id IN (SELECT s.id FROM ")
                .push(view)
                .push(" s JOIN user_group_tree t ON t.ancestor = s.user_group WHERE t.descendant = ")
                .push_bind(group)
                .push("))");
        }
        Reach::World => {
            sql.push("true");
        }
    }
}
