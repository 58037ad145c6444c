//! Credentials in a mail, and beside what they open.

use super::*;
use crate::facts::passage::Passage;
use crate::facts::testing::from_inside;

fn facts(text: &str, states: &[State]) -> Facts {
    let mut facts = from_inside("<anna@exempelby.se>", "x@example.org", "From: anna@exempelby.se");
    let passage = |place, text: &str| Passage::new("1".to_owned(), String::new(), place, text.to_owned());
    facts.passages = vec![passage(Place::Body, text), passage(Place::DisplayName, "Lösenord: Sommar2024!")];
    let attachment = |state: &State| Attachment {
        path: "2".to_owned(),
        name: "utredning 811228-9874.zip".to_owned(),
        other_names: Vec::new(),
        media_type: "application/zip".to_owned(),
        kind: crate::documents::kind::Kind::Zip,
        size: 1,
        state: *state,
        macros: false,
    };
    facts.attachments = states.iter().map(attachment).collect();
    facts
}

fn told(text: &str, states: &[State]) -> Option<(Sensitivity, Confidence, String)> {
    let found = found(&facts(text, states))?;
    Some((found.evidence.class(), found.grade, found.evidence.to_string()))
}

#[test]
fn a_credential_is_considerable_and_never_shown() {
    let (class, grade, evidence) = told("Hej, lösenordet är Sommar2024!", &[]).unwrap();
    assert_eq!((class, grade), (Sensitivity::Considerable, Confidence::Strong));
    assert_eq!(evidence, "password in part 1 at 5");
    assert_eq!(told("Hej, lösenordet skickas separat", &[]), None);
    assert_eq!(told("Lösenord: blad", &[]).map(|told| told.0), Some(Sensitivity::Moderate));
}

#[test]
fn a_password_beside_what_it_opens_voids_the_encryption() {
    let zip = [State::Encrypted(Scheme::Zip)];
    let (class, _, evidence) = told("Lösenordet till filen är Sommar2024!", &zip).unwrap();
    assert_eq!(class, Sensitivity::Serious);
    assert_eq!(
        evidence,
        "password in part 1 at 0; beside encrypted part 2 \"utredning 811228-****.zip\"; its encryption is void"
    );
    assert_eq!(told("Koden är 471122", &zip).map(|told| told.0), Some(Sensitivity::Serious));
    assert_eq!(told("Koden är 471122", &[]), None);
    // Encrypted to the recipient's key: no password opens it.
    let smime = [State::Encrypted(Scheme::Smime)];
    assert_eq!(told("Lösenordet är Sommar2024!", &smime).map(|told| told.0), Some(Sensitivity::Considerable));
}
