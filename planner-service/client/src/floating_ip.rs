//! `berth floatingip`: register, show and remove floating IPs.
//!
//! Invariant: an address names a floating IP only if it is in one network; its id always does.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::ConnectionArguments;
use crate::answer::{list, member};
use crate::api::{Api, segment};
use crate::error::ClientError;
use crate::hint::Kind;
use crate::lease::only_one;
use crate::output::{Output, cell_of};
use crate::several::{each, targets};

const PATH: &str = "/v1/floatingips";

/// `berth floatingip`.
#[derive(Debug, Args)]
pub struct FloatingIpArguments {
    #[command(subcommand)]
    pub(crate) action: FloatingIpAction,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FloatingIpAction {
    /// Register an address of an external network
    Create {
        /// Id of the network
        network: String,
        /// An address that the network does not give out by itself
        address: String,
    },
    /// List floating IPs
    List,
    /// Show a floating IP
    Show {
        /// Id or address
        floating_ip: String,
    },
    /// Remove floating IPs that no reservation holds
    Delete {
        /// Ids or addresses
        #[arg(required = true, value_name = "FLOATING_IP")]
        floating_ips: Vec<String>,
    },
}

pub(crate) async fn run(action: FloatingIpAction, api: &Api, output: &mut Output<'_>) -> Result<(), ClientError> {
    match action {
        FloatingIpAction::Create { network, address } => {
            let body = json!({"floating_network_id": network, "floating_ip_address": address});
            let answer = api.post(PATH, &body).await?;
            output.note(format!("Floating IP {address} is registered."));
            print_one(answer, output)
        }
        FloatingIpAction::List => {
            let answer = api.get(PATH, &[]).await?;
            if output.json {
                return output.value(&answer);
            }
            print(&list(answer, "floatingips")?, output)
        }
        FloatingIpAction::Show { floating_ip } => {
            let id = meant(&list(api.get(PATH, &[]).await?, "floatingips")?, &floating_ip)?;
            print_one(api.get(&format!("{PATH}/{}", segment(&id)), &[]).await?, output)
        }
        FloatingIpAction::Delete { floating_ips } => {
            let known = list(api.get(PATH, &[]).await?, "floatingips")?;
            let found = floating_ips.iter().map(|reference| meant(&known, reference));
            let floating_ips = targets(&floating_ips, found)?;
            each(&floating_ips, &["deleted"], output, async |floating_ip, output| {
                api.delete(&format!("{PATH}/{}", segment(&floating_ip.id))).await?;
                output.change(&format!("Removed floating IP {}.", floating_ip.name))?;
                Ok(("deleted", json!({"id": floating_ip.id})))
            })
            .await
        }
    }
}

fn print_one(answer: Value, output: &mut Output<'_>) -> Result<(), ClientError> {
    if output.json {
        return output.value(&answer);
    }
    print(&[member(answer, "floatingip")?], output)
}

fn print(floating_ips: &[Value], output: &mut Output<'_>) -> Result<(), ClientError> {
    let row = |found: &Value| {
        vec![
            cell_of(found, "id"),
            cell_of(found, "floating_ip_address"),
            cell_of(found, "floating_network_id"),
        ]
    };
    let rows = floating_ips.iter().map(row).collect();
    output.table(&["ID", "ADDRESS", "NETWORK"], rows, "No floating IPs are registered.")
}

/// The id of a floating IP by id or address.
fn meant(known: &[Value], reference: &str) -> Result<String, ClientError> {
    only_one(known, Kind::FloatingIp, "floating_ip_address", reference)
}
