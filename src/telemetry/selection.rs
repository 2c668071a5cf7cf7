//! Whose sales, payments and events are asked for.
//!
//! Rows are those of the caller's group and the groups below it, as they were when each row came in.
//! Machines and the members of machine groups narrow them down to these machines; locations and the
//! members of location groups to what happened there. Who names both wants what meets both.

use crate::{
    error::{Error, Issue, Result},
    fleet::{
        location::{Location, LocationGroup},
        machine::{Machine, MachineGroup},
    },
    http::list::ListParams,
    resource::{
        Resource, Spec,
        reference::{self, Pointing},
    },
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Ids that one list can have.
const IDS_MAX: usize = 10_000;

/// What a client names; an empty list narrows nothing down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Named {
    /// Only what these machines did.
    pub machines: Vec<i64>,
    /// Only what happened at these locations.
    pub locations: Vec<i64>,
    /// Only what the machines of these groups did.
    pub machine_groups: Vec<i64>,
    /// Only what happened at the locations of these groups.
    pub location_groups: Vec<i64>,
}

/// The same as ids to compare with. Statements take the three as `$1` to `$3`:
/// `user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
/// AND ($3::bigint[] IS NULL OR location = ANY($3))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The caller's group and all below it.
    pub groups: Vec<i64>,
    /// The only machines, if that matters.
    pub machines: Option<Vec<i64>>,
    /// The only locations, if that matters.
    pub locations: Option<Vec<i64>>,
}

impl Named {
    /// Takes `machines` and `locations` out of the parameters of a query.
    pub fn take(params: &mut ListParams) -> Result<Self> {
        let (machines, locations) = (params.take_ids("machines")?, params.take_ids("locations")?);
        Ok(Self { machines, locations, ..Self::default() })
    }

    /// Resolves it for a caller of this group. Each id must be one that the caller sees: `refuse` makes
    /// the error, since some are named in a body and others in a query.
    pub async fn resolve(
        &self,
        db: &mut PgConnection,
        group: i64,
        refuse: impl Fn(Vec<Issue>) -> Error,
    ) -> Result<Selection> {
        let lists: [(&str, &[i64], &'static Spec); 4] = [
            ("machines", &self.machines, Machine::spec()),
            ("locations", &self.locations, Location::spec()),
            ("machineGroups", &self.machine_groups, MachineGroup::spec()),
            ("locationGroups", &self.location_groups, LocationGroup::spec()),
        ];
        let mut issues = Vec::new();
        let who = Pointing { caller: group, owner: group };
        for (name, ids, spec) in lists {
            if ids.len() > IDS_MAX {
                issues.push(Issue::at(format!("/{name}"), format!("must have at most {IDS_MAX} ids")));
                continue;
            }
            if ids.is_empty() {
                continue;
            }
            let known = reference::known(db, spec, ids, who).await?;
            let unknown = ids.iter().enumerate().filter(|(_, id)| !known.contains(id));
            let nothing =
                |index| Issue::at(format!("/{name}/{index}"), format!("is no {} that you see", spec.noun));
            issues.extend(unknown.map(|(index, _)| nothing(index)));
        }
        if !issues.is_empty() {
            return Err(refuse(issues));
        }
        let groups = sqlx::query_scalar("SELECT descendant FROM user_group_tree WHERE ancestor = $1")
            .bind(group)
            .fetch_all(&mut *db)
            .await?;
        let machines = members(db, &self.machines, &self.machine_groups, MACHINES_OF).await?;
        let locations = members(db, &self.locations, &self.location_groups, LOCATIONS_OF).await?;
        Ok(Selection { groups, machines, locations })
    }
}

const MACHINES_OF: &str = "SELECT machine FROM machine_group_machine WHERE machine_group = ANY($1)";
const LOCATIONS_OF: &str = "SELECT location FROM location_group_location WHERE location_group = ANY($1)";

/// The ids and the members of the groups; None if neither is named.
async fn members(
    db: &mut PgConnection,
    ids: &[i64],
    groups: &[i64],
    of_groups: &'static str,
) -> Result<Option<Vec<i64>>> {
    if ids.is_empty() && groups.is_empty() {
        return Ok(None);
    }
    let mut all = ids.to_vec();
    if !groups.is_empty() {
        let members: Vec<i64> = sqlx::query_scalar(of_groups).bind(groups).fetch_all(db).await?;
        all.extend(members);
    }
    all.sort_unstable();
    all.dedup();
    Ok(Some(all))
}
