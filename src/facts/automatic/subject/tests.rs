//! Subjects that programs wrote, and subjects that people write.

use super::*;

/// As Exchange, Outlook, Lotus, Gmail, Zimbra, help desks and MTAs write them.
const PROGRAMS: &[&str] = &[
    "Autosvar: Ansökan om bygglov",
    "Automatiskt svar: Ansökan om bygglov",
    "Automatiskt svar: SV: Fråga om avfall",
    "SV: Autosvar: Ansökan",
    "Sv: Automatiskt svar: Ansökan",
    "Autosvar",
    "AUTOSVAR!",
    "[Autosvar] Ansökan",
    "Automatiskt meddelande: Din e-post är mottagen",
    "Läst: Beslut i ditt ärende",
    "Ej läst: Beslut i ditt ärende",
    "Olevererbart: Beslut",
    "Kunde inte levereras: Beslut",
    "Leverans fördröjd: Beslut",
    "Automatic reply: Building permit",
    "Automatic reply : Building permit",
    "Re: Automatic reply: Building permit",
    "RE: [EXTERNAL] Automatic reply: Building permit",
    "[Ticket #4711] Auto-Response: Building permit",
    "Auto-Response: Re: Ansökan",
    "Auto Response: your message",
    "Automated Response: Re: Ansökan",
    "Automated reply: Re: Ansökan",
    "AutoReply: Building permit",
    "Auto Reply: Building permit",
    "(Auto-reply) Building permit",
    "Auto\u{2011}reply: Building permit",
    "Out of Office: Building permit",
    "Out of Office AutoReply: Building permit",
    "Out of Office Reply: Building permit",
    "Out of office",
    "Away from the office: Building permit",
    "Read: Decision",
    "Not read: Decision",
    "Undeliverable: Decision",
    "Undelivered Mail Returned to Sender",
    "Delivery Status Notification (Failure)",
    "Delivery delayed: Decision",
    "Mail delivery failed: returning message to sender",
    "Returned mail: see transcript for details",
    "failure notice",
    "Automatisk svar: Søknad",
    "VS: Automatisk svar: Søknad",
    "Ikke til stede: Ansøgning",
    "Ikke på kontoret: Ansøgning",
    "Læst: Afgørelse",
    "Lest: Vedtak",
    "Kan ikke leveres: Afgørelse",
    "Automaattinen vastaus: Hakemus",
    "Luettu: Päätös",
    "Automatische Antwort: Antrag",
    "AW: Automatische Antwort: Antrag",
    "Abwesenheitsnotiz: Antrag",
    "Unzustellbar: Bescheid",
    "Gelesen: Bescheid",
    "Réponse automatique : Demande",
    "Absence du bureau : Demande",
    "Non remis : Décision",
    "Respuesta automática: Solicitud",
    "Fuera de la oficina: Solicitud",
    "No se puede entregar: Decisión",
    "Automatyczna odpowiedź: Wniosek",
    "Odp: Odpowiedź automatyczna: Wniosek",
    "Poza biurem: Wniosek",
    "Niedostarczone: Decyzja",
    "Risposta automatica: Domanda",
    "Automatisch antwoord: Aanvraag",
    "Automaatvastus: Taotlus",
    "Автоматический ответ: Заявление",
    "自动答复: 申请",
];

/// What programs write too; people began all of these.
const EITHER: &[&str] = &[
    "Frånvaro: Lisa Ek 4B, måndag",
    "Frånvaro: semester",
    "Frånvaroanmälan: Kalle 7C",
    "Ej på plats: sopkärlet på Storgatan 4",
    "Auto: övergiven bil på Torggatan",
    "Auto: Re: Ansökan",
    "OOO: lekplatsen",
    "Semester: ledighet för Kalle vecka 9",
    "Sjukskriven: intyg till skolan",
    "Autosvar fungerar inte",
    "Autosvar - hur stänger jag av det?",
    "Out of office hours, whom do I call?",
    "Automatiskt svar på frågan om bygglov?",
    "Vi har tagit emot ditt meddelande (12)",
    "Semester",
];

const PEOPLE: &[&str] = &[
    "Ansökan om bygglov",
    "SV: Ansökan om bygglov",
    "Re: Re: Ansökan om bygglov",
    "Frånvaro i skolan för Kalle",
    "Fråga om frånvaro",
    "SV: Frånvaro: Lisa Ek 4B, måndag",
    "VB: Autosvar: Ansökan",
    "Fwd: Automatic reply: Building permit",
    "Fråga: varför fick jag ett autosvar?",
    "Jag fick bara ett autosvar: vad gör jag nu?",
    "SV: Autosvar fungerar inte",
    "Automatiska dörröppnare: ansökan om bidrag",
    "Automatisk dörröppnare: ansökan om bidrag",
    "Automat: trasig parkeringsautomat",
    "Autism: frågor om LSS",
    "Autobahn",
    "Automobilklubben: ansökan om tillstånd",
    "Ledigförklarad tomt",
    "Semesterhem: fråga om avgift",
    "Läste: er artikel om vattnet",
    "Läst er remiss",
    "Readiness: krisberedskap",
    "Ledningsrätt: fråga",
    "Lu Chen, ansökan om uppehåll",
    "Leverans: sopkärl kom inte",
    "Levererat kärl är trasigt",
    "Returnerad post",
    "Retur: nycklar till lokalen",
    "Återkallande av bygglov",
    "Avslag: överklagande",
    "Uteblivet svar",
    "Utebliven sophämtning",
    "Kontoret: öppettider",
    "Plats: parkering för rörelsehindrad",
    "Ejektor",
    "Bekräftelse: var god bekräfta mottagandet",
    "Bekräftelse på ansökan om skolskjuts",
    "Tack för svaret",
    "Ferienhaus an der Küste, Frage",
    "Urlaubsanschrift",
    "Abwesenheitspfleger bestellt?",
    "Absences répétées de mon fils",
    "Absenteeism report",
    "Holidays Act",
    "Autorisation de séjour",
    "Autorização de residência",
    "Autoridades: consulta",
    "Fraværsprocent i skolen",
    "Poissaolot koulussa",
    "Nieobecności w szkole",
    "Delivery of the container",
    "Message to the building committee",
    "Warning signs on Storgatan",
    "Vacation homes: rules",
    "Readout: elmätare",
    "Re: PV-anläggning på taket",
    "[Ärende 12] Ansökan",
    "(ingen rubrik)",
    "Synpunkt",
    "Klagomål: buller",
    "Begäran om allmän handling",
    "",
];

#[test]
fn what_only_programs_write() {
    for subject in PROGRAMS {
        assert_eq!(wording(subject), Wording::Program, "{subject}");
    }
    assert!(PROGRAMS.len() >= 60);
}

#[test]
fn what_people_write() {
    for (subjects, expected) in [(EITHER, Wording::Either), (PEOPLE, Wording::Person)] {
        for subject in subjects {
            assert_eq!(wording(subject), expected, "{subject}");
        }
    }
    assert!(EITHER.len() + PEOPLE.len() >= 60);
}

#[test]
fn no_subject_is_too_odd() {
    for piece in ["Re:", "[", "[a]", "(", "SV: [", "]:", "Autosvar", " ", "\u{a0}", "]", "：", "-"] {
        for times in [1, 2, 50, 10_000] {
            let _ = wording(&piece.repeat(times));
        }
    }
    assert_eq!(wording(&format!("{}Autosvar: x", "Re: ".repeat(50))), Wording::Program);
}
