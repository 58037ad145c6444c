//! The engine alone: Postvakt's milter layer, with a handler that lets everything pass and logs nothing.

use std::sync::Arc;

use anyhow::Result;
use postvakt::answer::Answer;
use postvakt::mail::{Incomplete, Mail};
use postvakt::milter::listener::{
    HandedOver, Limits, Listen, ListenAddress, SocketAccess, bind, serve as serve_milter,
};
use postvakt::milter::{Handler, Wants};

use crate::load::Address;

/// Serves until the process ends.
pub(crate) async fn serve(address: Address) -> Result<()> {
    let address = match address {
        Address::Unix(path) => ListenAddress::Unix(path),
        Address::Inet(address) => ListenAddress::Inet(address),
    };
    let listener = bind(
        &Listen { address, direction: None, access: SocketAccess::default() },
        &mut HandedOver::default(),
    )?;
    serve_milter(vec![listener], Arc::new(Pass), std::future::pending(), Limits::default()).await;
    Ok(())
}

/// Wants whole messages, as the rules do, and has nothing to say about them.
struct Pass;

impl Handler for Pass {
    fn wants(&self) -> Wants {
        Wants { message: true }
    }

    async fn judge(&self, _: Mail) -> Answer {
        Answer::pass()
    }

    fn incomplete(&self, _: Mail, _: Incomplete) {}
}
