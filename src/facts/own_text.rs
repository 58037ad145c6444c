//! What the author of an answer wrote: the text of the message without what it quotes, and without a signature.

#![deny(clippy::disallowed_methods)]

use super::Facts;
use super::passage::Place;

impl Facts {
    /// The author's own text; empty where there is none, or no rule needs text. Where a program marks its quotation in no way
    /// that is known here, what it quotes stands in it.
    pub fn own_text(&self) -> String {
        let body = self.passages.iter().find(|passage| passage.place == Place::Body);
        body.map(|body| own(&body.text)).unwrap_or_default()
    }
}

/// The lines that are the author's own.
fn own(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut kept: Vec<&str> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let plain = line.trim_start();
        if is_quoted(plain) {
            continue;
        }
        // `-- ` as RFC 3676 §4.3 has it; some programs drop the space.
        if plain == "--" || begins_quotation(plain, lines.get(at + 1..).unwrap_or_default()) {
            break;
        }
        let next = lines.get(at + 1..).unwrap_or_default().iter().find(|line| !line.trim().is_empty());
        if is_attribution(plain) {
            // Behind it stands what is quoted, with marks or, in HTML, without.
            if next.is_some_and(|next| is_quoted(next.trim_start())) {
                continue;
            }
            break;
        }
        kept.push(plain);
    }
    kept.join("\n").trim().to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.starts_with('>')
}

/// `Den 2 mars 2026 kl. 10:00 skrev Exempelby kommun:`, `On 2 March 2026 … wrote:`. Of a folded one, the last line.
fn is_attribution(line: &str) -> bool {
    let line = line.to_lowercase();
    let begins = ["den ", "on ", "mån", "tis", "ons", "tors", "fre", "lör", "sön"];
    let dated = begins.iter().any(|word| line.starts_with(word)) && line.contains([':', '@']);
    line.ends_with("skrev:")
        || line.ends_with("wrote:")
        || (dated && (line.contains(" skrev ") || line.contains(" wrote")))
}

/// Outlook's lines: a rule of dashes or underscores, and the fields of the message that is quoted.
fn begins_quotation(line: &str, next: &[&str]) -> bool {
    let ruled = |mark: char| line.starts_with(&String::from(mark).repeat(5));
    let named = |line: &str, names: &[&str]| {
        let line = line.trim_start_matches('*').to_lowercase();
        names.iter().any(|name| line.starts_with(name))
    };
    let follows = || {
        let next = next.iter().map(|line| line.trim_start()).find(|line| !line.is_empty());
        next.is_some_and(|next| {
            named(next, &["skickat:", "sent:", "datum:", "date:", "till:", "to:", "ämne:", "subject:"])
        })
    };
    ruled('-') || ruled('_') || (named(line, &["från:", "from:"]) && follows())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_and_signed_is_not_the_authors_own() {
        let why = "Mottagaren behöver numret i dag.";
        for text in [
            why.to_owned(),
            format!("{why}\n\n-- \nAnna, avdelningen för bygglov"),
            format!(
                "{why}\n\nDen mån 2 mars 2026 kl 10:00 skrev Exempelby <a@exempelby.se>:\n\n> Hej!\n> Ditt meddelande"
            ),
            format!("On Mon, 2 Mar 2026, Exempelby wrote:\n> Hej!\n> Ditt meddelande\n\n{why}\n"),
            format!("{why}\n________________________________\nFrån: Exempelby\nSkickat: i dag\n\nHej!"),
            format!("{why}\n\nFrån: Exempelby kommun\nSkickat: den 2 mars 2026\nTill: Anna\n\nHej!"),
            format!("{why}\n-----Ursprungligt meddelande-----\nFrom: x\n"),
            format!("{why}\n\nDen 2 mars 2026 skrev Exempelby:\nHej!\nDitt meddelande (HTML utan tecken)"),
        ] {
            assert_eq!(own(&text), why, "{text}");
        }
        assert_eq!(own("> Hej!\n> Ditt meddelande\n"), "");
        assert_eq!(
            own("Den här gången är det bråttom.\nFrån: köket"),
            "Den här gången är det bråttom.\nFrån: köket"
        );
    }
}
