//! `berth lease`: book, show, change and delete leases.
//!
//! Invariant: a name stands for a lease only while exactly one visible lease has it.

use std::time::Duration;

use api_types::capacity::Offer;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::ConnectionArguments;
use crate::answer::{list, member};
use crate::api::{Api, ApiError, segment};
use crate::error::ClientError;
use crate::hint::{Hint, Kind};
use crate::moment::{Moment, from_wire, time_for_people, to_wire};
use crate::output::{Cell, Output, cell_of, counted, scalar, text_of};
use crate::report;
use crate::request::{Request, at, operand, option};
use crate::reservation::{ReservationArguments, noun};
use crate::several::{Target, each, targets};

/// Between two attempts while work on a lease is under way.
const PAUSE: Duration = Duration::from_millis(250);

/// Attempts while work on a lease is under way: one minute.
const MOST_ATTEMPTS: u32 = 240;

/// Every status a lease can have.
const STATUSES: [&str; 9] = [
    "creating",
    "pending",
    "starting",
    "active",
    "updating",
    "terminating",
    "terminated",
    "deleting",
    "error",
];

/// Every member of a lease that `--field` prints.
const MEMBERS: [&str; 13] = [
    "id",
    "name",
    "user_id",
    "project_id",
    "start_date",
    "end_date",
    "trust_id",
    "status",
    "degraded",
    "created_at",
    "updated_at",
    "reservations",
    "events",
];

/// `berth lease`.
#[derive(Debug, Args)]
pub struct LeaseArguments {
    #[command(subcommand)]
    pub(crate) action: LeaseAction,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LeaseAction {
    /// Book a lease
    Create(CreateArguments),
    /// List leases
    List(ListArguments),
    /// Show a lease: its state, its hosts, what is due and why it waits
    Show(ShowArguments),
    /// Change a lease; it stays as it was if the change is refused
    ///
    /// Where something is being done with the lease, that is waited for up to a minute.
    Update(UpdateArguments),
    /// Delete leases; one that runs gives its resources back first
    ///
    /// Exit code 0: the leases are deleted, or are being deleted and give their resources back, which is said. 1: the
    /// service refused. Where something is being done with a lease, that is waited for up to a minute.
    Delete(DeleteArguments),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateArguments {
    /// Name of the lease
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    /// Start: now, +2h (from now), '2030-01-01 10:00' (UTC)
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "now",
        alias = "start-date"
    )]
    start: Moment,
    /// End: +2h (from the start), '2030-01-01 12:00' (UTC)
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        default_value = "+1d",
        alias = "end-date"
    )]
    end: Moment,
    /// When to act before the end: -30m (from the end) or a time; without it the service's lead
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "before-end-date")]
    before_end: Option<Moment>,
    #[command(flatten)]
    reservation: ReservationArguments,
    /// Print only this member
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(MEMBERS))]
    field: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only leases in this status
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = STATUSES)]
    status: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Id or name
    lease: String,
    /// Print only this member; lists one item a line
    #[arg(
        long,
        value_name = "NAME",
        value_parser = PossibleValuesParser::new(MEMBERS.into_iter().chain([report::HOSTS]))
    )]
    field: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct UpdateArguments {
    /// Id or name
    lease: String,
    /// New name
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// New start; +1h and -1h count from the start it has
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "start-date")]
    start: Option<Moment>,
    /// New end; +1h prolongs, -1h shortens
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "end-date")]
    end: Option<Moment>,
    /// New time to act before the end; -30m counts from the end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, alias = "before-end-date")]
    before_end: Option<Moment>,
    #[command(flatten)]
    reservation: ReservationArguments,
    /// Do not wait until what is being done with the lease has ended
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Ids or names
    #[arg(required = true, value_name = "LEASE")]
    leases: Vec<String>,
    /// Do not wait: neither until what is being done with a lease has ended, nor until its resources are given back
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(
    action: LeaseAction,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<(), ClientError> {
    match action {
        LeaseAction::Create(arguments) => create(arguments, api, output, now).await,
        LeaseAction::List(arguments) => show_all(arguments, api, output).await,
        LeaseAction::Show(arguments) => show(arguments, api, output).await,
        LeaseAction::Update(arguments) => update(arguments, api, output, now).await,
        LeaseAction::Delete(arguments) => delete(arguments, api, output).await,
    }
}

impl CreateArguments {
    /// The words that say when the lease starts and ends.
    fn window(&self, words: &mut Vec<String>) {
        option(words, "--start", Some(self.start).filter(|start| *start != Moment::Now));
        option(words, "--end", Some(self.end));
    }

    /// The body of the request.
    pub(crate) fn body(&self, now: DateTime<Utc>) -> Result<Value, ClientError> {
        let start = self.start.resolve(now, now)?;
        let end = self.end.resolve(now, start)?;
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        // The service's own clock decides what "now" is.
        let start_on_wire = if self.start == Moment::Now {
            "now".to_owned()
        } else {
            to_wire(start)
        };
        body.insert("start_date".to_owned(), json!(start_on_wire));
        body.insert("end_date".to_owned(), json!(to_wire(end)));
        if let Some(before_end) = self.before_end {
            let before_end = before_end.resolve(now, end)?;
            body.insert("before_end_date".to_owned(), json!(to_wire(before_end)));
        }
        body.insert("reservations".to_owned(), json!(self.reservation.for_creation()?));
        body.insert("events".to_owned(), json!([]));
        Ok(Value::Object(body))
    }
}

async fn create(
    arguments: CreateArguments,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<(), ClientError> {
    let answer = api.post("/v1/leases", &arguments.body(now)?).await;
    let answer = answer.map_err(|refusal| ClientError::refused(refusal, &arguments, api))?;
    let id = answer.pointer("/lease/id").map(scalar).unwrap_or_default();
    output.note(format!("Lease {} is booked, with the id {id}.", arguments.name));
    if output.json && arguments.field.is_none() {
        return output.value(&answer);
    }
    let lease = member(answer, "lease")?;
    match &arguments.field {
        // The lease is booked whatever the answer lacks.
        Some(field) => output.member(lease.get(field).unwrap_or(&Value::Null)),
        None => report::show_done(lease, api, output).await,
    }
}

/// Whether the time of the action before the end moves with the end, as a lead does and a time of day does not.
const fn moves_with_end(before_end: Option<Moment>) -> bool {
    !matches!(before_end, Some(Moment::At(_) | Moment::Now))
}

impl Request for CreateArguments {
    fn with(&self, offer: &Offer) -> Option<Self> {
        let mut changed = self.clone();
        changed.reservation = self.reservation.with(offer)?;
        match offer {
            Offer::Start { start, end, .. } => (changed.start, changed.end) = (at(start.0)?, at(end.0)?),
            Offer::End { end, .. } => changed.end = at(end.0)?,
            Offer::Amount { .. } | Offer::Replace { .. } | Offer::Drop { .. } => return Some(changed),
        }
        moves_with_end(self.before_end).then_some(changed)
    }

    fn words(&self) -> Vec<String> {
        let mut words = vec!["lease".to_owned(), "create".to_owned()];
        self.window(&mut words);
        option(&mut words, "--before-end", self.before_end);
        self.reservation.words(&mut words);
        option(&mut words, "--field", self.field.as_ref());
        operand(&mut words, &self.name);
        words
    }

    fn question(&self) -> Option<Vec<String>> {
        let mut words = vec!["what-if".to_owned()];
        self.window(&mut words);
        self.reservation.words(&mut words);
        Some(words)
    }

    fn noun(&self, reservation: u32) -> (&'static str, &'static str) {
        self.reservation.noun(reservation)
    }
}

impl UpdateArguments {
    /// The body of the request that changes this lease.
    fn body(&self, lease: &Value, now: DateTime<Utc>) -> Result<Map<String, Value>, ClientError> {
        let date = |name: &'static str| from_wire(&text_of(lease, name)).ok_or(ClientError::Answer(name));
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), json!(name));
        }
        if let Some(start) = self.start {
            body.insert(
                "start_date".to_owned(),
                json!(to_wire(start.resolve(now, date("start_date")?)?)),
            );
        }
        let mut end = date("end_date")?;
        if let Some(new_end) = self.end {
            end = new_end.resolve(now, end)?;
            body.insert("end_date".to_owned(), json!(to_wire(end)));
        }
        if let Some(before_end) = self.before_end {
            body.insert(
                "before_end_date".to_owned(),
                json!(to_wire(before_end.resolve(now, end)?)),
            );
        }
        let reservations = self.reservation.for_update(lease)?;
        if !reservations.is_empty() {
            body.insert("reservations".to_owned(), json!(reservations));
        }
        Ok(body)
    }
}

/// A change of a lease that exists.
struct Change<'a> {
    arguments: UpdateArguments,
    /// As it is.
    lease: &'a Value,
    now: DateTime<Utc>,
}

impl Change<'_> {
    /// The reservations that the lease has.
    fn held(&self) -> &[Value] {
        let held = self.lease.get("reservations").and_then(Value::as_array);
        held.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the entry of a request says anything of its reservation but what is so.
    fn changes(&self, entry: &Value) -> bool {
        let held = self.held().iter().find(|held| held.get("id") == entry.get("id"));
        let members = entry.as_object().into_iter().flatten();
        let mut members = members.map(|(name, value)| (held.and_then(|held| held.get(name)), value));
        members.any(|(held, value)| held != Some(value))
    }

    /// This change with another condition, or none, in the place of one of the reservation at this place.
    fn with_condition(&self, reservation: u32, condition: &str, other: Option<&str>) -> Option<ReservationArguments> {
        let held = self.held().get(usize::try_from(reservation).ok()?)?;
        let is_only = self.held().len() == 1;
        let other = match other {
            Some(other) => Some(from_text(other)?),
            None => None,
        };
        let reservation = &self.arguments.reservation;
        reservation.with_condition_of(held, is_only, &from_text(condition)?, other.as_ref())
    }

    /// A member of the reservation at this place.
    fn member(&self, reservation: u32, name: &str) -> Option<&str> {
        self.held().get(usize::try_from(reservation).ok()?)?.get(name)?.as_str()
    }
}

impl Request for Change<'_> {
    fn with(&self, offer: &Offer) -> Option<Self> {
        let mut arguments = self.arguments.clone();
        match offer {
            Offer::Start { start, end, .. } => {
                (arguments.start, arguments.end) = (Some(at(start.0)?), Some(at(end.0)?));
            }
            Offer::End { end, .. } => arguments.end = Some(at(end.0)?),
            Offer::Amount {
                reservation, amount, ..
            } => {
                let (id, kind) = (
                    self.member(*reservation, "id")?,
                    self.member(*reservation, "resource_type")?,
                );
                let is_only = self.held().len() == 1;
                arguments.reservation = arguments.reservation.with_amount(id, kind, is_only, *amount)?;
            }
            Offer::Drop {
                reservation, condition, ..
            } => arguments.reservation = self.with_condition(*reservation, condition, None)?,
            Offer::Replace {
                reservation,
                condition,
                replacement,
                ..
            } => arguments.reservation = self.with_condition(*reservation, condition, Some(replacement))?,
        }
        let of_time = matches!(offer, Offer::Start { .. } | Offer::End { .. });
        (!of_time || moves_with_end(arguments.before_end)).then_some(Self {
            arguments,
            lease: self.lease,
            now: self.now,
        })
    }

    fn is_change(&self) -> bool {
        let Ok(body) = self.arguments.body(self.lease, self.now) else {
            return true;
        };
        body.iter().any(|(name, value)| match name.as_str() {
            "reservations" => value.as_array().into_iter().flatten().any(|entry| self.changes(entry)),
            "start_date" | "end_date" => {
                let held = from_wire(&text_of(self.lease, name)).map(to_wire);
                held.as_deref() != value.as_str()
            }
            _ => self.lease.get(name) != Some(value),
        })
    }

    fn words(&self) -> Vec<String> {
        let mut words = vec!["lease".to_owned(), "update".to_owned()];
        option(&mut words, "--name", self.arguments.name.as_ref());
        option(&mut words, "--start", self.arguments.start);
        option(&mut words, "--end", self.arguments.end);
        option(&mut words, "--before-end", self.arguments.before_end);
        self.arguments.reservation.words(&mut words);
        words.extend(self.arguments.no_wait.then(|| "--no-wait".to_owned()));
        operand(&mut words, &self.arguments.lease);
        words
    }

    fn noun(&self, reservation: u32) -> (&'static str, &'static str) {
        noun(self.member(reservation, "resource_type"))
    }
}

async fn show_all(arguments: ListArguments, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let mut answer = api.get("/v1/leases", &[]).await?;
    let all = answer.get("leases").and_then(Value::as_array).map_or(0, Vec::len);
    if let (Some(status), Some(leases)) = (
        &arguments.status,
        answer.get_mut("leases").and_then(Value::as_array_mut),
    ) {
        leases.retain(|lease| text_of(lease, "status").eq_ignore_ascii_case(status));
    }
    if output.json {
        return output.value(&answer);
    }
    let mut leases = list(answer, "leases")?;
    leases.sort_by_key(|lease| (text_of(lease, "start_date"), text_of(lease, "name")));
    let mut is_degraded = false;
    let rows = leases
        .iter()
        .map(|lease| {
            let mut status = text_of(lease, "status");
            if lease.get("degraded") == Some(&Value::Bool(true)) {
                status.push_str(" !");
                is_degraded = true;
            }
            vec![
                cell_of(lease, "name"),
                output.status(&status),
                Cell::new(time_for_people(&text_of(lease, "start_date"))),
                Cell::new(time_for_people(&text_of(lease, "end_date"))),
                Cell::new(report::sizes(lease)),
                cell_of(lease, "id"),
            ]
        })
        .collect();
    let none = match &arguments.status {
        Some(status) if all > 0 => {
            let all = counted(u64::try_from(all).unwrap_or(u64::MAX), "lease", "leases");
            format!("No lease is in status {status}; {all} in all.")
        }
        _ => "There are no leases.".to_owned(),
    };
    output.table(
        &["NAME", "STATUS", "START (UTC)", "END (UTC)", "RESERVED", "ID"],
        rows,
        &none,
    )?;
    if is_degraded {
        output.line("! is degraded: a host was lost or replaced.")?;
    }
    Ok(())
}

async fn show(arguments: ShowArguments, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let id = find(api, &arguments.lease).await?;
    match arguments.field {
        Some(field) => report::show_field(&id, &field, api, output).await,
        None => report::show(&id, api, output).await,
    }
}

async fn update(
    arguments: UpdateArguments,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<(), ClientError> {
    let id = find(api, &arguments.lease).await?;
    let path = format!("/v1/leases/{}", segment(&id));
    let lease = member(api.get(&path, &[]).await?, "lease")?;
    let body = arguments.body(&lease, now)?;
    if body.is_empty() {
        return Err(ClientError::Usage(
            "nothing to change: give --name, a time or what to reserve, e.g. --end +1h or --hosts 2".to_owned(),
        ));
    }
    let body = Value::Object(body);
    let answer = when_idle(&arguments.lease, arguments.no_wait, output, async || {
        api.put(&path, &body).await
    })
    .await;
    let answer = answer.map_err(|refusal| {
        let change = Change {
            arguments: arguments.clone(),
            lease: &lease,
            now,
        };
        let refused = ClientError::refused(refusal, &change, api);
        let ClientError::Api(refusal) = refused else {
            return refused;
        };
        state_shown(refusal, &id, api)
    })?;
    output.note(format!("Lease {} has been changed.", arguments.lease));
    if output.json {
        output.value(&answer)
    } else {
        report::show_done(member(answer, "lease")?, api, output).await
    }
}

async fn delete(arguments: DeleteArguments, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    let mut found = Vec::new();
    for lease in &arguments.leases {
        found.push(find(api, lease).await);
    }
    let leases = targets(&arguments.leases, found)?;
    each(&leases, &["deleted", "deleting"], output, async |lease, output| {
        delete_one(lease, arguments.no_wait, api, output).await
    })
    .await
}

async fn delete_one(
    lease: &Target,
    no_wait: bool,
    api: &Api,
    output: &mut Output<'_>,
) -> Result<(&'static str, Value), ClientError> {
    let Target { name, id } = lease;
    let path = format!("/v1/leases/{}", segment(id));
    let deleted = when_idle(name, no_wait, output, async || {
        if no_wait {
            api.begin_deletion(&path).await
        } else {
            api.delete(&path).await
        }
    });
    let deleted = deleted.await;
    deleted.map_err(|refusal| state_shown(refusal, id, api))?;
    // The service may have waited for a while; what it could not give back in this time keeps the lease there.
    let left = match api.get(&path, &[]).await {
        Ok(answer) => member(answer, "lease")?,
        Err(ApiError::Refused { .. }) => {
            output.change(&format!("Deleted lease {name}."))?;
            return Ok(("deleted", json!({"id": id})));
        }
        // The deletion has begun; nothing tells how far it is.
        Err(error) => return Err(error.into()),
    };
    let status = text_of(&left, "status");
    output.change(&format!(
        "Lease {name} is {status}: its resources are still being given back, then it is deleted."
    ))?;
    if let Some(show) = api.typed().hint(Hint::ShowLease(id)).filter(|_| !output.json) {
        output.line(&format!("`{show}` tells how far that is."))?;
    }
    Ok(("deleting", left))
}

/// Makes a call that the service refuses while something is being done with the lease: again and again until that has
/// ended, for a minute at most.
async fn when_idle<T>(
    lease: &str,
    no_wait: bool,
    output: &Output<'_>,
    call: impl AsyncFn() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut pause = tokio::time::interval(PAUSE);
    for attempt in 0..MOST_ATTEMPTS {
        pause.tick().await;
        match call().await {
            Err(ApiError::Refused {
                status: 409, message, ..
            }) if !no_wait && is_of_work(&message) => {
                if attempt == 0 {
                    output.progress(&format!(
                        "Waiting until what is being done with lease {lease} has ended."
                    ));
                }
            }
            answered => return answered,
        }
    }
    call().await
}

/// A condition out of an offer.
fn from_text(condition: &str) -> Option<Value> {
    serde_json::from_str(condition).ok()
}

/// Whether a conflict is that something is being done with the lease, in the words of the service and of upstream's.
fn is_of_work(message: &str) -> bool {
    message.starts_with("Invalid lease status")
}

/// A refusal that the state of the lease may explain.
fn state_shown(refusal: ApiError, id: &str, api: &Api) -> ClientError {
    ClientError::conflict(refusal, Hint::ShowLease(id), "tells the state it is in now.", api)
}

/// The id of the lease that has this id or, alone, this name.
pub(crate) async fn find(api: &Api, reference: &str) -> Result<String, ClientError> {
    if is_uuid(reference) {
        match api.get(&format!("/v1/leases/{}", segment(reference)), &[]).await {
            Ok(_) => return Ok(reference.to_owned()),
            // It may still be the name of one.
            Err(ApiError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let leases = list(api.get("/v1/leases", &[]).await?, "leases")?;
    only_one(&leases, Kind::Lease, "name", reference)
}

/// Fewest characters of an id that stand for the whole of it: what tables show of one in a narrow terminal.
const SHORTEST_PREFIX: usize = 7;

/// The id of the item with this id; else of the only one whose member `name` is `reference`, or whose id begins with it.
pub(crate) fn only_one(items: &[Value], kind: Kind, name: &str, reference: &str) -> Result<String, ClientError> {
    let ids_of = |is_meant: &dyn Fn(&Value) -> bool| -> Vec<String> {
        let meant = items.iter().filter(|item| is_meant(item));
        meant.map(|item| text_of(item, "id")).collect()
    };
    let mut ids = ids_of(&|item| text_of(item, "id") == reference);
    if ids.is_empty() {
        ids = ids_of(&|item| text_of(item, name) == reference);
    }
    if ids.is_empty() && reference.len() >= SHORTEST_PREFIX {
        ids = ids_of(&|item| text_of(item, "id").starts_with(reference));
    }
    match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            let known = items.iter().filter_map(|item| item.get(name)?.as_str());
            Err(ClientError::no_such(kind, reference, known))
        }
        _ => Err(ClientError::AmbiguousName {
            kind,
            name: reference.to_owned(),
            count: ids.len(),
            ids: ids.join(", "),
        }),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, character)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                character == '-'
            } else {
                character.is_ascii_hexdigit()
            }
        })
}
