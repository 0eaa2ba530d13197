//! Resource types that the operator names.

use std::sync::Arc;

use anyhow::Context;
use countable_plugin::Countable;
use planner_core::book::countables::Countables;
use plugin_action::Receivers;
use plugin_api::{Plugins, StepObserver};
use regular_file::{LONGEST, RegularFile};
use tokio_util::sync::CancellationToken;

use super::receivers;
use crate::options::ServeArguments;

/// What the operator has listed.
pub(super) fn listed(arguments: &ServeArguments) -> anyhow::Result<Vec<Countable>> {
    let Some(path) = &arguments.countables else {
        return Ok(Vec::new());
    };
    let option = || format!("--countables {}", path.display());
    let text = RegularFile::open(path).and_then(|file| file.text(LONGEST));
    countable_plugin::read(&text.with_context(option)?).with_context(option)
}

/// The plugins with one more for each of them. One without a webhook of its own tells the receivers of everything.
pub(super) fn offered(
    plugins: Plugins,
    countables: &[Countable],
    arguments: &ServeArguments,
    steps: &Arc<dyn StepObserver>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Plugins> {
    let mut plugins = plugins;
    for countable in countables {
        let told = match receivers::of_countable(countable, arguments)? {
            Some(receiver) => vec![receiver],
            None => receivers::of_everything(arguments, shutdown)?,
        };
        let receivers = Receivers::new(told, Arc::clone(steps));
        plugins = plugins.with(Arc::new(countable_plugin::plugin(countable, receivers)));
    }
    Ok(plugins)
}

/// Their units, for the book.
pub(super) fn units(countables: Vec<Countable>) -> Countables {
    let countables = countables.into_iter();
    countables
        .map(|countable| (countable.resource_type, countable.units))
        .collect()
}
