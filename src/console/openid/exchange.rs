//! What is asked of the provider: its description, and the ID token in exchange for a code.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claims::Wrong;
use super::https::{self, FetchError, Url};
use crate::config::OpenId;
use crate::console::form::{encoded, encoded_text};
use crate::export::visible;
use crate::gather::trust;

/// Why nobody can sign in by the provider just now.
#[derive(Debug, thiserror::Error)]
pub(in crate::console) enum ProviderError {
    /// The way to it, or what it answered.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// Its description.
    #[error("its description: {0}")]
    Description(&'static str),
    /// The client's secret.
    #[error("{0}")]
    Secret(String),
    /// It said no.
    #[error("it answered {0:?}")]
    Refused(String),
    /// The answer of the token endpoint.
    #[error("its token endpoint: {0}")]
    Token(&'static str),
    /// The ID token.
    #[error("its ID token: {0}")]
    Wrong(#[from] Wrong),
}

impl ProviderError {
    /// Whether it could not be asked, rather than that it said something wrong.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Fetch(_))
    }
}

/// The provider's own description (OpenID Connect Discovery 1.0 §3), as far as it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

impl Description {
    /// Checked against the issuer that the config names.
    fn of(octets: &[u8], issuer: &str) -> Result<Self, ProviderError> {
        let description: Self = serde_json::from_slice(octets)
            .map_err(|_| ProviderError::Description("not JSON, or without endpoints"))?;
        // Discovery §4.3: or it speaks for somebody else.
        if description.issuer != issuer {
            return Err(ProviderError::Description(
                "its issuer is not the one of the config, letter by letter",
            ));
        }
        for endpoint in [&description.authorization_endpoint, &description.token_endpoint] {
            let url = Url::parse(endpoint)?;
            if !url.is_tls && issuer.starts_with("https:") {
                return Err(ProviderError::Description("an endpoint without TLS"));
            }
            if endpoint.contains('#') || !endpoint.bytes().all(|octet| octet.is_ascii_graphic()) {
                return Err(ProviderError::Description("an endpoint that is no URL"));
            }
        }
        Ok(description)
    }

    /// Whether the secret goes into the form. Without a word of the provider it goes into the header (Core §9).
    fn takes_secret_in_form(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        has("client_secret_post") && !has("client_secret_basic")
    }
}

/// Reads the provider's description.
pub(super) async fn describe(openid: &OpenId) -> Result<Description, ProviderError> {
    let url = format!("{}/.well-known/openid-configuration", openid.issuer.trim_end_matches('/'));
    let ca_file = openid.ca_file.as_deref();
    let answer = https::fetch(&Url::parse(&url)?, https::Ask::Get, ca_file).await?;
    if !answer.status.is_success() {
        return Err(FetchError::Status(answer.status.as_u16()).into());
    }
    Description::of(&answer.body, &openid.issuer)
}

/// The challenge of a verifier (RFC 7636 §4.2).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// A code, with what the provider needs to give the ID token for it.
pub(super) struct Exchange<'a> {
    pub(super) openid: &'a OpenId,
    pub(super) description: &'a Description,
    pub(super) code: &'a str,
    pub(super) verifier: &'a str,
    pub(super) redirect: &'a str,
}

impl Exchange<'_> {
    /// The claims of the ID token, unchecked.
    pub(super) async fn claims(&self) -> Result<Value, ProviderError> {
        let secret = trust::secret("client_secret_file", &self.openid.client_secret_file);
        let secret = secret.map_err(ProviderError::Secret)?;
        let client = &self.openid.client_id;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", self.code),
            ("redirect_uri", self.redirect),
            ("code_verifier", self.verifier),
        ];
        let mut authorization = None;
        if self.description.takes_secret_in_form() {
            fields.extend([("client_id", client.as_str()), ("client_secret", &secret)]);
        } else {
            // RFC 6749 §2.3.1: each is encoded as in a form first.
            let pair = format!("{}:{}", encoded_text(client), encoded_text(&secret));
            authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
        }
        let form = encoded(&fields);
        let ask = https::Ask::Post { form, authorization };
        let url = Url::parse(&self.description.token_endpoint)?;
        let answer = https::fetch(&url, ask, self.openid.ca_file.as_deref()).await?;
        if answer.status.is_server_error() {
            return Err(FetchError::Status(answer.status.as_u16()).into());
        }
        let body: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| ProviderError::Token("an answer that is not JSON"))?;
        if !answer.status.is_success() {
            let why = body.get("error").and_then(Value::as_str).unwrap_or(answer.status.as_str());
            return Err(ProviderError::Refused(visible(why).chars().take(100).collect()));
        }
        let token = body.get("id_token").and_then(Value::as_str);
        payload(token.ok_or(ProviderError::Token("an answer without id_token; is openid among the scopes?"))?)
    }
}

/// The payload of a token that is signed (RFC 7515 §7.1). One that is encrypted has five parts.
fn payload(token: &str) -> Result<Value, ProviderError> {
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts.as_slice() else {
        return Err(ProviderError::Token("an ID token that has not three parts"));
    };
    let octets = URL_SAFE_NO_PAD.decode(payload);
    octets
        .ok()
        .and_then(|octets| serde_json::from_slice(&octets).ok())
        .filter(Value::is_object)
        .ok_or(ProviderError::Token("an ID token that is not JSON in base64url"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_challenge_of_rfc_7636() {
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_description_is_of_its_issuer_and_has_tls() {
        let of = |issuer: &str, token: &str, configured: &str| {
            let text = json!({
                "issuer": issuer, "authorization_endpoint": "https://a.example.org/auth", "token_endpoint": token,
            });
            Description::of(text.to_string().as_bytes(), configured).is_ok()
        };
        let own = "https://login.example.org";
        assert!(of(own, "https://b.example.org/token", own));
        for (issuer, token) in [
            ("https://login.example.net", "https://b.example.org/token"),
            ("https://login.example.org/", "https://b.example.org/token"),
            (own, "http://b.example.org/token"),
            (own, "http://127.0.0.1/token"),
            (own, "https://b@example.org/token"),
            (own, "https://b.example.org/token#x"),
            (own, "/token"),
        ] {
            assert!(!of(issuer, token, own), "{issuer} {token}");
        }
        assert!(of("http://127.0.0.1:1", "http://127.0.0.1:1/token", "http://127.0.0.1:1"));
        assert!(Description::of(b"<html>", own).is_err());
    }

    #[test]
    fn a_token_has_three_parts() {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let good = format!("e30.{}.", part(&json!({ "a": 1 })));
        assert_eq!(payload(&good).unwrap(), json!({ "a": 1 }));
        for bad in ["", "e30", "e30.e30", "e30.e30.e30.e30.e30", "e30.!.e30", "e30.W10.e30", "e30.e30=.e30"] {
            assert!(payload(bad).is_err(), "{bad}");
        }
    }
}
