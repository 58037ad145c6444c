//! The SMTP transaction that a message in a file is judged in, as the command line says it.

use std::net::IpAddr;

use anyhow::anyhow;
use jiff::Timestamp;

use crate::address::{Address, ReversePath};
use crate::config::Config;
use crate::facts::transaction::Transaction;
use crate::mail::Mail;

/// What the command line says of a transaction.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TransactionArgs {
    /// Envelope sender; `<>` for the null sender. Default: Return-Path, else From.
    #[arg(long, value_name = "A")]
    from: Option<String>,
    /// Envelope recipient; may be repeated. Default: To and Cc, else Delivered-To.
    #[arg(long, value_name = "B")]
    rcpt: Vec<String>,
    /// IP address of the client. Default: a host inside if the sender is inside or a recipient is outside, else a
    /// host outside.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// Authenticated user (SASL).
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// Time of arrival (RFC 3339), which exceptions depend on. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl TransactionArgs {
    /// The transaction.
    pub fn transaction(&self) -> anyhow::Result<Transaction> {
        let recipient =
            |given: &String| Address::parse(given).ok_or_else(|| anyhow!("--rcpt {given}: invalid address"));
        Ok(Transaction {
            sender: self.from.as_ref().map(|path| ReversePath::from_wire(path.as_bytes())),
            recipients: self.rcpt.iter().map(recipient).collect::<anyhow::Result<_>>()?,
            client: self.client,
            auth_user: self.auth.clone(),
            arrived: self.at,
            direction: None,
        })
    }
}

/// The mail that carries the message in a file.
pub fn carry(transaction: &Transaction, file: &[u8], config: &Config) -> anyhow::Result<Mail> {
    let mail = transaction.carry(file, &config.organisation, Timestamp::now());
    mail.map_err(|nobody| anyhow!("{nobody}; use --rcpt"))
}
