//! Legal holds of other nodes, which a node's retention run keeps to.

use std::thread;

use super::CentralError;
use super::calls::within;
use super::connect;
use crate::config::Central;
use crate::limits;

/// An entry of another node's access log that places or releases a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEntry {
    /// The node.
    pub node: String,
    /// `hold` or `release`.
    pub kind: String,
    /// The entry.
    pub body: String,
}

/// The entries of all other nodes, those of a node one after the other; none where this node writes to no centre. Blocks.
pub fn of_others(central: Option<&Central>) -> Result<Vec<HoldEntry>, CentralError> {
    let Some((central, login)) = central.and_then(|central| Some((central, central.writer.as_ref()?))) else {
        return Ok(Vec::new());
    };
    let ask = async {
        let connected = connect::as_login(central, login).await?;
        let asked = connected.client.query("SELECT node, kind, body FROM postvakt.holds()", &[]);
        let rows = within(limits::CENTRAL_CALL_TIME, asked).await?;
        let entry = |row: &tokio_postgres::Row| {
            Ok(HoldEntry { node: row.try_get(0)?, kind: row.try_get(1)?, body: row.try_get(2)? })
        };
        rows.iter().map(entry).collect()
    };
    // On a thread of its own: the caller's may be one that must not block.
    let asked = thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let asking = scope.spawn(move || runtime.map(|runtime| runtime.block_on(ask)));
        asking.join()
    });
    match asked {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => Err(CentralError::Lost(error.to_string())),
        Err(_) => Err(CentralError::Lost("the thread that asked has ended".to_owned())),
    }
}
