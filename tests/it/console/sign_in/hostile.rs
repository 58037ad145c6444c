//! A provider that says what a test has it say, in Rust: its description, and whatever for a code.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What it answers for a code, and what it was asked.
#[derive(Default)]
struct Says {
    status: u16,
    body: String,
    asked: Vec<String>,
}

/// The provider.
pub(crate) struct Hostile {
    pub(crate) issuer: String,
    says: Arc<Mutex<Says>>,
}

impl Hostile {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new(Says::default()));
        let (own, shared) = (issuer.clone(), says.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is nothing to a provider.
                let _ = serve(&stream.unwrap(), &own, &shared);
            }
        });
        Self { issuer, says }
    }

    /// Gives this for the next code.
    pub(crate) fn say(&self, status: u16, body: &str) {
        let mut says = self.says.lock().unwrap();
        (says.status, says.body) = (status, body.to_owned());
    }

    /// Gives an ID token with these claims for the next code.
    pub(crate) fn claim(&self, claims: &Value) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2lnbmF0dXJl", part(&json!({ "alg": "RS256" })), part(claims));
        self.say(200, &json!({ "access_token": "a", "token_type": "Bearer", "id_token": token }).to_string());
    }

    /// The requests for a token, head and form.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.says.lock().unwrap().asked.clone()
    }
}

fn serve(stream: &TcpStream, issuer: &str, says: &Mutex<Says>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
    });
    let mut form = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut form)?;
    let (status, body) = if head.starts_with("GET /.well-known/openid-configuration ") {
        let description = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
            "token_endpoint": format!("{issuer}/token"),
        });
        (200, description.to_string())
    } else {
        let mut says = says.lock().unwrap();
        says.asked.push(head + &String::from_utf8(form).unwrap());
        (says.status, says.body.clone())
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nLocation: {issuer}/elsewhere\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
