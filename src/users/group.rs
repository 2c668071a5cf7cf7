//! What a user group is made from, and what it may be allowed: pure.

use crate::{
    campaigns::terms::Checks,
    error::{Error, Issue, Result},
    http::{
        caller::{Permission, Permissions},
        extract::present,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user group to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UserGroupDraft {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The group above it: the caller's, or one below.
    pub parent: i64,
    /// Locations of a group above that its members see.
    #[serde(default)]
    pub locations: Vec<i64>,
    /// Groups of locations of a group above that its members see.
    #[serde(default)]
    pub location_groups: Vec<i64>,
    /// What its members may do: of what the parent's may, and the caller. Without a list, all that
    /// the parent's may.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
}

/// What can change about a user group: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct UserGroupPatch {
    /// What people call it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The group above it; it moves there with all below it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = i64)]
    pub parent: Option<i64>,
    /// Locations of a group above that its members see.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Vec<i64>)]
    pub locations: Option<Vec<i64>>,
    /// Groups of locations of a group above that its members see.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Vec<i64>)]
    pub location_groups: Option<Vec<i64>>,
    /// What its members may do; `null` for all that the parent's may.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Vec<Permission>>)]
    pub permissions: Option<Option<Vec<Permission>>>,
}

/// A permission with its number.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumberedPermission {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: Permission,
}

impl NumberedPermission {
    /// Each permission of a set.
    pub fn each(permissions: Permissions) -> Vec<Self> {
        permissions.each().map(|name| Self { id: name as i64, name }).collect()
    }
}

/// Checks a group's name.
pub fn check_name(name: &str) -> Result<()> {
    let mut checks = Checks::default();
    checks.name("/name", name);
    checks.done()
}

/// Checks what a group is to allow (all that its parent does, without a list) against what the
/// parent group allows and what the caller may do itself.
pub fn check_permissions(list: Option<&[Permission]>, parent: Permissions, own: Permissions) -> Result<()> {
    let Some(list) = list else {
        return if parent.within(own) {
            Ok(())
        } else {
            Err(Error::invalid("/permissions", "is required: the group above allows more than you may do"))
        };
    };
    let beyond = |permission: Permission| match (parent.contains(permission), own.contains(permission)) {
        (false, _) => Some("is more than the group above allows"),
        (true, false) => Some("is more than you may do yourself"),
        (true, true) => None,
    };
    let issues: Vec<_> = list
        .iter()
        .enumerate()
        .filter_map(|(index, &permission)| {
            Some(Issue::at(format!("/permissions/{index}"), beyond(permission)?))
        })
        .collect();
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// The names of a list, each once.
pub fn names(list: &[Permission]) -> Vec<String> {
    list.iter().copied().collect::<Permissions>().each().map(|permission| permission.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::parse;
    use Permission::{CampaignRead, UserRead, UserWrite};
    use proptest::prelude::*;

    fn set(permissions: &[Permission]) -> Permissions {
        permissions.iter().copied().collect()
    }

    fn pointers(list: Option<&[Permission]>, parent: &[Permission], own: &[Permission]) -> Vec<String> {
        match check_permissions(list, set(parent), set(own)) {
            Ok(()) => Vec::new(),
            Err(error) => error.problem().errors.into_iter().map(|issue| issue.pointer.to_string()).collect(),
        }
    }

    #[test]
    fn a_group_is_not_allowed_more_than_its_parent_or_its_maker() {
        let list = [CampaignRead, UserRead, UserWrite];
        assert!(pointers(Some(&list), &list, &list).is_empty());
        assert_eq!(pointers(Some(&list), &[UserRead], &list), ["/permissions/0", "/permissions/2"]);
        assert_eq!(pointers(Some(&list), &list, &list[..2]), ["/permissions/2"]);
        assert!(pointers(Some(&[]), &[], &[]).is_empty());
        assert!(pointers(None, &[UserRead], &list).is_empty());
        assert_eq!(pointers(None, &list, &[UserRead]), ["/permissions"]);
    }

    proptest! {
        #[test]
        fn what_is_let_through_is_within_both(list in picks(), parent in picks(), own in picks()) {
            let good = check_permissions(Some(&list), set(&parent), set(&own)).is_ok();
            let within = set(&list).within(set(&parent).and(set(&own)));
            prop_assert_eq!(good, within);
        }
    }

    fn picks() -> impl Strategy<Value = Vec<Permission>> {
        prop::collection::vec(prop::sample::select(Permission::EVERY.to_vec()), 0..24)
    }

    #[test]
    fn a_patch_tells_no_list_from_an_empty_one() {
        let read = |body: &str| parse::<UserGroupPatch>(body.as_bytes()).map(|patch| patch.permissions);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"permissions":null}"#).unwrap(), Some(None));
        assert_eq!(read(r#"{"permissions":[]}"#).unwrap(), Some(Some(Vec::new())));
        let unknown = read(r#"{"permissions":["user.read","user.steal"]}"#).unwrap_err().problem();
        assert_eq!(unknown.errors[0].pointer, "/permissions/1");
        assert_eq!(names(&[UserWrite, UserRead, UserWrite]), ["user.read", "user.write"]);
    }
}
