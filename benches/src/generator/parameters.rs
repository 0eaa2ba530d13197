//! What a generated problem is like.

use solver::model::Seconds;

/// Most capability classes: every size of processor and memory with every set of abilities.
pub const MOST_CLASSES: usize = 320;

/// Parameters out of range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterError(pub String);

impl std::fmt::Display for ParameterError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for ParameterError {}

/// Everything that may be chosen about a problem. Shares and probabilities lie between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// The seed.
    pub seed: u64,
    /// The clock of the document, and the moment the stream begins.
    pub now: Seconds,
    /// How many hosts.
    pub hosts: u32,
    /// How many capability classes, 1 to [`MOST_CLASSES`], at most one per host.
    pub classes: usize,
    /// How much smaller a class is for each thing it can do beyond the poorest: e to minus this.
    pub rarity: f64,
    /// Deviation of the logarithm of a class's size.
    pub size_sigma: f64,
    /// Availability zones; 0: hosts have none.
    pub zones: u32,
    /// Racks; 0: hosts have none. Racks are spread over the zones.
    pub racks: u32,
    /// Days over which requests arrive.
    pub days: u32,
    /// Host-minutes asked for as a share of hosts x days.
    pub load: f64,
    /// Probability that a part of a requirement is dropped.
    pub drop: f64,
    /// Share of the requests that begin on arrival.
    pub immediate: f64,
    /// Mean lead of the others, in days (exponential).
    pub lead_mean: f64,
    /// Longest lead, in days.
    pub lead_max: f64,
    /// Median of the duration, in hours (lognormal).
    pub duration_median: f64,
    /// Deviation of the duration's logarithm.
    pub duration_sigma: f64,
    /// Shortest duration, in hours.
    pub duration_min: f64,
    /// Longest duration, in hours.
    pub duration_max: f64,
    /// Share of the starts in advance that lie on the hour; the others lie on a quarter of an hour.
    pub on_hour: f64,
    /// Shape of the Pareto distribution of how many hosts are asked for.
    pub shape: f64,
    /// Largest request as a share of all hosts.
    pub fleet_cap: f64,
    /// Largest request as a share of the hosts that suit it.
    pub suitable_cap: f64,
    /// Share of the host requests that take any number from half of the hosts they would like.
    pub elastic: f64,
    /// Share of the requests with a second reservation, of its own requirement and window.
    pub multiple: f64,
    /// Share of the requests that name a zone.
    pub zoned: f64,
    /// Share of the requests that are extended later.
    pub extended: f64,
    /// Seconds a pending reservation keeps its hosts before it starts.
    pub freeze: Seconds,
    /// Seconds a host stays free after a reservation.
    pub cleaning: Seconds,
    /// Share of the requests for instances instead of hosts.
    pub instances: f64,
    /// Pools of units.
    pub pools: u32,
    /// Units of each pool.
    pub units: u32,
    /// Share of the requests that ask for units as well.
    pub unit_requests: f64,
    /// Batches of hosts that are out of service together.
    pub maintenance: u32,
    /// Share of the fleet that has some maintenance.
    pub maintained: f64,
    /// Hours one maintenance takes.
    pub maintenance_hours: u32,
    /// Hosts that have failed when the stream begins.
    pub failures: u32,
    /// Mean days until a failed host is repaired.
    pub repair_days: f64,
}

impl Default for Parameters {
    /// The protocol's fleet of 300 hosts in 12 classes at load 0.85, with whole hosts only.
    fn default() -> Self {
        Self {
            seed: 1,
            now: 1_790_002_800,
            hosts: 300,
            classes: 12,
            rarity: 0.35,
            size_sigma: 0.6,
            zones: 0,
            racks: 0,
            days: 60,
            load: 0.85,
            drop: 0.5,
            immediate: 0.35,
            lead_mean: 7.0,
            lead_max: 45.0,
            duration_median: 24.0,
            duration_sigma: 1.4,
            duration_min: 1.0,
            duration_max: 1_080.0,
            on_hour: 0.7,
            shape: 1.15,
            fleet_cap: 0.12,
            suitable_cap: 0.5,
            elastic: 0.0,
            multiple: 0.0,
            zoned: 0.0,
            extended: 0.0,
            freeze: 0,
            cleaning: 0,
            instances: 0.0,
            pools: 0,
            units: 16,
            unit_requests: 0.0,
            maintenance: 0,
            maintained: 0.3,
            maintenance_hours: 8,
            failures: 0,
            repair_days: 4.0,
        }
    }
}

impl Parameters {
    /// Says what is out of range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let fail = |what: String| Err(ParameterError(what));
        let shares = [
            ("drop", self.drop),
            ("immediate", self.immediate),
            ("on-hour", self.on_hour),
            ("fleet-cap", self.fleet_cap),
            ("suitable-cap", self.suitable_cap),
            ("elastic", self.elastic),
            ("multiple", self.multiple),
            ("zoned", self.zoned),
            ("extended", self.extended),
            ("instances", self.instances),
            ("unit-requests", self.unit_requests),
            ("maintained", self.maintained),
        ];
        if let Some((name, share)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return fail(format!("`{name}` is {share}, allowed is 0 to 1"));
        }
        let positive = [
            ("load", self.load, 100.0),
            ("lead-mean", self.lead_mean, 3_650.0),
            ("lead-max", self.lead_max, 3_650.0),
            ("duration-median", self.duration_median, 87_600.0),
            ("duration-min", self.duration_min, 87_600.0),
            ("duration-max", self.duration_max, 87_600.0),
            ("shape", self.shape, 100.0),
            ("repair-days", self.repair_days, 3_650.0),
        ];
        if let Some((name, value, most)) = positive
            .into_iter()
            .find(|(_, value, most)| !(*value > 0.0 && value <= most))
        {
            return fail(format!(
                "`{name}` is {value}, allowed is more than 0 and at most {most}"
            ));
        }
        let spreads = [
            ("duration-sigma", self.duration_sigma),
            ("size-sigma", self.size_sigma),
            ("rarity", self.rarity),
        ];
        if let Some((name, value)) = spreads.into_iter().find(|(_, value)| !(0.0..=10.0).contains(value)) {
            return fail(format!("`{name}` is {value}, allowed is 0 to 10"));
        }
        if self.duration_min > self.duration_max {
            return fail("`duration-min` is more than `duration-max`".to_owned());
        }
        let most = MOST_CLASSES.min(self.hosts as usize);
        if !(1..=most).contains(&self.classes) {
            return fail(format!("`classes` is {}, allowed is 1 to {most}", self.classes));
        }
        if !(1..=3_650).contains(&self.days) {
            return fail(format!("`days` is {}, allowed is 1 to 3650", self.days));
        }
        if self.failures > self.hosts {
            return fail(format!(
                "`failures` is {}, there are {} hosts",
                self.failures, self.hosts
            ));
        }
        if self.zoned > 0.0 && self.zones == 0 {
            return fail("`zoned` needs `zones`".to_owned());
        }
        if self.unit_requests > 0.0 && (self.pools == 0 || self.units == 0) {
            return fail("`unit-requests` needs `pools` and `units`".to_owned());
        }
        Ok(())
    }
}
