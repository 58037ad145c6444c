//! A small SMTP client that shows Postfix's reply to each step.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Postfix may wait for a milter that is away; longer than that is a fault.
const READ_TIME: Duration = Duration::from_secs(90);

/// The host outside that mail comes from (RFC 5737).
pub(crate) const OUTSIDE_ADDRESS: &str = "192.0.2.25";
const OUTSIDE_NAME: &str = "mx.example.org";

/// One SMTP session.
pub(crate) struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects and reads the greeting.
    pub(crate) fn connect(port: u16) -> Self {
        let (smtp, greeting) = Self::try_connect(port).expect("a connection to Postfix");
        assert!(greeting.starts_with("220"), "{greeting}");
        smtp
    }

    /// As [`Smtp::connect`], for a Postfix that may refuse.
    pub(crate) fn try_connect(port: u16) -> std::io::Result<(Self, String)> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(READ_TIME))?;
        stream.set_nodelay(true)?;
        let mut smtp = Self { stream: BufReader::new(stream) };
        let greeting = smtp.reply();
        Ok((smtp, greeting))
    }

    /// Connects and says EHLO.
    pub(crate) fn greeted(port: u16) -> Self {
        let mut smtp = Self::connect(port);
        smtp.expect("EHLO klient.exempelby.se", "250");
        smtp
    }

    /// As [`Smtp::greeted`], from a host outside. The milter may be away, and Postfix say so.
    pub(crate) fn greeted_from_outside(port: u16) -> Self {
        let mut smtp = Self::connect(port);
        smtp.say(&format!("XCLIENT ADDR={OUTSIDE_ADDRESS} NAME={OUTSIDE_NAME}"));
        smtp.say(&format!("EHLO {OUTSIDE_NAME}"));
        smtp
    }

    /// Sends one line and gives the whole reply, its lines joined by LF; empty when the connection is gone.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// As [`Smtp::say`]; the reply must begin so.
    pub(crate) fn expect(&mut self, line: &str, begins: &str) -> String {
        let reply = self.say(line);
        assert!(reply.starts_with(begins), "{line}: {reply}");
        reply
    }

    /// One transaction; the reply to the end of the message, or the first refusal before it.
    pub(crate) fn send(&mut self, sender: &str, recipients: &[&str], message: &str) -> String {
        let mut commands = vec![format!("MAIL FROM:<{sender}>")];
        commands.extend(recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>")));
        commands.push("DATA".into());
        for command in commands {
            let reply = self.say(&command);
            if !reply.starts_with(['2', '3']) {
                return reply;
            }
        }
        self.content(message)
    }

    /// The message and its final dot. Lines may end in LF alone.
    pub(crate) fn content(&mut self, message: &str) -> String {
        let mut text = String::new();
        for line in message.lines() {
            let dot = if line.starts_with('.') { "." } else { "" };
            text.extend([dot, line, "\r\n"]);
        }
        self.write(text.as_bytes());
        self.say(".")
    }

    /// Sends bytes and waits for nothing.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // A session that Postfix closed shows itself as an empty reply.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Goes away without QUIT.
    pub(crate) fn vanish(self) {
        self.stream.get_ref().shutdown(Shutdown::Both).unwrap();
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = Vec::new();
            match self.stream.read_until(b'\n', &mut line) {
                Ok(0) => return reply,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return reply,
                Err(error) => panic!("no reply from Postfix: {error}"),
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            reply.push_str(line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }
}
