//! What the console counts of what people do and of what fails, and that a flood of connections ends nobody's work.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use super::lab::{Browser, Lab, Provider};
use super::{SESSION, at_provider, redirect, start};
use crate::lab::until;

#[test]
fn what_people_do_and_what_fails_is_counted() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    let origin = lab.origin();
    assert_eq!(lab.counted("sessions"), 0);
    let sign_in = |person: &str| {
        provider.sign_in_as(person);
        let mut browser = Browser::new();
        let (to, _) = start(&mut browser, &lab);
        let url = at_provider(&mut browser, &lab, &to);
        browser.get(&url);
        browser
    };
    let mut anna = sign_in("anna");
    sign_in("cia");
    let sign_ins =
        |by: &str, result: &str| lab.counted(&format!("sign_ins_total{{by=\"{by}\",result=\"{result}\"}}"));
    assert_eq!((sign_ins("provider", "done"), sign_ins("provider", "no-role")), (1, 1));
    assert_eq!(lab.counted("provider_requests_total{result=\"answered\"}"), 2);
    assert_eq!(lab.counted("sessions"), 1, "who has no role has no session");

    let form = "purpose=felet+i+fl%C3%B6det";
    let commands = |result: &str| lab.counted(&format!("commands_total{{result=\"{result}\"}}"));
    let before = commands("done");
    assert_eq!(anna.post(&format!("{origin}/search"), form).status, 200);
    until("the search", &lab.log, || (commands("done") > before).then_some(()));
    let before = commands("refused");
    anna.post(&format!("{origin}/search"), &format!("{form}&person=anna%40exempelby.se"));
    until("a search that is refused", &lab.log, || (commands("refused") > before).then_some(()));

    let requests = |result: &str| lab.counted(&format!("requests_total{{result=\"{result}\"}}"));
    assert!(requests("ok") > 3);
    assert_eq!(anna.get(&format!("{origin}/held")).status, 403);
    assert_eq!(anna.get(&format!("http://127.0.0.1:{}/", lab.port)).status, 421);
    let mut elsewhere = anna.clone();
    elsewhere.headers.push(("Sec-Fetch-Site", "cross-site".to_owned()));
    assert_eq!(elsewhere.post(&format!("{origin}/search"), form).status, 403);
    assert_eq!((requests("role"), requests("host"), requests("origin")), (1, 1, 1));
    let no_link = format!("{origin}/sign-in/link/{}", "0".repeat(64));
    assert_eq!(Browser::new().get(&no_link).status, 404);
    assert_eq!((sign_ins("link", "failed"), requests("rate")), (1, 0));

    // A session that asks too often gets nothing but the end of it.
    let asked = (0..400).take_while(|_| anna.get(&format!("{origin}/finns-inte")).status != 429).count();
    assert!(asked < 301, "{asked}");
    assert_eq!(requests("rate"), 1);
    let answer = anna.post(&format!("{origin}/sign-out"), "");
    assert_eq!((answer.status, answer.leads_to(), lab.counted("sessions")), (303, Some("/sign-in"), 0));

    // Without the process for commands every page says so, and without the provider nobody signs in.
    let mut anna = sign_in("anna");
    lab.signal_commands(Signal::KILL);
    until("the end of the process for commands", &lab.log, || {
        (anna.get(&format!("{origin}/")).status == 422).then_some(())
    });
    assert!(commands("unreachable") > 0);
    drop(provider);
    // The console still knows where the provider is.
    let mut browser = Browser::new();
    let (to, _) = start(&mut browser, &lab);
    let state = super::field(&to, "state");
    assert_eq!(browser.get(&format!("{}?code=c&state={state}", redirect(&lab))).status, 502);
    assert_eq!(lab.counted("provider_requests_total{result=\"unreachable\"}"), 1);
    assert_eq!(sign_ins("provider", "failed"), 1);
}

#[test]
fn a_flood_of_connections_that_only_lie_there_ends_nobodys_answer() {
    let lab = Lab::new();
    let provider = Provider::start(&[&redirect(&lab)], None);
    let lab = lab.with_provider(&provider.issuer, "");
    let mut browser = Browser::new();
    let link = lab.link("reviewer");
    assert_eq!(browser.post(&link, "").leads_to(), Some("/"));
    let cookie = browser.cookie(&lab.origin(), SESSION).unwrap().to_owned();
    let connect = || TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    // A page whose command does not begin yet.
    lab.signal_commands(Signal::STOP);
    let mut working = connect();
    let host = format!("localhost:{}", lab.port);
    let request =
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {SESSION}={cookie}\r\nConnection: close\r\n\r\n");
    working.write_all(request.as_bytes()).unwrap();
    // Each connection is taken when the metric tells of it.
    let flood: Vec<TcpStream> = (0..600).map(|_| connect()).collect();
    until("the flood", &lab.log, || {
        (lab.counted("limits_exceeded_total{limit=\"connections\"}") >= 345).then_some(())
    });
    assert_eq!(lab.counted("connections"), 256);
    lab.signal_commands(Signal::CONT);
    let mut answer = String::new();
    working.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("</html>"), "{answer}");
    drop(flood);
}
