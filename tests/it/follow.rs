//! `log follow`: every record reaches the sink, whatever is killed, refuses or is away; a file and a bulk interface have it
//! once. The file is a file, syslog is rsyslog. No search engine is packaged for Debian, so the bulk interface is a server of
//! this test, which answers as the documentation of OpenSearch says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::backup::Gateway;
use crate::faults::Random;
use crate::lab::program::PROGRAM;
use crate::lab::rsyslog::Rsyslog;
use crate::lab::{free_port, run, until};
use crate::storm::{session, take};

/// A follower, which is a process.
struct Follower(Child);

impl Follower {
    fn start(gateway: &Gateway, options: &[&str]) -> Self {
        let log =
            fs::File::options().create(true).append(true).open(gateway.directory.path.join("follower.log"));
        let child = command(gateway, options).stderr(log.unwrap()).stdout(Stdio::null()).spawn();
        Self(child.unwrap())
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(gateway: &Gateway, options: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["log", "follow", "--decision", "KS 2026/9", "--config"]).arg(&gateway.postvakt.config);
    command.args(options);
    command
}

/// Hands over what is there; the exit code, and what was said.
fn once(gateway: &Gateway, options: &[&str]) -> (Option<i32>, String) {
    let output = command(gateway, options).arg("--once").output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn id(event: &Value) -> String {
    event["event"]["id"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned()
}

fn ids(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| id(&serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))).collect()
}

/// The ids of all records, in order.
fn all(gateway: &Gateway) -> Vec<String> {
    gateway.postvakt.search(&[]).iter().map(|record| record["record"].as_str().unwrap().to_owned()).collect()
}

fn mail(gateway: &Gateway, case: usize) {
    let mut open = None;
    assert!(take(&mut open, gateway.ports.milter, &session(), case), "{}", gateway.postvakt.log);
}

/// What a follower's metric says.
fn metric(gateway: &Gateway, name: &str, of: &str) -> u64 {
    gateway.postvakt.metric(&format!("postvakt_log_follow_{name}{{name=\"{of}\"}}"))
}

#[test]
fn a_file_has_each_record_once_however_often_the_follower_is_killed() {
    let gateway = Gateway::start("");
    let file = gateway.directory.path.join("postvakt.jsonl");
    let options = ["--sink", "file", "--to", file.to_str().unwrap()];
    let mut random = Random::seeded();
    gateway.under_load(|| {
        for _ in 0..12 {
            let follower = Follower::start(&gateway, &options);
            thread::sleep(Duration::from_millis(50 + random.below(400)));
            follower.end(Signal::KILL);
        }
    });
    let (code, said) = once(&gateway, &options);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ids(&file), all(&gateway));
    assert_eq!(
        (metric(&gateway, "lag_records", "file"), metric(&gateway, "refused_records", "file")),
        (0, 0)
    );
    assert!(metric(&gateway, "even_timestamp_seconds", "file") > 1_700_000_000);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // One that runs hands over what comes, and ends when it is told to.
    let follower = Follower::start(&gateway, &options);
    mail(&gateway, 700_000);
    until("the new record", &gateway.postvakt.log, || (ids(&file) == all(&gateway)).then_some(()));
    let (code, said) = once(&gateway, &options);
    assert!(
        code == Some(2) && said.contains("another process follows the log under the name file"),
        "{said}"
    );
    assert_eq!(follower.end(Signal::TERM), Some(0));
    // A restart of the server, and a new epoch, are no gap.
    let accesses = gateway.accesses();
    let own: Vec<&Value> = accesses.iter().filter(|access| access["verb"] == "follow").collect();
    assert_eq!(own.len(), 14, "one entry for each process that was let in: {own:?}");
    let last = own.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["decision"], &last["rows"]),
        (&"done".into(), &"KS 2026/9".into(), &1.into())
    );
    assert_eq!(last["query"]["to"], file.to_str().unwrap());
}

#[test]
fn a_follower_reads_what_its_decision_opens_and_shows_what_its_profile_does() {
    let gateway = Gateway::start("[disclosure]\nwords = [\"hemligt projekt\"]\n");
    mail(&gateway, 1);
    mail(&gateway, 2);
    let file = |name: &str| gateway.directory.path.join(name).display().to_string();
    let follow = |name: &str, more: &[&str]| {
        let to = file(name);
        let (code, said) = once(&gateway, &[&["--sink", "file", "--to", &to, "--name", name], more].concat());
        (code, said, fs::read_to_string(&to).unwrap_or_default())
    };
    let (code, said, text) = follow("plain", &[]);
    assert!(code == Some(0) && text.contains("person1@example.org"), "{said}{text}");
    let (_, _, text) = follow("masked", &["--mask", "sender,subject,header_from"]);
    assert!(text.lines().count() == 2 && !text.contains("person1@") && text.contains("[maskerat]"), "{text}");
    // The same person has the same pseudonym in this sink always, and another one elsewhere.
    let (_, _, text) = follow("numbers", &["--profile", "pseudonym"]);
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(
        id(&first).starts_with("r-") && !text.contains("person1@") && !text.contains("registrator@"),
        "{text}"
    );
    mail(&gateway, 1);
    let (_, _, text) = follow("numbers", &["--profile", "pseudonym"]);
    let senders: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["postvakt"]["envelope"]["from"].clone())
        .collect();
    assert_eq!((senders.len(), &senders[0]), (3, &senders[2]));
    assert_ne!(senders[0], senders[1]);
    let (_, _, other) = follow("other", &["--profile", "pseudonym"]);
    assert!(!other.contains(senders[0].as_str().unwrap()), "{other}");
    let (_, _, text) = follow("new", &["--since", "2099-01-01"]);
    assert_eq!(text, "");
    // A person who asks is told of it.
    let mut extract = Command::new(PROGRAM);
    extract.args(["log", "subject-extract", "person1@example.org", "--own-request", "person1@example.org"]);
    let extract = run(extract.arg("--config").arg(&gateway.postvakt.config));
    assert!(
        extract.lines().any(|line| line.contains("  follow ") && line.contains("KS 2026/9")),
        "{extract}"
    );
    // From the first registered decision on, one is needed; and one that is closed ends it.
    let register = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        run(command.args(["log", "decision"]).args(arguments).arg("--config").arg(&gateway.postvakt.config));
    };
    let (code, said, _) = follow("late", &["--mask", "nothing"]);
    assert!(code == Some(2) && said.contains("--mask nothing"), "{said}");
    register(&[
        "add",
        "KS 2026/8",
        "--by",
        "IT-chefen",
        "--date",
        "2026-01-07",
        "--purpose",
        "logg till SIEM",
        "--valid-until",
        "2099-12-31",
        "--person",
        "person2@example.org",
    ]);
    let (code, said, text) = follow("refused", &[]);
    assert!(code == Some(2) && said.contains("refused") && text.is_empty(), "{said}{text}");
    let to = file("of-one");
    let own = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["log", "follow", "--sink", "file", "--to", &to, "--name", "of-one", "--config"]);
        command.arg(&gateway.postvakt.config).args(["--decision", "KS 2026/8"]).args(more);
        command
    };
    let mut child = own(&[]).stderr(Stdio::piped()).spawn().unwrap();
    until("the record of that person", &gateway.postvakt.log, || {
        fs::read_to_string(&to).unwrap_or_default().contains("person2@").then_some(())
    });
    assert!(!fs::read_to_string(&to).unwrap().contains("person1@"));
    register(&["close", "KS 2026/8"]);
    // It looks again within half a minute, and each time before it hands over what waited.
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("refused"), "{said}");
    let refused = gateway.accesses().into_iter().rfind(|access| access["verb"] == "follow").unwrap();
    assert_eq!(refused["outcome"], "refused", "{refused}");
}

#[test]
fn nothing_is_sent_to_another_host_unencrypted() {
    let gateway = Gateway::start("");
    for (sink, to) in [
        ("http", "http://192.0.2.1:9200/_bulk"),
        ("syslog", "192.0.2.1:514"),
        ("http", "https://127.0.0.1/_bulk"),
    ] {
        let (code, said) = once(&gateway, &["--sink", sink, "--to", to]);
        assert!(code == Some(2) && said.contains(&format!("--to {to}")), "{said}");
    }
    let (code, said) = once(&gateway, &["--sink", "file", "--to", "/nowhere/at/all", "--name", "X"]);
    assert!(code == Some(2) && said.contains("small letters"), "{said}");
    mail(&gateway, 1);
    let (code, said) = once(&gateway, &["--sink", "file", "--to", "/nowhere/at/all"]);
    assert!(code == Some(1) && said.contains("/nowhere/at/all: No such file"), "{said}");
    assert_eq!(metric(&gateway, "lag_records", "file"), 1);
}

#[test]
fn a_sink_that_says_nothing_is_waited_for_no_longer_than_said() {
    let gateway = Gateway::start("");
    mail(&gateway, 1);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", silent.local_addr().unwrap());
    let (code, said) = once(&gateway, &["--sink", "http", "--to", &to]);
    assert!(code == Some(1) && said.contains("no answer within 30 s"), "{said}");
    assert_eq!(metric(&gateway, "lag_records", "http"), 1);
}

/// rsyslog with a TCP port beside its socket, and in its file only who said what.
fn rsyslog(directory: &Path, port: u16) -> Rsyslog {
    let more = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"own\" type=\"string\" string=\"%programname% %msg%\\n\")\n"
    );
    let syslog = Rsyslog::start(directory, &more, "template=\"own\"");
    until("rsyslog's port", &syslog.file, || TcpStream::connect(("127.0.0.1", port)).ok());
    syslog
}

/// The ids of the records in its file, in order.
fn in_syslog(syslog: &Rsyslog) -> Vec<String> {
    let text = syslog.file.text();
    let own = text.lines().filter_map(|line| line.strip_prefix("postvakt ").map(str::trim));
    own.filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|event| id(&event)).collect()
}

#[test]
fn syslog_gets_every_record_by_its_socket_and_by_tcp() {
    let gateway = Gateway::start("");
    let port = free_port();
    let syslog = rsyslog(&gateway.directory.path, port);
    gateway.under_load(|| {});
    let known = all(&gateway);
    let tcp = format!("127.0.0.1:{port}");
    for (name, to) in [("tcp", tcp.as_str()), ("socket", syslog.socket.to_str().unwrap())] {
        let before = in_syslog(&syslog).len();
        let (code, said) = once(&gateway, &["--sink", "syslog", "--to", to, "--name", name]);
        assert_eq!(code, Some(0), "{said}");
        until("all records", &syslog.file, || {
            (in_syslog(&syslog).len() == before + known.len()).then_some(())
        });
        assert_eq!(in_syslog(&syslog)[before..], known, "{name}");
    }
    // It is away: what comes waits in the log, and is there when it is back.
    let directory = gateway.directory.path.clone();
    drop(syslog);
    let refused = refusing(port);
    let follower = Follower::start(&gateway, &["--sink", "syslog", "--to", &tcp, "--name", "tcp"]);
    mail(&gateway, 800_000);
    mail(&gateway, 800_001);
    until("records that wait", &gateway.postvakt.log, || {
        (metric(&gateway, "lag_records", "tcp") == 2).then_some(())
    });
    drop(refused);
    let syslog = rsyslog(&directory, port);
    until("those that waited", &syslog.file, || {
        in_syslog(&syslog).ends_with(&all(&gateway)[known.len()..]).then_some(())
    });
    until("no lag", &gateway.postvakt.log, || (metric(&gateway, "lag_records", "tcp") == 0).then_some(()));
    assert_eq!(follower.end(Signal::TERM), Some(0));
    let said = fs::read_to_string(directory.join("follower.log")).unwrap();
    assert_eq!(said.matches("the sink does not take records").count(), 1, "{said}");
    assert_eq!(said.matches("the sink takes records again").count(), 1, "{said}");
}

/// Keeps a port without listening: whoever connects is refused, and no other test gets it meanwhile.
fn refusing(port: u16) -> OwnedFd {
    let kept = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::sockopt::set_socket_reuseaddr(&kept, true).unwrap();
    net::bind(&kept, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    kept
}

/// A server that answers `_bulk` as documented, after `act` said how it goes with this request.
struct Bulk {
    port: u16,
    /// The documents by their id, and how often each was created.
    documents: Arc<Mutex<BTreeMap<String, (Value, usize)>>>,
    requests: Arc<AtomicUsize>,
}

/// How it goes with a request.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Well,
    /// An error before anything is stored.
    Unavailable,
    /// Everything is stored, and the connection breaks before the answer.
    Silent,
    /// Every second document is turned away because the server is busy.
    Busy,
}

impl Bulk {
    fn start(act: impl Fn(usize) -> How + Send + 'static, poison: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (documents, requests): (Arc<Mutex<BTreeMap<_, _>>>, Arc<AtomicUsize>) = Default::default();
        let bulk = Self { port, documents: documents.clone(), requests: requests.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = requests.fetch_add(1, Ordering::SeqCst);
                serve(stream.unwrap(), act(number), poison, &documents);
            }
        });
        bulk
    }
}

fn serve(stream: TcpStream, how: How, poison: &str, documents: &Mutex<BTreeMap<String, (Value, usize)>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        head.push_str(&line.to_lowercase());
        line.clear();
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|n| n.trim().parse().ok());
    let Some(length) = length else { return };
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    assert!(head.starts_with("post /_bulk http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-ndjson") && head.contains("authorization: apikey secret"),
        "{head}"
    );
    let mut stream = stream;
    let mut answer = |status: &str, body: &str| {
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    };
    if how == How::Unavailable {
        return answer("503 Service Unavailable", "busy");
    }
    let lines: Vec<Value> = body
        .split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let mut documents = documents.lock().unwrap();
    let items: Vec<Value> = lines
        .chunks(2)
        .enumerate()
        .map(|(number, pair)| {
            let (create, event) = (&pair[0]["create"], pair[1].clone());
            assert_eq!(create["_index"], "mail");
            let id = create["_id"].as_str().unwrap().to_owned();
            assert_eq!(id, self::id(&event));
            let error = |status: u16, kind: &str| json!({ "create": { "_id": id, "status": status, "error": { "type": kind, "reason": "x" } } });
            if !poison.is_empty() && event.to_string().contains(poison) {
                return error(400, "document_parsing_exception");
            }
            if how == How::Busy && number % 2 == 1 {
                return error(429, "es_rejected_execution_exception");
            }
            if documents.contains_key(&id) {
                return error(409, "version_conflict_engine_exception");
            }
            documents.entry(id.clone()).or_insert((event, 0)).1 += 1;
            json!({ "create": { "_id": id, "status": 201, "result": "created" } })
        })
        .collect();
    if how != How::Silent {
        answer("200 OK", &json!({ "errors": true, "items": items }).to_string());
    }
}

#[test]
fn a_bulk_interface_has_each_record_once_through_errors_lost_answers_and_kills() {
    let gateway = Gateway::start("");
    let act = |number| [How::Unavailable, How::Silent, How::Busy, How::Well, How::Silent][number % 5];
    let bulk = Bulk::start(act, "person7@example.org");
    let secret = gateway.directory.path.join("secret");
    fs::write(&secret, "ApiKey secret\n").unwrap();
    let to = format!("http://127.0.0.1:{}", bulk.port);
    let options = [
        "--sink",
        "http",
        "--to",
        &to,
        "--index",
        "mail",
        "--name",
        "siem",
        "--authorization",
        secret.to_str().unwrap(),
    ];
    gateway.under_load(|| {
        for _ in 0..4 {
            let follower = Follower::start(&gateway, &options);
            let asked = bulk.requests.load(Ordering::SeqCst);
            until("a request", &gateway.postvakt.log, || {
                (bulk.requests.load(Ordering::SeqCst) > asked).then_some(())
            });
            follower.end(Signal::KILL);
        }
    });
    let follower = Follower::start(&gateway, &options);
    let known = all(&gateway);
    until("all records", &gateway.postvakt.log, || {
        (bulk.documents.lock().unwrap().len() == known.len() - 1
            && metric(&gateway, "lag_records", "siem") == 0)
            .then_some(())
    });
    assert_eq!(follower.end(Signal::TERM), Some(0));
    let documents = bulk.documents.lock().unwrap();
    assert!(documents.values().all(|(_, created)| *created == 1), "each is created once");
    let poisoned = gateway.postvakt.search(&["--sender", "person7@example.org"]).remove(0);
    let poisoned = poisoned["record"].as_str().unwrap();
    let missing: Vec<&String> = known.iter().filter(|id| !documents.contains_key(*id)).collect();
    assert_eq!(missing, [poisoned], "the one that the server refuses for good");
    assert_eq!(metric(&gateway, "refused_records", "siem"), 1);
    let said = fs::read_to_string(gateway.directory.path.join("follower.log")).unwrap();
    let told = said.lines().find(|line| line.contains("the sink refuses a record for good")).unwrap();
    assert!(told.contains(poisoned) && told.contains("document_parsing_exception"), "{said}");
    assert!(!said.contains("ApiKey"), "{said}");
}
