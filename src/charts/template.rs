//! Types of charts, and what each asks for by itself: the templates that ship with Scrip.

use super::criteria::Criteria;
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, Path, caller::Permission},
    resource::{FieldType, field::words},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::LazyLock};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

words! {
    /// What a chart is about.
    ChartType {
        /// What was sold, day by day.
        RevenueFull = "revenue_full",
        /// What was sold, by product.
        RevenueGrouped = "revenue_grouped",
        /// How customers paid.
        PaymentTypes = "payment_types",
        /// Machines that are not heard of.
        OfflineMachines = "offline_machines",
        /// Events of cleaning: those whose error's name has `clean` in it.
        MachineCleaning = "machine_cleaning",
        /// Alarms of machines.
        MachineAlarms = "machine_alarms",
        /// Issues of machines.
        MachineIssues = "machine_issues",
    }
}

words! {
    /// How a chart is drawn. Its rows are the same.
    View {
        /// As a table.
        Table = "table",
        /// As bars.
        Bars = "bars",
        /// As lines.
        Lines = "lines",
        /// As a pie.
        Pie = "pie",
    }
}

/// What a chart of a type asks for, and is called, by itself.
#[derive(Debug, Deserialize)]
struct Preset {
    name: String,
    criteria: Criteria,
}

/// By the word of their type. Empty if the file can't be read, which a test sees.
static PRESETS: LazyLock<HashMap<String, Preset>> =
    LazyLock::new(|| serde_json::from_str(include_str!("templates.json")).unwrap_or_default());

impl ChartType {
    fn preset(self) -> Result<&'static Preset> {
        PRESETS.get(self.word()).ok_or_else(|| Error::fault("a type of charts without a template"))
    }

    /// What it is called by itself.
    pub fn name(self) -> Result<&'static str> {
        Ok(&self.preset()?.name)
    }

    /// What it asks for by itself.
    pub fn criteria(self) -> Result<&'static Criteria> {
        Ok(&self.preset()?.criteria)
    }
}

/// A chart to begin with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChartTemplate {
    /// Its id.
    id: i64,
    /// Its name.
    name: &'static str,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(schema_with = ChartType::takes)]
    kind: ChartType,
    /// What it asks for.
    criteria: &'static Criteria,
    /// When it was made.
    #[serde(serialize_with = "crate::time::seconds")]
    create_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    update_at: DateTime<Utc>,
}

/// When the templates were last changed: 2026-11-24.
const CHANGED_S: i64 = 1_795_478_400;

fn template(id: usize, kind: ChartType) -> Result<ChartTemplate> {
    let changed = DateTime::from_timestamp(CHANGED_S, 0).unwrap_or_default();
    let (name, criteria) = (kind.name()?, kind.criteria()?);
    Ok(ChartTemplate { id: id as i64, name, kind, criteria, create_at: changed, update_at: changed })
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(fetch))
}

/// List the templates of charts
///
/// One for each type: what a chart of it shows that is given no criteria.
#[utoipa::path(get, path = "/charttemplate", tag = "charttemplate", operation_id = "list_chart_templates",
    responses((status = 200, description = "Every template", body = Vec<ChartTemplate>)))]
async fn list(caller: Caller) -> Result<Json<Vec<ChartTemplate>>> {
    caller.may(Permission::ReportRead)?;
    let templates = (1..).zip(ChartType::ALL).map(|(id, kind)| template(id, *kind));
    templates.collect::<Result<_>>().map(Json)
}

/// Read a template of charts
#[utoipa::path(get, path = "/charttemplate/{id}", tag = "charttemplate", operation_id = "fetch_chart_template",
    params(("id" = i64, Path, description = "The template")),
    responses((status = 200, description = "The template", body = ChartTemplate)))]
async fn fetch(caller: Caller, Path(id): Path<i64>) -> Result<Json<ChartTemplate>> {
    caller.may(Permission::ReportRead)?;
    let found = (1..).zip(ChartType::ALL).find(|(known, _)| *known as i64 == id);
    let (id, kind) = found.ok_or(Error::NotFound("chart template"))?;
    template(id, *kind).map(Json)
}
