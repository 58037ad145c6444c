//! `check --against-nodes`: whether the nodes of a central log have this config.

use std::path::Path;

use crate::cli::central;
use crate::config::{Config, Problem};
use crate::settings::problem::Severity;

/// A warning for each node that has another config than this one.
pub(super) fn others(config: &Config, path: &Path) -> anyhow::Result<Vec<Problem>> {
    let nodes = central::nodes(config.central.as_ref(), path)?;
    let differ = |node: &&crate::central::status::NodeStatus| node.active && node.config != config.hash;
    let warning = |node: &crate::central::status::NodeStatus| {
        let active = if node.config.is_empty() { "none yet" } else { &node.config };
        Problem {
            file: path.display().to_string(),
            line: None,
            column: None,
            key: "central".to_owned(),
            problem: format!(
                "node {} has another config: {active}, and this one is {}",
                node.node, config.hash
            ),
            suggestion: "give all nodes the same config, and reload them".to_owned(),
            severity: Severity::Warning,
        }
    };
    Ok(nodes.iter().filter(differ).map(warning).collect())
}
