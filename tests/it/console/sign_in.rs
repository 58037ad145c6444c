//! Sign-in to the console: by a real OpenID provider, by one that lies, and by a real Apache in front.

mod apache;
mod counted;
mod hostile;
mod lab;

use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{free_port, run};
use hostile::Hostile;
use lab::{Answer, Browser, Lab, Provider, accesses, field, scripts};

const SESSION: &str = "__Host-postvakt";
const SIGN_IN: &str = "__Host-postvakt-sign-in";

/// Opens the sign-in with the button; where the browser is sent, and the answer that sends it.
fn start(browser: &mut Browser, lab: &Lab) -> (String, Answer) {
    let page = browser.get(&format!("{}/sign-in", lab.origin()));
    assert!(page.body.contains("action=\"/sign-in/openid\""), "{}", page.body);
    let answer = browser.post(&format!("{}/sign-in/openid", lab.origin()), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    (answer.leads_to().unwrap().to_owned(), answer)
}

/// Goes to the provider and back; the URL with the answer, which is not opened yet.
fn at_provider(browser: &mut Browser, lab: &Lab, to: &str) -> String {
    let back = format!("{}/sign-in/answer?", lab.origin());
    let mut url = to.to_owned();
    for _ in 0..6 {
        let answer = browser.get(&url);
        let next = answer.leads_to().unwrap_or_else(|| panic!("{url}: {answer:?}"));
        let host = to.split('/').take(3).collect::<Vec<_>>().join("/");
        url = if next.starts_with('/') { format!("{host}{next}") } else { next.to_owned() };
        if url.starts_with(&back) {
            return url;
        }
    }
    panic!("the provider does not send back: {url}");
}

fn redirect(lab: &Lab) -> String {
    format!("{}/sign-in/answer", lab.origin())
}

/// The page after signing in, which has the name of whoever did.
fn home(browser: &mut Browser, lab: &Lab) -> Answer {
    browser.get(&format!("{}/", lab.origin()))
}

#[test]
fn a_real_provider_signs_people_in() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    provider.sign_in_as("anna");

    let mut browser = Browser::new();
    // Cookies that were there before: neither is taken over.
    let planted = "f".repeat(64);
    browser.set_cookie(&lab.origin(), SESSION, &planted);
    browser.set_cookie(&lab.origin(), SIGN_IN, &planted);
    let (to, answer) = start(&mut browser, &lab);
    let sign_in = answer.sets(SIGN_IN).unwrap();
    assert!(!sign_in.starts_with(&planted), "{sign_in}");
    assert!(sign_in.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=300"), "{sign_in}");
    assert!(to.starts_with(&format!("{}/auth?response_type=code&", provider.issuer)), "{to}");
    assert_eq!((field(&to, "code_challenge_method"), field(&to, "code_challenge").len()), ("S256", 43));
    let tokens = [field(&to, "state"), field(&to, "nonce"), browser.cookie(&lab.origin(), SIGN_IN).unwrap()];
    assert!(tokens.iter().all(|token| token.len() == 64) && tokens[0] != tokens[1] && tokens[0] != tokens[2]);

    let url = at_provider(&mut browser, &lab, &to);
    let answer = browser.get(&url);
    assert_eq!((answer.status, answer.leads_to()), (200, Some("/")), "{}", answer.body);
    let session = answer.sets(SESSION).unwrap();
    assert!(!session.starts_with(&planted), "{session}");
    assert!(session.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{session}");
    assert_eq!(answer.sets(SIGN_IN).unwrap().split(';').next(), Some(""), "the cookie of the sign-in ends");
    let page = home(&mut browser, &lab);
    assert!(page.status == 200 && page.body.contains("Anna Åker"), "{}", page.body);
    let mut first = Browser::new();
    first.set_cookie(&lab.origin(), SESSION, &planted);
    assert_eq!(home(&mut first, &lab).leads_to(), Some("/sign-in"));

    // What they do is in the access log with who they are.
    let form = "basis=operation&purpose=test";
    assert_ne!(browser.post(&format!("{}/search", lab.origin()), form).status, 0);
    let known = accesses(&lab);
    let own = known.iter().any(|entry| {
        let text = entry.to_string();
        text.contains("anna@exempelby.se") && text.contains("Anna Åker") && text.contains("reviewer")
    });
    assert!(own, "{known:#?}");

    // The answer again: its state was used.
    let again = browser.get(&url);
    assert!(again.status == 400 && again.sets(SESSION).is_none(), "{}", again.body);

    // Signing in once more begins another session, and ends the one before.
    let old = browser.cookie(&lab.origin(), SESSION).unwrap().to_owned();
    provider.sign_in_as("bo");
    let mut other = Browser::new();
    other.set_cookie(&lab.origin(), SESSION, &old);
    let answer = other.post(&format!("{}/sign-in/openid", lab.origin()), "");
    let to = answer.leads_to().unwrap().to_owned();
    let url = at_provider(&mut other, &lab, &to);
    // From another site the session's cookie does not come along.
    other.set_cookie(&lab.origin(), SESSION, "");
    assert_eq!(other.get(&url).status, 200);
    assert!(home(&mut other, &lab).body.contains(">Bo<"));
    assert_eq!(home(&mut browser, &lab).leads_to(), Some("/sign-in"), "the session before has ended");
}

#[test]
fn a_state_belongs_to_its_browser() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    let (mut anna, mut eve) = (Browser::new(), Browser::new());
    // Eve has her own sign-in going on, so that she has a cookie.
    let (hers, _) = start(&mut eve, &lab);
    let (to, _) = start(&mut anna, &lab);
    let url = at_provider(&mut anna, &lab, &to);
    for browser in [&mut eve, &mut Browser::new()] {
        let answer = browser.get(&url);
        assert!(answer.status == 400 && answer.sets(SESSION).is_none(), "{}", answer.body);
    }
    assert_eq!(anna.get(&url).status, 400, "it is used up");
    let url = at_provider(&mut eve, &lab, &hers);
    assert_eq!(eve.get(&url).status, 200, "her own still works");
    let base = format!("{}/sign-in/answer", lab.origin());
    let other = "0".repeat(64);
    for query in
        ["", "?", "?code=c", "?state=x&code=c", "?state=%00&code=c", &format!("?state={other}&code=c")]
    {
        let answer = Browser::new().get(&format!("{base}{query}"));
        assert!(answer.status == 400 && answer.sets(SESSION).is_none(), "{query}: {}", answer.body);
    }
    // Another site can have no sign-in begun.
    let mut foreign = Browser::new();
    foreign.headers = vec![("Sec-Fetch-Site", "cross-site".to_owned())];
    assert_eq!(foreign.post(&format!("{}/sign-in/openid", lab.origin()), "").status, 403);
    assert_eq!(Browser::new().get(&format!("{}/sign-in/openid", lab.origin())).status, 405);
}

#[test]
fn who_has_no_role_does_not_get_in() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    provider.sign_in_as("cia");
    let mut browser = Browser::new();
    let (to, _) = start(&mut browser, &lab);
    let url = at_provider(&mut browser, &lab, &to);
    let answer = browser.get(&url);
    assert!(answer.status == 403 && answer.sets(SESSION).is_none(), "{}", answer.body);
    assert!(answer.body.contains("Du har ingen roll"), "{}", answer.body);
}

#[test]
fn where_a_sign_in_leads_is_never_another_site() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    let mut browser = Browser::new();
    let form = "back=https://example.org&next=//example.org&path=//example.org";
    let asked =
        format!("{}/sign-in/openid?back=//example.org&redirect_uri=https://example.org", lab.origin());
    let answer = browser.post(&asked, form);
    let to = answer.leads_to().unwrap().to_owned();
    assert!(!to.contains("example.org") && to.starts_with(&provider.issuer), "{to}");
    let url = at_provider(&mut browser, &lab, &to);
    let answer = browser.get(&format!("{url}&next=https://example.org&back=//example.org"));
    assert_eq!((answer.status, answer.leads_to()), (200, Some("/")));
    assert!(!answer.body.contains("example.org"), "{}", answer.body);
}

#[test]
fn a_provider_that_is_away_is_said_and_links_still_work() {
    let lab = Lab::new();
    let port = free_port();
    let lab = lab.with_provider(&format!("http://127.0.0.1:{port}"), "");
    let mut browser = Browser::new();
    let answer = browser.post(&format!("{}/sign-in/openid", lab.origin()), "");
    assert!(answer.status == 502 && answer.leads_to().is_none(), "{}", answer.body);
    assert!(answer.body.contains("Inloggningstjänsten svarar inte."), "{}", answer.body);
    assert!(answer.body.contains("postvakt console link --role reader"), "{}", answer.body);
    let link = lab.link("reader");
    assert_eq!(browser.post(&link, "").leads_to(), Some("/"));
    assert_eq!(home(&mut browser, &lab).status, 200);

    // It comes back without a word to the console, and goes away in the middle of a sign-in.
    let provider = Provider::start_at(port, &[&redirect(&lab)], None);
    let mut browser = Browser::new();
    let (to, _) = start(&mut browser, &lab);
    let url = at_provider(&mut browser, &lab, &to);
    drop(provider);
    let answer = browser.get(&url);
    assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{}", answer.body);
    assert!(answer.body.contains("Inloggningstjänsten svarar inte."), "{}", answer.body);
}

#[test]
fn a_provider_over_tls_has_a_certificate_that_is_believed() {
    let lab = Lab::new();
    let folder = lab.directory.path.clone();
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    run(command.args(["-keyout", "key.pem", "-out", "cert.pem"]).current_dir(&folder));
    let provider = Provider::start(&[&redirect(&lab)], Some(&folder));
    let ca_file = format!("ca_file = \"{}\"\n", folder.join("cert.pem").display());
    let lab = lab.with_provider(&provider.issuer, &ca_file);
    let mut browser = Browser::new();
    let (to, _) = start(&mut browser, &lab);
    assert!(to.starts_with("https://localhost:"), "{to}");
    // A code that it did not give: its token endpoint says so, over TLS.
    let answer = browser.get(&format!("{}?state={}&code=none", redirect(&lab), field(&to, "state")));
    assert!(
        answer.status == 502 && answer.body.contains("inget svar som går att lita på"),
        "{}",
        answer.body
    );
    assert!(lab.log.text().contains("invalid_grant"), "{}", lab.log);

    let other = Lab::new().with_provider(&provider.issuer, "");
    let answer = Browser::new().post(&format!("{}/sign-in/openid", other.origin()), "");
    assert_eq!(answer.status, 502, "{}", answer.body);
    assert!(other.log.text().contains("invalid peer certificate"), "{}", other.log);
}

#[test]
fn a_token_that_is_not_for_this_sign_in_is_refused() {
    let provider = Hostile::start();
    let lab = Lab::new().with_provider(&provider.issuer, "");
    let now = jiff::Timestamp::now().as_second();
    let good = |nonce: &str| {
        json!({
            "iss": provider.issuer, "aud": "postvakt", "sub": "1", "nonce": nonce, "iat": now, "exp": now + 300,
            "preferred_username": "anna@exempelby.se", "name": "Anna", "roles": "log-reviewer",
        })
    };
    let sign_in = |claims: &dyn Fn(&str) -> Value, more: &str| {
        let mut browser = Browser::new();
        let (to, _) = start(&mut browser, &lab);
        assert!(
            to.starts_with(&format!("{}/authorize?tenant=1&response_type=code", provider.issuer)),
            "{to}"
        );
        let claims = claims(field(&to, "nonce"));
        match claims.as_str() {
            Some(body) => provider.say(200, body),
            None => provider.claim(&claims),
        }
        browser.get(&format!("{}?code=c&state={}{more}", redirect(&lab), field(&to, "state")))
    };
    let issuer = format!("&iss={}", provider.issuer);
    for more in ["", &issuer] {
        let answer = sign_in(&good, more);
        assert!(answer.status == 200 && answer.sets(SESSION).is_some(), "{more}: {}", answer.body);
    }
    let asked = provider.asked();
    let basic = "authorization: basic cg9zdhzha3q6"; // `postvakt:` in base64, in small letters
    assert!(asked[0].to_lowercase().contains(basic) && asked[0].contains("code_verifier="), "{}", asked[0]);
    for (name, value, said) in [
        ("iss", json!("https://login.example.org"), "iss"),
        ("aud", json!("other"), "aud"),
        ("aud", json!(["postvakt", "other"]), "aud"),
        ("azp", json!("other"), "azp"),
        ("exp", json!(now - 3600), "exp"),
        ("iat", json!(now - 3600), "iat"),
        ("nonce", json!("0".repeat(64)), "nonce"),
        ("nonce", json!(null), "nonce"),
        ("preferred_username", json!(""), "subject_claim"),
    ] {
        let bad = |nonce: &str| {
            let mut claims = good(nonce);
            claims[name] = value.clone();
            claims
        };
        let answer = sign_in(&bad, "");
        assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{name} {value}: {}", answer.body);
        let log = lab.log.text();
        assert!(log.lines().last().unwrap().contains(said), "{name} {value}: {log}");
    }
    let huge = format!("{{\"id_token\":\"{}\"}}", "a".repeat(300 << 10));
    for body in ["", "<html>", "[]", "{}", "{\"id_token\":7}", "{\"id_token\":\"a.b\"}", &huge] {
        let answer = sign_in(&|_| json!(body), "");
        assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{:.20}: {}", body, answer.body);
    }
    let before = provider.asked().len();
    let answer = sign_in(&good, "&iss=https://login.example.org");
    assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{}", answer.body);
    let answer = sign_in(&good, "&error=access_denied&error_description=%3Cscript%3E");
    assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{}", answer.body);
    assert!(!answer.body.contains("<script"), "{}", answer.body);
    assert_eq!(provider.asked().len(), before, "no code was exchanged for these");

    let mut browser = Browser::new();
    for status in [302, 400, 401, 500] {
        let (to, _) = start(&mut browser, &lab);
        provider.claim(&good(field(&to, "nonce")));
        let body = "{\"error\":\"invalid_grant\"}";
        provider.say(status, body);
        let answer = browser.get(&format!("{}?code=c&state={}", redirect(&lab), field(&to, "state")));
        assert!(answer.status == 502 && answer.sets(SESSION).is_none(), "{status}: {}", answer.body);
    }
    assert!(
        provider.asked().iter().all(|asked| asked.starts_with("POST /token ")),
        "no redirection is followed"
    );
}

#[test]
fn a_real_browser_signs_in() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    assert!(
        std::path::Path::new("/usr/bin/chromium").exists(),
        "install it: apt-get install --no-install-recommends chromium"
    );
    let mut command = Command::new("node");
    let said = run(command.arg("sign-in.mjs").arg(lab.origin()).current_dir(scripts()));
    let seen: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&seen["name"], &seen["said"]), (&json!("Anna Åker"), &json!([])), "{seen}");
    let session = json!({ "name": SESSION, "sameSite": "Strict", "secure": true, "httpOnly": true });
    assert_eq!(seen["cookies"], json!([session]), "{seen}");
}
