//! What can be asked of hosts: those of the inventory become hosts of the book, and leave it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugin_api::{HostFacts, HostRegistration};

use super::{Listing, Service, ServiceError, inventory_error, not_written};
use crate::admission::healing::Outcome;
use crate::admission::hosts;
use crate::admission::listing::in_order;
use crate::authority::{Caller, rules};
use crate::book::job::{Draft, Origin};
use crate::domain::Host;
use crate::reach::Reach;

impl Service {
    /// All hosts, by id. Private properties and trusts are shown only to those who pass `admin`.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub async fn hosts(&self, caller: &Caller) -> Result<Listing<Arc<Host>>, ServiceError> {
        self.enforce_own(rules::HOSTS_GET, caller)?;
        let book = self.book.fresh().await;
        let (policy, caller) = (Arc::clone(&self.policy), caller.clone());
        Ok(Box::new(move || {
            let hosts = in_order(book.hosts()).into_iter();
            Box::new(hosts.map(move |host| shown(host, &Reach::of_questions(policy.as_ref(), &caller, &book))))
        }))
    }

    /// One host, as [`Service::hosts`] shows it.
    ///
    /// # Errors
    /// When it does not exist or the rule forbids it.
    pub async fn host(&self, caller: &Caller, id: &str) -> Result<Arc<Host>, ServiceError> {
        self.enforce_own(rules::HOSTS_GET, caller)?;
        let book = self.book.fresh().await;
        let host = hosts::found(&book, id)?;
        Ok(shown(host, &Reach::of_questions(self.policy.as_ref(), caller, &book)))
    }

    /// Whether the caller may register hosts at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_register_host(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce_own(rules::HOSTS_POST, caller)
    }

    /// Registers a host.
    ///
    /// # Errors
    /// When it is registered already, the inventory refuses it, or the rule forbids it.
    pub async fn register_host(
        &self,
        caller: &Caller,
        registration: HostRegistration,
    ) -> Result<Arc<Host>, ServiceError> {
        self.may_register_host(caller)?;
        hosts::check_new(&*self.book.fresh().await, &registration.reference)?;
        let facts = self.inventory.register(&registration).await.map_err(inventory_error)?;
        let mut hosts = self
            .enter(&caller.project_id, caller.trust_id.clone(), vec![facts])
            .await?;
        hosts
            .pop()
            .ok_or_else(|| ServiceError::Unavailable("the host was not entered".to_owned()))
    }

    /// How many hosts are registered, for whoever starts the program: no rule is asked.
    pub async fn number_of_hosts(&self) -> usize {
        self.book.fresh().await.hosts().count()
    }

    /// Registers all of these hosts, or none, for whoever starts the program: no rule is asked.
    ///
    /// # Errors
    /// When a host is registered already or stands twice, or the inventory refuses it.
    pub async fn register_fleet(&self, registrations: &[HostRegistration]) -> Result<(), ServiceError> {
        let mut facts = Vec::new();
        for registration in registrations {
            facts.push(self.inventory.register(registration).await.map_err(inventory_error)?);
        }
        self.enter("", None, facts).await.map(|_| ())
    }

    async fn enter(
        &self,
        project_id: &str,
        trust_id: Option<String>,
        facts: Vec<HostFacts>,
    ) -> Result<Vec<Arc<Host>>, ServiceError> {
        let identifiers = Arc::clone(&self.identifiers);
        let work = move |draft: &mut Draft| hosts::register(draft, &facts, trust_id.as_deref(), identifiers.as_ref());
        let entered = self.book.submit(Origin::of(project_id), work).await;
        entered.map_err(not_written)
    }

    /// Sets (`Some`) and removes (`None`) extra capabilities.
    ///
    /// # Errors
    /// When a reservation that holds the host asks for one of them.
    pub async fn update_host(
        &self,
        caller: &Caller,
        id: &str,
        values: BTreeMap<String, Option<String>>,
    ) -> Result<Arc<Host>, ServiceError> {
        self.enforce_own(rules::HOSTS_PUT, caller)?;
        let host = hosts::found(&*self.book.fresh().await, id)?;
        let provision = match self.inventory.provision(&host.assigned()).await {
            Ok(provision) => Some(provision),
            Err(error) => {
                // Capabilities are Berth's own; what was known of the rest stays.
                tracing::warn!(host = %host.hypervisor_hostname, %error, "what the host can give is not known now");
                None
            }
        };
        let (identifiers, id) = (Arc::clone(&self.identifiers), id.to_owned());
        self.submit(caller, move |draft| {
            hosts::update(draft, &id, &values, provision.as_ref(), identifiers.as_ref())
        })
        .await
    }

    /// Whether the caller may change hosts at all; asked before the body is looked at.
    ///
    /// # Errors
    /// When the rule forbids it.
    pub fn may_change_hosts(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.enforce_own(rules::HOSTS_PUT, caller)
    }

    /// Says that a host has failed, or is in order again. That is recorded whatever stands on the host; then what stands
    /// on it is chosen anew, and what reservations lack is found again.
    ///
    /// # Errors
    /// When the host does not exist, a monitor says what works, or the rule forbids it.
    pub async fn set_reservable(&self, caller: &Caller, id: &str, reservable: bool) -> Result<Outcome, ServiceError> {
        self.may_change_hosts(caller)?;
        if self.is_monitored {
            return Err(ServiceError::Conflict(
                "A monitor says which hosts work; disable or enable the host's compute service instead".to_owned(),
            ));
        }
        let (host, none) = (vec![id.to_owned()], Vec::new());
        let (failed, recovered) = if reservable { (none, host) } else { (host, none) };
        self.healing
            .set_reservable(failed, recovered)
            .await
            .map_err(not_written)
    }

    /// Deregisters a host that serves nothing: first out of planning, then out of the cloud, then out
    /// of the book, so that nothing can be booked on it in between.
    ///
    /// # Errors
    /// When something holds it, the inventory refuses, or the rule forbids it.
    pub async fn delete_host(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.enforce_own(rules::HOSTS_DELETE, caller)?;
        let host = {
            let id = id.to_owned();
            self.submit(caller, move |draft| hosts::retire(draft, &id)).await?
        };
        let id = id.to_owned();
        match self.inventory.deregister(&host.assigned()).await {
            Ok(()) => self.submit(caller, move |draft| hosts::remove(draft, &id)).await,
            Err(error) => {
                self.submit(caller, move |draft| hosts::restore(draft, &id)).await?;
                Err(inventory_error(error))
            }
        }
    }
}

/// A host without what is hidden from whoever asks.
fn shown(host: Arc<Host>, reach: &Reach<'_>) -> Arc<Host> {
    if reach.sees_private {
        return host;
    }
    let mut host = Arc::unwrap_or_clone(host);
    host.trust_id.clear();
    host.capabilities.retain(|name, _| !reach.hides_capability(name));
    Arc::new(host)
}
