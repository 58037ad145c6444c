//! Real sockets: what is bound, who may come in, and how it ends.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postvakt::mail::Direction;
use postvakt::milter::listener::{
    self, BindError, HandedOver, Limits, Listen, ListenAddress, Listener, SocketAccess,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::beyond::Sent;
use super::player::Recorder;

fn unix(path: &Path) -> Listen {
    Listen {
        address: ListenAddress::Unix(path.to_owned()),
        direction: Some(Direction::Outbound),
        access: SocketAccess::default(),
    }
}

fn inet() -> Listen {
    Listen {
        address: ListenAddress::Inet("127.0.0.1:0".parse().unwrap()),
        direction: None,
        access: SocketAccess::default(),
    }
}

fn bind(listen: &Listen) -> Result<Listener, BindError> {
    listener::bind(listen, &mut HandedOver::default())
}

fn serve(
    listeners: Vec<Listener>,
    handler: &Arc<Recorder>,
    limits: Limits,
) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        stopped.await.unwrap();
    };
    (stop, tokio::spawn(listener::serve(listeners, Arc::clone(handler), shutdown, limits)))
}

async fn tcp(listener_address: &ListenAddress) -> TcpStream {
    let ListenAddress::Inet(address) = listener_address else { panic!("{listener_address}") };
    TcpStream::connect(address).await.unwrap()
}

/// One mail, each reply awaited as an MTA does; the connection stays open.
async fn one_mail<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, begun: Sent) -> Vec<u8> {
    stream.write_all(&begun.envelope().and(b"LSubject\0 x\0").and(b"N").and(b"E").0).await.unwrap();
    let mut letters = Vec::new();
    while letters.last().is_none_or(|letter| *letter == b'O') {
        let length = stream.read_u32().await.unwrap();
        let mut frame = vec![0; length as usize];
        stream.read_exact(&mut frame).await.unwrap();
        letters.push(frame[0]);
    }
    letters
}

#[tokio::test]
async fn a_unix_socket_is_given_to_the_group_that_the_config_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("given.sock");
    let of = |group: &str| SocketAccess { group: Some(group.to_owned()), mode: 0o666 };
    let bound = bind(&Listen { access: of("nogroup"), ..unix(&path) }).unwrap();
    let file = path.metadata().unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o666);
    let group = std::process::Command::new("stat").args(["-c", "%G"]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&group.stdout), "nogroup\n");
    drop(bound);
    let refused = bind(&Listen { access: of("no-such-group"), ..unix(&path) }).unwrap_err().to_string();
    assert!(refused.contains("cannot be given to the group no-such-group") && !path.exists(), "{refused}");
}

#[tokio::test]
async fn both_kinds_of_socket_serve_mail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("milter.sock");
    let listeners = vec![bind(&unix(&path)).unwrap(), bind(&inet()).unwrap()];
    let address = listeners[1].address().clone();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    let handler = Arc::new(Recorder::default());
    let (stop, served) = serve(listeners, &handler, Limits::default());
    let mut over_unix = UnixStream::connect(&path).await.unwrap();
    let mut over_tcp = tcp(&address).await;
    for sent in [Sent::begun, Sent::default] {
        assert!(one_mail(&mut over_unix, sent()).await.ends_with(b"c"));
        assert!(one_mail(&mut over_tcp, sent()).await.ends_with(b"c"));
    }
    let events = handler.events();
    assert_eq!(events.iter().filter(|event| event.contains("direction=outbound")).count(), 2);
    assert_eq!(events.len(), 4);
    stop.send(()).unwrap();
    drop((over_unix, over_tcp));
    served.await.unwrap();
    assert!(!path.exists(), "the socket's file goes with the listener");
}

#[tokio::test]
async fn sockets_that_cannot_be_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("milter.sock");
    assert!(matches!(
        bind(&unix(&directory.path().join("none/milter.sock"))),
        Err(BindError::NoDirectory { .. })
    ));
    std::fs::write(&path, "a file").unwrap();
    assert!(matches!(bind(&unix(&path)), Err(BindError::NotASocket { .. })));
    std::fs::remove_file(&path).unwrap();
    // A process that was killed leaves such a file.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let bound = bind(&unix(&path)).unwrap();
    assert!(matches!(bind(&unix(&path)), Err(BindError::InUse { .. })));
    drop(bound);
    let bound = bind(&inet()).unwrap();
    let again = Listen { address: bound.address().clone(), direction: None, access: SocketAccess::default() };
    assert!(matches!(bind(&again), Err(BindError::InUse { .. })));
}

#[tokio::test]
async fn a_flood_of_connections_is_accepted() {
    let listener = bind(&inet()).unwrap();
    let address = listener.address().clone();
    let handler = Arc::new(Recorder::default());
    let (stop, served) = serve(vec![listener], &handler, Limits::default());
    let mut open = Vec::new();
    for _ in 0..400 {
        open.push(tcp(&address).await);
    }
    // Those that say nothing are in nobody's way.
    let mut last = tcp(&address).await;
    assert!(one_mail(&mut last, Sent::begun()).await.ends_with(b"c"));
    stop.send(()).unwrap();
    drop((open, last));
    served.await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let listener = bind(&inet()).unwrap();
    let address = listener.address().clone();
    let handler = Arc::new(Recorder::default());
    let (stop, served) = serve(vec![listener], &handler, Limits { connections: 1, ..Limits::default() });
    let mut first = tcp(&address).await;
    let mut second = tcp(&address).await;
    assert!(one_mail(&mut first, Sent::begun()).await.ends_with(b"c"));
    second.write_all(&Sent::begun().0).await.unwrap();
    assert!(one_mail(&mut first, Sent::default()).await.ends_with(b"c"));
    drop(first);
    assert!(one_mail(&mut second, Sent::default()).await.ends_with(b"c"));
    drop(second);
    stop.send(()).unwrap();
    served.await.unwrap();
}

#[tokio::test]
async fn the_drain_ends_with_connections_still_open() {
    let listener = bind(&inet()).unwrap();
    let address = listener.address().clone();
    let handler = Arc::new(Recorder::default());
    let short = Duration::from_millis(20);
    let (stop, served) = serve(vec![listener], &handler, Limits { drain: short, ..Limits::default() });
    let mut open = tcp(&address).await;
    assert!(one_mail(&mut open, Sent::begun()).await.ends_with(b"c"));
    let mut within = tcp(&address).await;
    within.write_all(&Sent::begun_with_replies_to_rcpt().envelope().0).await.unwrap();
    for _ in ["O", "R"] {
        let length = within.read_u32().await.unwrap();
        within.read_exact(&mut vec![0; length as usize]).await.unwrap();
    }
    stop.send(()).unwrap();
    served.await.unwrap();
    let ListenAddress::Inet(address) = address else { panic!() };
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert_eq!(open.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(handler.events().last().unwrap(), "disconnected from=a@x.test to=<b@y.test>");
}
