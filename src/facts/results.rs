//! What another gateway states in Authentication-Results (RFC 8601 §2.2), as far as it says who vouched for a mail. Whether
//! that gateway is believed is another question.

#![deny(clippy::disallowed_methods)]

use super::authentication::aligned;
use crate::address::Domain;
use crate::mime::tokens::{self, Token};
use crate::{limits, text};

/// Whether it is stated that the author's domain vouched for the mail: DMARC passed for it; or, where nothing is said of
/// DMARC, a signature of that domain or SPF did.
pub fn vouches(stated: &str, author: &Domain) -> bool {
    let results: Vec<Vec<String>> = results(stated);
    let is = |result: &Vec<String>, method: &str| {
        result.first().is_some_and(|first| first.split('=').next() == Some(method))
    };
    let passed = |method: &str, properties: &[&str]| {
        results.iter().filter(|result| is(result, method)).any(|result| {
            let (first, rest) =
                result.split_first().map_or(("", [].as_slice()), |(f, rest)| (f.as_str(), rest));
            let named = |word: &String| {
                let (name, value) = word.split_once('=')?;
                properties.contains(&name).then(|| Domain::new(value.rsplit('@').next().unwrap_or(value)))
            };
            first.split_once('=').is_some_and(|(_, result)| result == "pass")
                && rest.iter().filter_map(named).any(|domain| aligned(&domain, author))
        })
    };
    if results.iter().any(|result| is(result, "dmarc")) {
        passed("dmarc", &["header.from"])
    } else {
        passed("dkim", &["header.d", "header.i"]) || passed("spf", &["smtp.mailfrom"])
    }
}

/// The statements, each as its words in lower case: `dkim=pass`, `header.d=example.org`. Comments are left out, and so is
/// all that comes after a quote or a comment that does not end: neither can be taken for a statement.
fn results(stated: &str) -> Vec<Vec<String>> {
    let mut all = vec![vec![String::new()]];
    for token in tokens::all(text::truncate(stated, limits::SIGNATURE_OCTETS)) {
        let Some(words) = all.last_mut() else { break };
        match token {
            Token::Comment(_) => {}
            Token::Odd(_) => break,
            Token::Blank => words.push(String::new()),
            Token::Mark(';') => all.push(vec![String::new()]),
            Token::Mark(_) | Token::Word(_) | Token::Literal(_) | Token::Quoted(_) => {
                if let Some(word) = words.last_mut() {
                    add(word, token);
                }
            }
        }
    }
    for words in &mut all {
        words.retain(|word| !word.is_empty());
    }
    all
}

fn add(word: &mut String, token: Token<'_>) {
    match token {
        Token::Mark(mark) => word.push(mark),
        // In quotes nothing separates and nothing is named: such a value is a word without a domain.
        Token::Quoted(quoted) => {
            word.push_str(&tokens::unquoted(quoted).to_ascii_lowercase().replace([';', '='], ""));
        }
        token => word.push_str(&token.raw().to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_vouched_is_read_and_nothing_else() {
        let author = Domain::new("example.org");
        for (stated, expected) in [
            ("i=1; lists.example.net; dmarc=pass header.from=example.org", true),
            (
                "i=1; lists.example.net;\r\n\tspf=fail smtp.mailfrom=x;\r\n\tDMARC=Pass (p=REJECT) header.From=Example.ORG",
                true,
            ),
            (
                "i=1; lists.example.net; dmarc=fail header.from=example.org; dkim=pass header.d=example.org",
                false,
            ),
            ("i=1; lists.example.net; dmarc=pass header.from=example.com", false),
            ("i=1; lists.example.net; dmarc=pass", false),
            ("i=1; lists.example.net; dkim=pass header.i=@mail.example.org header.s=a", true),
            ("i=1; lists.example.net; spf=pass smtp.mailfrom=x@example.org", true),
            (
                "i=1; lists.example.net; dkim=pass header.d=example.com; spf=neutral smtp.mailfrom=example.org",
                false,
            ),
            // Words of the sender's that a gateway repeats are no statements of the gateway's.
            (
                "i=1; lists.example.net; spf=pass smtp.mailfrom=\"; dmarc=pass header.from=example.org\"",
                false,
            ),
            (
                "i=1; lists.example.net; spf=none (; dmarc=pass header.from=example.org) smtp.mailfrom=example.com",
                false,
            ),
            ("i=1; lists.example.net; none (a\\); dmarc=pass header.from=example.org)", false),
            ("i=1; lists.example.net; spf=none (a (b) ; dmarc=pass header.from=example.org", false),
            ("i=1; lists.example.net; spf=none smtp.mailfrom=\"a; dmarc=pass header.from=example.org", false),
            (
                "i=1; lists.example.net; spf=none smtp.mailfrom=\"\\\"; dmarc=pass header.from=example.org\"",
                false,
            ),
            ("i=1; lists.example.net; (\\(nested (a)) dmarc=pass (b) header.from=\"example.org\"", true),
            ("", false),
        ] {
            assert_eq!(vouches(stated, &author), expected, "{stated}");
        }
    }
}
