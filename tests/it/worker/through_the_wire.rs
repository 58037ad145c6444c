//! Hostile documents in mail: each has its verdict in time, and the mail of other sessions does not notice.

use std::os::unix::net::UnixStream;
use std::path::Path;

use postvakt::address::{Address, ReversePath};
use postvakt::cli::demo::mta::{Heard, Mta, Session};
use postvakt::facts::transaction::message_from_file;
use postvakt::mail::{Envelope, Recipient};
use rustix::process::{Signal, kill_process};

use super::{bombs, children};
use crate::lab::program::Postvakt;
use crate::lab::{Directory, Ports, until};

/// The program, without a Postfix.
pub(crate) struct Filter {
    pub(crate) postvakt: Postvakt,
    pub(crate) directory: Directory,
}

impl Filter {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With these `[rules.…]` sections.
    pub(crate) fn with(rules: &str) -> Self {
        let directory = Directory::new();
        std::fs::create_dir(directory.path.join("run")).unwrap();
        let postvakt = Postvakt::start(&directory.path, &Ports::reserve(), rules);
        Self { postvakt, directory }
    }

    /// Delivers a mail with this attachment in a session of its own.
    pub(crate) fn deliver(&self, id: &str, name: &str, attachment: &[u8]) -> Heard {
        deliver(&self.directory.path.join("run/milter.sock"), id, name, attachment).unwrap()
    }

    /// The attachments that the record of the mail with that id has.
    pub(crate) fn recorded(&self, id: &str) -> String {
        let found = self.postvakt.search(&["--queue-id", id]);
        assert_eq!(found.len(), 1, "records of {id}: {found:?}\n{}", self.postvakt.log);
        let names = found[0]["attachments"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        names.collect::<Vec<_>>().join("; ")
    }
}

/// Delivers a mail with this attachment to the socket, in a session of its own.
fn deliver(socket: &Path, id: &str, name: &str, attachment: &[u8]) -> std::io::Result<Heard> {
    deliver_message(socket, id, &mail(name, attachment))
}

/// Delivers this message to the socket, in a session of its own.
pub(crate) fn deliver_message(socket: &Path, id: &str, message: &[u8]) -> std::io::Result<Heard> {
    let session =
        Session { client: "192.0.2.1".parse().ok(), helo: "client.example.org".into(), ..Session::default() };
    let mut mta = Mta::open(UnixStream::connect(socket)?, &session)?;
    let recipient = Address::parse("anna@exempelby.se").unwrap();
    let envelope = Envelope {
        sender: ReversePath::from_wire(b"<x@example.org>"),
        smtputf8: false,
        recipients: vec![Recipient { raw: "<anna@exempelby.se>".into(), address: recipient }],
    };
    let heard = mta.deliver(&session, &envelope, &message_from_file(message), id)?;
    mta.quit()?;
    Ok(heard)
}

fn mail(name: &str, attachment: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: <x@example.org>\r\nTo: <anna@exempelby.se>\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
         Content-Type: application/octet-stream; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    let mut mail = head.into_bytes();
    for line in base64(attachment).as_bytes().chunks(76) {
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
    mail
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let value =
            [0, 1, 2].iter().fold(0_u32, |value, at| value << 8 | u32::from(*group.get(*at).unwrap_or(&0)));
        (0..4_usize)
            .map(move |at| {
                let digit = char::from(DIGITS[(value >> (18 - 6 * at) & 63) as usize]);
                if at <= group.len() { digit } else { '=' }
            })
            .collect::<String>()
    };
    octets.chunks(3).map(digits).collect()
}

/// An archive with one file, as it is.
pub(crate) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let common = |out: &mut Vec<u8>| {
        out.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(crc.sum().to_le_bytes());
        out.extend(size);
        out.extend(size);
        out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        out.extend([0, 0]);
    };
    let mut file = b"PK\x03\x04".to_vec();
    common(&mut file);
    file.extend(name.bytes());
    file.extend(content);
    let directory = u32::try_from(file.len()).unwrap();
    file.extend(b"PK\x01\x02\x14\0");
    common(&mut file);
    file.extend([0; 14]);
    file.extend(name.bytes());
    let length = u32::try_from(file.len()).unwrap() - directory;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend(length.to_le_bytes());
    file.extend(directory.to_le_bytes());
    file.extend([0, 0]);
    file
}

#[test]
fn a_worker_that_hangs_keeps_no_other_mail_waiting() {
    let filter = Filter::start();
    assert_eq!(filter.deliver("FIRST", "a.zip", &zip("inre.txt", b"x")).reply, None);
    assert_eq!(filter.recorded("FIRST"), "a.zip; inre.txt");
    let worker = children(filter.postvakt.id());
    assert_eq!(worker.len(), 1, "{worker:?}");
    kill_process(worker[0], Signal::STOP).unwrap();
    std::thread::scope(|scope| {
        let late = scope.spawn(|| filter.deliver("LATE", "b.zip", &zip("inre.txt", b"x")));
        for number in 0..20 {
            assert_eq!(filter.deliver(&format!("PLAIN{number}"), "c.txt", b"hej").reply, None);
        }
        assert_eq!(late.join().unwrap().reply, None, "late is no reason to refuse");
    });
    // What is inside could not be found out, and the mail has its record all the same.
    assert_eq!(filter.recorded("LATE"), "b.zip");
    assert_eq!(filter.deliver("AFTER", "d.zip", &zip("inre.txt", b"x")).reply, None);
    assert_eq!(filter.recorded("AFTER"), "d.zip; inre.txt");
}

#[test]
fn bombs_in_mail_are_accepted_and_recorded_and_the_filter_stays_small() {
    let filter = Filter::start();
    // Those that a mail server of today lets through.
    let bombs: Vec<_> = bombs().into_iter().filter(|(_, bytes)| bytes.len() < 10 << 20).collect();
    std::thread::scope(|scope| {
        let sessions: Vec<_> = bombs
            .iter()
            .enumerate()
            .map(|(number, (name, bytes))| {
                let filter = &filter;
                scope.spawn(move || {
                    (number, filter.deliver(&format!("BOMB{number}"), "a.zip", &zip(name, bytes)))
                })
            })
            .collect();
        for number in 0..50 {
            assert_eq!(filter.deliver(&format!("PLAIN{number}"), "c.txt", b"hej").reply, None);
        }
        for session in sessions {
            let (number, heard) = session.join().unwrap();
            assert_eq!(heard.reply, None, "{number}");
            let recorded = filter.recorded(&format!("BOMB{number}"));
            assert!(recorded.starts_with("a.zip"), "{recorded}");
        }
    });
    let high = peak_octets(filter.postvakt.id());
    println!("the filter's largest size: {} MB", high >> 20);
    assert!(high < 400 << 20, "{high}");
}

#[test]
fn workers_end_with_the_filter() {
    let mut filter = Filter::start();
    filter.deliver("FIRST", "a.zip", &zip("inre.txt", b"x"));
    let worker = children(filter.postvakt.id())[0];
    filter.postvakt.signal(Signal::TERM);
    assert!(filter.postvakt.ended().success());
    gone(worker);
    filter.postvakt.restart();
    filter.deliver("SECOND", "a.zip", &zip("inre.txt", b"x"));
    let worker = children(filter.postvakt.id())[0];
    filter.postvakt.kill();
    gone(worker);
}

fn gone(process: rustix::process::Pid) {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    until("the worker's end", &stat, || {
        let stat = std::fs::read_to_string(&stat);
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    });
}

/// The most memory that the process ever had.
fn peak_octets(id: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn names_in_archives_weigh_no_more_in_the_log_than_the_mail() {
    let filter = Filter::start();
    // 1,000 long names, which are all but alike: packed twice they need 10 kB.
    let script = "import io,sys,zipfile as z\n\
                  def pack(files):\n b=io.BytesIO()\n f=z.ZipFile(b,'w',z.ZIP_DEFLATED)\n \
                  [f.writestr(n,c) for n,c in files]\n f.close()\n return b.getvalue()\n\
                  sys.stdout.buffer.write(pack([('inre.zip',pack([('%04d'%n+'a'*990,b'') for n in range(1000)]))]))";
    let output = std::process::Command::new("python3").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    filter.deliver("NAMES", "a.zip", &output.stdout);
    let found = filter.postvakt.search(&["--queue-id", "NAMES"]);
    let size = usize::try_from(found[0]["size"].as_u64().unwrap()).unwrap();
    let recorded = filter.recorded("NAMES");
    println!("{size} octets of mail, {} of names", recorded.len());
    assert!(size < 200_000 && recorded.len() <= size.max(postvakt::limits::RECORD_NAMES_OCTETS), "{size}");
    let (names, more) = recorded.rsplit_once("; ").unwrap();
    let kept = names.split("; ").count();
    assert_eq!(
        more,
        format!("… ({} more)", 1_000 - kept),
        "the number of attachments has a limit of its own"
    );
}
