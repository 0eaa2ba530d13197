//! What the service is told, member by member as upstream tells it.
//!
//! Invariant: every reservation carries its own allocations, also beside others of its resource type.

use api_types::date::{RecordTime, WholeTime};
use planner_core::domain::{HostReservation, Lease, ReservationSpec, Timestamp};
use planner_core::properties::as_written;
use planner_core::service::NewAffinity;
use planner_core::usage::{Amendment, Booking, Ending, Owner, Resource};
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::{Map, Result, Value, json};

/// What the service is told about the cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// URL of Keystone, empty where there is none.
    pub auth_url: String,
    /// The region, if it has a name.
    pub region_name: Option<String>,
}

/// Status of a lease that does not exist yet.
const CREATING: &str = "CREATING";
/// Status of a lease that is to be changed.
const UPDATING: &str = "UPDATING";

/// Body of the question whether a lease may be booked.
pub(crate) fn create(context: &Context, booking: Booking<'_>) -> Result<Value> {
    let Booking {
        owner,
        lease,
        resources,
    } = booking;
    let mut members = Members::default();
    members.put("name", &lease.name)?;
    members.put("start_date", date(lease.start))?;
    members.put("end_date", date(lease.end))?;
    members.put_given("before_end_date", lease.before_end.map(date))?;
    members.put("user_id", owner.user_id)?;
    members.put("project_id", owner.project_id)?;
    members.put("status", CREATING)?;
    let reservations = lease.reservations.iter().zip(resources);
    let reservations = reservations.map(|(spec, resources)| asked(spec)?.with_allocations(resources));
    members.put("reservations", reservations.collect::<Result<Vec<_>>>()?)?;
    Ok(json!({"context": about(context, owner), "lease": members.0}))
}

/// Body of the question whether a lease may be changed.
pub(crate) fn update(context: &Context, amendment: Amendment<'_>) -> Result<Value> {
    let Amendment {
        current,
        current_resources,
        change,
        next,
        next_resources,
    } = amendment;
    let mut members = Members::default();
    members.put_given("name", change.name.as_ref())?;
    members.put("start_date", date(next.start))?;
    members.put("end_date", date(next.end))?;
    members.put_given("before_end_date", change.before_end.map(date))?;
    let reservations = if change.reservations.is_empty() {
        stored_reservations(current, next_resources)?
    } else {
        supplied(amendment)?
    };
    members.put("reservations", reservations)?;
    let mut current_lease = stored(current, current_resources)?;
    current_lease.put("status", UPDATING)?;
    let context = about(context, Owner::of(current));
    Ok(json!({"context": context, "current_lease": current_lease.0, "lease": members.0}))
}

/// Body of the news that a lease ends.
pub(crate) fn end(context: &Context, ending: Ending<'_>) -> Result<Value> {
    let Ending { lease, resources } = ending;
    Ok(json!({"context": about(context, Owner::of(lease)), "lease": stored(lease, resources)?.0}))
}

fn about(context: &Context, owner: Owner<'_>) -> Value {
    json!({
        "user_id": owner.user_id,
        "project_id": owner.project_id,
        "auth_url": context.auth_url,
        "region_name": context.region_name,
    })
}

const fn date(time: Timestamp) -> WholeTime {
    WholeTime(time)
}

/// A reservation that is asked for.
fn asked(spec: &ReservationSpec) -> Result<Members> {
    let mut members = Members::default();
    members.put("resource_type", spec.resource_type())?;
    match spec {
        ReservationSpec::Host(spec) => {
            members.put("min", spec.min)?;
            members.put("max", spec.max)?;
            members.put("hypervisor_properties", as_written(&spec.hypervisor_properties))?;
            members.put("resource_properties", as_written(&spec.resource_properties))?;
            let given = Some(&spec.before_end).filter(|action| *action != HostReservation::DEFAULT_BEFORE_END);
            members.put_given("before_end", given)?;
        }
        ReservationSpec::Instance(spec) => {
            members.put("vcpus", spec.size.vcpus)?;
            members.put("memory_mb", spec.size.memory_mb)?;
            members.put("disk_gb", spec.size.disk_gb)?;
            members.put("amount", spec.amount)?;
            members.put("affinity", spec.affinity)?;
            members.put("resource_properties", as_written(&spec.resource_properties))?;
        }
        ReservationSpec::Countable(spec) => members.put("amount", spec.amount)?,
        ReservationSpec::Flavor(spec) => {
            members.put("flavor_id", &spec.flavor.id)?;
            members.put("amount", spec.amount)?;
            members.put("affinity", Option::<bool>::None)?;
        }
        ReservationSpec::FloatingIp(spec) => {
            members.put("network_id", &spec.network_id)?;
            members.put("amount", spec.amount)?;
            members.put("required_floatingips", &spec.required_floatingips)?;
        }
    }
    Ok(members)
}

/// The changes of reservations that are asked for, with what each reservation would have.
fn supplied(amendment: Amendment<'_>) -> Result<Vec<Value>> {
    let mut reservations = Vec::new();
    let written = |expression: Option<&String>| expression.map(|text| as_written(text));
    for change in &amendment.change.reservations {
        let stored = amendment.next.reservations.iter().zip(amendment.next_resources);
        let mut stored = stored.filter(|(reservation, _)| reservation.id == change.id);
        let Some((reservation, resources)) = stored.next() else {
            continue;
        };
        let mut members = Members::default();
        members.put("id", &change.id)?;
        members.put("resource_type", reservation.spec.resource_type())?;
        members.put_given("min", change.min)?;
        members.put_given("max", change.max)?;
        members.put_given("hypervisor_properties", written(change.hypervisor_properties.as_ref()))?;
        members.put_given("resource_properties", written(change.resource_properties.as_ref()))?;
        members.put_given("vcpus", change.vcpus)?;
        members.put_given("memory_mb", change.memory_mb)?;
        members.put_given("disk_gb", change.disk_gb)?;
        members.put_given("amount", change.amount)?;
        members.put_given("affinity", change.affinity.map(|NewAffinity(rule)| rule))?;
        members.put_given("flavor_id", change.flavor_id.as_ref())?;
        members.put_given("network_id", change.network_id.as_ref())?;
        members.put_given("required_floatingips", change.required_floatingips.as_ref())?;
        reservations.push(members.with_allocations(resources)?);
    }
    Ok(reservations)
}

/// A lease as the API shows it, but for its dates, and with allocations.
fn stored(lease: &Lease, resources: &[Vec<Resource>]) -> Result<Members> {
    let shown = presentation::lease::write(lease);
    let mut members = Members::of(&shown)?;
    members.put("start_date", date(shown.start_date.0))?;
    members.put("end_date", date(shown.end_date.0))?;
    let events = shown.events.iter().map(|event| {
        let mut members = Members::of(event)?;
        members.put("time", date(event.time.0))?;
        Ok(Value::Object(members.0))
    });
    members.put("events", events.collect::<Result<Vec<_>>>()?)?;
    members.put("reservations", stored_reservations(lease, resources)?)?;
    Ok(members)
}

fn stored_reservations(lease: &Lease, resources: &[Vec<Resource>]) -> Result<Vec<Value>> {
    let shown = presentation::lease::write(lease).reservations;
    let reservations = shown.iter().zip(resources);
    reservations
        .map(|(reservation, resources)| Members::of(reservation)?.with_allocations(resources))
        .collect()
}

/// An object in the making.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn of(value: &impl Serialize) -> Result<Self> {
        let Value::Object(members) = serde_json::to_value(value)? else {
            return Err(serde_json::Error::custom("a value is not an object"));
        };
        Ok(Self(members))
    }

    fn put(&mut self, name: &str, value: impl Serialize) -> Result<()> {
        self.0.insert(name.to_owned(), serde_json::to_value(value)?);
        Ok(())
    }

    fn put_given(&mut self, name: &str, value: Option<impl Serialize>) -> Result<()> {
        value.map_or(Ok(()), |value| self.put(name, value))
    }

    fn with_allocations(mut self, resources: &[Resource]) -> Result<Value> {
        let written = resources.iter().map(|resource| match resource {
            Resource::Host(host) => serde_json::to_value(presentation::host::write(host)),
            Resource::FloatingIp(address) => {
                serde_json::to_value(presentation::floating_ip::write(address, RecordTime))
            }
            Resource::Unit(id) => Ok(json!({"id": id})),
        });
        let written = written.collect::<Result<Vec<_>>>()?;
        self.put("allocations", written)?;
        Ok(Value::Object(self.0))
    }
}
