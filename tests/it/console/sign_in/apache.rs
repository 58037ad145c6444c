//! A real Apache with `mod_auth_openidc` in front of the console's Unix socket, and what comes to the socket otherwise.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::SESSION;
use super::lab::{Browser, Lab, Process, Provider};
use crate::lab::{Log, until};

const MANUAL: &str = include_str!("../../../../docs/console-sign-in.md");

fn start_apache(lab: &mut Lab, provider: &Provider) {
    let modules = Path::new("/usr/lib/apache2/modules");
    assert!(
        modules.join("mod_auth_openidc.so").exists(),
        "install it: apt-get install --no-install-recommends apache2 libapache2-mod-auth-openidc"
    );
    let home = lab.directory.path.display().to_string();
    let names = [
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "headers",
        "proxy",
        "proxy_http",
        "auth_openidc",
    ];
    let mut text = String::new();
    for name in names {
        writeln!(text, "LoadModule {name}_module {}/mod_{name}.so", modules.display()).unwrap();
    }
    // The very lines of the manual, with the places of the test.
    let (_, site) = MANUAL.split_once("```apache\nOIDC").unwrap();
    let site = format!("OIDC{}", site.split("```").next().unwrap());
    let site = site
        .replace("https://postvakt.exempelby.se", &lab.origin())
        .replace("https://login.exempelby.se/realms/kommun", &provider.issuer)
        .replace("/run/postvakt-console/http.sock", &lab.socket().display().to_string())
        .replace("\"SECRET\"", &format!("\"{}\"", super::lab::CLIENT_SECRET))
        .replace("PASSPHRASE", "a passphrase of the tests");
    write!(text,
        "ServerRoot {home}\nPidFile {home}/apache.pid\nListen 127.0.0.1:{}\nServerName localhost\nUser www-data\n\
         Group www-data\nErrorLog {home}/apache.log\nDefaultRuntimeDir {home}\n{site}",
        lab.port
    ).unwrap();
    let config = lab.path("apache.conf");
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/apache2");
    let process = Process::start(command.arg("-X").arg("-f").arg(&config), &lab.path("apache.log"));
    lab.keep(process);
    let (log, port) = (Log(lab.path("apache.log")), lab.port);
    until("Apache", &log, || TcpStream::connect(("127.0.0.1", port)).ok());
}

#[test]
fn people_sign_in_through_apache() {
    let lab = Lab::new();
    let provider = Provider::start(&[&format!("{}/oidc/answer", lab.origin())], None);
    let mut lab = lab.with_proxy("www-data");
    start_apache(&mut lab, &provider);
    let origin = lab.origin();
    provider.sign_in_as("anna");
    let mut browser = Browser::new();
    // Whatever a browser says of itself is removed.
    browser.headers = vec![
        ("X-Remote-User", "bo@exempelby.se".to_owned()),
        ("X-Remote-Name", "Bo".to_owned()),
        ("X-Remote-Roles", "log-insight".to_owned()),
    ];
    let answer = browser.get(&format!("{origin}/"));
    assert_eq!(answer.status, 302, "{}", answer.body);
    let (url, page) = browser.follow(&origin, answer);
    assert_eq!((url.as_str(), page.status), (format!("{origin}/").as_str(), 200), "{}", page.body);
    assert!(page.body.contains("Anna Åker") && !page.body.contains(">Bo<"), "{}", page.body);
    let again = browser.get(&format!("{origin}/"));
    assert!(again.status == 200 && again.sets(SESSION).is_none(), "the session stays: {again:?}");
    // Anna is reviewer, and not what she said of herself.
    assert!(!page.body.contains("value=\"insight\""), "{}", page.body);

    provider.sign_in_as("cia");
    let mut cia = Browser::new();
    let answer = cia.get(&format!("{origin}/"));
    let (_, page) = cia.follow(&origin, answer);
    assert_eq!(page.status, 403, "{}", page.body);
}

fn says(browser: &mut Browser, subject: &str, roles: &str) {
    browser.headers = vec![("X-Remote-User", subject.to_owned()), ("X-Remote-Roles", roles.to_owned())];
}

#[test]
fn a_session_follows_what_the_proxy_says() {
    let lab = Lab::new().with_proxy("www-data");
    let (origin, root) = (lab.origin(), format!("{}/", lab.origin()));
    let mut browser = Browser::new();
    browser.socket = Some(lab.socket());
    assert_eq!(browser.get(&root).leads_to(), Some("/sign-in"), "nobody yet");

    says(&mut browser, "anna@exempelby.se", "other, log-reviewer");
    let answer = browser.get(&format!("{origin}/search?since=7d"));
    assert_eq!((answer.status, answer.leads_to()), (303, Some("/search?since=7d")));
    let token = |browser: &Browser| browser.cookie(&origin, SESSION).unwrap().to_owned();
    let first = token(&browser);
    assert_eq!(browser.get(&root).status, 200);
    assert_eq!(token(&browser), first, "the same person stays");

    // Another person, and another role: each a session of its own, and the one before has ended.
    says(&mut browser, "bo@exempelby.se", "log-reviewer");
    assert_eq!(browser.get(&root).status, 303);
    let second = token(&browser);
    says(&mut browser, "bo@exempelby.se", "log-insight");
    let answer = browser.post(&format!("{origin}/search"), "basis=operation&purpose=test");
    assert_eq!((answer.status, answer.leads_to()), (303, Some("/")), "the form is not carried out");
    let third = token(&browser);
    assert!(first != second && second != third);
    says(&mut browser, "bo@exempelby.se", "");
    assert_eq!(browser.get(&root).status, 403, "the roles are gone");
    browser.set_cookie(&origin, SESSION, &third);
    browser.headers.clear();
    assert_eq!(browser.get(&root).leads_to(), Some("/sign-in"), "that session has ended");

    // Without a word of the proxy its session ends, also for whoever has the cookie.
    says(&mut browser, "anna@exempelby.se", "log-reviewer");
    browser.get(&root);
    browser.headers.clear();
    assert_eq!(browser.get(&root).leads_to(), Some("/sign-in"));
    says(&mut browser, "anna@exempelby.se", "log-reviewer");
    assert_eq!(browser.get(&root).status, 303, "it has ended for good");

    // What cannot be the proxy's word alone.
    for (name, value) in [
        ("X-Remote-User", "bo@exempelby.se"),
        ("X-Remote-Roles", "log-insight"),
        ("x-remote-user", "anna@exempelby.se"),
    ] {
        says(&mut browser, "anna@exempelby.se", "log-reviewer");
        browser.headers.push((name, value.to_owned()));
        assert_eq!(browser.get(&root).status, 400, "{name} twice");
    }
    let mut nobody = Browser::new();
    nobody.socket = Some(lab.socket());
    for subject in ["(null)", "", "  "] {
        says(&mut nobody, subject, "log-reviewer");
        assert_eq!(nobody.get(&root).leads_to(), Some("/sign-in"), "{subject:?}");
    }
    nobody.headers = vec![
        ("X_Remote_User", "anna@exempelby.se".to_owned()),
        ("X-Remote-Roles", "log-reviewer".to_owned()),
    ];
    assert_eq!(nobody.get(&root).leads_to(), Some("/sign-in"));
    says(&mut nobody, "anna@exempelby.se", "log-reviewer");
    let answer = nobody.get(&format!("{origin}//example.org/"));
    assert_eq!((answer.status, answer.leads_to()), (303, Some("/")));

    // A one-time link is a session of its own, which a silent proxy does not end.
    let mut link = Browser::new();
    link.socket = Some(lab.socket());
    assert_eq!(link.post(&lab.link("reader"), "").leads_to(), Some("/"));
    assert_eq!(link.get(&root).status, 200);
}

#[test]
fn over_tcp_nobody_says_who_they_are() {
    let lab = Lab::new().with_provider("http://127.0.0.1:1", "");
    let mut browser = Browser::new();
    says(&mut browser, "anna@exempelby.se", "log-reviewer");
    let answer = browser.get(&format!("{}/", lab.origin()));
    assert!(answer.leads_to() == Some("/sign-in") && answer.sets(SESSION).is_none(), "{answer:?}");
    browser.headers.push(("X-Remote-User", "bo@exempelby.se".to_owned()));
    assert_eq!(browser.get(&format!("{}/sign-in", lab.origin())).status, 200, "they are nothing at all");

    // And a config that would have it so is refused.
    let config = lab.path("wrong.toml");
    let text = fs::read_to_string(lab.path("postvakt.toml")).unwrap();
    fs::write(&config, text.replace("[console.openid]", "[console.proxy]\n[console.openid]")).unwrap();
    let mut command = Command::new(crate::lab::program::PROGRAM);
    let output = command.args(["check", "--config"]).arg(&config).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && said.contains("whoever reaches the port could say who they are"),
        "{said}"
    );
}
