//! The book's database, in memory: the model the SQL stores are compared with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::{FloatingIp, Host, Lease, Notification, Property, Timestamp};
use crate::ports::{Change, Commit, Contents, Epoch, Fence, OutboxEntry, OutboxPosition, Store, StoreError};

#[derive(Debug, Default)]
struct State {
    epoch: Epoch,
    leases: BTreeMap<String, Lease>,
    hosts: BTreeMap<String, Host>,
    floating_ips: BTreeMap<String, FloatingIp>,
    properties: BTreeMap<String, Property>,
    findings: BTreeMap<String, Vec<plugin_api::Finding>>,
    feed: Vec<(Epoch, Key)>,
    claims: BTreeMap<String, Claim>,
    outbox: BTreeMap<OutboxPosition, Notification>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Lease(String),
    Host(String),
    FloatingIp(String),
    Property(String),
    Findings(String),
}

#[derive(Debug, Default)]
struct Claim {
    owner: Option<String>,
    number: i64,
    expires: Timestamp,
}

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes the change; gives the object it is about.
    fn write(&mut self, change: &Change) -> Option<Key> {
        Some(match change {
            Change::PutLease(lease) => {
                self.leases.insert(lease.id.clone(), (**lease).clone());
                Key::Lease(lease.id.clone())
            }
            Change::DeleteLease(id) => {
                self.leases.remove(id);
                Key::Lease(id.clone())
            }
            Change::PutHost(host) => {
                self.hosts.insert(host.id.clone(), (**host).clone());
                Key::Host(host.id.clone())
            }
            Change::DeleteHost(id) => {
                self.hosts.remove(id);
                Key::Host(id.clone())
            }
            Change::PutFloatingIp(address) => {
                self.floating_ips.insert(address.id.clone(), (**address).clone());
                Key::FloatingIp(address.id.clone())
            }
            Change::DeleteFloatingIp(id) => {
                self.floating_ips.remove(id);
                Key::FloatingIp(id.clone())
            }
            Change::PutProperty(property) => {
                self.properties.insert(property.name.clone(), (**property).clone());
                Key::Property(property.name.clone())
            }
            Change::PutFindings { lease_id, findings } => {
                if findings.is_empty() {
                    self.findings.remove(lease_id);
                } else {
                    self.findings.insert(lease_id.clone(), (**findings).clone());
                }
                Key::Findings(lease_id.clone())
            }
            Change::Notify(notification) => {
                let epoch = self.epoch;
                let index = self.outbox.keys().filter(|position| position.epoch == epoch).count();
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                self.outbox
                    .insert(OutboxPosition { epoch, index }, (**notification).clone());
                return None;
            }
        })
    }

    fn present(&self, key: &Key) -> Option<Change> {
        use std::sync::Arc;
        Some(match key {
            Key::Lease(id) => self.leases.get(id).map_or_else(
                || Change::DeleteLease(id.clone()),
                |lease| Change::PutLease(Arc::new(lease.clone())),
            ),
            Key::Host(id) => self.hosts.get(id).map_or_else(
                || Change::DeleteHost(id.clone()),
                |host| Change::PutHost(Arc::new(host.clone())),
            ),
            Key::FloatingIp(id) => self.floating_ips.get(id).map_or_else(
                || Change::DeleteFloatingIp(id.clone()),
                |address| Change::PutFloatingIp(Arc::new(address.clone())),
            ),
            Key::Property(name) => Change::PutProperty(Arc::new(self.properties.get(name)?.clone())),
            Key::Findings(id) => Change::PutFindings {
                lease_id: id.clone(),
                findings: Arc::new(self.findings.get(id).cloned().unwrap_or_default()),
            },
        })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self) -> Result<Contents, StoreError> {
        let state = self.state();
        Ok(Contents {
            epoch: state.epoch,
            leases: state.leases.values().cloned().collect(),
            hosts: state.hosts.values().cloned().collect(),
            floating_ips: state.floating_ips.values().cloned().collect(),
            properties: state.properties.values().cloned().collect(),
            findings: state.findings.clone().into_iter().collect(),
        })
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.state().epoch)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn changes_since(&self, since: Epoch) -> Result<(Epoch, Vec<Change>), StoreError> {
        let state = self.state();
        let keys: std::collections::BTreeSet<&Key> = state
            .feed
            .iter()
            .filter(|(epoch, _)| *epoch > since)
            .map(|(_, key)| key)
            .collect();
        Ok((
            state.epoch,
            keys.into_iter().filter_map(|key| state.present(key)).collect(),
        ))
    }

    async fn commit(&self, commit: &Commit) -> Result<Epoch, StoreError> {
        let mut state = self.state();
        if state.epoch != commit.expected {
            return Err(StoreError::Stale {
                expected: commit.expected,
            });
        }
        for fence in &commit.fences {
            if state
                .claims
                .get(&fence.lease_id)
                .is_none_or(|claim| claim.number != fence.number)
            {
                return Err(StoreError::FenceLost {
                    lease_id: fence.lease_id.clone(),
                });
            }
        }
        state.epoch += 1;
        let epoch = state.epoch;
        for change in &commit.changes {
            let key = state.write(change);
            state.feed.extend(key.map(|key| (epoch, key)));
        }
        Ok(epoch)
    }

    async fn claim(
        &self,
        lease_id: &str,
        owner: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        let mut state = self.state();
        let claim = state.claims.entry(lease_id.to_owned()).or_default();
        if claim.owner.is_some() && claim.expires > now {
            return Ok(None);
        }
        *claim = Claim {
            owner: Some(owner.to_owned()),
            number: claim.number + 1,
            expires,
        };
        Ok(Some(Fence {
            lease_id: lease_id.to_owned(),
            number: claim.number,
        }))
    }

    async fn renew(&self, fence: &Fence, expires: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(state.claims.get_mut(&fence.lease_id).is_some_and(|claim| {
            let held = claim.owner.is_some() && claim.number == fence.number;
            if held {
                claim.expires = expires;
            }
            held
        }))
    }

    async fn release(&self, fence: &Fence) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(claim) = state.claims.get_mut(&fence.lease_id)
            && claim.number == fence.number
        {
            claim.owner = None;
        }
        Ok(())
    }

    async fn release_all(&self, prefix: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        for claim in state.claims.values_mut() {
            if claim.owner.as_deref().is_some_and(|owner| owner.starts_with(prefix)) {
                claim.owner = None;
            }
        }
        Ok(())
    }

    async fn outbox(&self, outlet: &str, most: u64) -> Result<Vec<OutboxEntry>, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let state = self.state();
        let entries = state
            .outbox
            .iter()
            .filter(|(_, notification)| notification.outlet == outlet)
            .take(most)
            .map(|(position, notification)| OutboxEntry {
                position: *position,
                notification: notification.clone(),
            });
        Ok(entries.collect())
    }

    async fn remove_from_outbox(&self, outlet: &str, through: OutboxPosition) -> Result<(), StoreError> {
        self.state()
            .outbox
            .retain(|position, notification| *position > through || notification.outlet != outlet);
        Ok(())
    }
}
