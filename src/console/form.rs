//! What people enter: fields, each with one value or several.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::App;
use crate::limits;

/// A form, or the query of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields in these octets.
    pub(super) fn parse(octets: &[u8]) -> Self {
        let fields = form_urlencoded::parse(octets).into_owned();
        Self(
            fields
                .map(|(name, value)| (name, value.trim().to_owned()))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// One field.
    pub(super) fn of(name: &str, value: &str) -> Self {
        Self(vec![(name.to_owned(), value.to_owned())])
    }

    /// The value of a field; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The option of a command with the value of a field, where there is one.
    pub(super) fn option(&self, field: &str, option: &str) -> Option<String> {
        Some(self.get(field)).filter(|value| !value.is_empty()).map(|value| format!("--{option}={value}"))
    }

    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(own, _)| own != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The reason that was entered, as options of a command.
    pub(super) fn reason(&self) -> Vec<String> {
        let decision =
            [self.get("decision_other"), self.get("decision")].into_iter().find(|text| !text.is_empty());
        let basis = match self.get("basis") {
            "decision" => decision.map(|reference| format!("--decision={reference}")),
            "own-request" => self.option("own_request", "own-request"),
            "request" => self.option("request", "request"),
            _ => None,
        };
        basis.into_iter().chain(self.option("purpose", "purpose")).collect()
    }

    /// The fields of the reason alone, for a form that goes on from here.
    pub(super) fn reason_fields(&self) -> Value {
        let names = ["basis", "purpose", "decision", "decision_other", "own_request", "request"];
        let fields = names.iter().filter(|name| !self.get(name).is_empty());
        Value::Object(fields.map(|name| ((*name).to_owned(), json!(self.get(name)))).collect())
    }

    /// The address of a page with these fields filled in, without those of the reason.
    pub(super) fn bookmark(&self, path: &str) -> String {
        let mut text = form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
        let reason = [
            "do",
            "format",
            "profile",
            "basis",
            "purpose",
            "decision",
            "decision_other",
            "own_request",
            "request",
        ];
        for (name, value) in self.0.iter().filter(|(name, _)| !reason.contains(&name.as_str())) {
            text.append_pair(name, value);
        }
        text.finish()
    }

    /// The fields as an object: those that come several times as lists.
    pub(super) fn to_json(&self) -> Value {
        let mut fields = Map::new();
        for (name, value) in &self.0 {
            match fields.get_mut(name) {
                None => {
                    let value = if name == "columns" || name == "id" { json!([value]) } else { json!(value) };
                    fields.insert(name.clone(), value);
                }
                Some(Value::Array(all)) => all.push(json!(value)),
                Some(_) => {}
            }
        }
        Value::Object(fields)
    }
}

/// Fields as octets of a form.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// One text, as it stands in a form.
pub(super) fn encoded_text(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl FromRequest<App> for Form {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &App) -> Result<Self, StatusCode> {
        let body = axum::body::to_bytes(request.into_body(), limits::CONSOLE_FORM_OCTETS);
        match tokio::time::timeout(limits::CONSOLE_REQUEST_TIME, body).await {
            Ok(Ok(octets)) => Ok(Self::parse(&octets)),
            Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_options_that_are_one_argument_each() {
        let form = Form::parse(
            b"basis=decision&decision=KS+1&decision_other=&purpose=--decision%3Dx&own_request=a%40b",
        );
        assert_eq!(form.reason(), ["--decision=KS 1", "--purpose=--decision=x"]);
        let form = Form::parse(b"basis=operation&decision=KS+1&purpose=fels%C3%B6kning");
        assert_eq!(form.reason(), ["--purpose=felsökning"]);
        let form = Form::parse(b"basis=decision&decision=KS+1&decision_other=KS+2");
        assert_eq!(form.reason(), ["--decision=KS 2"]);
        assert_eq!(form.bookmark("/search"), "/search?");
    }

    #[test]
    fn fields_that_come_several_times_are_lists() {
        let form = Form::parse(b"columns=time&columns=subject&sender=a%40b&sender=c");
        assert_eq!(form.to_json(), json!({ "columns": ["time", "subject"], "sender": "a@b" }));
        assert_eq!(form.bookmark("/search"), "/search?columns=time&columns=subject&sender=a%40b&sender=c");
    }
}
