//! No field that is added silences a trace that names a mailbox inside.

#![deny(clippy::disallowed_methods)]

use super::*;

/// Fields that excuse, or look as if they did; those that come with one another on a line.
const EXCUSES: &[&str] = &[
    "List-Id: Nyheter <nyheter.exempelby.se>",
    "List-Id: <x.example.org>",
    "List-Unsubscribe: <mailto:nyheter-leave@exempelby.se>",
    "Precedence: list",
    "Precedence: bulk",
    "Precedence: auto_reply",
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-generated",
    "Auto-Submitted: auto-notified",
    "Auto-Submitted: auto-forwarded",
    "X-Auto-Response-Suppress: All",
    "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply",
    "X-Autoreply: yes",
    "X-Autorespond: yes",
    "X-Loop: anna@exempelby.se",
    "In-Reply-To: <0@example.org>",
    "References: <0@example.org> <00@exempelby.se>",
    "X-MS-Exchange-Parent-Message-Id: <0@example.org>",
    "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
    "X-MS-Exchange-Generated-Message-Source: Journal Agent",
    "X-MS-Journal-Report:",
    "X-MS-Exchange-MeetingForward-Message: Forward",
    "Sender: anna@exempelby.se",
    "Sender: bodil@exempelby.se",
    "Reply-To: x@example.net",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    "Content-Type: text/calendar; method=REPLY",
    "X-Forwarded-Message-Id: <0@example.org>",
    "Resent-From: anna@exempelby.se",
    "Resent-From: bodil@exempelby.se",
    "X-MS-Exchange-Inbox-Rules-Loop: kurt@example.com",
    "X-MS-Exchange-ForwardingLoop: ForwardingHandled;1",
    "X-Sieve-Redirected-From: kurt@example.com",
    "X-Zimbra-Forwarded: bodil@exempelby.se",
    "Delivered-To: nyheter@exempelby.se",
    "DKIM-Signature: v=1; d=exempelby.se; b=Ab3+",
    "X-Postvakt-Loop: exempelby.se",
    "X-Postvakt-Auto-Forward: certain",
    "Comments: x",
];

const TRACES: [&str; 9] = [
    "X-MS-Exchange-Inbox-Rules-Loop: anna@exempelby.se",
    "X-MS-Exchange-Inbox-Rules-Loop: kurt@example.com, Anna+x@exempelby.se",
    "X-MS-Exchange-ForwardingLoop: anna@exempelby.se;06fe178f-181e-47d2-a606-943995349e9d",
    "X-Sieve-Redirected-From: anna",
    "X-Sieve-Redirected-From: anna@exempelby.se",
    "X-Zimbra-Forwarded: anna@exempelby.se",
    "X-MailFwdBy: anna@exempelby.se",
    "Resent-From: Anna <anna@exempelby.se>",
    "X-Forwarded-To: x@example.net\nX-Forwarded-For: anna@exempelby.se x@example.net",
];
const SENDERS: [&str; 5] = [
    "<>",
    "<anna@exempelby.se>",
    "<bodil@exempelby.se>",
    "<medborgare@example.org>",
    "<nyheter-bounces@exempelby.se>",
];
const FROMS: [&str; 4] =
    ["anna@exempelby.se", "bodil@exempelby.se", "medborgare@example.org", "anna@exempelby.se, x@example.org"];

/// Marsaglia's xorshift: the same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    /// Up to six of the fields.
    fn excuses(&mut self) -> String {
        let fields: Vec<&str> = (0..=self.below(6)).map(|_| EXCUSES[self.below(EXCUSES.len())]).collect();
        fields.join("\n")
    }
}

/// Each field alone, some together, and more of a trace than are kept.
fn additions(random: &mut Random, many: bool) -> Vec<String> {
    let mut added: Vec<String> = EXCUSES.iter().map(|field| (*field).to_owned()).collect();
    added.extend((0..10).map(|_| random.excuses()));
    let names = ["X-Sieve-Redirected-From", "X-MS-Exchange-Inbox-Rules-Loop"];
    for name in names.into_iter().filter(|_| many) {
        let field = |n: usize| format!("{name}: k{n}@example.com");
        added.push((0..=limits::HEADER_ITEMS).map(field).collect::<Vec<_>>().join("\n"));
    }
    added
}

#[test]
fn adding_fields_never_silences_a_trace_that_names_a_mailbox_inside() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut found = 0;
    for trace in TRACES {
        for (sender, from) in SENDERS.iter().flat_map(|sender| FROMS.map(|from| (*sender, from))) {
            let base = format!("From: {from}\nMessage-ID: <1@example.org>\nSubject: Hej\n{trace}");
            if check(&from_inside(sender, "x@example.net", &base)).is_empty() {
                continue;
            }
            found += 1;
            for added in additions(&mut random, sender == "<>") {
                for header in [format!("{added}\n{base}"), format!("{base}\n{added}")] {
                    let facts = from_inside(sender, "x@example.net", &header);
                    assert_ne!(check(&facts), "", "from {sender}:\n{header}");
                }
            }
        }
    }
    // All but what the mailbox itself wrote under the null sender, where the mechanism marks its replies too.
    assert_eq!(found, TRACES.len() * SENDERS.len() * FROMS.len() - 3);
}
