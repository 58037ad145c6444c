//! What an ID token must say to be believed, and who it says that somebody is.

use serde_json::Value;

use crate::config::{Grant, OpenId};
use crate::console::sessions::SignedIn;
use crate::limits;

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::console) enum Wrong {
    /// `iss`.
    #[error("iss is not the issuer of the config")]
    Issuer,
    /// `aud`.
    #[error("aud is not this client alone")]
    Audience,
    /// `azp`.
    #[error("azp is another client")]
    AuthorizedParty,
    /// `exp`.
    #[error("exp is missing, or has passed")]
    Expired,
    /// `iat` or `nbf`.
    #[error("iat is missing, in the future or long ago, or nbf is in the future; are both clocks right?")]
    Issued,
    /// `nonce`.
    #[error("nonce is not the one of this sign-in")]
    Nonce,
    /// The claim that names the person.
    #[error("the claim of subject_claim is missing, empty, too long or not text")]
    Subject,
}

/// Core §3.1.3.7, but for the signature: the token came straight from the token endpoint.
pub(super) fn check(claims: &Value, issuer: &str, client: &str, nonce: &str, now: i64) -> Result<(), Wrong> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let (now, clock) = (now as f64, limits::PROVIDER_CLOCK.as_secs_f64());
    if text("iss") != Some(issuer) {
        return Err(Wrong::Issuer);
    }
    // Other audiences are not trusted, so that there must be none.
    let is_ours = match claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(all)) => matches!(all.as_slice(), [one] if one == client),
        _ => false,
    };
    if !is_ours {
        return Err(Wrong::Audience);
    }
    if claims.get("azp").is_some_and(|azp| azp != client) {
        return Err(Wrong::AuthorizedParty);
    }
    if time("exp").is_none_or(|exp| exp + clock <= now) {
        return Err(Wrong::Expired);
    }
    let oldest = now - limits::PROVIDER_TOKEN_AGE.as_secs_f64();
    if time("iat").is_none_or(|iat| iat > now + clock || iat < oldest)
        || time("nbf").is_some_and(|nbf| nbf > now + clock)
    {
        return Err(Wrong::Issued);
    }
    if text("nonce") != Some(nonce) {
        return Err(Wrong::Nonce);
    }
    Ok(())
}

/// Who it is; `None` where what they have gives no role.
pub(super) fn who(claims: &Value, openid: &OpenId, grants: &[Grant]) -> Result<Option<SignedIn>, Wrong> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim);
    let is_name = |text: &&str| !text.is_empty() && text.len() <= limits::CONSOLE_NAME_OCTETS;
    let subject = text(&openid.subject_claim).filter(is_name).ok_or(Wrong::Subject)?;
    let name = text(&openid.name_claim).filter(is_name).unwrap_or_default();
    let values: Vec<&str> = match claims.get(&openid.role_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    Ok(SignedIn::with_values(subject.to_owned(), name.to_owned(), &values.iter().copied(), grants))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;
    use crate::config::Role;

    const NOW: i64 = 1_800_000_000;

    fn token() -> Value {
        json!({
            "iss": "https://login.example.org", "aud": "postvakt", "exp": NOW + 300, "iat": NOW - 1,
            "nonce": "n", "preferred_username": "anna@exempelby.se", "name": "Anna", "roles": ["r1"],
        })
    }

    fn checked(name: &str, value: Value) -> Result<(), Wrong> {
        let mut token = token();
        match value {
            Value::Null => token.as_object_mut().unwrap().remove(name),
            value => token.as_object_mut().unwrap().insert(name.to_owned(), value),
        };
        check(&token, "https://login.example.org", "postvakt", "n", NOW)
    }

    #[test]
    fn a_token_is_for_this_client_and_this_sign_in() {
        for (name, value) in [
            ("aud", json!(["postvakt"])),
            ("azp", json!("postvakt")),
            ("exp", json!(NOW - 60)),
            ("iat", json!(NOW + 60)),
            ("iat", json!(1_799_999_999.5)),
            ("nbf", json!(NOW)),
        ] {
            assert_eq!(checked(name, value.clone()), Ok(()), "{name} {value}");
        }
        for (name, value, wrong) in [
            ("iss", json!(null), Wrong::Issuer),
            ("iss", json!("https://login.example.org/"), Wrong::Issuer),
            ("iss", json!("https://login.example.org.example.net"), Wrong::Issuer),
            ("aud", json!(null), Wrong::Audience),
            ("aud", json!("other"), Wrong::Audience),
            ("aud", json!([]), Wrong::Audience),
            ("aud", json!(["postvakt", "other"]), Wrong::Audience),
            ("azp", json!("other"), Wrong::AuthorizedParty),
            ("azp", json!(["postvakt"]), Wrong::AuthorizedParty),
            ("exp", json!(null), Wrong::Expired),
            ("exp", json!(NOW - 120), Wrong::Expired),
            ("exp", json!("1900000000"), Wrong::Expired),
            ("iat", json!(null), Wrong::Issued),
            ("iat", json!(NOW + 121), Wrong::Issued),
            ("iat", json!(NOW - 601), Wrong::Issued),
            ("nbf", json!(NOW + 121), Wrong::Issued),
            ("nonce", json!(null), Wrong::Nonce),
            ("nonce", json!("m"), Wrong::Nonce),
        ] {
            assert_eq!(checked(name, value.clone()), Err(wrong), "{name} {value}");
        }
        assert_eq!(check(&json!("text"), "i", "c", "n", NOW), Err(Wrong::Issuer));
    }

    #[test]
    fn claims_say_who_it_is() {
        let openid = OpenId {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            ca_file: None,
            name: String::new(),
            scopes: Vec::new(),
            subject_claim: "preferred_username".to_owned(),
            name_claim: "name".to_owned(),
            role_claim: "roles".to_owned(),
        };
        let grants = [Grant { value: "r1".to_owned(), role: Role::Reviewer, mailboxes: Vec::new() }];
        let mut token = token();
        let anna = who(&token, &openid, &grants).unwrap().unwrap();
        assert_eq!((anna.subject.as_str(), anna.name.as_str()), ("anna@exempelby.se", "Anna"));
        token["roles"] = json!("r1");
        assert!(who(&token, &openid, &grants).unwrap().is_some(), "one value is text with many providers");
        for none in [json!("r1 r2"), json!([]), json!(["R1", 1]), json!({ "r1": true }), json!(null)] {
            token["roles"] = none.clone();
            assert_eq!(who(&token, &openid, &grants), Ok(None), "{none}");
        }
        for none in [json!(null), json!(" "), json!(7), json!(["anna"]), json!("a".repeat(256))] {
            token["preferred_username"] = none.clone();
            assert_eq!(who(&token, &openid, &grants), Err(Wrong::Subject), "{none}");
        }
    }
}
