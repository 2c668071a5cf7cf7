//! Names machines by what they belong to, for whatever is done to many at a time.

use super::{
    catalogue::{MachineModel, MachineType},
    location::{Location, LocationGroup},
    machine::{Machine, MachineGroup},
};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    resource::{Resource, Spec, reach},
    transaction,
};
use serde::Deserialize;
use sqlx::{PgPool, Postgres, QueryBuilder};
use std::collections::HashSet;
use utoipa::ToSchema;

/// Things that one filter can name at most.
const IDS_MAX: usize = 10_000;

/// Unknown ids that are pointed at, at most.
const UNKNOWN_SHOWN_MAX: usize = 20;

/// What machines are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MachineFilterType)]
pub enum Type {
    /// By themselves.
    Machine,
    /// By the machine groups that they are in.
    MachineGroup,
    /// By the locations that they stand at.
    Location,
    /// By the location groups that they stand in.
    LocationGroup,
    /// By their models.
    MachineModel,
    /// By their types.
    MachineType,
}

/// The machines that belong to any of some things.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MachineFilter)]
pub struct Filter {
    /// What `ids` are the ids of.
    pub r#type: Type,
    /// The ids; each must be one that the caller may know of.
    #[schema(min_items = 1, max_items = 10_000)]
    pub ids: Vec<i64>,
}

impl Type {
    /// What the ids are the ids of.
    fn spec(self) -> &'static Spec {
        match self {
            Self::Machine => Machine::spec(),
            Self::MachineGroup => MachineGroup::spec(),
            Self::Location => Location::spec(),
            Self::LocationGroup => LocationGroup::spec(),
            Self::MachineModel => MachineModel::spec(),
            Self::MachineType => MachineType::spec(),
        }
    }

    /// What a machine meets that belongs to any of the ids: what stands before them, and behind.
    const fn condition(self) -> (&'static str, &'static str) {
        match self {
            Self::Machine => ("this.id = ANY(", ")"),
            Self::MachineGroup => (
                "this.id IN (SELECT g.machine FROM machine_group_machine g WHERE g.machine_group = ANY(",
                "))",
            ),
            Self::Location => ("this.location = ANY(", ")"),
            Self::LocationGroup => (
                "this.location IN (SELECT g.location FROM location_group_location g WHERE g.location_group = ANY(",
                "))",
            ),
            Self::MachineModel => ("this.machine_model = ANY(", ")"),
            Self::MachineType => ("this.machine_type = ANY(", ")"),
        }
    }
}

impl Filter {
    /// Looks up the machines that it names, of those that `group` may change, and refuses too many.
    pub async fn machines(&self, app: &App, group: i64) -> Result<Vec<i64>> {
        if self.ids.is_empty() || self.ids.len() > IDS_MAX {
            return Err(Error::invalid("/filter/ids", format!("must be from 1 to {IDS_MAX} ids")));
        }
        let (reading, max) = (app.reads.list(group).await?, app.config.filter_machines_max);
        let unknown = unknown(&self.ids, &self.known(&reading, group).await?);
        if !unknown.is_empty() {
            return Err(Error::Invalid(unknown));
        }
        let mut sql = QueryBuilder::<Postgres>::new("SELECT this.id FROM machine this WHERE ");
        let (before, after) = self.r#type.condition();
        sql.push(before).push_bind(&self.ids).push(after).push(" AND ");
        reach::writable(&mut sql, Machine::spec(), group);
        // One more than allowed tells whether there are more.
        sql.push(" ORDER BY this.id LIMIT ")
            .push_bind(i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1));
        let found = sql.build_query_scalar().fetch_all(&*reading).await;
        let machines: Vec<i64> = found.map_err(|error| transaction::too_long(error, "/filter"))?;
        if machines.len() > max {
            return Err(Error::invalid("/filter/ids", format!("names more than {max} machines")));
        }
        Ok(machines)
    }

    /// Those of its ids that `group` may know of.
    async fn known(&self, db: &PgPool, group: i64) -> Result<HashSet<i64>> {
        let spec = self.r#type.spec();
        let mut sql = QueryBuilder::<Postgres>::new("SELECT this.id FROM ");
        sql.push(spec.table).push(" this WHERE this.id = ANY(").push_bind(&self.ids).push(") AND ");
        reach::readable(&mut sql, spec, group);
        let known: Vec<i64> = sql.build_query_scalar().fetch_all(db).await?;
        Ok(known.into_iter().collect())
    }
}

/// Points at the ids that are not known.
fn unknown(ids: &[i64], known: &HashSet<i64>) -> Vec<Issue> {
    let unknown = ids.iter().enumerate().filter(|(_, id)| !known.contains(id));
    unknown
        .take(UNKNOWN_SHOWN_MAX)
        .map(|(at, _)| Issue::at(format!("/filter/ids/{at}"), "is not one of yours"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_id_is_pointed_at_up_to_a_limit() {
        let pointers = |ids: &[i64]| {
            let found = unknown(ids, &HashSet::from([1, 2]));
            found.into_iter().map(|issue| issue.pointer.into_owned()).collect::<Vec<_>>()
        };
        assert!(pointers(&[1, 2, 1]).is_empty());
        assert_eq!(pointers(&[1, 3, 2, 4]), ["/filter/ids/1", "/filter/ids/3"]);
        assert_eq!(pointers(&[9; 100]).len(), UNKNOWN_SHOWN_MAX);
    }

    #[test]
    fn types_are_one_lower_case_word() {
        for word in ["machine", "machinegroup", "location", "locationgroup", "machinemodel", "machinetype"] {
            let filter: Filter = serde_json::from_str(&format!(r#"{{"type":"{word}","ids":[1]}}"#)).unwrap();
            assert_eq!(format!("{:?}", filter.r#type).to_lowercase(), word);
        }
    }
}
