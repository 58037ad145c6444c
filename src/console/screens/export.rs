//! An export: the file with its manifest and its proof, as one download.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use http_body_util::channel::{Channel, Sender};

use super::search::form_page;
use super::{command, options};
use crate::console::App;
use crate::console::answers::only;
use crate::console::commands::QUERY;
use crate::console::desk::{End, Running};
use crate::console::form::Form;
use crate::console::replies::{html, taken};
use crate::console::visit::Member;

/// Makes it, or says why there is none.
pub(in crate::console) async fn export(State(app): State<App>, member: Member, mut form: Form) -> Response {
    if let Err(refused) = only(&app, &member, "log export").await {
        return *refused;
    }
    if form.get("format").is_empty() {
        form.set("format", "csv");
    }
    let args = options(&form, QUERY).into_iter().chain(options(&form, &["format", "profile"]));
    let args = args.chain(["--headings=sv".to_owned()]).chain(form.reason());
    match download(&app, &member, command("log export", args), "postvakt-export.zip").await {
        Ok(file) => file,
        Err(end) => {
            let mut page = form_page(&app, &member, &form).await;
            page.said(&end);
            page.answer(&app, &member.visit)
        }
    }
}

/// The file that a command gives, as a download; how it ended where it gives none.
pub(super) async fn download(
    app: &App,
    member: &Member,
    args: Vec<String>,
    name: &'static str,
) -> Result<Response, End> {
    let mut running = app.desk.begin_file(&member.person, args).await;
    // The first piece comes when the file is whole.
    let Some(first) = running.next().await else { return Err(running.end().await) };
    let (sender, body) = Channel::<Bytes, std::io::Error>::new(16);
    tokio::spawn(stream(first, running, sender));
    let mut response = html(StatusCode::OK, Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    // The names are ours.
    headers.insert(CONTENT_DISPOSITION, name.unwrap_or(HeaderValue::from_static("attachment")));
    Ok(response)
}

/// Sends the pieces. An end that is none breaks the connection off: half a file is none.
async fn stream(first: Vec<u8>, mut running: Running, mut sender: Sender<Bytes, std::io::Error>) {
    let mut piece = Some(first);
    while let Some(octets) = piece {
        if !taken(sender.send_data(octets.into())).await {
            return;
        }
        piece = running.next().await;
    }
    if !matches!(running.end().await.code, Some(0 | 1)) {
        sender.abort(std::io::Error::other("the export was broken off"));
    }
}
