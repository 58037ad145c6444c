//! Operation: what the service manager does to the program and learns from it, and how it ends.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use postvakt::cli::demo::mta::Mta;
use postvakt::limits;
use rustix::process::Signal;

use crate::lab::program::{PROGRAM, Postvakt, Spawn, logged};
use crate::lab::{Directory, Ports, until};
use crate::storm::{session, take};
use crate::worker::{Filter, children, deliver_message, descriptors, stat, zip};

fn unit(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd").join(name)).unwrap()
}

/// What the unit says of a setting.
fn said<'a>(unit: &'a str, setting: &str) -> &'a str {
    let values: Vec<_> =
        unit.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{setting}: {values:?}");
    values[0]
}

fn seconds(time: &str) -> Duration {
    Duration::from_secs(time.strip_suffix('s').unwrap().parse().unwrap())
}

#[test]
fn the_unit_and_the_program_agree() {
    let service = unit("postvakt.service");
    assert_eq!(seconds(said(&service, "TimeoutStopSec")), limits::STOP_TIME + limits::STOP_MARGIN);
    assert!(service.contains(&format!("within {} seconds of SIGTERM", limits::STOP_TIME.as_secs())));
    let order = [limits::DRAIN_TIME, limits::LAST_ANSWER_TIME, limits::LAST_LETTER_TIME, limits::STOP_TIME];
    assert!(order.is_sorted() && limits::LAST_LETTER_TIME + limits::HEADS_END_TIME < limits::STOP_TIME);
    assert!(seconds(said(&service, "WatchdogSec")) >= Duration::from_secs(30));
    assert!(said(&service, "LimitNOFILE").parse::<usize>().unwrap() > limits::CONNECTIONS + 1_000);
    let percent = |setting| said(&service, setting).strip_suffix('%').unwrap().parse::<u8>().unwrap();
    assert!(percent("MemoryHigh") < percent("MemoryMax") && percent("MemoryMax") < 100);
    assert_eq!(said(&service, "OOMPolicy"), "continue");
    // The sockets of the one are those of the first config.
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/postvakt.toml");
    let starter = fs::read_to_string(starter).unwrap();
    let listen = starter.lines().find(|line| line.starts_with("listen = ")).unwrap().to_owned();
    let socket = unit("postvakt.socket");
    for stream in socket.lines().filter_map(|line| line.strip_prefix("ListenStream=")) {
        let scheme = if stream.starts_with('/') { "unix" } else { "inet" };
        assert!(listen.contains(&format!("\"{scheme}:{stream}\"")), "{stream}: {listen}");
    }
    // `RestartPreventExitStatus=` is about the main process alone; a reload looks at the config before anything is told.
    assert!(!service.lines().any(|line| line.starts_with("ExecStartPre=")));
    let reloads: Vec<_> = service.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
    assert!(
        reloads.len() == 2 && reloads[0].contains(" check ") && reloads[1].contains("-HUP"),
        "{reloads:?}"
    );
    // Resolvers are anywhere; who wants the kernel to let no other address through has a drop-in.
    let filter = unit("postvakt.service.d/loopback.conf");
    assert!(!service.contains("IPAddressDeny") && said(&filter, "IPAddressDeny") == "any");
    // A socket in the service's own directory goes with it, unless the directory stays.
    assert_eq!(said(&service, "RuntimeDirectoryPreserve"), "yes");
}

/// As systemd's journal, which says by `JOURNAL_STREAM` which stream it reads.
#[test]
fn lines_for_the_journal_have_priorities_and_no_time() {
    let (directory, ports) = (prepare(), Ports::reserve());
    let script = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$0\" serve --config \"$1\"";
    let spawn: Spawn = Box::new(move |config, log| {
        let mut command = Command::new("sh");
        logged(command.args(["-c", script, PROGRAM]).arg(config), log)
    });
    let mut postvakt = Postvakt::start_by(&directory.path, &ports, "", spawn);
    postvakt.write_rules("[rules.nothing]\n");
    postvakt.signal(Signal::HUP);
    until("the refused reload", &postvakt.log, || {
        postvakt.log.text().contains("the new config is invalid").then_some(())
    });
    postvakt.signal(Signal::TERM);
    assert!(postvakt.ended().success());
    let text = postvakt.log.text();
    assert!(
        text.lines()
            .all(|line| line.starts_with("<3>") || line.starts_with("<4>") || line.starts_with("<6>")),
        "{text}"
    );
    assert!(text.contains("<3>the new config is invalid"), "{text}");
    assert!(
        text.contains(&format!("<6>listening for the MTA address=inet:127.0.0.1:{}\n", ports.milter)),
        "{text}"
    );
    assert!(text.contains("<6>listening for metrics address=127.0.0.1:"), "{text}");
}

fn prepare() -> Directory {
    let directory = Directory::new();
    fs::create_dir(directory.path.join("run")).unwrap();
    directory
}

/// As systemd does: this socket is open in the program, as its descriptor 3.
fn with_socket(listener: TcpListener) -> Spawn {
    Box::new(move |config, log| {
        let socket: OwnedFd = listener.try_clone().unwrap().into();
        let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve --config \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, PROGRAM]).arg(config).stdin(Stdio::from(socket));
        logged(&mut command, log)
    })
}

#[test]
fn no_connection_is_refused_while_the_program_restarts() {
    let (directory, ports) = (prepare(), Ports::reserve());
    let listener = TcpListener::bind(("127.0.0.1", ports.milter)).unwrap();
    let mut postvakt = Postvakt::start_by(&directory.path, &ports, "", with_socket(listener));
    let mut open = None;
    assert!(take(&mut open, ports.milter, &session(), 1), "{}", postvakt.log);
    for in_good_order in [true, false] {
        if in_good_order {
            // A session that is open and idle keeps nothing from ending.
            postvakt.signal(Signal::TERM);
            assert_eq!(postvakt.ended().code(), Some(0), "{}", postvakt.log);
        } else {
            postvakt.kill();
        }
        // Nobody is there, and nobody is refused.
        let waiting = TcpStream::connect(("127.0.0.1", ports.milter)).unwrap();
        waiting.set_nodelay(true).unwrap();
        let served = thread::spawn(move || Mta::open(waiting, &session()).map(drop));
        postvakt.restart();
        served.join().unwrap().unwrap();
        open = None;
        assert!(take(&mut open, ports.milter, &session(), 2), "{}", postvakt.log);
    }
    assert!(!postvakt.log.text().contains("another program listens"), "{}", postvakt.log);
}

#[test]
fn sockets_come_from_systemd_and_stay_with_it() {
    let (directory, ports) = (prepare(), Ports::reserve());
    let path = directory.path.join("run/milter.sock");
    let listening = path.clone();
    let (milter, outbound, metrics) = (ports.milter, ports.milter_outbound, ports.metrics);
    let spawn: Spawn = Box::new(move |config, log| {
        let mut command = Command::new("systemd-socket-activate");
        for port in [milter, outbound, metrics] {
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        }
        command.arg("--listen").arg(&listening).args([PROGRAM, "serve", "--config"]).arg(config);
        logged(&mut command, log)
    });
    let mut postvakt = Postvakt::start_by(&directory.path, &ports, "", spawn);
    until("the program", &postvakt.log, || postvakt.is_ready().then_some(()));
    let mut open = None;
    assert!(take(&mut open, ports.milter, &session(), 1), "{}", postvakt.log);
    let filter = Filter { postvakt, directory };
    filter.deliver("FIRST", "a.zip", &zip("inre.txt", b"x"));
    // The processes that read documents have none of them.
    let worker = children(filter.postvakt.id())[0];
    let descriptors = descriptors(worker);
    assert!(descriptors.iter().all(|what| what.starts_with("pipe:")), "{descriptors:?}");
    postvakt = filter.postvakt;
    postvakt.signal(Signal::TERM);
    assert_eq!(postvakt.ended().code(), Some(0), "{}", postvakt.log);
    assert!(path.exists(), "the file of a socket that is not ours stays");
}

#[test]
fn a_socket_that_the_config_does_not_name_is_told_of() {
    let (directory, ports) = (prepare(), Ports::reserve());
    let mut postvakt = Postvakt::start(&directory.path, &ports, "");
    postvakt.signal(Signal::TERM);
    postvakt.ended();
    let listener = TcpListener::bind(("127.0.0.1", ports.smtp)).unwrap();
    let mut child = with_socket(listener)(&postvakt.config, &postvakt.log);
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let sentence = format!("inet:127.0.0.1:{}: systemd passed this socket", ports.smtp);
    assert!(postvakt.log.text().contains(&sentence), "{}", postvakt.log);
}

/// The service manager's end of `sd_notify(3)`.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(directory: &Path) -> Self {
        let socket = UnixDatagram::bind(directory.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self(socket)
    }

    /// The next message; `None` where there is none yet.
    fn next(&self) -> Option<String> {
        let mut octets = [0; 512];
        match self.0.recv(&mut octets) {
            Ok(count) => Some(String::from_utf8_lossy(&octets[..count]).trim().to_owned()),
            // A signal about a child interrupts it, too.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn hears(&self, message: &str, postvakt: &Postvakt) {
        until(message, &postvakt.log, || (self.next()? == message).then_some(()));
    }
}

#[test]
fn the_service_manager_hears_that_the_program_is_alive_as_long_as_it_is() {
    let (directory, ports) = (prepare(), Ports::reserve());
    let manager = Manager::listen(&directory.path);
    let notify = directory.path.join("notify");
    let spawn: Spawn = Box::new(move |config, log| {
        let mut command = Command::new(PROGRAM);
        command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "300000");
        logged(command.args(["serve", "--config"]).arg(config), log)
    });
    let mut postvakt = Postvakt::start_by(&directory.path, &ports, "", spawn);
    manager.hears("READY=1", &postvakt);
    for _ in 0..3 {
        manager.hears("WATCHDOG=1", &postvakt);
    }
    postvakt.signal(Signal::STOP);
    // What it said before its last thread stood still is heard; then nothing for ten times as long as usual.
    until("silence", &postvakt.log, || {
        let _ = (0..100).find(|_| manager.next().is_none());
        thread::sleep(Duration::from_secs(1));
        manager.next().is_none().then_some(())
    });
    postvakt.signal(Signal::CONT);
    manager.hears("WATCHDOG=1", &postvakt);
    postvakt.signal(Signal::TERM);
    manager.hears("STOPPING=1", &postvakt);
    assert!(postvakt.ended().success());
}

#[test]
fn machines_that_ask_slowly_keep_no_other_from_asking() {
    let filter = Filter::start();
    let port = filter.postvakt.metrics;
    let mut slow: Vec<TcpStream> = (0..120)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(b"GET /livez HT").unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = filter.postvakt.get(path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    // Those that were ended are those that had to be; nobody waited until the others had lost their time.
    let is_open = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    let open = slow.iter_mut().map(is_open).filter(|open| *open).count();
    assert!(open >= limits::WEB_CONNECTIONS - 3, "{open}");
    assert!(open <= limits::WEB_CONNECTIONS, "{open}");
}

#[test]
fn a_stop_during_work_on_a_text_is_clean() {
    let mut filter =
        Filter::with("[rules.sensitive-data]\nmode = \"enforce\"\n[rules.credentials]\nmode = \"enforce\"\n");
    let socket = filter.directory.path.join("run/milter.sock");
    let line = format!("{}\r\n", "\u{fdfa}".repeat(300));
    let head = "From: <x@example.org>\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Transfer-Encoding: 8bit\r\n\r\n";
    let message = format!("{head}{}", line.repeat((8 << 20) / line.len()));
    let sent = thread::spawn(move || deliver_message(&socket, "SLOW", message.as_bytes()));
    // User time in hundredths of a second: it is at work on the text.
    let id = i32::try_from(filter.postvakt.id()).unwrap();
    let used = || stat(id)[11].parse::<u64>().unwrap();
    let before = used();
    until("work on the text", &filter.postvakt.log, || (used() > before + 20).then_some(()));
    filter.postvakt.signal(Signal::TERM);
    assert_eq!(filter.postvakt.ended().code(), Some(0), "{}", filter.postvakt.log);
    let log = filter.postvakt.log.text();
    assert!(log.contains("stopped; all records are on disk"), "{log}");
    // It came to its end, or its client tries again; nothing is refused for a stop.
    if let Ok(heard) = sent.join().unwrap() {
        assert!(heard.reply.is_none_or(|reply| reply.starts_with('4')), "{log}");
    }
}
